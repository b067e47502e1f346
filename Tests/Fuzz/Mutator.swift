/// Damages inputs, the same way for the same seed.
public struct Mutator: RandomNumberGenerator {
  private var state: UInt64

  public init(seed: UInt64) { state = seed }

  /// SplitMix64.
  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }

  /// Octets that DNS or a text format reads as more than data: lengths, pointers, quotes, ends.
  private static let notable: [UInt8] =
    [0, 1, 4, 11, 12, 41, 63, 64, 127, 128, 0xC0, 0xFF] + " \t\r\n#{}()[]\"\\./:;,*%$-0aZ".utf8

  /// `input` with one to four changes, some of them octets of `other`; at most 65,535 octets.
  public mutating func mutate(_ input: [UInt8], with other: [UInt8]) -> [UInt8] {
    var octets = input
    for _ in 0..<below(4) + 1 {
      let at = below(octets.count + 1)
      let end = min(octets.count, at + 1 + below(16))
      switch below(8) {
      case 0 where at < octets.count: octets[at] ^= 1 << UInt8(below(8))
      case 1 where at < octets.count: octets[at] = Self.notable[below(Self.notable.count)]
      case 2 where at + 1 < octets.count:
        octets.replaceSubrange(
          at..<at + 2, with: [[0, 12], [0xC0, 12], [0xC0, UInt8(at & 0xFF)], [0xFF, 0xFF]][below(4)])
      case 3: octets.removeSubrange(at..<end)
      case 4: octets.removeSubrange(at...)
      case 5: octets.insert(contentsOf: octets[at..<end], at: below(octets.count + 1))
      case 6: octets.insert(contentsOf: other.dropFirst(below(other.count + 1)).prefix(1 + below(64)), at: at)
      default: octets.insert(contentsOf: (0...below(4)).map { _ in Self.notable[below(Self.notable.count)] }, at: at)
      }
    }
    return Array(octets.prefix(65_535))
  }

  private mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}
