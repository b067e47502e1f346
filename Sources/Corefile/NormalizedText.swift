extension ParsedBlock {
  /// The block with one space between words, one line per statement and option, no comments, imports replaced by what
  /// they name and variables by their values: equal for configurations that say the same in the same order.
  func appendNormalized(to text: inout String) {
    text += keys.map { quoted($0.text) }.joined(separator: " ")
    text += " {\n"
    for statement in statements {
      text += "  " + words(statement.line)
      if !statement.body.isEmpty {
        text += " {\n"
        for line in statement.body { text += "    " + words(line) + "\n" }
        text += "  }"
      }
      text += "\n"
    }
    text += "}\n"
  }

}

extension Statement {
  /// What follows the directive's name, on one line.
  var text: String {
    let options = body.map { words($0) }.joined(separator: "; ")
    let arguments = words(line.words.dropFirst())
    return body.isEmpty ? arguments : arguments + (arguments.isEmpty ? "" : " ") + "{ \(options) }"
  }
}

private func words(_ line: Line) -> String { words(line.words[...]) }

private func words(_ tokens: ArraySlice<Token>) -> String { tokens.map { quoted($0.text) }.joined(separator: " ") }

/// Quoted where the bare word would read as something else.
private func quoted(_ word: String) -> String {
  let isBare =
    !word.isEmpty && word != "{" && word != "}" && word != "import"
    && word.unicodeScalars.allSatisfy { $0 != "\"" && $0 != "#" && !isSpace($0) }
  if isBare { return word }
  var text = "\""
  for scalar in word.unicodeScalars {
    if scalar == "\"" { text.unicodeScalars.append("\\") }
    text.unicodeScalars.append(scalar)
  }
  return text + "\""
}
