import Memory
import Synchronization

/// How far each shard of a fabric has come, and how far it may go: one fabric leaves as the next one takes over.
///
///     orders  (control thread)   wait → serve → leave → end
///     reports (shard)            nothing → ready → left the cache → done → ended
public final class Stages: Sendable {
  public enum Order: UInt64, Sendable { case wait, serve, leave, end }

  public enum Report: UInt64, Sendable, Comparable {
    case nothing
    /// Its part of the cache is in order.
    case ready
    /// It takes no new queries, and neither reads nor writes any cache.
    case leftCache
    /// Nobody waits for it.
    case done
    case ended

    public static func < (one: Self, other: Self) -> Bool { one.rawValue < other.rawValue }
  }

  private let memory: Region
  private let shards: Int
  private let next = Mutex<Fabric?>(nil)

  init(shards: Int, isFirst: Bool) {
    memory = Region(size: (shards + 1) * 64)
    self.shards = shards
    if isFirst { order(.serve) }
  }

  /// To all shards. Who sleeps has to be woken to hear it.
  public func order(_ order: Order) { memory.bytes.storeRelease(order.rawValue, at: 0) }

  public var ordered: Order { Order(rawValue: memory.bytes.loadAcquire(0)) ?? .end }

  public func report(_ report: Report, of shard: Int) {
    memory.bytes.storeRelease(report.rawValue, at: 64 * (shard + 1))
  }

  public func report(of shard: Int) -> Report {
    Report(rawValue: memory.bytes.loadAcquire(64 * (shard + 1))) ?? .nothing
  }

  /// Whether all shards have come as far as this.
  public func have(_ report: Report) -> Bool { (0..<shards).allSatisfy { self.report(of: $0) >= report } }

  /// The fabric that takes over: set before the order to leave.
  public var successor: Fabric? {
    get { next.withLock { $0 } }
    set { next.withLock { $0 = newValue } }
  }
}
