import Synchronization

/// What the directives of a chain have counted, by series.
public final class ChainCounts: Sendable {
  public enum Metric: Sendable { case templateMatches, recordFailures, translated }

  public struct Series: Hashable, Sendable {
    public let metric: Metric
    /// Index of the listener, whose label is `server`.
    public let listener: Int
    /// The other labels.
    public let labels: [String: String]
  }

  private let counts = Mutex<[Series: UInt64]>([:])

  init() {}

  func add(_ metric: Metric, listener: Int, labels: [String: String] = [:]) {
    counts.withLock { $0[Series(metric: metric, listener: listener, labels: labels), default: 0] += 1 }
  }

  public var all: [Series: UInt64] { counts.withLock { $0 } }
}
