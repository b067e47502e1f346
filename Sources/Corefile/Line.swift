/// The words of one line: a directive or an option, and its arguments.
struct Line {
  /// The directive the line belongs to.
  var directive: String
  /// At least one.
  var words: [Token]

  var name: Token { words[0] }
  var arguments: ArraySlice<Token> { words.dropFirst() }
  var location: SourceLocation { name.location }

  /// What a directive's own rules found wrong, as CoreDNS prefixes it.
  func failure(_ message: String, at token: Token? = nil) -> CorefileError {
    CorefileError("plugin/\(directive): \(message)", at: (token ?? name).location, directive: directive)
  }

  /// Throws unless there are as many arguments as `counts` says; `usage` is what was expected.
  func requireArguments(_ counts: ClosedRange<Int>, usage: String) throws(CorefileError) {
    if !counts.contains(arguments.count) { throw wrongCount(usage: usage) }
  }

  func wrongCount(usage: String) -> CorefileError {
    let last = words[words.count - 1]
    return failure(
      "Wrong argument count or unexpected line ending after '\(last.text)', expected: \(usage)", at: last)
  }

  func requireNoArguments() throws(CorefileError) {
    try requireArguments(0...0, usage: name.text)
  }

  func unknownProperty() -> CorefileError { failure("unknown property '\(name.text)'") }
}

/// A directive's line and the lines in its braces.
struct Statement {
  var line: Line
  var body: [Line] = []
  /// The directive had braces, perhaps empty ones.
  var hasBody = false

  var location: SourceLocation { line.location }

  func requireNoBody() throws(CorefileError) {
    if hasBody { throw line.failure("unexpected '{', '\(line.name.text)' takes no options") }
  }
}
