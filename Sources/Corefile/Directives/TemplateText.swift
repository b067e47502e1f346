/// Text with places that are filled in from a query: the part of Go's text/template that node-local files use.
public struct TemplateText: Hashable, Sendable {
  public enum Piece: Hashable, Sendable {
    case text(String)
    /// `{{ .Name }}`, `{{ .Zone }}`, `{{ .Class }}`, `{{ .Type }}`, `{{ .Remote }}`
    case field(Field)
    /// `{{ index .Match N }}`: a group by its number, 0 for the whole match.
    case match(Int)
    /// `{{ .Group.name }}`, `{{ index .Group "name" }}`: a group by its name or number.
    case group(String)
  }

  public enum Field: String, Hashable, Sendable {
    case name = "Name"
    case zone = "Zone"
    case recordClass = "Class"
    case type = "Type"
    case remote = "Remote"
  }

  public var pieces: [Piece] = []
}

extension TemplateText {
  /// Anything else between braces is refused when the file is read, by line, rather than at each query.
  init(_ token: Token, _ option: Line) throws(CorefileError) {
    let bytes = Array(token.text.utf8)
    var start = 0
    var index = 0
    while index + 1 < bytes.count {
      guard bytes[index] == UInt8(ascii: "{"), bytes[index + 1] == UInt8(ascii: "{") else {
        index += 1
        continue
      }
      if index > start { pieces.append(.text(String(decoding: bytes[start..<index], as: UTF8.self))) }
      var end = index + 2
      while end + 1 < bytes.count, bytes[end] != UInt8(ascii: "}") || bytes[end + 1] != UInt8(ascii: "}") { end += 1 }
      guard end + 1 < bytes.count else {
        throw option.failure("could not compile template: unclosed action", at: token)
      }
      let action = String(decoding: bytes[(index + 2)..<end], as: UTF8.self)
      guard let piece = TemplateText.piece(action) else {
        throw option.failure(
          "could not compile template: {{\(action)}} is not supported, expected .Name, .Zone, .Class, .Type, .Remote, "
            + "index .Match N or .Group.NAME", at: token)
      }
      pieces.append(piece)
      index = end + 2
      start = index
    }
    if start < bytes.count { pieces.append(.text(String(decoding: bytes[start...], as: UTF8.self))) }
  }

  private static func piece(_ action: String) -> Piece? {
    let words = action.split(separator: " ")
    if words.count == 1, words[0].hasPrefix(".") {
      let name = words[0].dropFirst()
      if name.hasPrefix("Group."), isIdentifier(name.dropFirst(6)) { return .group(String(name.dropFirst(6))) }
      return Field(rawValue: String(name)).map { .field($0) }
    }
    guard words.count == 3, words[0] == "index" else { return nil }
    if words[1] == ".Match", let number = UInt8(words[2]) { return .match(Int(number)) }
    let isQuoted = words[2].count > 2 && words[2].hasPrefix("\"") && words[2].hasSuffix("\"")
    guard words[1] == ".Group", isQuoted else { return nil }
    let name = words[2].dropFirst().dropLast()
    return isIdentifier(name) ? .group(String(name)) : nil
  }

  private static func isIdentifier(_ text: Substring) -> Bool {
    !text.isEmpty
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
          true
        default: false
        }
      }
  }
}
