import Synchronization

/// What the directives of a chain have counted, by series.
public final class ChainCounts: Sendable {
  public enum Metric: String, Sendable {
    case templateMatches = "coredns_template_matches_total"
    case recordFailures = "coredns_template_rr_failures_total"
    case translated = "coredns_dns64_requests_translated_total"
  }

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
