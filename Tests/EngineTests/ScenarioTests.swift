import Engine
import Simulation
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

  /// A datagram longer than any buffer is ignored, and counted.
  @Test func ignoresOversizeDatagrams() {
    let world = World(seed: 4)
    world.sendJunk([UInt8](repeating: 0, count: 5000))
    world.run(for: 10 * millisecond)
    #expect(world.sum(.ignored) == 1 && world.ledger.replies == 0)
    finish(world)
  }

  /// Four receive buffers and 3,000 datagrams at once: the kernel holds what there is no buffer for, nothing is lost.
  @Test func losesNothingWhenBuffersRunOut() {
    var faults = Faults()
    faults.buffers = 4
    faults.fillsAt = 4096
    let world = World(seed: 5, faults: faults)
    for number in 0..<3000 { world.ask(Asked(number: number % 50)) }
    world.run(for: second)
    #expect(world.ledger.replies == 3000 && world.ledger.failures == 0)
    #expect(world.sum(.buffersExhausted) > 0)
    finish(world)
  }

  /// The machine sleeps for an hour with questions pending: answers or SERVFAIL, and no TTL survives.
  @Test func survivesASuspension() {
    let world = World(seed: 6, shards: 2)
    world.upstreams[0].delay = 100 * millisecond
    for number in 0..<100 { world.ask(Asked(number: number)) }
    world.run(for: 50 * millisecond)
    world.suspend(for: 3600 * second)
    world.run(for: second)
    #expect(world.ledger.replies == 100)
    for number in 0..<100 { world.ask(Asked(number: number)) }
    world.run(for: 2 * second)
    #expect(world.ledger.replies == 200)
    #expect(world.upstreams[0].questions >= 190)
    finish(world)
  }
}
