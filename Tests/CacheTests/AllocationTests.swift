import Cache
import MallocCount
import Memory
import Testing

@Suite struct AllocationTests {
  /// A loop of lookups, hit and miss, and of inserts that wrap and evict.
  @Test func neitherLookupNorInsertAllocates() {
    let bench = Bench(success: 100_000, denial: 50_000)
    let (image, ttlOffsets) = Sample(seed: 1, size: 200, offsets: 4).make(bench.staging.bytes)
    let reader = bench.segment.reader
    var generator = Generator(seed: 1)
    var found = 0
    var inserted = 0
    let before = malloc_count()
    for step in 0..<100_000 {
      let key = bench.namer.key(generator.next() % 1000)
      if reader.lookup(key, now: UInt64(step), scratch: bench.scratch.bytes) != nil { found += 1 }
      let answer = Answer.sample(1, step & 3 == 0 ? .denial : .success, ttl: 30)
      if bench.segment.insert(key, answer, image: image, ttlOffsets: ttlOffsets, now: UInt64(step)) != .refused {
        inserted += 1
      }
    }
    let allocated = malloc_count() - before
    #expect(allocated == 0)
    #expect(found > 10_000 && inserted > 90_000)
    #expect(reader.evictions(zone: 0, store: .success) > 1000)
  }

  /// The count counts: an array's storage is seen.
  @Test func theCountSeesAnAllocation() {
    let before = malloc_count()
    let array = (0..<Int.random(in: 100...200)).map { $0 }
    #expect(malloc_count() > before)
    #expect(array.count >= 100)
  }
}
