import Engine
import Simulation
import Foundation
import Testing

/// Random traffic under random faults. A failing seed prints the command that runs it again.
@Suite struct RandomTests {
  /// One world's life: queries by UDP and TCP of a few hundred names, upstreams that come and go.
  static func live(seed: UInt64, queries: Int, isLoud: Bool = false) -> [String] {
    var chance = Chance(seed: seed)
    let faults = Faults(&chance)
    let transports: [Settings.Forward.Asking] = [.tcp, .udp, .mirrored]
    let policies: [Settings.Forward.Policy] = [.random, .roundRobin, .sequential]
    let settings = Settings.simulated(
      upstreams: 1 + chance.below(3), transport: transports[chance.below(3)], policy: policies[chance.below(3)],
      cacheBytes: 16_384 << chance.below(6), caches: chance.below(8) > 0)
    let world = World(seed: chance.next(), shards: 1 + chance.below(4), faults: faults, settings: settings)
    if faults.stall > 0 || faults.wakeLost > 0 || faults.wakeLate > 0 { world.ledger.patience += 600 * millisecond }
    for upstream in world.upstreams { upstream.isSerial = chance.below(3) == 0 }
    var load = Load(world: world, chance: chance, queries: queries)
    load.run()
    world.rest()
    if isLoud {
      print("seed \(seed): \(world.ledger.replies) replies by UDP, \(world.ledger.streamReplies) by TCP")
      print("\(world.ledger.failures) of them SERVFAIL, \(world.turns) turns; \(faults)")
    }
    defer { world.end() }
    return world.problems
  }

  @Test func holdsWhatIsPromisedUnderRandomFaults() throws {
    let environment = ProcessInfo.processInfo.environment
    let seeds: Range<UInt64>
    if let seed = environment["RINGLET_SEED"].flatMap({ UInt64($0) }) {
      seeds = seed..<seed + 1
    } else {
      seeds = 1..<1 + (environment["RINGLET_SEEDS"].flatMap { UInt64($0) } ?? 100)
    }
    for seed in seeds {
      let problems = Self.live(seed: seed, queries: 10_000, isLoud: seeds.count == 1)
      #expect(
        problems == [],
        "again: RINGLET_SEED=\(seed) swift test -c release --filter EngineTests.RandomTests")
    }
  }
}
