import Memory
import Testing
import Upstream

/// Which connection a question goes to, and when there is none.
@Suite struct PoolTests {
  @Test func theFirstQuestionOpensTheNextJoinsIt() {
    let script = Script()
    guard case .open(let connection) = script.choose() else {
      Issue.record("not opened")
      return
    }
    #expect(script.pool.connections[connection].state == .connecting)
    script.ask(script.add(1), on: connection)
    guard case .use(connection) = script.choose() else {
      Issue.record("not used, though its question is new")
      return
    }
    script.pool.opened(connection, now: script.now)
    #expect(script.pool.connections[connection].state == .open)
  }

  @Test func anIdleConnectionIsUsedAgain() {
    let script = Script()
    let connection = script.connection()
    let question = script.add(1)
    script.ask(question, on: connection)
    script.settle(question)
    script.wait(milliseconds: 5000)
    #expect(script.connection() == connection)
  }

  @Test func spreadsByAgeOfTheOldest() {
    let script = Script()
    // Each is stuck behind its question for 10 ms more than the one after it.
    var connections: [Int] = []
    for number in 0..<Pool.Limits.tcpConnections {
      let connection = script.connection()
      connections.append(connection)
      script.ask(script.add(number), on: connection)
      script.wait(milliseconds: 10)
    }
    #expect(Set(connections).count == Pool.Limits.tcpConnections)
    // No fifth; the youngest.
    #expect(script.connection() == connections.last)
    // Its question answered, the first is free, and is preferred.
    script.settle(script.oldest(on: connections[0])!)
    #expect(script.connection() == connections[0])
  }

  @Test func aBurstSpreadsBeforeAnyHasAged() {
    let script = Script()
    var counts: [Int: Int] = [:]
    for number in 0..<1000 {
      let connection = script.connection()
      counts[connection, default: 0] += 1
      script.ask(script.add(number), on: connection)
    }
    #expect(counts.count == Pool.Limits.tcpConnections)
    #expect(counts.values.allSatisfy { $0 >= 200 && $0 <= 300 }, "\(counts)")
  }

  @Test func noMoreThanTheTableHolds() {
    let script = Script(capacity: 32_768)
    let total = Pool.Limits.tcpHeldUp * Pool.Limits.outstanding
    var counts: [Int: Int] = [:]
    for number in 0..<total {
      let connection = script.connection()
      #expect(connection >= 0)
      counts[connection, default: 0] += 1
      script.ask(script.add(number), on: connection)
    }
    #expect(counts.values.allSatisfy { $0 == Pool.Limits.outstanding })
    #expect(script.connection() == -1)
    // Another upstream is not concerned.
    #expect(script.connection(1) >= 0)
    script.settle(0)
    #expect(script.connection() >= 0)
  }

  @Test func socketsOverUDPAreManyAndEachRetires() {
    let script = Script()
    var sockets: Set<Int> = []
    for number in 0..<4000 {
      let socket = script.connection(0, .udp, random: UInt64(number) &* 0x9E37_79B9_7F4A_7C15 >> 7)
      #expect(socket >= 0 && script.pool.connections[socket].state == .open)
      sockets.insert(socket)
      script.ask(script.add(number, transport: .udp), on: socket, random: UInt64(number))
      #expect(script.pool.upstream(0).udp <= Pool.Limits.udpSockets)
      let state = script.pool.connections[socket]
      #expect((state.state == .draining) == (state.uses >= Pool.Limits.udpUses))
      let question = script.oldest(on: socket)!
      script.settle(question)
      if state.state == .draining { script.lose(socket, failed: false) }
    }
    #expect(sockets.count > Pool.Limits.udpSockets / 2)
  }

  @Test func aRefusalPausesAndOneTries() {
    let script = Script()
    let first = script.connection()
    script.lose(first, failed: true)
    #expect(script.pool.upstream(0).failures == 1)
    #expect(!script.isUsable(0) && script.connection() == -1)
    #expect(script.isUsable(1))
    script.now += Pool.Limits.retryPause - 1
    #expect(!script.isUsable(0) && script.connection() == -1)
    script.now += 1
    #expect(script.isUsable(0))
    let second = script.connection()
    #expect(second >= 0)
    // Until it is known to answer it is the only one, however old its questions grow.
    script.ask(script.add(1), on: second)
    script.wait(milliseconds: 100)
    #expect(script.connection() == second && script.isUsable(0))
    script.pool.opened(second, now: script.now)
    #expect(script.connection() == second)
    _ = script.pool.progress(on: second, now: script.now)
    #expect(script.pool.upstream(0).failures == 0)
    // What waited for it to open was not held up by it.
    #expect(script.connection() == second)
    script.wait(milliseconds: 100)
    #expect(script.connection() != second)
  }

  @Test func oneOfSeveralLostIsNotAFailure() {
    let script = Script()
    let first = script.connection()
    script.ask(script.add(1), on: first)
    script.wait(milliseconds: 5)
    let second = script.connection()
    #expect(second != first)
    script.pool.opened(first, now: script.now)
    script.lose(second, failed: true)
    #expect(script.pool.upstream(0).failures == 0 && script.pool.upstream(0).tcp == 1)
    script.lose(first, failed: true)
    #expect(script.pool.upstream(0).failures == 1 && script.pool.upstream(0).tcp == 0)
  }

  @Test func closedAfterAnswersMayBeOpenedAtOnce() {
    let script = Script()
    let first = script.connection()
    script.pool.opened(first, now: script.now)
    _ = script.pool.progress(on: first, now: script.now)
    script.lose(first, failed: false)
    #expect(script.connection() >= 0)
  }

  @Test func aDrainingOneTakesNoMore() {
    let script = Script()
    let first = script.connection()
    script.pool.opened(first, now: script.now)
    let question = script.add(1)
    let id = script.ask(question, on: first)
    script.pool.retire(first)
    let second = script.connection()
    #expect(second != first)
    #expect(script.match(id, on: first) == question && script.oldest(on: first) == question)
    script.settle(question)
    // Closing it again counts it out only once.
    script.lose(first, failed: false)
    #expect(script.pool.upstream(0).tcp == 1)
  }

  @Test func waitersAreServedInOrder() {
    let script = Script()
    let questions = (0..<4).map { script.add($0) }
    for question in questions { script.pool.wait(question, questions: &script.questions) }
    #expect(script.pool.waitingCount == 4 && script.pool.firstWaiting == questions[0])
    // One is answered elsewhere, one given up, one asked.
    script.pool.withdraw(questions[1], questions: &script.questions)
    script.settle(questions[0])
    #expect(script.pool.waitingCount == 2 && script.pool.firstWaiting == questions[2])
    script.ask(questions[2], on: script.connection())
    #expect(script.pool.waitingCount == 1 && script.pool.firstWaiting == questions[3])
    // To wait again is to go to the end.
    script.pool.wait(questions[1], questions: &script.questions)
    script.pool.wait(questions[3], questions: &script.questions)
    #expect(script.pool.waitingCount == 2 && script.pool.firstWaiting == questions[1])
  }
}
