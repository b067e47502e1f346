/// A record type by its registered name (RFC 6895 section 3.1).
public struct RecordType: Hashable, Sendable {
  public var value: UInt16

  /// Matches every type in a directive (QTYPE 255).
  public static let any = RecordType(value: 255)

  public init(value: UInt16) { self.value = value }

  /// `AAAA`, in any case; nil for a name that is not known.
  public init?(name: String) {
    guard let value = RecordType.names[name.uppercased()] else { return nil }
    self.value = value
  }

  /// `AAAA`; `TYPE65280` for one without a name (RFC 3597 section 5).
  public var name: String { RecordType.names.first { $0.value == value }?.key ?? "TYPE\(value)" }

  private static let names: [String: UInt16] = [
    "A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "HINFO": 13, "MX": 15, "TXT": 16, "RP": 17, "AFSDB": 18,
    "SIG": 24, "KEY": 25, "AAAA": 28, "LOC": 29, "SRV": 33, "NAPTR": 35, "KX": 36, "CERT": 37, "DNAME": 39, "OPT": 41,
    "APL": 42, "DS": 43, "SSHFP": 44, "IPSECKEY": 45, "RRSIG": 46, "NSEC": 47, "DNSKEY": 48, "DHCID": 49, "NSEC3": 50,
    "NSEC3PARAM": 51, "TLSA": 52, "SMIMEA": 53, "HIP": 55, "CDS": 59, "CDNSKEY": 60, "OPENPGPKEY": 61, "CSYNC": 62,
    "ZONEMD": 63, "SVCB": 64, "HTTPS": 65, "SPF": 99, "EUI48": 108, "EUI64": 109, "TKEY": 249, "TSIG": 250,
    "IXFR": 251, "AXFR": 252, "ANY": 255, "URI": 256, "CAA": 257,
  ]
}

/// A class by its registered name (RFC 6895 section 3.2).
public struct RecordClass: Hashable, Sendable {
  public var value: UInt16

  /// Matches every class in a directive (QCLASS 255).
  public static let any = RecordClass(value: 255)

  public init(value: UInt16) { self.value = value }

  /// `IN`, in any case; nil for a name that is not known.
  public init?(name: String) {
    let names: [String: UInt16] = ["IN": 1, "CS": 2, "CH": 3, "HS": 4, "NONE": 254, "ANY": 255]
    guard let value = names[name.uppercased()] else { return nil }
    self.value = value
  }
}
