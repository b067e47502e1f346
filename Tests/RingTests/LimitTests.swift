import CSocket
import Engine
import Glibc
import Sockets
import Testing

/// The kernel drops what a client sends beyond its limit, and nothing of others.
struct LimitTests {
  private static let one: [UInt8] = [127, 0, 0, 1]
  private static let two: [UInt8] = [127, 0, 0, 2]
  private static let six: [UInt8] = [UInt8](repeating: 0, count: 15) + [1]
  /// Differs from `six` in its last word alone, then in its first alone.
  private static let strangers = [
    [UInt8](repeating: 0, count: 15) + [2], [0x20] + [UInt8](repeating: 0, count: 14) + [1],
  ]

  private static func address(_ host: [UInt8], port: UInt16 = 0) -> [UInt8] {
    let port = [UInt8(port >> 8), UInt8(port & 0xFF)]
    return host.count == 4
      ? [UInt8(AF_INET), 0] + port + host + [UInt8](repeating: 0, count: 8)
      : [UInt8(AF_INET6), 0] + port + [0, 0, 0, 0] + host + [0, 0, 0, 0]
  }

  /// Of 1,000 datagrams from `host` to a listener of `bound`, how many come to its socket under these limits.
  private static func passed(
    _ limits: [ClientLimit], from host: [UInt8], to bound: [UInt8], isWildcard: Bool = false
  ) throws -> Int {
    var settings = Settings()
    settings.listeners = [Settings.Listener(address: address(bound), isWildcard: isWildcard, group: 0, label: "dns://")]
    let listeners = try Listeners(settings)
    listeners.limit(limits, on: 0)
    let server = listeners.udp[0]
    // Both kinds of addresses have the port in the same place.
    let port = csocket_port(server)
    let client = socket(host.count == 4 ? AF_INET : AF_INET6, Int32(SOCK_DGRAM.rawValue), 0)
    defer { close(client) }
    let target = address(isWildcard ? host : bound, port: port)
    let isReady = unsafe address(host).withUnsafeBytes { source in
      unsafe target.withUnsafeBytes { target in
        unsafe bind(client, source.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(source.count)) == 0
          && connect(client, target.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(target.count)) == 0
      }
    }
    #expect(isReady)
    var passed = 0
    var octets = [UInt8](repeating: 0, count: 16)
    for _ in 0..<1000 {
      #expect(unsafe Glibc.send(client, octets, 16, 0) == 16)
      if unsafe recv(server, &octets, 16, Int32(MSG_DONTWAIT)) == 16 { passed += 1 }
    }
    return passed
  }

  @Test func aClientIsKnownByItsAddress() throws {
    func nothing(of host: [UInt8]) -> ClientLimit { ClientLimit(host: host, passing: 0) }
    #expect(try Self.passed([nothing(of: Self.two)], from: Self.one, to: Self.one) == 1000)
    #expect(try Self.passed([nothing(of: Self.two)], from: Self.two, to: Self.one) == 0)
    #expect(try Self.passed([nothing(of: Self.six)], from: Self.six, to: Self.six) == 0)
    #expect(try Self.passed(Self.strangers.map(nothing), from: Self.six, to: Self.six) == 1000)
    // One socket hears both kinds.
    let any = [UInt8](repeating: 0, count: 16)
    let both = [nothing(of: Self.one), nothing(of: Self.six)]
    #expect(try Self.passed(both, from: Self.one, to: any, isWildcard: true) == 0)
    #expect(try Self.passed(both, from: Self.two, to: any, isWildcard: true) == 1000)
    #expect(try Self.passed(both, from: Self.six, to: any, isWildcard: true) == 0)
  }

  /// Each of as many as there is room for, of the kind whose program is longest, has its own limit.
  @Test func eightHaveTheirLimits() throws {
    #expect(Throttle.most == CSOCKET_LIMITS)
    let others = (1...7).map { ClientLimit(host: [0x20] + [UInt8](repeating: 0, count: 14) + [$0], passing: 0) }
    #expect(try Self.passed(others + [ClientLimit(host: Self.six, passing: 0)], from: Self.six, to: Self.six) == 0)
    #expect(try Self.passed(others, from: Self.six, to: Self.six) == 1000)
  }

  /// A quarter is let through, more or less, whichever: ten standard deviations are 137.
  @Test func aPartIsAPart() throws {
    let passed = try Self.passed([ClientLimit(host: Self.one, passing: 1 << 30)], from: Self.one, to: Self.one)
    #expect((113...387).contains(passed))
  }

  @Test func limitsAreLifted() throws {
    var settings = Settings()
    settings.listeners = [
      Settings.Listener(address: Self.address(Self.one), isWildcard: false, group: 0, label: "dns://")
    ]
    let listeners = try Listeners(settings)
    let all = try #require(listeners.descriptors)
    listeners.limit([ClientLimit(host: Self.one, passing: 0)], on: 0)
    #expect(Self.hasFilter(listeners.udp[0]))
    listeners.limit([], on: 0)
    #expect(!Self.hasFilter(listeners.udp[0]))
    // What a process has left that is gone.
    listeners.limit([ClientLimit(host: Self.one, passing: 0)], on: 0)
    #expect(Self.hasFilter(all[0].number))
    _ = try #require(Listeners([Self.address(Self.one)], all))
    #expect(!Self.hasFilter(all[0].number))
  }

  /// SO_GET_FILTER says how many instructions there are.
  private static func hasFilter(_ socket: Int32) -> Bool {
    var length: socklen_t = 0
    return unsafe getsockopt(socket, SOL_SOCKET, SO_GET_FILTER, nil, &length) == 0 && length > 0
  }
}
