import Engine
import Memory
import Upstream

/// An upstream server: answers what is asked from the name alone, as fast, as orderly and as truthfully as the world's
/// faults let it.
package final class SimulatedUpstream {
  package enum Mode {
    case up
    /// Resets connects, and says over ICMP that no one is there.
    case refusing
    /// Takes nothing, says nothing.
    case silent
  }

  unowned let world: World
  let index: Int
  /// Zone whose names it knows.
  var view = 0
  package var mode = Mode.up {
    didSet { if mode != .up { for stream in streams { stream.abandon(resetting: mode == .refusing) } } }
  }
  /// As CoreDNS over TCP: one question of a connection at a time.
  package var isSerial = false
  /// Nanoseconds to an answer: `delay`, or what is listed for the name's number.
  package var delay = 300 * microsecond
  package var delays: [Int: UInt64] = [:]
  /// Numbers of names that never get an answer.
  package var unanswered: Set<Int> = []
  /// Numbers of names that it answers with REFUSED.
  package var refused: Set<Int> = []
  /// Closes a connection by FIN after this many questions.
  package var questionsPerConnection = Int.max

  package private(set) var connects: [UInt64] = []
  package private(set) var probes: [UInt64] = []
  package private(set) var questions = 0
  package private(set) var asked: [Asked: Int] = [:]
  private(set) var streams: [UpstreamStream] = []
  package var mostStreams = 0

  init(world: World, index: Int) {
    self.world = world
    self.index = index
  }

  // Connections.

  func connecting(_ socket: Socket) {
    connects.append(world.time)
    if mode == .silent || world.chance.happens(world.faults.connectSilent) { return }
    let refuses = mode == .refusing || world.chance.happens(world.faults.refuse)
    world.after(2 * world.latency()) { [self] in
      guard socket.connecting != nil else { return }
      if !refuses, mode == .up {
        let stream = UpstreamStream(upstream: self, socket: socket)
        socket.far = stream
        streams.append(stream)
        mostStreams = max(mostStreams, streams.count)
        socket.connected(0)
      } else {
        socket.connected(-111)
      }
    }
  }

  /// Any answer to a probe is good.
  static func refusal(_ bytes: [UInt8]) -> [UInt8] { bytes.prefix(2) + [0x81, 0x05] + bytes.dropFirst(4) }

  func probed() { probes.append(world.time) }

  func remove(_ stream: UpstreamStream) { streams.removeAll { $0 === stream } }

  /// Drops a random connection.
  func breakOne() { if let stream = streams.randomElement(using: &world.chance) { stream.abandon(resetting: true) } }

  /// An answer of another connection, falsified, to someone else's questions.
  func crossTalk(_ message: Message, _ asked: Asked, not own: UpstreamStream) {
    streams.filter { $0 !== own }.randomElement(using: &world.chance)?.send(falsified(message, asked))
  }

  // Questions.

  /// A health check: the root's name servers.
  static func isProbe(_ bytes: [UInt8]) -> Bool { bytes.count >= 17 && bytes[12...16] == [0, 0, 2, 0, 1] }

  /// The question a message asks, noted; nil, and reported, if it is none that the shard should send.
  func question(_ bytes: [UInt8]) -> (Message, Asked)? {
    guard let message = Message(bytes), message.question.count > 5,
      let number = Asked.number(message.name), message.flags & 0xFE0F == 0
    else {
      world.report("upstream \(index) was asked nonsense: \(bytes)")
      return nil
    }
    var asked = Asked(
      number: number, type: message.type, dnssecOK: (message.opt?.ttl ?? 0) & 0x8000 != 0,
      checkingDisabled: message.flags & 0x10 != 0)
    asked.view = view
    guard world.ledger.wasAsked(asked) else {
      world.report("upstream \(index) was asked what no client asked: \(asked)")
      return nil
    }
    questions += 1
    self.asked[asked, default: 0] += 1
    return (message, asked)
  }

  /// Nanoseconds until the answer; nil: never.
  func delay(of asked: Asked) -> UInt64? {
    if unanswered.contains(asked.number) || world.chance.happens(world.faults.mute) { return nil }
    let slow = world.chance.happens(world.faults.slow) ? world.chance.between(0, 3 * second) : 0
    return (delays[asked.number] ?? world.chance.between(delay / 2, delay * 3 / 2)) + slow
  }

  func answer(_ message: Message, _ asked: Asked, limit: Int, to socket: Socket) -> [UInt8] {
    if refused.contains(asked.number) {
      return MessageWriter(id: message.id, flags: 0x8185, name: Array(message.question.dropLast(4)), type: asked.type)
        .bytes
    }
    let version = world.version(of: asked)
    var content = Content(asked, version: version)
    world.ledger.told(asked, version, content, socket.port.generation)
    if world.sabotages(.alteredRecord), let last = content.answers.last?.data.last {
      content.answers[content.answers.count - 1].data[content.answers.last!.data.count - 1] = ~last
    }
    if world.sabotages(.stretchedTTL) { for at in content.answers.indices { content.answers[at].ttl += 30 } }
    var question = message.question
    // A server may write the question in a spelling of its own.
    if asked.seed >> 50 & 7 == 0, question[1] >= 0x61 { question[1] ^= 0x20 }
    var writer = MessageWriter(
      id: message.id, flags: 0x8580 | message.flags & 0x10 | content.rcode, name: Array(question.dropLast(4)),
      type: asked.type)
    writer.add(content, limit: limit - (message.opt == nil ? 0 : 11))
    if message.opt != nil { writer.addOPT(size: 1232, dnssecOK: asked.dnssecOK, options: []) }
    return writer.bytes
  }

  /// What nobody may ever see: a well-formed answer with data that is not the name's, for long. With another question,
  /// whose name differs in one octet, or under another id, or neither.
  func falsified(_ message: Message, _ asked: Asked, question: Bool = false, id: Bool = false) -> [UInt8] {
    var content = Content(asked)
    content.rcode = 0
    content.authorities = []
    content.answers = [Content.Record(owner: asked.name, type: asked.type, ttl: 86_400, data: [6, 6, 6, 6])]
    var name = asked.name
    if question { name[2] = name[2] == 0x30 ? 0x31 : 0x30 }
    let other = UInt16(1 + world.chance.below(0xFFFF))
    var writer = MessageWriter(id: message.id ^ (id ? other : 0), flags: 0x8580, name: name, type: asked.type)
    writer.add(content, limit: 512)
    return writer.bytes
  }

  // Datagrams.

  func received(datagram bytes: [UInt8], from socket: Socket) {
    if Self.isProbe(bytes) { probes.append(world.time) }
    guard mode != .silent, !world.chance.happens(world.faults.loss) else { return }
    if mode == .refusing { return socket.unreachable() }
    if Self.isProbe(bytes) { return socket.deliver(datagram: Self.refusal(bytes), after: world.latency()) }
    guard let (message, asked) = question(bytes), let delay = delay(of: asked) else { return }
    world.after(delay) { self.respond(message, asked, to: socket) }
  }

  private func respond(_ message: Message, _ asked: Asked, to socket: Socket) {
    let limit = min(world.faults.truncateAt, Int(max(512, message.opt?.size ?? 512)))
    let answer = answer(message, asked, limit: limit, to: socket)
    let faults = world.faults
    var replies = [world.chance.happens(faults.cut) ? Array(answer.prefix(world.chance.below(answer.count))) : answer]
    if world.chance.happens(faults.wrongID) { replies.insert(falsified(message, asked, id: true), at: 0) }
    if world.chance.happens(faults.wrongQuestion) {
      replies.insert(falsified(message, asked, question: true), at: 0)
    }
    if world.chance.happens(faults.junk) { replies.insert(world.junk(), at: 0) }
    if world.chance.happens(faults.twice) { replies.append(answer) }
    for reply in replies where !world.chance.happens(faults.loss) {
      socket.deliver(datagram: reply, after: world.wander())
      if world.chance.happens(faults.duplicate) { socket.deliver(datagram: reply, after: world.wander()) }
    }
  }
}

extension World {
  /// One way for a datagram: others may overtake it.
  func wander() -> UInt64 { chance.happens(faults.late) ? chance.between(0, 40 * millisecond) : latency() }

  func junk() -> [UInt8] { (0..<chance.below(80)).map { _ in UInt8(truncatingIfNeeded: chance.next()) } }
}
