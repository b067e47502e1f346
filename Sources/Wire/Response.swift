import Memory

/// What a response is, apart from its records: enough to decide whether and for how long it may be kept.
public struct Response: Sendable {
  /// Header flags as received, response code in the low four bits.
  public var flags: UInt16 = 0
  /// With the OPT's upper bits (RFC 6891 §6.1.3).
  public var rcode: UInt16 = 0
  public var answers: UInt16 = 0
  public var authorities: UInt16 = 0
  /// Without the OPT.
  public var additionals: UInt16 = 0
  /// Seconds: the smallest TTL of any record but the OPT; 0 if there is none.
  public var ttl: UInt32 = 0
  /// An SOA in the authority section whose owner is the last name of the CNAME chain or an ancestor of it.
  public var hasSOA = false

  public init() {}

  public var isTruncated: Bool { flags & Header.tc != 0 }

  /// NOERROR without an answer for the type asked, but with an SOA, or NXDOMAIN (RFC 2308 §2).
  public var isDenial: Bool { rcode == Rcode.nxDomain || rcode == Rcode.noError && answers == 0 && hasSOA }
}

/// Turns an upstream's response into an image: its records, written anew, as they stand in a message right after the
/// question. The question's length is part of the cache key, so the pointers in an image fit every reply it goes into.
///
/// Names are expanded and compressed again, so that an image has no byte in a structural place that was not checked,
/// is as small as it can be, and does not carry the upstream's OPT (hop by hop, RFC 6891 §6.2.6).
public struct ImageWriter: ~Copyable {
  private var names = NameWriter()
  private var chain = AliasChain()
  private let memory = Region(size: 65_536)
  private let offsets = Region(size: 12_288)
  private var end = 0
  private var start = 0
  private var offsetCount = 0

  public init() {}

  /// The records, after `write` succeeded.
  public var image: Bytes { memory.bytes.slice(start, end &- start) }

  /// Labels that a message may have walked for each of its octets, besides those that are walked but once; a pointer
  /// counts as `Name.pointerWork`. Names that are met again cost nothing where they are written; left are the owners
  /// that are compared with the chain's name, and do not just point to it, and pointers that lead to pointers.
  package static let workPerOctet = 2
  /// What is left of it; negative after `write` refused a message for its work.
  package private(set) var work = 0

  /// Offsets of the TTLs in `image`: 16-bit words in network order.
  public var ttlOffsets: Bytes { offsets.bytes.slice(0, offsetCount &* 2) }

  /// The image of a response without records.
  public mutating func writeNothing() {
    start = Header.length
    end = start
    offsetCount = 0
  }

  /// Reads `message`, a response whose question equals `question` (name, type and class in wire form, name folded),
  /// and writes its image. nil if any part of it is malformed or the image would not fit a message.
  ///
  /// `chainOnly`: a record in the answer section is left out unless its owner is the question's name or where the CNAME
  /// records before it led (BIND CVE-2025-40778), but DNAME records above that name, and signatures, which address
  /// nothing. An alias that follows what it leads to counts as none, for a stub resolver too.
  public mutating func write(_ message: Bytes, question: Bytes, chainOnly: Bool = false) -> Response? {
    var response = Response()
    response.flags = message.flags
    response.rcode = message.flags & Header.rcodeMask
    response.ttl = UInt32.max
    let out = memory.bytes
    out.copy(question, at: Header.length)
    names.reset(out, nameLength: question.count &- 4, count: message.count)
    chain.begin(questionLength: question.count &- 4)
    work = Self.workPerOctet &* message.count
    start = Header.length &+ question.count
    end = start
    offsetCount = 0

    var hasOPT = false
    var at = start
    let answers = message.answerCount
    let authorities = answers &+ message.authorityCount
    let total = authorities &+ message.additionalCount
    var index = 0
    while index < total {
      guard let record = Record(message, at: at) else { return nil }
      at = record.end
      if record.type == RecordType.opt {
        guard !hasOPT, index >= authorities, let opt = EDNS(message, record) else { return nil }
        hasOPT = true
        response.rcode |= UInt16(truncatingIfNeeded: opt.extendedRcode) << 4
        index &+= 1
        continue
      }
      var leads = false
      if index < answers, chainOnly || record.type == RecordType.cname {
        guard let isOwner = chain.isOwner(of: record, in: message, work: &work) else { return nil }
        if !isOwner, chainOnly {
          guard let isBeside = isBeside(record, of: message) else { return nil }
          guard isBeside else {
            index &+= 1
            continue
          }
        }
        leads = isOwner && record.type == RecordType.cname
      }
      guard write(record, of: message) else { return nil }
      if leads { chain.go(to: record.data, in: message) }
      if !response.hasSOA, record.type == RecordType.soa, index >= answers, index < authorities {
        guard let isBelow = chain.isBelow(record.owner, in: message, work: &work) else { return nil }
        response.hasSOA = isBelow
      }
      response.ttl = min(response.ttl, record.ttl(message))
      if index < answers {
        response.answers &+= 1
      } else if index < authorities {
        response.authorities &+= 1
      } else {
        response.additionals &+= 1
      }
      index &+= 1
    }
    if offsetCount == 0 { response.ttl = 0 }
    return response
  }

  /// Whether an answer's record that the chain's name does not own belongs to it all the same; nil if none can tell.
  private mutating func isBeside(_ record: Record, of message: Bytes) -> Bool? {
    if record.type == RecordType.dname { return chain.isBelow(record.owner, in: message, work: &work) }
    return record.type == RecordType.rrsig
  }

  /// Appends one record; false if it is malformed, asks for too much work, or the image is full.
  private mutating func write(_ record: Record, of message: Bytes) -> Bool {
    let out = memory.bytes
    guard offsetCount < offsets.bytes.count / 2,
      let fixed = names.write(
        message, at: record.owner, before: record.ttlOffset &- 4, to: out, at: end, compress: true, work: &work),
      fixed &+ 10 <= out.count
    else { return false }
    out.copy(message.slice(record.ttlOffset &- 4, 4), at: fixed)
    out.set(u32: record.ttl(message), at: fixed &+ 4)
    offsets.bytes.set(u16: UInt16(truncatingIfNeeded: fixed &+ 4 &- start), at: offsetCount &* 2)
    offsetCount &+= 1
    let data = fixed &+ 10
    guard let after = writeData(record, of: message, at: data), after <= out.count &- 1 else { return false }
    out.set(u16: UInt16(truncatingIfNeeded: after &- data), at: fixed &+ 8)
    end = after
    return true
  }

  private mutating func writeData(_ record: Record, of message: Bytes, at data: Int) -> Int? {
    let out = memory.bytes
    guard let layout = RecordDataLayout(record.type) else {
      guard data &+ record.dataLength <= out.count else { return nil }
      out.copy(message.slice(record.data, record.dataLength), at: data)
      return data &+ record.dataLength
    }
    var from = record.data &+ layout.before
    var string = 0
    while string < layout.strings {
      guard from < record.end else { return nil }
      from &+= Int(message[from]) &+ 1
      string &+= 1
    }
    let before = from &- record.data
    guard before &+ layout.after <= record.dataLength, data &+ before <= out.count else { return nil }
    out.copy(message.slice(record.data, before), at: data)
    var to = data &+ before
    var name = 0
    while name < layout.names {
      guard let next = Name.skip(message, at: from), next <= record.end,
        let written = names.write(
          message, at: from, before: next, to: out, at: to, compress: layout.compressible, work: &work)
      else { return nil }
      from = next
      to = written
      name &+= 1
    }
    guard from &+ layout.after == record.end, to &+ layout.after <= out.count else { return nil }
    out.copy(message.slice(from, layout.after), at: to)
    return to &+ layout.after
  }
}
