import Cache
import Memory
import Upstream
import Wire

extension Shard where R: ~Copyable {
  /// Settles a question with an upstream's response, whose image `images` holds: keeps it if it may be kept, and
  /// answers everyone who waits.
  /// `more` are EDNS options for these replies alone.
  mutating func settle(_ question: Int, with response: Response, by writer: Writer = .chain, adding more: [UInt8] = [])
  {
    let chain = tables.zones[questions[question].zone].chain
    if tables.chains[chain].holdsOn, !replaces(response, tables.chains[chain]), answerStale(question, response.rcode) {
      return remove(question)
    }
    let ttl = keep(response, key(of: question), questions[question].zone)
    finish(question, by: writer) { shard, waiter, query, message, limit, options in
      Reply.write(
        to: message, query: query, response: response, image: shard.images.image,
        ttlOffsets: shard.images.ttlOffsets, ttl: ttl, limit: limit, options: shard.adding(more, to: options))
    }
  }

  /// Keeps a response, whose image `images` holds, if it may be kept. Returns the seconds that all of its records are
  /// given; nil: those they have.
  mutating func keep(_ response: Response, _ key: Key, _ zone: Int) -> UInt32? {
    let chain = tables.chains[tables.zones[zone].chain]
    guard chain.caches, tables.names.contains(chain.cacheZones, above: key.name) else { return nil }
    let ttl = lifetime(response, chain)
    if ttl.isKept, ttl.seconds > 0, mayKeep(response, chain, key.name, key.qtype) {
      insert(response, key, zone, ttl.seconds)
    }
    return ttl.seconds
  }

  /// Settles a question with a response code of our own, or an upstream's bare one.
  mutating func settle(_ question: Int, failing rcode: UInt16, cause: Event.Cause) {
    if cause != .resolver, questions[question].firstWaiter >= 0,
      tables.chains[tables.zones[questions[question].zone].chain].logsErrors
    {
      let q = questions[question]
      let first = waiters[q.firstWaiter]
      logFailure(
        cause, rcode, first.query(nameLength: Int(q.nameLength), type: q.type, recordClass: q.recordClass),
        questions.name(question), q.zone, first.origin, upstream: -1)
    }
    if cause != .resolver, answerStale(question, rcode) { return remove(question) }
    if rcode == Rcode.servFail { keepFailure(question, cause) }
    let reason = cause.reason(rcode)
    // The upstream's word, or our own.
    finish(question, by: cause == .none ? .chain : .nobody) { shard, _, query, message, _, options in
      let options = query.edns == nil ? options : reason.map { shard.adding($0, to: options) } ?? options
      return Reply.error(to: message, query: query, rcode: rcode, options: options)
    }
  }

  /// Keeps the failure of an exchange for a moment, so that those who ask next do not all wait as long (RFC 9520).
  private mutating func keepFailure(_ question: Int, _ cause: Event.Cause) {
    switch cause {
    case .none, .upstreamTimeout, .upstreamUnusable, .malformedAnswer: break
    default: return
    }
    let q = questions[question]
    let key = key(of: question)
    let chain = tables.chains[tables.zones[q.zone].chain]
    var response = Response()
    response.rcode = Rcode.servFail
    response.flags = Header.qr | Rcode.servFail
    guard chain.caches, chain.servfail > 0, tables.names.contains(chain.cacheZones, above: key.name),
      mayKeep(response, chain, key.name, q.type)
    else { return }
    images.writeNothing()
    insert(response, key, q.zone, cause == .none ? chain.servfail : min(chain.servfail, ShardLimits.failureTTL))
  }

  mutating func key(of question: Int) -> Key {
    let q = questions[question]
    return Key(
      hash: q.hash, name: questions.name(question), group: q.group, qtype: q.type, qclass: q.recordClass,
      flags: Key.Flags(rawValue: (q.dnssecOK ? 1 : 0) | (q.checkingDisabled ? 2 : 0)))
  }

  /// Seconds that all records of a response are given (spec/plugins.md, cache), and whether it is of a kind that is
  /// kept.
  private mutating func lifetime(_ response: Response, _ chain: Chain) -> (seconds: UInt32, isKept: Bool) {
    switch response.rcode {
    case Rcode.servFail, Rcode.notImp: return (chain.servfail, true)
    case _ where response.isDenial:
      return (max(chain.denialMin, min(chain.denialMax, response.ttl)), response.hasSOA)
    case Rcode.noError where response.answers == 0 && response.authorities > 0:
      // A referral, or a denial that another zone's SOA came with: it says nothing of the name.
      return (max(chain.successMin, min(chain.successMax, response.ttl)), false)
    case Rcode.noError:
      return (max(chain.successMin, min(chain.successMax, response.ttl)), true)
    default: return (max(chain.successMin, min(chain.successMax, response.ttl)), false)
    }
  }

  private mutating func mayKeep(_ response: Response, _ chain: Chain, _ name: Bytes, _ type: UInt16) -> Bool {
    // A truncated answer is not the answer (RFC 2181 §9); ANY is what the upstream felt like (RFC 8482).
    guard !response.isTruncated, type != RecordType.any, response.rcode <= Header.rcodeMask else { return false }
    let disabled = store(of: response) == .success ? chain.disableSuccess : chain.disableDenial
    return !tables.names.contains(disabled, above: name)
  }

  private mutating func store(of response: Response) -> Store {
    response.rcode == Rcode.noError && !response.isDenial ? .success : .denial
  }

  private mutating func insert(_ response: Response, _ key: Key, _ zone: Int, _ ttl: UInt32) {
    guard leaving?.nothing == nil else { return }
    let isStaleable = response.rcode == Rcode.noError || response.rcode == Rcode.nxDomain
    let answer = Answer(
      // Hits carry AA whatever the upstream said, as CoreDNS's do.
      flags: response.flags | Header.aa, answers: response.answers, authorities: response.authorities,
      additionals: response.additionals, zone: UInt16(truncatingIfNeeded: zone), store: store(of: response),
      ttl: ttl, stale: isStaleable ? tables.chains[tables.zones[zone].chain].staleFor : 0)
    switch segment.insert(
      key, answer, image: images.image, ttlOffsets: images.ttlOffsets, now: milliseconds)
    {
    case .refused, .tooLarge: counters.add(.insertsRefused)
    default: break
    }
  }

  /// Answers each waiter, and forgets the question.
  @inline(__always) private mutating func finish(
    _ question: Int, by writer: Writer, _ build: (inout Self, Waiter, Query, Bytes, Int, Bytes) -> Int
  ) {
    answerAll(question, by: writer, build)
    remove(question)
  }

  private mutating func remove(_ question: Int) {
    pool.withdraw(question, questions: &questions)
    tables.forwards[questions[question].forward].pending &-= 1
    if questions[question].hasErrand { errands[question] = nil }
    questions.remove(question)
  }

  /// Answers each waiter with the reply that `build` writes into a buffer where header and question already stand.
  @inline(__always) mutating func answerAll(
    _ question: Int, by writer: Writer, _ build: (inout Self, Waiter, Query, Bytes, Int, Bytes) -> Int
  ) {
    let q = questions[question]
    let name = questions.name(question)
    let chain = tables.zones[q.zone].chain
    var next = q.firstWaiter
    while next >= 0 {
      let waiter = waiters[next]
      let query = waiter.query(nameLength: Int(q.nameLength), type: q.type, recordClass: q.recordClass)
      let options = replyOptions(
        waiterOptions.bytes.slice(next &* Waiter.maxOptions, waiter.optionsLength), chain)
      if waiter.origin.isStream {
        let message = scratch.bytes.slice(0, Reply.maxStream)
        Self.writeQuestion(to: message, query, name, waiter.spelling)
        let length = build(&self, waiter, query, message, Reply.maxStream, options)
        if tables.chains[chain].needsEveryQuery { arrange(message.slice(0, length), chain) }
        answered(waiter, query, name, q.zone, message, length, by: writer)
        deliver(message.slice(0, length), to: waiter.origin)
      } else if let slot = datagrams.take(-1) {
        let buffer = datagramMemory.bytes.slice(slot &* ShardLimits.datagramSize, ShardLimits.datagramSize)
        let message = buffer.from(sendHeadroom)
        Self.writeQuestion(to: message, query, name, waiter.spelling)
        let length = build(&self, waiter, query, message, Reply.limit(query, stream: false), options)
        if tables.chains[chain].needsEveryQuery { arrange(message.slice(0, length), chain) }
        answered(waiter, query, name, q.zone, message, length, by: writer)
        counters.add(.replies)
        ring.send(
          buffer, length: length, to: waiter.origin.peer, on: waiter.origin.listener, token: Token(.send, index: slot))
      } else {
        counters.add(.droppedNoSlot)
      }
      giveWaiter(next, Int(waiter.share))
      next = waiter.next
    }
    questions[question].firstWaiter = -1
    questions[question].waiters = 0
  }

  private static func writeQuestion(to message: Bytes, _ query: Query, _ name: Bytes, _ spelling: Spelling) {
    message.set(u16: query.id, at: 0)
    message.copy(name, at: Header.length)
    spelling.apply(to: message, at: Header.length, length: name.count)
    message.set(u16: query.type, at: query.questionEnd &- 4)
    message.set(u16: query.recordClass, at: query.questionEnd &- 2)
  }

  private mutating func answered(
    _ waiter: Waiter, _ query: Query, _ name: Bytes, _ zone: Int, _ message: Bytes, _ length: Int, by writer: Writer
  ) {
    let duration = now &- waiter.origin.arrivedAt
    counters.answered(
      listener: waiter.origin.listener, zone: zone, stream: waiter.origin.isStream, ipv6: waiter.origin.peer.isIPv6,
      type: query.type, rcode: message.flags & Header.rcodeMask, dnssecOK: query.dnssecOK,
      requestSize: waiter.requestSize, responseSize: length, duration: duration,
      by: writer)
    logAnswer(message, waiter.requestSize, query, name, zone, waiter.origin, length, duration: duration)
  }

  /// A framed reply to the stream that asked, wherever it is.
  mutating func deliver(_ reply: Bytes, to origin: Origin) {
    if origin.shard == index {
      deliverHere(reply, to: origin)
    } else if outboxes[origin.shard].push(Letter(kind: .answer, origin: origin), reply) {
      toWake |= 1 << UInt64(origin.shard)
    } else {
      counters.add(.droppedNoSlot)
    }
  }
}
