/// Count, mean, spread and extremes of durations, in nanoseconds.
struct Durations {
  private(set) var count = 0
  private(set) var max: UInt64 = 0
  private var least = UInt64.max
  private var sum = 0.0
  private var squares = 0.0

  @inline(__always) mutating func record(_ nanoseconds: UInt64) {
    count &+= 1
    least = Swift.min(least, nanoseconds)
    max = Swift.max(max, nanoseconds)
    let value = Double(nanoseconds)
    sum += value
    squares += value * value
  }

  mutating func add(_ other: Durations) {
    count += other.count
    least = Swift.min(least, other.least)
    max = Swift.max(max, other.max)
    sum += other.sum
    squares += other.squares
  }

  /// 0 if there are none, as the others.
  var min: UInt64 { count > 0 ? least : 0 }
  var mean: Double { count > 0 ? sum / Double(count) : 0 }

  /// Of the sample, as dnsperf's.
  var deviation: Double {
    guard count > 1 else { return 0 }
    return Swift.max(0, (squares - sum * sum / Double(count)) / Double(count - 1)).squareRoot()
  }
}
