/// A set of octets.
struct ByteSet: Hashable, Sendable {
  private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

  init() {}

  init(_ ranges: ClosedRange<UInt8>...) { for range in ranges { insert(range) } }

  mutating func insert(_ range: ClosedRange<UInt8>) { for octet in range { insert(octet) } }

  mutating func insert(_ octet: UInt8) {
    let bit: UInt64 = 1 << UInt64(octet & 63)
    switch octet >> 6 {
    case 0: words.0 |= bit
    case 1: words.1 |= bit
    case 2: words.2 |= bit
    default: words.3 |= bit
    }
  }

  func contains(_ octet: UInt8) -> Bool {
    let word =
      switch octet >> 6 {
      case 0: words.0
      case 1: words.1
      case 2: words.2
      default: words.3
      }
    return word >> UInt64(octet & 63) & 1 != 0
  }

  mutating func formUnion(_ other: ByteSet) {
    words.0 |= other.words.0
    words.1 |= other.words.1
    words.2 |= other.words.2
    words.3 |= other.words.3
  }

  var inverted: ByteSet {
    var set = self
    set.words = (~words.0, ~words.1, ~words.2, ~words.3)
    return set
  }

  /// With both cases of each ASCII letter in it.
  var ignoringCase: ByteSet {
    var set = self
    for upper in UInt8(ascii: "A")...UInt8(ascii: "Z") where contains(upper) || contains(upper | 0x20) {
      set.insert(upper)
      set.insert(upper | 0x20)
    }
    return set
  }

  static let digits = ByteSet(0x30...0x39)
  static let word = ByteSet(0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A)
  static let space = ByteSet(0x09...0x0A, 0x0C...0x0D, 0x20...0x20)
  static let all = ByteSet().inverted
  static let allButNewline = ByteSet(0x0A...0x0A).inverted

  /// `[:alpha:]` and the rest of POSIX's classes.
  static let named: [String: ByteSet] = [
    "alnum": ByteSet(0x30...0x39, 0x41...0x5A, 0x61...0x7A), "alpha": ByteSet(0x41...0x5A, 0x61...0x7A),
    "ascii": ByteSet(0x00...0x7F), "blank": ByteSet(0x09...0x09, 0x20...0x20),
    "cntrl": ByteSet(0x00...0x1F, 0x7F...0x7F),
    "digit": digits, "graph": ByteSet(0x21...0x7E), "lower": ByteSet(0x61...0x7A), "print": ByteSet(0x20...0x7E),
    "punct": ByteSet(0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E), "space": ByteSet(0x09...0x0D, 0x20...0x20),
    "upper": ByteSet(0x41...0x5A), "word": word, "xdigit": ByteSet(0x30...0x39, 0x41...0x46, 0x61...0x66),
  ]

  static func == (a: ByteSet, b: ByteSet) -> Bool { a.words == b.words }

  func hash(into hasher: inout Hasher) {
    hasher.combine(words.0)
    hasher.combine(words.1)
    hasher.combine(words.2)
    hasher.combine(words.3)
  }
}
