import Memory
import Upstream
import Wire

extension Shard where R: ~Copyable {
  /// A client connected, or a listener's accept ended.
  mutating func accepted(_ completion: Completion) {
    let listener = completion.token.index
    if !completion.more { rearmAccept(listener, failed: completion.result < 0) }
    guard completion.result >= 0, let stream = add(completion.result, listener) else { return }
    counters.add(.streams)
    readStream(stream)
  }

  /// A place for a client's connection; nil: there is none, and it is closed.
  private mutating func add(_ handle: Int32, _ listener: Int) -> Int? {
    if streams.count >= Stream.Limits.count { makeRoom() }
    generation &+= 1
    let stream = Stream(
      handle: handle, listener: listener, peer: ring.peer(of: handle), generation: generation,
      deadline: now &+ tables.timeouts[listener].read)
    guard let index = streams.take(stream) else {
      counters.add(.streamsRefused)
      ring.close(handle)
      return nil
    }
    tickAt = min(tickAt, now &+ ShardLimits.tick)
    return index
  }

  /// A client's connection that another shard held, which read `input` of it without answering.
  mutating func adopt(_ descriptor: Int32, _ listener: Int, reading input: Bytes) {
    let handle = ring.adopt(descriptor)
    guard handle >= 0, let stream = add(handle, listener) else { return }
    self.input(stream).copy(input, at: 0)
    streams[stream].filled = input.count
    streams[stream].deadline = now &+ tables.timeouts[listener].idle
    makeReady(stream)
  }

  /// Accepts on. Out of descriptors, it would fail again at once: it waits for as long as a tick.
  private mutating func rearmAccept(_ listener: Int, failed: Bool) {
    guard leaving == nil else {
      leaving!.armed &-= 1
      return
    }
    guard failed else { return ring.accept(on: listener) }
    acceptPauses.append(listener, to: &pausedAccepts)
    acceptsAt = now &+ ShardLimits.tick
    tickAt = min(tickAt, acceptsAt)
  }

  mutating func resumeAccepts() {
    // Questions that fail together have a tick at each turn.
    guard now >= acceptsAt else {
      tickAt = min(tickAt, acceptsAt)
      return
    }
    while pausedAccepts.first >= 0 {
      let listener = pausedAccepts.first
      acceptPauses.remove(listener, from: &pausedAccepts)
      ring.accept(on: listener)
    }
  }

  /// Makes room for a new client: the one whose deadline is nearest has done least with its place.
  private mutating func makeRoom() {
    var nearest = -1
    var open = 0
    var index = 0
    while index < streams.capacity {
      if streams.isTaken(index), !streams[index].isClosing {
        open &+= 1
        if nearest < 0 || streams[index].deadline < streams[nearest].deadline { nearest = index }
      }
      index &+= 1
    }
    if open >= Stream.Limits.count { closeStream(nearest) }
  }

  private mutating func token(_ operation: Token.Operation, stream: Int) -> Token {
    Token(operation, index: stream, generation: streams[stream].generation)
  }

  private mutating func isCurrentStream(_ token: Token) -> Bool {
    streams.isTaken(token.index) && streams[token.index].generation & 0xFF_FFFF == token.generation
  }

  mutating func input(_ stream: Int) -> Bytes {
    streamInput.bytes.slice(stream &* Stream.Limits.input, Stream.Limits.input)
  }

  private mutating func smallOutput(_ stream: Int) -> Bytes {
    streamSmallOutput.bytes.slice(stream &* Stream.Limits.smallOutput, Stream.Limits.smallOutput)
  }

  private mutating func output(_ stream: Int) -> Bytes {
    streamOutput.bytes.slice(streams[stream].output &* Stream.Limits.output, Stream.Limits.output)
  }

  /// Reads on, unless the client has more under way than it may.
  private mutating func readStream(_ stream: Int) {
    let s = streams[stream]
    guard !s.isReading, !s.isFinished, !s.isClosing, mayServe(s), leaving == nil else { return }
    streams[stream].isReading = true
    ring.read(s.handle, into: input(stream).from(s.filled), token: token(.streamRead, stream: stream))
  }

  /// Ends a read without data, unless some comes first.
  mutating func stopReading(_ stream: Int) {
    guard !streams[stream].isStopped else { return }
    streams[stream].isStopped = true
    ring.stop(token(.streamRead, stream: stream), on: streams[stream].handle)
  }

  private mutating func mayServe(_ s: Stream) -> Bool {
    s.outstanding < Stream.Limits.outstanding && s.unwritten < Stream.Limits.unwritten
  }

  mutating func streamRead(_ completion: Completion) {
    let stream = completion.token.index
    guard isCurrentStream(completion.token) else { return }
    streams[stream].isReading = false
    if streams[stream].isClosing { return releaseStream(stream) }
    if streams[stream].isStopped, completion.result == Completion.stopped { return }
    guard completion.result >= 0 else { return closeStream(stream) }
    if completion.result == 0 {
      // The client may have closed only its half: what it asked is still answered (RFC 7766 §6.2.4).
      streams[stream].isFinished = true
    } else {
      streams[stream].filled &+= Int(completion.result)
    }
    makeReady(stream)
  }

  private mutating func makeReady(_ stream: Int) {
    guard !streams[stream].isReady else { return }
    streams[stream].isReady = true
    readyMarks.append(stream, to: &readyStreams)
  }

  /// Answers some of what streams have sent, one stream after the other: many that send at once, or one that sends much,
  /// hold up nobody for long.
  @inline(__always) mutating func serveStreams() {
    var left = ShardLimits.framesOfTurn
    while left > 0, readyStreams.first >= 0 {
      let stream = readyStreams.first
      readyMarks.remove(stream, from: &readyStreams)
      streams[stream].isReady = false
      // Even one that has sent nothing whole is looked at, and read from.
      left &-= streams[stream].isClosing ? 1 : max(1, serve(stream, atMost: min(left, Stream.Limits.visit)))
    }
  }

  /// Answers whole frames in the input as long as the client may have more under way, then sees how to go on. Returns how
  /// many.
  private mutating func serve(_ stream: Int, atMost most: Int) -> Int {
    let input = input(stream)
    var at = 0
    var served = 0
    while streams[stream].filled &- at >= 2, mayServe(streams[stream]) {
      let length = Int(input.u16(at))
      guard length <= Stream.Limits.input &- 2 else {
        closeStream(stream)
        return served
      }
      guard streams[stream].filled &- at &- 2 >= length else { break }
      guard served < most else {
        keep(from: at, of: stream)
        makeReady(stream)
        return served
      }
      let message = scratch.bytes.slice(0, Reply.maxStream)
      message.copy(input.slice(at &+ 2, length), at: 0)
      at &+= 2 &+ length
      served &+= 1
      counters.add(.frames)
      streams[stream].deadline = now &+ tables.timeouts[streams[stream].listener].idle
      let source = source(streams[stream].peer, listener: streams[stream].listener, stream: stream)
      let reply = answer(message, length, Admission(message.slice(0, length), stream: true), source)
      if reply > 0 {
        guard append(message.slice(0, reply), to: stream) else {
          giveUp(stream)
          return served
        }
        counters.add(.replies)
      }
    }
    keep(from: at, of: stream)
    if streams[stream].isFinished, isQuiet(stream) {
      closeStream(stream)
      return served
    }
    // A message begun is to be finished soon, a byte a second does not prolong it.
    let left = streams[stream].filled
    if left > 0, at > 0 || left <= 2 {
      streams[stream].deadline = now &+ tables.timeouts[streams[stream].listener].read
    }
    readStream(stream)
    return served
  }

  /// Moves what is unread in a stream's input to its front.
  private mutating func keep(from start: Int, of stream: Int) {
    guard start > 0 else { return }
    let left = streams[stream].filled &- start
    input(stream).copy(input(stream).slice(start, left), at: 0)
    streams[stream].filled = left
  }

  /// Nothing is under way.
  mutating func isQuiet(_ stream: Int) -> Bool {
    streams[stream].outstanding == 0 && streams[stream].unwritten == 0
  }

  /// Adds a framed reply to a stream's output. False: the client does not read.
  private mutating func append(_ reply: Bytes, to stream: Int) -> Bool {
    let small = streams[stream].smallEnd
    if streams[stream].output < 0, Stream.Limits.smallOutput &- small >= reply.count &+ 2 {
      Self.frame(reply, to: smallOutput(stream), at: small)
      streams[stream].smallEnd = small &+ 2 &+ reply.count
      markStream(stream)
      return true
    }
    if streams[stream].output < 0 {
      guard let output = streamOutputs.take(0) else { return false }
      streams[stream].output = output
      streams[stream].outputStart = 0
      streams[stream].outputEnd = 0
    }
    let output = output(stream)
    let end = streams[stream].outputEnd
    guard output.count &- end >= reply.count &+ 2 else { return false }
    Self.frame(reply, to: output, at: end)
    streams[stream].outputEnd = end &+ 2 &+ reply.count
    markStream(stream)
    return true
  }

  private static func frame(_ reply: Bytes, to output: Bytes, at: Int) {
    output.set(u16: UInt16(truncatingIfNeeded: reply.count), at: at)
    output.copy(reply, at: at &+ 2)
  }

  private mutating func markStream(_ stream: Int) {
    guard !streams[stream].isMarked else { return }
    streams[stream].isMarked = true
    streamMarks.append(stream, to: &markedStreams)
  }

  /// A reply that had to wait, for a stream of this shard that may be gone by now.
  mutating func deliverHere(_ reply: Bytes, to origin: Origin) {
    let stream = origin.stream
    guard streams.isTaken(stream), streams[stream].generation == origin.generation, !streams[stream].isClosing else {
      counters.add(.droppedClientGone)
      return
    }
    streams[stream].outstanding &-= 1
    streams[stream].deadline = now &+ tables.timeouts[streams[stream].listener].idle
    guard append(reply, to: stream) else { return giveUp(stream) }
    counters.add(.replies)
  }

  /// Ends a stream that has no room for a reply: its client does not read.
  private mutating func giveUp(_ stream: Int) {
    counters.add(.droppedClientGone)
    closeStream(stream)
  }

  /// One write per stream for all the replies of a turn; then reads that had been held back go on.
  mutating func flushStreams() {
    while markedStreams.first >= 0 {
      let stream = markedStreams.first
      streamMarks.remove(stream, from: &markedStreams)
      streams[stream].isMarked = false
      let s = streams[stream]
      guard !s.isClosing else { continue }
      if !s.isWriting, s.unwritten > 0 {
        streams[stream].isWriting = true
        streams[stream].deadline = max(s.deadline, now &+ tables.timeouts[streams[stream].listener].write)
        let unwritten =
          s.smallEnd > s.smallStart
          ? smallOutput(stream).slice(s.smallStart, s.smallEnd &- s.smallStart)
          : output(stream).slice(s.outputStart, s.outputEnd &- s.outputStart)
        ring.write(s.handle, from: unwritten, token: token(.streamWrite, stream: stream))
      }
    }
  }

  mutating func streamWritten(_ completion: Completion) {
    let stream = completion.token.index
    guard isCurrentStream(completion.token) else { return }
    streams[stream].isWriting = false
    if streams[stream].isClosing { return releaseStream(stream) }
    guard completion.result > 0 else { return closeStream(stream) }
    wrote(Int(completion.result), stream)
    if streams[stream].unwritten > 0 {
      markStream(stream)
    } else {
      let timeouts = tables.timeouts[streams[stream].listener]
      streams[stream].deadline = now &+ (streams[stream].filled > 0 ? timeouts.read : timeouts.idle)
    }
    // What was held back for the unwritten or the outstanding may go on.
    makeReady(stream)
  }

  /// `count` octets of the buffer that is written first are out.
  private mutating func wrote(_ count: Int, _ stream: Int) {
    if streams[stream].smallEnd > streams[stream].smallStart {
      streams[stream].smallStart &+= count
      guard streams[stream].smallStart == streams[stream].smallEnd else { return }
      streams[stream].smallStart = 0
      streams[stream].smallEnd = 0
    } else {
      let written = streams[stream].outputStart &+ count
      let left = streams[stream].outputEnd &- written
      streams[stream].outputStart = 0
      streams[stream].outputEnd = left
      if left > 0 {
        // At the front there is room behind it for what may be added.
        output(stream).copy(output(stream).slice(written, left), at: 0)
      } else {
        streamOutputs.give(streams[stream].output)
        streams[stream].output = -1
      }
    }
  }

  /// Ends a stream: its operations are cancelled, and its slot is free when the last has completed.
  mutating func closeStream(_ stream: Int) {
    guard !streams[stream].isClosing else { return }
    streams[stream].isClosing = true
    // The kernel looks through all that waits for what is of a handle: 12 of 27 µs for a client that takes another's place.
    if streams[stream].isWriting {
      ring.cancel(streams[stream].handle)
    } else if streams[stream].isReading {
      ring.stop(token(.streamRead, stream: stream), on: streams[stream].handle)
    }
    releaseStream(stream)
  }

  private mutating func releaseStream(_ stream: Int) {
    let s = streams[stream]
    guard !s.isReading, !s.isWriting else { return }
    ring.close(s.handle)
    forget(stream)
  }

  /// Gives back what is kept of a stream that has no operation outstanding.
  mutating func forget(_ stream: Int) {
    let s = streams[stream]
    if s.isMarked { streamMarks.remove(stream, from: &markedStreams) }
    if s.isReady { readyMarks.remove(stream, from: &readyStreams) }
    if s.output >= 0 { streamOutputs.give(s.output) }
    streams.give(stream)
  }

  /// Closes streams whose time is up.
  mutating func checkStreams() {
    var index = 0
    var left = streams.count
    while left > 0 {
      if streams.isTaken(index) {
        left &-= 1
        let s = streams[index]
        // While an upstream is waited for, its deadline rules: a reply that did not come by then is lost.
        let isOver = s.deadline <= now && (s.outstanding == 0 || s.isWriting)
        if !s.isClosing, isOver || s.outstanding > 0 && s.answeredBy <= now { closeStream(index) }
      }
      index &+= 1
    }
  }
}
