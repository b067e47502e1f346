import Memory

/// A reply under construction in the buffer that holds the query: header and question stand where they are.
public enum Reply {
  /// The largest UDP reply whatever the client offers: what crosses any path unfragmented (RFC 9715 §3.1). The client
  /// asks again over TCP for more.
  public static let maxUDP = 1232
  /// What every client takes (RFC 1035 §4.2.1), and the least that an offer can mean (RFC 6891 §6.2.3).
  public static let minUDP = 512
  public static let maxStream = 65_535
  /// Of echoed options, octets: what fits beside the longest question in the smallest reply.
  public static let maxOptions = minUDP - (Header.length + Name.maxLength + 4) - EDNS.fixedLength

  /// Octets the reply to `query` may have.
  public static func limit(_ query: Query, stream: Bool) -> Int {
    if stream { return maxStream }
    guard let edns = query.edns else { return minUDP }
    return max(minUDP, min(maxUDP, Int(edns.udpSize)))
  }

  /// Flags of an answer to `query` with the response code `rcode` and the bits `kept` of the stored answer.
  @inlinable static func flags(_ query: Query, kept: UInt16, rcode: UInt16) -> UInt16 {
    let copied = query.flags & (Header.opcodeMask | Header.rd | Header.cd)
    // AD only to who can tell what it means (RFC 6840 §5.8).
    let ad = query.dnssecOK || query.flags & Header.ad != 0 ? kept & Header.ad : 0
    return Header.qr | copied | ad | kept & (Header.aa | Header.ra | Header.tc) | rcode & Header.rcodeMask
  }

  /// An answer from an image of records. Returns the reply's length: at most `limit`, which is at least 512; records
  /// that do not fit are cut off at a record's border, with TC if answers were among them (RFC 2181 §9).
  ///
  /// `message` is the whole buffer, `limit` bytes or more of it; header and question of the query stand at its front.
  /// `options`, at most `maxOptions` octets, are those that the reply echoes: see `EDNS.echoedOptions`, and read them
  /// before, for the records go where the query's OPT is. All TTLs become `ttl` seconds; nil leaves them.
  public static func write(
    to message: Bytes, query: Query, response: Response, image: Bytes, ttlOffsets: Bytes, ttl: UInt32?,
    limit: Int, options: Bytes
  ) -> Int {
    let start = query.questionEnd
    let room = limit &- (query.edns == nil ? 0 : EDNS.fixedLength &+ options.count)
    var counts = (response.answers, response.authorities, response.additionals)
    // A code above 15 needs an OPT; without one its low bits would say something else.
    let rcode = query.edns == nil && response.rcode > Header.rcodeMask ? Rcode.servFail : response.rcode
    var flags = flags(query, kept: response.flags, rcode: rcode)
    var length = image.count
    if start &+ length > room {
      length = fit(image, room &- start, &counts)
      if counts.0 < response.answers || response.answers == 0 && counts.1 < response.authorities {
        flags |= Header.tc
      }
    }
    message.copy(image.slice(0, length), at: start)
    var index = ttl == nil ? ttlOffsets.count : 0
    while index < ttlOffsets.count {
      let offset = Int(ttlOffsets.u16(index))
      if offset < length { message.set(u32: ttl ?? 0, at: start &+ offset) }
      index &+= 2
    }
    message.setHeader(
      flags: flags, questions: 1, answers: counts.0, authorities: counts.1,
      additionals: counts.2 &+ (query.edns == nil ? 0 : 1))
    return finish(message, query, at: start &+ length, rcode: rcode, options: options)
  }

  /// A reply without records: the question and a response code.
  public static func error(to message: Bytes, query: Query, rcode: UInt16, options: Bytes) -> Int {
    message.setHeader(
      flags: flags(query, kept: 0, rcode: rcode), questions: 1, answers: 0, authorities: 0,
      additionals: query.edns == nil ? 0 : 1)
    return finish(message, query, at: query.questionEnd, rcode: rcode, options: options)
  }

  /// Twelve octets: the id, the opcode and RD of a message that could not be understood further.
  public static func bareError(to message: Bytes, rcode: UInt16) -> Int {
    let flags = Header.qr | message.flags & (Header.opcodeMask | Header.rd) | rcode
    message.setHeader(flags: flags, questions: 0, answers: 0, authorities: 0, additionals: 0)
    return Header.length
  }

  private static func finish(_ message: Bytes, _ query: Query, at end: Int, rcode: UInt16, options: Bytes) -> Int {
    guard let edns = query.edns else { return end }
    // A version that is not ours gets an OPT with size 0, as CoreDNS writes it (spec a.6); else the client's own size.
    return EDNS.write(
      to: message, at: end, udpSize: rcode == Rcode.badVers ? 0 : edns.udpSize,
      extendedRcode: UInt8(truncatingIfNeeded: rcode >> 4), dnssecOK: edns.dnssecOK, options: options)
  }

  /// How many bytes of `image` are whole records within `room`; `counts` becomes how many of each section those are.
  private static func fit(_ image: Bytes, _ room: Int, _ counts: inout (UInt16, UInt16, UInt16)) -> Int {
    var (answers, authorities, additionals) = counts
    counts = (0, 0, 0)
    var at = 0
    while let record = Record(image, at: at), record.end <= room {
      at = record.end
      if answers > 0 {
        answers &-= 1
        counts.0 &+= 1
      } else if authorities > 0 {
        authorities &-= 1
        counts.1 &+= 1
      } else if additionals > 0 {
        additionals &-= 1
        counts.2 &+= 1
      }
    }
    return at
  }
}
