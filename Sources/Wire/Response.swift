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
  private let memory = Region(size: 65_536)
  private let offsets = Region(size: 12_288)
  private var end = 0
  private var start = 0
  private var offsetCount = 0

  public init() {}

  /// The records, after `write` succeeded.
  public var image: Bytes { memory.bytes.slice(start, end &- start) }

  /// What the last `write` cost, in octets of names walked: what a message may ask for is bounded (`NameWriter.maxWork`).
  package var work: Int { names.work }
  package static var maxWork: Int { NameWriter.maxWork }

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
    names.reset(out, nameLength: question.count &- 4)
    start = Header.length &+ question.count
    end = start
    offsetCount = 0

    // Where the name stands that the answer has led to: in `message`, and in `out`.
    var chain = (source: Header.length, image: Header.length)
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
        guard let isOwner = isOwner(chain.source, of: record, message, question.count &- 4) else { return nil }
        if !isOwner, chainOnly, !isBeside(record, chain.source, message) {
          guard names.isName(message, record.owner) else { return nil }
          index &+= 1
          continue
        }
        leads = isOwner && record.type == RecordType.cname
      }
      let owner = end
      guard let data = write(record, of: message) else { return nil }
      if leads { chain = (record.data, data) }
      if record.type == RecordType.soa, index >= answers, index < authorities {
        response.hasSOA = response.hasSOA || names.isAncestor(owner, ofNameAt: chain.image, in: out.slice(0, end))
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

  /// Whether the name at `chain` is a record's owner; nil if it cannot be told. Nearly always it is the question's name,
  /// of `length` octets, spelled as there.
  private mutating func isOwner(_ chain: Int, of record: Record, _ message: Bytes, _ length: Int) -> Bool? {
    if chain == Header.length, record.owner &+ length &+ 4 == record.ttlOffset,
      message.slice(record.owner, length).equals(message.slice(chain, length))
    {
      return true
    }
    return names.isSame(message, record.owner, chain)
  }

  /// Whether an answer's record that the chain's name does not own belongs to it all the same.
  private mutating func isBeside(_ record: Record, _ chain: Int, _ message: Bytes) -> Bool {
    record.type == RecordType.rrsig
      || record.type == RecordType.dname && names.isAncestor(record.owner, ofNameAt: chain, in: message)
  }

  /// Appends one record; returns the offset of its data, or nil if it is malformed or the image is full.
  private mutating func write(_ record: Record, of message: Bytes) -> Int? {
    let out = memory.bytes
    guard offsetCount < offsets.bytes.count / 2,
      let fixed = names.write(message, at: record.owner, to: out, at: end, compress: true),
      fixed &+ 10 <= out.count
    else { return nil }
    out.copy(message.slice(record.ttlOffset &- 4, 4), at: fixed)
    out.set(u32: record.ttl(message), at: fixed &+ 4)
    offsets.bytes.set(u16: UInt16(truncatingIfNeeded: fixed &+ 4 &- start), at: offsetCount &* 2)
    offsetCount &+= 1
    let data = fixed &+ 10
    guard let after = writeData(record, of: message, at: data), after <= out.count &- 1 else { return nil }
    out.set(u16: UInt16(truncatingIfNeeded: after &- data), at: fixed &+ 8)
    end = after
    return data
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
        let written = names.write(message, at: from, to: out, at: to, compress: layout.compressible)
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
