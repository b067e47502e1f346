/// An IPv4 or IPv6 address.
public struct IPAddress: Hashable, Sendable {
  /// 4 or 16, in network order.
  public let bytes: [UInt8]
  /// The interface of a link-local IPv6 address (RFC 4007 section 11), by name or number.
  public let scope: String?

  public var isIPv4: Bool { bytes.count == 4 }

  public init(v4 bytes: (UInt8, UInt8, UInt8, UInt8)) {
    self.init(bytes: [bytes.0, bytes.1, bytes.2, bytes.3], scope: nil)
  }

  /// `bytes` are 4 or 16.
  public init(bytes: [UInt8], scope: String? = nil) {
    self.bytes = bytes
    self.scope = scope
  }

  /// Dotted decimal without leading zeros, or the IPv6 forms of RFC 4291 section 2.2, the latter with `%scope` or not.
  public init?(_ text: some StringProtocol) {
    let address: Substring.UTF8View
    var scope: String?
    let whole = Substring(text)
    if let percent = whole.utf8.firstIndex(of: UInt8(ascii: "%")) {
      address = whole.utf8[..<percent]
      let name = whole.utf8[whole.utf8.index(after: percent)...]
      if name.isEmpty || !address.contains(UInt8(ascii: ":")) { return nil }
      scope = String(Substring(name))
    } else {
      address = whole.utf8
    }
    // The longest form is 45 bytes long.
    if address.count > 45 { return nil }
    let ascii = Array(address)
    if ascii.contains(UInt8(ascii: ":")) {
      guard let bytes = IPAddress.parseV6(ascii[...]) else { return nil }
      self.init(bytes: bytes, scope: scope)
    } else {
      guard let bytes = IPAddress.parseV4(ascii[...]) else { return nil }
      self.init(bytes: bytes, scope: nil)
    }
  }

  private static func parseV4(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    if parts.count != 4 { return nil }
    var bytes: [UInt8] = []
    for part in parts {
      if part.isEmpty || part.count > 3 || (part.count > 1 && part.first == UInt8(ascii: "0")) { return nil }
      var value = 0
      for digit in part {
        guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
        value = value * 10 + Int(digit - UInt8(ascii: "0"))
      }
      guard let byte = UInt8(exactly: value) else { return nil }
      bytes.append(byte)
    }
    return bytes
  }

  private static func parseV6(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    let colon = UInt8(ascii: ":")
    guard let gap = text.indices.dropLast().first(where: { text[$0] == colon && text[$0 + 1] == colon }) else {
      guard let bytes = groups(text, mayEndInV4: true), bytes.count == 16 else { return nil }
      return bytes
    }
    // What follows the gap may hold no second one: `groups` refuses its empty group.
    guard let head = groups(text[..<gap], mayEndInV4: false),
      let tail = groups(text[(gap + 2)...], mayEndInV4: true), head.count + tail.count <= 14
    else {
      return nil
    }
    return head + [UInt8](repeating: 0, count: 16 - head.count - tail.count) + tail
  }

  /// Groups of up to four hexadecimal digits between colons; at the address's end the last may be an IPv4 address.
  private static func groups(_ text: ArraySlice<UInt8>, mayEndInV4: Bool) -> [UInt8]? {
    if text.isEmpty { return [] }
    let parts = text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    if parts.count > 8 { return nil }
    var bytes: [UInt8] = []
    for (index, part) in parts.enumerated() {
      if part.contains(UInt8(ascii: ".")) {
        guard mayEndInV4, index == parts.count - 1, let v4 = parseV4(part) else { return nil }
        bytes += v4
        continue
      }
      guard (1...4).contains(part.count), part.first != UInt8(ascii: "+"), part.first != UInt8(ascii: "-"),
        let group = UInt16(String(decoding: part, as: UTF8.self), radix: 16)
      else { return nil }
      bytes += [UInt8(group >> 8), UInt8(group & 0xFF)]
    }
    return bytes
  }
}
