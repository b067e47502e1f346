/// Where names stand inside the data of the types whose names may be compressed (RFC 1035) or were by some servers
/// (RFC 3597 §4), in any class: BIND answers `version.bind CH TXT` with an NS record. Every other type's data is opaque
/// octets.
public struct RecordDataLayout: Sendable {
  /// Octets before the first name, names in a row, octets after the last name.
  public let before: Int
  /// Character-strings that stand after `before`: each an octet of length and as many octets.
  public private(set) var strings = 0
  public let names: Int
  public let after: Int
  /// Whether a sender may compress them: the types of RFC 1035 only (RFC 3597 §4).
  let compressible: Bool

  /// nil: opaque.
  public init?(_ type: UInt16) {
    switch type {
    case 2, 3, 4, 5, 7, 8, 9, 12: (before, names, after, compressible) = (0, 1, 0, true)  // NS MD MF CNAME MB MG MR PTR
    case 6: (before, names, after, compressible) = (0, 2, 20, true)  // SOA
    case 14: (before, names, after, compressible) = (0, 2, 0, true)  // MINFO
    case 15: (before, names, after, compressible) = (2, 1, 0, true)  // MX
    case 17: (before, names, after, compressible) = (0, 2, 0, false)  // RP
    case 18, 21, 36: (before, names, after, compressible) = (2, 1, 0, false)  // AFSDB RT KX
    case 26: (before, names, after, compressible) = (2, 2, 0, false)  // PX
    case 33: (before, names, after, compressible) = (6, 1, 0, false)  // SRV
    case 35: (before, strings, names, after, compressible) = (4, 3, 1, 0, false)  // NAPTR
    case 39: (before, names, after, compressible) = (0, 1, 0, false)  // DNAME
    default: return nil
    }
  }
}
