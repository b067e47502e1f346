/// A DNS response code by its registered name (RFC 6895 section 2.3).
public struct ResponseCode: Hashable, Sendable {
  public var value: UInt16

  public init(value: UInt16) { self.value = value }

  public static let noError = ResponseCode(value: 0)

  /// `NXDOMAIN`, in any case; nil for a name CoreDNS does not know.
  public init?(name: String) {
    guard let value = ResponseCode.names[name.uppercased()] else { return nil }
    self.value = value
  }

  private static let names: [String: UInt16] = [
    "NOERROR": 0, "FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "NOTIMP": 4, "REFUSED": 5, "YXDOMAIN": 6, "YXRRSET": 7,
    "NXRRSET": 8, "NOTAUTH": 9, "NOTZONE": 10, "DSOTYPENI": 11, "BADSIG": 16, "BADVERS": 16, "BADKEY": 17,
    "BADTIME": 18, "BADMODE": 19, "BADNAME": 20, "BADALG": 21, "BADTRUNC": 22, "BADCOOKIE": 23,
  ]
}
