/// Fills in `{$NAME}` and `{%NAME%}`: the variable's value, nothing where it is unset. Values are not expanded again, and
/// a reference that is empty or does not end stays as it is.
func expandVariables(
  _ text: String, session: ParseSession, at location: SourceLocation
) throws(CorefileError) -> String {
  guard text.utf8.contains(UInt8(ascii: "{")) else { return text }
  let bytes = Array(text.utf8)
  var expanded: [UInt8] = []
  var index = 0
  // No reference can end once one has not: looking for the end again would cost quadratic time.
  var mayHoldDollar = true
  var mayHoldPercent = true
  while index < bytes.count {
    let isDollar = mayHoldDollar && bytes[index...].starts(with: "{$".utf8)
    let isPercent = mayHoldPercent && bytes[index...].starts(with: "{%".utf8)
    guard isDollar || isPercent else {
      expanded.append(bytes[index])
      index += 1
      continue
    }
    guard let end = referenceEnd(bytes, from: index + 2, isPercent: isPercent) else {
      if isDollar { mayHoldDollar = false } else { mayHoldPercent = false }
      continue
    }
    let next = end + (isPercent ? 2 : 1)
    if end == index + 2 {
      expanded += bytes[index..<next]
    } else if let value = session.environment.variable(String(decoding: bytes[(index + 2)..<end], as: UTF8.self)) {
      try session.spend(expandedBytes: value.utf8.count, at: location)
      expanded += value.utf8
    }
    index = next
  }
  return String(decoding: expanded, as: UTF8.self)
}

private func referenceEnd(_ bytes: [UInt8], from start: Int, isPercent: Bool) -> Int? {
  guard isPercent else { return bytes[start...].firstIndex(of: UInt8(ascii: "}")) }
  var index = start
  while let percent = bytes[index...].firstIndex(of: UInt8(ascii: "%")) {
    if percent + 1 < bytes.count && bytes[percent + 1] == UInt8(ascii: "}") { return percent }
    index = percent + 1
  }
  return nil
}
