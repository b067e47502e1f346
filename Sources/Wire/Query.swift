import Memory

/// A query that passed admission: its numbers, and where its parts stand in the buffer it arrived in.
public struct Query: BitwiseCopyable, Sendable {
  public let id: UInt16
  public let flags: UInt16
  /// Octets of the question's name, root included; it starts at `Header.length`.
  public var nameLength: Int { Int(nameOctets) }
  private let nameOctets: UInt8
  public let type: UInt16
  public let recordClass: UInt16
  public private(set) var edns: EDNS?

  public init(id: UInt16, flags: UInt16, nameLength: Int, type: UInt16, recordClass: UInt16, edns: EDNS?) {
    self.id = id
    self.flags = flags
    nameOctets = UInt8(truncatingIfNeeded: nameLength)
    self.type = type
    self.recordClass = recordClass
    self.edns = edns
  }

  /// Offset after the question: where a reply's records start.
  public var questionEnd: Int { Header.length &+ nameLength &+ 4 }
  /// The query as if its sender took UDP payloads of `size` octets at most.
  public func offering(atMost size: UInt16) -> Query {
    var query = self
    if let offer = edns?.udpSize { query.edns?.udpSize = min(offer, size) }
    return query
  }

  public var dnssecOK: Bool { edns?.dnssecOK ?? false }
  public var checkingDisabled: Bool { flags & Header.cd != 0 }
}

/// What the first look at a message decides (spec a.6).
public enum Admission {
  case query(Query)
  /// Answer with twelve octets: id, opcode and RD echoed, no question.
  case bareError(rcode: UInt16)
  /// Answer with the question and this code.
  case error(Query, rcode: UInt16)
  /// Not a query at all: say nothing.
  case drop
}

extension Admission {
  /// The ladder of early exits, in protocol order. `stream`: the message came framed, so bytes after it are an error
  /// of the sender; after a datagram's message they are cut off (dnsdist's `Trailing` tests).
  public init(_ message: Bytes, stream: Bool) {
    // Shorter than a header, or a response: answering could start a loop between two servers.
    guard message.count >= Header.length, message.flags & Header.qr == 0 else {
      self = .drop
      return
    }
    guard message.flags & Header.opcodeMask == 0 else {
      self = .bareError(rcode: Rcode.notImp)
      return
    }
    guard message.questionCount == 1, message.answerCount <= 1, message.authorityCount <= 1,
      message.additionalCount <= 2,
      let nameLength = Name.plainLength(message, at: Header.length),
      Header.length &+ nameLength &+ 4 <= message.count
    else {
      self = .bareError(rcode: Rcode.formErr)
      return
    }

    let questionEnd = Header.length &+ nameLength &+ 4
    var at = questionEnd
    var edns: EDNS?
    let before = message.answerCount &+ message.authorityCount
    var index = 0
    while index < before &+ message.additionalCount {
      guard let record = Record(message, at: at) else {
        self = .bareError(rcode: Rcode.formErr)
        return
      }
      if record.type == RecordType.opt {
        // One OPT, in the additional section, owned by the root (RFC 6891 §6.1.1).
        guard edns == nil, index >= before, let opt = EDNS(message, record), opt.isWellFormed(message) else {
          self = .bareError(rcode: Rcode.formErr)
          return
        }
        edns = opt
      }
      at = record.end
      index &+= 1
    }
    if stream, at != message.count {
      self = .bareError(rcode: Rcode.formErr)
      return
    }

    let query = Query(
      id: message.id, flags: message.flags, nameLength: nameLength, type: message.u16(questionEnd &- 4),
      recordClass: message.u16(questionEnd &- 2), edns: edns)
    if let edns, edns.version != 0 {
      self = .error(query, rcode: Rcode.badVers)
      return
    }
    // A zone transfer is many messages: it would hold a pipelined connection (dnsdist CVE-2026-40209).
    if query.type == RecordType.axfr || query.type == RecordType.ixfr {
      self = .error(query, rcode: Rcode.refused)
      return
    }
    self = .query(query)
  }
}
