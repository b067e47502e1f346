import Cache
import Memory
import Testing

/// Who gives way to whom in a bucket of eight.
@Suite struct BucketTests {
  func full(of store: Store) -> Bench {
    let bench = Bench()
    for number in 0..<8 { #expect(bench.insert(bench.crowded(UInt64(number)), store) == .inserted) }
    return bench
  }

  @Test func aDenialIsRefusedByEightSuccesses() {
    let bench = full(of: .success)
    #expect(bench.insert(bench.crowded(8), .denial) == .refused)
    #expect(!bench.contains(8))
    for number in 0..<8 { #expect(bench.contains(UInt64(number))) }
    #expect(bench.segment.reader.evictions(zone: 0, store: .success) == 0)
  }

  @Test func aDenialTakesTheColdestDenial() {
    let bench = full(of: .denial)
    for number in 0..<8 where number != 5 { #expect(bench.contains(UInt64(number))) }
    #expect(bench.insert(bench.crowded(8), .denial) == .inserted)
    for number in 0..<9 { #expect(bench.contains(UInt64(number)) == (number != 5)) }
    #expect(bench.segment.reader.entries(zone: 0, store: .denial) == 8)
    #expect(bench.segment.reader.evictions(zone: 0, store: .denial) == 1)
    _ = Census(bench.segment.reader)
  }

  @Test func aSuccessTakesADenialHoweverHot() {
    let bench = full(of: .success)
    #expect(bench.insert(bench.crowded(3), .denial) == .replaced)
    for _ in 0..<5 { #expect(bench.contains(3)) }
    #expect(bench.insert(bench.crowded(8), .success) == .inserted)
    for number in 0..<9 { #expect(bench.contains(UInt64(number)) == (number != 3)) }
    #expect(bench.segment.reader.evictions(zone: 0, store: .denial) == 1)
  }

  @Test func aSuccessTakesTheColdestSuccess() {
    let bench = full(of: .success)
    for number in 0..<8 where number != 2 { #expect(bench.contains(UInt64(number))) }
    #expect(bench.insert(bench.crowded(8), .success) == .inserted)
    for number in 0..<9 { #expect(bench.contains(UInt64(number)) == (number != 2)) }
  }

  @Test func anyoneTakesTheExpired() {
    let bench = full(of: .success)
    #expect(bench.insert(bench.crowded(4), .success, ttl: 10) == .replaced)
    bench.now = 9999
    #expect(bench.insert(bench.crowded(8), .denial) == .refused)
    bench.now = 10_000
    #expect(bench.contains(4))
    #expect(bench.insert(bench.crowded(8), .denial) == .inserted)
    for number in 0..<9 { #expect(bench.contains(UInt64(number)) == (number != 4)) }
  }

  /// A denial may always replace its own name's success, full bucket or not, and the other way round.
  @Test func aKeyIsReplacedWhateverItsStore() {
    let bench = full(of: .success)
    #expect(bench.insert(bench.crowded(6), .denial) == .replaced)
    #expect(bench.store(of: bench.crowded(6)) == .denial)
    #expect(bench.segment.reader.entries(zone: 0, store: .success) == 7)
    #expect(bench.segment.reader.entries(zone: 0, store: .denial) == 1)
    #expect(bench.insert(bench.crowded(6), .success) == .replaced)
    #expect(bench.store(of: bench.crowded(6)) == .success)
    #expect(bench.segment.reader.entries(zone: 0, store: .success) == 8)
    #expect(bench.segment.reader.entries(zone: 0, store: .denial) == 0)
  }

  /// Staleness counts as use: what may be served stale is not free to take.
  @Test func theStaleAreNotYetSpent() {
    let bench = full(of: .success)
    let (image, ttlOffsets) = Sample(seed: 1, size: 16, offsets: 0).make(bench.staging.bytes)
    var answer = Answer.sample(1, .success, ttl: 10)
    answer.stale = 3600
    #expect(
      bench.segment.insert(bench.crowded(4), answer, image: image, ttlOffsets: ttlOffsets, now: 0) == .replaced)
    bench.now = 20_000
    #expect(bench.insert(bench.crowded(8), .denial) == .refused)
    #expect(bench.lookup(bench.crowded(4))?.remaining == -10)
  }
}
