import Memory
import Testing
import Upstream

/// Ids on a connection: none is used while it is outstanding, and a late answer finds its question or none.
@Suite struct IdentifierTests {
  @Test func anAnswerFindsItsQuestion() {
    let script = Script()
    let connection = script.connection()
    let questions = (0..<3).map { script.add($0) }
    let ids = questions.map { script.ask($0, on: connection) }
    #expect(Set(ids).count == 3)
    for number in [2, 0, 1] { #expect(script.match(ids[number], on: connection) == questions[number]) }
    #expect(script.match(ids[2] &+ 1, on: connection) == nil)
    // The same cell of the table, another id.
    #expect(script.match(ids[0] &+ 1024, on: connection) == nil)
  }

  @Test func anotherConnectionsIdIsNotMatched() {
    let script = Script(upstreams: 2)
    let first = script.connection(0)
    let second = script.connection(1)
    let id = script.ask(script.add(1), on: first)
    #expect(script.match(id, on: second) == nil)
  }

  @Test func lateAnswersAfterWithdrawal() {
    let script = Script()
    let first = script.connection()
    let question = script.add(1)
    let id = script.ask(question, on: first)
    script.wait(milliseconds: 2)
    let second = script.connection()
    #expect(second != first)
    let again = script.ask(question, on: second)
    // Asked elsewhere since: the late answer is an answer still.
    #expect(script.match(id, on: first) == question && script.match(again, on: second) == question)
    script.settle(question)
    #expect(script.match(id, on: first) == nil && script.match(again, on: second) == nil)
    // Nor is it another's, whose slot is the same.
    #expect(script.add(2) == question)
    #expect(script.match(id, on: first) == nil && script.match(again, on: second) == nil)
  }

  /// A late answer cannot be taken for another's: no id comes twice, and before they are used up another connection takes
  /// over. One question stays all the time, and its cell comes up again and again.
  @Test func noIDComesTwiceOnAConnection() {
    let script = Script()
    let connection = script.connection(random: 0xFFF0 << 32)
    script.pool.opened(connection, now: script.now)
    let stays = script.add(60_000)
    let held = script.ask(stays, on: connection)
    #expect(held == 0xFFF0)
    var ids: Set<UInt16> = [held]
    while script.pool.connections[connection].state != .draining {
      let question = script.add(ids.count % 50_000)
      let id = script.ask(question, on: connection)
      guard ids.insert(id).inserted, script.match(id, on: connection) == question else {
        Issue.record("id \(id) after \(ids.count) others")
        return
      }
      script.settle(question)
    }
    // An id whose cell is held is used up as well.
    #expect(ids.count > Pool.Limits.tcpUses - 100 && script.match(held, on: connection) == stays)
    #expect(script.connection() != connection)
  }

  @Test func fullToTheLastCell() {
    let script = Script()
    let connection = script.connection()
    var ids: [UInt16: Int] = [:]
    for number in 0..<Pool.Limits.outstanding {
      let question = script.add(number)
      ids[script.ask(question, on: connection)] = question
    }
    #expect(ids.count == Pool.Limits.outstanding)
    for (id, question) in ids { #expect(script.match(id, on: connection) == question) }
    // Any other is passed over until one of these is settled.
    let (id, question) = ids.first!
    script.settle(question)
    ids[id] = nil
    let next = script.add(5000)
    ids[script.ask(next, on: connection)] = next
    for (id, question) in ids { #expect(script.match(id, on: connection) == question) }
  }

  @Test func overUDPEachIsDrawn() {
    let script = Script()
    let socket = script.connection(0, .udp)
    let first = script.add(1, transport: .udp)
    #expect(script.ask(first, on: socket, random: 0xBEEF) == 0xBEEF)
    // Drawn twice while outstanding: the next free one.
    let second = script.add(2, transport: .udp)
    #expect(script.ask(second, on: socket, random: 0xBEEF) == 0xBEF0)
    #expect(script.match(0xBEEF, on: socket) == first && script.match(0xBEF0, on: socket) == second)
    // And so long as the socket lives: an answer to the first may still be on its way.
    script.settle(first)
    #expect(script.ask(script.add(3, transport: .udp), on: socket, random: 0xBEEF) == 0xBEF1)
  }

  @Test func aNewConnectionRemembersNothing() {
    let script = Script(upstreams: 1)
    let first = script.connection()
    let question = script.add(1)
    let id = script.ask(question, on: first)
    script.lose(first, failed: false)
    #expect(script.connection() == first)
    #expect(script.match(id, on: first) == nil)
  }
}
