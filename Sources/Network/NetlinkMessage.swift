import CNetlink

/// A netlink message to send: header, a fixed part and attributes, each at a multiple of 4 bytes, in the machine's byte
/// order (netlink(7)).
package struct NetlinkMessage {
  package private(set) var bytes: [UInt8]

  /// - Parameters:
  ///   - type: such as `RTM_NEWLINK`.
  ///   - flags: such as `NLM_F_CREATE`; a request it is anyway.
  ///   - fixed: the structure that this type begins with; a multiple of 4 bytes.
  package init(type: Int, flags: Int32, sequence: UInt32, fixed: [UInt8]) {
    bytes = native(UInt32(0)) + native(UInt16(type)) + native(UInt16(flags | NLM_F_REQUEST))
    bytes += native(sequence) + native(UInt32(0)) + fixed
    updateLength()
  }

  /// Adds an attribute of at most 65,531 bytes.
  package mutating func append(_ type: Int, _ value: [UInt8]) {
    bytes += Self.attribute(type, value)
    updateLength()
  }

  /// One attribute as it stands in a message, padded: for values that are attributes themselves.
  static func attribute(_ type: Int, _ value: [UInt8]) -> [UInt8] {
    let padding = [UInt8](repeating: 0, count: -value.count & 3)
    return native(UInt16(4 + value.count)) + native(UInt16(type)) + value + padding
  }

  private mutating func updateLength() { bytes.replaceSubrange(0..<4, with: native(UInt32(bytes.count))) }
}

/// A netlink message received: its type, and what follows the header.
package struct NetlinkPart: Equatable {
  package let type: Int
  package let sequence: UInt32
  package let body: ArraySlice<UInt8>

  /// The messages of one datagram, up to the first whose length makes no sense.
  package static func all(in datagram: [UInt8]) -> [NetlinkPart] {
    var parts: [NetlinkPart] = []
    var rest = datagram[...]
    while let length: UInt32 = integer(rest, at: 0), let type: UInt16 = integer(rest, at: 4),
      let sequence: UInt32 = integer(rest, at: 8), length >= 16, length <= rest.count
    {
      parts.append(NetlinkPart(type: Int(type), sequence: sequence, body: rest.prefix(Int(length)).dropFirst(16)))
      rest = rest.dropFirst(Int(length) + (-Int(length) & 3))
    }
    return parts
  }

  /// The attributes behind the fixed part of `skipping` bytes.
  package func attributes(skipping: Int) -> [Int: ArraySlice<UInt8>] { Self.attributes(in: body.dropFirst(skipping)) }

  /// By type, up to the first whose length makes no sense.
  static func attributes(in bytes: ArraySlice<UInt8>) -> [Int: ArraySlice<UInt8>] {
    var found: [Int: ArraySlice<UInt8>] = [:]
    var rest = bytes
    while let length: UInt16 = integer(rest, at: 0), let type: UInt16 = integer(rest, at: 2), length >= 4,
      length <= rest.count
    {
      // The two highest bits are flags (NLA_F_NESTED, NLA_F_NET_BYTEORDER).
      found[Int(type & 0x3FFF)] = rest.prefix(Int(length)).dropFirst(4)
      rest = rest.dropFirst(Int(length) + (-Int(length) & 3))
    }
    return found
  }
}

/// The number at an offset, in the machine's byte order; nil beyond the end.
func integer<Number: FixedWidthInteger & BitwiseCopyable>(_ bytes: ArraySlice<UInt8>, at offset: Int) -> Number? {
  guard bytes.count >= offset + MemoryLayout<Number>.size else { return nil }
  // Sound: the guard above; any bits are a number.
  return unsafe bytes.withUnsafeBytes { unsafe $0.loadUnaligned(fromByteOffset: offset, as: Number.self) }
}

/// A number's bytes in the machine's order.
func native(_ number: some FixedWidthInteger & BitwiseCopyable) -> [UInt8] {
  // Sound: the bytes are copied.
  unsafe withUnsafeBytes(of: number) { unsafe Array($0) }
}

/// A name as netlink carries it: until its zero byte or its end.
func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }
