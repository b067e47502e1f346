/// Splits one file into tokens.
///
/// White space separates words; a word that begins with `"` runs to the next `"` that no backslash precedes, over lines
/// too; `#` outside quotes hides the rest of its line even within a word; carriage returns are not there.
struct Lexer {
  private let session: ParseSession
  private let file: String
  private var line = 1
  private var tokens: [Token] = []
  private var word = String.UnicodeScalarView()
  private var wordLine = 1
  private var wordStart = "".startIndex
  private var wordEnd = "".startIndex
  /// Where the latest token ended, for `startsLine`.
  private var lastLine = 0

  static func tokens(
    of bytes: [UInt8], file: String, session: ParseSession
  ) throws(CorefileError) -> [Token] {
    let location = SourceLocation(file: file, line: 1)
    try session.spend(sourceBytes: bytes.count, at: location)
    // Bytes that are not UTF-8 become U+FFFD, as in Go.
    return try tokens(of: String(decoding: bytes, as: UTF8.self), file: file, session: session)
  }

  static func tokens(of text: String, file: String, session: ParseSession) throws(CorefileError) -> [Token] {
    var lexer = Lexer(session: session, file: file)
    try lexer.run(text)
    return lexer.tokens
  }

  private init(session: ParseSession, file: String) {
    self.session = session
    self.file = file
  }

  private var location: SourceLocation { SourceLocation(file: file, line: line) }

  private enum State { case text, comment, quoted, escaped }

  private mutating func run(_ text: String) throws(CorefileError) {
    let scalars = text.unicodeScalars
    var state = State.text
    for index in scalars.indices {
      let scalar = scalars[index]
      if scalar == "\u{0}" { throw .grammar("unexpected NUL byte", at: location) }
      if index == scalars.startIndex && scalar == "\u{FEFF}" { continue }
      switch state {
      case .text:
        if scalar == "\r" { continue }
        if scalar == "#" || isSpace(scalar) {
          if !word.isEmpty { try endWord(isQuoted: false) }
          if scalar == "#" { state = .comment }
        } else {
          if word.isEmpty { (wordLine, wordStart) = (line, index) }
          if word.isEmpty && scalar == "\"" { state = .quoted } else { word.append(scalar) }
          wordEnd = scalars.index(after: index)
        }
      case .comment:
        if scalar == "\n" { state = .text }
      case .quoted:
        if scalar == "\\" {
          state = .escaped
        } else if scalar == "\"" {
          wordEnd = scalars.index(after: index)
          try endWord(isQuoted: true)
          state = .text
        } else {
          word.append(scalar)
        }
      case .escaped:
        if scalar != "\"" { word.append("\\") }
        word.append(scalar)
        state = .quoted
      }
      if scalar == "\n" { line += 1 }
    }
    if state == .quoted || state == .escaped {
      throw .grammar("Unexpected EOF, expected '\"' to end the quote", at: SourceLocation(file: file, line: wordLine))
    }
    if !word.isEmpty { try endWord(isQuoted: false) }
  }

  private mutating func endWord(isQuoted: Bool) throws(CorefileError) {
    let location = SourceLocation(file: file, line: wordLine)
    try session.spend(tokens: 1, at: location)
    let raw = String(word)
    word = String.UnicodeScalarView()
    let kind: Token.Kind = isQuoted ? .word : raw == "{" ? .openBrace : raw == "}" ? .closeBrace : .word
    let text = try expandVariables(raw, session: session, at: location)
    tokens.append(
      Token(
        text: text, kind: kind, startsLine: wordLine > lastLine, isQuoted: isQuoted, location: location,
        range: wordStart..<wordEnd))
    lastLine = line
  }
}

/// Unicode's White_Space, as Go's lexer has it; ASCII does without the look-up.
func isSpace(_ scalar: Unicode.Scalar) -> Bool {
  scalar.isASCII ? scalar == " " || (9...13).contains(scalar.value) : scalar.properties.isWhitespace
}
