import Cache
import Memory
import Wire

/// A query by datagram between its admission and its answer.
struct Admitted: BitwiseCopyable {
  let datagram: Datagram
  let receiveBuffer: Int
  let listener: Int
  let query: Query
  let hash: UInt64
  let group: UInt16
  let owner: Int

  /// Queries taken together. The first's memory has come by the time the last has been admitted.
  static let batch = 16
}

/// A thousand names do not fit the processor's cache: the bucket and the entry of each answer come from memory. So the
/// datagrams of a turn go through in batches, in three loops: admit and ask for the bucket; ask for the entry; answer.
/// (Measured in Sources/README.md, 'Batches'.)
extension Shard where R: ~Copyable {
  /// A datagram, or the end of a listener's multishot receive.
  @inline(__always) mutating func received(_ completion: Completion) {
    let listener = completion.token.index
    if !completion.more { rearm(listener, failed: completion.result < 0) }
    guard completion.buffer >= 0 else { return }
    counters.add(.datagrams)
    let share = share(ofClient: Peer.client(of: ring.sender(of: completion.buffer)))
    backlog.append(.init(result: completion.result, listener: listener, share: share), in: completion.buffer)
  }

  /// Answers the datagrams whose turn it is: some of those that wait, so that what has come meanwhile is soon seen.
  @inline(__always) mutating func answerDatagrams() {
    if backlog.count > backlog.capacity / 2 {
      shed()
    } else if isOverrun || !throttle.isEmpty {
      relax()
    }
    var left = ShardLimits.datagramsOfTurn
    while left > 0, !backlog.isEmpty {
      left &-= 1
      let buffer = backlog.next()
      admit(backlog.waiting(in: buffer), in: buffer)
    }
    answerBatch()
  }

  @inline(__always) private mutating func admit(_ waiting: Backlog.Waiting, in receiveBuffer: Int) {
    let listener = Int(waiting.listener)
    let datagram = ring.datagram(in: receiveBuffer, result: waiting.result, on: listener)
    // A message cut by the buffer's end is not the one that was sent.
    guard !datagram.truncated else {
      counters.add(.ignored)
      return giveBack(receiveBuffer)
    }
    let message = datagram.buffer.slice(0, datagram.length)
    switch Admission(message, stream: false) {
    case .query(let query):
      let name = batchNames.bytes.slice(admitted &* 256, 256)
      let key = key(message, query, listener, datagram.sender, into: name)
      let owner = owner(key.hash)
      readers.prefetchBucket(key.hash, of: owner)
      batch[admitted] = Admitted(
        datagram: datagram, receiveBuffer: receiveBuffer, listener: listener, query: query, hash: key.hash,
        group: key.group, owner: owner)
      admitted &+= 1
      if admitted == Admitted.batch { answerBatch() }
    case let other:
      let source = Source(listener: listener, stream: -1, address: datagram.sender, local: datagram.local)
      reply(with: receiveBuffer, length: answer(datagram.buffer, datagram.length, other, source), on: listener)
    }
  }

  /// Answers what has been admitted.
  private mutating func answerBatch() {
    var i = 0
    while i < admitted {
      readers.prefetchEntry(batch[i].hash, of: batch[i].owner)
      i &+= 1
    }
    i = 0
    while i < admitted {
      let query = batch[i].query
      let key = Key(
        hash: batch[i].hash, name: batchNames.bytes.slice(i &* 256, query.nameLength), group: batch[i].group,
        qtype: query.type, qclass: query.recordClass, flags: Self.keyFlags(query))
      let source = Source(
        listener: batch[i].listener, stream: -1, address: batch[i].datagram.sender, local: batch[i].datagram.local)
      let buffer = batch[i].datagram.buffer
      let length = batch[i].datagram.length
      let answered =
        hit(buffer, length, query, key, of: batch[i].owner, source) ?? miss(buffer, length, query, key, source)
      reply(with: batch[i].receiveBuffer, length: answered, on: batch[i].listener)
      i &+= 1
    }
    admitted = 0
  }

  /// Sends the reply that stands in a receive buffer; without one the buffer goes back at once.
  @inline(__always) private mutating func reply(with buffer: Int, length: Int, on listener: Int) {
    guard length > 0 else { return giveBack(buffer) }
    counters.add(.replies)
    ring.reply(with: buffer, length: length, on: listener)
    hasBuffers = true
  }

  /// A reply that stood in a slot of its own is out, or was refused.
  @inline(__always) mutating func sent(_ completion: Completion) {
    datagrams.give(completion.token.index)
    if completion.result < 0 { counters.add(.droppedNotSent) }
  }

  mutating func giveBack(_ buffer: Int) {
    ring.release(buffer)
    hasBuffers = true
  }

  /// Receives on. With no buffer left it waits for some to come back, or for the next tick: the kernel keeps datagrams
  /// meanwhile.
  private mutating func rearm(_ listener: Int, failed: Bool) {
    guard leaving == nil else {
      leaving!.armed &-= 1
      return
    }
    guard failed else { return ring.receive(on: listener) }
    counters.add(.buffersExhausted)
    receivePauses.append(listener, to: &pausedReceives)
    tickAt = min(tickAt, now &+ ShardLimits.tick)
  }

  /// Not before there are buffers for all listeners: the first would take the few there are, and again the next time.
  mutating func resumeReceives() {
    hasBuffers = false
    guard backlog.count <= backlog.capacity / 4 * 3 else { return }
    while pausedReceives.first >= 0 {
      let listener = pausedReceives.first
      receivePauses.remove(listener, from: &pausedReceives)
      ring.receive(on: listener)
    }
  }
}
