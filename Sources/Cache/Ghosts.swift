import Memory

/// S3-FIFO's third queue: tags of what left probation unasked for. A name fetched again while its ghost is there goes
/// straight to main. Four tags for each bucket of the index and each store, the youngest lowest; a fifth pushes out the
/// oldest. Owner only.
///
/// Measured on Zipf traffic with as many random names of the same store again (`FloodTests`): the flood costs 1.7 points
/// of hit ratio, and 6.6 without ghosts.
struct Ghosts: Sendable {
  let words: Words

  func add(_ store: Store, bucket: Int, tag: UInt64) {
    let at = at(store, bucket)
    words.set(relaxed: words.relaxed(at) << 16 | tag, at: at)
  }

  /// One name in 16,000 is taken for another's ghost, which costs nothing but a place in main.
  func contains(_ store: Store, bucket: Int, tag: UInt64) -> Bool {
    let tags = words.relaxed(at(store, bucket))
    return tags & 0xFFFF == tag || tags >> 16 & 0xFFFF == tag || tags >> 32 & 0xFFFF == tag || tags >> 48 == tag
  }

  func prefetch(bucket: Int) { words.bytes.prefetch(at(.success, bucket) &* 8) }

  private func at(_ store: Store, _ bucket: Int) -> Int { bucket / Bucket.slots * 2 + Int(store.rawValue) }
}
