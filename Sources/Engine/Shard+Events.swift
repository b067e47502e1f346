import Memory
import Wire

extension Shard where R: ~Copyable {
  /// A query of a logged chain that was answered at once.
  mutating func logAnswer(
    _ message: Bytes, _ length: Int, _ query: Query, _ name: Bytes, _ zone: Int, _ source: Source, _ reply: Int
  ) {
    var origin = Origin()
    origin.listener = source.listener
    origin.peer = Peer(address: source.address, local: source.local)
    if source.isStream { origin.shard = index }
    logAnswer(message, length, query, name, zone, origin, reply, duration: 0)
  }

  /// An answered query, if its chain logs queries. `message` is the reply.
  mutating func logAnswer(
    _ message: Bytes, _ length: Int, _ query: Query, _ name: Bytes, _ zone: Int, _ origin: Origin, _ reply: Int,
    duration: UInt64
  ) {
    guard tables.chains[tables.zones[zone].chain].logsQueries else { return }
    var event = event(.query, query, zone, origin)
    event.querySize = length
    event.replySize = reply
    event.replyFlags = message.flags
    event.rcode = message.flags & Header.rcodeMask
    event.hasAnswer = message.answerCount > 0
    event.duration = duration
    push(event, name)
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

  private mutating func push(_ event: Event, _ name: Bytes) {
    if events.push(event, name) { hasEvents = true } else { counters.add(.eventsLost) }
  }
}
