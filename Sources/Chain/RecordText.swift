import Corefile
import Wire

/// Why a line is no resource record.
struct RecordTextError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// Reads a resource record in presentation form (RFC 1035 §5.1, RFC 3597 §5): `NAME [TTL] [CLASS] TYPE DATA`. Names are
/// absolute, with the last dot or without.
struct RecordText {
  private struct Word {
    /// With its escapes.
    var text: [UInt8] = []
    var isQuoted = false
    var string: String { String(decoding: text, as: UTF8.self) }
  }

  /// Seconds, of a record that names none.
  private static let defaultTTL: UInt32 = 3600

  private var words: ArraySlice<Word>

  static func parse(_ text: String) throws(RecordTextError) -> ResourceRecord {
    var reader = RecordText(words: try words(of: Array(text.utf8))[...])
    let owner = try reader.name("owner name")
    var record = ResourceRecord(owner: owner, type: 0, ttl: defaultTTL, data: [])
    var word = try reader.take("type")
    for _ in 0..<2 {
      if let ttl = seconds(word) {
        record.ttl = ttl
        word = try reader.take("type")
      } else if let found = Corefile.RecordClass(name: word.string) {
        record.recordClass = found.value
        word = try reader.take("type")
      }
    }
    guard let type = type(word.string) else { throw RecordTextError("unknown type '\(word.string)'") }
    record.type = type
    record.data = try reader.data(type, word.string)
    if let rest = reader.words.first { throw RecordTextError("unexpected '\(rest.string)' after the data") }
    guard record.data.count <= 65_535 else { throw RecordTextError("data over 65535 octets") }
    return record
  }

  private static func words(of text: [UInt8]) throws(RecordTextError) -> [Word] {
    var words: [Word] = []
    var at = 0
    while at < text.count {
      let octet = text[at]
      if octet == 0x20 || octet == 0x09 || octet == 0x0A || octet == 0x0D {
        at += 1
        continue
      }
      if octet == UInt8(ascii: ";") { break }
      var word = Word()
      word.isQuoted = octet == UInt8(ascii: "\"")
      if word.isQuoted { at += 1 }
      while at < text.count {
        let octet = text[at]
        if word.isQuoted ? octet == UInt8(ascii: "\"") : [0x20, 0x09, 0x0A, 0x0D, 0x3B].contains(octet) { break }
        word.text.append(octet)
        at += 1
        if octet == UInt8(ascii: "\\"), at < text.count {
          word.text.append(text[at])
          at += 1
        }
      }
      if word.isQuoted {
        guard at < text.count else { throw RecordTextError("a quoted string without its end") }
        at += 1
      }
      words.append(word)
    }
    return words
  }

  /// `90`, `1h30m`
  private static func seconds(_ word: Word) -> UInt32? {
    var total: UInt64 = 0
    var part: UInt64 = 0
    var hasDigits = false
    for octet in word.text {
      switch octet {
      case 0x30...0x39:
        part = part * 10 + UInt64(octet - 0x30)
        hasDigits = true
      case UInt8(ascii: "s"), UInt8(ascii: "m"), UInt8(ascii: "h"), UInt8(ascii: "d"), UInt8(ascii: "w"):
        guard hasDigits else { return nil }
        let units: [UInt8: UInt64] = [0x73: 1, 0x6D: 60, 0x68: 3600, 0x64: 86_400, 0x77: 604_800]
        total += part * units[octet]!
        (part, hasDigits) = (0, false)
      default: return nil
      }
      if part + total > UInt64(Int32.max) { return nil }
    }
    return word.text.isEmpty ? nil : UInt32(total + part)
  }

  private static func type(_ text: String) -> UInt16? {
    if let type = Corefile.RecordType(name: text) { return type.value }
    return text.uppercased().hasPrefix("TYPE") ? UInt16(text.dropFirst(4)) : nil
  }

  private mutating func take(_ what: String) throws(RecordTextError) -> Word {
    guard let word = words.popFirst() else {
      throw RecordTextError("no \(what): expected NAME [TTL] [CLASS] TYPE DATA")
    }
    return word
  }

  private mutating func name(_ what: String) throws(RecordTextError) -> [UInt8] {
    let word = try take(what)
    guard let name = ZoneName(word.string) else { throw RecordTextError("'\(word.string)' is no \(what)") }
    return name.wire
  }

  private mutating func number<Value: FixedWidthInteger & UnsignedInteger>(
    _ type: Value.Type, _ what: String
  ) throws(RecordTextError) -> Value {
    let word = try take(what)
    guard let value = Value(word.string) else {
      throw RecordTextError("'\(word.string)' is no \(what), expected 0 to \(Value.max)")
    }
    return value
  }

  private mutating func data(_ type: UInt16, _ typeName: String) throws(RecordTextError) -> [UInt8] {
    if words.first?.string == "\\#" { return try generic() }
    var out: [UInt8] = []
    switch type {
    case 1, 28: return try address(octets: type == 1 ? 4 : 16)
    case 2, 5, 12, 39: return try name("domain name")  // NS CNAME PTR DNAME
    case 6:  // SOA
      out = try name("primary server")
      out += try name("mailbox")
      out.append(u32: try number(UInt32.self, "serial"))
      for what in ["refresh", "retry", "expire", "minimum"] {
        let word = try take(what)
        guard let seconds = Self.seconds(word) else { throw RecordTextError("'\(word.string)' is no \(what) time") }
        out.append(u32: seconds)
      }
    case 13:  // HINFO
      out = try string("processor")
      out += try string("system")
    case 15:  // MX
      out.append(u16: try number(UInt16.self, "preference"))
      out += try name("mail server")
    case 16, 99:  // TXT SPF
      repeat { out += try string("text") } while !words.isEmpty
    case 33:  // SRV
      for what in ["priority", "weight", "port"] { out.append(u16: try number(UInt16.self, what)) }
      out += try name("target")
    case 257:  // CAA (RFC 8659 §4.1)
      out.append(try number(UInt8.self, "flags"))
      let tag = try string("tag")
      guard tag.count > 1 else { throw RecordTextError("no tag") }
      out += tag
      out += try Self.unescaped(try take("value").text)
    default: throw RecordTextError("data of type \(typeName) must be given as \\# LENGTH HEXADECIMAL (RFC 3597)")
    }
    return out
  }

  private mutating func address(octets: Int) throws(RecordTextError) -> [UInt8] {
    let word = try take("address")
    guard let address = IPAddress(word.string), address.scope == nil, address.bytes.count == octets else {
      throw RecordTextError("'\(word.string)' is no IPv\(octets == 4 ? 4 : 6) address")
    }
    return address.bytes
  }

  /// A character-string: its length, and as many octets.
  private mutating func string(_ what: String) throws(RecordTextError) -> [UInt8] {
    let octets = try Self.unescaped(try take(what).text)
    guard octets.count <= 255 else { throw RecordTextError("a \(what) over 255 octets") }
    return [UInt8(octets.count)] + octets
  }

  private static func unescaped(_ text: [UInt8]) throws(RecordTextError) -> [UInt8] {
    var out: [UInt8] = []
    var at = 0
    while at < text.count {
      if text[at] != UInt8(ascii: "\\") {
        out.append(text[at])
        at += 1
        continue
      }
      let digits = text[(at + 1)...].prefix(3)
      if digits.count == 3, digits.allSatisfy({ (0x30...0x39).contains($0) }) {
        guard let value = UInt8(String(decoding: digits, as: UTF8.self)) else {
          throw RecordTextError("\\\(String(decoding: digits, as: UTF8.self)) is no octet")
        }
        out.append(value)
        at += 4
      } else {
        guard at + 1 < text.count else { throw RecordTextError("a backslash at the end") }
        out.append(text[at + 1])
        at += 2
      }
    }
    return out
  }

  /// `\# LENGTH HEXADECIMAL...`
  private mutating func generic() throws(RecordTextError) -> [UInt8] {
    _ = words.popFirst()
    let length = Int(try number(UInt16.self, "length"))
    let digits = words.flatMap(\.text)
    words = []
    let octets = stride(from: 0, to: digits.count - digits.count % 2, by: 2).compactMap { at in
      digits[at...(at + 1)].allSatisfy { $0 != 0x2B && $0 != 0x2D }
        ? UInt8(String(decoding: digits[at...(at + 1)], as: UTF8.self), radix: 16) : nil
    }
    guard octets.count == length, digits.count == 2 * length else {
      throw RecordTextError("expected \(length) octets in hexadecimal after \\# \(length)")
    }
    return octets
  }
}
