import Memory
import Upstream
import Wire

/// What upstreams say: bytes to frames, frames to the questions they answer.
extension Shard where R: ~Copyable {
  mutating func upstreamRead(_ completion: Completion) {
    let connection = completion.token.index
    guard isCurrent(completion.token) else { return }
    links[connection].operations &-= 1
    if pool.connections[connection].state == .closing { return releaseIfDone(connection) }
    let isDatagram = pool.connections[connection].transport == .udp
    if isDatagram, completion.result == Completion.unreachable {
      unreachable(connection)
      return read(connection)
    }
    guard completion.result > 0 || isDatagram && completion.result == 0 else {
      return ended(connection, inPeace: completion.result == 0)
    }
    if links[connection].isSecure { return receivedTLS(connection, Int(completion.result)) }
    progressed(connection)
    if isDatagram {
      let input = upstreamInput.bytes.slice(connection &* UpstreamLink.inputSize, Int(completion.result))
      _ = respond(input, on: connection)
      if pool.connections[connection].state == .draining, pool.connections[connection].asked.count == 0 {
        return lose(connection, failed: false)
      }
      return read(connection)
    }
    guard take(Int(completion.result), on: connection) else { return lose(connection, failed: false) }
    read(connection)
  }

  /// An upstream may close at any time, and reset; one that did so before it ever answered is failing.
  mutating func ended(_ connection: Int, inPeace: Bool) {
    let c = pool.connections[connection]
    let hasAnswered = c.hasAnswered && c.transport == .tcp
    lose(connection, failed: !hasAnswered, inPeace: hasAnswered && inPeace)
  }

  mutating func progressed(_ connection: Int) {
    if pool.progress(on: connection, now: now) {
      counters.setUp(upstream: pool.connections[connection].upstream, true)
    }
  }

  /// So many more octets are in the input. False: the connection is not to be trusted.
  mutating func take(_ count: Int, on connection: Int) -> Bool {
    links[connection].filled &+= count
    return takeFrames(connection)
  }

  /// Reads whole frames (RFC 1035 §4.2.2) and moves the rest to the front. False: the connection is not to be trusted.
  private mutating func takeFrames(_ connection: Int) -> Bool {
    let input = upstreamInput.bytes.slice(connection &* UpstreamLink.inputSize, UpstreamLink.inputSize)
    let filled = links[connection].filled
    var at = 0
    while filled &- at >= 2 {
      let length = Int(input.u16(at))
      guard length >= Header.length else { return false }
      guard filled &- at &- 2 >= length else { break }
      guard respond(input.slice(at &+ 2, length), on: connection) else { return false }
      at &+= 2 &+ length
    }
    input.copy(input.slice(at, filled &- at), at: 0)
    links[connection].filled = filled &- at
    return true
  }

  /// A message from an upstream. False: it breaks the protocol. What does not match a pending question is passed over:
  /// over UDP anybody may have sent it (RFC 5452 §9.1), over TCP it may be late.
  private mutating func respond(_ message: Bytes, on connection: Int) -> Bool {
    let isStream = pool.connections[connection].transport == .tcp
    guard message.count >= Header.length, message.flags & Header.qr != 0,
      message.flags & Header.opcodeMask == 0
    else { return !isStream }
    if !isStream, pool.connections[connection].isMistrusted { return true }
    guard let question = pool.match(message.id, on: connection, questions: questions) else {
      if !isStream, !pool.wasAsked(message.id, on: connection) { mismatched(connection) }
      pool.receivedOwed(message.id, on: connection)
      return true
    }
    // One that leaves has left the cache to another.
    if leaving == nil { segment.prefetch(questions[question].hash) }
    questions.prefetch(questions[question].hash)
    let rcode = message.flags & Header.rcodeMask
    // A bare error: all that some servers say. It says nothing of the name, so NOERROR and NXDOMAIN need a question.
    let isBare =
      message.questionCount == 0 && isStream && message.count == Header.length
      && [Rcode.formErr, Rcode.servFail, Rcode.notImp, Rcode.refused].contains(rcode)
    let q = questions[question]
    guard isBare || isAnswer(message, to: question) else {
      if q.firstWaiter >= 0 {
        counters.add(listener: waiters[q.firstWaiter].origin.listener, zone: q.zone, Counters.Query.drops)
      }
      if !isStream { mismatched(connection) }
      return !isStream
    }
    let upstream = pool.connections[connection].upstream
    if isTapped(question) { tap(.forwarderResponse, message, of: question, on: connection) }
    if rcode == Rcode.formErr, message.additionalCount == 0, !q.hasErrand, q.connection == connection, hasOPT(q) {
      pool.forgoEDNS(upstream, now: now)
      pool.answered(question, by: message.id, on: connection, questions: &questions, now: now)
      retry(question)
      return true
    }
    if message.flags & Header.tc != 0, !isStream, retriesTruncated(q) {
      // A second copy of it says nothing new.
      guard q.carrier == .udp else { return true }
      pool.withdraw(question, questions: &questions)
      questions[question].carrier = .tcp
      dispatch(question)
      return true
    }
    if isStream { pool.answered(question, by: message.id, on: connection, questions: &questions, now: now) }
    let duration = now &- q.askedAt
    if (tables.forwards[q.forward].failover | tables.forwards[q.forward].next) & 1 << UInt32(rcode) != 0,
      passOn(question, rcode: rcode)
    {
      counters.exchanged(upstream: upstream, rcode: rcode, duration: duration)
      return true
    }
    if isBare {
      counters.exchanged(upstream: upstream, rcode: rcode, duration: duration)
      settle(question, failing: rcode, cause: .none)
      return true
    }
    if q.hasErrand {
      counters.exchanged(upstream: upstream, rcode: rcode, duration: duration)
      return resume(question, with: message) || malformed(question, isStream)
    }
    writeQuestion(question)
    let asked = folded.bytes.slice(0, Int(q.nameLength) &+ 4)
    guard let response = images.write(message, question: asked, chainOnly: true) else {
      return malformed(question, isStream)
    }
    if !isStream { pool.answered(question, by: message.id, on: connection, questions: &questions, now: now) }
    counters.exchanged(upstream: upstream, rcode: response.rcode, duration: duration)
    settle(question, with: response)
    return true
  }

  /// A datagram that answers nothing. Where somebody guesses, the socket's questions go where he cannot follow.
  private mutating func mismatched(_ connection: Int) {
    counters.add(.mismatches)
    guard pool.mismatch(on: connection) else { return }
    while let question = pool.oldest(on: connection) {
      pool.withdraw(question, questions: &questions)
      questions[question].carrier = .tcp
      retry(question)
    }
  }

  /// An answer whose records cannot be read. True, as from `respond`.
  private mutating func malformed(_ question: Int, _ isStream: Bool) -> Bool {
    // Over UDP a forger may have guessed this far: the answer may still come. Over TCP this is the upstream's answer,
    // whole and in its frame: it is asked for again, and the connection's other questions are left alone.
    guard isStream else { return true }
    if questions[question].sends >= tables.forwards[questions[question].forward].sends {
      settle(question, failing: Rcode.servFail, cause: .malformedAnswer)
    } else {
      dispatch(question)
    }
    return true
  }

  /// Over UDP an answer that was cut off is asked for again over TCP, unless the client asked over UDP and is to be told
  /// so itself.
  private mutating func retriesTruncated(_ q: Question) -> Bool {
    tables.forwards[q.forward].transport == .udp
  }

  /// Whether a response's question section is the one asked: name, type and class.
  private mutating func isAnswer(_ message: Bytes, to question: Int) -> Bool {
    let q = questions[question]
    if q.hasErrand, let isAnswer = isErrandAnswer(message, to: question) { return isAnswer }
    guard message.questionCount == 1,
      let length = Name.plainLength(message, at: Header.length), length == Int(q.nameLength),
      message.count >= Header.length &+ length &+ 4,
      message.u16(Header.length &+ length) == q.type, message.u16(Header.length &+ length &+ 2) == q.recordClass
    else { return false }
    return Name.isSame(message, at: Header.length, as: questions.name(question))
  }

  /// The question section in wire form, name folded, to the front of `folded`.
  private mutating func writeQuestion(_ question: Int) {
    let q = questions[question]
    let length = Int(q.nameLength)
    folded.bytes.copy(questions.name(question), at: 0)
    folded.bytes.set(u16: q.type, at: length)
    folded.bytes.set(u16: q.recordClass, at: length &+ 2)
  }
}
