import Glibc

/// Address families as `-f` names them.
enum Family: String, CaseIterable {
  case any, inet, inet6

  var code: Int32 {
    switch self {
    case .any: AF_UNSPEC
    case .inet: AF_INET
    case .inet6: AF_INET6
    }
  }
}

/// An address and port: a `sockaddr_in` or `sockaddr_in6` as the kernel takes it.
struct Endpoint: Sendable {
  let socketAddress: [UInt8]
  /// The numeric address.
  let address: String
  let port: Int

  /// That of the address.
  var family: Family { address.contains(":") ? .inet6 : .inet }

  /// `127.0.0.1:53`, `[::1]:53`
  var text: String { address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)" }

  /// The first address of `host`, a name or a number, in `family`. `option` is the flag that named it.
  static func resolve(_ host: String, port: Int, family: Family, option: String) throws(LoadError) -> Endpoint {
    var hints = unsafe addrinfo()
    unsafe hints.ai_family = family.code
    unsafe hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    let code = unsafe getaddrinfo(host, String(port), &hints, &list)
    guard code == 0, let first = unsafe list else {
      let why = unsafe String(cString: gai_strerror(code))
      let what = family == .any ? "an address or a name that resolves" : "an \(family) address or name"
      throw LoadError("\(option) \(host): \(why); expected \(what)")
    }
    defer { unsafe freeaddrinfo(first) }
    // getaddrinfo vouches for ai_addrlen bytes at ai_addr until the list is freed.
    let bytes = unsafe [UInt8](
      UnsafeRawBufferPointer(start: first.pointee.ai_addr, count: Int(first.pointee.ai_addrlen)))
    var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
    unsafe getnameinfo(
      first.pointee.ai_addr, first.pointee.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
    let end = text.firstIndex(of: 0) ?? 0
    return Endpoint(
      socketAddress: bytes, address: String(decoding: text[..<end].map(UInt8.init(bitPattern:)), as: UTF8.self),
      port: port)
  }
}
