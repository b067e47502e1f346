import Memory
import Testing
import Wire

// Flags of a header.
private let (qr, aa, tc, rd, ra, z, ad, cd) = (0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0040, 0x0020, 0x0010)

/// Replies as a client reads them.
@Suite struct ReplyTests {
  let answerer = Answerer()

  @Test func flagsOfQueryAndAnswer() throws {
    for asked in [0, rd, cd, ad, rd | cd, rd | ad, cd | ad, rd | cd | ad] {
      for stored in [0, aa, ra, ad, cd, z, tc, aa | ra | ad | cd | z | rd, aa | ra | tc | ad | cd | z | rd] {
        for dnssecOK in [nil, false, true] as [Bool?] {
          let opt = dnssecOK.map { Message.Record.opt(dnssecOK: $0) }
          let reply = try answerer.reply(
            to: .asking(flags: asked | tc | aa | z | ra, opt: opt),
            with: .response(wire("www.example."), flags: qr | stored, answers: [.a(pointer(12))]))
          var expected = qr | asked & (rd | cd) | stored & (aa | ra | tc)
          // AD to those who can tell what it means (RFC 6840 §5.8).
          if dnssecOK == true || asked & ad != 0 { expected |= stored & ad }
          #expect(reply.flags == expected)
        }
      }
    }
  }

  @Test func idQuestionAndSpelling() throws {
    var query = Message.query(wire("wWw.eXample."))
    query.octets.replaceSubrange(0..<2, with: u16(0xBEEF))
    let reply = try answerer.reply(to: query, with: .response(wire("www.example."), answers: [.a(pointer(12))]))
    #expect(reply.id == 0xBEEF && reply.question?.name == wire("wWw.eXample."))
    // What points to the question is spelled as it is.
    #expect(reply.answers.map(\.owner) == [wire("wWw.eXample.")])
  }

  @Test func noOPTInNoOPTOut() throws {
    #expect(try answerer.reply(to: .query(), with: .response(wire("www.example."), additionals: [.opt()])).opt == nil)
  }

  @Test func optEchoesSizeDNSSECOKAndOptions() throws {
    let cookie = option(10, [1, 2, 3, 4, 5, 6, 7, 8])
    for (size, dnssecOK) in [(0, false), (512, true), (1232, false), (65_535, true)] {
      let opt = Message.Record.opt(size: size, dnssecOK: dnssecOK, options: cookie + option(8, [0, 1, 0, 0]))
      let reply = try answerer.reply(
        to: .asking(opt: opt), with: .response(wire("www.example."), answers: [.a(pointer(12))]))
      #expect(reply.additionals == [.init(Message.Record.opt(size: size, dnssecOK: dnssecOK, options: cookie))])
      #expect(reply.answers.count == 1)
    }
  }

  @Test func limits() throws {
    for (size, limit) in [
      (0, 512), (511, 512), (512, 512), (513, 513), (1231, 1231), (1232, 1232), (1233, 1232), (65_535, 1232),
    ] {
      let query = try answerer.query(.asking(opt: .opt(size: size)))
      #expect(Reply.limit(query, stream: false) == limit)
      #expect(Reply.limit(query, stream: true) == 65_535)
    }
    #expect(Reply.limit(try answerer.query(.query()), stream: false) == 512)
  }

  @Test func ttlsBecomeOneOrStay() throws {
    let records = [Message.Record.a(pointer(12), ttl: 60), .a(pointer(12), ttl: 20), .a(pointer(12), ttl: 0x8000_0001)]
    let response = Message.response(wire("www.example."), answers: records, additionals: [records[0]])
    #expect(try answerer.reply(to: .query(), with: response, ttl: 7).records.map(\.ttl) == [7, 7, 7, 7])
    #expect(try answerer.reply(to: .query(), with: response, ttl: 0).records.map(\.ttl) == [0, 0, 0, 0])
    #expect(try answerer.reply(to: .query(), with: response, ttl: nil).records.map(\.ttl) == [60, 20, 0, 60])
  }

  @Test func extendedRcode() throws {
    let response = Message.response(wire("www.example."), flags: 0x8187, additionals: [.opt(extendedRcode: 1)])
    let reply = try answerer.reply(to: .asking(opt: .opt()), with: response)
    #expect(reply.flags & 15 == 7 && reply.opt.map { $0.ttl >> 24 } == 1)
  }

  @Test func extendedRcodeWithoutOPTIsServFail() throws {
    // Else BADVERS, 16, would say NOERROR to who sent no OPT.
    let response = Message.response(wire("www.example."), additionals: [.opt(extendedRcode: 1)])
    #expect(try answerer.reply(to: .query(), with: response).flags & 15 == 2)
  }

  @Test func ownErrors() throws {
    let opt = Message.Record.opt(size: 4096, dnssecOK: true)
    for rcode in [2, 3, 4, 5] {
      let reply = try answerer.error(to: .asking(flags: rd | cd | ad, opt: opt), rcode: rcode)
      #expect(reply.flags == qr | rd | cd | rcode && reply.additionals == [.init(opt)])
      #expect(reply.answers.isEmpty && reply.authorities.isEmpty && reply.question?.name == wire("www.example."))
      #expect(try answerer.error(to: .query(flags: 0), rcode: rcode).flags == qr | rcode)
    }
  }
}

extension Message {
  /// A query for `www.example. A` with `opt`, if any.
  static func asking(flags: Int = 0x0100, opt: Record?) -> Message {
    var message = Message.query(flags: flags, additionals: opt == nil ? 0 : 1)
    if let opt { message.octets += opt.octets }
    return message
  }
}

extension Decoded.Item {
  init(_ record: Message.Record) {
    self.init(
      owner: record.owner, type: record.type, recordClass: record.recordClass, ttl: record.ttl, data: record.data)
  }
}
