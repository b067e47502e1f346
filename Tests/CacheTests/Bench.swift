import Cache
import Memory

/// A segment, a key writer and the memory that both need.
final class Bench {
  var segment: Segment
  let namer = Namer()
  let scratch = Region(size: SegmentReader.scratchSize)
  let staging = Region(size: 2 * 65_536)
  var now: UInt64 = 0

  init(success: Int = 1 << 20, denial: Int = 1 << 20, entries: Int = 1000) {
    segment = Segment(Layout(success: success, denial: denial, entries: entries, zones: 1, secret: (1, 2)))
  }

  @discardableResult
  func insert(_ key: Key, _ store: Store, size: Int = 16, offsets: Int = 0, ttl: UInt32 = 30) -> Insertion {
    let (image, ttlOffsets) = Sample(seed: key.hash, size: size, offsets: offsets).make(staging.bytes)
    return segment.insert(key, .sample(1, store, ttl: ttl), image: image, ttlOffsets: ttlOffsets, now: now)
  }

  func lookup(_ key: Key) -> Found? { segment.reader.lookup(key, now: now, scratch: scratch.bytes) }

  /// A key that shares bucket and tag with all others made here.
  func crowded(_ number: UInt64) -> Key {
    var key = namer.key(number)
    key.hash = 0x1234_0000_0000_0000 | number << 32
    return key
  }

  func store(of key: Key) -> Store? { lookup(key)?.answer.store }

  /// Used slots in the bucket that `crowded` fills.
  func contains(_ number: UInt64) -> Bool { lookup(crowded(number)) != nil }
}
