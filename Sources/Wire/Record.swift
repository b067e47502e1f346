import Memory

/// One resource record in place (RFC 1035 §4.1.3): where its parts stand in the message.
public struct Record {
  public let owner: Int
  public let type: UInt16
  public let recordClass: UInt16
  /// Offset of the 32-bit TTL.
  public let ttlOffset: Int
  public let data: Int
  public let dataLength: Int

  public var end: Int { data &+ dataLength }

  /// The record at `start`, or nil if it runs off the message or its owner is malformed.
  public init?(_ message: Bytes, at start: Int) {
    guard let fixed = Name.skip(message, at: start), fixed &+ 10 <= message.count else { return nil }
    owner = start
    type = message.u16(fixed)
    recordClass = message.u16(fixed &+ 2)
    ttlOffset = fixed &+ 4
    data = fixed &+ 10
    dataLength = Int(message.u16(fixed &+ 8))
    guard data &+ dataLength <= message.count else { return nil }
  }

  /// Seconds. A TTL with its top bit set means zero (RFC 2181 §8).
  public func ttl(_ message: Bytes) -> UInt32 {
    let value = message.u32(ttlOffset)
    return value & 0x8000_0000 == 0 ? value : 0
  }
}
