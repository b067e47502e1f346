import Memory
import Upstream
import Wire

extension Shard where R: ~Copyable {
  /// Sends a question to the upstream whose turn it is, or puts it aside until one can take it.
  mutating func dispatch(_ question: Int) {
    if pool.downCount > 0, isHopeless(questions[question].forward) {
      return giveUp(question, .upstreamsDown)
    }
    if !ask(question, besides: -1) { pool.wait(question, questions: &questions) }
  }

  /// Sends a question on a connection other than `besides`. False: none can take it now.
  mutating func ask(_ question: Int, besides: Int) -> Bool {
    guard let (upstream, bit) = selectUpstream(question) else { return false }
    let transport = questions[question].carrier
    let connection: Int
    var reused = true
    switch pool.choose(
      upstream, transport, besides: besides, questions: questions, now: now, random: ring.random())
    {
    case .use(let index): connection = index
    case .open(let index):
      reused = false
      guard open(index, upstream, transport) else { return false }
      connection = index
    case .none: return false
    }
    guard send(question, on: connection) else { return false }
    questions[question].tried |= bit
    if questions[question].sends == 1 {
      hedgeCredit = min(hedgeCredit &+ 1, ShardLimits.hedgesSaved &* ShardLimits.hedgePrice)
    }
    counters.asked(upstream: upstream, stream: transport == .tcp, reused: reused)
    return true
  }

  /// The upstream that the forward's policy names next, with its bit in `tried`: usable ones that were not tried
  /// first, then usable ones; where all are down, any one that is usable; nil if none is.
  private mutating func selectUpstream(_ question: Int) -> (Int, UInt16)? {
    let forward = questions[question].forward
    let range = tables.forwards[forward].upstreams
    let areDown = pool.downCount > 0 && areAllDown(forward)
    let start: Int
    switch tables.forwards[forward].policy {
    case .sequential where !areDown: start = 0
    case .roundRobin where !areDown:
      start = tables.forwards[forward].turn % range.count
      tables.forwards[forward].turn &+= 1
    default: start = range.count > 1 ? Int(ring.random() % UInt64(range.count)) : 0
    }
    let tried = questions[question].tried
    var again = -1
    var step = 0
    while step < range.count {
      let offset = (start &+ step) % range.count
      let upstream = range.start &+ offset
      if areDown || !pool.upstream(upstream).isDown, pool.isUsable(upstream, now: now) {
        if tried & 1 << UInt16(offset) == 0 { return (upstream, 1 << UInt16(offset)) }
        if again < 0 { again = offset }
      }
      step &+= 1
    }
    return again < 0 ? nil : (range.start &+ again, 1 << UInt16(again))
  }

  /// Opens the socket of a connection that the pool just made.
  mutating func open(_ connection: Int, _ upstream: Int, _ transport: Transport) -> Bool {
    let handle = ring.open(upstream, transport)
    generation &+= 1
    // The pool's slots and these are taken and given in step, so the indices agree.
    let slot = links.take(UpstreamLink(handle: handle, generation: generation, isSecure: tlsClients[upstream] != nil))
    precondition(slot == connection)
    guard handle >= 0 else {
      if pool.close(connection, failedSince: now, now: now, random: ring.random()) { down(upstream) }
      links.give(connection)
      pool.release(connection)
      return false
    }
    if transport == .tcp {
      links[connection].operations &+= 1
      ring.connect(handle, to: upstream, token: token(.connect, connection))
    } else {
      read(connection)
    }
    return true
  }

  mutating func token(_ operation: Token.Operation, _ connection: Int) -> Token {
    Token(operation, index: connection, generation: links[connection].generation)
  }

  mutating func isCurrent(_ token: Token) -> Bool {
    links.isTaken(token.index) && links[token.index].generation & 0xFF_FFFF == token.generation
  }

  /// Writes the question as a frame into the connection's output, or as a datagram. False: no room.
  private mutating func send(_ question: Int, on connection: Int) -> Bool {
    if questions[question].carrier == .udp { return sendDatagram(question, on: connection) }
    var room = Header.length &+ Int(questions[question].nameLength) &+ 4 &+ EDNS.fixedLength &+ 2
    if questions[question].hasErrand { room = max(room, self.room(forErrandOf: question) &+ 2) }
    if links[connection].isSecure { room &+= EDNS.maxPadding }
    let output = upstreamOutput.bytes.slice(connection &* UpstreamLink.outputSize, UpstreamLink.outputSize)
    guard output.count &- links[connection].outputEnd >= room else { return false }
    let id = pool.ask(question, on: connection, questions: &questions, now: now, random: 0)
    let start = links[connection].outputEnd
    let message = output.slice(start &+ 2, room &- 2)
    var length = write(question, id, to: message)
    if links[connection].isSecure { length = EDNS.pad(message, length) }
    if isTapped(question) { tap(.forwarderQuery, message.slice(0, length), of: question, on: connection) }
    output.set(u16: UInt16(truncatingIfNeeded: length), at: start)
    links[connection].outputEnd = start &+ 2 &+ length
    mark(connection)
    return true
  }

  private mutating func sendDatagram(_ question: Int, on connection: Int) -> Bool {
    guard let slot = datagrams.take(connection) else { return false }
    let id = pool.ask(question, on: connection, questions: &questions, now: now, random: ring.random())
    let buffer = datagramMemory.bytes.slice(slot &* ShardLimits.datagramSize, ShardLimits.datagramSize)
    let length = write(question, id, to: buffer)
    if isTapped(question) { tap(.forwarderQuery, buffer.slice(0, length), of: question, on: connection) }
    links[connection].operations &+= 1
    ring.write(
      links[connection].handle, from: buffer.slice(0, length), token: Token(.upstreamSend, index: slot))
    return true
  }

  /// A question went out by datagram. Until then its socket's number must not be another's.
  mutating func datagramSent(_ completion: Completion) {
    let connection = datagrams[completion.token.index]
    datagrams.give(completion.token.index)
    links[connection].operations &-= 1
    if pool.connections[connection].state == .closing { return releaseIfDone(connection) }
    // What ICMP said of an earlier datagram is told once, to whichever operation comes next.
    if completion.result == Completion.unreachable {
      unreachable(connection)
    } else if completion.result < 0 {
      lose(connection, failed: true)
    }
  }

  /// ICMP says of a UDP upstream that nobody listens there. Anybody may say so (CVE-2020-25705): questions are asked of
  /// another upstream too, where there is one, and this one's answer is waited for all the same.
  mutating func unreachable(_ connection: Int) {
    var next = pool.oldest(on: connection)
    while let question = next {
      next = pool.next(after: question)
      let q = questions[question]
      guard q.sends < Pool.Limits.sends, q.tried.nonzeroBitCount < tables.forwards[q.forward].upstreams.count else {
        continue
      }
      pool.withdraw(question, questions: &questions)
      dispatch(question)
    }
  }

  /// The message that asks: RD, AD (RFC 6840 §5.7), CD as the clients have it; an OPT for DO, for room over UDP, or for
  /// padding over TLS.
  private mutating func write(_ question: Int, _ id: UInt16, to message: Bytes) -> Int {
    let q = questions[question]
    let name = questions.name(question)
    let hasOPT = hasOPT(q)
    let flags = Header.rd | Header.ad | (q.checkingDisabled ? Header.cd : 0)
    message.set(u16: id, at: 0)
    if q.hasErrand, let length = writeErrand(question, flags: flags, to: message) { return length }
    message.setHeader(flags: flags, questions: 1, answers: 0, authorities: 0, additionals: hasOPT ? 1 : 0)
    message.copy(name, at: Header.length)
    let end = Header.length &+ name.count &+ 4
    message.set(u16: q.type, at: end &- 4)
    message.set(u16: q.recordClass, at: end &- 2)
    guard hasOPT else { return end }
    return EDNS.write(
      to: message, at: end, udpSize: UInt16(Reply.maxUDP), extendedRcode: 0, dnssecOK: q.dnssecOK,
      options: message.slice(0, 0))
  }

  /// Whether a question that is on a connection is asked with an OPT.
  mutating func hasOPT(_ q: Question) -> Bool {
    (q.dnssecOK || q.carrier == .udp || links[q.connection].isSecure)
      && pool.upstream(pool.connections[q.connection].upstream).plainUntil <= now
  }

  mutating func mark(_ connection: Int) {
    guard !links[connection].isMarked else { return }
    links[connection].isMarked = true
    marks.append(connection, to: &markedLinks)
  }

  /// One write per connection for all the frames of a turn; one write at a time, so that frames stay whole.
  mutating func flushLinks() {
    while markedLinks.first >= 0 {
      let connection = markedLinks.first
      marks.remove(connection, from: &markedLinks)
      links[connection].isMarked = false
      let link = links[connection]
      if link.isSecure {
        flushTLS(connection)
        continue
      }
      guard pool.connections[connection].state == .open || pool.connections[connection].state == .draining,
        !link.isWriting, link.outputEnd > link.outputStart
      else { continue }
      links[connection].isWriting = true
      links[connection].operations &+= 1
      let output = upstreamOutput.bytes.slice(connection &* UpstreamLink.outputSize, UpstreamLink.outputSize)
      ring.write(
        link.handle, from: output.slice(link.outputStart, link.outputEnd &- link.outputStart),
        token: token(.upstreamWrite, connection))
    }
  }

  mutating func connected(_ completion: Completion) {
    let connection = completion.token.index
    guard isCurrent(completion.token) else { return }
    links[connection].operations &-= 1
    if pool.connections[connection].state == .closing { return releaseIfDone(connection) }
    guard completion.result >= 0 else { return lose(connection, failed: true) }
    if links[connection].isSecure { return startTLS(connection) }
    read(connection)
    established(connection)
  }

  /// What waits for it goes out.
  mutating func established(_ connection: Int) {
    pool.opened(connection, now: now)
    mark(connection)
    dispatchWaiting()
  }

  mutating func upstreamWritten(_ completion: Completion) {
    let connection = completion.token.index
    guard isCurrent(completion.token) else { return }
    links[connection].operations &-= 1
    links[connection].isWriting = false
    if pool.connections[connection].state == .closing { return releaseIfDone(connection) }
    guard completion.result > 0 else { return lose(connection, failed: true) }
    if let session = tlsSessions[connection] {
      session.sent(Int(completion.result))
      return mark(connection)
    }
    links[connection].outputStart &+= Int(completion.result)
    if links[connection].outputStart == links[connection].outputEnd {
      links[connection].outputStart = 0
      links[connection].outputEnd = 0
    } else {
      mark(connection)
    }
  }

  mutating func read(_ connection: Int) {
    links[connection].operations &+= 1
    let input = upstreamInput.bytes.slice(connection &* UpstreamLink.inputSize, UpstreamLink.inputSize)
    ring.read(
      links[connection].handle, into: tlsSessions[connection]?.input ?? input.from(links[connection].filled),
      token: token(.upstreamRead, connection))
  }

  /// Gives up a connection; its questions go elsewhere. `inPeace`: the upstream closed it, as it may at any time, so
  /// that questions which it left unanswered were as good as not sent.
  mutating func lose(_ connection: Int, failed: Bool, inPeace: Bool = false) {
    let c = pool.connections[connection]
    let isConnecting = c.state == .connecting
    let oldest = pool.oldest(on: connection)
    let since = isConnecting ? c.openedAt : oldest.map { questions[$0].askedAt } ?? c.openedAt
    if pool.close(connection, failedSince: failed ? since : nil, now: now, random: ring.random()) { down(c.upstream) }
    if failed { missProbe(c.upstream, isLost: true) }
    if links[connection].isSecure { endTLS(connection, failed: failed && isConnecting) }
    while let question = pool.oldest(on: connection) {
      pool.withdraw(question, questions: &questions)
      if isConnecting {
        pool.unsend(question, questions: &questions)
        questions[question].refusals = min(questions[question].refusals, 254) &+ 1
      } else if inPeace, questions[question].moves < Pool.Limits.moves {
        pool.unsend(question, questions: &questions)
        questions[question].moves &+= 1
      }
      retry(question)
    }
    if links[connection].operations > 0 { ring.cancel(links[connection].handle) }
    releaseIfDone(connection)
  }

  mutating func releaseIfDone(_ connection: Int) {
    guard links[connection].operations == 0 else { return }
    if links[connection].isMarked { marks.remove(connection, from: &markedLinks) }
    ring.close(links[connection].handle)
    if links[connection].isSecure { tlsSessions[connection] = nil }
    links.give(connection)
    pool.release(connection)
  }

  /// Asks again, elsewhere if there is an elsewhere, as long as sends and connects are left.
  mutating func retry(_ question: Int) {
    let forward = questions[question].forward
    if questions[question].sends >= tables.forwards[forward].sends
      || questions[question].refusals >= tables.forwards[forward].refusals
      || questions[question].refusals > 0 && pool.downCount > 0 && areAllDown(forward)
    {
      giveUp(question, .upstreamUnusable)
    } else {
      dispatch(question)
    }
  }

  /// Questions that waited for a connection try again: each once.
  mutating func dispatchWaiting() {
    var count = pool.waitingCount
    while count > 0, let question = pool.firstWaiting {
      dispatch(question)
      count &-= 1
    }
  }
}
