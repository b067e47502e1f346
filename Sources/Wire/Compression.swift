import Memory

/// Writes names into a message with compression (RFC 1035 §4.1.4), remembering each suffix it wrote.
///
/// The memory of suffixes is a small direct-mapped table: a suffix that lost its place is written out again, which
/// costs bytes, never correctness. Work is linear in the octets of the names: one hash step each, and one comparison
/// per label whose hash is known.
struct NameWriter: ~Copyable {
  private static let slots = 256
  private static let slotSize = 4  // message offset, then sixteen more bits of the hash
  /// A pointer has fourteen bits.
  private static let maxOffset = 0x3FFF
  /// Labels one message may make this writer look at: more than a message of 64 KiB can hold uncompressed.
  private static let maxLabels = 65_536

  private let table = Region(size: slots * slotSize)
  private let name = Region(size: 256)
  private let starts = Region(size: 128)
  private let hashes = Region(size: 128 * 8)
  private var labels = 0
  /// Offsets from the question's start at which it has a label: what most names in a response point to.
  private var questionLabels: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

  /// Starts a message whose question, its name folded and without pointers, stands in `out` at `Header.length`.
  mutating func reset(_ out: Bytes, nameLength: Int) {
    table.bytes.fill(0)
    labels = 0
    questionLabels = (0, 0, 0, 0)
    name.bytes.copy(out.slice(Header.length, nameLength), at: 0)
    var index = hashSuffixes(nameLength) &- 1
    while index >= 0 {
      let start = Int(starts.bytes[index])
      let bit: UInt64 = 1 << UInt64(start & 63)
      switch start >> 6 {
      case 0: questionLabels.0 |= bit
      case 1: questionLabels.1 |= bit
      case 2: questionLabels.2 |= bit
      default: questionLabels.3 |= bit
      }
      remember(suffix: index, at: Header.length &+ start)
      index &-= 1
    }
  }

  /// Whether a label of the question starts at `offset` of the message.
  private func isQuestionLabel(_ offset: Int) -> Bool {
    guard offset >= Header.length, offset < Header.length &+ 256 else { return false }
    let start = offset &- Header.length
    let bit: UInt64 = 1 << UInt64(start & 63)
    switch start >> 6 {
    case 0: return questionLabels.0 & bit != 0
    case 1: return questionLabels.1 & bit != 0
    case 2: return questionLabels.2 & bit != 0
    default: return questionLabels.3 & bit != 0
    }
  }

  /// Writes the name at `source` of `message` to `out` at `at` and returns the offset after it; nil if the name is
  /// malformed, does not fit, or the message asks for too much work. Without `compress` it is written whole.
  mutating func write(_ message: Bytes, at source: Int, to out: Bytes, at: Int, compress: Bool) -> Int? {
    // A pointer into the question, which stands at the same place in both messages, stays as it is.
    if compress, source &+ 2 <= message.count, at &+ 2 <= out.count {
      let pointer = message.u16(source)
      if pointer & 0xC000 == 0xC000, isQuestionLabel(Int(pointer & 0x3FFF)) {
        out.set(u16: pointer, at: at)
        return at &+ 2
      }
    }
    guard let length = Name.expand(message, at: source, into: name.bytes) else { return nil }
    let count = hashSuffixes(length)
    labels &+= count
    guard labels <= Self.maxLabels else { return nil }

    var written = 0  // labels to write before the pointer or the root
    var pointer = 0
    while written < count {
      let known = offset(ofSuffix: written)
      if compress, known != 0, matches(out, known, Int(starts.bytes[written]), length) {
        pointer = known
        break
      }
      written &+= 1
    }

    let plain = written == count ? length : Int(starts.bytes[written])
    guard at &+ plain &+ 2 <= out.count else { return nil }
    out.copy(name.bytes.slice(0, plain), at: at)
    var index = 0
    while index < written {
      remember(suffix: index, at: at &+ Int(starts.bytes[index]))
      index &+= 1
    }
    guard written < count else { return at &+ plain }
    out.set(u16: 0xC000 | UInt16(truncatingIfNeeded: pointer), at: at &+ plain)
    return at &+ plain &+ 2
  }

  /// Fills `starts` and `hashes` for each suffix of the expanded name, longest first; returns how many labels it has.
  private func hashSuffixes(_ length: Int) -> Int {
    var count = 0
    var at = 0
    while name.bytes[at] != 0 {
      starts.bytes[count] = UInt8(truncatingIfNeeded: at)
      count &+= 1
      at &+= Int(name.bytes[at]) &+ 1
    }
    var hash: UInt64 = 0
    var end = length &- 1
    var index = count &- 1
    while index >= 0 {
      let start = Int(starts.bytes[index])
      while end > start {
        end &-= 1
        hash = (hash ^ UInt64(name.bytes[end]) &+ 1) &* 0x9E37_79B9_7F4A_7C15
        hash ^= hash >> 29
      }
      hashes.bytes.set(word: hash, at: index &* 8)
      index &-= 1
    }
    return count
  }

  private func slot(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash >> 56) &* Self.slotSize }

  private func offset(ofSuffix index: Int) -> Int {
    let hash = hashes.bytes.word(index &* 8)
    let slot = slot(hash)
    guard table.bytes.u16(slot &+ 2) == UInt16(truncatingIfNeeded: hash) else { return 0 }
    return Int(table.bytes.u16(slot))
  }

  private func remember(suffix index: Int, at offset: Int) {
    guard offset <= Self.maxOffset else { return }
    let hash = hashes.bytes.word(index &* 8)
    table.bytes.set(u16: UInt16(truncatingIfNeeded: offset), at: slot(hash))
    table.bytes.set(u16: UInt16(truncatingIfNeeded: hash), at: slot(hash) &+ 2)
  }

  /// Whether the name written at `known` is, octet for octet, the expanded name from `start` on. `out` holds only what
  /// this writer wrote, so its pointers lead backwards and end.
  private func matches(_ out: Bytes, _ known: Int, _ start: Int, _ length: Int) -> Bool {
    var at = known
    var mine = start
    while mine < length {
      let octet = Int(out[at])
      if octet & 0xC0 == 0xC0 {
        at = Int(out.u16(at) & 0x3FFF)
        continue
      }
      guard mine &+ octet < length,
        out.slice(at, octet &+ 1).equals(name.bytes.slice(mine, octet &+ 1))
      else { return false }
      at &+= octet &+ 1
      mine &+= octet &+ 1
    }
    return true
  }

  /// Whether `suffix`, uncompressed and folded, is the name at `at` of `message` or an ancestor of it.
  func isSuffix(_ suffix: Bytes, ofNameAt at: Int, in message: Bytes) -> Bool {
    guard let length = Name.expand(message, at: at, into: name.bytes) else { return false }
    Name.fold(name.bytes.slice(0, length))
    return Name.hasSuffix(name.bytes.slice(0, length), suffix)
  }
}
