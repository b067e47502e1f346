import Engine
import Simulation
import Testing

/// The simulation notices what is wrong: each kind of wrongness is brought about behind its back.
@Suite struct SabotageTests {
  static let notices: [(Sabotage, String)] = [
    (.alteredRecord, "what no upstream said"), (.stretchedTTL, "too long by then"), (.slowClock, "too long by then"),
    (.swallowedReply, "no reply within 4000 ms"), (.doubledReply, "a second reply"),
    (.uncountedDatagram, "a second reply"), (.keptLimits, "throttled for ever"),
  ]

  @Test(arguments: notices) func isNoticed(sabotage: Sabotage, notice: String) {
    // Clients are limited where datagrams wait: with few buffers, and shards that now and then stand still.
    var faults = Faults()
    if sabotage == .keptLimits {
      (faults.buffers, faults.fillsAt) = (16, 2)
      (faults.stall, faults.stallMost) = (50_000, 500 * millisecond)
    }
    let world = World(seed: 50, shards: 2, faults: faults)
    world.sabotage = sabotage
    for number in 0..<2000 {
      world.ask(Asked(number: number % 50))
      world.run(for: 30 * millisecond)
    }
    world.rest()
    #expect(world.problems.contains { $0.contains(notice) }, "\(world.problems)")
    world.end()
  }
}
