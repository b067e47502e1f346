import Glibc
import Memory
import Synchronization

/// What the live rings of all shards need of each other, to wake each other, and the control thread's eventfd.
public final class RingDirectory: Sendable {
  private let memory: Region
  private let shards: Int
  public let events: EventSignal
  private let signals: [EventSignal]
  private let next = Mutex<RingDirectory?>(nil)

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

  /// Every shard has published its ring.
  public var isComplete: Bool { (0..<shards).allSatisfy { memory.bytes.loadAcquire($0 * 8) != 0 } }

  /// The rings that take over from these: numbers of shards from the count of them on are theirs.
  public var successor: RingDirectory? {
    get { next.withLock { $0 } }
    set { next.withLock { $0 = newValue } }
  }

  /// The io_uring of a shard, or -1 if it has none.
  public func ring(of shard: Int) -> Int32 {
    if shard >= shards { return successor?.ring(of: shard - shards) ?? -1 }
    return Int32(truncatingIfNeeded: memory.bytes.loadAcquire(shard * 8)) - 2
  }

  /// Wakes a shard, whatever its ring.
  public func signal(of shard: Int) -> EventSignal? {
    shard < shards ? signals[shard] : successor?.signal(of: shard - shards)
  }

  /// Wakes all shards: for new orders (`Stages`).
  public func wakeAll() {
    for signal in signals { signal.signal() }
  }
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
