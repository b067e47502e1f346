/// What a shard holds at a moment. All of it is zero when nothing is pending and idle connections have been closed.
package struct Census: Equatable, Sendable {
  package var questions = 0
  package var waiters = 0
  package var datagrams = 0
  package var streams = 0
  package var streamOutputs = 0
  package var connections = 0
  package var links = 0
  /// Sums over forwards and streams of what they believe is pending.
  package var pending = 0
  package var outstanding = 0
  /// Clients by address who are believed to wait.
  package var waiting = 0

  package init() {}
}

extension Shard where R: ~Copyable {
  /// Datagrams that wait for their turn.
  package var backlogCount: Int { backlog.count }

  package var census: Census {
    var census = Census()
    census.questions = questions.count
    census.waiters = waiters.count
    census.datagrams = datagrams.count
    census.streams = streams.count
    census.streamOutputs = streamOutputs.count
    census.connections = pool.connections.count
    census.links = links.count
    for forward in 0..<tables.forwards.count { census.pending += tables.forwards[forward].pending }
    for share in 0..<waiting.count { census.waiting += Int(waiting[share]) }
    for stream in 0..<streams.capacity where streams.isTaken(stream) {
      census.outstanding += streams[stream].outstanding
    }
    return census
  }
}
