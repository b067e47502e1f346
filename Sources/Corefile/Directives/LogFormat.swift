/// A log line's text and what is filled in.
public struct LogFormat: Hashable, Sendable {
  public enum Piece: Hashable, Sendable {
    case text(String)
    case field(Field)
    /// `{/label}`: what another directive has to say about the query.
    case metadata(String)
  }

  /// What a query has that a line can show.
  public enum Field: String, CaseIterable, Hashable, Sendable {
    case type, name, `class`, remote, port, local, size, rcode, rsize, duration
    case transport = "proto"
    case id = ">id"
    case opcode = ">opcode"
    case dnssecOK = ">do"
    case bufferSize = ">bufsize"
    case responseFlags = ">rflags"
  }

  public var pieces: [Piece]

  public static let common = LogFormat(commonText)
  public static let combined = LogFormat(combinedText)

  private static let commonText =
    "{remote}:{port} - {>id} \"{type} {class} {name} {proto} {size} {>do} {>bufsize}\" {rcode} {>rflags} {rsize} "
    + "{duration}"
  private static let combinedText = commonText + " \"{>opcode}\""

  /// Braces around anything but a field stay as text; `{common}` and `{combined}` stand for those formats.
  public init(_ text: String) {
    pieces = []
    var literal = ""
    var rest = Substring(text)
    while let open = rest.firstIndex(of: "{") {
      guard let close = rest[open...].firstIndex(of: "}") else { break }
      // The innermost braces hold the name: `{{type}}` shows the type in braces.
      let start = rest[open..<close].lastIndex(of: "{") ?? open
      literal += rest[..<start]
      let name = rest[rest.index(after: start)..<close]
      rest = rest[rest.index(after: close)...]
      guard let found = LogFormat.pieces(String(name)) else {
        literal += "{\(name)}"
        continue
      }
      if !literal.isEmpty { pieces.append(.text(literal)) }
      literal = ""
      pieces += found
    }
    literal += rest
    if !literal.isEmpty { pieces.append(.text(literal)) }
  }

  private static func pieces(_ name: String) -> [Piece]? {
    if name == "common" { return common.pieces }
    if name == "combined" { return combined.pieces }
    if let field = Field(rawValue: name) { return [.field(field)] }
    if name.hasPrefix("/") && name.utf8.count > 1 { return [.metadata(String(name.dropFirst()))] }
    return nil
  }
}
