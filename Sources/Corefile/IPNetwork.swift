/// An address range: an address whose bits after the first `length` are zero.
public struct IPNetwork: Hashable, Sendable, CustomStringConvertible {
  public let address: IPAddress
  /// 0...32 or 0...128.
  public let length: Int

  /// `address` has no bits after the first `length`.
  init(address: IPAddress, length: Int) {
    self.address = address
    self.length = length
  }

  /// `address/length`; bits after the prefix are cleared.
  public init?(_ text: some StringProtocol) {
    let whole = Substring(text)
    guard let slash = whole.firstIndex(of: "/"), let address = IPAddress(whole[..<slash]), address.scope == nil,
      let length = parsePort(whole[whole.index(after: slash)...]), Int(length) <= address.bytes.count * 8
    else { return nil }
    let bytes = address.bytes.enumerated().map { index, byte in
      let kept = min(8, max(0, Int(length) - 8 * index))
      return byte & ~UInt8(truncatingIfNeeded: 0xFF >> kept)
    }
    self.address = IPAddress(bytes: bytes, scope: nil)
    self.length = Int(length)
  }

  public var description: String { "\(address)/\(length)" }
}
