import CUring
import Engine
import Glibc

/// Starts the thread of one shard, which runs it on a live ring until the shard has left; returns when the ring is there,
/// or throws what the kernel refused. It serves when it is ordered to (`Stages`).
public func startShard(
  index: Int, fabric: Fabric, listeners: consuming Listeners, directory: RingDirectory
) throws(RingError) {
  let start = ShardStart(index: index, fabric: fabric, listeners: listeners, directory: directory)
  var thread = pthread_t()
  // The thread takes over the reference; it is the only one left.
  let code = unsafe pthread_create(
    &thread, nil,
    { raw in
      let start = unsafe Unmanaged<ShardStart>.fromOpaque(raw!).takeRetainedValue()
      start.run()
      return nil
    }, Unmanaged.passRetained(start).toOpaque())
  guard code == 0 else { throw RingError(step: "pthread_create", code: code) }
  pthread_detach(thread)
  if let error = start.wait() { throw error }
}

/// What a shard's thread needs to start: the ring has to be made on the thread itself (IORING_SETUP_SINGLE_ISSUER).
private final class ShardStart: @unchecked Sendable {
  let index: Int
  let fabric: Fabric
  var listeners: Listeners?
  let directory: RingDirectory
  /// Written by the thread before it signals, read by the starter after.
  private var failure: RingError?
  private let signal = EventSignal()

  /// Waits for the thread's ring: nil, or why there is none.
  func wait() -> RingError? {
    signal.wait()
    return failure
  }

  init(index: Int, fabric: Fabric, listeners: consuming Listeners, directory: RingDirectory) {
    self.index = index
    self.fabric = fabric
    self.listeners = consume listeners
    self.directory = directory
  }

  /// Microseconds between looks at what the others have come to.
  private static let pause: UInt32 = 100

  func run() {
    guard let listeners = listeners.take() else { return }
    do {
      let ring = try UringRing(
        index: index, listeners: listeners, settings: fabric.settings, directory: directory)
      signal.signal()
      // A shard that is served before the others have a ring could not wake them for what it sends them.
      let stages = fabric.stages
      while stages.ordered != .end, !directory.isComplete || stages.ordered == .wait { usleep(Self.pause) }
      if stages.ordered == .end { return }
      fabric.adopt(index)
      stages.report(.ready, of: index)
      while !stages.have(.ready) { usleep(Self.pause) }
      var shard = Shard(index: index, fabric: fabric, ring: ring)
      while !shard.hasEnded { shard.turn() }
      stages.report(.ended, of: index)
      // Its ring's number may be another's once it is closed, and the others still wake it.
      while !stages.have(.ended) { usleep(Self.pause) }
    } catch {
      failure = error
      signal.signal()
    }
  }
}
