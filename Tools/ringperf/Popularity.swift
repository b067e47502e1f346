import Glibc
import Memory

/// Draws an index by weight in constant time (the alias method, Vose 1991).
final class Popularity: Sendable {
  private let table: Region  // per index: the share of it that is its own, 32 bits; whose the rest is, 32 bits
  private let count: Int

  /// `weights` are positive, one or more, and need not sum to one.
  init(_ weights: [Double]) {
    count = weights.count
    table = Region(size: count * 8)
    let scale = Double(count) / weights.reduce(0, +)
    var left = weights.map { $0 * scale }
    var small = left.indices.filter { left[$0] < 1 }
    var large = left.indices.filter { left[$0] >= 1 }
    while !small.isEmpty, !large.isEmpty {
      let (poor, rich) = (small.removeLast(), large.removeLast())
      set(poor, share: left[poor], other: rich)
      left[rich] -= 1 - left[poor]
      if left[rich] < 1 { small.append(rich) } else { large.append(rich) }
    }
    // What is left has a whole share but for rounding.
    for index in small + large { set(index, share: 1, other: index) }
  }

  private func set(_ index: Int, share: Double, other: Int) {
    let part = UInt64(min(max(share, 0) * 0x1p32, 0x1p32 - 1))
    table.bytes.set(word: part << 32 | UInt64(other), at: index * 8)
  }

  /// Zipf's law: the weight of rank r, from 1 on, is r to the power of -`exponent`.
  static func zipf(_ count: Int, exponent: Double) -> [Double] {
    (1...count).map { pow(Double($0), -exponent) }
  }

  @inline(__always) func draw(_ random: inout RandomSource) -> Int {
    let word = random.next()
    let index = Int((word >> 32) &* UInt64(count) >> 32)
    let entry = table.bytes.word(index &* 8)
    return word & 0xFFFF_FFFF <= entry >> 32 ? index : Int(entry & 0xFFFF_FFFF)
  }
}
