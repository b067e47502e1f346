public import Memory

/// The reading end of a segment: a plain value that any thread may hold as long as the segment's memory is there.
/// Lookups take no lock and never wait for the writer.
public struct SegmentReader: BitwiseCopyable, Sendable {
  let memory: Words
  package let index: Index
  let counters: Counters
  public let layout: Layout

  /// Bytes of scratch memory that a lookup needs, on a multiple of eight: the largest entry.
  public static var scratchSize: Int { EntryHeader.maximumWords * 8 }

  /// A reader of the segment that was made with `layout` in `memory`.
  public init(_ layout: Layout, memory: Bytes) { self.init(layout, Words(memory)) }

  init(_ layout: Layout, _ memory: Words) {
    self.layout = layout
    index = Index(
      slots: memory.slice(layout.indexAt, layout.slots), heat: memory.slice(layout.heatAt, layout.slots / 8).bytes)
    counters = Counters(words: memory.slice(Layout.countersAt, layout.zones * Counters.wordsPerZone))
    self.memory = memory
  }

  package func log(_ name: LogName) -> Log { Log(memory, name) }

  /// The answer stored under a key, fresh or expired, copied to `scratch`; nil is a miss. `now` is in milliseconds of
  /// the clock that `insert` is given. The segment's owner needs no `scratch`: it sees the answer where it is, until it
  /// inserts the next.
  ///
  /// A lookup that races with the writer moving or overwriting the very entry may miss, so the owner looks again before
  /// it asks upstream.
  public func lookup(_ key: Key, now: UInt64, scratch: Bytes?) -> Found? {
    precondition((scratch?.count ?? .max) >= SegmentReader.scratchSize)
    let tag = Slot.tag(of: key.hash)
    let first = index.bucket(key.hash)
    for at in first..<first &+ Bucket.slots where index[at].tag == tag {
      let slot = index.acquire(at)
      guard let (header, bytes) = read(slot, key, to: scratch) else { continue }
      index.warm(at)
      let shape = header.shape
      return Found(
        answer: header.answer(slot.log.store), storedAt: header.storedAt, remaining: header.remaining(now),
        image: bytes.slice(shape.imageAt, shape.image), ttlOffsets: bytes.slice(shape.offsetsAt, 2 &* shape.offsets))
    }
    return nil
  }

  /// Starts bringing a hash's bucket from memory, for `prefetchEntry` soon.
  @inline(__always) public func prefetchBucket(_ hash: UInt64) {
    let first = index.bucket(hash)
    index.slots.bytes.prefetch(first &* 8)
    index.heat.prefetch(first)
  }

  /// Starts bringing what looks like a hash's entry from memory, for `lookup` soon.
  @inline(__always) public func prefetchEntry(_ hash: UInt64) {
    let tag = Slot.tag(of: hash)
    let first = index.bucket(hash)
    for at in first..<first &+ Bucket.slots where index[at].tag == tag {
      let slot = index[at]
      let log = log(slot.log)
      let at = log.at(slot.position)
      // Header, name and the image's beginning; an answer of one address has no more.
      guard !slot.isEmpty, at &+ 24 <= log.words.count else { return }
      for line in 0..<3 { log.words.bytes.prefetch((at &+ line &* 8) &* 8) }
      return
    }
  }

  /// Entries in the index, expired ones too. Exact for the owner, a moment old for others.
  public func entries(zone: Int, store: Store) -> UInt64 { counters.read(.entries, zone: zone, store: store) }

  /// Entries that had to go for want of room, expired or not, since the start.
  public func evictions(zone: Int, store: Store) -> UInt64 { counters.read(.evictions, zone: zone, store: store) }

  /// The entry of a slot if it is that of `key`, copied to `scratch`. The writer may be overwriting it meanwhile: until
  /// the tail has been looked at, everything read may be garbage, and only bounds of our own are relied on.
  @inline(__always)
  private func read(_ slot: Slot, _ key: Key, to scratch: Bytes?) -> (EntryHeader, Bytes)? {
    let log = log(slot.log)
    let at = log.at(slot.position)
    // A slot's position is the writer's word for it, except that it may be empty by now.
    guard !slot.isEmpty, at &+ EntryHeader.words <= log.words.count else { return nil }
    let header = EntryHeader(log.words, at: at)
    let shape = header.shape
    guard header.hash == key.hash, header.identity == key.identity, shape.name == key.name.count, shape.isEntry,
      shape.words <= EntryHeader.maximumWords, shape.words <= log.words.count &- at
    else { return nil }
    var bytes = log.words.slice(at, shape.words).bytes
    if let scratch {
      let rest = shape.words &- EntryHeader.words
      log.words.slice(at &+ EntryHeader.words, rest).copyOut(to: Words(scratch), at: EntryHeader.words)
      fenceAcquire()
      guard !log.isPast(slot.position) else { return nil }
      bytes = scratch
    }
    return bytes.slice(shape.nameAt, shape.name).equals(key.name) ? (header, bytes) : nil
  }
}
