import Cache
import Memory
import Upstream
import Wire

extension Shard where R: ~Copyable {
  /// A query that the cache does not answer: it goes to the shard that owns the name, which joins it to an equal
  /// question or asks upstream. Returns as `answer` does.
  mutating func miss(_ buffer: Bytes, _ length: Int, _ query: Query, _ key: Key, _ source: Source) -> Int {
    let origin = origin(of: source)
    let owner = owner(key.hash)
    guard owner == index else {
      let letter = Letter(kind: .question, origin: origin)
      guard outboxes[owner].push(letter, buffer.slice(0, length)) else {
        counters.add(.refusedMail)
        return fail(buffer, length, query, key.name, Rcode.servFail, .tooManyQuestions, counters.dropped, origin)
      }
      toWake |= 1 << UInt64(owner)
      return pending(origin)
    }
    questions.prefetch(key.hash)
    return ask(buffer, length, query, key, origin)
  }

  mutating func origin(of source: Source) -> Origin {
    var origin = Origin()
    origin.listener = source.listener
    origin.peer = Peer(address: source.address, local: source.local)
    origin.arrivedAt = now
    if source.isStream {
      origin.shard = index
      origin.stream = source.stream
      origin.generation = streams[source.stream].generation
    }
    return origin
  }

  /// The other way round, for a query that came from another shard; its address is in `scratch`, behind all else.
  mutating func source(of origin: Origin) -> Source {
    source(origin.peer, listener: origin.listener, stream: origin.isStream ? origin.stream : -1)
  }

  mutating func source(_ peer: Peer, listener: Int, stream: Int) -> Source {
    let octets = scratch.bytes.slice(Reply.maxStream &+ 1, Peer.size)
    peer.write(to: octets)
    return Source(
      listener: listener, stream: stream, address: octets.slice(0, Peer.addressSize),
      local: octets.slice(Peer.localStart, peer.localLength))
  }

  /// A reply that comes later: a stream counts it.
  private mutating func pending(_ origin: Origin) -> Int {
    if origin.shard == index {
      streams[origin.stream].outstanding &+= 1
      streams[origin.stream].answeredBy = now &+ Stream.Limits.answer
    }
    return 0
  }

  /// Finds who answers a query: only on the shard that owns the name. Returns as `answer` does.
  mutating func ask(_ buffer: Bytes, _ length: Int, _ query: Query, _ key: Key, _ origin: Origin) -> Int {
    guard let zone = tables.zone(key.group, of: key.name, isDS: query.type == RecordType.ds) else {
      return fail(buffer, length, query, key.name, Rcode.refused, .none, counters.dropped, origin)
    }
    let chain = tables.zones[zone].chain
    var query = query
    if tables.chains[chain].needsEveryQuery {
      if tables.chains[chain].taps, !origin.isNobody { tap(buffer.slice(0, length), query, zone, origin) }
      query = offering(query, chain)
      if !origin.isNobody, let reply = frontedMiss(buffer, length, query, key, origin, zone, chain) { return reply }
    }
    if tables.chains[chain].caches, !origin.isNobody {
      counters.add(listener: origin.listener, zone: zone, Counters.Query.misses)
    }
    if tables.chains[chain].resolves {
      return resolve(buffer, length, query, key, origin, zone: zone, chain: chain)
    }
    guard let forward = tables.forward(chain, of: key.name) else {
      return unforwarded(buffer, length, query, key, origin, zone)
    }
    return join(buffer, length, query, key, origin, zone: zone, forward: forward, errand: nil)
  }

  /// Nothing in the chain answers the query.
  mutating func unforwarded(
    _ buffer: Bytes, _ length: Int, _ query: Query, _ key: Key, _ origin: Origin, _ zone: Int
  ) -> Int {
    let rcode = query.recordClass == RecordClass.in ? Rcode.servFail : Rcode.refused
    return fail(buffer, length, query, key.name, rcode, .noForward, zone, origin)
  }

  /// Joins the query to an equal pending question, or makes it one.
  mutating func join(
    _ buffer: Bytes, _ length: Int, _ query: Query, _ key: Key, _ origin: Origin, zone: Int, forward: Int,
    errand: Errand?
  ) -> Int {
    let question = QuestionKey(
      hash: key.hash, name: key.name, type: query.type, recordClass: query.recordClass, dnssecOK: query.dnssecOK,
      checkingDisabled: query.checkingDisabled, zone: zone,
      transport: transport(forward, isStream: origin.isStream), group: key.group)

    let joined = questions.find(question)
    let chain = tables.zones[zone].chain
    if joined == nil, isFull(forward) {
      counters.add(.concurrencyRejects)
      return hold(buffer, length, query, key, origin, chain)
        ?? fail(buffer, length, query, key.name, Rcode.refused, .tooManyConcurrent, zone, origin)
    }
    if joined == nil, pool.downCount > 0, areAllDown(forward) {
      counters.add(.allDown)
      if isHopeless(forward) {
        return hold(buffer, length, query, key, origin, chain)
          ?? fail(buffer, length, query, key.name, Rcode.servFail, .upstreamsDown, zone, origin)
      }
    }
    let share = share(ofClient: origin.peer.client)
    if !origin.isNobody, !mayWait(share, zone: zone, isNew: joined == nil) {
      return hold(buffer, length, query, key, origin, chain)
        ?? fail(buffer, length, query, key.name, Rcode.servFail, .tooManyQuestions, zone, origin)
    }
    guard let waiter = origin.isNobody ? -1 : takeWaiter(buffer, length, query, origin, share) else {
      counters.add(.refusedQuestions)
      return hold(buffer, length, query, key, origin, chain)
        ?? fail(buffer, length, query, key.name, Rcode.servFail, .tooManyQuestions, zone, origin)
    }
    if let joined {
      if waiter >= 0 {
        counters.add(.joined)
        append(waiter, to: joined)
      }
      return pending(origin)
    }
    guard let new = questions.add(question, deadline: now &+ ShardLimits.budget) else {
      if waiter >= 0 { giveWaiter(waiter, share) }
      counters.add(.refusedQuestions)
      return hold(buffer, length, query, key, origin, chain)
        ?? fail(buffer, length, query, key.name, Rcode.servFail, .tooManyQuestions, zone, origin)
    }
    questions[new].forward = forward
    if waiter >= 0 { append(waiter, to: new) }
    expectStale(new)
    tables.forwards[forward].pending &+= 1
    if let errand, errand.then != nil {
      questions[new].hasErrand = true
      errands[new] = errand
    }
    tickAt = min(tickAt, now &+ ShardLimits.tick)
    let reply = pending(origin)
    dispatch(new)
    return reply
  }

  private mutating func takeWaiter(
    _ buffer: Bytes, _ length: Int, _ query: Query, _ origin: Origin, _ share: Int
  ) -> Int? {
    let options = echoedOptions(buffer, query)
    let kept = options.count <= Waiter.maxOptions ? options.count : 0
    let waiter = waiters.take(
      Waiter(
        origin: origin, id: query.id, flags: query.flags,
        spelling: Spelling(buffer, at: Header.length, length: query.nameLength), hasEDNS: query.edns != nil,
        udpSize: query.edns?.udpSize ?? 0, dnssecOK: query.dnssecOK, optionsLength: kept, requestSize: length,
        share: UInt16(truncatingIfNeeded: share)))
    guard let waiter else { return nil }
    waiterOptions.bytes.copy(options.slice(0, kept), at: waiter &* Waiter.maxOptions)
    waiting[share] &+= 1
    return waiter
  }

  mutating func giveWaiter(_ waiter: Int, _ share: Int) {
    waiting[share] &-= 1
    waiters.give(waiter)
  }

  private mutating func append(_ waiter: Int, to question: Int) {
    if questions[question].firstWaiter < 0 {
      questions[question].firstWaiter = waiter
    } else {
      waiters[questions[question].lastWaiter].next = waiter
    }
    questions[question].lastWaiter = waiter
    questions[question].waiters &+= 1
  }

  private mutating func transport(_ forward: Int, isStream: Bool) -> Transport {
    switch tables.forwards[forward].transport {
    case .tcp: .tcp
    case .udp: .udp
    case .mirrored: isStream ? .tcp : .udp
    }
  }

  /// An error of our own, in place.
  mutating func fail(
    _ buffer: Bytes, _ length: Int, _ query: Query, _ name: Bytes, _ rcode: UInt16, _ cause: Event.Cause, _ zone: Int,
    _ origin: Origin
  ) -> Int {
    if origin.isNobody { return 0 }
    var options = echoedOptions(buffer, query)
    if let reason = cause.reason(rcode), query.edns != nil { options = adding(reason, to: options) }
    let reply = Reply.error(to: buffer, query: query, rcode: rcode, options: options)
    counters.answered(
      listener: origin.listener, zone: zone, stream: origin.isStream, ipv6: origin.peer.isIPv6, type: query.type,
      rcode: rcode, dnssecOK: query.dnssecOK, requestSize: length, responseSize: reply, duration: 0, by: .nobody)
    if zone != counters.dropped {
      if cause != .resolver { logFailure(cause, rcode, query, name, zone, origin, upstream: -1) }
      logAnswer(buffer, length, query, name, zone, origin, reply, duration: 0)
    }
    return reply
  }
}
