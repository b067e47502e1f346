import Corefile

/// Names in wire format, as plain octets.
enum WireName {
  static func folded(_ name: [UInt8]) -> [UInt8] { name.map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 } }

  /// In lower case, with the last dot.
  static func text(_ name: [UInt8]) -> String { ZoneName(wire: folded(name)).text }
}

extension Sequence<ZoneName> {
  /// The zone with the longest name that is `name` (folded) or above it.
  func longest(above name: ZoneName) -> ZoneName? {
    filter { $0.contains(name) }.max { $0.wire.count < $1.wire.count }
  }
}
