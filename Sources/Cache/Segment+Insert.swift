public import Memory

extension Segment {
  /// Stores an answer under a key, in place of what the key had. `image` is the message as the reader wants it back
  /// (at most 65,535 bytes), `ttlOffsets` are UInt16s (at most 5,956, an even count of bytes), `now` is in milliseconds
  /// of a clock that does not go back.
  ///
  /// Readers find the old answer or the new one: they come by the slot, and it changes in one store.
  public mutating func insert(
    _ key: Key, _ answer: Answer, image: Bytes, ttlOffsets: Bytes, now: UInt64
  ) -> Insertion {
    precondition((1...EntryHeader.maximumName).contains(key.name.count))
    precondition(ttlOffsets.count & 1 == 0 && answer.zone < reader.layout.zones)
    let offsets = ttlOffsets.count / 2
    guard image.count <= EntryHeader.maximumImage, offsets <= EntryHeader.maximumOffsets else { return .tooLarge }
    let shape = EntryShape(name: key.name.count, offsets: offsets, image: image.count)

    let own = find(key)
    // What was hit, and is fetched anew after its TTL, is not new: through probation a hot name would have to prove
    // itself again every few seconds.
    let known =
      if let own {
        index.heat.relaxed(own) > 0
      } else {
        ghosts.contains(answer.store, bucket: index.bucket(key.hash), tag: Slot.tag(of: key.hash))
      }
    let target = log(known ? .main(answer.store) : .probation(answer.store))
    guard shape.words <= target.words.count / 4 else { return .tooLarge }
    guard let at = own ?? vacancy(key, answer.store, now) else { return .refused }

    beginWriting()
    defer { endWriting() }
    var moves = Segment.maximumMoves
    makeRoom(in: target, shape.words, &moves, now)
    let position = target.place(shape.words)
    let start = target.at(position)
    EntryHeader(shape: shape, key: key, answer: answer, now: now).write(to: target.words, at: start)
    target.words.copyIn(key.name, at: start &+ shape.nameAt / 8)
    target.words.copyIn(ttlOffsets, at: start &+ shape.offsetsAt / 8)
    target.words.copyIn(image, at: start &+ shape.imageAt / 8)
    target.set(head: target.after(position, shape.words))
    target.words.bytes.prefetch(target.at(target.tail) &* 8)

    // Whatever the slot holds by now goes with this: making room may have moved its entry, or evicted and counted it.
    let last = index[at]
    if !last.isEmpty { forget(header(last), last, evicted: own == nil) }
    index.publish(Slot(tag: Slot.tag(of: key.hash), log: target.name, position: position), at: at, heat: 0)
    counters.add(1, to: .entries, zone: Int(answer.zone), store: answer.store)
    return own == nil || last.isEmpty ? .inserted : .replaced
  }

  /// Starts bringing from memory what an `insert` under a hash will look at soon: its bucket and ghosts, and in either
  /// store the bucket of the entry that has been on probation longest, which probably makes room for it.
  public func prefetch(_ hash: UInt64) {
    reader.prefetchBucket(hash)
    ghosts.prefetch(bucket: index.bucket(hash))
    prefetchVictim(log(.probation(.success)))
    prefetchVictim(log(.probation(.denial)))
  }

  /// The insert before asked for its header. What lies there may be a gap, as short as a word.
  @inline(__always) private func prefetchVictim(_ log: Log) {
    let hashAt = log.at(log.tail) &+ EntryHeader.hashAt
    guard hashAt < log.words.count else { return }
    let bucket = index.bucket(log.words.relaxed(hashAt))
    index.slots.bytes.prefetch(bucket &* 8)
    ghosts.prefetch(bucket: bucket)
  }

  /// Number of the slot that holds the key's entry.
  private func find(_ key: Key) -> Int? {
    let first = index.bucket(key.hash)
    let tag = Slot.tag(of: key.hash)
    for at in first..<first &+ Bucket.slots where index[at].tag == tag {
      let slot = index[at]
      let header = header(slot)
      guard header.hash == key.hash, header.identity == key.identity else { continue }
      let log = log(slot.log)
      let bytes = log.words.slice(log.at(slot.position), header.shape.words).bytes
      if bytes.slice(header.shape.nameAt, header.shape.name).equals(key.name) { return at }
    }
    return nil
  }

  /// Number of the slot that a new key may take in its bucket: a free one, one whose entry is spent, that of the
  /// coldest denial, and for a success that of the coldest success.
  private func vacancy(_ key: Key, _ store: Store, _ now: UInt64) -> Int? {
    let first = index.bucket(key.hash)
    // Each header is somewhere else in memory, and most buckets have room.
    for at in first..<first &+ Bucket.slots where index[at].isEmpty { return at }
    var best: Int? = nil
    var bestRank = Int.max
    for at in first..<first &+ Bucket.slots {
      let slot = index[at]
      let rank =
        if header(slot).isSpent(now) {
          0
        } else if slot.log.store == .denial {
          1 + Int(index.heat.relaxed(at))
        } else if store == .success {
          100 + Int(index.heat.relaxed(at))
        } else {
          Int.max
        }
      if rank < bestRank {
        best = at
        bestRank = rank
      }
    }
    return best
  }

  /// The header of a slot that is not empty.
  func header(_ slot: Slot) -> EntryHeader {
    let log = log(slot.log)
    return EntryHeader(log.words, at: log.at(slot.position))
  }

  /// Takes an entry out of the count.
  func forget(_ header: EntryHeader, _ slot: Slot, evicted: Bool) {
    counters.add(-1, to: .entries, zone: header.zone, store: slot.log.store)
    if evicted { counters.add(1, to: .evictions, zone: header.zone, store: slot.log.store) }
  }
}
