import Memory

/// The first word of everything in a log. All zero bytes between the parts are padding to the next word.
///
///     | header, 6 words | owner name | TTL offsets, UInt16 each | image |
///
///      63       56 55      48 47            32 31            16 15            0
///     +-----------+----------+----------------+----------------+---------------+
///     |  is gap   |   name   |  TTL offsets   |     image      |  whole entry  |
///     |  0 or 1   |  octets  |   how many     |     octets     |     words     |
///     +-----------+----------+----------------+----------------+---------------+
package struct EntryShape {
  let raw: UInt64

  package init(raw: UInt64) { self.raw = raw }

  /// `offsets` is their number. The arguments are within the bounds of `EntryHeader`.
  init(name: Int, offsets: Int, image: Int) {
    let words = EntryHeader.words + EntryShape.round(name) + EntryShape.round(2 * offsets) + EntryShape.round(image)
    raw = UInt64(words) | UInt64(image) << 16 | UInt64(offsets) << 32 | UInt64(name) << 48
  }

  /// What is left at the end of a log where the next entry does not fit.
  init(gap words: Int) { raw = UInt64(words) | 1 << 56 }

  package var words: Int { Int(raw & 0xFFFF) }
  var image: Int { Int(raw >> 16 & 0xFFFF) }
  var offsets: Int { Int(raw >> 32 & 0xFFFF) }
  var name: Int { Int(raw >> 48 & 0xFF) }
  package var isGap: Bool { raw >> 56 != 0 }

  // Offsets in bytes from the start of the entry.
  var nameAt: Int { EntryHeader.words &* 8 }
  var offsetsAt: Int { nameAt &+ EntryShape.round(name) &* 8 }
  var imageAt: Int { offsetsAt &+ EntryShape.round(2 &* offsets) &* 8 }

  /// Its parts make up its length and are within bounds: true of every entry, and of few torn ones.
  package var isEntry: Bool {
    !isGap && offsets <= EntryHeader.maximumOffsets
      && words == EntryHeader.words &+ EntryShape.round(name) &+ EntryShape.round(2 &* offsets)
        &+ EntryShape.round(image)
  }

  static func round(_ bytes: Int) -> Int { (bytes &+ 7) >> 3 }
}

/// The first six words of an entry.
package struct EntryHeader {
  package static let words = 6
  static let hashAt = 1
  /// No message holds more TTLs: 65,535 octets less the header, in records of at least 11 (root owner, no RDATA).
  package static let maximumOffsets = (65_535 - 12) / 11
  static let maximumName = 255
  static let maximumImage = 65_535
  /// The largest entry: 9,730 words. It bounds the length of a gap, too.
  static let maximumWords =
    words + EntryShape.round(maximumName) + EntryShape.round(2 * maximumOffsets) + EntryShape.round(maximumImage)

  package let shape: EntryShape
  package let hash: UInt64
  /// Type, class, group and flags as `Key.identity` lays them out.
  let identity: UInt64
  /// Milliseconds (48 bits: 8,900 years of uptime), above them the zone (16 bits).
  let stored: UInt64
  /// TTL (low half) and the stale time after it, both in seconds.
  let life: UInt64
  /// Header flags, then the three counts, 16 bits each.
  let counts: UInt64

  /// Reads the header that starts at `at` of `words`.
  package init(_ words: Words, at: Int) {
    shape = EntryShape(raw: words.relaxed(at))
    hash = words.relaxed(at &+ Self.hashAt)
    identity = words.relaxed(at &+ 2)
    stored = words.relaxed(at &+ 3)
    life = words.relaxed(at &+ 4)
    counts = words.relaxed(at &+ 5)
  }

  init(shape: EntryShape, key: Key, answer: Answer, now: UInt64) {
    self.shape = shape
    hash = key.hash
    identity = key.identity
    stored = now & 0xFFFF_FFFF_FFFF | UInt64(answer.zone) << 48
    life = UInt64(answer.ttl) | UInt64(answer.stale) << 32
    counts =
      UInt64(answer.flags) | UInt64(answer.answers) << 16 | UInt64(answer.authorities) << 32
      | UInt64(answer.additionals) << 48
  }

  func write(to words: Words, at: Int) {
    words.set(relaxed: shape.raw, at: at)
    words.set(relaxed: hash, at: at &+ Self.hashAt)
    words.set(relaxed: identity, at: at &+ 2)
    words.set(relaxed: stored, at: at &+ 3)
    words.set(relaxed: life, at: at &+ 4)
    words.set(relaxed: counts, at: at &+ 5)
  }

  var storedAt: UInt64 { stored & 0xFFFF_FFFF_FFFF }
  package var zone: Int { Int(stored >> 48) }
  var qtype: UInt16 { UInt16(truncatingIfNeeded: identity) }
  var group: UInt16 { UInt16(truncatingIfNeeded: identity >> 32) }

  /// Gives the entry whose header starts at `at` of `words` another zone.
  static func set(zone: Int, _ words: Words, at: Int) {
    words.set(relaxed: words.relaxed(at &+ 3) & 0xFFFF_FFFF_FFFF | UInt64(zone) << 48, at: at &+ 3)
  }

  /// Whole seconds since it was stored; 0 for a reader whose clock is a little behind the writer's.
  func age(_ now: UInt64) -> UInt64 { now > storedAt ? (now &- storedAt) / 1000 : 0 }

  /// TTL less age, in seconds.
  func remaining(_ now: UInt64) -> Int { Int(life & 0xFFFF_FFFF) &- Int(truncatingIfNeeded: age(now)) }

  /// Neither fresh nor to be served stale: of no use to anyone.
  func isSpent(_ now: UInt64) -> Bool { age(now) >= (life & 0xFFFF_FFFF) &+ life >> 32 }

  func answer(_ store: Store) -> Answer {
    Answer(
      flags: UInt16(truncatingIfNeeded: counts), answers: UInt16(truncatingIfNeeded: counts >> 16),
      authorities: UInt16(truncatingIfNeeded: counts >> 32), additionals: UInt16(truncatingIfNeeded: counts >> 48),
      zone: UInt16(truncatingIfNeeded: stored >> 48), store: store, ttl: UInt32(truncatingIfNeeded: life),
      stale: UInt32(truncatingIfNeeded: life >> 32))
  }
}
