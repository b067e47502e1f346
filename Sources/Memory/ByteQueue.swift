/// A bounded queue of messages from one thread to one other, in memory both can see.
///
/// ```
/// 0: written (producer's position)   64: read (consumer's position)   128: bytes, circular
/// message = 8 bytes (its length) + its bytes, padded to 8; length all ones: the rest up to the end is unused
/// ```
/// Positions only grow; an address is a position modulo the size, a power of two. A full queue refuses, and the
/// producer counts that.
public struct ByteQueue: BitwiseCopyable, Sendable {
  private let control: Bytes
  private let data: Bytes
  private static let filler = UInt64.max
  static let headerSize = 128

  /// Bytes of memory for a queue of `capacity` (a power of two, 64 or more) bytes.
  public static func size(capacity: Int) -> Int { headerSize + capacity }

  /// A queue over zeroed memory of `size(capacity:)` bytes, aligned to 8, that outlives both its ends.
  public init(_ memory: Bytes) {
    control = memory.slice(0, Self.headerSize)
    data = memory.from(Self.headerSize)
    precondition(data.count >= 64 && data.count & (data.count &- 1) == 0)
  }

  /// Producer: appends a value and the bytes that belong to it as one message. False: no room.
  public func push<Value: BitwiseCopyable>(_ value: Value, _ bytes: Bytes) -> Bool {
    let length = MemoryLayout<Value>.size &+ bytes.count
    let needed = 8 &+ (length &+ 7) & ~7
    var at = control.loadRelaxed(0)
    let read = control.loadAcquire(64)
    let mask = UInt64(data.count &- 1)
    let untilEnd = data.count &- Int(at & mask)
    let skip = untilEnd < needed ? untilEnd : 0
    guard Int(at &- read) &+ skip &+ needed <= data.count else { return false }
    if skip > 0 {
      data.storeRelaxed(Self.filler, at: Int(at & mask))
      at &+= UInt64(skip)
    }
    let offset = Int(at & mask)
    data.storeRelaxed(UInt64(length), at: offset)
    data.store(value, at: offset &+ 8)
    data.copy(bytes, at: offset &+ 8 &+ MemoryLayout<Value>.size)
    control.storeRelease(at &+ UInt64(needed), at: 0)
    return true
  }

  /// Consumer: the oldest message, valid until `pop`.
  public func front() -> Bytes? {
    let written = control.loadAcquire(0)
    var at = control.loadRelaxed(64)
    let mask = UInt64(data.count &- 1)
    guard at != written else { return nil }
    if data.loadRelaxed(Int(at & mask)) == Self.filler {
      at &+= mask &+ 1 &- at & mask
      control.storeRelease(at, at: 64)
      guard at != written else { return nil }
    }
    let offset = Int(at & mask)
    return data.slice(offset &+ 8, Int(data.loadRelaxed(offset)))
  }

  /// Consumer: done with the message that `front` returned.
  public func pop(_ message: Bytes) {
    control.storeRelease(control.loadRelaxed(64) &+ UInt64(8 &+ (message.count &+ 7) & ~7), at: 64)
  }

  /// Bytes that wait; exact for neither side while the other is at work.
  public var waiting: Int { Int(truncatingIfNeeded: control.loadAcquire(0) &- control.loadAcquire(64)) }

  /// Whether nothing waits; either side.
  public var isEmpty: Bool { control.loadAcquire(0) == control.loadAcquire(64) }
}
