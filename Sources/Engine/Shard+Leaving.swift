import Cache
import Memory
import Upstream
import Wire

/// What a shard does until it has left.
struct Leaving {
  /// Who takes over what it still has.
  let successor: Fabric
  let outbox: ByteQueue
  /// Receives and accepts that have not ended yet.
  var armed: Int
  /// An empty cache to read, from when nobody may come with a query any more.
  var nothing: SharedRegion?
}

/// How a shard gives its place to that of the next configuration (`Stages`): it takes no new queries, leaves the cache,
/// answers those who wait, and hands over the streams of clients that wait for nothing. Sockets are shared with the next
/// shard, so what has not been received here is received there.
extension Shard where R: ~Copyable {
  /// After a wake-up: perhaps it was the control thread's.
  mutating func heedOrders() {
    guard leaving == nil, fabric.stages.ordered == .leave, let successor = fabric.stages.successor else { return }
    let listeners = fabric.settings.listeners.count
    leaving = Leaving(
      successor: successor, outbox: successor.mailbox(from: shards, to: index),
      armed: 2 * listeners - pausedReceives.count - pausedAccepts.count)
    receivePauses.removeAll(from: &pausedReceives)
    acceptPauses.removeAll(from: &pausedAccepts)
    for listener in 0..<listeners {
      ring.stop(Token(.receive, index: listener), on: nil)
      ring.stop(Token(.accept, index: listener), on: nil)
    }
    for (upstream, new) in (successor.succession?.upstreams ?? []).enumerated() {
      if let new { bequeath(upstream, to: new) }
    }
    for limit in throttle.limits where !bequeath(limit) { return liftLimits() }
    throttle = Throttle()
  }

  /// The next shard need not find out again what is known of an upstream. It does, if there is no room for the letter.
  private mutating func bequeath(_ upstream: Int, to new: Int) {
    var origin = Origin()
    origin.listener = new
    let state = scratch.bytes.slice(0, MemoryLayout<UpstreamState>.size)
    state.store(pool.upstream(upstream), at: 0)
    _ = leaving!.outbox.push(Letter(kind: .upstream, origin: origin), state)
  }

  /// The limits stand in the sockets, which are the next shard's too. False: there is no room for the letter.
  private func bequeath(_ limit: ClientLimit) -> Bool {
    let text = scratch.bytes.slice(0, 4 + limit.host.count)
    text.store(limit.passing, at: 0)
    text.from(4).write(limit.host)
    return leaving!.outbox.push(Letter(kind: .limit, origin: Origin()), text)
  }

  /// At the end of each turn until the last.
  @inline(never) mutating func leave() {
    var isReading = false
    for stream in 0..<streams.capacity where streams.isTaken(stream) && !streams[stream].isClosing {
      if streams[stream].isReading {
        isReading = true
        stopReading(stream)
      } else if isQuiet(stream) {
        handOver(stream)
      }
    }
    if leaving!.armed == 0, !isReading, backlog.isEmpty, leaving!.nothing == nil { leaveCache() }
    tickAt = min(tickAt, now &+ ShardLimits.tick)
    if !leaving!.outbox.isEmpty { ring.wake(shards &+ index) }
    loseMailToEnded()
    guard leaving!.nothing != nil else { return }
    let isDone =
      questions.count == 0 && streams.count == 0 && datagrams.count == 0 && leaving!.outbox.isEmpty
      && (0..<shards).allSatisfy { $0 == index || inboxes[$0].isEmpty && outboxes[$0].isEmpty }
    fabric.stages.report(isDone ? .done : .leftCache, of: index)
    hasEnded = isDone && fabric.stages.ordered == .end
  }

  /// From here on the next shard writes what this one wrote, and may give what is there other numbers.
  private mutating func leaveCache() {
    let nothing = SharedRegion(size: fabric.layout.size)
    let reader = SegmentReader(fabric.layout, memory: nothing.bytes)
    readers = Readers((0..<shards).map { _ in reader })
    leaving!.nothing = nothing
  }

  /// A client that waits for nothing gets its next answer from the next shard.
  private mutating func handOver(_ stream: Int) {
    let s = streams[stream]
    guard let listener = leaving!.successor.succession?.listeners[s.listener] else { return closeStream(stream) }
    var origin = Origin()
    origin.listener = listener
    origin.stream = Int(ring.descriptor(of: s.handle))
    guard leaving!.outbox.push(Letter(kind: .stream, origin: origin), input(stream).slice(0, s.filled)) else { return }
    ring.abandon(s.handle)
    ring.wake(shards &+ index)
    forget(stream)
  }
}
