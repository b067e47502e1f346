import Memory
import Upstream
import Wire

/// What time alone does to connections and to the questions on them.
extension Shard where R: ~Copyable {
  mutating func check(_ connection: Int) {
    let c = pool.connections[connection]
    switch c.state {
    case .closing: return
    case .connecting:
      if now &- c.openedAt >= connectLimit(c.upstream) { lose(connection, failed: true) }
      return
    case .open, .draining: break
    }
    if c.transport == .tcp, c.isOwing, now &- c.progressAt >= Pool.Limits.tcpAttempt {
      // Nothing at all came for as long as one answer may take: it is dead, whatever TCP thinks; or it is a serial
      // server's, and stands at its oldest question.
      pool.suspectOldest(on: connection, questions: &questions)
      return lose(connection, failed: c.asked.count > 0)
    }
    if c.asked.count > 0 { hasten(connection) }
    if now >= c.retiresAt { pool.retire(connection) }
    let left = pool.connections[connection]
    if left.asked.count == 0,
      left.owed == 0 && left.state == .draining || now &- left.progressAt >= idleLimit(c.upstream)
    {
      lose(connection, failed: false)
    }
  }

  /// Nanoseconds that a connect may take: longer with each that failed, unless another upstream is there to be asked.
  private mutating func connectLimit(_ upstream: Int) -> UInt64 {
    let isAlone = tables.forwards[tables.forwardOfUpstream[upstream]].upstreams.count == 1
    return Pool.Limits.connect << UInt64(isAlone ? min(pool.upstream(upstream).failures, 2) : 0)
  }

  /// Nanoseconds a connection may be idle: `expire` of the forward that the upstream belongs to.
  private mutating func idleLimit(_ upstream: Int) -> UInt64 {
    tables.forwards[tables.forwardOfUpstream[upstream]].expire
  }

  /// Asks elsewhere what has been on a connection for too long: whatever stands on one that is silent, what another
  /// upstream may know, and, of what is merely slow, as much as is paid for.
  private mutating func hasten(_ connection: Int) {
    let c = pool.connections[connection]
    let state = pool.upstream(c.upstream)
    let isSilent = c.transport == .tcp && now &- c.progressAt >= state.patience
    if isSilent {
      pool.suspectOldest(on: connection, questions: &questions)
      pool.retire(connection)
    }
    var next = pool.oldest(on: connection)
    while let question = next, now &- questions[question].askedAt >= state.hedgeDelay {
      next = pool.next(after: question)
      let age = now &- questions[question].askedAt
      if age >= limit(question, state) || isSilent && !(questions[question].isSuspect && questions[question].sends > 1)
      {
        if pool.fail(c.upstream, since: questions[question].askedAt, now: now) { down(c.upstream) }
        askAgain(question)
      } else if !questions[question].isHedged, questions[question].sends < Pool.Limits.sends,
        hedgeCredit >= ShardLimits.hedgePrice
      {
        questions[question].isHedged = true
        if ask(question, besides: connection) {
          hedgeCredit &-= ShardLimits.hedgePrice
          counters.add(.hedged)
        }
      }
    }
  }

  /// Nanoseconds that one send of a question may take.
  private mutating func limit(_ question: Int, _ state: UpstreamState) -> UInt64 {
    if hasOther(question) { return Pool.Limits.next }
    if questions[question].carrier == .tcp { return Pool.Limits.tcpAttempt }
    return questions[question].sends <= 1 ? state.patience : Pool.Limits.udpAttempt
  }

  /// Asks once more what was not answered; the last answer to come is as good as the first. With no sends left, it
  /// waits on; with no upstream left, it fails.
  private mutating func askAgain(_ question: Int) {
    let forward = questions[question].forward
    if pool.downCount > 0, areAllDown(forward) { return giveUp(question, .upstreamTimeout) }
    guard questions[question].sends < tables.forwards[forward].sends else { return }
    _ = ask(question, besides: questions[question].connection)
  }
}
