import Memory

/// A message from one shard to another: a client's query for the shard that owns its name, or the reply to it for the
/// shard that holds the client's stream.
struct Letter: BitwiseCopyable {
  enum Kind: UInt8, BitwiseCopyable { case question, answer }

  var kind: Kind
  var origin: Origin

  func push(to queue: ByteQueue, _ message: Bytes) -> Bool {
    var copy = self
    return withUnsafeMutableBytes(of: &copy) {
      unsafe queue.push(Bytes(base: $0.baseAddress!, count: MemoryLayout<Letter>.size), message)
    }
  }

  static func read(_ bytes: Bytes) -> (Letter, message: Bytes) {
    var letter = Letter(kind: .question, origin: Origin())
    let size = MemoryLayout<Letter>.size
    // Letters come from `push` above, so the message holds one; a trivial type is its bytes.
    withUnsafeMutableBytes(of: &letter) { unsafe Bytes(base: $0.baseAddress!, count: size).copy(bytes.slice(0, size), at: 0) }
    return (letter, bytes.from(size))
  }
}
