import Engine

/// Clients of a random run: how many names they ask for, how fast, over what, and what happens to the upstreams, the
/// machine and the configuration meanwhile.
package struct Load {
  let world: World
  var chance: Chance
  let queries: Int
  private let names: Int
  private let pause: UInt64
  private let streamShare: Int
  private let outages: Bool
  private let suspensions: Bool
  private let variants: Bool
  private let reloads: Bool
  private let refusals: Bool
  private let isCalm: Bool

  /// `isCalm`: nothing goes wrong, but configurations change.
  package init(world: World, chance: Chance, queries: Int, isCalm: Bool) {
    self.world = world
    self.chance = chance
    self.queries = queries
    names = 1 << (2 + self.chance.below(12))
    pause = 20 * microsecond << self.chance.below(12)
    streamShare = [0, 5, 50][self.chance.below(3)]
    outages = self.chance.below(2) == 0
    suspensions = self.chance.below(4) == 0
    variants = self.chance.below(2) == 0
    reloads = self.chance.below(2) == 0
    refusals = self.chance.below(4) == 0
    self.isCalm = isCalm
  }

  package mutating func run() {
    var asked = 0
    while asked < queries, world.problems.isEmpty {
      let burst = 1 + chance.below(chance.below(50) == 0 ? 300 : 8)
      if chance.below(100) < streamShare {
        askByStream(min(burst, 60))
      } else {
        for _ in 0..<burst { world.ask(question(), listener: chance.below(2)) }
      }
      asked += burst
      if chance.below(200) == 0 { world.sendJunk(junk()) }
      if chance.below(80) == 0, !isCalm { disturb() }
      if reloads, chance.below(150) == 0 { reload() }
      world.run(for: chance.between(0, 2 * pause * UInt64(burst)))
    }
  }

  private mutating func question() -> Asked {
    // The least of two draws: some names are asked for much more than others.
    var asked = Asked(number: min(chance.below(names), chance.below(names)))
    asked.type = [1, 1, 28, 16][chance.below(4)]
    if variants {
      asked.dnssecOK = chance.below(4) == 0
      asked.checkingDisabled = chance.below(8) == 0
    }
    return asked
  }

  private mutating func askByStream(_ count: Int) {
    let open = world.streams.suffix(40).filter {
      !$0.hasFinished && !$0.isClosed && !$0.isOver && $0.isGood && $0.pending.count < 60
    }
    let client: ClientStream
    if let used = open.randomElement(using: &chance), chance.below(3) > 0 {
      client = used
    } else {
      client = world.connect(listener: chance.below(2))
      if chance.below(10) == 0 { client.chunk = 1 + chance.below(20) }
      if chance.below(50) == 0 { client.reads = false }
      if !client.reads { client.isGood = false }
    }
    var questions: [Asked] = []
    for _ in 0..<count { questions.append(question()) }
    client.ask(questions)
    switch chance.below(20) {
    case 0: client.finish()
    case 1: client.close(resetting: chance.below(2) == 0)
    case 2 where chance.below(5) == 0:
      client.isGood = false
      client.write(junk())
    default: break
    }
  }

  /// The same configuration again, or another.
  private mutating func reload() {
    let settings = world.generation.settings
    world.reload(chance.below(3) == 0 ? settings : .drawn(&chance, servers: world.upstreams.count))
  }

  private mutating func disturb() {
    let upstream = world.upstreams[chance.below(world.upstreams.count)]
    switch chance.below(7) {
    case 0 where outages: upstream.mode = .refusing
    case 1 where outages: upstream.mode = .silent
    case 2 where suspensions: world.suspend(for: chance.between(0, 20 * second))
    case 3: upstream.breakOne()
    case 4: world.isOutOfHandles.toggle()
    case 5 where refusals: world.forbidRing(of: chance.below(world.shards))
    default: upstream.mode = .up
    }
  }

  private mutating func junk() -> [UInt8] {
    var bytes = (0..<chance.below(80)).map { _ in UInt8(truncatingIfNeeded: chance.next()) }
    if chance.below(10) == 0 { bytes += [UInt8](repeating: 0, count: 3000) }
    return bytes
  }
}
