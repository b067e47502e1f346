import Memory
import Wire

extension Shard where R: ~Copyable {
  /// A query of a logged or tapped chain that was answered at once.
  mutating func logAnswer(
    _ message: Bytes, _ length: Int, _ query: Query, _ name: Bytes, _ zone: Int, _ source: Source, _ reply: Int
  ) {
    logAnswer(message, length, query, name, zone, asker(source), reply, duration: 0)
  }

  /// Who asked, as an event has it.
  func asker(_ source: Source) -> Origin {
    var origin = Origin()
    origin.listener = source.listener
    origin.peer = Peer(address: source.address, local: source.local)
    if source.isStream { origin.shard = index }
    return origin
  }

  /// An answered query, if its chain logs or taps queries. `message` is the reply.
  mutating func logAnswer(
    _ message: Bytes, _ length: Int, _ query: Query, _ name: Bytes, _ zone: Int, _ origin: Origin, _ reply: Int,
    duration: UInt64
  ) {
    let chain = tables.zones[zone].chain
    guard tables.chains[chain].logsQueries || tables.chains[chain].taps else { return }
    var event = event(.query, query, zone, origin)
    event.querySize = length
    event.replySize = reply
    event.replyFlags = message.flags
    event.rcode = message.flags & Header.rcodeMask
    event.hasAnswer = message.answerCount > 0
    event.duration = duration
    if tables.chains[chain].logsQueries { push(event, name) }
    guard tables.chains[chain].taps else { return }
    event.kind = .clientResponse
    push(event, message.slice(0, reply))
  }

  /// A query of a tapped chain, before anything is done with it.
  @inline(never) mutating func tap(_ message: Bytes, _ query: Query, _ zone: Int, _ origin: Origin) {
    var event = event(.clientQuery, query, zone, origin)
    event.querySize = message.count
    push(event, message)
  }

  /// What an upstream is asked, or says, for a question of a tapped chain.
  @inline(never) mutating func tap(_ kind: Event.Kind, _ message: Bytes, of question: Int, on connection: Int) {
    var event = Event()
    event.kind = kind
    let q = questions[question]
    event.zone = q.zone
    event.id = message.id
    event.queryFlags = message.flags
    event.type = q.type
    event.recordClass = q.recordClass
    event.dnssecOK = q.dnssecOK
    event.querySize = message.count
    event.upstream = pool.connections[connection].upstream
    event.isStream = pool.connections[connection].transport == .tcp
    event.isSecure = links[connection].isSecure
    event.duration = now &- q.askedAt
    push(event, message)
  }

  @inline(__always) func isTapped(_ question: Int) -> Bool {
    tables.chains[tables.zones[questions[question].zone].chain].taps
  }

  /// A failure of our own, if the query's chain logs errors.
  mutating func logFailure(
    _ cause: Event.Cause, _ rcode: UInt16, _ query: Query, _ name: Bytes, _ zone: Int, _ origin: Origin, upstream: Int
  ) {
    guard tables.chains[tables.zones[zone].chain].logsErrors else { return }
    var event = event(.failure, query, zone, origin)
    event.cause = cause
    event.rcode = rcode
    event.upstream = upstream
    push(event, name)
  }

  private mutating func event(_ kind: Event.Kind, _ query: Query, _ zone: Int, _ origin: Origin) -> Event {
    var event = Event()
    event.kind = kind
    event.origin = origin
    event.zone = zone
    event.id = query.id
    event.queryFlags = query.flags
    event.type = query.type
    event.recordClass = query.recordClass
    event.dnssecOK = query.dnssecOK
    event.udpSize = query.edns?.udpSize ?? 0
    return event
  }

  /// TLS failed on a connection.
  mutating func logTLS(_ reason: String, upstream: Int) {
    var event = Event()
    event.kind = .tls
    event.upstream = upstream
    let text = scratch.bytes.slice(0, min(reason.utf8.count, Event.maxText))
    text.write(Array(reason.utf8.prefix(text.count)))
    push(event, text)
  }

  mutating func logFlood(_ client: Peer) {
    var event = Event()
    event.kind = .flood
    event.origin.peer = client
    push(event, scratch.bytes.slice(0, 0))
  }

  private mutating func push(_ event: Event, _ name: Bytes) {
    var event = event
    event.time = now
    if events.push(event, name) { hasEvents = true } else { counters.add(.eventsLost) }
  }
}
