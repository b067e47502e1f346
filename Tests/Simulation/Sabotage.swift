/// What a world does wrong behind its ledger's back, so that a test can see the ledger notice.
package enum Sabotage: CaseIterable, Sendable {
  /// An upstream's record has other data than the ledger is told.
  case alteredRecord
  /// An upstream's records live half a minute longer than the ledger is told.
  case stretchedTTL
  /// The shards' clock runs at half its speed, so what they keep lives twice as long.
  case slowClock
  /// A reply is lost between shard and client.
  case swallowedReply
  /// A reply comes twice.
  case doubledReply
  /// A datagram is given to a shard that the ledger does not hear of.
  case uncountedDatagram
  /// The kernel goes on throttling clients when it is told to stop.
  case keptLimits
}

extension World {
  /// Whether this is one of the few times that the world does what it is sabotaged with.
  func sabotages(_ kind: Sabotage) -> Bool { sabotage == kind && chance.below(100) == 0 }
}
