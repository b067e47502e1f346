import Memory

/// Replies that wait for a second one to the same client within a turn, so that both leave as one send. A resolver asks
/// for A and AAAA together from one socket (getaddrinfo(3)), and the way through the kernel is most of what an answer
/// costs (Sources/README.md, 'Pairs').
///
/// One reply waits per place, and a client's port says which place is its.
public struct ReplyPairs: ~Copyable {
  public struct Held: BitwiseCopyable {
    public let buffer: UInt16
    public let length: UInt16
    public let socket: UInt16

    @inline(__always) public init(buffer: Int, length: Int, socket: Int) {
      self.buffer = UInt16(truncatingIfNeeded: buffer)
      self.length = UInt16(truncatingIfNeeded: length)
      self.socket = UInt16(truncatingIfNeeded: socket)
    }
  }

  private static let places = 32
  private var held = Table<Held>(uninitialized: places)
  private var waiting: UInt32 = 0  // bit per place

  public init() {}

  /// Holds `reply` in its client's place, and returns what waited there.
  @inline(__always) public mutating func exchange(_ reply: Held, from sender: Bytes) -> Held? {
    let place = Self.place(sender)
    let bit = UInt32(1) << UInt32(place)
    defer {
      held[place] = reply
      waiting |= bit
    }
    return waiting & bit == 0 ? nil : held[place]
  }

  /// Empties a client's place.
  @inline(__always) public mutating func drop(_ sender: Bytes) { waiting &= ~(1 << UInt32(Self.place(sender))) }

  /// A reply that has waited in vain; nil when none is left.
  @inline(__always) public mutating func takeNext() -> Held? {
    guard waiting != 0 else { return nil }
    let place = waiting.trailingZeroBitCount
    waiting &= waiting &- 1
    return held[place]
  }

  /// Whether two socket addresses of one family are the same. (A sockaddr_in is followed by whatever was there.)
  @inline(__always) public static func isSame(_ one: Bytes, _ other: Bytes) -> Bool {
    guard one.word(0) == other.word(0) else { return false }
    return one[0] == 2 || one.word(8) == other.word(8) && one.word(16) == other.word(16) && one.u32(24) == other.u32(24)
  }

  @inline(__always) private static func place(_ sender: Bytes) -> Int { Int(sender[3]) & (places &- 1) }
}
