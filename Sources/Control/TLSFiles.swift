import Corefile
import Glibc
import TLS

extension TLSContext {
  /// With the files that a `forward` names, or the system's authorities.
  convenience init(_ forward: ForwardDirective) throws(CompileError) {
    let files = forward.tls
    let location = files?.location ?? forward.location
    func fault(_ file: String, _ what: String) -> CompileError {
      CompileError(location: location, message: "forward: tls: \(file): \(what)")
    }
    func read(_ path: String, _ expected: String) throws(CompileError) -> [UInt8] {
      do { return try TextFile.bytes(path, limit: 1 << 20) } catch {
        throw fault(path, "\(error); expected \(expected) in PEM")
      }
    }
    let authorities = files?.authorities ?? Self.systemAuthorities
    let trusted = try read(
      authorities, files?.authorities == nil ? "the system's authorities (package ca-certificates)" : "certificates")
    var identity: (certificate: [UInt8], key: [UInt8])?
    if let files, let certificate = files.certificate, let key = files.key {
      identity = (try read(certificate, "a certificate"), try read(key, "a private key"))
    }
    do {
      try self.init(authorities: trusted, identity: identity)
    } catch {
      switch error.part {
      case .authorities: throw fault(authorities, "\(error.reason); expected certificates in PEM")
      case .certificate:
        throw fault(files?.certificate ?? "", "\(error.reason); expected a certificate in PEM, then those above it")
      case .key:
        throw fault(
          files?.key ?? "", "\(error.reason); expected the certificate's private key in PEM, without a passphrase")
      }
    }
  }

  /// Where Debian, and the image, keep them; SSL_CERT_FILE names another file, as for Go and OpenSSL.
  static var systemAuthorities: String {
    // getenv's string is copied before anything could change the environment; Ringlet never calls setenv.
    unsafe getenv("SSL_CERT_FILE").map { unsafe String(cString: $0) } ?? "/etc/ssl/certs/ca-certificates.crt"
  }
}

extension ServerName {
  /// The target's own, the forward's `tls_servername`, or the target's address.
  init(of target: ForwardTarget, _ forward: ForwardDirective) throws(CompileError) {
    guard let name = target.serverName ?? forward.tlsServerName else {
      self.init(address: Self.text(target.endpoint.address))
      return
    }
    if let address = IPAddress(name) {
      self.init(address: Self.text(address))
    } else if let zone = ZoneName(name), zone != .root {
      self.init(host: String(zone.text.dropLast()))
    } else {
      throw CompileError(
        location: forward.location,
        message: "forward: tls_servername: '\(name)' is no host name; expected one, or an IP")
    }
  }

  /// Without the interface that it is reached by.
  private static func text(_ address: IPAddress) -> String { "\(IPAddress(bytes: address.bytes))" }
}
