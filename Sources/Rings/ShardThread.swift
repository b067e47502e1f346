import Cache
import Engine
import Epoll
import Glibc
import Sockets
import Synchronization
import Uring

/// Starts the thread of one shard, which runs it until the process ends; returns when its ring is there, or throws what
/// the kernel refused.
///
/// Where io_uring is forbidden later, the shard goes on with epoll, its sockets and its cache; `report` is told.
public func startShard(
  index: Int, fabric: Fabric, listeners: Listeners, directory: RingDirectory, report: RingReport, tier: RingTier
) throws(RingError) {
  let start = ShardStart(
    index: index, fabric: fabric, listeners: listeners, directory: directory, report: report, tier: tier,
    segment: fabric.newSegment(index))
  try start.launch()
  if let error = start.wait() { throw error }
}

/// Which ring each shard runs on.
public final class RingReport: Sendable {
  private let tiers: Mutex<[Int: RingTier]>
  private let moved: @Sendable (_ shard: Int, RingTier) -> Void
  private let stopped: @Sendable (_ shard: Int, RingError) -> Void

  /// `moved` is called on the thread of a shard that has taken another ring, `stopped` where it found none: its part of
  /// the clients is not served any more.
  public init(
    moved: @escaping @Sendable (_ shard: Int, RingTier) -> Void,
    stopped: @escaping @Sendable (_ shard: Int, RingError) -> Void
  ) {
    tiers = Mutex([:])
    self.moved = moved
    self.stopped = stopped
  }

  /// Those in use.
  public var inUse: Set<RingTier> { tiers.withLock { Set($0.values) } }

  func set(_ tier: RingTier, shard: Int) {
    let isFirst = tiers.withLock { $0.updateValue(tier, forKey: shard) } == nil
    if !isFirst { moved(shard, tier) }
  }

  func stop(_ error: RingError, shard: Int) { stopped(shard, error) }
}

/// What a shard's thread needs to start: the ring has to be made on the thread itself (IORING_SETUP_SINGLE_ISSUER).
private final class ShardStart: @unchecked Sendable {
  private let index: Int
  private let fabric: Fabric
  private let listeners: Listeners
  private let directory: RingDirectory
  private let report: RingReport
  private let tier: RingTier
  /// Taken by the thread.
  private var segment: Segment?
  /// Written by the thread before it signals, read by the starter after.
  private var failure: RingError?
  private let signal = EventSignal()

  init(
    index: Int, fabric: Fabric, listeners: Listeners, directory: RingDirectory, report: RingReport, tier: RingTier,
    segment: consuming Segment
  ) {
    self.index = index
    self.fabric = fabric
    self.listeners = listeners
    self.directory = directory
    self.report = report
    self.tier = tier
    self.segment = consume segment
  }

  func launch() throws(RingError) {
    var thread = pthread_t()
    // The thread takes over the reference that is made for it.
    let reference = unsafe Unmanaged.passRetained(self)
    let code = unsafe pthread_create(
      &thread, nil,
      { raw in
        unsafe Unmanaged<ShardStart>.fromOpaque(raw!).takeRetainedValue().run()
        return nil
      }, reference.toOpaque())
    guard code == 0 else {
      unsafe reference.release()
      throw RingError(step: "pthread_create", code: code)
    }
    pthread_detach(thread)
  }

  /// Waits for the thread's ring: nil, or why there is none.
  func wait() -> RingError? {
    signal.wait()
    return failure
  }

  private func run() {
    do {
      switch tier.kind {
      case .ioUring: try serve(on: UringRing.self)
      case .epoll: try serve(on: EpollRing.self)
      }
    } catch {
      failure = error
      signal.signal()
    }
  }

  /// Returns only if the ring is refused: then another thread serves in this one's place, for what the kernel keeps of
  /// a ring it does not let go before the thread ends.
  private func serve<R: LiveRing & ~Copyable>(on: R.Type) throws(RingError) {
    let ring = try R(index: index, listeners: listeners, settings: fabric.settings, directory: directory)
    guard let segment = segment.take() else { return }
    report.set(tier, shard: index)
    signal.signal()
    // A shard that is served before the others have a ring could not wake them for what it sends them.
    directory.waitForAll()
    var shard = Shard(index: index, fabric: fabric, ring: ring, segment: segment)
    while shard.refusal == 0 { shard.turn() }
    let refusal = RingError(step: "io_uring_enter", code: shard.refusal)
    let next = ShardStart(
      index: index, fabric: fabric, listeners: listeners, directory: directory, report: report,
      tier: RingTier(after: refusal), segment: shard.leave())
    do throws(RingError) {
      try next.launch()
      if let error = next.wait() { throw error }
    } catch {
      report.stop(error, shard: index)
    }
  }
}
