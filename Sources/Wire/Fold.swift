import Memory

/// The secret that keeps the hash of a name from being guessed: drawn once per process.
public struct HashSecret: Sendable {
  let k0: UInt64
  let k1: UInt64
  let k2: UInt64

  /// Three words of random bits. The low bit of each is set: a multiplier of zero would forget its input.
  public init(_ k0: UInt64, _ k1: UInt64, _ k2: UInt64) {
    self.k0 = k0 | 1
    self.k1 = k1 | 1
    self.k2 = k2 | 1
  }

  /// Spreads numbers over the high bits, in a way that who does not know the secret cannot foresee.
  public func scramble(_ number: UInt64) -> UInt64 {
    let mixed = (number ^ k1) &* k0
    return (mixed ^ mixed >> 32) &* k2
  }
}

/// Letters to lower case, eight at a time (RFC 4343). Length octets (0–63) and upper-case letters (65–90) are disjoint
/// ranges, so a wire name folds without a walk over its labels.
@usableFromInline enum Fold {
  static let ones: UInt64 = 0x0101_0101_0101_0101
  static let high: UInt64 = 0x8080_8080_8080_8080

  /// 0x80 in each byte of `word` that is an upper-case ASCII letter.
  @inline(__always) static func upper(_ word: UInt64) -> UInt64 {
    let low = word & ~high
    let atLeastA = low &+ (0x80 &- 0x41) &* ones
    let aboveZ = low &+ (0x80 &- 0x5B) &* ones
    return atLeastA & ~aboveZ & ~word & high
  }

  @inline(__always) static func lower(_ word: UInt64) -> UInt64 { word | upper(word) >> 2 }

  /// The two halves of the 128-bit product, folded: the mixing step of the hash.
  @inline(__always) static func mix(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let product = a.multipliedFullWidth(by: b)
    return product.high ^ product.low
  }

  /// Word `index` of the name of `length` octets at `start`; a last word with fewer than eight is padded with zeros.
  /// The bytes before the name are a message's header, so the load that ends with the name's last octet is in bounds.
  @inline(__always) static func word(_ message: Bytes, _ start: Int, _ length: Int, _ index: Int) -> UInt64 {
    let left = length &- index &* 8
    if left >= 8 { return message.word(start &+ index &* 8) }
    return message.word(start &+ length &- 8) >> (UInt64(8 &- left) &* 8)
  }
}

extension Name {
  /// Writes the name folded to lower case to the front of `out`, zero-padded to eight bytes, and returns the keyed hash
  /// of it and `salt` (type, class, and what else tells questions apart).
  ///
  /// `start` is at least 8. `out` holds at least `length` rounded up to eight.
  public static func fold(
    _ message: Bytes, at start: Int, length: Int, into out: Bytes, salt: UInt64, secret: HashSecret
  ) -> UInt64 {
    var hash = secret.k0 ^ UInt64(truncatingIfNeeded: length)
    // One check for all: the name with the eight octets before it, and room for its whole words.
    let source = message.slice(start &- 8, length &+ 8)
    let target = out.slice(0, (length &+ 7) & ~7)
    var at = 0
    while at &+ 8 <= length {
      let word = Fold.lower(unsafe source.uncheckedWord(at &+ 8))
      unsafe target.setUnchecked(word: word, at: at)
      hash = Fold.mix(hash ^ word, secret.k1)
      at &+= 8
    }
    if at < length {
      // The word that ends with the name's last octet, less what came before.
      let last = unsafe source.uncheckedWord(length)
      let word = Fold.lower(last &>> (UInt64(8 &- (length &- at)) &* 8))
      unsafe target.setUnchecked(word: word, at: at)
      hash = Fold.mix(hash ^ word, secret.k1)
    }
    return Fold.mix(hash ^ salt, secret.k2) ^ hash
  }
}

extension Name {
  /// Whether the name of `name.count` octets at `start` (at least 8) of `message` is, but for case, the folded `name`.
  public static func isSame(_ message: Bytes, at start: Int, as name: Bytes) -> Bool {
    let source = message.slice(start &- 8, name.count &+ 8)
    var at = 0
    while at &+ 8 <= name.count {
      if unsafe Fold.lower(source.uncheckedWord(at &+ 8)) != name.uncheckedWord(at) { return false }
      at &+= 8
    }
    while at < name.count {
      if Fold.lower(UInt64(source[at &+ 8])) != UInt64(name[at]) { return false }
      at &+= 1
    }
    return true
  }
}

/// Which letters of a name a client wrote in upper case: one bit per octet. With the folded name it is the client's
/// own spelling, so a waiting question keeps 32 bytes rather than 255 (0x20 mixing, draft-vixie-dnsext-dns0x20).
public struct Spelling: BitwiseCopyable, Sendable {
  var bits: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

  /// All lower case.
  public init() {}

  /// The spelling of the name of `length` octets at `start` (at least 8) of a message.
  public init(_ message: Bytes, at start: Int, length: Int) {
    var index = 0
    while index &* 8 < length {
      let upper = Fold.upper(Fold.word(message, start, length, index))
      index &+= 1
      guard upper != 0 else { continue }
      // Bit 7 of byte i to bit i of the top byte.
      let eight = ((upper >> 7) &* 0x0102_0408_1020_4080) >> 56
      let shifted = eight << (UInt64((index &- 1) & 7) &* 8)
      switch (index &- 1) >> 3 {
      case 0: bits.0 |= shifted
      case 1: bits.1 |= shifted
      case 2: bits.2 |= shifted
      default: bits.3 |= shifted
      }
    }
  }

  /// Gives the folded name at `start` of `message` this spelling.
  public func apply(to message: Bytes, at start: Int, length: Int) {
    spell(bits.0, message, start, 0, length)
    spell(bits.1, message, start, 64, length)
    spell(bits.2, message, start, 128, length)
    spell(bits.3, message, start, 192, length)
  }

  private func spell(_ word: UInt64, _ message: Bytes, _ start: Int, _ offset: Int, _ length: Int) {
    var left = word
    while left != 0 {
      let at = offset &+ left.trailingZeroBitCount
      if at < length { message[start &+ at] &-= 0x20 }
      left &= left &- 1
    }
  }
}
