import Memory

/// A circular log. Positions count words and only grow (full 64 bits in memory, the low 46 in a slot), so of two
/// positions it is known which is older, and whether the tail has passed one says whether its bytes are still its own.
///
/// Word `position & mask` of the log is where a position lies: each lap starts at a multiple of a power of two that is
/// no smaller than the log, and skips what the log lacks. (`position % size` would cost a reader a division.)
/// 46 bits wrap after 2^49 bytes written (five days of answers at 10 Gbit/s), and then nothing happens: every slot of
/// the index points between tail and head, for eviction clears the slot, so a difference taken in 46 bits is exact.
package struct Log: BitwiseCopyable, Sendable {
  package let words: Words
  let mask: UInt64
  /// The header page's lines of cursors.
  let cursors: Words
  package let name: LogName

  /// The facts come from the header page, whose line of them stays in every reader's cache. (As an array in the reader
  /// they cost it more: the compiler copies an InlineArray to index it.)
  init(_ memory: Words, _ name: LogName) {
    let facts = Layout.logFactsAt &+ 4 &* name.index
    words = memory.slice(
      Int(truncatingIfNeeded: memory.relaxed(facts)), Int(truncatingIfNeeded: memory.relaxed(facts &+ 1)))
    mask = memory.relaxed(facts &+ 2)
    cursors = memory.slice(Layout.tailsAt, 16)
    self.name = name
  }

  /// First position of the live part. Readers look at it after they copied.
  package var tail: UInt64 { cursors.relaxed(name.index) }
  /// Where the next entry goes. The owner's.
  package var head: UInt64 { cursors.relaxed(Layout.headsAt &- Layout.tailsAt &+ name.index) }

  func set(tail: UInt64) { cursors.set(relaxed: tail, at: name.index) }
  func set(head: UInt64) { cursors.set(relaxed: head, at: Layout.headsAt &- Layout.tailsAt &+ name.index) }

  /// Index in `words` of a position.
  package func at(_ position: UInt64) -> Int { Int(truncatingIfNeeded: position & mask) }

  /// The position after `count` words, which end in the same lap.
  package func after(_ position: UInt64, _ count: Int) -> UInt64 {
    let next = position &+ UInt64(truncatingIfNeeded: count)
    return next & mask == UInt64(truncatingIfNeeded: words.count) ? (next | mask) &+ 1 : next
  }

  /// Whether the tail has passed the position of a slot, given in 46 bits.
  func isPast(_ position: UInt64) -> Bool {
    (position &- tail) & Slot.positionMask >= 1 << (Slot.positionBits - 1)
  }

  /// Whether `count` words, at most a quarter of the log, can go to the head without touching what is live.
  func hasRoom(_ count: Int) -> Bool {
    let tail = tail
    let head = head
    let tailInLap = tail | mask == head | mask
    if at(head) &+ count <= words.count { return tailInLap || at(tail) >= at(head) &+ count }
    // A gap to the end of the lap, then the start of the next. An empty log has its tail here, past its first quarter.
    return tailInLap && at(tail) >= count
  }

  /// Where an entry of `count` words goes, for which there is room. Fills the end of the lap with a gap if it must.
  func place(_ count: Int) -> UInt64 {
    // Whoever reads any byte written from here on also reads the tail that says so. A release store of the tail would
    // not do: it orders what is in front of it, not what follows.
    fenceRelease()
    var position = head
    if at(position) &+ count > words.count {
      let gap = words.count &- at(position)
      words.set(relaxed: EntryShape(gap: gap).raw, at: at(position))
      position = after(position, gap)
      set(head: position)
    }
    return position
  }
}
