import Memory

/// Where a datagram came from and was sent to, copied out of its buffer: 28 bytes of socket address and 20 of packet
/// info.
public struct Peer: BitwiseCopyable, Sendable {
  public private(set) var address: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
  public private(set) var local: (UInt64, UInt64, UInt64) = (0, 0, 0)
  public private(set) var localLength = 0

  public init() {}

  public init(address: Bytes, local: Bytes) {
    withUnsafeMutableBytes(of: &self.address) { Self.fill($0, address) }
    withUnsafeMutableBytes(of: &self.local) { Self.fill($0, local) }
    localLength = min(local.count, 24)
  }

  private static func fill(_ to: UnsafeMutableRawBufferPointer, _ from: Bytes) {
    // The smaller of the two lengths is within both.
    let length = min(to.count, from.count)
    unsafe to.baseAddress!.copyMemory(from: from.address, byteCount: length)
  }

  /// Writes the socket address (28 bytes) to the front of `out`.
  public func writeAddress(to out: Bytes) {
    var copy = address
    withUnsafeMutableBytes(of: &copy) { unsafe out.copy(Bytes(base: $0.baseAddress!, count: 28), at: 0) }
  }

  /// Writes the packet info to the front of `out`.
  public func writeLocal(to out: Bytes) {
    var copy = local
    withUnsafeMutableBytes(of: &copy) { unsafe out.copy(Bytes(base: $0.baseAddress!, count: localLength), at: 0) }
  }

  /// AF_INET6, and not an IPv4 address in it.
  public var isIPv6: Bool {
    var copy = address
    return withUnsafeMutableBytes(of: &copy) { unsafe Self.isIPv6(Bytes(base: $0.baseAddress!, count: 28)) }
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

  public var isStream: Bool { shard >= 0 }
  public init() {}
}
