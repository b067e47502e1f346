import Cache
import Engine
import Epoll
import Glibc
import Sockets
import Uring

/// Starts the thread of one shard, which runs it until the shard has left; returns when its ring is there, or throws what
/// the kernel refused. It serves when it is ordered to (`Stages`).
///
/// Where io_uring is forbidden later, the shard goes on with epoll, its sockets and its cache; `report` is told. Where it
/// is forbidden now, the shard takes epoll at once, if it may.
public func startShard(
  index: Int, fabric: Fabric, listeners: Listeners, directory: RingDirectory, report: RingReport
) throws(RingError) {
  func start(_ tier: RingTier) throws(RingError) {
    try ShardStart(
      index: index, fabric: fabric, listeners: listeners, directory: directory, report: report, tier: tier
    ).launch()
  }
  let tier = report.next
  do {
    try start(tier)
    report.set(tier, shard: index)
  } catch {
    guard tier.kind == .ioUring, report.mayMove else { throw error }
    try start(RingTier(after: error))
    report.move(index, to: RingTier(after: error))
  }
}

/// What a shard's thread needs to start: the ring has to be made on the thread itself (IORING_SETUP_SINGLE_ISSUER).
private final class ShardStart: @unchecked Sendable {
  private let index: Int
  private let fabric: Fabric
  private let listeners: Listeners
  private let directory: RingDirectory
  private let report: RingReport
  private let tier: RingTier
  /// What the shard whose ring was refused has cached, for the thread to take.
  private var segment: Segment?
  /// Written by the thread before it signals, read by the starter after.
  private var failure: RingError?
  private let signal = EventSignal()

  init(
    index: Int, fabric: Fabric, listeners: Listeners, directory: RingDirectory, report: RingReport, tier: RingTier,
    segment: consuming Segment? = nil
  ) {
    self.index = index
    self.fabric = fabric
    self.listeners = listeners
    self.directory = directory
    self.report = report
    self.tier = tier
    self.segment = consume segment
  }

  /// Returns when the thread has its ring, or throws why it has none.
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
    signal.wait()
    if let failure { throw failure }
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

  /// Microseconds between looks at what the others have come to.
  private static let pause: UInt32 = 100

  private func serve<R: LiveRing & ~Copyable>(on: R.Type) throws(RingError) {
    let ring = try R(index: index, listeners: listeners, settings: fabric.settings, directory: directory)
    signal.signal()
    guard let segment = segment.take() ?? ownSegment() else { return }
    var shard = Shard(index: index, fabric: fabric, ring: ring, segment: segment)
    while !shard.hasEnded, shard.refusal == 0 { shard.turn() }
    let refusal = RingError(step: "io_uring_enter", code: shard.refusal)
    let movesOn = refusal.code != 0 && fabric.stages.ordered == .serve
    let kept = shard.surrender(isLast: !movesOn)
    if movesOn { return moveOn(from: refusal, kept) }
    fabric.stages.report(.ended, of: index)
    // Its ring's number may be another's once it is closed, and the others still wake it.
    while !fabric.stages.have(.ended) { usleep(Self.pause) }
  }

  /// Waits for the order to serve, and until all shards of this fabric can; nil if the order is to end.
  private func ownSegment() -> Segment? {
    let stages = fabric.stages
    // A shard that is served before the others have a ring could not wake them for what it sends them.
    while stages.ordered != .end, !directory.isComplete || stages.ordered == .wait { usleep(Self.pause) }
    if stages.ordered == .end { return nil }
    fabric.adopt(index)
    stages.report(.ready, of: index)
    while !stages.have(.ready) { usleep(Self.pause) }
    return fabric.cache(index)
  }

  /// Another thread serves in this one's place, for what the kernel keeps of a ring it does not let go before the thread
  /// ends.
  private func moveOn(from refusal: RingError, _ segment: consuming Segment) {
    let tier = RingTier(after: refusal)
    let next = ShardStart(
      index: index, fabric: fabric, listeners: listeners, directory: directory, report: report, tier: tier,
      segment: consume segment)
    do {
      try next.launch()
      report.move(index, to: tier)
    } catch {
      report.stop(error, shard: index)
    }
  }
}
