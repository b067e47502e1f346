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

  /// A listener without descriptors, or without receive buffers, was armed again at once, and again, and again.
  @Test func failedMultishotsAreNotABusyLoop() {
    let world = World(seed: 5)
    world.isOutOfHandles = true
    let client = world.connect()
    client.ask([Asked(number: 1)])
    world.run(for: second)
    #expect(client.answered == 0)
    world.isOutOfHandles = false
    world.run(for: 100 * millisecond)
    #expect(client.answered == 1)
    finish(world)
  }
}
