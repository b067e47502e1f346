import Memory
import Upstream
import Wire

extension Shard where R: ~Copyable {
  /// Nanoseconds until something may be due; nil: nothing can become due by time alone.
  package mutating func timeout() -> UInt64? {
    if !backlog.isEmpty || readyStreams.count > 0 || toWake & 1 << UInt64(index) != 0 { return 0 }
    let isWaiting =
      questions.count > 0 || pool.downCount > 0 || streams.count > 0 || pool.connections.count > 0
      || pausedReceives.count > 0 || pausedAccepts.count > 0 || unread != 0 || leaving != nil || !throttle.isEmpty
    guard isWaiting else { return nil }
    let now = self.now
    return tickAt > now ? tickAt &- now : 0
  }

  /// Wakes those shards again that have left letters unread since the last tick.
  private mutating func remind() {
    var left = unread
    unread = 0
    while left != 0 {
      let other = left.trailingZeroBitCount
      left &= left &- 1
      if !outboxes[other].isEmpty { toWake |= 1 << UInt64(other) }
    }
  }

  /// Nanoseconds since the oldest pending question was asked for; 0: there is none.
  var oldestAge: UInt64 {
    guard let deadline = questions.firstDeadline else { return 0 }
    return now &+ ShardLimits.budget < deadline ? 0 : now &+ ShardLimits.budget &- deadline
  }

  /// Fails a question as soon as there is room for what those who wait are told: many may fail at once.
  mutating func giveUp(_ question: Int, _ cause: Event.Cause) {
    pool.abandon(question, questions: &questions)
    questions.giveUp(question, for: cause.rawValue)
    tickAt = now
  }

  /// Looks at every deadline.
  mutating func tick() {
    // With nothing pending but idle connections, a look now and then is enough.
    let pause =
      questions.count > 0 ? ShardLimits.tick : throttle.isEmpty ? ShardLimits.idleTick : Throttle.relief
    tickAt = now &+ pause
    remind()
    answerExpectant()
    while let due = questions.nextDue, due.deadline <= now {
      // More clients than datagrams can be on their way at once: the rest wait a millisecond.
      guard datagrams.count &+ questions[due.index].waiters <= ShardLimits.datagrams || datagrams.count == 0 else {
        tickAt = now &+ 1_000_000
        break
      }
      if questions[due.index].waiters > 0 { counters.add(.timeouts) }
      pool.expire(due.index, questions: &questions)
      let cause = questions[due.index].isGivenUp ? Event.Cause(rawValue: questions[due.index].reason) : nil
      settle(due.index, failing: Rcode.servFail, cause: cause ?? .upstreamTimeout)
    }
    var connection = 0
    var left = pool.connections.count
    while left > 0 {
      if pool.connections.isTaken(connection) {
        left &-= 1
        check(connection)
      }
      connection &+= 1
    }
    if pool.downCount > 0, leaving == nil { probeUpstreams() }
    dispatchWaiting()
    checkStreams()
    resumeReceives()
    resumeAccepts()
  }
}
