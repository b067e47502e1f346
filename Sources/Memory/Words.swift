import CAtomics

/// A view of `count` aligned eight-byte words that threads may race on: every load and store is atomic, so what is read
/// is at worst old or torn between words, never undefined. Accesses are checked as those of `Bytes` are, and the memory
/// must outlive the view in the same way. Positions and lengths are in words, values in host order.
@safe @frozen public struct Words: BitwiseCopyable, @unchecked Sendable {
  @usableFromInline let base: UnsafeMutablePointer<UInt64>
  public let count: Int

  /// The whole words of `bytes`, which must start on a multiple of eight.
  @inlinable public init(_ bytes: Bytes) {
    precondition(unsafe UInt(bitPattern: bytes.address) & 7 == 0)
    // Aligned, and `count` words are within the bytes that `bytes` vouches for.
    unsafe base = bytes.address.assumingMemoryBound(to: UInt64.self)
    count = bytes.count >> 3
  }

  @inlinable @unsafe init(base: UnsafeMutablePointer<UInt64>, count: Int) {
    unsafe self.base = base
    self.count = count
  }

  /// The same memory as bytes, for what no other thread is writing at the time.
  @inlinable public var bytes: Bytes { unsafe Bytes(base: UnsafeMutableRawPointer(base), count: count &* 8) }

  // Each access below is in bounds: the precondition says so, and `count` words are valid by the type's contract.

  @inlinable @inline(__always) func check(_ at: Int) {
    precondition(UInt(bitPattern: at) < UInt(bitPattern: count))
  }

  @inlinable @inline(__always) func check(_ at: Int, _ length: Int) {
    precondition(at >= 0 && length >= 0 && at <= count &- length)
  }

  @inlinable @inline(__always) public func relaxed(_ at: Int) -> UInt64 {
    check(at)
    return unsafe atomics_load_relaxed(base + at)
  }

  @inlinable @inline(__always) public func acquire(_ at: Int) -> UInt64 {
    check(at)
    return unsafe atomics_load_acquire(base + at)
  }

  @inlinable @inline(__always) public func set(relaxed value: UInt64, at: Int) {
    check(at)
    unsafe atomics_store_relaxed(base + at, value)
  }

  @inlinable @inline(__always) public func set(release value: UInt64, at: Int) {
    check(at)
    unsafe atomics_store_release(base + at, value)
  }

  /// The part from `from` on, `length` words long.
  @inlinable @inline(__always) public func slice(_ from: Int, _ length: Int) -> Words {
    check(from, length)
    return unsafe Words(base: base + from, count: length)
  }

  /// Copies these words, which another thread may be overwriting, to `to` on, which only the caller uses.
  @inlinable @inline(__always) public func copyOut(to target: Words, at to: Int) {
    target.check(to, count)
    unsafe atomics_copy_from_racy(target.base + to, base, count)
  }

  /// Overwrites words that other threads may be reading with `source`, which none is writing, from `at` on. Words are
  /// copied in rising order, so the two may overlap where the source starts after the target.
  @inlinable @inline(__always) public func copyIn(_ source: Words, at: Int) {
    check(at, source.count)
    unsafe atomics_copy_to_racy(base + at, source.base, source.count)
  }

  /// The same from bytes of any alignment; the last word is filled up with zero bytes.
  @inlinable @inline(__always) public func copyIn(_ source: Bytes, at: Int) {
    check(at, (source.count &+ 7) >> 3)
    unsafe atomics_copy_bytes_to_racy(base + at, source.address, source.count)
  }
}

extension Bytes {
  /// A byte that threads race on without harm, such as a heat.
  @inlinable @inline(__always) public func relaxed(_ at: Int) -> UInt8 {
    check(at, 1)
    return unsafe atomics_load_byte(base.assumingMemoryBound(to: UInt8.self) + at)
  }

  @inlinable @inline(__always) public func set(relaxed value: UInt8, at: Int) {
    check(at, 1)
    unsafe atomics_store_byte(base.assumingMemoryBound(to: UInt8.self) + at, value)
  }
}

/// No load after it moves before a load in front of it (of any memory): the reader's half of a seqlock.
@inlinable @inline(__always) public func fenceAcquire() { atomics_fence_acquire() }

/// No store after it moves before a store in front of it: the writer's half.
@inlinable @inline(__always) public func fenceRelease() { atomics_fence_release() }
