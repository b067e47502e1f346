import Memory
import Upstream
import Wire

extension Shard where R: ~Copyable {
  /// Nanoseconds until something may be due; nil: nothing can become due by time alone.
  package mutating func timeout() -> UInt64? {
    if toWake & 1 << UInt64(index) != 0 { return 0 }
    let isWaiting =
      questions.count > 0 || streams.count > 0 || pool.connections.count > 0 || pausedReceives.count > 0
      || pausedAccepts.count > 0 || unread != 0 || leaving != nil
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

  /// Looks at every deadline.
  mutating func tick() {
    // With nothing pending but idle connections, a look now and then is enough.
    tickAt = now &+ (questions.count > 0 ? ShardLimits.tick : ShardLimits.tick * 10)
    remind()
    while let due = questions.nextDue, due.deadline <= now {
      // More clients than datagrams can be on their way at once: the rest wait a millisecond.
      guard datagrams.count &+ questions[due.index].waiters <= ShardLimits.datagrams || datagrams.count == 0 else {
        tickAt = now &+ 1_000_000
        break
      }
      counters.add(.timeouts)
      pool.expire(due.index, questions: questions)
      settle(due.index, failing: Rcode.servFail, cause: .upstreamTimeout)
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
    dispatchWaiting()
    checkStreams()
    resumeReceives()
    resumeAccepts()
  }

  private mutating func check(_ connection: Int) {
    let c = pool.connections[connection]
    switch c.state {
    case .closing: return
    case .connecting:
      if now &- c.openedAt >= Pool.Limits.connect { lose(connection, failed: true) }
    case .open, .draining:
      let attempt = c.transport == .tcp ? Pool.Limits.tcpAttempt : Pool.Limits.udpAttempt
      if c.transport == .tcp, c.asked.count > 0, now &- c.progressAt >= attempt {
        // Nothing at all came for as long as one answer may take: it is dead, whatever TCP thinks; or it is a
        // serial server's, and stands at its oldest question.
        pool.suspectOldest(on: connection, questions: &questions)
        return lose(connection, failed: true)
      }
      while let question = pool.oldest(on: connection), now &- questions[question].askedAt >= attempt {
        pool.withdraw(question, questions: &questions)
        retry(question)
      }
      // `check` reads the connection anew: a retry may have used it.
      if pool.connections[connection].asked.count == 0,
        c.state == .draining || now &- c.progressAt >= idleLimit(c.upstream)
      {
        lose(connection, failed: false)
      }
    }
  }

  /// Nanoseconds a connection may be idle: `expire` of the forward that the upstream belongs to.
  private mutating func idleLimit(_ upstream: Int) -> UInt64 {
    var forward = 0
    while forward < tables.forwards.count {
      let range = tables.forwards[forward].upstreams
      if upstream >= range.start, upstream < range.start &+ range.count { return tables.forwards[forward].expire }
      forward &+= 1
    }
    return 0
  }
}
