import Memory

/// Entries and evictions of each zone and store: written by the owner, read by anyone.
struct Counters: Sendable {
  static let wordsPerZone = 4

  let words: Words

  enum Count: Int {
    case entries = 0
    case evictions = 2
  }

  func read(_ count: Count, zone: Int, store: Store) -> UInt64 { words.relaxed(at(count, zone, store)) }

  /// Owner only: a load and a store, not one atomic step.
  func add(_ step: Int, to count: Count, zone: Int, store: Store) {
    let at = at(count, zone, store)
    words.set(relaxed: words.relaxed(at) &+ UInt64(bitPattern: Int64(step)), at: at)
  }

  /// Evictions of zone i go to `zones[i]`, those of a nil are forgotten; entries are at zero after it.
  func move(_ zones: [Int?]) {
    let old = zones.indices.map { zone in Store.allCases.map { read(.evictions, zone: zone, store: $0) } }
    for word in 0..<words.count { words.set(relaxed: 0, at: word) }
    for (counts, new) in zip(old, zones) {
      guard let new else { continue }
      for store in Store.allCases { add(Int(counts[Int(store.rawValue)]), to: .evictions, zone: new, store: store) }
    }
  }

  private func at(_ count: Count, _ zone: Int, _ store: Store) -> Int {
    zone * Counters.wordsPerZone + count.rawValue + Int(store.rawValue)
  }
}
