/// A domain name as configurations and zone matching use it: absolute and in lower case.
public struct ZoneName: Hashable, Sendable, CustomStringConvertible {
  /// Lower case with a trailing dot, `.` for the root; bytes that are not printable as `\DDD` (RFC 1035 section 5.1).
  public let text: String
  /// Length-prefixed labels in lower case, ending with the root's zero byte; at most 255 bytes (RFC 1035 section 3.1).
  public let wire: [UInt8]

  public static let root = ZoneName(wire: [0])

  public var description: String { text }

  /// Nil for what is not a domain name: empty labels, labels over 63 bytes, more than 255 bytes, a broken escape.
  public init?(_ presentation: String) {
    let bytes = Array(presentation.utf8)
    if bytes.isEmpty { return nil }
    if bytes == [UInt8(ascii: ".")] {
      self = .root
      return
    }
    var wire: [UInt8] = []
    var label: [UInt8] = []
    var index = 0
    while index < bytes.count {
      var byte = bytes[index]
      index += 1
      if byte == UInt8(ascii: ".") {
        guard ZoneName.close(&label, into: &wire) else { return nil }
        continue
      }
      if byte == UInt8(ascii: "\\") {
        guard let escaped = ZoneName.escape(bytes, at: &index) else { return nil }
        byte = escaped
      }
      label.append(ZoneName.folded(byte))
      if label.count > 63 { return nil }
    }
    if !label.isEmpty { guard ZoneName.close(&label, into: &wire) else { return nil } }
    wire.append(0)
    if wire.count > 255 { return nil }
    self.init(wire: wire)
  }

  /// Whether `name` is this zone's or below it, on label borders.
  public func contains(_ name: ZoneName) -> Bool {
    var at = 0
    while name.wire.count - at >= wire.count {
      if name.wire[at...].elementsEqual(wire) { return true }
      at += Int(name.wire[at]) + 1
    }
    return false
  }

  /// `wire` is known to be valid and without pointers.
  public init(spelled wire: [UInt8]) { self.init(wire: wire.map(Self.folded)) }

  /// `wire` is known to be valid, without pointers, and folded.
  public init(wire: [UInt8]) {
    self.wire = wire
    text = ZoneName.presentation(wire)
  }

  private static func close(_ label: inout [UInt8], into wire: inout [UInt8]) -> Bool {
    if label.isEmpty || wire.count > 255 { return false }
    wire.append(UInt8(label.count))
    wire += label
    label.removeAll(keepingCapacity: true)
    return true
  }

  /// The byte of `\DDD` or `\X` after its backslash.
  private static func escape(_ bytes: [UInt8], at index: inout Int) -> UInt8? {
    guard index < bytes.count else { return nil }
    let digits = bytes[index...].prefix(3)
    if digits.count == 3 && digits.allSatisfy({ isDigit($0) }) {
      let value = digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
      index += 3
      return UInt8(exactly: value)
    }
    if isDigit(bytes[index]) { return nil }
    index += 1
    return bytes[index - 1]
  }

  private static func presentation(_ wire: [UInt8]) -> String {
    if wire.count == 1 { return "." }
    var text: [UInt8] = []
    var index = 0
    while wire[index] != 0 {
      let end = index + 1 + Int(wire[index])
      for byte in wire[(index + 1)..<end] {
        switch byte {
        case UInt8(ascii: "."), UInt8(ascii: "\\"):
          text += [UInt8(ascii: "\\"), byte]
        case 0x21...0x7E:
          text.append(byte)
        default:
          let zero = UInt8(ascii: "0")
          text += [UInt8(ascii: "\\"), zero + byte / 100, zero + byte / 10 % 10, zero + byte % 10]
        }
      }
      text.append(UInt8(ascii: "."))
      index = end
    }
    return String(decoding: text, as: UTF8.self)
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

  private static func folded(_ byte: UInt8) -> UInt8 {
    (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
  }
}
