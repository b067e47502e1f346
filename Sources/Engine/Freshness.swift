import Memory

/// What shards tell each other of answers to be asked for anew: how often each is asked for, and which of them need not
/// be asked for again yet. Two tables by hash, in memory that every shard reads and writes without a lock. Names whose
/// hashes share a place forget each other's, and so do two shards that write at once: that costs a refresh too many, or
/// one that comes a hit later.
struct Freshness: Sendable {
  /// Each word: 16 bits of the hash, 16 of hits, 32 of the time of the last.
  private let hits: Words
  /// Each word: 32 bits of the hash, 32 of the time until when.
  private let holds: Words

  private static let hitWords = 1 << 16
  private static let holdWords = 1 << 12
  static var size: Int { (hitWords + holdWords) * 8 }

  /// In zeroed memory of `size` bytes.
  init(_ memory: Bytes) {
    let words = Words(memory)
    hits = words.slice(0, Self.hitWords)
    holds = words.slice(Self.hitWords, Self.holdWords)
  }

  /// Counts a hit: how many there were, this one included, without a pause of more than `window`. Milliseconds.
  func hit(_ hash: UInt64, now: UInt64, window: UInt64) -> UInt32 {
    let at = Int(truncatingIfNeeded: hash) & (Self.hitWords - 1)
    let word = hits.relaxed(at)
    let time = UInt32(truncatingIfNeeded: now)
    let isSame = word >> 48 == hash >> 48 && UInt64(time &- UInt32(truncatingIfNeeded: word)) <= window
    let count = isSame ? min((word >> 32 & 0xFFFF) &+ 1, 0xFFFF) : 1
    hits.set(relaxed: (hash >> 48) << 48 | count << 32 | UInt64(time), at: at)
    return UInt32(truncatingIfNeeded: count)
  }

  /// It is not to be asked for again for a while. Milliseconds.
  func hold(_ hash: UInt64, until time: UInt64) {
    let word = (hash >> 32) << 32 | UInt64(UInt32(truncatingIfNeeded: time))
    holds.set(relaxed: word, at: Int(truncatingIfNeeded: hash) & (Self.holdWords - 1))
  }

  func isHeld(_ hash: UInt64, now: UInt64) -> Bool {
    let word = holds.relaxed(Int(truncatingIfNeeded: hash) & (Self.holdWords - 1))
    let left = UInt32(truncatingIfNeeded: word) &- UInt32(truncatingIfNeeded: now)
    return word >> 32 == hash >> 32 && left > 0 && left <= UInt32(Int32.max)
  }
}
