/// SplitMix64: the same seed, the same run.
package struct Chance: RandomNumberGenerator {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    return mix(state)
  }

  /// 0 up to, not including, `bound` (> 0).
  package mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

  package mutating func between(_ low: UInt64, _ high: UInt64) -> UInt64 { low + next() % (high - low + 1) }

  /// True in `rate` of a million calls.
  package mutating func happens(_ rate: Int) -> Bool { rate > 0 && below(1_000_000) < rate }
}

/// Spreads what is close together.
func mix(_ value: UInt64) -> UInt64 {
  var z = value
  z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
  z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
  return z ^ z >> 31
}

/// Nanoseconds.
package let microsecond: UInt64 = 1000
package let millisecond: UInt64 = 1_000_000
package let second: UInt64 = 1_000_000_000
