import NIOCore

/// Where to listen, as Go writes it: `127.0.0.1:8080`, `[::1]:9253`, `localhost:9153`, `:9253`.
///
/// An empty host, `0.0.0.0` and `[::]` all mean every address of both families, as in Go's `net.Listen("tcp", …)`.
struct HTTPAddress {
  /// Without brackets; empty for every address.
  let host: String
  let port: Int

  /// Nil where there is no port from 0 to 65535 after the last colon. Port 0 asks the kernel for one.
  init?(_ text: String) {
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else { return nil }
    var host = text[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = host.dropFirst().dropLast()
    } else if host.contains(":") {
      return nil
    }
    self.host = ["0.0.0.0", "::"].contains(host) ? "" : String(host)
    self.port = Int(port)
  }

  /// Where the process itself finds it; nil: it has no such name.
  var own: SocketAddress? {
    try? .makeAddressResolvingHost(host.isEmpty ? "127.0.0.1" : host, port: port)
  }

  /// To try in this order: a kernel without IPv6 refuses the first one of a wildcard.
  func candidates() throws -> [SocketAddress] {
    if !host.isEmpty { return [try .makeAddressResolvingHost(host, port: port)] }
    return try [SocketAddress(ipAddress: "::", port: port), SocketAddress(ipAddress: "0.0.0.0", port: port)]
  }
}
