import Memory

/// A connection to an upstream, as far as it can be known without touching a socket.
public struct Connection: BitwiseCopyable, Sendable {
  public enum State: UInt8, Sendable, BitwiseCopyable {
    case connecting, open
    /// Takes no more questions; closes when those it has are settled.
    case draining
    /// Its last operations are being waited for.
    case closing
  }

  public let upstream: Int
  public let transport: Transport
  public var state: State
  /// Questions sent here and not settled, oldest first.
  public internal(set) var asked = IndexList()
  /// Nanoseconds: when it was opened, and when it last brought anything or had nothing to bring.
  public let openedAt: UInt64
  public var progressAt: UInt64
  /// It brought something, ever.
  public internal(set) var hasAnswered = false
  /// Of the questions asked, those that have held up a connection before.
  var suspects = 0
  /// Questions sent here so far.
  public internal(set) var uses = 0
  var nextID: UInt16
  /// Datagrams that answered nothing that was asked here.
  var mismatches: UInt8 = 0
  /// Somebody guesses at its ids.
  public var isMistrusted: Bool { mismatches >= Pool.Limits.mismatches }
}

/// An upstream server: what the engine knows of its health.
public struct UpstreamState: BitwiseCopyable, Sendable {
  /// Connections by transport, those that take questions.
  public internal(set) var tcp = 0
  public internal(set) var udp = 0
  /// The last attempt to connect, or the last connection, failed.
  public internal(set) var failing = false
  /// Nanoseconds: not to be connected to before.
  public internal(set) var retryAt: UInt64 = 0
  /// Nanoseconds: until then it is asked without an OPT, which it did not understand (RFC 6891 §6.2.2).
  public internal(set) var plainUntil: UInt64 = 0
  public init() {}
}
