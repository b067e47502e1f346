import Sockets
import Synchronization

/// Which ring each shard runs on.
public final class RingReport: Sendable {
  private struct State {
    var tiers: [Int: RingTier] = [:]
    var next: RingTier
  }

  private let state: Mutex<State>
  let mayMove: Bool
  private let moved: @Sendable (_ shard: Int, RingTier) -> Void
  private let stopped: @Sendable (_ shard: Int, RingError) -> Void

  /// Shards start with `tier`; with another, if they cannot have that and `mayMove`. `moved` is called on the thread of a shard that has taken another ring, `stopped` where it
  /// found none: its part of the clients is not served any more.
  public init(
    _ tier: RingTier, mayMove: Bool, moved: @escaping @Sendable (_ shard: Int, RingTier) -> Void,
    stopped: @escaping @Sendable (_ shard: Int, RingError) -> Void
  ) {
    state = Mutex(State(next: tier))
    self.mayMove = mayMove
    self.moved = moved
    self.stopped = stopped
  }

  /// Those in use.
  public var inUse: Set<RingTier> { state.withLock { Set($0.tiers.values) } }

  /// What a shard is to start with: what was chosen, or what another had to take since.
  var next: RingTier { state.withLock { $0.next } }

  func set(_ tier: RingTier, shard: Int) { state.withLock { $0.tiers[shard] = tier } }

  func move(_ shard: Int, to tier: RingTier) {
    state.withLock {
      $0.tiers[shard] = tier
      $0.next = tier
    }
    moved(shard, tier)
  }

  func stop(_ error: RingError, shard: Int) { stopped(shard, error) }
}
