import Synchronization

/// What the directives of all chains have counted, by series: one for a process, so that counts outlive a reload.
public final class ChainCounts: Sendable {
  public enum Metric: Sendable { case templateMatches, templateFailures, recordFailures, translated }

  /// As many as listeners, zones and templates allow: no label is the client's to choose.
  public struct Series: Hashable, Sendable {
    public let metric: Metric
    /// A listener's label.
    public let server: String
    /// The other labels.
    public let labels: [String: String]
  }

  private let counts = Mutex<[Series: UInt64]>([:])

  public init() {}

  func add(_ metric: Metric, server: String, labels: [String: String] = [:]) {
    counts.withLock { $0[Series(metric: metric, server: server, labels: labels), default: 0] += 1 }
  }

  public var all: [Series: UInt64] { counts.withLock { $0 } }
}
