extension EDNSChange {
  /// `local|nsid|subnet append|replace|set|unset ... [revert]`
  init(_ words: [Token], _ line: Line) throws(CorefileError) {
    guard words.count >= 2 else { throw line.failure("too few arguments for an EDNS0 rule") }
    guard let action = Action(rawValue: words[1].text.lowercased()) else {
      throw line.failure("invalid action: \"\(words[1].text)\"", at: words[1])
    }
    self.action = action
    var rest = Array(words[2...])
    if action != .unset, rest.last?.text == "revert" {
      reverts = true
      rest.removeLast()
    }
    let kind = words[0].text.lowercased()
    switch (kind, action, rest.count) {
    case ("local", .unset, 1): option = .local(code: try EDNSChange.code(rest[0], line), .bytes([]))
    case ("local", .append, 2), ("local", .replace, 2), ("local", .set, 2):
      option = .local(code: try EDNSChange.code(rest[0], line), try EDNSChange.data(rest[1], line))
    case ("nsid", _, 0): option = .nsid
    case ("subnet", .unset, 0): option = .subnet(v4: 0, v6: 0)
    case ("subnet", .append, 2), ("subnet", .replace, 2), ("subnet", .set, 2):
      option = .subnet(
        v4: UInt8(try line.number(rest[0], in: 0...32, "IPv4 bit mask length")),
        v6: UInt8(try line.number(rest[1], in: 0...128, "IPv6 bit mask length")))
    case ("local", _, _), ("nsid", _, _), ("subnet", _, _):
      throw line.failure("wrong number of arguments for an EDNS0 \(kind) \(action.rawValue) rule", at: words[1])
    default: throw line.failure("invalid rule type \"\(words[0].text)\"", at: words[0])
    }
  }

  /// Decimal, or hexadecimal after `0x`.
  private static func code(_ token: Token, _ line: Line) throws(CorefileError) -> UInt16 {
    let isHex = token.text.hasPrefix("0x")
    guard let code = isHex ? UInt16(token.text.dropFirst(2), radix: 16) : UInt16(token.text) else {
      throw line.failure("not an EDNS0 option code: \"\(token.text)\"", at: token)
    }
    return code
  }

  /// `{variable}`, `{label/of/metadata}`, bytes in hexadecimal after `0x`, or the text's own bytes.
  private static func data(_ token: Token, _ line: Line) throws(CorefileError) -> LocalData {
    let text = token.text
    if text.hasPrefix("{"), text.hasSuffix("}"), text.utf8.count >= 2 {
      let name = String(text.dropFirst().dropLast())
      if let variable = Variable(rawValue: name) { return .variable(variable) }
      let labels = name.split(separator: "/", omittingEmptySubsequences: false)
      if labels.count == 2, !labels.contains("") { return .metadata(name) }
      throw line.failure("unsupported variable name \"\(text)\"", at: token)
    }
    guard text.hasPrefix("0x") else { return .bytes(Array(text.utf8)) }
    let digits = Array(text.utf8.dropFirst(2))
    var bytes: [UInt8] = []
    for index in stride(from: 0, to: digits.count - 1, by: 2) {
      let pair = digits[index...(index + 1)]
      guard !pair.contains(UInt8(ascii: "+")), !pair.contains(UInt8(ascii: "-")),
        let byte = UInt8(String(decoding: pair, as: UTF8.self), radix: 16)
      else { throw line.failure("not hexadecimal: \"\(text)\"", at: token) }
      bytes.append(byte)
    }
    if digits.count % 2 != 0 { throw line.failure("not hexadecimal: \"\(text)\"", at: token) }
    return .bytes(bytes)
  }
}
