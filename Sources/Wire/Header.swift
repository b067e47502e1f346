import Memory

/// The fixed part of a message (RFC 1035 §4.1.1): twelve octets.
///
/// ```
///   0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15
/// |                      ID                       |
/// |QR|   OPCODE  |AA|TC|RD|RA| Z|AD|CD|   RCODE   |
/// |                    QDCOUNT                    |
/// |                    ANCOUNT                    |
/// |                    NSCOUNT                    |
/// |                    ARCOUNT                    |
/// ```
public enum Header {
  public static let length = 12

  public static let qr: UInt16 = 0x8000
  public static let opcodeMask: UInt16 = 0x7800
  public static let aa: UInt16 = 0x0400
  public static let tc: UInt16 = 0x0200
  public static let rd: UInt16 = 0x0100
  public static let ra: UInt16 = 0x0080
  public static let ad: UInt16 = 0x0020
  public static let cd: UInt16 = 0x0010
  public static let rcodeMask: UInt16 = 0x000F
}

// The caller has checked that the message has at least `Header.length` bytes.
extension Bytes {
  @inlinable public var id: UInt16 { u16(0) }
  @inlinable public var flags: UInt16 { u16(2) }
  @inlinable public var questionCount: Int { Int(u16(4)) }
  @inlinable public var answerCount: Int { Int(u16(6)) }
  @inlinable public var authorityCount: Int { Int(u16(8)) }
  @inlinable public var additionalCount: Int { Int(u16(10)) }

  @inlinable public func setHeader(
    flags: UInt16, questions: UInt16, answers: UInt16, authorities: UInt16, additionals: UInt16
  ) {
    set(u16: flags, at: 2)
    set(u16: questions, at: 4)
    set(u16: answers, at: 6)
    set(u16: authorities, at: 8)
    set(u16: additionals, at: 10)
  }
}

/// Response codes (RFC 1035 §4.1.1, RFC 6891 §9) as the engine uses them; any other value passes through as a number.
public enum Rcode {
  public static let noError: UInt16 = 0
  public static let formErr: UInt16 = 1
  public static let servFail: UInt16 = 2
  public static let nxDomain: UInt16 = 3
  public static let notImp: UInt16 = 4
  public static let refused: UInt16 = 5
  public static let badVers: UInt16 = 16
}

/// Type codes (IANA DNS parameters) that the engine treats specially.
public enum RecordType {
  public static let a: UInt16 = 1
  public static let ns: UInt16 = 2
  public static let cname: UInt16 = 5
  public static let soa: UInt16 = 6
  public static let ptr: UInt16 = 12
  public static let hinfo: UInt16 = 13
  public static let aaaa: UInt16 = 28
  public static let srv: UInt16 = 33
  public static let dname: UInt16 = 39
  public static let opt: UInt16 = 41
  public static let ds: UInt16 = 43
  public static let rrsig: UInt16 = 46
  public static let ixfr: UInt16 = 251
  public static let axfr: UInt16 = 252
  public static let any: UInt16 = 255
}

public enum RecordClass {
  public static let `in`: UInt16 = 1
}
