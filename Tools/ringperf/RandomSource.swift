import Glibc

/// SplitMix64 (Steele, Lea, Flood 2014): a seed gives the same load again.
struct RandomSource: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var word = state
    word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
    return word ^ (word >> 31)
  }

  /// Above 0, at most 1.
  mutating func unit() -> Double { (Double(next() >> 11) + 1) * 0x1p-53 }
}
