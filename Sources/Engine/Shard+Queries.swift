import Cache
import Memory
import Wire

/// Where a query came from, as views into the buffer it came in.
struct Source {
  let listener: Int
  /// The client's stream, or -1.
  let stream: Int
  let address: Bytes
  let local: Bytes

  var isStream: Bool { stream >= 0 }
}

extension Shard where R: ~Copyable {
  /// A datagram, or the end of a listener's multishot receive.
  @inline(__always) mutating func received(_ completion: Completion) {
    let listener = completion.token.index
    if !completion.more { rearm(listener, failed: completion.result < 0) }
    guard let datagram = ring.datagram(completion, on: listener) else { return }
    counters.add(.datagrams)
    // A message cut by the buffer's end is not the one that was sent.
    guard !datagram.truncated else {
      counters.add(.ignored)
      ring.release(completion.buffer)
      hasBuffers = true
      return
    }
    let source = Source(listener: listener, stream: -1, address: datagram.sender, local: datagram.local)
    let length = answer(datagram.buffer, datagram.length, source)
    if length > 0 {
      counters.add(.replies)
      ring.reply(with: completion.buffer, length: length, on: listener)
    } else {
      ring.release(completion.buffer)
      hasBuffers = true
    }
  }

  /// Receives on. With no buffer left it waits for one to come back, or for the next tick: the kernel keeps datagrams
  /// meanwhile.
  private mutating func rearm(_ listener: Int, failed: Bool) {
    guard failed else { return ring.receive(on: listener) }
    counters.add(.buffersExhausted)
    receivePauses.append(listener, to: &pausedReceives)
    tickAt = min(tickAt, now &+ ShardLimits.tick)
  }

  mutating func resumeReceives() {
    hasBuffers = false
    while pausedReceives.first >= 0 {
      let listener = pausedReceives.first
      receivePauses.remove(listener, from: &pausedReceives)
      ring.receive(on: listener)
    }
  }

  /// Answers the query in the first `length` bytes of `buffer` in place, if that can be done now. Returns the reply's
  /// length; 0: there is no reply, or it comes later.
  @inline(__always) mutating func answer(_ buffer: Bytes, _ length: Int, _ source: Source) -> Int {
    let message = buffer.slice(0, length)
    switch Admission(message, stream: source.isStream) {
    case .query(let query):
      let key = key(message, query, source.listener)
      if let reply = hit(buffer, length, query, key, source) { return reply }
      return miss(buffer, length, query, key, source)
    case .drop:
      if !source.isStream { counters.add(.ignored) }
      return 0
    case .bareError(let rcode):
      counters.add(.malformed)
      return Reply.bareError(to: buffer, rcode: rcode)
    case .error(let query, let rcode):
      return refuse(buffer, length, query, rcode, source)
    }
  }

  /// The cache key of a query: its name folded into `folded`, all that tells answers apart in the hash.
  @inline(__always) func key(_ message: Bytes, _ query: Query, _ listener: Int) -> Key {
    let flags: UInt8 = (query.dnssecOK ? 1 : 0) | (query.checkingDisabled ? 2 : 0)
    let group = fabric.settings.listeners[listener].group
    let salt = UInt64(query.type) | UInt64(query.recordClass) << 16 | UInt64(flags) << 32 | UInt64(group) << 40
    let hash = Name.fold(
      message, at: Header.length, length: query.nameLength, into: folded.bytes, salt: salt, secret: secret)
    return Key(
      hash: hash, name: folded.bytes.slice(0, query.nameLength), group: UInt16(truncatingIfNeeded: group),
      qtype: query.type, qclass: query.recordClass, flags: Key.Flags(rawValue: flags))
  }

  /// The shard whose segment holds what is known of a name. From the middle of the hash: the segment uses both ends.
  @inline(__always) func owner(_ hash: UInt64) -> Int {
    Int(((hash >> 16 & 0xFFFF_FFFF) &* UInt64(shards)) >> 32)
  }

  @inline(__always) mutating func hit(
    _ buffer: Bytes, _ length: Int, _ query: Query, _ key: Key, _ source: Source
  ) -> Int? {
    guard let entry = readers[owner(key.hash)].lookup(key, now: now / 1_000_000, scratch: found.bytes),
      entry.remaining > 0
    else { return nil }
    let zone = Int(entry.answer.zone)
    let chain = tables.zones[zone].chain
    let reply = Reply.write(
      to: buffer, query: query, response: Response(entry.answer), image: entry.image, ttlOffsets: entry.ttlOffsets,
      ttl: tables.chains[chain].keepTTL ? entry.answer.ttl : UInt32(truncatingIfNeeded: entry.remaining),
      limit: min(Reply.limit(query, stream: source.isStream), buffer.count),
      options: echoedOptions(buffer, query))
    let rcode = entry.answer.flags & Header.rcodeMask
    counters.add(listener: source.listener, zone: zone, Counters.Query.hits &+ Int(entry.answer.store.rawValue))
    count(source, zone: zone, type: query.type, rcode: rcode, dnssecOK: query.dnssecOK, length, reply)
    if tables.chains[chain].logsQueries { logAnswer(buffer, length, query, key.name, zone, source, reply) }
    return reply
  }

  @inline(__always) func echoedOptions(_ message: Bytes, _ query: Query) -> Bytes {
    guard let edns = query.edns, edns.optionsLength > 0 else { return options.bytes.slice(0, 0) }
    let room = options.bytes.slice(0, Reply.maxOptions)
    return room.slice(0, edns.echoedOptions(message, into: room))
  }

  @inline(__always) func count(
    _ source: Source, zone: Int, type: UInt16, rcode: UInt16, dnssecOK: Bool, _ requestSize: Int, _ responseSize: Int
  ) {
    counters.answered(
      listener: source.listener, zone: zone, stream: source.isStream, ipv6: Peer.isIPv6(source.address), type: type,
      rcode: rcode, dnssecOK: dnssecOK, requestSize: requestSize, responseSize: responseSize, duration: 0)
  }

  /// An error of our own for a query that no zone serves.
  func refuse(_ buffer: Bytes, _ length: Int, _ query: Query, _ rcode: UInt16, _ source: Source) -> Int {
    let reply = Reply.error(
      to: buffer, query: query, rcode: rcode,
      options: rcode == Rcode.badVers ? options.bytes.slice(0, 0) : echoedOptions(buffer, query))
    if rcode == Rcode.badVers {
      counters.add(.malformed)
    } else {
      count(
        source, zone: counters.dropped, type: query.type, rcode: rcode, dnssecOK: query.dnssecOK, length, reply)
    }
    return reply
  }
}

extension Response {
  @inline(__always) init(_ answer: Answer) {
    self.init()
    flags = answer.flags
    rcode = answer.flags & Header.rcodeMask
    answers = answer.answers
    authorities = answer.authorities
    additionals = answer.additionals
  }
}
