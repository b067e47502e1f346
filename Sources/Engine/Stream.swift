import Memory

/// A client's TCP connection (RFC 7766).
struct Stream: BitwiseCopyable {
  let handle: Int32
  let listener: Int
  let peer: Peer
  let generation: UInt32
  /// Nanoseconds: when it is closed if nothing happens.
  var deadline: UInt64
  /// Bytes of its input buffer that hold unread frames.
  var filled = 0
  /// Its output buffer, or -1, and the part of it that is still to be written.
  var output = -1
  var outputStart = 0
  var outputEnd = 0
  /// Queries of it that wait for an upstream.
  var outstanding = 0
  var isReading = false
  var isWriting = false
  /// The client has said its last (it may have closed only its half).
  var isFinished = false
  var isClosing = false
  /// In the list of streams with something to write or read at the end of this turn.
  var isMarked = false

  enum Limits {
    /// Streams of one shard. One more takes the place of the one whose deadline is nearest.
    static let count = 512
    /// Octets of a framed query.
    static let input = 4096
    static let output = 68 << 10
    /// No more of a stream's queries are read while this many wait, or this much is unwritten.
    static let outstanding = 32
    static let unwritten = 60 << 10
    /// Nanoseconds (spec a.6): a message begun, or the first one; idle; a write.
    static let read: UInt64 = 3_000_000_000
    static let idle: UInt64 = 10_000_000_000
    static let write: UInt64 = 5_000_000_000
  }
}
