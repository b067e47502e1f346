import Cache
import Memory
import Upstream
import Wire

/// Answers that are old, or about to be (RFC 8767; spec/plugins.md, cache): who gets them, and who asks for new ones.
extension Shard where R: ~Copyable {
  /// As `hit`, for what does not go the short way: an entry of a chain with directives in front of the cache or with
  /// prefetching, one that has expired, or a failure. nil: it is of no use.
  @inline(never) mutating func hitAside(
    _ buffer: Bytes, _ length: Int, _ query: Query, _ key: Key, of owner: Int, _ source: Source, _ entry: Found
  ) -> Int? {
    let zone = Int(entry.answer.zone)
    let number = tables.zones[zone].chain
    let chain = tables.chains[number]
    let isStale = entry.remaining <= 0
    if isStale, !entry.isUsable || !chain.staleAtOnce && !freshness.isHeld(key.hash, now: milliseconds) { return nil }
    if chain.taps { tap(buffer.slice(0, length), query, zone, asker(source)) }
    return answerAside(buffer, length, query, key, of: owner, source, entry)
  }

  /// What `hitAside` found of use is the reply: its length; 0: there is to be none.
  private mutating func answerAside(
    _ buffer: Bytes, _ length: Int, _ query: Query, _ key: Key, of owner: Int, _ source: Source, _ entry: Found
  ) -> Int {
    let zone = Int(entry.answer.zone)
    let number = tables.zones[zone].chain
    let chain = tables.chains[number]
    let isStale = entry.remaining <= 0
    var query = query
    if chain.needsEveryQuery {
      query = offering(query, number)
      if let reply = refused(buffer, length, query, key, source, zone, number) { return reply }
    }
    if isStale ? chain.staleAtOnce : chain.prefetchHits > 0 && isPopular(key, entry, chain) {
      refresh(buffer.slice(0, length), key, source, owner)
    }
    let options = replyOptions(echoedOptions(buffer, query), number)
    let reply = write(entry, number, to: buffer, query, source, query.edns == nil ? options : explained(entry, options))
    if chain.needsEveryQuery { arrange(buffer.slice(0, reply), number) }
    counted(entry, query, source, length, reply)
    if isStale { countStale(.staleAtOnce, listener: source.listener, zone: zone) }
    if chain.logsQueries || chain.taps { logAnswer(buffer, length, query, key.name, zone, source, reply) }
    return reply
  }

  /// Seconds that a cached answer's records have.
  @inline(__always) func ttl(_ entry: Found, _ chain: Int) -> UInt32 {
    if entry.remaining <= 0 { return tables.chains[chain].staleTTL }
    return tables.chains[chain].keepTTL ? entry.answer.ttl : UInt32(truncatingIfNeeded: entry.remaining)
  }

  /// The usable answer that this shard holds under a key.
  private mutating func usable(_ key: Key) -> Found? {
    guard leaving?.nothing == nil,
      let entry = readers.lookup(key, of: index, now: milliseconds, scratch: nil), entry.isUsable
    else { return nil }
    return entry
  }

  /// The options of a reply that is not what upstream says now, with the reason (RFC 8914 §4.4, §4.14, §4.20).
  private mutating func explained(_ entry: Found, _ options: Bytes) -> Bytes {
    switch entry.answer.flags & Header.rcodeMask {
    case Rcode.servFail: adding(.cachedError, to: options)
    case Rcode.nxDomain where entry.remaining <= 0: adding(.staleNXDomain, to: options)
    case _ where entry.remaining <= 0: adding(.staleAnswer, to: options)
    default: options
    }
  }

  // MARK: Asking anew

  private mutating func isPopular(_ key: Key, _ entry: Found, _ chain: Chain) -> Bool {
    let hits = freshness.hit(key.hash, now: milliseconds, window: chain.prefetchWindow)
    return hits >= chain.prefetchHits && entry.isDue(chain)
  }

  /// Has the shard that owns a name ask for it anew, on nobody's behalf: one of all that would.
  private mutating func refresh(_ message: Bytes, _ key: Key, _ source: Source, _ owner: Int) {
    guard leaving == nil, !freshness.isHeld(key.hash, now: milliseconds) else { return }
    // Not of its stream, which may be another shard's.
    var origin = Origin()
    origin.listener = source.listener
    origin.peer = Peer(address: source.address, local: source.local)
    origin.arrivedAt = now
    origin.isNobody = true
    guard outboxes[owner].push(Letter(kind: .question, origin: origin), message) else { return }
    toWake |= 1 << UInt64(owner)
    freshness.hold(key.hash, until: milliseconds &+ ShardLimits.refreshPause)
  }

  /// Asks for a name that this shard owns, unless that has been done since.
  mutating func refresh(_ buffer: Bytes, _ length: Int, _ query: Query, _ key: Key, _ origin: Origin) {
    guard leaving?.nothing == nil, let entry = readers.lookup(key, of: index, now: milliseconds, scratch: nil),
      entry.isDue(tables.chains[tables.zones[Int(entry.answer.zone)].chain])
    else { return }
    counters.add(listener: origin.listener, zone: Int(entry.answer.zone), Counters.Query.prefetches)
    _ = ask(buffer, length, query, key, origin)
  }

  // MARK: In place of an upstream's answer

  /// Whether a response replaces what is cached: a failure does not, nor does a denial where an answer is preferred.
  func replaces(_ response: Response, _ chain: Chain) -> Bool {
    if chain.prefersPositive { return response.rcode == Rcode.noError && response.answers > 0 }
    return response.rcode == Rcode.noError || response.rcode == Rcode.nxDomain
  }

  /// Gives those who wait for a question the answer that is cached, and asks no more for a while. `rcode` is what
  /// upstream said; nil: nothing yet. False: nothing is cached that could serve.
  mutating func answerStale(_ question: Int, _ rcode: UInt16?) -> Bool {
    let q = questions[question]
    let number = tables.zones[q.zone].chain
    let chain = tables.chains[number]
    guard chain.holdsOn, let entry = usable(key(of: question)) else { return false }
    let isDenied = rcode == Rcode.noError || rcode == Rcode.nxDomain
    if isDenied, entry.answer.store != .success { return false }
    let pause = rcode == nil ? ShardLimits.latePause : ShardLimits.failurePause
    freshness.hold(q.hash, until: milliseconds &+ max(pause, chain.staleRecheck))
    let reason: Counters.Shard = rcode == nil ? .staleLate : isDenied ? .staleDenied : .staleFailed
    answerAll(question, by: .chain) { shard, waiter, query, message, limit, options in
      shard.countStale(reason, listener: waiter.origin.listener, zone: q.zone)
      return Reply.write(
        to: message, query: query, response: Response(entry.answer), image: entry.image,
        ttlOffsets: entry.ttlOffsets, ttl: shard.ttl(entry, number), limit: limit,
        options: query.edns == nil ? options : shard.explained(entry, options))
    }
    return true
  }

  /// A reply from the cache to a query that cannot be asked upstream; nil: nothing is cached that could serve.
  mutating func hold(
    _ buffer: Bytes, _ length: Int, _ query: Query, _ key: Key, _ origin: Origin, _ chain: Int
  ) -> Int? {
    guard tables.chains[chain].staleWait > 0, !origin.isNobody, let entry = usable(key) else { return nil }
    freshness.hold(key.hash, until: milliseconds &+ max(ShardLimits.failurePause, tables.chains[chain].staleRecheck))
    return answerAside(buffer, length, query, key, of: index, source(of: origin), entry)
  }

  /// Sets the time at which those who wait for a new question get what is cached, if anything is.
  mutating func expectStale(_ question: Int) {
    let wait = tables.chains[tables.zones[questions[question].zone].chain].staleWait
    if wait > 0, usable(key(of: question)) != nil { questions.expect(question, at: now &+ wait) }
  }

  /// Who has waited long enough.
  mutating func answerExpectant() {
    var next = questions.firstExpectant
    while next >= 0 {
      let question = next
      next = questions.nextExpectant(after: question)
      guard questions[question].expectedAt <= now else { continue }
      questions.expectNoMore(question)
      _ = answerStale(question, nil)
    }
  }

  private mutating func countStale(_ reason: Counters.Shard, listener: Int, zone: Int) {
    counters.add(reason)
    counters.add(listener: listener, zone: zone, Counters.Query.servedStale)
  }
}

extension Found {
  /// Whether it may be given to clients, if need be: an answer, and not too old.
  fileprivate var isUsable: Bool {
    let rcode = answer.flags & Header.rcodeMask
    return remaining &+ Int(answer.stale) > 0 && (rcode == Rcode.noError || rcode == Rcode.nxDomain)
  }

  /// Whether it is time to ask for it anew, if it is popular: it has expired, or little of its TTL is left.
  fileprivate func isDue(_ chain: Chain) -> Bool {
    remaining <= 0 || remaining &* 100 <= chain.prefetchPercentage &* Int(answer.ttl) &+ 99
  }
}
