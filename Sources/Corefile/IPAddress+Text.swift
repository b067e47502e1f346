extension IPAddress: CustomStringConvertible {
  /// Dotted decimal, or the canonical form of RFC 5952 with its scope if any.
  public var description: String {
    if isIPv4 { return bytes.map { String($0) }.joined(separator: ".") }
    return IPAddress.canonical(bytes) + (scope.map { "%\($0)" } ?? "")
  }

  private static func canonical(_ bytes: [UInt8]) -> String {
    if bytes[..<10].allSatisfy({ $0 == 0 }) && bytes[10] == 0xFF && bytes[11] == 0xFF {
      return "::ffff:" + bytes[12...].map { String($0) }.joined(separator: ".")
    }
    let groups = (0..<8).map { UInt16(bytes[2 * $0]) << 8 | UInt16(bytes[2 * $0 + 1]) }
    let gap = longestZeros(groups)
    let hex = groups.map { String($0, radix: 16) }
    if gap.count < 2 { return hex.joined(separator: ":") }
    return hex[..<gap.lowerBound].joined(separator: ":") + "::" + hex[gap.upperBound...].joined(separator: ":")
  }

  /// The first of the longest runs of zero groups.
  private static func longestZeros(_ groups: [UInt16]) -> Range<Int> {
    var longest = 0..<0
    var start = 0
    for (index, group) in groups.enumerated() {
      if group != 0 {
        start = index + 1
      } else if index + 1 - start > longest.count {
        longest = start..<(index + 1)
      }
    }
    return longest
  }
}
