import Memory

/// The index: buckets of eight slots, a cache line each, and a byte of heat for every slot beside them. A key may lie
/// in one bucket only, which bounds a lookup whatever the names are; the price is that a full bucket turns entries away.
package struct Index: BitwiseCopyable, Sendable {
  package let slots: Words
  /// How often the slot's entry was found since it was placed, up to `Heat.maximum`. Readers race on it: a lost count
  /// does no harm.
  let heat: Bytes

  package subscript(_ at: Int) -> Slot { Slot(raw: slots.relaxed(at)) }

  /// After this the entry's bytes are seen as they were when the slot was published.
  func acquire(_ at: Int) -> Slot { Slot(raw: slots.acquire(at)) }

  /// Owner only. What was written before is seen by whoever sees the slot.
  func publish(_ slot: Slot, at: Int, heat value: UInt8) {
    heat.set(relaxed: value, at: at)
    slots.set(release: slot.raw, at: at)
  }

  /// Number of the first slot of a hash's bucket.
  func bucket(_ hash: UInt64) -> Int {
    Int(truncatingIfNeeded: hash & UInt64(truncatingIfNeeded: slots.count &- 1)) & ~(Bucket.slots &- 1)
  }

  /// Number of the slot that holds exactly this, among those of the hash's bucket.
  package func find(_ slot: Slot, _ hash: UInt64) -> Int? {
    let first = bucket(hash)
    for at in first..<first &+ Bucket.slots where self[at] == slot { return at }
    return nil
  }

  func warm(_ at: Int) {
    let value = heat.relaxed(at)
    // Most hits are on what is hot already: then the line stays shared between the readers' cores.
    if value < Heat.maximum { heat.set(relaxed: value &+ 1, at: at) }
  }
}

enum Bucket { static let slots = 8 }

enum Heat { static let maximum: UInt8 = 3 }
