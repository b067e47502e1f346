public import Memory

/// The two halves of the memory: a flood of one cannot push out the other.
@frozen public enum Store: UInt8, Sendable, CaseIterable {
  /// NOERROR with records.
  case success = 0
  /// NXDOMAIN, NODATA and the short-lived failures.
  case denial = 1
}

/// What the writer says about an answer beside its bytes.
@frozen public struct Answer: Sendable, Equatable {
  /// The second word of the message's header: QR, OPCODE, AA, TC, RD, RA, Z, AD, CD, RCODE (RFC 1035 §4.1.1).
  public var flags: UInt16
  /// ANCOUNT, NSCOUNT and ARCOUNT of the image.
  public var answers: UInt16
  public var authorities: UInt16
  public var additionals: UInt16
  /// Index of the zone that it counts for, below the segment's `zones`.
  public var zone: UInt16
  public var store: Store
  /// Seconds after which it is expired.
  public var ttl: UInt32
  /// Seconds after its expiry in which it may still be served (`serve_stale`). Eviction spares it as long.
  public var stale: UInt32

  @inlinable public init(
    flags: UInt16, answers: UInt16, authorities: UInt16, additionals: UInt16, zone: UInt16, store: Store, ttl: UInt32,
    stale: UInt32 = 0
  ) {
    self.flags = flags
    self.answers = answers
    self.authorities = authorities
    self.additionals = additionals
    self.zone = zone
    self.store = store
    self.ttl = ttl
    self.stale = stale
  }
}

/// An answer as read, whole and at rest: its bytes are in the reader's own scratch memory until the next lookup there.
@frozen public struct Found: Sendable {
  public let answer: Answer
  /// Milliseconds of the clock that `insert` was given.
  public let storedAt: UInt64
  /// TTL less the whole seconds since it was stored; 0 or below is expired, and whether to serve it then is the
  /// caller's affair.
  public let remaining: Int
  public let image: Bytes
  /// UInt16s in the order and form that `insert` was given.
  public let ttlOffsets: Bytes

  @inlinable init(answer: Answer, storedAt: UInt64, remaining: Int, image: Bytes, ttlOffsets: Bytes) {
    self.answer = answer
    self.storedAt = storedAt
    self.remaining = remaining
    self.image = image
    self.ttlOffsets = ttlOffsets
  }
}

/// What became of an insert.
public enum Insertion: Sendable, Equatable {
  /// The key is new, or what it had was evicted to make room for this. So entries + evictions = inserted, always.
  case inserted
  /// The key had an answer, in either store, and now has this one.
  case replaced
  /// Larger than a quarter of the log it belongs to, or than any message. What the key had before stays.
  case tooLarge
  /// A denial whose bucket is full of live successes.
  case refused
}
