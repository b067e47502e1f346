import Memory

/// Who goes without when room for questions runs short. Hits need none of it; of the rest, names outside the cluster go
/// first, and of the clients those who have most of the room.
extension Shard where R: ~Copyable {
  /// Whether one more client of a share may wait, for a new question or for one that is asked already; counted if not.
  mutating func mayWait(_ share: Int, zone: Int, isNew: Bool) -> Bool {
    let own = Int(waiting[share])
    if isNew && questions.count >= ShardLimits.manyQuestions && own >= ShardLimits.questionsOfOne
      || waiters.count >= ShardLimits.manyWaiters && own >= ShardLimits.waitersOfOne
    {
      counters.add(.refusedClient)
      return false
    }
    if isNew, tables.zones[zone].isExternal, questions.count >= ShardLimits.externalQuestions {
      counters.add(.refusedExternal)
      return false
    }
    return true
  }

  /// Where the clients of an address are counted together with few others: which, nobody outside can tell.
  @inline(__always) func share(ofClient client: UInt64) -> Int {
    Int(truncatingIfNeeded: secret.scramble(client) >> 54)
  }

  static var shares: Int { 1 << 10 }
}
