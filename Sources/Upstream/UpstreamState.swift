/// An upstream server: what the engine knows of its health and speed.
public struct UpstreamState: BitwiseCopyable, Sendable {
  /// Connections by transport, those that take questions.
  public internal(set) var tcp = 0
  public internal(set) var udp = 0
  /// Exchanges and connects that failed since it last said anything, each begun after the one before had failed.
  public internal(set) var failures: UInt32 = 0
  /// More of them make it down; 0: nothing does.
  let maxFailures: UInt32
  /// It is asked only to see whether it is back, or where all others are down too.
  public internal(set) var isDown = false
  /// Nanoseconds: the last failure; the last thing it said; with failures, when it may be connected to again.
  var failedAt: UInt64 = 0
  var saidAt: UInt64 = 0
  public internal(set) var retryAt: UInt64 = 0
  /// Nanoseconds: the oldest probe whose outcome is not known, or 0; and when the next is due.
  public internal(set) var probedAt: UInt64 = 0
  public internal(set) var nextProbeAt: UInt64 = 0
  /// Nanoseconds: until then it is asked without an OPT, which it did not understand (RFC 6891 §6.2.2).
  public internal(set) var plainUntil: UInt64 = 0
  /// Nanoseconds: about 19 of 20 answers came within it. Long, until enough have come.
  var latency = Pool.Limits.longestHedge

  init(maxFailures: UInt32) { self.maxFailures = maxFailures }

  /// Nanoseconds without an answer after which a question is asked elsewhere too, if that may be afforded.
  public var hedgeDelay: UInt64 {
    max(Pool.Limits.shortestHedge, min(latency, Pool.Limits.longestHedge))
  }

  /// Nanoseconds of silence after which what it was asked is asked elsewhere.
  public var patience: UInt64 { max(Pool.Limits.patience, 3 &* hedgeDelay) }

  /// One answer's time moves the estimate by an eighth up or by 1/152 down, so that it rests where 19 fall below for
  /// one above.
  mutating func measure(_ duration: UInt64) {
    if duration > latency {
      latency &+= latency / 8 &+ 1
    } else {
      latency &-= latency / 152
    }
  }
}
