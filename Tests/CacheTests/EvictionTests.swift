import Cache
import Memory
import Testing

/// Which log an entry lies in, and how long.
@Suite struct EvictionTests {
  /// Entries of 32 words: probation takes 16, main 144.
  static let size = (32 - 10) * 8

  func logs(_ bench: Bench) -> (probation: Log, main: Log) {
    (bench.segment.reader.log(.probation(.success)), bench.segment.reader.log(.main(.success)))
  }

  func make() -> Bench { Bench(success: 512 * 80) }

  /// Stores names that nobody asks for, from `from` on, so many that main is full and probation has turned over.
  func flood(_ bench: Bench, from: UInt64, count: UInt64) {
    for number in from..<from + count {
      #expect(bench.insert(bench.namer.key(number), .success, size: Self.size) == .inserted)
    }
  }

  @Test func mainIsFilledBeforeTheColdGo() {
    let bench = make()
    flood(bench, from: 0, count: 160)
    for number in 0..<160 { #expect(bench.lookup(bench.namer.key(UInt64(number))) != nil) }
    #expect(bench.segment.reader.evictions(zone: 0, store: .success) == 0)
  }

  @Test func aFloodTurnsOverProbationOnly() {
    let bench = make()
    flood(bench, from: 0, count: 160)
    for number in 0..<160 { #expect(bench.lookup(bench.namer.key(UInt64(number))) != nil) }
    // The 16 of probation were hit and move on: 16 of main would have to go, but are hot and take another turn.
    flood(bench, from: 1000, count: 16)
    let mainHead = logs(bench).main.head
    flood(bench, from: 2000, count: 10_000)
    #expect(logs(bench).main.head == mainHead)
  }

  @Test func whatWasHitIsReplacedInMain() {
    let bench = make()
    let key = bench.namer.key(1)
    bench.insert(key, .success, size: Self.size)
    let before = logs(bench).main.head
    #expect(bench.lookup(key) != nil)
    #expect(bench.insert(key, .success, size: Self.size) == .replaced)
    #expect(logs(bench).main.head == before + 32)
    // Not hit since: to probation.
    #expect(bench.insert(key, .success, size: Self.size) == .replaced)
    #expect(logs(bench).main.head == before + 32)
  }

  @Test func aGhostIsStoredInMain() {
    let bench = make()
    flood(bench, from: 0, count: 160 + 40)
    #expect(bench.lookup(bench.namer.key(150)) == nil)
    let before = logs(bench)
    let (probation, main) = (before.probation.head, before.main.head)
    #expect(bench.insert(bench.namer.key(150), .success, size: Self.size) == .inserted)
    #expect(logs(bench).probation.head == probation)
    #expect(logs(bench).main.head == main + 32)
    // And one that was never here is not.
    #expect(bench.insert(bench.namer.key(5000), .success, size: Self.size) == .inserted)
    #expect(logs(bench).main.head == main + 32)
  }

  /// Every entry of both logs is as hot as can be: an insert moves its sixteen and then drops.
  @Test func anInsertIntoWhatIsAllHotIsBounded() {
    let bench = make()
    flood(bench, from: 0, count: 160)
    for _ in 0..<4 {
      for number in 0..<160 { #expect(bench.lookup(bench.namer.key(UInt64(number))) != nil) }
    }
    let before = logs(bench).main.head
    #expect(bench.insert(bench.namer.key(1000), .success, size: Self.size) == .inserted)
    #expect(logs(bench).main.head - before <= 2 * 17 * 32)
    _ = Census(bench.segment.reader)
  }

  @Test func theExpiredGoHoweverHot() {
    let bench = make()
    flood(bench, from: 0, count: 160)
    for number in 0..<160 { _ = bench.lookup(bench.namer.key(UInt64(number))) }
    bench.now = 30_000
    let before = logs(bench).main.head
    flood(bench, from: 1000, count: 16)
    #expect(logs(bench).main.head == before)
    for number in 144..<160 { #expect(bench.lookup(bench.namer.key(UInt64(number))) == nil) }
  }
}
