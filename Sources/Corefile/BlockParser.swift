/// A server block's words, before its directives are read.
struct ParsedBlock {
  /// At least one.
  var keys: [Token]
  var statements: [Statement]
}

/// Groups tokens into blocks, statements and lines. Braces nest two deep at most, so there is no recursion.
struct BlockParser {
  private let tokens: [Token]
  private var index = 0

  static func blocks(of tokens: [Token]) throws(CorefileError) -> [ParsedBlock] {
    var parser = BlockParser(tokens: tokens)
    var blocks: [ParsedBlock] = []
    while parser.index < tokens.count { blocks.append(try parser.block()) }
    return blocks
  }

  private init(tokens: [Token]) { self.tokens = tokens }

  private var next: Token? { index < tokens.count ? tokens[index] : nil }
  private var lastLocation: SourceLocation { tokens[tokens.count - 1].location }

  private mutating func block() throws(CorefileError) -> ParsedBlock {
    let keys = try keys()
    let isBraced = next?.kind == .openBrace
    if isBraced { index += 1 }
    var statements: [Statement] = []
    while let token = next {
      if token.kind == .closeBrace {
        guard isBraced else { throw unmatchedBrace(token) }
        index += 1
        return ParsedBlock(keys: keys, statements: statements)
      }
      if token.kind == .openBrace {
        throw .grammar("Unexpected token '{', expecting a directive", at: token.location)
      }
      statements.append(try statement())
    }
    if isBraced {
      throw .grammar("Unexpected EOF, expected '}' to end the block of \(keys[0].text)", at: lastLocation)
    }
    return ParsedBlock(keys: keys, statements: statements)
  }

  /// The words up to an open brace or the end of the line; a comma carries on to the next line.
  private mutating func keys() throws(CorefileError) -> [Token] {
    var keys: [Token] = []
    var expectsAnother = false
    while let token = next {
      switch token.kind {
      case .closeBrace:
        throw unmatchedBrace(token)
      case .openBrace:
        if expectsAnother {
          throw .grammar("Expected another address but had '{' - check for extra comma", at: token.location)
        }
        if keys.isEmpty { throw .grammar("Unexpected token '{', expecting a zone", at: token.location) }
        return keys
      case .word:
        if !keys.isEmpty && token.startsLine && !expectsAnother { return keys }
        for part in token.text.split(separator: ",") {
          var key = token
          key.text = String(part)
          keys.append(key)
        }
        expectsAnother = token.text.hasSuffix(",")
        index += 1
      }
    }
    if expectsAnother { throw .grammar("Unexpected EOF, expected another zone after ','", at: lastLocation) }
    if keys.isEmpty { throw .grammar("Unexpected EOF, expected a zone", at: lastLocation) }
    return keys
  }

  private func unmatchedBrace(_ token: Token) -> CorefileError {
    .grammar("Unexpected '}' because no matching opening brace", at: token.location)
  }

  private mutating func statement() throws(CorefileError) -> Statement {
    let directive = tokens[index].text
    try Directive.requireKnown(directive, at: tokens[index].location)
    var statement = Statement(line: line(of: directive))
    guard let brace = next, brace.kind == .openBrace else { return statement }

    statement.hasBody = true
    index += 1
    while let token = next, token.kind != .closeBrace {
      if token.kind == .openBrace {
        throw .grammar("Unexpected token '{', expecting an option", at: token.location, directive: directive)
      }
      statement.body.append(line(of: directive))
    }
    guard next != nil else {
      throw .grammar("Unexpected EOF, expected '}' to end \(directive)", at: lastLocation, directive: directive)
    }
    index += 1
    if let token = next, token.kind == .word, !token.startsLine {
      throw .grammar(
        "Unexpected token '\(token.text)' after '}', expecting a new line", at: token.location, directive: directive)
    }
    return statement
  }

  /// The word at `index` and those after it on its line.
  private mutating func line(of directive: String) -> Line {
    var words = [tokens[index]]
    index += 1
    while let token = next, token.kind == .word, !token.startsLine {
      words.append(token)
      index += 1
    }
    return Line(directive: directive, words: words)
  }
}
