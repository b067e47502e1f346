import Memory
import Upstream
import Wire

/// Answers that a forward does not take for an answer: `failover` asks its next upstream, `next` the next forward.
extension Shard where R: ~Copyable {
  /// Asks elsewhere, if the response code says so and there is an elsewhere.
  @inline(never) mutating func passOn(_ question: Int, rcode: UInt16) -> Bool {
    let bit = UInt32(1) << UInt32(rcode)
    let forward = questions[question].forward
    if tables.forwards[forward].failover & bit != 0, hasOther(question) {
      dispatch(question)
      return true
    }
    guard tables.forwards[forward].next & bit != 0, let next = nextForward(question) else { return false }
    if isFull(next) {
      counters.add(.concurrencyRejects)
      settle(question, failing: Rcode.refused, cause: .tooManyConcurrent)
    } else {
      redirect(question, to: next)
    }
    return true
  }

  /// As many questions of a forward are pending as its `max_concurrent` allows.
  mutating func isFull(_ forward: Int) -> Bool {
    tables.forwards[forward].maxConcurrent > 0
      && tables.forwards[forward].pending >= tables.forwards[forward].maxConcurrent
  }

  private mutating func nextForward(_ question: Int) -> Int? {
    let chain = tables.zones[questions[question].zone].chain
    let forward = questions[question].forward
    return tables.forward(chain, of: askedName(question), after: forward)
  }

  /// A question goes to another forward, within the same deadline.
  mutating func redirect(_ question: Int, to forward: Int) {
    // Before `restart` forgets how it stood on the connection that it may still be on.
    pool.abandon(question, questions: &questions)
    let before = tables.forwards[questions[question].forward].transport
    tables.forwards[questions[question].forward].pending &-= 1
    tables.forwards[forward].pending &+= 1
    questions.restart(question)
    questions[question].forward = forward
    switch tables.forwards[forward].transport {
    case .tcp: questions[question].carrier = .tcp
    case .udp: questions[question].carrier = .udp
    // Where clients of both kinds wait for one answer, it has to be whole.
    case .mirrored: if before != .mirrored { questions[question].carrier = .tcp }
    }
    dispatch(question)
  }
}
