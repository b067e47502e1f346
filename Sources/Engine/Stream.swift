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
  /// The part of its own small output buffer that is still to be written: it goes before what the large one holds.
  var smallStart = 0
  var smallEnd = 0
  /// Its large output buffer, or -1, and the part of it that is still to be written.
  var output = -1
  var outputStart = 0
  var outputEnd = 0
  /// Queries of it that wait for an upstream.
  var outstanding = 0
  /// Nanoseconds: when the last of them must have been answered.
  var answeredBy: UInt64 = 0
  var isReading = false
  /// What it reads now is the last: its shard leaves.
  var isStopped = false
  var isWriting = false
  /// The client has said its last (it may have closed only its half).
  var isFinished = false
  var isClosing = false
  /// In the list of streams with something to write at the end of this turn.
  var isMarked = false
  /// In the list of streams whose input waits to be looked at.
  var isReady = false

  var unwritten: Int { smallEnd &- smallStart &+ outputEnd &- outputStart }

  enum Limits {
    /// Streams of one shard. One more takes the place of the one whose deadline is nearest.
    static let count = 512
    /// Places for those that come while others, closed to make room, wait for their last completions: all of a burst.
    static let spare = 512
    /// Messages of one stream that are served in a row.
    static let visit = 16
    /// Octets of unwritten output that any stream may have, and streams of one shard that may have more.
    static let smallOutput = 4096
    static let outputs = 128
    /// Octets of a framed query.
    static let input = 4096
    static let output = 128 << 10
    /// No more of a stream's queries are read while this many wait, or this much is unwritten.
    static let outstanding = 32
    static let unwritten = 60 << 10
    /// Nanoseconds from a query to its answer: the budget of the shard that asks, and the mail there and back.
    static let answer: UInt64 = 5_000_000_000
  }
}
