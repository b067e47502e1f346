extension ForwardTarget {
  private static let most = 15

  /// Every target the words after FROM name, resolv.conf files read.
  static func targets(_ line: Line, session: ParseSession) throws(CorefileError) -> [ForwardTarget] {
    var targets: [ForwardTarget] = []
    for token in line.words[2...] {
      targets += try expand(token, line, session: session)
      if targets.count > most {
        throw line.failure("more than \(most) TOs configured: \(targets.count)", at: token)
      }
    }
    if targets.isEmpty { throw line.failure("no nameservers found") }
    return targets
  }

  private static func expand(
    _ token: Token, _ line: Line, session: ParseSession
  ) throws(CorefileError) -> [ForwardTarget] {
    var transport = Transport.dns
    var host = token.text
    for scheme in ["dns", "tls", "https", "https3", "quic", "grpc", "unix"] {
      guard host.lowercased().hasPrefix("\(scheme)://") else { continue }
      host = String(host.dropFirst(scheme.count + 3))
      guard let wanted = Transport(rawValue: scheme) else {
        throw line.failure(
          "'\(scheme)' is not supported as a destination protocol in forward: \(token.text)", at: token)
      }
      transport = wanted
      break
    }
    if host.isEmpty { throw line.failure("invalid address: \"\(token.text)\"", at: token) }
    if let target = ForwardTarget(host, transport: transport) {
      if target.endpoint.port == 0 { throw line.failure("invalid address: \"\(token.text)\"", at: token) }
      return [target]
    }
    guard transport == .dns, let bytes = session.environment.contents(host) else {
      throw line.failure("not an IP address or file: \"\(token.text)\"", at: token)
    }
    try session.spend(sourceBytes: bytes.count, at: token.location)
    return nameservers(bytes).map {
      ForwardTarget(transport: .dns, endpoint: Endpoint(address: $0, port: 53), serverName: nil)
    }
  }

  /// `IP`, `IP:port`, `[v6]`, `[v6]:port`, each with `%scope` or `%servername` after the address.
  private init?(_ text: String, transport: Transport) {
    guard let (whole, port) = hostAndPort(text) else { return nil }
    var host = whole
    var serverName: String?
    if transport == .tls, let percent = host.lastIndex(of: "%") {
      let name = String(host[host.index(after: percent)...])
      guard ZoneName(name) != nil else { return nil }
      serverName = name
      host = host[..<percent]
      if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
    }
    guard let address = IPAddress(host) else { return nil }
    let endpoint = Endpoint(address: address, port: port ?? (transport == .tls ? 853 : 53))
    self.init(transport: transport, endpoint: endpoint, serverName: serverName)
  }

  /// The addresses of a resolv.conf, in order (resolv.conf(5)); what is not an address is passed over, as glibc does.
  private static func nameservers(_ bytes: [UInt8]) -> [IPAddress] {
    var addresses: [IPAddress] = []
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      let words = line.split(maxSplits: 2) { " \t\r".utf8.contains($0) }
      guard words.count > 1, words[0].elementsEqual("nameserver".utf8) else { continue }
      if let address = IPAddress(String(decoding: words[1], as: UTF8.self)) { addresses.append(address) }
    }
    return addresses
  }
}
