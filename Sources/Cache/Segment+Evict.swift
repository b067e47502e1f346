import Memory

/// S3-FIFO (Yang et al., 'FIFO queues are all you need for cache eviction', SOSP 2023) on logs: what nobody asked for
/// again by the end of probation goes and leaves a ghost, what somebody did moves to the main log, which gives the hot
/// another lap. Until main has been filled for the first time it takes the cold from probation, too.
extension Segment {
  /// Most entries that one insert moves within or between logs; beyond it, what is hot goes too. It bounds the
  /// latency of an insert.
  static var maximumMoves: Int { 16 }

  /// Advances the tail until `words` words, at most a quarter of the log, fit at the head.
  mutating func makeRoom(in log: Log, _ words: Int, _ moves: inout Int, _ now: UInt64) {
    while !log.hasRoom(words) {
      if log.name.isMain { evictMain(log, &moves, now) } else { evictProbation(log, &moves, now) }
    }
  }

  private mutating func evictProbation(_ log: Log, _ moves: inout Int, _ now: UInt64) {
    let tail = log.tail
    let shape = EntryShape(raw: log.words.relaxed(log.at(tail)))
    if let (at, header) = live(log, tail, shape) {
      let main = self.log(.main(log.name.store))
      let hot = index.heat.relaxed(at) > 0
      if moves > 0, !header.isSpent(now), hot || main.hasRoom(shape.words) {
        moves &-= 1
        makeRoom(in: main, shape.words, &moves, now)
        move(log, tail, shape, to: main, slot: at, heat: 0)
      } else {
        ghosts.add(log.name.store, bucket: index.bucket(header.hash), tag: Slot.tag(of: header.hash))
        drop(at, header)
      }
    }
    log.set(tail: log.after(tail, shape.words))
  }

  private mutating func evictMain(_ log: Log, _ moves: inout Int, _ now: UInt64) {
    let tail = log.tail
    let shape = EntryShape(raw: log.words.relaxed(log.at(tail)))
    if let (at, header) = live(log, tail, shape) {
      let heat = index.heat.relaxed(at)
      if moves > 0, !header.isSpent(now), heat > 0 {
        moves &-= 1
        // With its own words free there is always room for it: either the rest of the lap takes it, or the tail has
        // begun the lap that it goes to.
        log.set(tail: log.after(tail, shape.words))
        return move(log, tail, shape, to: log, slot: at, heat: heat &- 1)
      }
      drop(at, header)
    }
    log.set(tail: log.after(tail, shape.words))
  }

  /// The slot and header of what lies at a position, if the index still points there: else it is a gap or was replaced.
  private func live(_ log: Log, _ position: UInt64, _ shape: EntryShape) -> (at: Int, header: EntryHeader)? {
    if shape.isGap { return nil }
    let header = EntryHeader(log.words, at: log.at(position))
    let slot = Slot(tag: Slot.tag(of: header.hash), log: log.name, position: position)
    guard let at = index.find(slot, header.hash) else { return nil }
    return (at, header)
  }

  /// Copies an entry to the head of a log, which has room, and points its slot there.
  private mutating func move(
    _ from: Log, _ position: UInt64, _ shape: EntryShape, to: Log, slot: Int, heat: UInt8
  ) {
    let target = to.place(shape.words)
    to.words.copyIn(from.words.slice(from.at(position), shape.words), at: to.at(target))
    to.set(head: to.after(target, shape.words))
    index.publish(Slot(tag: index[slot].tag, log: to.name, position: target), at: slot, heat: heat)
  }

  private mutating func drop(_ at: Int, _ header: EntryHeader) {
    forget(header, index[at], evicted: true)
    index.publish(Slot(raw: 0), at: at, heat: 0)
  }
}
