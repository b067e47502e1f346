import Memory

/// The reading ends of all shards' segments, in a row: asked by index, so that no reader is copied to be used.
public struct Readers: ~Copyable {
  private let readers: Table<SegmentReader>

  public init(_ readers: [SegmentReader]) { self.readers = Table(readers) }

  /// Starts bringing a hash's bucket in a shard's segment from memory, for `prefetchEntry` soon.
  public func prefetchBucket(_ hash: UInt64, of shard: Int) { readers[shard].prefetchBucket(hash) }

  /// Starts bringing what looks like a hash's entry from memory, for `lookup` soon.
  public func prefetchEntry(_ hash: UInt64, of shard: Int) { readers[shard].prefetchEntry(hash) }

  /// What a shard's segment holds: see `SegmentReader.lookup`.
  public func lookup(_ key: Key, of shard: Int, now: UInt64, scratch: Bytes?) -> Found? {
    readers[shard].lookup(key, now: now, scratch: scratch)
  }
}
