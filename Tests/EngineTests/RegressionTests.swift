import Engine
import Testing

/// One test per bug that was found, named for it.
@Suite struct RegressionTests {
  func finish(_ world: World) {
    world.rest()
    #expect(world.problems == [])
    world.end()
  }

  /// A UDP socket was closed, and its number taken by the next, while a question on it was not sent yet.
  @Test func udpSocketIsKeptUntilItsQuestionsAreSent() {
    var faults = Faults()
    faults.slowCompletion = 300_000
    let world = World(seed: 4, faults: faults, settings: .simulated(upstreams: 2, transport: .udp))
    for round in 0..<40 {
      world.upstreams[round % 2].mode = .refusing
      world.upstreams[1 - round % 2].mode = .up
      for number in 0..<20 { world.ask(Asked(number: round * 20 + number)) }
      world.run(for: 20 * millisecond)
    }
    world.faults = Faults()
    finish(world)
  }
}
