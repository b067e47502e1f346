import Memory
import Testing
import Wire

/// A seeded million of random and mutated packets: never a trap, never a read past the end, and every reply is one.
@Suite struct MillionTests {
  static let blocks = 8
  static let packets = 125_000

  @Test(arguments: 0..<blocks) func aMillionPackets(block: Int) {
    var run = MutationRun(seed: UInt64(block))
    for _ in 0..<Self.packets { run.step() }
    // Both sides of every decision were taken, or the packets were not worth much.
    #expect(run.served > Self.packets / 20 && run.refused > Self.packets / 20 && run.images > Self.packets / 20)
  }
}

/// One thread's packets, and what became of them.
struct MutationRun: ~Copyable {
  private var generator: Generator
  private let query = Arena()
  private let response = Arena()
  private let scratch = Arena()
  private let question = Arena()
  private let options = Arena()
  private var writer = ImageWriter()
  private(set) var served = 0
  private(set) var refused = 0
  private(set) var images = 0
  private var stock: [(question: [UInt8], message: [UInt8])] = []

  init(seed: UInt64) {
    generator = Generator(seed: seed)
    for index in 0..<64 as Range<UInt64> {
      var maker = RandomResponse(seed: seed << 32 | index)
      stock.append(maker.make(records: Int(index % 20), compress: index % 3 != 0))
    }
  }

  mutating func step() {
    let (name, message) = stock[generator.below(stock.count)]
    var asked = Message.query(name, type: 1, flags: generator.once(in: 8) ? generator.below(65_536) : 0x0100).octets
    if generator.once(in: 2) {
      asked.replaceSubrange(10..<12, with: u16(1))
      asked +=
        Message.Record.opt(
          size: generator.below(2048), dnssecOK: generator.once(in: 2),
          options: option(generator.below(20), generator.octets(generator.below(12)))
        ).octets
    }
    mutate(&asked)
    let limit = 512 + generator.below(800)
    let room = max(limit, asked.count)
    let buffer = query.put(asked, room: room)
    let packet = buffer.slice(0, asked.count)
    let stream = generator.once(in: 2)
    // Admission must not see the room behind the packet, nor anything behind that.
    switch Admission(scratch.put(asked), stream: stream) {
    case .drop: precondition(packet.count < 12 || packet.flags & 0x8000 != 0)
    case .bareError(let rcode):
      refused += 1
      check(buffer, Reply.bareError(to: buffer, rcode: rcode), asked, limit: 12)
    case .error(let query, let rcode):
      refused += 1
      let room = options.room(Reply.maxOptions)
      let echoed = room.slice(0, query.edns?.echoedOptions(packet, into: room) ?? 0)
      check(buffer, Reply.error(to: buffer, query: query, rcode: rcode, options: echoed), asked, limit: asked.count)
    case .query(let query): answer(query, buffer, asked, message, limit)
    }
  }

  /// With the mutated response, if it is one to this question.
  private mutating func answer(_ query: Query, _ buffer: Bytes, _ asked: [UInt8], _ message: [UInt8], _ limit: Int) {
    served += 1
    let section = question.put(Array(asked[12..<query.questionEnd]))
    Name.fold(section.slice(0, query.nameLength))
    var octets = message
    mutate(&octets)
    guard octets.count >= 12 else { return }
    // The engine hands over only responses whose question it asked.
    if octets.count >= query.questionEnd { octets.replaceSubrange(12..<query.questionEnd, with: section.octets) }
    guard let response = writer.write(response.put(octets), question: section) else { return }
    images += 1
    let room = options.room(Reply.maxOptions)
    let echoed = room.slice(0, query.edns?.echoedOptions(buffer.slice(0, asked.count), into: room) ?? 0)
    let length = Reply.write(
      to: buffer, query: query, response: response, image: writer.image, ttlOffsets: writer.ttlOffsets,
      ttl: generator.once(in: 2) ? nil : 30, limit: limit, options: echoed)
    check(buffer, length, asked, limit: limit)
  }

  private func check(_ buffer: Bytes, _ length: Int, _ asked: [UInt8], limit: Int) {
    precondition(length <= limit)
    let octets = buffer.slice(0, length).octets
    guard let reply = try? Decoder.message(octets) else { fatalError("not a message: \(octets) to \(asked)") }
    precondition(octets[0..<2] == asked[0..<2] && reply.flags & 0x8000 != 0)
    if let question = reply.question {
      precondition(question.name[...] == asked[12..<12 + question.name.count])
    }
  }

  /// Nothing, a few octets changed, a piece cut out, put in or cut off, or all of it noise.
  private mutating func mutate(_ octets: inout [UInt8]) {
    switch generator.below(8) {
    case 0, 1: break
    case 2: octets = generator.octets(generator.below(80))
    case 3: octets.removeLast(generator.below(octets.count + 1))
    case 4:
      let at = generator.below(octets.count)
      octets.removeSubrange(at..<min(octets.count, at + 1 + generator.below(8)))
    case 5: octets.insert(contentsOf: generator.octets(1 + generator.below(8)), at: generator.below(octets.count))
    default:
      for _ in 0...generator.below(4) {
        // Beyond the header mostly: a wrong count ends most stories.
        let at =
          generator.once(in: 4) || octets.count <= 12
          ? generator.below(octets.count) : 12 + generator.below(octets.count - 12)
        octets[at] =
          generator.once(in: 3) ? 0xC0 : generator.once(in: 2) ? UInt8(generator.below(64)) : generator.octet()
      }
    }
  }
}
