import Cache
import Memory

/// SplitMix64: the same seed, the same run.
struct Generator: RandomNumberGenerator {
  var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    return mix(state)
  }
}

func mix(_ value: UInt64) -> UInt64 {
  var z = value
  z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
  z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
  return z ^ z >> 31
}

/// Memory for one key's name: `<16 hex digits of the number>.example.`, written anew for each number, so that a test
/// may go through any number of names.
final class Namer: @unchecked Sendable {
  private let region = Region(size: 4096)
  /// Keeps these bits of each hash: fewer make collisions the norm.
  let hashMask: UInt64

  init(hashMask: UInt64 = .max) { self.hashMask = hashMask }

  /// Valid until the next call.
  func key(_ number: UInt64, qtype: UInt16 = 1, group: UInt16 = 0, flags: Key.Flags = []) -> Key {
    let name = region.bytes.slice(0, 26)
    name[0] = 16
    for digit in 0..<16 {
      let value = UInt8(truncatingIfNeeded: number >> UInt64(60 - 4 * digit) & 15)
      name[1 + digit] = value < 10 ? 0x30 + value : 0x61 + value - 10
    }
    name[17] = 7
    for (at, letter) in "example".utf8.enumerated() { name[18 + at] = letter }
    name[25] = 0
    let hash = mix(number ^ UInt64(qtype) << 48 ^ UInt64(group) << 40 ^ UInt64(flags.rawValue) << 56)
    return Key(hash: hash & hashMask, name: name, group: group, qtype: qtype, qclass: 1, flags: flags)
  }
}

/// An answer whose every byte follows from one number, so that a mix of two is told from either.
struct Sample: Equatable {
  var seed: UInt64
  var size: Int
  var offsets: Int

  /// Writes image and offsets to `memory`, which takes 128 KiB.
  func make(_ memory: Bytes) -> (image: Bytes, ttlOffsets: Bytes) {
    let image = memory.slice(0, size)
    let ttlOffsets = memory.slice(65_536, 2 * offsets)
    Sample.fill(image, seed)
    Sample.fill(ttlOffsets, ~seed)
    return (image, ttlOffsets)
  }

  func matches(_ image: Bytes, _ ttlOffsets: Bytes) -> Bool {
    image.count == size && ttlOffsets.count == 2 * offsets && Sample.isFilled(image, seed)
      && Sample.isFilled(ttlOffsets, ~seed)
  }

  private static func fill(_ bytes: Bytes, _ seed: UInt64) {
    var at = 0
    while at + 8 <= bytes.count {
      bytes.set(word: mix(seed &+ UInt64(at)), at: at)
      at += 8
    }
    while at < bytes.count {
      bytes[at] = UInt8(truncatingIfNeeded: mix(seed &+ UInt64(at)))
      at += 1
    }
  }

  private static func isFilled(_ bytes: Bytes, _ seed: UInt64) -> Bool {
    var at = 0
    while at + 8 <= bytes.count {
      if bytes.word(at) != mix(seed &+ UInt64(at)) { return false }
      at += 8
    }
    while at < bytes.count {
      if bytes[at] != UInt8(truncatingIfNeeded: mix(seed &+ UInt64(at))) { return false }
      at += 1
    }
    return true
  }
}

extension Answer {
  /// Fields that follow from `seed`, so that they are checked too.
  static func sample(_ seed: UInt64, _ store: Store, ttl: UInt32, zone: UInt16 = 0) -> Answer {
    Answer(
      flags: UInt16(truncatingIfNeeded: seed), answers: UInt16(truncatingIfNeeded: seed >> 8),
      authorities: UInt16(truncatingIfNeeded: seed >> 16), additionals: UInt16(truncatingIfNeeded: seed >> 24),
      zone: zone, store: store, ttl: ttl)
  }
}
