/// An address and a port to send to.
public struct Endpoint: Hashable, Sendable, CustomStringConvertible {
  public var address: IPAddress
  public var port: UInt16

  public init(address: IPAddress, port: UInt16) {
    self.address = address
    self.port = port
  }

  /// `IP`, `IP:port`, `[v6]`, `[v6]:port`
  public init?(_ text: String, defaultPort: UInt16) {
    guard let (host, port) = hostAndPort(text), let address = IPAddress(host) else { return nil }
    self.init(address: address, port: port ?? defaultPort)
  }

  /// `10.0.0.10:53`, `[2001:db8::1]:53`
  public var description: String { address.isIPv4 ? "\(address):\(port)" : "[\(address)]:\(port)" }
}

/// An address and port an HTTP endpoint listens on.
public struct ListenAddress: Hashable, Sendable, CustomStringConvertible {
  public enum Host: Hashable, Sendable {
    /// Every address of the node.
    case any
    case address(IPAddress)
    /// Resolved when the endpoint opens, such as `localhost`.
    case name(String)
  }

  public var host: Host
  /// 0 lets the kernel choose.
  public var port: UInt16

  public init(host: Host, port: UInt16) {
    self.host = host
    self.port = port
  }

  /// `host:port`, `:port`, `[v6]:port`.
  public init?(_ text: String) {
    guard let (host, port) = splitHostPort(text), let port = parsePort(port) else { return nil }
    if host.isEmpty {
      self.init(host: .any, port: port)
    } else if let address = IPAddress(host) {
      self.init(host: .address(address), port: port)
    } else if ZoneName(String(host)) != nil {
      self.init(host: .name(String(host)), port: port)
    } else {
      return nil
    }
  }

  public var description: String {
    switch host {
    case .any: ":\(port)"
    case .address(let address): Endpoint(address: address, port: port).description
    case .name(let name): "\(name):\(port)"
    }
  }
}

/// A host without its brackets, and its port if it has one; nil for a port that is none.
func hostAndPort(_ text: String) -> (host: Substring, port: UInt16?)? {
  if let (host, digits) = splitHostPort(text) { return parsePort(digits).map { (host, $0) } }
  if text.hasPrefix("["), text.hasSuffix("]") { return (text.dropFirst().dropLast(), nil) }
  return (text[...], nil)
}

/// Splits at the last colon; nil without one, or with several outside brackets.
func splitHostPort(_ text: String) -> (host: Substring, port: Substring)? {
  if text.hasPrefix("[") {
    guard let close = text.firstIndex(of: "]") else { return nil }
    let rest = text[text.index(after: close)...]
    guard rest.hasPrefix(":") else { return nil }
    return (text[text.index(after: text.startIndex)..<close], rest.dropFirst())
  }
  guard let colon = text.firstIndex(of: ":") else { return nil }
  let port = text[text.index(after: colon)...]
  if port.contains(":") || text.contains("]") { return nil }
  return (text[..<colon], port)
}

/// Digits only, at most 65535.
func parsePort(_ text: some StringProtocol) -> UInt16? {
  guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
    return nil
  }
  return UInt16(text)
}
