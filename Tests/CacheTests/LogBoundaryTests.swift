import Cache
import Memory
import Testing

@Suite struct LogBoundaryTests {
  /// Words of an entry: a header of 6, a name of 26 octets in 4, and the image.
  static func size(ofWords words: Int) -> Int { (words - 10) * 8 }

  /// The probation log has 512 words here: 16 entries of 32 fill it to the last.
  @Test func entriesThatFillTheLogLeaveNoGap() {
    let bench = Bench(success: 512 * 80)
    let log = bench.segment.reader.log(.probation(.success))
    #expect(log.words.count == 512)
    for number in 0..<64 {
      #expect(bench.insert(bench.namer.key(UInt64(number)), .success, size: Self.size(ofWords: 32)) == .inserted)
      #expect(log.at(log.head) == (number + 1) * 32 % 512)
    }
    #expect(Census(bench.segment.reader).gaps == 0)
  }

  @Test(arguments: [31, 33]) func entriesThatDoNotFillTheLogLeaveAGap(words: Int) {
    let bench = Bench(success: 512 * 80)
    let log = bench.segment.reader.log(.probation(.success))
    let fitting = 512 / words
    for number in 0..<fitting {
      bench.insert(bench.namer.key(UInt64(number)), .success, size: Self.size(ofWords: words))
    }
    #expect(log.at(log.head) == fitting * words)
    bench.insert(bench.namer.key(1000), .success, size: Self.size(ofWords: words))
    #expect(log.at(log.head) == words)
    #expect(bench.lookup(bench.namer.key(1000)) != nil)
    #expect(Census(bench.segment.reader).gaps == 1)
  }

  /// Sizes that leave one word at the end of the lap.
  @Test func aGapMayBeOneWord() {
    let bench = Bench(success: 513 * 80)
    for number in 0..<17 {
      bench.insert(bench.namer.key(UInt64(number)), .success, size: Self.size(ofWords: 32))
    }
    #expect(Census(bench.segment.reader).gaps == 1)
    #expect(bench.lookup(bench.namer.key(16)) != nil)
  }

  @Test func aQuarterOfTheLogIsTheLargestEntry() {
    let bench = Bench(success: 512 * 80)
    let key = bench.namer.key(1)
    #expect(bench.insert(key, .success, size: Self.size(ofWords: 128)) == .inserted)
    #expect(bench.insert(key, .success, size: Self.size(ofWords: 128) + 1) == .tooLarge)
    // What it had stays.
    #expect(bench.lookup(key)?.image.count == Self.size(ofWords: 128))
  }

  @Test func theSmallestSegmentWorks() {
    let bench = Bench(success: Layout.minimumStore, denial: Layout.minimumStore, entries: 1)
    #expect(bench.insert(bench.namer.key(1), .denial, size: 0) == .inserted)
    #expect(bench.lookup(bench.namer.key(1))?.image.count == 0)
  }

  @Test func theLargestMessageIsKept() {
    let bench = Bench(success: 4 << 20)
    let region = Region(size: 4096)
    region.bytes.slice(0, 255).fill(0x61)
    let key = Key(
      hash: 99, name: region.bytes.slice(0, 255), group: .max, qtype: .max, qclass: .max, flags: .init(rawValue: .max))
    #expect(bench.insert(key, .success, size: 65_535, offsets: 5956) == .inserted)
    let found = bench.lookup(key)
    #expect(found.map { Sample(seed: 99, size: 65_535, offsets: 5956).matches($0.image, $0.ttlOffsets) } == true)
    #expect(bench.insert(key, .success, size: 65_536) == .tooLarge)
    #expect(bench.insert(key, .success, size: 1, offsets: 5957) == .tooLarge)
  }

  @Test func aTTLEndsOnItsSecond() {
    let bench = Bench()
    bench.now = 10_999
    let key = bench.namer.key(1)
    bench.insert(key, .success, ttl: 5)
    for (now, remaining) in [
      (10_000, 5), (10_999, 5), (11_998, 5), (11_999, 4), (15_998, 1), (15_999, 0), (16_999, -1),
    ] {
      bench.now = UInt64(now)
      #expect(bench.lookup(key)?.remaining == remaining)
    }
  }

  /// All of a key counts, at equal hashes.
  @Test func keysDifferInEachField() {
    let bench = Bench()
    var keys: [(UInt64, (inout Key) -> Void)] = []
    keys.append((1, { _ in }))
    keys.append((2, { _ in }))
    keys.append((1, { $0.group = 1 }))
    keys.append((1, { $0.qtype = 28 }))
    keys.append((1, { $0.qclass = 3 }))
    keys.append((1, { $0.flags = .dnssecOK }))
    keys.append((1, { $0.flags = .checkingDisabled }))
    for at in keys.indices {
      var key = bench.namer.key(keys[at].0)
      keys[at].1(&key)
      key.hash = 7
      #expect(bench.lookup(key) == nil)
      #expect(bench.insert(key, .success, size: 100 + at) == .inserted)
    }
    for at in keys.indices {
      var key = bench.namer.key(keys[at].0)
      keys[at].1(&key)
      key.hash = 7
      #expect(bench.lookup(key)?.image.count == 100 + at)
    }
  }
}
