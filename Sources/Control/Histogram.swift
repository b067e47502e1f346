/// Counts by size, as a classic Prometheus histogram shows them.
public struct Histogram: Sendable, Equatable {
  /// Inclusive upper bounds, rising. What lies above the last one is in the bucket `+Inf`.
  public let bounds: [Double]
  /// Observations in each bucket alone (not cumulative); one more than `bounds`, the last is `+Inf`.
  public var counts: [UInt64]
  public var sum: Double

  /// One count for each bound, and one for `+Inf`.
  public init(bounds: [Double], counts: [UInt64], sum: Double) {
    precondition(counts.count == bounds.count + 1)
    self.bounds = bounds
    self.counts = counts
    self.sum = sum
  }

  public init(bounds: [Double]) {
    self.init(bounds: bounds, counts: Array(repeating: 0, count: bounds.count + 1), sum: 0)
  }

  public mutating func observe(_ value: Double) {
    counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
    sum += value
  }

  /// CoreDNS's durations in seconds: 16 bounds from 0.00025 to 8.192, each twice the one before
  /// (plugin.TimeBuckets; `spec/drop-in.md` a.10, T).
  public static let timeBounds: [Double] = (0..<16).map { 0.00025 * Double(1 << $0) }

  /// CoreDNS's few durations in seconds: 5 bounds from 0.00025 to 2.5, each ten times the one before
  /// (plugin.SlimTimeBuckets; S).
  public static let slimTimeBounds: [Double] = [0.00025, 0.0025, 0.025, 0.25, 2.5]

  /// CoreDNS's message sizes in bytes (Z).
  public static let sizeBounds: [Double] = [
    0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16000, 32000, 48000, 64000,
  ]
}
