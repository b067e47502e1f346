/// Builds messages as clients and upstreams write them.
struct MessageWriter {
  private(set) var bytes: [UInt8]
  private let name: [UInt8]

  /// Header and question; counts of records are zero.
  init(id: UInt16, flags: UInt16, name: [UInt8], type: UInt16) {
    bytes = []
    bytes.reserveCapacity(128)
    for value in [id, flags, 1, 0, 0, 0] { bytes += Self.octets(value) }
    bytes += name
    bytes += Self.octets(type) + [0, 1]
    self.name = name.map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 }
  }

  static func octets(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 255)] }

  mutating func set(_ value: UInt16, at: Int) {
    bytes[at] = UInt8(value >> 8)
    bytes[at + 1] = UInt8(value & 255)
  }

  /// Owners that are the question's name, or its last label, are pointers.
  private mutating func add(_ record: Content.Record) {
    if record.owner == name {
      bytes += [0xC0, 12]
    } else if record.owner == name.suffix(5) {
      bytes += Self.octets(0xC000 | UInt16(12 + name.count - 5))
    } else {
      bytes += record.owner
    }
    bytes += Self.octets(record.type) + [0, 1]
    bytes += Self.octets(UInt16(record.ttl >> 16)) + Self.octets(UInt16(record.ttl & 0xFFFF))
    bytes += Self.octets(UInt16(record.data.count)) + record.data
  }

  /// As many whole records as fit `limit`; TC if not all do.
  mutating func add(_ content: Content, limit: Int) {
    var answers: UInt16 = 0
    var authorities: UInt16 = 0
    for record in content.answers {
      guard bytes.count + record.size <= limit else {
        bytes[2] |= 2
        break
      }
      add(record)
      answers += 1
    }
    if bytes[2] & 2 == 0 {
      for record in content.authorities where bytes.count + record.size <= limit {
        add(record)
        authorities += 1
      }
    }
    set(answers, at: 6)
    set(authorities, at: 8)
  }

  mutating func addOPT(size: UInt16, dnssecOK: Bool, options: [UInt8]) {
    bytes += [0, 0, 41] + Self.octets(size) + [0, 0, dnssecOK ? 0x80 : 0, 0]
    bytes += Self.octets(UInt16(options.count)) + options
    set(1, at: 10)
  }

  /// With its length in front, as over TCP.
  var framed: [UInt8] { Self.octets(UInt16(bytes.count)) + bytes }
}
