import Cache
import Foundation
import Memory
import Synchronization
import Testing

/// Readers on threads of their own while the owner overwrites all memory thousands of times.
@Suite struct StressTests {
  /// What the readers say of themselves. A failure is counted, for a test macro in a loop would slow the race down.
  final class Report: Sendable {
    let stop = Atomic(false)
    let running = Atomic(0)
    let found = Atomic(0)
    let missed = Atomic(0)
    /// Answers that no one had stored.
    let foreign = Atomic(0)
    /// Answers older than one that the same reader had read before.
    let older = Atomic(0)
  }

  /// The one answer of version `version` of key `key`: every part of it follows from the two.
  static func sample(_ key: UInt64, _ version: UInt32, largest: UInt64) -> Sample {
    let seed = mix(key << 32 | UInt64(version))
    return Sample(seed: seed, size: Int(seed % largest), offsets: Int(seed >> 32 % 20))
  }

  static func read(_ reader: SegmentReader, keys: UInt64, largest: UInt64, seed: UInt64, _ report: Report) {
    let namer = Namer()
    let scratch = Region(size: SegmentReader.scratchSize)
    var generator = Generator(seed: seed)
    var seen = [UInt32](repeating: 0, count: Int(keys))
    while !report.stop.load(ordering: .relaxed) {
      let number = generator.next() % keys
      guard let found = reader.lookup(namer.key(number), now: 0, scratch: scratch.bytes) else {
        report.missed.add(1, ordering: .relaxed)
        continue
      }
      let version = found.answer.ttl
      let sample = sample(number, version, largest: largest)
      let whole =
        found.storedAt == UInt64(version) &* 3 &+ number
        && found.answer == .sample(sample.seed, found.answer.store, ttl: version)
        && sample.matches(found.image, found.ttlOffsets)
      if !whole { report.foreign.add(1, ordering: .relaxed) }
      if version < seen[Int(number)] { report.older.add(1, ordering: .relaxed) }
      seen[Int(number)] = version
      report.found.add(1, ordering: .relaxed)
    }
    report.running.subtract(1, ordering: .releasing)
  }

  func race(keys: UInt64, largest: UInt64, store bytes: Int, readers: Int, laps: UInt64, seconds: Double) {
    var segment = Segment(
      Layout(success: bytes, denial: bytes, entries: Int(keys) * 4, zones: 1, secret: (1, 2)))
    let reader = segment.reader
    let report = Report()
    report.running.store(readers, ordering: .relaxed)
    for thread in 0..<readers {
      Thread.detachNewThread {
        Self.read(reader, keys: keys, largest: largest, seed: UInt64(thread), report)
      }
    }
    let staging = Region(size: 2 * 65_536)
    let namer = Namer()
    var generator = Generator(seed: 99)
    var versions = [UInt32](repeating: 0, count: Int(keys))
    let start = Date()
    var wraps: UInt64 = 0
    while wraps < laps || Date().timeIntervalSince(start) < seconds || report.found.load(ordering: .relaxed) < 10_000 {
      for _ in 0..<1000 {
        let number = generator.next() % keys
        versions[Int(number)] += 1
        let version = versions[Int(number)]
        let sample = Self.sample(number, version, largest: largest)
        let (image, ttlOffsets) = sample.make(staging.bytes)
        _ = segment.insert(
          namer.key(number), .sample(sample.seed, generator.next() % 4 == 0 ? .denial : .success, ttl: version),
          image: image, ttlOffsets: ttlOffsets, now: UInt64(version) &* 3 &+ number)
      }
      wraps = reader.logs.map { $0.head / UInt64($0.words.count) }.min()!
      if Date().timeIntervalSince(start) > 60 { break }
    }
    report.stop.store(true, ordering: .relaxed)
    while report.running.load(ordering: .acquiring) > 0 { Thread.sleep(forTimeInterval: 0.001) }
    #expect(wraps >= laps)
    #expect(report.foreign.load(ordering: .relaxed) == 0)
    #expect(report.older.load(ordering: .relaxed) == 0)
    #expect(report.found.load(ordering: .relaxed) >= 10_000)
    // The race is on: some lookups lost it, or fell on what was evicted.
    #expect(report.missed.load(ordering: .relaxed) > 0)
    _ = Census(reader)
  }

  @Test func readersSeeWholeAnswersOnlyAndNeverOlderOnes() {
    race(keys: 64, largest: 300, store: 12_000, readers: 2, laps: 3000, seconds: 1)
  }

  /// Large answers are read for microseconds, in which the tail goes by.
  @Test func readersOfLargeAnswersAreOvertakenSafely() {
    race(keys: 6, largest: 60_000, store: 3_000_000, readers: 2, laps: 50, seconds: 1)
  }
}
