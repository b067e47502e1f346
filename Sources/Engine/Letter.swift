import Memory

/// A message from one shard to another: a client's query for the shard that owns its name, or the reply to it for the
/// shard that holds the client's stream. To the shard of the next fabric: a client's stream, its descriptor in place of
/// its slot, with what was read of it; or what is known of an upstream, its number in place of the listener's; or the
/// limit of a client.
struct Letter: BitwiseCopyable {
  enum Kind: UInt8, BitwiseCopyable { case question, answer, stream, upstream, limit }

  var kind: Kind
  var origin: Origin

  static func read(_ bytes: Bytes) -> (Letter, message: Bytes) {
    (bytes.load(Letter.self, at: 0), bytes.from(MemoryLayout<Letter>.size))
  }
}
