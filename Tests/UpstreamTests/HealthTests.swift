import Testing
import Upstream

/// When an upstream is held for down, when it is asked whether it is back, and what a connection still owes.
@Suite struct HealthTests {
  func fail(_ script: Script, since: UInt64) -> Bool { script.pool.fail(0, since: since, now: script.now) }

  @Test func downAfterMoreFailuresThanAllowed() {
    let script = Script()
    for failure in 1...3 {
      let since = script.now
      script.wait(milliseconds: 400)
      #expect(fail(script, since: since) == (failure == 3))
      #expect(script.pool.upstream(0).isDown == (failure == 3) && script.pool.downCount == failure / 3)
    }
    let connection = script.connection()
    script.pool.opened(connection, now: script.now)
    let isBack = script.pool.progress(on: connection, now: script.now)
    #expect(isBack && !script.pool.upstream(0).isDown && script.pool.downCount == 0)
  }

  /// A hundred questions that one silence met are one failure; what was asked before the last word is none.
  @Test func oneSilenceIsOneFailure() {
    let script = Script()
    let since = script.now
    script.wait(milliseconds: 400)
    for _ in 0..<100 { _ = fail(script, since: since) }
    #expect(script.pool.upstream(0).failures == 1)
    let asked = script.now
    script.wait(milliseconds: 1)
    let connection = script.connection()
    _ = script.pool.progress(on: connection, now: script.now)
    _ = fail(script, since: asked)
    #expect(script.pool.upstream(0).failures == 0)
  }

  @Test func neverDownWithoutABound() {
    let script = Script(maxFailures: 0)
    for _ in 0..<100 {
      script.wait(milliseconds: 1)
      _ = fail(script, since: script.now)
    }
    #expect(!script.pool.upstream(0).isDown && script.pool.downCount == 0)
  }

  @Test func probesComeAtIntervalsWhileDown() {
    let script = Script()
    #expect(!script.isProbeDue(0))
    for _ in 0..<3 {
      _ = fail(script, since: script.now)
      script.wait(milliseconds: 1)
    }
    #expect(script.isProbeDue(0) && !script.isProbeDue(0) && !script.isProbeDue(1))
    script.wait(milliseconds: 501)
    #expect(script.isProbeDue(0))
    let connection = script.connection(0, .udp)
    _ = script.probe(on: connection)
    script.wait(milliseconds: 999)
    #expect(!script.takeFailedProbe(0))
    script.wait(milliseconds: 1)
    #expect(script.takeFailedProbe(0))
    #expect(!script.takeFailedProbe(0))
  }

  /// Refused again and again: at most five connects in any second, whatever `random` and however many shards.
  @Test(arguments: [1, 2, 4, 8]) func connectsToOneThatRefusesAreFew(shards: Int) {
    let script = Script(shards: shards)
    var opened: [UInt64] = []
    for _ in 0..<1000 {
      let connection = script.connection(random: UInt64(opened.count) &* 0x9E37_79B9)
      if connection >= 0 {
        opened.append(script.now)
        script.lose(connection, failed: true)
      }
      script.wait(milliseconds: 10)
    }
    let most = opened.map { start in opened.count { $0 >= start && $0 < start + 1_000_000_000 } }.max()!
    #expect(most * shards <= max(4, shards) + (shards == 1 ? 1 : 0), "\(most)")
    #expect(opened.count >= 9 / max(1, shards / 4))
  }

  /// The same where each is refused while others still connect: none of those speaks for the upstream, and a burst is
  /// paid for.
  @Test func connectsThatOverlapAreFew() {
    let script = Script()
    var opened: [UInt64] = []
    var connecting: [Int] = []
    for number in 0..<2000 {
      if case .open(let connection) = script.choose(random: UInt64(number) &* 0x9E37_79B9) {
        opened.append(script.now)
        connecting.append(connection)
        script.ask(script.add(number), on: connection)
      }
      script.wait(milliseconds: 5)
      if connecting.count > 1 || script.pool.upstream(0).failures > 0, !connecting.isEmpty {
        let refused = connecting.removeFirst()
        while let question = script.oldest(on: refused) { script.settle(question) }
        script.lose(refused, failed: true)
      }
    }
    let most = opened.map { start in opened.count { $0 >= start && $0 < start + 1_000_000_000 } }.max()!
    #expect(opened.count >= 12 && most <= 5, "\(most)")
  }

  /// A question asked elsewhere leaves a debt: the connection is avoided until it is paid.
  @Test func aConnectionOwesWhatWentElsewhere() {
    let script = Script()
    let first = script.connection()
    script.pool.opened(first, now: script.now)
    let question = script.add(1)
    let id = script.ask(question, on: first)
    script.wait(milliseconds: 20)
    let second = script.connection()
    let again = script.ask(question, on: second)
    #expect(script.pool.connections[first].owed == 1 && script.pool.connections[first].asked.count == 0)
    script.answer(again, on: second)
    // The second one is free, the first may still be busy with it.
    #expect(script.connection() == second)
    script.answer(id, on: first)
    #expect(script.pool.connections[first].owed == 0)
    // A copy of it pays for nothing.
    script.answer(id, on: first)
    #expect(script.pool.connections[first].owed == 0)
  }

  @Test func theEarlierSendMayBeAnsweredFirst() {
    let script = Script()
    let first = script.connection()
    let question = script.add(1)
    let id = script.ask(question, on: first)
    script.wait(milliseconds: 20)
    let second = script.connection()
    script.ask(question, on: second)
    script.answer(id, on: first)
    #expect(script.pool.connections[first].owed == 0 && script.pool.connections[second].owed == 1)
    #expect(script.pool.connections[second].asked.count == 0 && script.questions.count == 0)
  }

  /// The delay before a question is asked elsewhere follows what 19 of 20 answers take.
  @Test func hedgesFollowTheSlowestTwentieth() {
    let script = Script(upstreams: 1)
    #expect(script.pool.upstream(0).hedgeDelay == Pool.Limits.longestHedge)
    let connection = script.connection()
    var chance: UInt64 = 1
    for number in 0..<4000 {
      chance = chance &* 6_364_136_223_846_793_005 &+ 1
      let id = script.ask(script.add(number), on: connection)
      // Evenly between 20 and 120 ms.
      script.wait(milliseconds: 20 + chance >> 33 % 100)
      script.answer(id, on: connection)
    }
    let delay = script.pool.upstream(0).hedgeDelay / 1_000_000
    #expect(delay >= 100 && delay <= 135, "\(delay) ms")
  }
}
