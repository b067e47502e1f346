import Memory

/// How large a segment is and where its parts lie. All of it is decided before the memory is mapped.
///
///     | page of facts and cursors | counters | buckets, 64 bytes each | heat, a byte a slot | ghosts | four logs |
public struct Layout: BitwiseCopyable, Sendable {
  /// Slots in the index: what was asked for, rounded up to a power of two of buckets.
  public let slots: Int
  public let zones: Int
  public let secret: (UInt64, UInt64)
  /// Words in each log, by `LogName.index`.
  let logWords: InlineArray<4, Int>

  /// The smallest log that a store can have, in bytes: entries up to a quarter of its tenth are stored.
  public static var minimumStore: Int { 4096 }

  /// `success` and `denial` are bytes of log (`minimumStore`...2^40), a tenth of each for probation; `entries` is how
  /// many answers are expected at once (1...2^32), for which at least twice as many slots are kept (with 4 of 8 used on
  /// average, one new name in 20 finds its bucket full); `zones` is 1...65,536; `secret` is what the caller hashes names
  /// with.
  public init(success: Int, denial: Int, entries: Int, zones: Int, secret: (UInt64, UInt64)) {
    let sizes = Layout.minimumStore...(1 << 40)
    precondition(sizes.contains(success) && sizes.contains(denial))
    precondition((1...(1 << 32)).contains(entries) && (1...65_536).contains(zones))
    var buckets = 1
    while buckets * Bucket.slots < 2 * entries { buckets *= 2 }
    slots = buckets * Bucket.slots
    self.zones = zones
    self.secret = secret
    let probation = (success / 80, denial / 80)
    logWords = [probation.0, probation.1, success / 8 - probation.0, denial / 8 - probation.1]
  }

  /// Bytes of memory that the segment takes, all told.
  public var size: Int { (logsAt + logWords[0] + logWords[1] + logWords[2] + logWords[3]) * 8 }

  /// Whether a segment of the one is a segment of the other.
  public func isSame(as other: Layout) -> Bool { facts.elementsEqual(other.facts, by: ==) }

  // Places in words from the start.

  /// The facts, written once: magic, version, secret, size, slots, zones; then start, size and mask of each log.
  static let magic: UInt64 = 0x5249_4E47_4C45_5431  // "RINGLET1"
  static let version: UInt64 = 1

  static let logFactsAt = 8
  /// The logs' tails and heads have a cache line each: every lookup reads a tail, and only the writer reads heads.
  static let tailsAt = 64
  static let headsAt = 72
  static let countersAt = 512

  var indexAt: Int { Layout.countersAt + (zones * Counters.wordsPerZone + 7) / 8 * 8 }
  var heatAt: Int { indexAt + slots }
  var ghostsAt: Int { heatAt + slots / 8 }
  var ghostWords: Int { slots / Bucket.slots * 2 }
  var logsAt: Int { ghostsAt + ghostWords }

  func logAt(_ log: Int) -> Int {
    var at = logsAt
    for before in 0..<log { at += logWords[before] }
    return at
  }

  /// The words of the page of facts, by place.
  private var facts: [(at: Int, value: UInt64)] {
    var facts = [
      Layout.magic, Layout.version, secret.0, secret.1, UInt64(size), UInt64(slots), UInt64(zones),
    ].enumerated().map { (at: $0.offset, value: $0.element) }
    for log in 0..<4 {
      var lap: UInt64 = 1
      while lap < UInt64(logWords[log]) { lap *= 2 }
      let at = Layout.logFactsAt + 4 * log
      facts += [(at, UInt64(logAt(log))), (at + 1, UInt64(logWords[log])), (at + 2, lap - 1)]
    }
    return facts
  }

  func writeFacts(_ memory: Words) {
    for fact in facts { memory.set(relaxed: fact.value, at: fact.at) }
  }

  /// Whether a segment of this layout is in the memory.
  func isWritten(to memory: Words) -> Bool { facts.allSatisfy { memory.relaxed($0.at) == $0.value } }
}
