/// One record of an answer, class IN.
struct Record {
  var owner: Name
  var ttl: UInt32
  var data: Data

  enum Data {
    case address(UInt32)
    case canonicalName(Name)
    case pointer(Name)
    case nameServer(Name)
    case service(port: UInt16, target: Name)
    /// The start of authority; the negative TTL is its last field (RFC 2308 §4).
    case authority(server: Name, mailbox: Name, negativeTTL: UInt32)
  }

  var type: UInt16 {
    switch data {
    case .address: RecordType.a
    case .canonicalName: RecordType.cname
    case .pointer: RecordType.ptr
    case .nameServer: RecordType.ns
    case .service: RecordType.srv
    case .authority: RecordType.soa
    }
  }
}

/// An answer before it is bytes.
struct Response {
  var rcode: UInt16
  var authoritative = false
  var recursionAvailable = false
  var truncated = false
  var answers: [Record] = []
  var authority: [Record] = []
  var additional: [Record] = []
}

/// Writes one response message (RFC 1035 §4.1).
struct MessageWriter {
  private var bytes: [UInt8] = []
  private let compress: Bool
  /// Names written so far that a later one may point into, folded, with their offsets.
  private var known: [(name: Name, offset: Int)] = []

  private init(compress: Bool) {
    self.compress = compress
    bytes.reserveCapacity(512)
  }

  /// The message for `response`. What is longer than `limit` octets goes out as header, question and OPT with TC set
  /// (RFC 2181 §9). `compress` false writes every name in full.
  static func message(_ response: Response, to query: Query, withOPT: Bool, compress: Bool, limit: Int) -> [UInt8] {
    var writer = MessageWriter(compress: compress)
    writer.write(response, to: query, withOPT: withOPT)
    guard writer.bytes.count > limit else { return writer.bytes }
    var short = response
    (short.answers, short.authority, short.additional, short.truncated) = ([], [], [], true)
    writer = MessageWriter(compress: compress)
    writer.write(short, to: query, withOPT: withOPT)
    return writer.bytes
  }

  private mutating func write(_ response: Response, to query: Query, withOPT: Bool) {
    let edns = withOPT ? query.edns : nil
    u16(query.id)
    var flags: UInt16 = 0x8000 | UInt16(query.opcode) << 11 | response.rcode & 0xF
    if response.authoritative { flags |= 0x400 }
    if response.truncated { flags |= 0x200 }
    if query.recursionDesired { flags |= 0x100 }
    if response.recursionAvailable { flags |= 0x80 }
    if query.checkingDisabled { flags |= 0x10 }
    u16(flags)
    u16(query.question == nil ? 0 : 1)
    u16(UInt16(response.answers.count))
    u16(UInt16(response.authority.count))
    u16(UInt16(response.additional.count + (edns == nil ? 0 : 1)))
    if let question = query.question {
      name(question.name)
      u16(question.type)
      u16(question.recordClass)
    }
    for record in response.answers { self.record(record) }
    for record in response.authority { self.record(record) }
    for record in response.additional { self.record(record) }
    if let edns {
      bytes.append(0)
      u16(RecordType.opt)
      u16(1232)
      u16((response.rcode & 0xFF0) << 4)
      u16(edns.dnssecOK ? 0x8000 : 0)
      u16(0)
    }
  }

  private mutating func u16(_ value: UInt16) {
    bytes.append(UInt8(value >> 8))
    bytes.append(UInt8(truncatingIfNeeded: value))
  }

  private mutating func u32(_ value: UInt32) {
    u16(UInt16(value >> 16))
    u16(UInt16(truncatingIfNeeded: value))
  }

  private mutating func record(_ record: Record) {
    name(record.owner)
    u16(record.type)
    u16(1)
    u32(record.ttl)
    let lengthAt = bytes.count
    u16(0)
    switch record.data {
    case .address(let address): u32(address)
    case .canonicalName(let target), .pointer(let target), .nameServer(let target): name(target)
    case .service(let port, let target):
      u16(0)
      u16(100)
      u16(port)
      // RFC 2782: the target is not compressed.
      bytes.append(contentsOf: target.wire)
    case .authority(let server, let mailbox, let negativeTTL):
      name(server)
      name(mailbox)
      for value in [1, 7200, 1800, 86400, negativeTTL] { u32(value) }
    }
    let length = UInt16(bytes.count - lengthAt - 2)
    bytes[lengthAt] = UInt8(length >> 8)
    bytes[lengthAt + 1] = UInt8(truncatingIfNeeded: length)
  }

  /// Writes a name, its longest known suffix as a pointer where that is asked.
  private mutating func name(_ name: Name) {
    let folded = name.folded
    guard compress else {
      bytes.append(contentsOf: name.wire)
      return
    }
    let start = bytes.count
    for offset in folded.labelOffsets {
      if let target = pointer(to: folded.wire[offset...]) {
        bytes.append(contentsOf: name.wire[..<offset])
        u16(0xC000 | UInt16(target))
        if offset > 0 { known.append((folded, start)) }
        return
      }
    }
    bytes.append(contentsOf: name.wire)
    known.append((folded, start))
  }

  /// Where `suffix` stands in the message, if it does within a pointer's 14 bits. A known name may itself end in a
  /// pointer; only what was spelled out of it lies where its offsets say, and that is all that is searched: a suffix
  /// behind its pointer belongs to an earlier known name, which is found first.
  private func pointer(to suffix: ArraySlice<UInt8>) -> Int? {
    for (known, start) in known where known.wire.count >= suffix.count {
      let offset = known.wire.count - suffix.count
      let position = start + offset
      if position < 0x4000, known.wire[offset...] == suffix, known.labelOffsets.contains(offset) { return position }
    }
    return nil
  }
}
