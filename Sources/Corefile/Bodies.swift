/// Where braces stand that hold one option and nothing else: `{ force_tcp }`, from the end of the directive's line on, in
/// whatever lines and white space; none where the text cannot be split into words.
///
/// - Parameters:
///   - text: A Corefile or a template of one; imports are not followed.
///   - line: The words of the directive that the braces belong to.
public func bodies(in text: String, of line: [String], holding option: String) -> [Range<String.Index>] {
  let session = ParseSession(environment: Environment(), defaultPort: 53)
  guard let tokens = try? Lexer.tokens(of: text, file: "", session: session) else { return [] }
  let words = line + ["{", option, "}"]
  var found: [Range<String.Index>] = []
  for start in tokens.indices.dropLast(words.count - 1) {
    let candidate = tokens[start..<(start + words.count)]
    guard candidate.first!.startsLine || start == 0 || tokens[start - 1].kind != .word,
      candidate.map(\.text) == words
    else { continue }
    found.append(tokens[start + line.count - 1].range.upperBound..<candidate.last!.range.upperBound)
  }
  return found
}
