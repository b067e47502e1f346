/// Response codes (RFC 1035 §4.1.1, RFC 6891 §9).
enum Rcode {
  static let noError: UInt16 = 0
  static let formatError: UInt16 = 1
  static let serverFailure: UInt16 = 2
  static let nameError: UInt16 = 3
  static let notImplemented: UInt16 = 4
  static let refused: UInt16 = 5
  static let badVersion: UInt16 = 16
}

/// Record types this server gives or names (RFC 1035 §3.2.2, RFC 2782, RFC 3596, RFC 6891).
enum RecordType {
  static let a: UInt16 = 1
  static let ns: UInt16 = 2
  static let cname: UInt16 = 5
  static let soa: UInt16 = 6
  static let ptr: UInt16 = 12
  static let srv: UInt16 = 33
  static let opt: UInt16 = 41

  static func text(_ type: UInt16) -> String {
    let names: [UInt16: String] = [
      1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA", 33: "SRV", 35: "NAPTR",
      41: "OPT", 43: "DS", 48: "DNSKEY", 64: "SVCB", 65: "HTTPS", 251: "IXFR", 252: "AXFR", 255: "ANY", 257: "CAA",
    ]
    return names[type] ?? "TYPE\(type)"
  }
}

/// What a client asked, as far as an answer needs it.
struct Query {
  var id: UInt16
  var opcode: UInt8
  var recursionDesired: Bool
  var checkingDisabled: Bool
  /// Absent where the message has none that can be read; such a query gets a bare header with an error.
  var question: Question?
  var edns: EDNS?

  struct Question {
    var name: Name
    var type: UInt16
    var recordClass: UInt16
  }

  /// The OPT record's fixed part (RFC 6891 §6.1.2); options are skipped.
  struct EDNS {
    var payloadSize: UInt16
    var version: UInt8
    var dnssecOK: Bool
  }
}

/// What the bytes of one message turned out to be.
enum Received {
  /// Shorter than a header, or itself a response: answering could start a loop.
  case ignored
  /// To be answered with this response code and nothing else.
  case rejected(Query, UInt16)
  case query(Query, Query.Question)
}

extension Received {
  /// Reads one message. Any bytes are allowed.
  init(_ bytes: [UInt8]) {
    guard bytes.count >= 12, bytes[2] & 0x80 == 0 else {
      self = .ignored
      return
    }
    var reader = Reader(bytes)
    let id = reader.u16()!
    let flags = reader.u16()!
    let counts = (0..<4).map { _ in reader.u16()! }
    var query = Query(
      id: id, opcode: UInt8(flags >> 11 & 0xF), recursionDesired: flags & 0x100 != 0,
      checkingDisabled: flags & 0x10 != 0)
    guard query.opcode == 0 else {
      self = .rejected(query, Rcode.notImplemented)
      return
    }
    guard counts[0] == 1, let name = reader.plainName(), let type = reader.u16(), let recordClass = reader.u16() else {
      self = .rejected(query, Rcode.formatError)
      return
    }
    let question = Query.Question(name: name, type: type, recordClass: recordClass)
    query.question = question
    for _ in 0..<counts[1...].reduce(0, { $0 + Int($1) }) {
      guard reader.skipName(), let type = reader.u16(), let recordClass = reader.u16(), let high = reader.u16(),
        let low = reader.u16(), let length = reader.u16(), reader.skip(Int(length)),
        type != RecordType.opt || query.edns == nil
      else {
        self = .rejected(query, Rcode.formatError)
        return
      }
      if type == RecordType.opt {
        query.edns = .init(
          payloadSize: recordClass, version: UInt8(truncatingIfNeeded: high), dnssecOK: low & 0x8000 != 0)
      }
    }
    if let edns = query.edns, edns.version > 0 {
      self = .rejected(query, Rcode.badVersion)
    } else {
      self = .query(query, question)
    }
  }
}

/// Reads a message from the left; every verb answers nil or false where the bytes end too early or are not right.
private struct Reader {
  private let bytes: [UInt8]
  private var at = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  mutating func u16() -> UInt16? {
    guard bytes.count - at >= 2 else { return nil }
    defer { at += 2 }
    return UInt16(bytes[at]) << 8 | UInt16(bytes[at + 1])
  }

  mutating func skip(_ count: Int) -> Bool {
    guard bytes.count - at >= count else { return false }
    at += count
    return true
  }

  /// A name without compression, as a question's is: nothing stands before it that it could point to.
  mutating func plainName() -> Name? {
    let start = at
    while at < bytes.count, at - start < 255 {
      let length = Int(bytes[at])
      if length == 0 {
        at += 1
        return Name(wire: Array(bytes[start..<at]))
      }
      guard length <= 63 else { return nil }
      at += 1 + length
    }
    return nil
  }

  /// A record's owner: labels up to the root or a pointer, which is not followed.
  mutating func skipName() -> Bool {
    while at < bytes.count {
      let length = Int(bytes[at])
      switch length {
      case 0: return skip(1)
      case 1...63: at += 1 + length
      case 0xC0...0xFF: return skip(2)
      default: return false
      }
    }
    return false
  }
}
