import Memory
import Testing
import Wire

/// Replies about as long as they may be: never longer, cut at a record's border, TC when it matters.
@Suite struct TruncationTests {
  let answerer = Answerer()
  let question = wire("www.example.")

  /// TXT records of the question's name that make a reply of `size` octets with `overhead` for an OPT. Twelve octets of
  /// each are owner, type, class, TTL and length.
  func records(size: Int, overhead: Int) -> [Message.Record] {
    var left = size - 12 - question.count - 4 - overhead
    var records: [Message.Record] = []
    while left > 0 {
      // The last takes what is left; none leaves less than a record needs.
      let length = left <= 100 ? left : min(left - 13, 60)
      records.append(.init(owner: pointer(12), type: 16, data: [UInt8](repeating: 9, count: length - 12)))
      left -= length
    }
    return records
  }

  func check(size: Int, limit: Int, options: [UInt8]? = nil) throws {
    let opt = options.map { Message.Record.opt(size: limit, options: $0) }
    let records = records(size: size, overhead: options.map { 11 + $0.count } ?? 0)
    for section in 0..<3 {
      let response = Message.response(
        question, answers: section == 0 ? records : [.a(pointer(12))].filter { _ in section == 2 },
        authorities: section == 1 ? records : [], additionals: section == 2 ? records : [])
      // What no upstream can send.
      guard response.octets.count <= 65_535 else { continue }
      let whole = size + (section == 2 ? 16 : 0)
      let octets = try answerer.octets(to: .asking(opt: opt), with: response, ttl: nil, limit: limit)
      let reply = try Decoder.message(octets)
      let expected = try Decoder.message(response.octets)
      let kept = reply.records.filter { $0.type != 41 }

      #expect(octets.count <= limit)
      #expect(kept == Array(expected.records.prefix(kept.count)))
      #expect(reply.opt.map(\.data) == options)
      if whole <= limit {
        #expect(octets.count == whole && kept.count == expected.records.count && reply.flags & 0x0200 == 0)
      } else {
        #expect(kept.count < expected.records.count)
        // As many as fit: the next one would not have.
        #expect(octets.count + 12 + expected.records[kept.count].data.count > limit)
        // Additional records may be missing without a word (RFC 2181 §9).
        #expect((reply.flags & 0x0200 != 0) == (section != 2))
      }
    }
  }

  @Test(arguments: [nil, [], option(10, [1, 2, 3, 4, 5, 6, 7, 8])] as [[UInt8]?])
  func about512(options: [UInt8]?) throws {
    for size in 480...520 { try check(size: size, limit: 512, options: options) }
    for limit in 512...515 {
      for size in 509...515 { try check(size: size, limit: limit, options: options) }
    }
  }

  @Test(arguments: [nil, [], option(10, [1, 2, 3, 4, 5, 6, 7, 8])] as [[UInt8]?])
  func about1232(options: [UInt8]?) throws {
    for limit in 1229...1235 {
      for size in 1229...1235 { try check(size: size, limit: limit, options: options) }
    }
  }

  @Test(arguments: [nil, [], option(10, [1, 2, 3, 4, 5, 6, 7, 8])] as [[UInt8]?])
  func about65535(options: [UInt8]?) throws {
    for size in 65_520...65_535 { try check(size: size, limit: 65_535, options: options) }
    // The upstream's message fits; with an OPT of ours it does not.
    if options != nil {
      for size in 65_536...65_546 { try check(size: size, limit: 65_535, options: options) }
    }
  }

  @Test func neverWithinARecord() throws {
    // One record that does not fit: none of it, and TC.
    let record = Message.Record(owner: pointer(12), type: 16, data: [UInt8](repeating: 1, count: 600))
    let reply = try answerer.reply(to: .query(), with: .response(question, answers: [record]))
    #expect(reply.answers.isEmpty && reply.flags & 0x0200 != 0)
  }

  @Test func longestQuestionLongestOptionsSmallestLimit() throws {
    // 255 octets of name and all the options that are echoed fit in 512.
    var query = Message.query(name(ofLength: 255), additionals: 1)
    let options = option(12, [UInt8](repeating: 0, count: Reply.maxOptions - 4))
    query.octets += Message.Record.opt(size: 512, options: options).octets
    let response = Message.response(name(ofLength: 255), answers: [.a(pointer(12))])
    let octets = try answerer.octets(to: query, with: response, ttl: 1, limit: nil)
    #expect(octets.count == 512)
    let reply = try Decoder.message(octets)
    #expect(reply.opt?.data == options && reply.answers.isEmpty && reply.flags & 0x0200 != 0)
  }
}
