/// A zone and the port it is served on.
public struct ServerKey: Hashable, Sendable, CustomStringConvertible {
  public var zone: ZoneName
  /// 0 lets the kernel choose.
  public var port: UInt16

  public init(zone: ZoneName, port: UInt16) {
    self.zone = zone
    self.port = port
  }

  /// As CoreDNS writes it: `dns://example.org.:53`
  public var description: String { "dns://\(zone):\(port)" }

  /// `[dns://]zone[:port]`; a network gives one key per reverse zone.
  static func keys(_ token: Token, session: ParseSession) throws(CorefileError) -> [ServerKey] {
    let transports = ["tls://", "https://", "https3://", "quic://", "grpc://"]
    var host = Substring(token.text)
    if let transport = transports.first(where: { host.lowercased().hasPrefix($0) }) {
      throw .grammar("transport \(transport) is not served by ringlet", at: token.location)
    }
    if host.lowercased().hasPrefix("dns://") { host = host.dropFirst(6) }

    if host.hasSuffix(":") {
      throw .grammar("expecting data after last colon: \"\(token.text)\"", at: token.location)
    }
    let port = takePort(&host)
    if port == nil, let colon = host.lastIndex(of: ":"), !host.contains("/") {
      throw .grammar(
        "not a port from 0 to 65535: \"\(host[colon...].dropFirst())\" in \"\(token.text)\"", at: token.location)
    }
    let zones = try zones(host.isEmpty ? "." : String(host), at: token.location, session: session)
    guard let zones else { throw .grammar("zone is not a valid domain name: \(host)", at: token.location) }
    return zones.map { ServerKey(zone: $0, port: port ?? session.defaultPort) }
  }
}

/// Takes `:port` off the end of a zone or network; a network's length keeps its last group from reading as a port.
func takePort(_ host: inout Substring) -> UInt16? {
  guard let colon = host.lastIndex(of: ":"), let port = parsePort(host[host.index(after: colon)...]) else { return nil }
  host = host[..<colon]
  return port
}

/// The zone a text names, or the reverse zones of a network; nil where it is neither.
func zones(
  _ text: String, at location: SourceLocation, session: ParseSession
) throws(CorefileError) -> [ZoneName]? {
  let zones = reverseZones(text) ?? ZoneName(text).map { [$0] }
  try session.spend(zones: zones?.count ?? 0, at: location)
  return zones
}
