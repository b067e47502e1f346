/// A view of `count` bytes that somebody else owns: a datagram in a receive buffer, a frame, a cache image.
///
/// Every access is checked against `count`; a failed check is a programmer's error and traps, so code that reads
/// input checks lengths first and reads after. What the type cannot check is lifetime: the memory must outlive the
/// view. It does by construction: all memory a view points to is a `Region` allocated before a shard starts and
/// released after it ends.
///
/// All raw loads and stores of the data path are in this file. Multi-byte integers are in network order
/// (RFC 1035 §2.3.2) unless named `word`, which is eight bytes in host order.
@safe @frozen public struct Bytes: BitwiseCopyable, @unchecked Sendable {
  @usableFromInline let base: UnsafeMutableRawPointer
  public let count: Int

  /// `base` must stay valid for `count` bytes as long as this view or any slice of it is used.
  @inlinable @unsafe public init(base: UnsafeMutableRawPointer, count: Int) {
    unsafe self.base = base
    self.count = count
  }

  /// For system calls and the kernel's rings, which take addresses.
  @inlinable @unsafe public var address: UnsafeMutableRawPointer { unsafe base }

  // Each access below is in bounds: the precondition says so, and `count` bytes are valid by the type's contract.

  @inlinable public subscript(at: Int) -> UInt8 {
    @inline(__always) get {
      precondition(UInt(bitPattern: at) < UInt(bitPattern: count))
      return unsafe base.load(fromByteOffset: at, as: UInt8.self)
    }
    @inline(__always) nonmutating set {
      precondition(UInt(bitPattern: at) < UInt(bitPattern: count))
      unsafe base.storeBytes(of: newValue, toByteOffset: at, as: UInt8.self)
    }
  }

  @inlinable @inline(__always) func check(_ at: Int, _ length: Int) {
    precondition(at >= 0 && length >= 0 && at <= count &- length)
  }

  @inlinable @inline(__always) public func u16(_ at: Int) -> UInt16 {
    check(at, 2)
    return unsafe UInt16(bigEndian: base.loadUnaligned(fromByteOffset: at, as: UInt16.self))
  }

  @inlinable @inline(__always) public func u32(_ at: Int) -> UInt32 {
    check(at, 4)
    return unsafe UInt32(bigEndian: base.loadUnaligned(fromByteOffset: at, as: UInt32.self))
  }

  @inlinable @inline(__always) public func word(_ at: Int) -> UInt64 {
    check(at, 8)
    return unsafe base.loadUnaligned(fromByteOffset: at, as: UInt64.self)
  }

  /// `word` and `set(word:)` without their check, for loops that made it for all of their range.
  @inlinable @inline(__always) @unsafe public func uncheckedWord(_ at: Int) -> UInt64 {
    unsafe base.loadUnaligned(fromByteOffset: at, as: UInt64.self)
  }

  @inlinable @inline(__always) @unsafe public func setUnchecked(word value: UInt64, at: Int) {
    unsafe base.storeBytes(of: value, toByteOffset: at, as: UInt64.self)
  }

  @inlinable @inline(__always) public func set(u16 value: UInt16, at: Int) {
    check(at, 2)
    unsafe base.storeBytes(of: value.bigEndian, toByteOffset: at, as: UInt16.self)
  }

  @inlinable @inline(__always) public func set(u32 value: UInt32, at: Int) {
    check(at, 4)
    unsafe base.storeBytes(of: value.bigEndian, toByteOffset: at, as: UInt32.self)
  }

  @inlinable @inline(__always) public func set(word value: UInt64, at: Int) {
    check(at, 8)
    unsafe base.storeBytes(of: value, toByteOffset: at, as: UInt64.self)
  }

  /// A trivial value that `store` put at `at`.
  @inlinable @inline(__always) public func load<Value: BitwiseCopyable>(_ type: Value.Type, at: Int) -> Value {
    check(at, MemoryLayout<Value>.size)
    return unsafe base.loadUnaligned(fromByteOffset: at, as: type)
  }

  @inlinable @inline(__always) public func store<Value: BitwiseCopyable>(_ value: Value, at: Int) {
    check(at, MemoryLayout<Value>.size)
    unsafe base.storeBytes(of: value, toByteOffset: at, as: Value.self)
  }

  /// The part from `from` on, `length` bytes long.
  @inlinable @inline(__always) public func slice(_ from: Int, _ length: Int) -> Bytes {
    check(from, length)
    return unsafe Bytes(base: base + from, count: length)
  }

  @inlinable @inline(__always) public func from(_ at: Int) -> Bytes { slice(at, count - at) }

  /// Copies all of `source` to offset `at`; the two may overlap.
  @inlinable @inline(__always) public func copy(_ source: Bytes, at: Int) {
    check(at, source.count)
    unsafe (base + at).copyMemory(from: source.base, byteCount: source.count)
  }

  /// The same for what is usually up to sixteen bytes, such as a label: no call then.
  @inlinable @inline(__always) public func copy(short source: Bytes, at: Int) {
    let length = source.count
    check(at, length)
    // Two loads that may overlap, both before any store, cover each length. All four are within what is checked above.
    if length > 16 {
      copy(source, at: at)
    } else if length >= 8 {
      let (first, last) = (source.word(0), source.word(length &- 8))
      set(word: first, at: at)
      set(word: last, at: at &+ length &- 8)
    } else if length >= 4 {
      let (first, last) = (source.u32(0), source.u32(length &- 4))
      set(u32: first, at: at)
      set(u32: last, at: at &+ length &- 4)
    } else if length >= 2 {
      let (first, last) = (source.u16(0), source.u16(length &- 2))
      set(u16: first, at: at)
      set(u16: last, at: at &+ length &- 2)
    } else if length == 1 {
      self[at] = source[0]
    }
  }

  @inlinable public func fill(_ value: UInt8) {
    unsafe base.initializeMemory(as: UInt8.self, repeating: value, count: count)
  }

  /// Same length, same bytes.
  @inlinable public func equals(_ other: Bytes) -> Bool {
    guard count == other.count else { return false }
    // Both have `count` bytes.
    var i = 0
    while i &+ 8 <= count {
      if unsafe uncheckedWord(i) != other.uncheckedWord(i) { return false }
      i &+= 8
    }
    // The rest at once, with some of the last word again.
    if count >= 8 { return unsafe uncheckedWord(count &- 8) == other.uncheckedWord(count &- 8) }
    while i < count {
      if self[i] != other[i] { return false }
      i &+= 1
    }
    return true
  }
}

/// Arrays, for code off the query path.
extension Bytes {
  public var octets: [UInt8] {
    unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      // The buffer has room for `count` bytes, and this view holds as many.
      if count > 0 { unsafe UnsafeMutableRawPointer(buffer.baseAddress!).copyMemory(from: base, byteCount: count) }
      initialized = count
    }
  }

  /// Copies all of `octets` to the front.
  public func write(_ octets: [UInt8]) {
    check(0, octets.count)
    // In bounds by the check.
    unsafe octets.withUnsafeBytes { source in
      if let start = source.baseAddress { unsafe base.copyMemory(from: start, byteCount: source.count) }
    }
  }
}
