import Cache
import Memory
import Testing

/// What a flood of names that nobody asks for twice costs those that everybody asks for.
@Suite struct FloodTests {
  /// A population of 20,000 names of success, asked for by Zipf's law (exponent 1), in a cache that takes some 5,000 of
  /// them: 2,000 queries/s, TTL 30 s, for two minutes.
  static let names = 20_000
  static let layout = Layout(success: 1_300_000, denial: 1_300_000, entries: 10_000, zones: 1, secret: (1, 2))

  /// `flood` stores of a new name follow each query. The figure is the share of queries answered fresh, in percent,
  /// after the first half minute.
  func hitRatio(flood: Int, of store: Store) -> Double {
    var segment = Segment(Self.layout)
    let reader = segment.reader
    let scratch = Region(size: SegmentReader.scratchSize)
    let staging = Region(size: 2 * 65_536)
    let namer = Namer()
    var generator = Generator(seed: 7)
    var cumulative: [Double] = []
    var total = 0.0
    for rank in 1...Self.names {
      total += 1 / Double(rank)
      cumulative.append(total)
    }
    func rank() -> Int {
      let point = Double(generator.next() >> 11) / Double(1 << 53) * total
      var low = 0
      var high = Self.names - 1
      while low < high {
        let middle = (low + high) / 2
        if cumulative[middle] < point { low = middle + 1 } else { high = middle }
      }
      return low
    }
    var hits = 0
    var queries = 0
    var stranger: UInt64 = 1 << 40
    let (image, ttlOffsets) = Sample(seed: 1, size: 160, offsets: 3).make(staging.bytes)
    for query in 0..<240_000 {
      let now = UInt64(query) / 2
      let key = namer.key(UInt64(rank()))
      let fresh = (reader.lookup(key, now: now, scratch: scratch.bytes)?.remaining ?? 0) > 0
      if query >= 60_000 {
        queries += 1
        if fresh { hits += 1 }
      }
      if !fresh {
        _ = segment.insert(key, .sample(1, .success, ttl: 30), image: image, ttlOffsets: ttlOffsets, now: now)
      }
      for _ in 0..<flood {
        let key = namer.key(stranger)
        stranger += 1
        if reader.lookup(key, now: now, scratch: scratch.bytes) == nil {
          _ = segment.insert(key, .sample(1, store, ttl: 30), image: image, ttlOffsets: ttlOffsets, now: now)
        }
      }
    }
    _ = Census(reader)
    return 100 * Double(hits) / Double(queries)
  }

  func check(flood: Int, of store: Store, costsAtMost points: Double) {
    let calm = hitRatio(flood: 0, of: store)
    let flooded = hitRatio(flood: flood, of: store)
    print("hit ratio: \(calm) % calm, \(flooded) % with \(flood) random \(store) stored per query")
    #expect(calm > 75)
    #expect(calm - flooded <= points)
  }

  /// Half of all queries are for random names that do not exist.
  @Test func denialFloodCostsAtMostTwoPoints() { check(flood: 1, of: .denial, costsAtMost: 2) }

  @Test func tenfoldDenialFloodCostsAtMostTwoPoints() { check(flood: 9, of: .denial, costsAtMost: 2) }

  /// A flood of the same store: probation takes it.
  @Test func successFloodCostsAtMostThreePoints() { check(flood: 1, of: .success, costsAtMost: 3) }

  @Test func tenfoldSuccessFloodCostsAtMostTenPoints() { check(flood: 9, of: .success, costsAtMost: 10) }
}
