import Memory

/// S3-FIFO (Yang et al., 'FIFO queues are all you need for cache eviction', SOSP 2023) on logs: what nobody asked for
/// again by the end of probation goes, what somebody did moves to the main log, which gives the hot another lap.
///
/// Two departures. There is no queue of ghosts: an expired entry that is fetched again still lies in its log, and its heat
/// tells. And what leaves probation cold moves on as well while the main log has room that costs nothing, else a working
/// set larger than probation would never fill a cache that has the space.
extension Segment {
  /// Most entries that one insert moves within or between logs; beyond it, what is hot goes too. It bounds the
  /// latency of an insert.
  static var maximumMoves: Int { 16 }

  /// Advances the tail until `words` words fit at the head. `sparing` gives up (false) where that would cost an entry that is
  /// of use.
  mutating func makeRoom(in log: Log, _ words: Int, sparing: Bool, _ moves: inout Int, _ now: UInt64) -> Bool {
    while !log.hasRoom(words) {
      guard log.name.isMain ? evictMain(log, sparing, &moves, now) : evictProbation(log, &moves, now) else {
        return false
      }
    }
    return true
  }

  private mutating func evictProbation(_ log: Log, _ moves: inout Int, _ now: UInt64) -> Bool {
    let tail = log.tail
    let shape = EntryShape(raw: log.words.relaxed(log.at(tail)))
    if let (at, header) = live(log, tail, shape) {
      let main = self.log(.main(log.name.store))
      let hot = index.heat.relaxed(at) > 0
      if moves > 0, !header.isSpent(now), makeRoom(in: main, shape.words, sparing: !hot, &moves, now) {
        moves &-= 1
        move(log, tail, shape, to: main, slot: at, heat: 0)
      } else {
        drop(at, header)
      }
    }
    log.set(tail: log.after(tail, shape.words))
    return true
  }

  private mutating func evictMain(_ log: Log, _ sparing: Bool, _ moves: inout Int, _ now: UInt64) -> Bool {
    let tail = log.tail
    let shape = EntryShape(raw: log.words.relaxed(log.at(tail)))
    let next = log.after(tail, shape.words)
    if let (at, header) = live(log, tail, shape) {
      let spent = header.isSpent(now)
      if sparing && !spent { return false }
      let heat = index.heat.relaxed(at)
      if moves > 0, !spent, heat > 0 {
        moves &-= 1
        // With its own words free there is always room for it: either the rest of the lap takes it, or the tail has
        // begun the lap that it goes to.
        log.set(tail: next)
        move(log, tail, shape, to: log, slot: at, heat: heat &- 1)
        return true
      }
      drop(at, header)
    }
    log.set(tail: next)
    return true
  }

  /// The slot and header of what lies at a position, if the index still points there: else it is a gap, or was replaced.
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
