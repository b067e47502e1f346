import Engine

/// One world's life, all of it drawn from a seed: shards, configurations, faults and clients.
package struct Run: Sendable {
  package let problems: [String]
  package let tally: Tally

  /// `queries`: about as many.
  package init(seed: UInt64, queries: Int) {
    var chance = Chance(seed: seed)
    // One in eight has no faults: there nothing may fail.
    let isCalm = chance.below(8) == 0
    let faults = isCalm ? Faults() : Faults(&chance)
    let servers = 1 + chance.below(3) + Settings.labServers
    let world = World(
      seed: chance.next(), shards: 1 + chance.below(4), faults: faults,
      settings: .drawn(&chance, servers: servers), upstreams: servers)
    world.namesChange = chance.below(2) == 0
    world.ledger.allowsFailures = !isCalm
    for upstream in world.upstreams { upstream.isSerial = !isCalm && chance.below(3) == 0 }
    var load = Load(world: world, chance: chance, queries: queries, isCalm: isCalm)
    load.run()
    world.rest()
    problems = world.problems
    tally = Tally(world)
    world.end()
  }
}

/// What happened in worlds.
package struct Tally: Sendable, Equatable {
  package var worlds = 0
  package var queries = 0
  /// Replies that clients got, by transport; of both, SERVFAIL on our own account.
  package var datagramReplies = 0
  package var streamReplies = 0
  package var failures = 0
  /// Of both, REFUSED on our own account.
  package var refused = 0
  /// Of both, answers that had expired.
  package var stale = 0
  /// Of what shards received: no query; no reply for want of room or of a client.
  package var ignored = 0
  package var dropped = 0
  package var upstreamQuestions = 0
  package var reloads = 0
  package var suspensions = 0
  package var refusals = 0
  package var turns = 0
  /// Nanoseconds of virtual time.
  package var time: UInt64 = 0

  package init() {}

  init(_ world: World) {
    worlds = 1
    queries = world.ledger.queries.count
    datagramReplies = world.ledger.replies
    streamReplies = world.ledger.streamReplies
    failures = world.ledger.failures
    refused = world.ledger.refusals
    stale = world.ledger.staleReplies
    ignored = world.sum(.ignored)
    let reasons: [Counters.Shard] = [.droppedBacklog, .droppedNoSlot, .droppedClientGone, .droppedRingRefused]
    dropped = reasons.reduce(0) { $0 + world.sum($1) }
    upstreamQuestions = world.upstreams.reduce(0) { $0 + $1.questions }
    reloads = world.reloads
    suspensions = world.suspensions.count
    refusals = world.refusals
    turns = world.turns
    time = world.time - World.beginning
  }

  package static func += (sum: inout Tally, other: Tally) {
    sum.worlds += other.worlds
    sum.queries += other.queries
    sum.datagramReplies += other.datagramReplies
    sum.streamReplies += other.streamReplies
    sum.failures += other.failures
    sum.refused += other.refused
    sum.stale += other.stale
    sum.ignored += other.ignored
    sum.dropped += other.dropped
    sum.upstreamQuestions += other.upstreamQuestions
    sum.reloads += other.reloads
    sum.suspensions += other.suspensions
    sum.refusals += other.refusals
    sum.turns += other.turns
    sum.time += other.time
  }
}
