import CAtomics

/// Words and bytes that one thread writes while others read. Offsets of words are multiples of eight in memory that is
/// itself aligned to eight: a `Region`, or a slice of one at such an offset.
extension Bytes {
  @inlinable @inline(__always) func sharedWord(_ at: Int) -> UnsafeMutablePointer<UInt64> {
    check(at, 8)
    precondition(at & 7 == 0)
    // In bounds by the check; aligned by the precondition and this extension's contract; every access is atomic.
    return unsafe base.advanced(by: at).assumingMemoryBound(to: UInt64.self)
  }

  @inlinable @inline(__always) public func loadRelaxed(_ at: Int) -> UInt64 {
    unsafe atomics_load_relaxed(sharedWord(at))
  }

  @inlinable @inline(__always) public func loadAcquire(_ at: Int) -> UInt64 {
    unsafe atomics_load_acquire(sharedWord(at))
  }

  @inlinable @inline(__always) public func storeRelaxed(_ value: UInt64, at: Int) {
    unsafe atomics_store_relaxed(sharedWord(at), value)
  }

  @inlinable @inline(__always) public func storeRelease(_ value: UInt64, at: Int) {
    unsafe atomics_store_release(sharedWord(at), value)
  }

  /// Starts bringing what lies at `at` from memory, for a load soon.
  @inlinable @inline(__always) public func prefetch(_ at: Int) {
    check(at, 1)
    unsafe atomics_prefetch(base + at)
  }

  /// Adds to a counter that only the calling thread writes.
  @inlinable @inline(__always) public func count(_ at: Int, by amount: UInt64 = 1) {
    storeRelaxed(loadRelaxed(at) &+ amount, at: at)
  }
}
