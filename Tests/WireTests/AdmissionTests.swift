import Memory
import Testing
import Wire

/// The ladder of spec a.6, rung by rung; what is answered is compared octet for octet.
@Suite struct AdmissionTests {
  let arena = Arena()
  let replies = Arena()

  /// What a message gets: nil, nothing; else the reply's octets, for a query that is served the word `served`.
  enum Outcome: Equatable {
    case silence
    case served
    case reply([UInt8])
  }

  func outcome(_ octets: [UInt8], stream: Bool = false) -> Outcome {
    let message = arena.put(octets)
    let admission = Admission(message, stream: stream)
    let buffer = replies.put(octets, room: 4096)
    let none = buffer.slice(0, 0)
    switch admission {
    case .drop: return .silence
    case .query: return .served
    case .bareError(let rcode): return .reply(buffer.slice(0, Reply.bareError(to: buffer, rcode: rcode)).octets)
    case .error(let query, let rcode):
      return .reply(buffer.slice(0, Reply.error(to: buffer, query: query, rcode: rcode, options: none)).octets)
    }
  }

  /// Twelve octets: QR, opcode, RD and the code.
  func bare(_ flags: Int) -> Outcome { .reply(u16(0x1234) + u16(flags) + [UInt8](repeating: 0, count: 8)) }
  var formErr: Outcome { bare(0x8101) }

  @Test func shorterThanAHeaderIsDropped() {
    for count in 0..<12 { #expect(outcome(Array(Message.query().octets.prefix(count))) == .silence) }
  }

  @Test func aResponseIsDropped() {
    #expect(outcome(Message.query(flags: 0x8100).octets) == .silence)
    #expect(outcome(Array(Message.query(flags: 0xFFFF).octets.prefix(12))) == .silence)
  }

  @Test(arguments: 1...15) func otherOpcodesAreNotImplemented(opcode: Int) {
    #expect(outcome(Message.query(flags: opcode << 11 | 0x0100).octets) == bare(0x8104 | opcode << 11))
    #expect(outcome(Message.query(flags: opcode << 11).octets) == bare(0x8004 | opcode << 11))
  }

  @Test func bareErrorsCarryNoOtherFlag() {
    #expect(outcome(Message(flags: 0x07FF, 0).octets) == bare(0x8101))
  }

  @Test(arguments: [0, 2, 3, 65_535]) func onlyOneQuestion(count: Int) {
    var message = Message.query().octets
    message.replaceSubrange(4..<6, with: u16(count))
    #expect(outcome(message) == formErr)
  }

  @Test func oneAnswerOneAuthorityTwoAdditionalsAtMost() {
    let record = Message.Record.a([0]).octets
    for (answers, authorities, additionals) in [(1, 1, 2), (0, 0, 2), (1, 0, 0), (0, 1, 0)] {
      var message = Message(1, answers, authorities, additionals)
      message.octets += wire("a.") + u16(1) + u16(1)
      for _ in 0..<answers + authorities + additionals { message.octets += record }
      #expect(outcome(message.octets) == .served)
    }
    for (answers, authorities, additionals) in [(2, 0, 0), (0, 2, 0), (0, 0, 3)] {
      var message = Message(1, answers, authorities, additionals)
      message.octets += wire("a.") + u16(1) + u16(1)
      for _ in 0..<3 { message.octets += record }
      #expect(outcome(message.octets) == formErr)
    }
  }

  @Test func aPrefixOfAQueryIsAFormatError() {
    var query = Message.query(wire("www.example."), additionals: 1).octets
    query += Message.Record.opt(options: option(10, [1, 2, 3, 4, 5, 6, 7, 8])).octets
    #expect(outcome(query) == .served)
    for count in 12..<query.count { #expect(outcome(Array(query.prefix(count))) == formErr) }
  }

  @Test func aQuestionHasNoPointer() {
    #expect(outcome(Message.query(pointer(12)).octets) == formErr)
    #expect(outcome(Message.query([1, 0x61] + pointer(0)).octets) == formErr)
  }

  @Test func retiredLabelTypes() {
    for octet in [0x40, 0x41, 0x7F, 0x80, 0xBF] as [UInt8] {
      #expect(outcome(Message.query([octet] + [UInt8](repeating: 1, count: 200) + [0]).octets) == formErr)
    }
  }

  @Test func labelOf63AndOf64() {
    #expect(outcome(Message.query([63] + [UInt8](repeating: 0x61, count: 63) + [0]).octets) == .served)
    #expect(outcome(Message.query([64] + [UInt8](repeating: 0x61, count: 64) + [0]).octets) == formErr)
  }

  @Test func nameOf255AndOf256() {
    #expect(outcome(Message.query(name(ofLength: 255)).octets) == .served)
    #expect(outcome(Message.query(name(ofLength: 256)).octets) == formErr)
  }

  @Test func twoOPTs() {
    let opt = Message.Record.opt().octets
    #expect(outcome(Message.query(additionals: 1).octets + opt) == .served)
    #expect(outcome(Message.query(additionals: 2).octets + opt + opt) == formErr)
  }

  @Test func anOPTBelongsInTheAdditionalSection() {
    for (answers, authorities) in [(1, 0), (0, 1)] {
      var message = Message(1, answers, authorities, 0)
      message.octets += wire("a.") + u16(1) + u16(1) + Message.Record.opt().octets
      #expect(outcome(message.octets) == formErr)
    }
  }

  @Test func anOPTIsOwnedByTheRoot() {
    let query = Message.query(additionals: 1).octets
    #expect(outcome(query + Message.Record.opt(owner: wire("a.")).octets) == formErr)
    // Even a pointer to a root octet: the root has a form of one octet.
    #expect(outcome(query + Message.Record.opt(owner: pointer(24)).octets) == formErr)
  }

  @Test func trailingOctetsOfADatagramAreCutOfAStreamAreAnError() {
    let query = Message.query().octets + [0]
    #expect(outcome(query) == .served)
    #expect(outcome(query, stream: true) == formErr)
    #expect(outcome(query.dropLast(), stream: true) == .served)
  }

  @Test func otherVersionsGetBADVERS() {
    for (version, dnssecOK) in [(1, false), (1, true), (255, false)] {
      let question = wire("www.example.") + u16(1) + u16(1)
      let opt = Message.Record.opt(version: version, dnssecOK: dnssecOK, options: option(10, [1, 2, 3, 4, 5, 6, 7, 8]))
      let expected =
        Message(flags: 0x8110, 1, 0, 0, 1).octets + question
        + Message.Record.opt(size: 0, extendedRcode: 1, dnssecOK: dnssecOK).octets
      #expect(outcome(Message.query(flags: 0x0130, additionals: 1).octets + opt.octets) == .reply(expected))
    }
  }

  @Test func zoneTransfersAreRefused() {
    for type in [251, 252] {
      let expected = Message(flags: 0x8105).octets + wire("www.example.") + u16(type) + u16(1)
      #expect(outcome(Message.query(type: type).octets, stream: true) == .reply(expected))
    }
    #expect(outcome(Message.query(type: 255).octets) == .served)
  }

  @Test func aServedQueryIsReadAsWritten() throws {
    var octets = Message.query(wire("WWW.example."), type: 28, class: 3, flags: 0x0130, additionals: 1).octets
    octets += Message.Record.opt(size: 4096, dnssecOK: true, options: option(3)).octets
    guard case .query(let query) = Admission(arena.put(octets), stream: true) else {
      Issue.record("not served")
      return
    }
    #expect(query.id == 0x1234 && query.flags == 0x0130 && query.nameLength == 13)
    #expect(query.type == 28 && query.recordClass == 3 && query.questionEnd == 12 + 13 + 4)
    #expect(query.dnssecOK && query.checkingDisabled)
    let edns = try #require(query.edns)
    #expect(edns.udpSize == 4096 && edns.version == 0 && edns.options == 29 + 11 && edns.optionsLength == 4)
  }
}
