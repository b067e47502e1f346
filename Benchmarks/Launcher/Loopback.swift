import Glibc

/// Sockets on 127.0.0.1.
enum Loopback {
  /// Whether a server could listen on the port, over UDP and TCP.
  static func isFree(_ port: Int) -> Bool {
    [SOCK_DGRAM, SOCK_STREAM].allSatisfy { type in
      let socket = Glibc.socket(AF_INET, Int32(type.rawValue), 0)
      defer { close(socket) }
      return unsafe withAddress(port) { unsafe bind(socket, $0, $1) } == 0
    }
  }

  /// The body of an HTTP GET; empty if there is no answer within two seconds.
  static func get(_ path: String, port: Int) -> String {
    let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(socket) }
    var limit = timeval(tv_sec: 2, tv_usec: 0)
    let request = Array("GET \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".utf8)
    // Each pointer is good for the length given with it, and for the call.
    unsafe setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    guard unsafe withAddress(port, { unsafe connect(socket, $0, $1) }) == 0,
      unsafe send(socket, request, request.count, Int32(MSG_NOSIGNAL)) == request.count
    else { return "" }
    var reply: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while reply.count < 4 << 20 {
      let count = unsafe recv(socket, &buffer, buffer.count, 0)
      guard count > 0 else { break }
      reply += buffer[..<count]
    }
    let text = String(decoding: reply, as: UTF8.self)
    return text.firstRange(of: "\r\n\r\n").map { String(text[$0.upperBound...]) } ?? ""
  }

  private static func withAddress(_ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    // A sockaddr_in is a sockaddr (ip(7)).
    return unsafe withUnsafePointer(to: &address) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }
}
