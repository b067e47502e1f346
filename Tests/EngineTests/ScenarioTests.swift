import Engine
import Testing

/// What is promised, one scenario each.
@Suite struct ScenarioTests {
  /// Runs to the end and expects that nothing forbidden happened and nothing is left.
  func finish(_ world: World) {
    world.rest()
    #expect(world.problems == [])
    world.end()
  }

  /// One name, asked once: the upstream's answer; asked again: from memory.
  @Test func answersFromUpstreamAndThenFromTheCache() {
    let world = World(seed: 1)
    world.ask(Asked(number: 7))
    world.run(for: 10 * millisecond)
    world.ask(Asked(number: 7))
    world.run(for: 10 * millisecond)
    #expect(world.ledger.replies == 2)
    #expect(world.upstreams[0].questions == 1)
    finish(world)
  }

  /// 1,000 clients ask one slow name at once, on both shards: one question upstream, 1,000 right answers.
  @Test(arguments: [Settings.Forward.Asking.tcp, .udp])
  func joinsEqualQuestions(transport: Settings.Forward.Asking) {
    let world = World(seed: 2, shards: 2, settings: .simulated(transport: transport))
    world.upstreams[0].delay = 100 * millisecond
    for _ in 0..<1000 { world.ask(Asked(number: 43)) }
    world.run(for: second)
    #expect(world.ledger.replies == 1000 && world.ledger.failures == 0)
    #expect(world.upstreams[0].questions == 1)
    finish(world)
  }

  /// 1,000 distinct misses in flight: at most four connections, answers out of order.
  @Test func pipelinesDistinctMisses() {
    let world = World(seed: 3)
    world.upstreams[0].delay = 50 * millisecond
    for number in 0..<1000 { world.ask(Asked(number: number)) }
    world.run(for: second)
    #expect(world.ledger.replies == 1000 && world.ledger.failures == 0)
    #expect(world.upstreams[0].questions == 1000)
    #expect(world.upstreams[0].mostStreams <= 4)
    finish(world)
  }
}
