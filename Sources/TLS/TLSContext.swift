import CTLS

/// How one directive reaches servers over TLS: whose certificates it trusts, and which one it shows. TLS 1.2 or later; an
/// upstream's certificate and name are verified, always (RFC 8310 §5, strict).
///
/// OpenSSL counts references to what is behind the pointer by itself, and locks it: threads may share it once it is made.
@safe public final class TLSContext: @unchecked Sendable {
  /// What is wrong with a file, as OpenSSL says it.
  public struct Malformed: Error, Sendable {
    public enum Part: Sendable { case authorities, certificate, key }
    public let part: Part
    public let reason: String
  }

  let context: OpaquePointer

  /// For DNS. All three are texts in PEM; a certificate comes with its key. Ends the process without memory, as at any
  /// start.
  public convenience init(authorities: [UInt8], identity: (certificate: [UInt8], key: [UInt8])?) throws(Malformed) {
    try self.init(isDNS: true, authorities: authorities)
    guard let identity else { return }
    if unsafe ctls_certify(context, identity.certificate, identity.certificate.count) != 0 {
      throw Self.malformed(.certificate)
    }
    if unsafe ctls_sign(context, identity.key, identity.key.count) != 0 { throw Self.malformed(.key) }
  }

  /// For another protocol. Without authorities whoever answers is believed.
  public convenience init(authorities: [UInt8]?) throws(Malformed) {
    try self.init(isDNS: false, authorities: authorities)
  }

  private init(isDNS: Bool, authorities: [UInt8]?) throws(Malformed) {
    guard let new = unsafe ctls_context_new(isDNS ? 1 : 0, authorities == nil ? 0 : 1) else {
      fatalError("no memory for TLS; raise the memory limit")
    }
    unsafe context = new
    guard let authorities else { return }
    if unsafe ctls_trust(context, authorities, authorities.count) <= 0 { throw Self.malformed(.authorities) }
  }

  deinit { unsafe ctls_context_free(context) }

  private static func malformed(_ part: Malformed.Part) -> Malformed {
    // The text is OpenSSL's own and stays.
    Malformed(part: part, reason: unsafe String(cString: ctls_reason()))
  }
}
