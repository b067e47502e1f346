import Glibc
import Histogram

/// What one thread, or all of them, sent and got.
struct Tally {
  var sent = 0
  var completed = 0
  /// Timed out.
  var lost = 0
  /// Outstanding when the run was cut short.
  var interrupted = 0
  /// Answers that came after their time was up.
  var late = 0
  /// Answers by response code (RFC 1035 §4.1.1).
  var rcodes = [Int](repeating: 0, count: 16)
  var requestBytes = 0
  var responseBytes = 0
  /// Nanoseconds, within 0.1 %.
  var latency = Histogram<UInt64>(highestTrackableValue: Tally.longest, numberOfSignificantValueDigits: .three)
  private(set) var latencies = Durations()
  /// TCP: from the first packet of a connection to its being open.
  var connections = Durations()
  /// Connections that were opened in place of one that had ended.
  var reconnections = 0
  /// Answers that were compared, and what was wrong with how many.
  var checked = 0
  var wrong = [Int](repeating: 0, count: Wrongness.allCases.count)
  /// Nanoseconds: the first instant, and the end of sending or the last answer.
  var start = UInt64.max
  var end: UInt64 = 0
  /// Nanoseconds by which sending ended after its time: an open loop that could not keep to its instants.
  var overrun: UInt64 = 0

  /// An hour: -t takes no more.
  static let longest: UInt64 = 3_600_000_000_000

  @inline(__always) mutating func answered(after nanoseconds: UInt64, rcode: Int, bytes: Int) {
    completed &+= 1
    rcodes[rcode] &+= 1
    responseBytes &+= bytes
    latency.record(min(nanoseconds, Self.longest))
    latencies.record(nanoseconds)
  }

  mutating func add(_ other: Tally) {
    sent += other.sent
    completed += other.completed
    lost += other.lost
    interrupted += other.interrupted
    late += other.late
    for code in rcodes.indices { rcodes[code] += other.rcodes[code] }
    requestBytes += other.requestBytes
    responseBytes += other.responseBytes
    latency.add(other.latency)
    latencies.add(other.latencies)
    connections.add(other.connections)
    reconnections += other.reconnections
    checked += other.checked
    for kind in wrong.indices { wrong[kind] += other.wrong[kind] }
    start = min(start, other.start)
    end = max(end, other.end)
    overrun = max(overrun, other.overrun)
  }

  var seconds: Double { end > start ? Double(end - start) / 1e9 : 0 }
  var rate: Double { seconds > 0 ? Double(completed) / seconds : 0 }
  /// Whether queries left when they should have, within a fiftieth of the run.
  var keptUp: Bool { Double(overrun) / 1e9 < max(0.01, seconds / 50) }

  /// Nanoseconds; 0 without an answer. No more than the longest there was, which the histogram would round up.
  func percentile(_ percent: Double) -> UInt64 {
    completed > 0 ? min(latency.valueAtPercentile(percent), latencies.max) : 0
  }

  var wrongAnswers: Int { wrong.reduce(0, +) }

  /// Of what was sent, the part that was neither answered nor cut short.
  var unanswered: Double { sent > interrupted ? Double(lost) / Double(sent - interrupted) : 0 }
}
