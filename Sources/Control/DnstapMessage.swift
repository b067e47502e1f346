import Corefile

/// What a collector of dnstap is told of one message of DNS, in Protocol Buffers' wire format.
///
/// By hand, for it is fourteen fields of three kinds, and no file to generate code from.
///
/// Source: dnstap.proto (dnstap.info).
struct DnstapMessage {
  enum Kind: UInt64 {
    case clientQuery = 5
    case clientResponse, forwarderQuery, forwarderResponse

    var isResponse: Bool { self == .clientResponse || self == .forwarderResponse }
  }

  enum Transport: UInt64 {
    case udp = 1
    case tcp, tls
  }

  var kind: Kind
  var transport: Transport
  /// Who asked, and who was asked; nil: not known.
  var asker: Endpoint?
  var asked: Endpoint?
  /// Nanoseconds since 1970.
  var queryTime: UInt64
  var responseTime: UInt64?
  /// Nil where the collector does not want it.
  var wire: [UInt8]?

  func encoded(identity: [UInt8], version: [UInt8], extra: [UInt8]?) -> [UInt8] {
    var message = ProtobufFields()
    message.reserve((wire?.count ?? 0) + 96)
    message.add(1, kind.rawValue)
    if let end = asker ?? asked { message.add(2, end.address.isIPv4 ? 1 : 2) }
    message.add(3, transport.rawValue)
    if let asker { message.add(4, asker.address.bytes) }
    if let asked { message.add(5, asked.address.bytes) }
    if let asker { message.add(6, UInt64(asker.port)) }
    if let asked { message.add(7, UInt64(asked.port)) }
    message.add(8, queryTime / 1_000_000_000)
    message.add(9, fixed: UInt32(queryTime % 1_000_000_000))
    if let wire, !kind.isResponse { message.add(10, wire) }
    if let responseTime {
      message.add(12, responseTime / 1_000_000_000)
      message.add(13, fixed: UInt32(responseTime % 1_000_000_000))
    }
    if let wire, kind.isResponse { message.add(14, wire) }

    var frame = ProtobufFields()
    frame.reserve(identity.count + version.count + (extra?.count ?? 0) + message.octets.count + 32)
    frame.add(1, identity)
    frame.add(2, version)
    if let extra { frame.add(3, extra) }
    frame.add(14, message.octets)
    // MESSAGE, the only type there is.
    frame.add(15, 1)
    return frame.octets
  }
}

/// Fields of a message of Protocol Buffers (protobuf.dev, Encoding), one after the other.
private struct ProtobufFields {
  private(set) var octets: [UInt8] = []

  mutating func reserve(_ count: Int) { octets.reserveCapacity(count) }

  mutating func add(_ field: UInt64, _ value: UInt64) {
    add(varint: field << 3)
    add(varint: value)
  }

  mutating func add(_ field: UInt64, _ value: [UInt8]) {
    add(varint: field << 3 | 2)
    add(varint: UInt64(value.count))
    octets += value
  }

  mutating func add(_ field: UInt64, fixed value: UInt32) {
    add(varint: field << 3 | 5)
    for shift in stride(from: 0, to: 32, by: 8) { octets.append(UInt8(truncatingIfNeeded: value >> shift)) }
  }

  /// Seven bits an octet, the lowest first, all but the last with the highest bit set.
  private mutating func add(varint value: UInt64) {
    var left = value
    while left > 0x7F {
      octets.append(UInt8(truncatingIfNeeded: left) | 0x80)
      left >>= 7
    }
    octets.append(UInt8(left))
  }
}
