import Engine
import Simulation
import Testing

/// What is promised to clients on TCP, one scenario each.
@Suite struct StreamScenarioTests {
  func finish(_ world: World) {
    world.rest()
    #expect(world.problems == [])
    world.end()
  }

  /// 100 queries in one write: 100 replies.
  @Test(arguments: [1, 2]) func answersAPipeline(shards: Int) {
    let world = World(seed: 40, shards: shards)
    let client = world.connect()
    client.ask((0..<100).map { Asked(number: $0) })
    world.run(for: second)
    #expect(client.answered == 100)
    finish(world)
  }

  /// The client closed its half: what it asked is still answered (RFC 7766 §6.2.4), then the server closes.
  @Test func answersAfterAHalfClose() {
    let world = World(seed: 41)
    world.upstreams[0].delay = 300 * millisecond
    let client = world.connect()
    client.ask((0..<20).map { Asked(number: $0) })
    client.finish()
    world.run(for: second)
    #expect(client.answered == 20 && client.isOver)
    finish(world)
  }

  /// A client that asks and never reads is hung up on, and holds nothing of others' until then.
  @Test func hangsUpOnAClientThatNeverReads() {
    let world = World(seed: 42)
    let deaf = world.connect()
    deaf.reads = false
    deaf.isGood = false
    let large = (0..<4000).map { Asked(number: $0) }.filter { Content($0).size > 4000 }
    world.connect().ask(Array(large.prefix(30)))
    world.run(for: second)
    for _ in 0..<20 { deaf.ask(Array(large.prefix(30))) }
    let other = world.connect()
    other.ask([Asked(number: 1)])
    world.run(for: second)
    #expect(other.answered == 1 && !deaf.isOver)
    world.run(for: 12 * second)
    #expect(deaf.isOver)
    finish(world)
  }

  /// Ten seconds without a query; three without the rest of one.
  @Test func closesIdleStreams() {
    let world = World(seed: 43)
    let idle = world.connect()
    idle.ask([Asked(number: 1)])
    let slow = world.connect()
    slow.write([0])
    let mute = world.connect()
    world.run(for: 2900 * millisecond)
    #expect(!idle.isOver && !slow.isOver && !mute.isOver)
    world.run(for: 700 * millisecond)
    #expect(!idle.isOver && slow.isOver && mute.isOver)
    world.run(for: 8 * second)
    #expect(idle.isOver && idle.answered == 1)
    finish(world)
  }

  /// Every read and write of the ring carries one octet.
  @Test func survivesReadsOfOneByte() {
    var faults = Faults()
    faults.short = 1_000_000
    let world = World(seed: 44, shards: 2, faults: faults)
    let clients = (0..<10).map { _ in world.connect() }
    for client in clients {
      client.chunk = 1
      client.ask((0..<30).map { Asked(number: $0) })
    }
    world.run(for: 5 * second)
    #expect(clients.allSatisfy { $0.answered == 30 })
    finish(world)
  }

  /// More clients than streams: the one that has done least makes room.
  @Test func makesRoomForNewClients() {
    let world = World(seed: 45)
    let silent = (0..<600).map { _ in world.connect() }
    world.run(for: 100 * millisecond)
    let clients = (0..<50).map { _ in world.connect() }
    for client in clients {
      client.isGood = false
      client.ask([Asked(number: 1)])
    }
    world.run(for: 100 * millisecond)
    #expect(silent.count { $0.isOver } >= 100)
    #expect(clients.count { $0.answered == 1 } > 40)
    finish(world)
  }
}
