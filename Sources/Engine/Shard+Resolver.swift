import Cache
import Memory
import Upstream
import Wire

/// Chains whose directives answer or change questions themselves. They may allocate; other chains do not come here.
extension Shard where R: ~Copyable {
  /// Asks a chain's resolver what becomes of a query. Returns as `answer` does.
  @inline(never) mutating func resolve(
    _ buffer: Bytes, _ length: Int, _ query: Query, _ key: Key, _ origin: Origin, zone: Int, chain: Int
  ) -> Int {
    let options = query.edns.map { buffer.slice($0.options, $0.optionsLength) }
    let inquiry = Inquiry(
      name: key.name.octets, spelling: buffer.slice(Header.length, query.nameLength).octets, type: query.type,
      recordClass: query.recordClass, dnssecOK: query.dnssecOK, checkingDisabled: query.checkingDisabled,
      options: options?.octets ?? [], peer: origin.peer,
      server: Peer(octets: fabric.settings.listeners[origin.listener].address), isStream: origin.isStream,
      listener: fabric.settings.listeners[origin.listener].label)
    guard let resolver = fabric.settings.chains[chain].resolver else { return 0 }
    var resolution = resolver.resolve(inquiry)
    while true {
      switch resolution {
      case .answer(let message, let options, let writer):
        return answer(message, options, writer, buffer, length, query, key, origin, zone)
      case .fail(let rcode, let cause):
        return fail(buffer, length, query, key.name, rcode, cause, zone, origin)
      case .forward(let errand):
        if let forward = forward(chain, key.name, errand) {
          return join(buffer, length, query, key, origin, zone: zone, forward: forward, errand: errand)
        }
        guard let otherwise = errand.otherwise else { return unforwarded(buffer, length, query, key, origin, zone) }
        resolution = otherwise()
      }
    }
  }

  /// The forward that takes the name an errand asks for.
  private mutating func forward(_ chain: Int, _ name: Bytes, _ errand: Errand) -> Int? {
    guard let asked = errand.asked else { return tables.forward(chain, of: name) }
    return tables.forward(chain, of: write(asked.name, at: 0))
  }

  /// Octets in the memory that a lookup uses, which is free between lookups.
  private mutating func write(_ octets: [UInt8], at start: Int) -> Bytes {
    let out = found.bytes.slice(start, octets.count)
    out.write(octets)
    return out
  }

  /// The image of a response made here, in `images`; nil if it is malformed or too large.
  private mutating func image(_ message: [UInt8], _ name: Bytes, _ type: UInt16, _ recordClass: UInt16) -> Response? {
    guard message.count >= Header.length, message.count <= Reply.maxStream else { return nil }
    let question = found.bytes.slice(Reply.maxStream &+ 1, name.count &+ 4)
    question.copy(name, at: 0)
    question.set(u16: type, at: name.count)
    question.set(u16: recordClass, at: name.count &+ 2)
    return images.write(write(message, at: 0), question: question)
  }

  /// Answers a query with a response made here, and keeps it if it may be kept.
  private mutating func answer(
    _ message: [UInt8], _ more: [UInt8], _ writer: Writer, _ buffer: Bytes, _ length: Int, _ query: Query, _ key: Key,
    _ origin: Origin, _ zone: Int
  ) -> Int {
    guard let response = image(message, key.name, query.type, query.recordClass) else {
      return fail(buffer, length, query, key.name, Rcode.servFail, .malformedAnswer, zone, origin)
    }
    let ttl = keep(response, key, zone)
    if origin.isNobody { return 0 }
    let chain = tables.zones[zone].chain
    let options = adding(more, to: replyOptions(echoedOptions(buffer, query), chain))
    let reply = Reply.write(
      to: buffer, query: query, response: response, image: images.image, ttlOffsets: images.ttlOffsets, ttl: ttl,
      limit: min(Reply.limit(query, stream: origin.isStream), buffer.count), options: options)
    if tables.chains[chain].needsEveryQuery { arrange(buffer.slice(0, reply), chain) }
    counters.answered(
      listener: origin.listener, zone: zone, stream: origin.isStream, ipv6: origin.peer.isIPv6, type: query.type,
      rcode: response.rcode, dnssecOK: query.dnssecOK, requestSize: length, responseSize: reply, duration: 0,
      by: writer)
    logAnswer(buffer, length, query, key.name, zone, origin, reply, duration: 0)
    return reply
  }

  /// The upstream's answer to an errand's question. False: it is malformed.
  @inline(never) mutating func resume(_ question: Int, with message: Bytes) -> Bool {
    guard let then = errands[question]?.then, let resolution = then(message) else { return false }
    return settle(question, resolution)
  }

  /// False: the resolver's own response is malformed.
  private mutating func settle(_ question: Int, _ first: Resolution) -> Bool {
    var resolution = first
    let q = questions[question]
    let chain = tables.zones[q.zone].chain
    while true {
      switch resolution {
      case .answer(let message, let options, let writer):
        guard let response = image(message, questions.name(question), q.type, q.recordClass) else { return false }
        settle(question, with: response, by: writer, adding: options)
        return true
      case .fail(let rcode, let cause):
        settle(question, failing: rcode, cause: cause)
        return true
      case .forward(let errand):
        if let forward = forward(chain, questions.name(question), errand) {
          redirect(question, errand, forward)
          return true
        }
        guard let otherwise = errand.otherwise else {
          settle(question, failing: Rcode.servFail, cause: .noForward)
          return true
        }
        resolution = otherwise()
      }
    }
  }

  /// The client's question becomes another one, within the same deadline.
  private mutating func redirect(_ question: Int, _ errand: Errand, _ forward: Int) {
    errands[question] = errand
    redirect(question, to: forward)
  }

  /// The name that is asked for: the client's, or an errand's.
  mutating func askedName(_ question: Int) -> Bytes {
    guard questions[question].hasErrand, let asked = errands[question]?.asked else { return questions.name(question) }
    return write(asked.name, at: 0)
  }

  /// Octets that the message which asks an errand's question may take.
  @inline(never) mutating func room(forErrandOf question: Int) -> Int {
    guard let asked = errands[question]?.asked else { return 0 }
    return Header.length &+ asked.name.count &+ 4 &+ EDNS.fixedLength &+ asked.options.count
  }

  /// Writes the message that asks an errand's question after its id and flags; nil: it asks the client's own.
  @inline(never) mutating func writeErrand(_ question: Int, flags: UInt16, to message: Bytes) -> Int? {
    guard let asked = errands[question]?.asked else { return nil }
    let q = questions[question]
    let hasOPT = q.dnssecOK || q.carrier == .udp || links[q.connection].isSecure || !asked.options.isEmpty
    message.setHeader(flags: flags, questions: 1, answers: 0, authorities: 0, additionals: hasOPT ? 1 : 0)
    message.slice(Header.length, asked.name.count).write(asked.name)
    let end = Header.length &+ asked.name.count &+ 4
    message.set(u16: asked.type, at: end &- 4)
    message.set(u16: asked.recordClass, at: end &- 2)
    guard hasOPT else { return end }
    return EDNS.write(
      to: message, at: end, udpSize: UInt16(Reply.maxUDP), extendedRcode: 0, dnssecOK: q.dnssecOK,
      options: write(asked.options, at: 0))
  }

  /// Whether a response's question is the errand's; nil: that is the client's own.
  @inline(never) mutating func isErrandAnswer(_ message: Bytes, to question: Int) -> Bool? {
    guard let asked = errands[question]?.asked else { return nil }
    guard message.questionCount == 1,
      let length = Name.plainLength(message, at: Header.length), length == asked.name.count,
      message.count >= Header.length &+ length &+ 4, message.u16(Header.length &+ length) == asked.type,
      message.u16(Header.length &+ length &+ 2) == asked.recordClass
    else { return false }
    let echoed = folded.bytes.slice(0, length)
    echoed.copy(message.slice(Header.length, length), at: 0)
    Name.fold(echoed)
    return echoed.octets == asked.name
  }

  /// Options of a reply and the reason for it (RFC 8914), if that fits.
  mutating func adding(_ error: ExtendedError, to echoed: Bytes) -> Bytes {
    guard echoed.count &+ ExtendedError.size <= Reply.maxOptions else { return echoed }
    let out = options.bytes.slice(3072, echoed.count &+ ExtendedError.size)
    out.copy(echoed, at: 0)
    out.set(u16: ExtendedError.option, at: echoed.count)
    out.set(u16: 2, at: echoed.count &+ 2)
    out.set(u16: error.rawValue, at: echoed.count &+ 4)
    return out
  }

  /// Options of a reply and more of them, as far as they fit.
  mutating func adding(_ more: [UInt8], to echoed: Bytes) -> Bytes {
    guard !more.isEmpty, echoed.count &+ more.count <= Reply.maxOptions else { return echoed }
    let out = options.bytes.slice(3072, echoed.count &+ more.count)
    out.copy(echoed, at: 0)
    out.from(echoed.count).write(more)
    return out
  }
}
