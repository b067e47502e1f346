import Memory

/// Writes names into a message with compression (RFC 1035 §4.1.4), remembering each suffix it wrote.
///
/// The memory of suffixes is a small direct-mapped table: a suffix that lost its place is written out again, which
/// costs bytes, never correctness.
///
/// A short message can ask for long work, with pointers that lead far (Unbound CVE-2024-8508). So what is walked is
/// counted, and beyond a bound the message is refused. Most pointers cost nothing: those into the question, and one
/// like the one before it.
struct NameWriter: ~Copyable {
  private static let slots = 256
  private static let slotSize = 4  // message offset, then sixteen more bits of the hash
  /// A pointer has fourteen bits.
  private static let maxOffset = 0x3FFF
  /// Octets of names that one message may have walked: four times what it can hold. A pointer or a label to be looked
  /// up counts as four, for it takes about as long; the most that 64 KiB can ask for takes some 0.8 ms.
  static let maxWork = 4 * 65_536

  private let table = Region(size: slots * slotSize)
  private let name = Region(size: 256 + 8)  // and the word that starts at its last octet
  private let starts = Region(size: 128)
  private let hashes = Region(size: 128 * 8)
  private let other = Region(size: 256)
  private(set) var work = 0
  /// The last pointer that was a whole name, and the pointer that it became: an RRset has one owner.
  private var lastPointer: UInt16 = 0
  private var lastWritten: UInt16 = 0
  private var questionLength = 0
  /// Offsets from the question's start at which it has a label: what most names in a response point to.
  private var questionLabels: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

  /// Starts a message whose question, its name folded and without pointers, stands in `out` at `Header.length`.
  mutating func reset(_ out: Bytes, nameLength: Int) {
    table.bytes.fill(0)
    work = 0
    lastPointer = 0
    questionLength = nameLength
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

  /// Where the question ends in the name at `source`, which is written out; nil if it does not, or in another spelling.
  /// kube-dns compresses nothing, and nearly all of its names are the question's or above it.
  private func questionSuffix(_ message: Bytes, _ source: Int, _ out: Bytes) -> Int? {
    guard let length = Name.plainLength(message, at: source), length > 1, length <= questionLength else { return nil }
    let offset = Header.length &+ questionLength &- length
    guard isQuestionLabel(offset), message.slice(source, length).equals(out.slice(offset, length)) else { return nil }
    return offset
  }

  /// Writes the name at `source` of `message` to `out` at `at` and returns the offset after it; nil if the name is
  /// malformed, does not fit, or the message asks for too much work. Without `compress` it is written whole.
  mutating func write(_ message: Bytes, at source: Int, to out: Bytes, at: Int, compress: Bool) -> Int? {
    let first = source &+ 2 <= message.count ? message.u16(source) : 0
    if compress, first & 0xC000 == 0xC000, at &+ 2 <= out.count {
      // A pointer into the question, which stands at the same place in both messages, stays as it is.
      let known = isQuestionLabel(Int(first & 0x3FFF)) ? first : first == lastPointer ? lastWritten : 0
      if known != 0 {
        out.set(u16: known, at: at)
        return at &+ 2
      }
    }
    if compress, at &+ 2 <= out.count, let known = questionSuffix(message, source, out) {
      out.set(u16: 0xC000 | UInt16(truncatingIfNeeded: known), at: at)
      return at &+ 2
    }
    guard let length = Name.expand(message, at: source, into: name.bytes, work: &work) else { return nil }
    let count = hashSuffixes(length)
    work &+= 4 &* count

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
    guard work <= Self.maxWork, at &+ plain &+ 2 <= out.count else { return nil }
    if first & 0xC000 == 0xC000, count > 0, written == 0 || at <= Self.maxOffset {
      lastPointer = first
      lastWritten = 0xC000 | UInt16(truncatingIfNeeded: written == 0 ? pointer : at)
    }
    out.copy(short: name.bytes.slice(0, plain), at: at)
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
      var at = Int(starts.bytes[index])
      let start = at
      while at < end {
        // Up to eight octets of the label; what follows it is shifted out.
        let word = name.bytes.word(at) << (UInt64(max(0, 8 &- (end &- at))) &* 8)
        hash = (hash ^ word) &* 0x9E37_79B9_7F4A_7C15
        hash ^= hash >> 29
        at &+= 8
      }
      end = start
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
  private mutating func matches(_ out: Bytes, _ known: Int, _ start: Int, _ length: Int) -> Bool {
    var at = known
    var mine = start
    defer { work &+= mine &- start }
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

  /// Whether two names of `message` are one; nil if one is malformed, or the message asks for too much work.
  mutating func isSame(_ message: Bytes, _ first: Int, _ second: Int) -> Bool? {
    let isSame = Name.isSame(message, first, second, work: &work)
    return work <= Self.maxWork ? isSame : nil
  }

  /// Whether a whole name can be read at `start` of `message`, within the bound on work.
  mutating func isName(_ message: Bytes, _ start: Int) -> Bool {
    Name.expand(message, at: start, into: other.bytes, work: &work) != nil && work <= Self.maxWork
  }

  /// Whether the name at `ancestor` of `out` is that at `at`, or above it. Beyond the bound on work it is not.
  mutating func isAncestor(_ ancestor: Int, ofNameAt at: Int, in out: Bytes) -> Bool {
    guard work <= Self.maxWork, let above = Name.expand(out, at: ancestor, into: other.bytes, work: &work),
      let length = Name.expand(out, at: at, into: name.bytes, work: &work)
    else { return false }
    Name.fold(other.bytes.slice(0, above))
    Name.fold(name.bytes.slice(0, length))
    return Name.hasSuffix(name.bytes.slice(0, length), other.bytes.slice(0, above))
  }
}
