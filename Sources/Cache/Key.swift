public import Memory

/// What an answer is stored under. Two keys are the same key when every field but `name` is equal and the names are
/// equal byte by byte; the hash finds, it never proves.
@frozen public struct Key: Sendable {
  /// Keyed by the segment's secret, over everything below. The low bits choose the bucket and the top 16 are the tag in
  /// the slot, so whoever deals names out to shards takes bits from the middle.
  public var hash: UInt64
  /// Owner name in wire format, letters folded to lower case (RFC 4343), 1...255 octets (RFC 1035 §3.1).
  public var name: Bytes
  /// The listener group, that is the server block that would have answered.
  public var group: UInt16
  /// QTYPE (RFC 1035 §3.2.2).
  public var qtype: UInt16
  /// QCLASS (RFC 1035 §3.2.4).
  public var qclass: UInt16
  public var flags: Flags

  /// What of a query's flags asks for another answer.
  @frozen public struct Flags: OptionSet, Sendable {
    public var rawValue: UInt8
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// DNSSEC OK (RFC 3225 §3).
    @inlinable public static var dnssecOK: Flags { Flags(rawValue: 1) }
    /// Checking disabled (RFC 4035 §3.2.2).
    @inlinable public static var checkingDisabled: Flags { Flags(rawValue: 2) }
  }

  @inlinable public init(
    hash: UInt64, name: Bytes, group: UInt16, qtype: UInt16, qclass: UInt16, flags: Flags
  ) {
    self.hash = hash
    self.name = name
    self.group = group
    self.qtype = qtype
    self.qclass = qclass
    self.flags = flags
  }

  /// All but hash and name in one word: what the entry's header holds.
  @inlinable var identity: UInt64 {
    UInt64(qtype) | UInt64(qclass) << 16 | UInt64(group) << 32 | UInt64(flags.rawValue) << 48
  }
}
