import Engine

extension World {
  /// A client's datagram with a question, from a port of its own; `to` is the shard that the kernel picks for it.
  package func ask(_ asked: Asked, listener: Int = 0, to shard: Int? = nil) {
    let (query, message) = ledger.query(asked, listener: listener, isStream: false)
    if chance.happens(faults.cut) { return sendJunk(Array(message.prefix(chance.below(message.count))), to: shard) }
    send(message, of: query, to: shard, listener: listener)
  }

  /// Bytes that are no query, as a datagram.
  package func sendJunk(_ message: [UInt8], to shard: Int? = nil) {
    send(message, of: -1 - chance.below(1000), to: shard, listener: 0)
  }

  private func send(_ message: [UInt8], of query: Int, to shard: Int?, listener: Int) {
    let shard = shard ?? chance.below(shards)
    let copies = chance.happens(faults.duplicate) ? 2 : 1
    for _ in 0..<copies where !chance.happens(faults.loss) {
      after(wander()) { [self] in
        listening[shard][listener].arrive(message, from: Ledger.address(of: query)) {
          if !self.sabotages(.uncountedDatagram) { self.ledger.arrived(max(query, -1)) }
        }
      }
    }
  }

  /// A client's TCP connection; the shard is the one that the kernel picks for it.
  @discardableResult
  package func connect(to shard: Int? = nil, listener: Int = 0) -> ClientStream {
    let client = ClientStream(world: self, listener: listener)
    streams.append(client)
    let shard = shard ?? chance.below(shards)
    after(latency()) { [self] in
      listening[shard][listener].connect(client, from: Ledger.address(of: streams.count)) { client.accepted($0) }
    }
    return client
  }
}

/// A client's end of a TCP connection.
package final class ClientStream: StreamEnd {
  private unowned let world: World
  private let listener: Int
  private var socket: Socket?
  private var toSend: [UInt8] = []
  private var input: [UInt8] = []
  /// Queries without a reply, by id, and when they were sent.
  package private(set) var pending: [UInt16: (query: Int, sentAt: UInt64)] = [:]
  /// Takes what it is sent.
  package var reads = true
  /// Octets it writes at a time.
  package var chunk = Int.max
  /// Nothing that it does gives the server a reason to hang up.
  package var isGood = true
  package private(set) var answered = 0
  package private(set) var worstWait: UInt64 = 0
  /// When the last reply came.
  private var quietSince: UInt64
  /// The server closed.
  package private(set) var isOver = false
  package private(set) var isClosed = false
  private var finishes = false
  /// Nanoseconds; no stream is closed for being idle sooner.
  private static let idle = 3 * second
  /// In which its stream is closed if it has no reply.
  private static let answer = 5 * second
  package private(set) var hasFinished = false

  init(world: World, listener: Int) {
    self.world = world
    self.listener = listener
    quietSince = world.time
  }

  /// Writes queries, all at once.
  package func ask(_ asked: [Asked]) {
    var bytes: [UInt8] = []
    for one in asked {
      let (query, message) = world.ledger.query(one, listener: listener, isStream: true) { self.pending[$0] != nil }
      pending[world.ledger.queries[query].id] = (query, world.time)
      bytes += MessageWriter.octets(UInt16(message.count)) + message
    }
    write(bytes)
  }

  package func write(_ bytes: [UInt8]) {
    toSend += bytes
    flush()
  }

  /// Says that nothing more will come, and waits for what is due.
  package func finish() {
    finishes = true
    hasFinished = true
    flush()
  }

  /// Goes away without a word, whatever is due.
  package func close(resetting: Bool) {
    isGood = false
    isClosed = true
    if !pending.isEmpty { world.ledger.brokenStreams += 1 }
    pending = [:]
    if resetting { socket?.reset() } else { socket?.finish() }
  }

  func accepted(_ socket: Socket) {
    self.socket = socket
    if isClosed { socket.reset() }
    flush()
  }

  private func flush() {
    guard let socket, !isClosed, !isOver else { return }
    while !toSend.isEmpty {
      let count = min(chunk, toSend.count)
      socket.deliver(Array(toSend.prefix(count)))
      toSend.removeFirst(count)
    }
    if finishes {
      finishes = false
      socket.finish()
    }
  }

  package func received(_ bytes: [UInt8]) {
    guard !isClosed else { return socket?.reset() ?? () }
    guard reads else { return }
    socket?.consumed(bytes.count)
    input += bytes
    while input.count >= 2 {
      let length = Int(input[0]) << 8 | Int(input[1])
      guard input.count >= 2 + length else { return }
      replied(Array(input[2..<2 + length]))
      input.removeFirst(2 + length)
    }
  }

  private func replied(_ message: [UInt8]) {
    guard message.count >= 12 else { return world.report("a short frame from a shard: \(message)") }
    let id = UInt16(message[0]) << 8 | UInt16(message[1])
    world.ledger.streamReplies += 1
    guard let (query, sentAt) = pending.removeValue(forKey: id) else {
      if isGood { world.report("a second reply, or one to nobody, on a stream: \(message)") }
      return
    }
    answered += 1
    quietSince = world.time
    worstWait = max(worstWait, world.time - sentAt)
    world.ledger.check(message, of: world.ledger.queries[query])
  }

  package func finished() { end() }
  package func wasReset() { end() }

  private func end() {
    guard !isOver else { return }
    isOver = true
    if !reads || !pending.isEmpty { world.ledger.brokenStreams += 1 }
    // A stream that is idle may be closed, and a query be on its way just then (RFC 7766, 6.2.4).
    // A shard that stood still sees it later.
    let onItsWay = millisecond + (world.faults.stall > 0 ? world.faults.stallMost : 0)
    let isIdle =
      world.time > quietSince + Self.idle && pending.values.allSatisfy { world.time < $0.sentAt + onItsWay }
    // A reply for which there was no room in the mailbox is counted, and its stream closed when its time is up.
    let isCounted = world.sum(.droppedNoSlot) > 0 && pending.values.allSatisfy { world.time > $0.sentAt + Self.answer }
    if isGood, !pending.isEmpty, !isIdle, !isCounted, world.suspended == 0, world.slack < second, world.refusals == 0 {
      world.report("a stream was closed with \(pending.count) queries unanswered: \(pending), \(answered) answered")
    }
  }
}
