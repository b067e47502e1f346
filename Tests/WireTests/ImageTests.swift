import Memory
import Testing
import Wire

/// An image, put behind a header and a question, must be the response it was made from, less the OPT.
@Suite struct ImageTests {
  let arena = Arena()
  let questions = Arena()
  let replies = Arena()

  /// What came of a response to `question` (name, type and class): its numbers, its image as a message of the writer's
  /// own making, and the offsets of TTLs in that message.
  struct Made {
    let response: Response
    let message: [UInt8]
    let ttls: [Int]
  }

  func make(_ message: [UInt8], _ question: [UInt8], _ writer: inout ImageWriter) -> Made? {
    guard let response = writer.write(arena.put(message), question: questions.put(question)) else { return nil }
    let counts =
      u16(1) + u16(Int(response.answers)) + u16(Int(response.authorities)) + u16(Int(response.additionals))
    let image = writer.image.octets
    let offsets = writer.ttlOffsets
    let start = 12 + question.count
    return Made(
      response: response, message: Array(message.prefix(4)) + counts + question + image,
      ttls: stride(from: 0, to: offsets.count, by: 2).map { start + Int(offsets.u16($0)) })
  }

  func make(_ message: Message, _ question: [UInt8], type: Int = 1) -> Made? {
    var writer = ImageWriter()
    return make(message.octets, question + u16(type) + u16(1), &writer)
  }

  /// As an image holds it: without the OPT, TTLs with the top bit set as zero (RFC 2181 §8).
  func expected(_ message: [UInt8]) throws -> Decoded {
    var decoded = try Decoder.message(message)
    decoded.additionals.removeAll { $0.type == 41 }
    decoded.answers = decoded.answers.map(\.limited)
    decoded.authorities = decoded.authorities.map(\.limited)
    decoded.additionals = decoded.additionals.map(\.limited)
    return decoded
  }

  func check(_ message: [UInt8], _ question: [UInt8], _ writer: inout ImageWriter, _ comment: Comment) throws {
    let section = message[12..<16 + question.count]
    guard let made = make(message, Array(section), &writer) else {
      Issue.record("refused: \(comment)")
      return
    }
    let expected = try expected(message)
    let actual = try Decoder.message(made.message)
    #expect(actual == expected, comment)
    #expect(made.ttls == actual.records.map(\.ttlAt), comment)
    #expect(made.response.ttl == expected.records.map(\.ttl).min() ?? 0, comment)
    #expect(made.message.count <= 65_535)
  }

  @Test(arguments: 0..<8) func randomResponses(block: UInt64) throws {
    var writer = ImageWriter()
    for seed in block * 500..<block * 500 + 500 {
      for compress in [false, true] {
        var maker = RandomResponse(seed: seed)
        let (question, message) = maker.make(records: Int(seed % 40), compress: compress)
        try check(message, question, &writer, "seed \(seed), compress \(compress)")
      }
    }
  }

  @Test func compressedAndNotAreOneResponse() throws {
    var a = ImageWriter()
    var b = ImageWriter()
    for seed in 10_000..<10_200 as Range<UInt64> {
      var generator = Generator(seed: seed)
      let owner = [UInt8(3)] + (0..<3).map { _ in UInt8(0x61 + generator.below(26)) } + wire("svc.cluster.local.")
      let question = owner + u16(15) + u16(1)
      func response(_ name: [UInt8], _ rest: [UInt8]) -> [UInt8] {
        var message = Message(flags: 0x8180, 1, 2, 0, 0).octets + question
        for preference in 0..<2 {
          message += Message.Record(owner: name, type: 15, data: u16(preference) + [1, 0x6D] + rest).octets
        }
        return message
      }
      let plain = make(response(owner, Array(owner.dropFirst(4))), question, &a)
      let compressed = make(response(pointer(12), pointer(16)), question, &b)
      let expanded = try Decoder.message(try #require(plain).message)
      #expect(try Decoder.message(try #require(compressed).message) == expanded)
    }
  }

  @Test func unknownTypesAreOctets() throws {
    // Data that would be a pointer, in a type that has no names (RFC 3597 §4).
    let data = pointer(12) + [0xFF] + pointer(0x3FFF)
    for type in [1, 16, 28, 44, 65, 99, 250, 65_280, 65_535] {
      let record = Message.Record(owner: pointer(12), type: type, data: data)
      let made = try #require(make(.response(wire("a."), answers: [record]), wire("a.")))
      #expect(made.message.suffix(data.count) == data[...])
    }
  }

  @Test func namesInDataOfOtherClasses() throws {
    // As BIND answers `version.bind CH TXT`: a pointer in the NS record's data, past the question.
    let question = wire("version.bind.")
    var message = Message(flags: 0x8500, 1, 1, 1, 0).octets + question + u16(16) + u16(3)
    let txt = Message.Record(owner: pointer(12), type: 16, recordClass: 3, data: [1, 0x39])
    message +=
      txt.octets + wire("ns.") + u16(2) + u16(3) + u32(0) + u16(2) + pointer(message.count + txt.octets.count)
    var writer = ImageWriter()
    try check(message, question, &writer, "NS in class CH")
  }

  @Test func caseOfOwnersIsKept() throws {
    let answers = [Message.Record.a(wire("WWW.Example.")), .a(wire("www.EXAMPLE.")), .a(wire("WWW.Example."))]
    let made = try #require(make(.response(wire("www.example."), answers: answers), wire("www.example.")))
    let owners = try Decoder.message(made.message).answers.map(\.owner)
    #expect(owners == answers.map(\.owner))
  }

  @Test func equalOwnersBecomePointers() throws {
    let answers = [Message.Record](repeating: .a(wire("www.example.")), count: 3)
    let made = try #require(make(.response(wire("www.example."), answers: answers), wire("www.example.")))
    #expect(made.message.count == 12 + 13 + 4 + 3 * 16)
  }

  @Test func anOPTGoesWhereverItStands() throws {
    for at in 0...2 {
      var additionals = [Message.Record.a(wire("x.")), .a(wire("y."))]
      additionals.insert(.opt(extendedRcode: 1), at: at)
      let made = try #require(make(.response(wire("a."), additionals: additionals), wire("a.")))
      #expect(made.response.additionals == 2 && made.response.rcode == 16 && made.ttls.count == 2)
      #expect(try Decoder.message(made.message).additionals.map(\.owner) == [wire("x."), wire("y.")])
    }
  }

  @Test func anOPTElsewhereIsMalformed() {
    #expect(make(.response(wire("a."), answers: [.opt()]), wire("a.")) == nil)
    #expect(make(.response(wire("a."), authorities: [.opt()]), wire("a.")) == nil)
    #expect(make(.response(wire("a."), additionals: [.opt(owner: wire("b."))]), wire("a.")) == nil)
    #expect(make(.response(wire("a."), additionals: [.opt(options: [1])]), wire("a.")) == nil)
  }

  @Test func twoOPTsAreMalformed() {
    #expect(make(.response(wire("a."), additionals: [.opt(), .opt()]), wire("a.")) == nil)
  }

  @Test func malformedDataIsRefused() {
    let a = wire("a.")
    for (type, data) in [
      (5, []), (5, [1]), (5, [1, 0x61, 0, 9]), (5, pointer(12) + [0]), (5, [0x40, 0]), (5, pointer(0x3000)),
      (6, a + a), (6, a + a + [UInt8](repeating: 0, count: 19)), (6, a + a + [UInt8](repeating: 0, count: 21)),
      (15, [0]), (15, [0, 0]), (33, [0, 0, 0, 0, 0, 0]), (33, [0, 0, 0, 0, 0, 0, 1]), (14, a), (26, [0, 0] + a),
      (35, [0, 0, 0, 0, 0, 0]), (35, [0, 0, 0, 0, 0, 0, 9, 0]), (35, [0, 0, 0, 0, 0, 0, 0]), (35, [0, 0, 0]),
    ] as [(Int, [UInt8])] {
      let record = Message.Record(owner: a, type: type, data: data)
      #expect(make(.response(a, answers: [record]), a) == nil, "\(type) \(data)")
    }
  }

  @Test func cutAnywhereIsRefused() throws {
    var maker = RandomResponse(seed: 77)
    let (question, message) = maker.make(records: 12, compress: true)
    var writer = ImageWriter()
    for count in 12..<message.count where count != 12 + question.count + 4 {
      #expect(make(Array(message.prefix(count)), question + u16(1) + u16(1), &writer) == nil, "\(count)")
    }
  }

  @Test func moreThanAMessageHoldsIsRefused() {
    // A name of 255 octets, and pointers to it from data where they may not be: each grows by 253.
    let long = name(ofLength: 255)
    func response(_ count: Int) -> Message {
      let target = Message.Record(owner: pointer(12), type: 33, data: [0, 0, 0, 0, 0, 0] + pointer(12))
      return .response(long, type: 33, answers: [Message.Record](repeating: target, count: count))
    }
    // 12 + 259 + n × (2 + 10 + 6 + 255)
    #expect(make(response(239), long, type: 33)?.message.count == 65_518)
    #expect(make(response(240), long, type: 33) == nil)
  }
}

extension Decoded.Item {
  /// With a TTL whose top bit is set as zero.
  fileprivate var limited: Decoded.Item {
    var item = self
    if ttl & 0x8000_0000 != 0 { item.ttl = 0 }
    return item
  }
}
