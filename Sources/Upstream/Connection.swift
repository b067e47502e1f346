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
  /// Answers of a stream that nobody waits for here any more: their questions went elsewhere, or were given up.
  public internal(set) var owed = 0
  /// Nanoseconds: when its connect began, or its TLS, or when it was open; when it last brought anything or had nothing to
  /// bring; and when it is too old for more questions.
  public internal(set) var openedAt: UInt64
  public var progressAt: UInt64
  public let retiresAt: UInt64
  /// It brought something, ever.
  public internal(set) var hasAnswered = false
  /// Of the questions asked, those that have held up a connection before.
  var suspects = 0
  /// Ids used up here so far.
  public internal(set) var uses = 0
  var nextID: UInt16
  /// Datagrams that answered nothing that was asked here.
  var mismatches: UInt8 = 0

  /// The upstream has something to say here.
  public var isOwing: Bool { asked.count &+ owed > 0 }
  /// Somebody guesses at its ids.
  public var isMistrusted: Bool { mismatches >= Pool.Limits.mismatches }
}
