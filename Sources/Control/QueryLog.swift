/// The line that CoreDNS's `log` directive writes for a query: a format, read once, and filled in for each query.
///
/// A placeholder that CoreDNS does not know stays as it is; `{/name}` stands for metadata, of which there is none here.
///
/// Sources: CoreDNS plugin/log README, 'Log Format'; plugin/pkg/replacer; `spec/plugins.md`, 'Log format'.
public struct QueryLog: Sendable {
  public static let common =
    "{remote}:{port} - {>id} \"{type} {class} {name} {proto} {size} {>do} {>bufsize}\" {rcode} {>rflags} {rsize} {duration}"
  public static let combined = common + " \"{>opcode}\""

  /// One query and its answer. Text that is empty, and numbers that are nil, are written as `-`.
  public struct Fields: Sendable {
    /// Addresses without port or brackets.
    public var remote = ""
    public var local = ""
    public var port: UInt16 = 0
    public var id: UInt16 = 0
    public var opcode: UInt8 = 0
    public var type = ""
    public var `class` = ""
    /// In lower case, with the last dot.
    public var name = ""
    /// `udp` or `tcp`.
    public var proto = ""
    /// Of the query, in bytes.
    public var size = 0
    public var dnssecOK = false
    /// What the client takes, in bytes: 512 on UDP without EDNS, 65535 on TCP.
    public var bufferSize = 512
    public var rcode = ""
    /// The header of the answer, from its third byte: QR to CD, and the response code (RFC 1035 §4.1.1).
    public var responseFlags: UInt16?
    /// Of the answer, in bytes.
    public var responseSize: Int?
    public var nanoseconds: UInt64?

    public init() {}
  }

  private enum Label: String {
    case type = "{type}"
    case name = "{name}"
    case `class` = "{class}"
    case proto = "{proto}"
    case size = "{size}"
    case remote = "{remote}"
    case port = "{port}"
    case local = "{local}"
    case rcode = "{rcode}"
    case rsize = "{rsize}"
    case duration = "{duration}"
    case rflags = "{>rflags}"
    case id = "{>id}"
    case opcode = "{>opcode}"
    case dnssecOK = "{>do}"
    case bufferSize = "{>bufsize}"
  }

  private enum Part {
    case text(String)
    case label(Label)
  }

  private let parts: [Part]

  /// `{common}` and `{combined}` in `format` stand for these formats.
  public init(format: String = "{common}") {
    var parts: [Part] = []
    var rest = Self.replacing(
      "{combined}", by: Self.combined, in: Self.replacing("{common}", by: Self.common, in: format))
    // The innermost pair of braces counts: `{ {type} }` has one placeholder.
    while let close = rest.firstIndex(of: "}") {
      let end = rest.index(after: close)
      let open = rest[..<close].lastIndex(of: "{") ?? end
      parts.append(.text(String(rest[..<open])))
      let word = rest[open..<end]
      if let label = Label(rawValue: String(word)) {
        parts.append(.label(label))
      } else {
        parts.append(.text(word.hasPrefix("{/") ? "-" : String(word)))
      }
      rest = String(rest[end...])
    }
    parts.append(.text(rest))
    self.parts = parts
  }

  /// Writes the line, from `[INFO]` on and without a newline, to the end of `line`.
  public func append(_ fields: Fields, to line: inout [UInt8]) {
    line.append(contentsOf: "[INFO] ".utf8)
    for part in parts {
      switch part {
      case .text(let text): line.append(contentsOf: text.utf8)
      case .label(let label):
        let text = Self.text(label, fields)
        line.append(contentsOf: (text.isEmpty ? "-" : text).utf8)
      }
    }
  }

  /// The line as a string, for who writes few of them.
  public func line(_ fields: Fields) -> String {
    var bytes: [UInt8] = []
    append(fields, to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func text(_ label: Label, _ fields: Fields) -> String {
    switch label {
    case .type: fields.type
    case .name: fields.name
    case .class: fields.class
    case .proto: fields.proto
    case .size: "\(fields.size)"
    case .remote: bracketed(fields.remote)
    case .port: "\(fields.port)"
    case .local: bracketed(fields.local)
    case .rcode: fields.rcode
    case .rsize: fields.responseSize.map { "\($0)" } ?? ""
    case .duration: fields.nanoseconds.map { GoFloat.plain(Double($0) / 1e9) + "s" } ?? ""
    case .rflags: fields.responseFlags.map(flags) ?? ""
    case .id: "\(fields.id)"
    case .opcode: "\(fields.opcode)"
    case .dnssecOK: fields.dnssecOK ? "true" : "false"
    case .bufferSize: "\(fields.bufferSize)"
    }
  }

  private static func bracketed(_ address: String) -> String { address.contains(":") ? "[\(address)]" : address }

  /// Bits of the header's second 16-bit word, in CoreDNS's order.
  private static func flags(_ word: UInt16) -> String {
    let names: [(UInt16, String)] = [
      (0x8000, "qr"), (0x0400, "aa"), (0x0200, "tc"), (0x0100, "rd"), (0x0080, "ra"), (0x0040, "z"), (0x0020, "ad"),
      (0x0010, "cd"),
    ]
    return names.filter { word & $0.0 != 0 }.map(\.1).joined(separator: ",")
  }

  private static func replacing(_ placeholder: String, by format: String, in text: String) -> String {
    text.split(separator: placeholder, omittingEmptySubsequences: false).joined(separator: format)
  }
}
