import Glibc
import Memory

/// What the live rings of all shards need of each other, to wake each other, and the control thread's eventfd.
public final class RingDirectory: Sendable {
  private let memory: Region
  private let shards: Int
  public let events: EventSignal
  private let signals: [EventSignal]

  public init(shards: Int, events: EventSignal) {
    self.shards = shards
    memory = Region(size: shards * 8)
    self.events = events
    signals = (0..<shards).map { _ in EventSignal() }
  }

  /// Makes a shard's ring known: the descriptor of an io_uring, or nil for one that only its eventfd wakes.
  public func publish(_ ring: Int32?, shard: Int) {
    memory.bytes.storeRelease(ring.map { UInt64($0) + 2 } ?? 1, at: shard * 8)
  }

  /// Sleeps until every shard has published its ring. Ends with the process if one cannot have any.
  public func waitForAll() {
    for shard in 0..<shards {
      while memory.bytes.loadAcquire(shard * 8) == 0 { usleep(100) }
    }
  }

  /// The io_uring of a shard, or -1 if it has none.
  public func ring(of shard: Int) -> Int32 { Int32(truncatingIfNeeded: memory.bytes.loadAcquire(shard * 8)) - 2 }

  /// Wakes a shard whatever its ring.
  public func signal(of shard: Int) -> EventSignal { signals[shard] }
}

/// What the kernel refused while a ring was set up or tried.
public struct RingError: Error, Sendable {
  /// The system call, or the operation of the ring.
  public let step: String
  /// errno
  public let code: Int32

  public init(step: String, code: Int32) {
    self.step = step
    self.code = code
  }
}
