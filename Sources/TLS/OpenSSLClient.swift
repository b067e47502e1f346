import CTLS
import Engine
import Memory

/// Whom an upstream's certificate must be for.
public struct ServerName: Sendable {
  let text: String
  let isAddress: Bool

  /// A host name of at most 255 octets, without its last dot, which is sent to the upstream too (RFC 6066 §3).
  public init(host: String) { (text, isAddress) = (host, false) }
  /// An IPv4 or IPv6 address.
  public init(address: String) { (text, isAddress) = (address, true) }
}

/// A shard's tickets for one upstream. Only the thread that made it uses it, and no session outlives it.
@safe public final class OpenSSLClient: TLSClient {
  private let context: TLSContext
  private let client: OpaquePointer

  public init(_ context: TLSContext, _ name: ServerName) {
    self.context = context
    guard let new = unsafe ctls_client_new(context.context, name.text, name.isAddress ? 1 : 0) else {
      fatalError("no memory for TLS; raise the memory limit")
    }
    unsafe client = new
  }

  deinit { unsafe ctls_client_free(client) }

  public func session() -> (any TLSSession)? {
    unsafe ctls_session_new(client).map { unsafe OpenSSLSession($0, of: self) }
  }
}

/// A session lives in C from `init` to `deinit`, with its buffers; only the thread that made it touches it.
@safe final class OpenSSLSession: TLSSession {
  private let session: OpaquePointer
  /// What C's session points to.
  private let client: OpenSSLClient

  fileprivate init(_ session: OpaquePointer, of client: OpenSSLClient) {
    unsafe self.session = unsafe session
    self.client = client
  }

  deinit { unsafe ctls_session_free(session) }

  // The buffers are part of the session.
  var input: Bytes { unsafe Bytes(base: ctls_input(session), count: CTLS_INPUT) }

  func received(_ count: Int) { unsafe ctls_received(session, count) }

  var output: Bytes {
    var count = 0
    let start = unsafe ctls_output(session, &count)
    // Nobody writes through it.
    return unsafe Bytes(base: UnsafeMutableRawPointer(mutating: start), count: count)
  }

  func sent(_ count: Int) { unsafe ctls_sent(session, count) }

  func shakeHands() -> TLSHandshake {
    switch Int(unsafe ctls_handshake(session)) {
    case CTLS_FULL: .done(isResumed: false)
    case CTLS_RESUMED: .done(isResumed: true)
    case CTLS_PENDING: .pending
    default: .failed
    }
  }

  func decrypt(into plaintext: Bytes) -> TLSPlaintext {
    let count = unsafe ctls_read(session, plaintext.address, plaintext.count)
    return switch count {
    case 1...: .octets(count)
    case CTLS_PENDING: .pending
    case CTLS_CLOSED: .closed
    default: .failed
    }
  }

  func encrypt(_ plaintext: Bytes) -> Int? {
    let count = unsafe ctls_write(session, plaintext.address, plaintext.count)
    return count > 0 ? count : count == CTLS_PENDING ? 0 : nil
  }

  func close() { unsafe ctls_close(session) }

  var failure: String { unsafe String(cString: ctls_failure(session)) }
}
