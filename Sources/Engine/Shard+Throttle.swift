import Memory

/// What happens when more comes by datagram than there is time to answer: it goes at the expense of those who send most,
/// and others do not wait behind them.
extension Shard where R: ~Copyable {
  /// Half of the receive buffers and more wait. Where the kernel is about to drop datagrams too, whosever they are, the
  /// oldest ones go of those clients that have most of what waits here; and so they do until no more comes than can be
  /// answered, that others do not wait in the kernel. Who goes on like that is limited there, and more if that is not
  /// enough: who is known to flood is not let go as far again, but others are.
  @inline(never) mutating func shed() {
    if !isOverrun { isOverrun = fabric.settings.listeners.indices.contains { ring.isFilling($0) } }
    if isOverrun || !throttle.isEmpty, throttle.isSettled(now), leaving == nil, let flooder = backlog.flooder {
      let client = Peer(address: ring.sender(of: flooder), local: scratch.bytes.slice(0, 0))
      if isOverrun || throttle.limits(client.host) { limit(client) }
    }
    guard isOverrun else { return }
    var buffer = backlog.cut(to: backlog.capacity / 2)
    while buffer >= 0 {
      let next = backlog.next(after: buffer)
      counters.add(.droppedBacklog)
      giveBack(buffer)
      buffer = next
    }
  }

  private mutating func limit(_ client: Peer) {
    if throttle.isEmpty { logFlood(client) }
    throttle.limit(client.host, at: now)
    applyLimits()
  }

  /// There is time for all that waits.
  mutating func relax() {
    isOverrun = false
    if throttle.relax(now) { applyLimits() }
  }

  /// What the shard before set, in a socket that is this one's now.
  mutating func inherit(_ limit: ClientLimit) {
    guard leaving == nil else { return liftLimits() }
    throttle.inherit(limit, at: now)
    applyLimits()
  }

  /// Before the shard ends: nobody would.
  mutating func liftLimits() {
    throttle = Throttle()
    applyLimits()
  }

  private mutating func applyLimits() {
    for listener in fabric.settings.listeners.indices { ring.limit(throttle.limits, on: listener) }
    counters.set(.throttled, throttle.limits.count)
    if !throttle.isEmpty { tickAt = min(tickAt, now &+ Throttle.relief) }
  }
}
