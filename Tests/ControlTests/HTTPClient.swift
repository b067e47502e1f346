import Foundation

/// One TCP connection that sends what a test says, byte by byte if need be.
final class HTTPClient {
  private let socket: Int32

  struct Refused: Error {
    let errno: Int32
  }

  /// Connects to `address`, an IP address with a port.
  init(_ address: String) throws {
    let colon = address.lastIndex(of: ":")!
    let port = UInt16(address[address.index(after: colon)...])!
    let host = address[..<colon].filter { $0 != "[" && $0 != "]" }
    socket = Glibc.socket(host.contains(":") ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var status: Int32
    if host.contains(":") {
      var to = sockaddr_in6()
      to.sin6_family = sa_family_t(AF_INET6)
      to.sin6_port = port.bigEndian
      unsafe inet_pton(AF_INET6, host, &to.sin6_addr)
      status = unsafe withUnsafePointer(to: &to) {
        unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe connect(socket, $0, 28) }
      }
    } else {
      var to = sockaddr_in()
      to.sin_family = sa_family_t(AF_INET)
      to.sin_port = port.bigEndian
      unsafe inet_pton(AF_INET, host, &to.sin_addr)
      status = unsafe withUnsafePointer(to: &to) {
        unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe connect(socket, $0, 16) }
      }
    }
    if status != 0 { throw Refused(errno: errno) }
    var limit = timeval(tv_sec: 8, tv_usec: 0)
    unsafe setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit { close(socket) }

  /// False where the peer has closed the connection.
  @discardableResult func send(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    return unsafe Glibc.send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
  }

  /// What comes next, at most `limit` bytes: empty at the end, nil after 8 s or a reset.
  func read(_ limit: Int = 65536) -> String? {
    var bytes = [UInt8](repeating: 0, count: limit)
    let count = unsafe recv(socket, &bytes, limit, 0)
    return count < 0 ? nil : String(decoding: bytes[..<count], as: UTF8.self)
  }

  /// Everything until the peer closes.
  func readAll() -> String {
    var text = ""
    while let more = read(), !more.isEmpty { text += more }
    return text
  }

  /// The whole answer to one request on a connection of its own.
  static func ask(_ address: String, _ request: String) throws -> String {
    let client = try HTTPClient(address)
    client.send(request + "\r\nHost: x\r\nConnection: close\r\n\r\n")
    return client.readAll()
  }
}
