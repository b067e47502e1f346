/// One slot of a bucket: where an entry lies, and 16 bits of its hash so that most others need not be looked at.
///
///      63            48 47 46 45                                             0
///     +----------------+-----+-----------------------------------------------+
///     |      tag       | log |       position in the log, in words           |
///     +----------------+-----+-----------------------------------------------+
///
/// Zero is an empty slot: a tag is never zero.
package struct Slot: Equatable {
  let raw: UInt64

  static let positionBits: UInt64 = 46
  static let positionMask: UInt64 = 1 << 46 - 1

  init(raw: UInt64) { self.raw = raw }

  package init(tag: UInt64, log: LogName, position: UInt64) {
    raw = tag << 48 | UInt64(log.rawValue) << Slot.positionBits | position & Slot.positionMask
  }

  package var isEmpty: Bool { raw == 0 }
  var tag: UInt64 { raw >> 48 }
  package var log: LogName { LogName(rawValue: UInt8(truncatingIfNeeded: raw >> Slot.positionBits) & 3) }
  /// The position's low 46 bits.
  var position: UInt64 { raw & Slot.positionMask }

  package static func tag(of hash: UInt64) -> UInt64 { max(hash >> 48, 1) }
}

/// Which of the four logs, 0...3: bit 0 is the store, bit 1 tells main from probation.
package struct LogName: BitwiseCopyable, Equatable, Sendable {
  let rawValue: UInt8

  package init(rawValue: UInt8) { self.rawValue = rawValue }

  package static func probation(_ store: Store) -> LogName { LogName(rawValue: store.rawValue) }
  package static func main(_ store: Store) -> LogName { LogName(rawValue: store.rawValue | 2) }

  var isMain: Bool { rawValue & 2 != 0 }
  package var store: Store { rawValue & 1 == 0 ? .success : .denial }
  package var index: Int { Int(rawValue) }
}
