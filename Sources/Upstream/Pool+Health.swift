import Memory

/// Which upstreams are well: failures are counted where they happen, and anything that an upstream says ends them.
extension Pool {
  /// The connection brought something: it, and its upstream, live. True: the upstream was down.
  public mutating func progress(on connection: Int, now: UInt64) -> Bool {
    connections[connection].progressAt = now
    connections[connection].hasAnswered = true
    let upstream = connections[connection].upstream
    upstreams[upstream].saidAt = now
    guard upstreams[upstream].failures > 0 else { return false }
    upstreams[upstream].failures = 0
    upstreams[upstream].probedAt = 0
    guard upstreams[upstream].isDown else { return false }
    upstreams[upstream].isDown = false
    downCount &-= 1
    return true
  }

  /// Something that began at `since` failed: a connect, or a question that got nothing but silence. It is held against
  /// the upstream unless that said something since, or the failure was counted. True: it is down by this.
  public mutating func fail(_ upstream: Int, since: UInt64, now: UInt64) -> Bool {
    let state = upstreams[upstream]
    guard since >= state.failedAt, since >= state.saidAt else { return false }
    upstreams[upstream].failedAt = now
    upstreams[upstream].failures = min(state.failures &+ 1, 1 << 16)
    guard !state.isDown, state.maxFailures > 0, upstreams[upstream].failures > state.maxFailures else { return false }
    upstreams[upstream].isDown = true
    upstreams[upstream].nextProbeAt = now
    downCount &+= 1
    return true
  }

  /// Takes over what another pool knew of the same server, unless this one has heard from it. True: it is down.
  public mutating func inherit(_ upstream: Int, _ state: UpstreamState) -> Bool {
    guard upstreams[upstream].saidAt == 0, !upstreams[upstream].isDown else { return false }
    upstreams[upstream].latency = state.latency
    upstreams[upstream].failures = state.failures
    upstreams[upstream].failedAt = state.failedAt
    upstreams[upstream].retryAt = max(upstreams[upstream].retryAt, state.retryAt)
    let most = upstreams[upstream].maxFailures
    guard most > 0, state.failures > most else { return false }
    upstreams[upstream].isDown = true
    upstreams[upstream].nextProbeAt = state.nextProbeAt
    downCount &+= 1
    return true
  }

  /// Nanoseconds until the next connect to an upstream that failed: longer each time, different each time, and so long
  /// that all shards together make no more than four in a second.
  func pause(_ failures: UInt32, _ random: UInt64) -> UInt64 {
    let least = Limits.retryPause &* UInt64(shards)
    let pause = max(least, min(least << UInt64(min(failures, 4) &- 1), Limits.longestPause))
    return pause &+ random % (pause / 16)
  }

  /// Whether questions may be sent to it now: it does not fail, or it is time to try again.
  public func isUsable(_ upstream: Int, now: UInt64) -> Bool {
    upstreams[upstream].failures == 0 || now >= upstreams[upstream].retryAt || upstreams[upstream].tcp > 0
  }

  /// Whether an upstream that is down is to be probed now; the next time is `interval` nanoseconds from now.
  public mutating func isProbeDue(_ upstream: Int, interval: UInt64, now: UInt64, random: UInt64) -> Bool {
    guard upstreams[upstream].isDown, now >= upstreams[upstream].nextProbeAt else { return false }
    upstreams[upstream].nextProbeAt = now &+ interval &+ random % (interval / 8 &+ 1)
    return true
  }

  /// Puts a probe, a question that is nobody's, on a connection that `choose` named; returns its id there.
  public mutating func probe(on connection: Int, questions: borrowing Questions, now: UInt64, random: UInt64) -> UInt16
  {
    let upstream = connections[connection].upstream
    if upstreams[upstream].probedAt == 0 { upstreams[upstream].probedAt = now }
    let id = takeID(on: connection, question: Self.nobody, serial: 0, questions: questions, now: now, random: random)
    if connections[connection].transport == .tcp { connections[connection].owed &+= 1 }
    return id
  }

  /// Whether a probe has failed: there was none of its answer in a second, or the connection it was on is gone.
  public mutating func takeFailedProbe(_ upstream: Int, isLost: Bool, now: UInt64) -> Bool {
    let probedAt = upstreams[upstream].probedAt
    guard probedAt > 0, isLost || now &- probedAt >= Limits.probe else { return false }
    upstreams[upstream].probedAt = 0
    return true
  }
}
