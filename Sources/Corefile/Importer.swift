/// Replaces `import` lines by what they name and takes `(name) { ... }` snippets out of the token stream.
struct Importer {
  private let session: ParseSession
  private var snippets: [String: [Token]] = [:]
  private var output: [Token] = []
  private var depth = 0
  private var imports = 0
  /// The snippets and files being imported, outermost first.
  private var active: [String] = []

  static func expand(_ tokens: [Token], file: String, session: ParseSession) throws(CorefileError) -> [Token] {
    var importer = Importer(session: session)
    importer.active = [file]
    try importer.emit(tokens)
    return importer.output
  }

  private init(session: ParseSession) { self.session = session }

  private mutating func emit(_ tokens: [Token]) throws(CorefileError) {
    var index = 0
    while index < tokens.count {
      let token = tokens[index]
      let startsStatement = token.startsLine || output.last.map { $0.kind != .word } ?? true
      if token.isImport && startsStatement {
        try splice(tokens, at: &index)
      } else if depth == 0 && startsStatement, let name = snippetName(token), index + 1 < tokens.count,
        tokens[index + 1].kind == .openBrace
      {
        try define(name, tokens, at: &index)
      } else {
        switch token.kind {
        case .openBrace: depth += 1
        case .closeBrace: depth -= 1
        case .word: break
        }
        output.append(token)
        index += 1
      }
    }
  }

  private func snippetName(_ token: Token) -> String? {
    guard token.kind == .word, token.text.utf8.count >= 2, token.text.hasPrefix("("), token.text.hasSuffix(")") else {
      return nil
    }
    return String(token.text.dropFirst().dropLast())
  }

  /// Stores the body between the braces that follow `tokens[index]`.
  private mutating func define(_ name: String, _ tokens: [Token], at index: inout Int) throws(CorefileError) {
    let location = tokens[index].location
    if snippets[name] != nil { throw .grammar("redeclaration of previously declared snippet \(name)", at: location) }
    let start = index + 2
    var end = start
    var open = 1
    while end < tokens.count {
      if tokens[end].kind == .openBrace { open += 1 }
      if tokens[end].kind == .closeBrace { open -= 1 }
      if open == 0 { break }
      end += 1
    }
    guard open == 0 else { throw .grammar("Unexpected EOF, expected '}' to end snippet \(name)", at: location) }
    var body = Array(tokens[start..<end])
    if !body.isEmpty { body[0].startsLine = true }
    snippets[name] = body
    index = end + 1
  }

  /// Puts what the `import` at `tokens[index]` names in its place.
  private mutating func splice(_ tokens: [Token], at index: inout Int) throws(CorefileError) {
    let location = tokens[index].location
    guard index + 1 < tokens.count, tokens[index + 1].kind == .word, !tokens[index + 1].startsLine else {
      throw .grammar("Wrong argument count or unexpected line ending after 'import'", at: location)
    }
    let pattern = tokens[index + 1].text
    index += 2
    if pattern.isEmpty { throw .grammar("Import requires a non-empty filepath", at: location) }
    if index < tokens.count && !tokens[index].startsLine && tokens[index].kind != .closeBrace {
      throw .grammar("Import takes only one argument (glob pattern or file)", at: location)
    }
    if let body = snippets[pattern] {
      try session.spend(tokens: body.count, at: location)
      try nest("(\(pattern))", at: location) { (importer: inout Importer) throws(CorefileError) in
        try importer.emit(body)
      }
    } else {
      try importFiles(pattern, from: tokens[index - 1].location)
    }
  }

  private mutating func importFiles(_ pattern: String, from location: SourceLocation) throws(CorefileError) {
    let path = pattern.hasPrefix("/") ? pattern : directory(of: location.file) + pattern
    let wildcards = path.utf8.filter { $0 == UInt8(ascii: "*") }.count
    if wildcards > 1 || path.utf8.contains(where: { "?[]".utf8.contains($0) }) {
      throw .grammar("Glob pattern may only contain one wildcard (*), but has others: \(path)", at: location)
    }
    let files = wildcards == 0 ? [path] : session.environment.matches(path)
    if files.isEmpty { session.emptyImports.append("\(location) - import: no file matches \(pattern)") }
    for file in files {
      guard let bytes = session.environment.contents(file) else {
        throw .grammar("File to import not found: \(pattern)", at: location)
      }
      let tokens = try Lexer.tokens(of: bytes, file: file, session: session)
      try nest(file, at: location) { (importer: inout Importer) throws(CorefileError) in
        try importer.emit(tokens)
      }
    }
  }

  private mutating func nest(
    _ name: String, at location: SourceLocation, _ body: (inout Importer) throws(CorefileError) -> Void
  ) throws(CorefileError) {
    imports += 1
    if imports > Limits.imports {
      throw .grammar("maximum number of imports (\(Limits.imports)) exceeded", at: location)
    }
    if active.count > Limits.importDepth {
      throw .grammar("maximum import depth (\(Limits.importDepth)) exceeded", at: location)
    }
    if active.contains(name) {
      throw .grammar("import cycle: \((active + [name]).joined(separator: " imports "))", at: location)
    }
    active.append(name)
    try body(&self)
    active.removeLast()
  }

  /// With its trailing slash; empty for a bare file name.
  private func directory(of file: String) -> String {
    guard let slash = file.lastIndex(of: "/") else { return "" }
    return String(file[...slash])
  }
}
