import Memory

/// The socket of an upstream connection: what is under way on it, and how full its buffers are.
struct UpstreamLink: BitwiseCopyable {
  let handle: Int32
  let generation: UInt32
  /// What its buffers hold goes through a `TLSSession`.
  let isSecure: Bool
  /// Operations whose completion is still to come.
  var operations = 0
  /// Bytes of the input buffer that hold unread frames.
  var filled = 0
  /// The part of the output buffer that is still to be written.
  var outputStart = 0
  var outputEnd = 0
  var isWriting = false
  /// In the list of links with something to write at the end of this turn.
  var isMarked = false

  /// A frame at its largest, and its length.
  static let inputSize = 65_537 + 7 & ~7
  static let outputSize = 64 << 10
}
