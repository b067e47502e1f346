import Corefile

/// The line that CoreDNS's `log` directive writes for a query: a format filled in. `{/name}` stands for metadata, of
/// which there is none here.
///
/// Sources: CoreDNS plugin/log README, 'Log Format'; plugin/pkg/replacer; `spec/plugins.md`, 'Log format'.
public struct QueryLog: Sendable {
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

  private let format: LogFormat

  public init(_ format: LogFormat) { self.format = format }

  /// Writes the line, from `[INFO]` on and without a newline, to the end of `line`.
  public func append(_ fields: Fields, to line: inout [UInt8]) {
    line.append(contentsOf: "[INFO] ".utf8)
    fill(fields, to: &line)
  }

  /// Writes the format alone, filled in, to the end of `line`.
  func fill(_ fields: Fields, to line: inout [UInt8]) {
    for piece in format.pieces {
      switch piece {
      case .text(let text): line.append(contentsOf: text.utf8)
      case .metadata: line.append(UInt8(ascii: "-"))
      case .field(let field):
        let text = Self.text(field, fields)
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

  private static func text(_ field: LogFormat.Field, _ fields: Fields) -> String {
    switch field {
    case .type: fields.type
    case .name: fields.name
    case .class: fields.class
    case .transport: fields.proto
    case .size: "\(fields.size)"
    case .remote: bracketed(fields.remote)
    case .port: "\(fields.port)"
    case .local: bracketed(fields.local)
    case .rcode: fields.rcode
    case .rsize: fields.responseSize.map { "\($0)" } ?? ""
    case .duration: fields.nanoseconds.map { GoFloat.plain(Double($0) / 1e9) + "s" } ?? ""
    case .responseFlags: fields.responseFlags.map(flags) ?? ""
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
}
