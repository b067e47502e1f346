import Memory

/// One shard's way to an upstream that is asked over TLS (RFC 7858). It keeps what sessions are resumed with.
public protocol TLSClient: AnyObject {
  /// For a connection that was just made; nil: no memory.
  func session() -> (any TLSSession)?
}

/// TLS on one connection: ciphertext in and out of its own memory, which stays where it is; plaintext in and out of the
/// shard's. It does no I/O.
public protocol TLSSession: AnyObject {
  /// Where the next ciphertext goes.
  var input: Bytes { get }
  /// So many octets of it came. What `shakeHands` and `decrypt` leave of them when they are pending is nothing.
  func received(_ count: Int)
  /// Ciphertext to be written.
  var output: Bytes { get }
  /// So many octets of it were.
  func sent(_ count: Int)

  func shakeHands() -> TLSHandshake
  /// Plaintext, into at least one octet of room.
  func decrypt(into plaintext: Bytes) -> TLSPlaintext
  /// Takes some of at least one octet of plaintext to the output, and says how much; 0: the output has to be sent first;
  /// nil: it failed.
  func encrypt(_ plaintext: Bytes) -> Int?
  /// Says in the output that no more will come (close_notify).
  func close()
  /// Why it failed; empty: it has not.
  var failure: String { get }
}

public enum TLSHandshake: Sendable {
  case done(isResumed: Bool)
  case pending, failed
}

public enum TLSPlaintext: Sendable {
  /// So many.
  case octets(Int)
  case pending
  /// The other end said that no more will come.
  case closed
  case failed
}
