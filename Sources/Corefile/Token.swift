/// A word or brace of a Corefile.
struct Token {
  enum Kind { case word, openBrace, closeBrace }

  /// Without quotes, environment variables filled in.
  var text: String
  var kind: Kind
  /// Nothing but white space stands before it on its line.
  var startsLine: Bool
  var isQuoted: Bool
  var location: SourceLocation
  /// Where it stands in its file's text, quotes included.
  var range: Range<String.Index>

  /// `import` where a directive or a key could stand.
  var isImport: Bool { kind == .word && !isQuoted && text == "import" }
}
