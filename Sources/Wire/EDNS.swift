import Memory

/// What an OPT record says (RFC 6891 §6.1), and where its options stand in the message it came in.
public struct EDNS: BitwiseCopyable, Sendable {
  /// The sender's UDP payload size as written; `Reply` applies the bounds.
  public internal(set) var udpSize: UInt16
  public let extendedRcode: UInt8
  public let version: UInt8
  public let dnssecOK: Bool
  private let optionsStart: UInt16
  private let optionsSize: UInt16

  /// Where the options stand in the message, octets.
  public var options: Int { Int(optionsStart) }
  public var optionsLength: Int { Int(optionsSize) }

  public static let dnssecOKBit: UInt32 = 0x8000
  /// The option that asks for, and carries, a server's identifier (RFC 5001).
  public static let nsid: UInt16 = 3
  static let clientSubnet: UInt16 = 8
  static let cookie: UInt16 = 10
  static let keepalive: UInt16 = 11
  static let padding: UInt16 = 12
  /// Options in one OPT beyond this many are an attack on the reader (Unbound CVE-2026-41292).
  static let maxOptions = 32

  /// What a client's OPT said, without its options.
  public init(udpSize: UInt16, dnssecOK: Bool) {
    self.udpSize = udpSize
    self.dnssecOK = dnssecOK
    extendedRcode = 0
    version = 0
    optionsStart = 0
    optionsSize = 0
  }

  /// The OPT of `record`; nil if its owner is not the root, or its options do not fill it exactly.
  public init?(_ message: Bytes, _ record: Record) {
    guard message[record.owner] == 0 else { return nil }
    let ttl = message.u32(record.ttlOffset)
    udpSize = record.recordClass
    extendedRcode = UInt8(truncatingIfNeeded: ttl >> 24)
    version = UInt8(truncatingIfNeeded: ttl >> 16)
    dnssecOK = ttl & Self.dnssecOKBit != 0
    // A message has at most 65,535 octets.
    optionsStart = UInt16(truncatingIfNeeded: record.data)
    optionsSize = UInt16(truncatingIfNeeded: record.dataLength)
    var at = record.data
    var seen = 0
    while at < record.end {
      guard at &+ 4 <= record.end, seen < Self.maxOptions else { return nil }
      at &+= 4 &+ Int(message.u16(at &+ 2))
      seen &+= 1
    }
    guard at == record.end else { return nil }
  }

  /// Whether the options that have a form of their own have it, in a query: CLIENT-SUBNET (RFC 7871 §6), COOKIE (RFC 7873
  /// §4), TCP-KEEPALIVE (RFC 7828 §3.1). Any other is anybody's.
  func isWellFormed(_ message: Bytes) -> Bool {
    var at = options
    while at < options &+ optionsLength {
      let length = Int(message.u16(at &+ 2))
      switch message.u16(at) {
      case Self.clientSubnet: if !Self.isSubnet(message.slice(at &+ 4, length)) { return false }
      case Self.cookie: if length != 8, length < 16 || length > 40 { return false }
      case Self.keepalive: if length != 0 { return false }
      default: break
      }
      at &+= 4 &+ length
    }
    return true
  }

  /// Family, source and scope prefix (0 in a query), and as many octets as the source prefix needs, zero beyond it.
  private static func isSubnet(_ data: Bytes) -> Bool {
    guard data.count >= 4, data[3] == 0 else { return false }
    let prefix = Int(data[2])
    switch data.u16(0) {
    case 0: return prefix == 0 && data.count == 4
    case 1: if prefix > 32 { return false }
    case 2: if prefix > 128 { return false }
    default: return false
    }
    guard data.count == 4 &+ (prefix &+ 7) / 8 else { return false }
    return prefix & 7 == 0 || data[data.count &- 1] & (0xFF &>> UInt8(truncatingIfNeeded: prefix & 7)) == 0
  }

  /// Options that CoreDNS sends back unchanged: NSID, EXPIRE, COOKIE, TCP-KEEPALIVE, PADDING (spec a.6).
  @inline(__always) static func isEchoed(_ code: UInt16) -> Bool { code == nsid || code >= 9 && code <= 12 }

  /// Copies the options to be echoed to the front of `out`, whole ones only, and returns the bytes written.
  public func echoedOptions(_ message: Bytes, into out: Bytes) -> Int {
    var at = options
    var length = 0
    while at < options &+ optionsLength {
      let size = 4 &+ Int(message.u16(at &+ 2))
      if Self.isEchoed(message.u16(at)), length &+ size <= out.count {
        out.copy(message.slice(at, size), at: length)
        length &+= size
      }
      at &+= size
    }
    return length
  }

  /// Octets of an OPT record without options.
  public static let fixedLength = 11

  /// Writes an OPT record at `at` and returns the offset after it. `options` are whole options, already encoded.
  @discardableResult public static func write(
    to message: Bytes, at: Int, udpSize: UInt16, extendedRcode: UInt8, dnssecOK: Bool, options: Bytes
  ) -> Int {
    message[at] = 0
    message.set(u16: RecordType.opt, at: at &+ 1)
    message.set(u16: udpSize, at: at &+ 3)
    message.set(u32: UInt32(extendedRcode) << 24 | (dnssecOK ? dnssecOKBit : 0), at: at &+ 5)
    message.set(u16: UInt16(truncatingIfNeeded: options.count), at: at &+ 9)
    message.copy(options, at: at &+ fixedLength)
    return at &+ fixedLength &+ options.count
  }

  /// Octets that a query comes in multiples of where they can be counted but not read (RFC 8467 §4.1).
  static let block = 128
  /// Octets that `pad` adds at most.
  public static let maxPadding = 4 + block - 1

  /// Fills a query of ours up to a whole block with a Padding option (RFC 7830) and returns its length; without an OPT at
  /// its end it stays as it is. There is room for `maxPadding` more octets.
  public static func pad(_ query: Bytes, _ length: Int) -> Int {
    guard query.additionalCount == 1, let name = Name.plainLength(query, at: Header.length) else { return length }
    let fill = (block &- (length &+ 4) % block) % block
    query.set(u16: padding, at: length)
    query.set(u16: UInt16(truncatingIfNeeded: fill), at: length &+ 2)
    query.slice(length &+ 4, fill).fill(0)
    let size = Header.length &+ name &+ 4 &+ fixedLength &- 2
    query.set(u16: query.u16(size) &+ UInt16(truncatingIfNeeded: 4 &+ fill), at: size)
    return length &+ 4 &+ fill
  }
}
