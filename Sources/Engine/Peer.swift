import Memory

/// Where a datagram came from and was sent to, copied out of its buffer: 28 bytes of socket address and 20 of packet
/// info.
public struct Peer: BitwiseCopyable, Sendable {
  private var words: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0)
  /// Octets of packet info: 0 for a datagram to a listener with an address of its own.
  public private(set) var localLength = 0

  public static let addressSize = 28
  public static let localStart = 32
  /// Bytes that `write` needs.
  public static let size = 56

  public init() {}

  /// `address` is 28 bytes, `local` at most 20.
  @inlinable public init(address: Bytes, local: Bytes) {
    self.init(
      address.word(0), address.word(8), address.word(16), UInt64(address.u32(24).bigEndian), local)
  }

  @usableFromInline init(_ w0: UInt64, _ w1: UInt64, _ w2: UInt64, _ w3: UInt64, _ local: Bytes) {
    words.0 = w0
    words.1 = w1
    words.2 = w2
    words.3 = w3
    localLength = local.count
    if local.count >= 8 { words.4 = local.word(0) }
    if local.count >= 16 { words.5 = local.word(8) }
    if local.count & 7 >= 4 {
      let last = UInt64(local.u32(local.count & ~7).bigEndian)
      if local.count >= 16 { words.6 = last } else { words.5 = last }
    }
  }

  /// Of a socket address as it lies in memory, of 28 octets or fewer.
  public init(octets: [UInt8]) {
    func word(_ index: Int) -> UInt64 {
      octets.dropFirst(index * 8).prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
    words = (word(0), word(1), word(2), word(3), 0, 0, 0)
  }

  /// Writes the socket address to the front of `out` and the packet info to its offset `localStart`.
  public func write(to out: Bytes) { out.store(words, at: 0) }

  /// The socket address as it lies in memory: family, port, address (ip(7), ipv6(7)).
  public var octets: [UInt8] {
    [words.0, words.1, words.2, words.3].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
  }

  /// The address that the client asked, of 4 or 16 octets; empty: its listener's.
  public var localHost: [UInt8] {
    let octets = [words.4, words.5].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
    switch localLength {
    case 12: return Array(octets[8..<12])  // in_pktinfo (ip(7)): interface, source, destination
    case 20: return octets.starts(with: Self.mapped) ? Array(octets[12...]) : octets  // in6_pktinfo (ipv6(7))
    default: return []
    }
  }

  /// Before an IPv4 address in IPv6 (RFC 4291 §2.5.5.2).
  private static let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]

  /// A number for the address without its port: of IPv4, the address itself.
  @inline(__always) var client: UInt64 {
    if words.0 & 0xFF != 10 { return words.0 >> 32 }
    return isIPv6 ? words.1 ^ words.2.byteSwapped : words.2 >> 32
  }

  /// The same of a socket address (at least 28 bytes).
  @inline(__always) static func client(of address: Bytes) -> UInt64 {
    if address[0] != 10 { return address.word(0) >> 32 }
    return isIPv6(address) ? address.word(8) ^ address.word(16).byteSwapped : address.word(16) >> 32
  }

  /// AF_INET6, and not an IPv4 address in it.
  public var isIPv6: Bool {
    words.0 & 0xFF == 10 && !(words.1 == 0 && words.2 & 0xFFFF_FFFF == 0xFFFF_0000)
  }

  /// Whether a socket address (at least 28 bytes) is of IPv6 and not IPv4 in IPv6 (RFC 4291 §2.5.5.2).
  @inline(__always) public static func isIPv6(_ address: Bytes) -> Bool {
    guard address[0] == 10 else { return false }  // AF_INET6 of Linux, little-endian
    return !(address.u32(8) == 0 && address.u32(12) == 0 && address.u32(16) == 0xFFFF)
  }
}

/// Who waits for an answer, and where it goes.
public struct Origin: BitwiseCopyable, Sendable {
  /// Index of the listener: of its UDP socket for datagrams.
  public var listener = 0
  public var peer = Peer()
  /// Of a stream: the shard that holds it, its slot and which use of the slot; `shard` is -1 for a datagram.
  public var shard = -1
  public var stream = 0
  public var generation: UInt32 = 0
  /// Nanoseconds.
  public var arrivedAt: UInt64 = 0
  /// Nobody waits: a cached answer is asked for anew. Listener and peer are those of the query that saw the need.
  public var isNobody = false

  public var isStream: Bool { shard >= 0 }
  public init() {}
}
