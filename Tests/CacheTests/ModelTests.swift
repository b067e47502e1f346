import Cache
import Memory
import Testing

/// A segment beside a dictionary that never forgets: it may have less, never anything else.
@Suite struct ModelTests {
  struct Kept {
    var sample: Sample
    var answer: Answer
    var storedAt: UInt64
  }

  struct Identity: Hashable {
    var number: UInt64
    var qtype: UInt16
    var group: UInt16
    var flags: UInt8
  }

  struct Tally {
    var found = 0
    var missed = 0
    var expired = 0
    var evicted = 0
    var refused = 0
    var tooLarge = 0
    var laps: [UInt64] = []
  }

  /// `names` × 2 types × 2 groups × 2 flags are asked for and stored in a random order while time goes on.
  func run(
    _ layout: Layout, operations: Int, names: UInt64, hashMask: UInt64 = .max, largest: Int = 400, origin: UInt64 = 0,
    seed: UInt64
  ) -> Tally {
    let spare = 4096
    let region = Region(size: layout.size + spare)
    let beyond = region.bytes.slice(layout.size, spare)
    beyond.fill(0xA5)
    var segment = Segment(layout, memory: region.bytes.slice(0, layout.size), origin: origin)
    let reader = segment.reader
    let starts = reader.logs.map { $0.head }
    let scratch = Region(size: SegmentReader.scratchSize)
    let staging = Region(size: 2 * 65_536)
    let namer = Namer(hashMask: hashMask)
    var generator = Generator(seed: seed)
    var model: [Identity: Kept] = [:]
    var tally = Tally()
    var added = 0
    var now: UInt64 = 5_000_000
    for operation in 0..<operations {
      now += generator.next() % 40
      // A square of the range makes some names much hotter than others.
      let number = (generator.next() % names) * (generator.next() % names) / names
      let flags = Key.Flags(rawValue: UInt8(generator.next() % 2))
      let identity = Identity(
        number: number, qtype: generator.next() & 1 == 0 ? 1 : 28, group: UInt16(generator.next() % 2),
        flags: flags.rawValue)
      let key = namer.key(number, qtype: identity.qtype, group: identity.group, flags: flags)
      if generator.next() % 10 < 4 {
        let version = UInt64(operation)
        let sample = Sample(
          seed: version, size: Int(generator.next() % UInt64(largest + 1)), offsets: Int(generator.next() % 9))
        let answer = Answer.sample(
          version, generator.next() % 3 == 0 ? .denial : .success, ttl: UInt32(generator.next() % 30),
          zone: UInt16(generator.next() % UInt64(layout.zones)))
        let (image, ttlOffsets) = sample.make(staging.bytes)
        let insertion = segment.insert(key, answer, image: image, ttlOffsets: ttlOffsets, now: now)
        switch insertion {
        case .inserted: added += 1
        case .replaced:
          if model[identity] == nil { Issue.record("replaced what was never stored: operation \(operation)") }
        case .refused: tally.refused += 1
        case .tooLarge: tally.tooLarge += 1
        }
        if insertion == .inserted || insertion == .replaced {
          model[identity] = Kept(sample: sample, answer: answer, storedAt: now)
          if reader.lookup(key, now: now, scratch: scratch.bytes)?.storedAt != now {
            Issue.record("not found when just stored: operation \(operation)")
            return tally
          }
        }
      } else if let found = reader.lookup(key, now: now, scratch: scratch.bytes) {
        tally.found += 1
        guard let kept = model[identity] else {
          Issue.record("found what was never stored: operation \(operation)")
          return tally
        }
        let remaining = Int(kept.answer.ttl) - Int((now - kept.storedAt) / 1000)
        if remaining <= 0 { tally.expired += 1 }
        let same =
          found.answer == kept.answer && found.storedAt == kept.storedAt && found.remaining == remaining
          && kept.sample.matches(found.image, found.ttlOffsets)
        if !same {
          Issue.record("not the last answer of its key: operation \(operation)")
          return tally
        }
      } else if model[identity] != nil {
        tally.missed += 1
      }
    }
    _ = Census(reader)
    var entries = 0
    for zone in 0..<layout.zones {
      for store in Store.allCases {
        entries += Int(reader.entries(zone: zone, store: store))
        tally.evicted += Int(reader.evictions(zone: zone, store: store))
      }
    }
    #expect(added == entries + tally.evicted)
    for at in 0..<spare where beyond[at] != 0xA5 { Issue.record("byte \(at) beyond the segment was written") }
    tally.laps = zip(reader.logs, starts).map { ($0.head &- $1) / UInt64($0.words.count) }
    return tally
  }

  @Test func holdsTheLastAnswerOfEachKeyThroughWrapAndEviction() {
    let layout = Layout(success: 200_000, denial: 100_000, entries: 2000, zones: 3, secret: (1, 2))
    let tally = run(layout, operations: 1_500_000, names: 600, seed: 1)
    #expect(tally.found > 200_000 && tally.expired > 1000 && tally.evicted > 1000)
    #expect(tally.laps.min()! > 50)
  }

  @Test func losesNothingWhileThereIsRoom() {
    let layout = Layout(success: 4_000_000, denial: 4_000_000, entries: 20_000, zones: 1, secret: (1, 2))
    let tally = run(layout, operations: 15_000, names: 100, seed: 2)
    #expect(tally.found > 5000)
    #expect(tally.missed == 0 && tally.evicted == 0 && tally.refused == 0)
  }

  /// All keys fall into 32 buckets at most and share their tags: names decide, and buckets overflow.
  @Test func tellsKeysOfEqualHashApart() {
    let layout = Layout(success: 200_000, denial: 100_000, entries: 2000, zones: 2, secret: (1, 2))
    let tally = run(layout, operations: 1_000_000, names: 300, hashMask: 0xFF, seed: 3)
    #expect(tally.found > 10_000 && tally.refused > 1000)
  }

  @Test func tellsKeysOfOneHashApart() {
    let layout = Layout(success: 200_000, denial: 100_000, entries: 2000, zones: 1, secret: (1, 2))
    let tally = run(layout, operations: 200_000, names: 3, hashMask: 0, seed: 4)
    #expect(tally.found > 10_000)
  }

  /// Sizes of the same order as a quarter of the logs: gaps, and entries that are refused, at every turn.
  @Test func keepsItsLogsWholeWithEntriesAsLargeAsTheyTake() {
    let layout = Layout(success: 30_000, denial: 20_000, entries: 200, zones: 1, secret: (1, 2))
    let tally = run(layout, operations: 500_000, names: 20, largest: 900, seed: 5)
    #expect(tally.found > 10_000 && tally.tooLarge > 1000)
    #expect(tally.laps.min()! > 200)
  }

  /// The logs begin one lap before positions outgrow the 46 bits of a slot.
  @Test func passesTheEndOfWhatASlotCanCount() {
    let layout = Layout(success: 100_000, denial: 50_000, entries: 1000, zones: 1, secret: (1, 2))
    let tally = run(layout, operations: 300_000, names: 200, origin: 1 << 46 - 1, seed: 6)
    #expect(tally.found > 50_000 && tally.evicted > 1000)
    #expect(tally.laps.min()! > 4)
  }
}
