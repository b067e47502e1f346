extension RewriteDirective {
  init(_ statement: Statement) throws(CorefileError) {
    // Inside braces a rule may go over several lines.
    var line = statement.line
    if statement.hasBody && line.arguments.count < 2 { line.words += statement.body.flatMap(\.words) }
    location = line.location
    var words = line.arguments
    if let first = words.first, let mode = Mode(rawValue: first.text.lowercased()) {
      self.mode = mode
      words = words.dropFirst()
    }
    guard let field = words.popFirst() else { throw line.failure("no rule type specified for rewrite") }
    let rest = Array(words)
    switch field.text.lowercased() {
    case "name": rule = try RewriteDirective.name(rest, line)
    case "type":
      guard rest.count == 2 else { throw line.failure("type rules must have exactly two arguments") }
      rule = .type(from: try line.recordType(rest[0]), to: try line.recordType(rest[1]))
    case "class":
      guard rest.count == 2 else { throw line.failure("class rules must have exactly two arguments") }
      rule = .recordClass(from: try line.recordClass(rest[0]), to: try line.recordClass(rest[1]))
    case "ttl":
      let (match, values) = try NameMatch.split(rest, values: 1, line, "ttl")
      rule = .ttl(match, try RewriteDirective.ttls(values[0], line))
    case "rcode":
      let (match, values) = try NameMatch.split(rest, values: 2, line, "rcode")
      rule = .responseCode(match, from: try line.responseCode(values[0]), to: try line.responseCode(values[1]))
    case "cname":
      let (match, values) = try NameMatch.split(rest, values: 1, line, "cname")
      rule = .cname(match, to: try match.replacement(values[0], line))
    case "edns0": rule = .edns(try EDNSChange(rest, line))
    case "answer": throw line.failure("response rewrites must begin with a name rule", at: field)
    default: throw line.failure("invalid rule type \"\(field.text)\"", at: field)
    }
  }

  private static func name(_ words: [Token], _ line: Line) throws(CorefileError) -> Rule {
    guard words.count >= 2 else { throw line.failure("too few arguments for a name rule") }
    let hasKind = words.count > 2
    let (match, values) = try NameMatch.split(Array(words.prefix(hasKind ? 3 : 2)), values: 1, line, "name")
    let to = try match.replacement(values[0], line)
    var answer = Answer()
    if words.count > 3 { answer = try Answer(words[3...], line) }
    if match.kind == .exact { answer.isAutomatic = true }
    return .name(match, to: to, answer: answer)
  }

  /// `N`, `MIN-MAX`, `MIN-`, `-MAX`
  private static func ttls(_ token: Token, _ line: Line) throws(CorefileError) -> ClosedRange<UInt32> {
    let parts = token.text.split(separator: "-", omittingEmptySubsequences: false)
    let low = parts[0].isEmpty && parts.count == 2 ? 0 : UInt32(parts[0])
    let last = parts[parts.count - 1]
    let high = last.isEmpty && parts.count == 2 ? UInt32(Int32.max) : UInt32(last)
    guard parts.count <= 2, token.text != "-", let low, let high, low <= high else {
      throw line.failure("invalid TTL '\(token.text)' for a ttl rule", at: token)
    }
    return low...high
  }
}

extension RewriteDirective.NameMatch {
  /// `[exact|prefix|suffix|substring|regex] NAME VALUES...`: one word more than without the kind.
  fileprivate static func split(
    _ words: [Token], values: Int, _ line: Line, _ rule: String
  ) throws(CorefileError) -> (RewriteDirective.NameMatch, [Token]) {
    guard words.count == values + 1 || words.count == values + 2 else {
      throw line.failure("too \(words.count <= values ? "few" : "many") (\(words.count)) arguments for a \(rule) rule")
    }
    var kind = Kind.exact
    if words.count == values + 2 {
      guard let wanted = Kind(rawValue: words[0].text.lowercased()) else {
        throw line.failure(
          "\(rule) rule supports only exact, prefix, suffix, substring, and regex name matching, received: "
            + words[0].text, at: words[0])
      }
      kind = wanted
    }
    let name = words[words.count - values - 1]
    let match = RewriteDirective.NameMatch(kind: kind, text: try text(name, kind, line))
    return (match, Array(words.suffix(values)))
  }

  private static func text(_ token: Token, _ kind: Kind, _ line: Line) throws(CorefileError) -> String {
    switch kind {
    case .exact, .suffix: try absolute(token, line)
    case .prefix, .substring: token.text.lowercased()
    case .regex: try line.pattern(token)
    }
  }

  /// A suffix may begin with the dot before its first label.
  private static func absolute(_ token: Token, _ line: Line) throws(CorefileError) -> String {
    if token.text.hasPrefix("."), let zone = ZoneName(String(token.text.dropFirst())) { return "." + zone.text }
    return try line.zone(token).text
  }

  /// What a matching name, or the part that matched, is replaced by.
  fileprivate func replacement(_ token: Token, _ line: Line) throws(CorefileError) -> String {
    switch kind {
    case .exact, .suffix: try RewriteDirective.NameMatch.absolute(token, line)
    case .prefix, .substring: token.text.lowercased()
    case .regex: token.text.lowercased() + (token.text.hasSuffix(".") ? "" : ".")
    }
  }
}

extension RewriteDirective.Answer {
  /// `answer auto`, `answer name|value PATTERN TO`; the word `answer` may be left out after the first.
  fileprivate init(_ words: ArraySlice<Token>, _ line: Line) throws(CorefileError) {
    var words = words
    if words.first?.text != "answer" {
      throw line.failure("exceeded the number of arguments for a non-answer rule argument for name rule")
    }
    while let word = words.popFirst() {
      var kind = word
      if word.text == "answer" {
        guard let next = words.popFirst() else { throw line.failure("type missing for answer rule for name rule") }
        kind = next
      }
      if kind.text == "auto" {
        isAutomatic = true
        continue
      }
      guard let part = Replacement.Part(rawValue: kind.text) else {
        throw line.failure("invalid type \"\(kind.text)\" for answer rule for name rule", at: kind)
      }
      guard let pattern = words.popFirst(), let to = words.popFirst() else {
        throw line.failure("\(part.rawValue) answer rule for name rule: 2 arguments required", at: kind)
      }
      replacements.append(Replacement(part: part, pattern: try line.pattern(pattern), to: to.text.lowercased()))
    }
    if isAutomatic && replacements.contains(where: { $0.part == .name }) {
      throw line.failure("auto name answer rule cannot be combined with explicit name answer rules")
    }
  }
}
