import Engine
import Simulation
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

  /// Streams beyond the 64th that had a reply in one turn were closed, their queries unanswered.
  @Test func manyStreamsAreAnsweredInOneTurn() {
    let world = World(seed: 6)
    world.upstreams[0].delay = 100 * millisecond
    let clients = (0..<500).map { _ in world.connect() }
    for client in clients { client.ask([Asked(number: 43), Asked(number: 44)]) }
    world.run(for: second)
    #expect(clients.allSatisfy { $0.answered == 2 })
    finish(world)
  }

  /// Frames that are no query were ignored, but not received: more was ignored than had arrived.
  @Test func ignoredFramesAreReceived() {
    let world = World(seed: 7)
    let client = world.connect()
    client.write([UInt8](repeating: 0, count: 20))
    world.sendJunk([1, 2, 3])
    world.run(for: 10 * millisecond)
    #expect(world.sum(.datagrams) == 1 && world.sum(.frames) == 10 && world.sum(.ignored) == 11)
    finish(world)
  }

  /// The kernel's refusal to send a reply that had waited for an upstream was not counted.
  @Test func repliesThatCannotBeSentAreCounted() {
    var faults = Faults()
    faults.sendFails = 1_000_000
    let world = World(seed: 12, faults: faults)
    for number in 0..<100 { world.ask(Asked(number: number)) }
    world.run(for: second)
    #expect(world.sum(.replies) == 100 && world.sum(.droppedNotSent) == 100)
    finish(world)
  }

  /// A stream's query went to the shard that owns its name, which had the answer by then: that reply was not counted.
  @Test func repliesFromAnotherShardsCacheAreCounted() {
    var faults = Faults()
    faults.wakeLate = 1_000_000
    let world = World(seed: 13, shards: 2, faults: faults)
    let clients = [world.connect(to: 0), world.connect(to: 1)]
    world.run(for: 10 * millisecond)
    for number in 0..<200 {
      for shard in 0..<2 {
        clients[shard].ask([Asked(number: number)])
        world.ask(Asked(number: number), to: 1 - shard)
      }
      world.run(for: 50 * millisecond)
    }
    #expect(world.sum(.frames) == 400 && world.sum(.replies) == world.ledger.replies + world.ledger.streamReplies)
    finish(world)
  }

  /// A shard's ring was forbidden, and the one in its place numbered streams anew: the answer to a client of the first
  /// went to a client of the second.
  @Test func anAnswerDoesNotGoToTheNextShardsStream() {
    let world = World(seed: 14, shards: 2)
    world.upstreams[0].delay = 100 * millisecond
    let before = world.connect(to: 0)
    before.ask((0..<30).map { Asked(number: $0) })
    world.run(for: 20 * millisecond)
    world.forbidRing(of: 0)
    world.sendJunk([], to: 0)
    world.run(for: 20 * millisecond)
    let after = world.connect(to: 0)
    world.run(for: 20 * millisecond)
    after.ask([Asked(number: 1000)])
    world.run(for: second)
    #expect(after.answered == 1 && world.sum(.droppedClientGone) > 0)
    finish(world)
  }

  /// A letter whose wake was lost lay in an idle shard's mailbox until the next letter, however long that took.
  @Test func lettersAreReadThoughTheirWakeIsLost() {
    var faults = Faults()
    faults.wakeLost = 700_000
    let world = World(seed: 8, shards: 2, faults: faults)
    world.ledger.patience = 600 * millisecond
    for number in 0..<20 {
      world.ask(Asked(number: number), to: 0)
      world.connect(to: 1).ask([Asked(number: 100 + number)])
      world.run(for: 20 * second)
    }
    #expect(world.ledger.replies == 20 && world.ledger.streamReplies == 20)
    #expect(world.streams.allSatisfy { $0.worstWait < 2 * second })
    finish(world)
  }

  /// A reply that found no room in the mailbox left its stream open for ever: it was still waited for.
  @Test func streamsWhoseRepliesAreLostAreClosed() {
    var faults = Faults()
    faults.wakeLate = 1_000_000
    let world = World(seed: 9, shards: 2, faults: faults)
    // Answers of some kilobytes each, more than a mailbox holds before its shard looks.
    let large = (0..<4000).map { Asked(number: $0) }.filter { Content($0).size > 4000 }
    let clients = (0..<200).map { _ in world.connect(to: 0) }
    for client in clients {
      client.isGood = false
      client.ask(large.prefix(30) + [])
    }
    world.run(for: 20 * second)
    #expect(world.sum(.droppedNoSlot) > 0)
    #expect(world.census(0).streams == 0)
    finish(world)
  }

  /// Each further copy of a truncated answer started the question anew over TCP, and equal questions no longer joined it.
  @Test func aTruncatedAnswerIsAskedForOnceOverTCP() {
    var faults = Faults()
    faults.twice = 1_000_000
    let world = World(seed: 10, faults: faults, settings: .simulated(transport: .udp))
    world.upstreams[0].delay = 20 * millisecond
    let large = (0..<4000).map { Asked(number: $0) }.filter { Content($0).size > 2000 }.prefix(50)
    for asked in large { world.ask(asked) }
    world.run(for: 30 * millisecond)
    for asked in large { world.ask(asked) }
    world.run(for: second)
    #expect(world.ledger.replies == 100)
    #expect(large.allSatisfy { world.upstreams[0].asked[$0] == 2 })
    finish(world)
  }

  /// Of the clients that a shard answered in one turn, those beyond the 1,024th went without a word.
  @Test(arguments: [false, true]) func aTurnAnswersThousands(isSilent: Bool) {
    let world = World(seed: 11)
    world.upstreams[0].delay = 200 * millisecond
    if isSilent { world.upstreams[0].mode = .silent }
    for client in 0..<9000 {
      world.ask(Asked(number: UpstreamScenarioTests.plain[isSilent ? client / 3 : client / 3000]))
    }
    world.run(for: 5 * second)
    #expect(world.ledger.replies == 9000 && world.ledger.failures == (isSilent ? 9000 : 0))
    finish(world)
  }

  /// A query by TCP came to the owner of its name by mail, and found it cached and to be prefetched; its stream, of another
  /// shard, was looked for here: a crash.
  @Test func aPrefetchDoesNotLookForAnotherShardsStream() {
    var faults = Faults()
    faults.wakeLate = 1_000_000
    var settings = Settings.simulated()
    settings.chains[0].cache!.prefetch = Settings.Prefetch(hits: 1, window: 60 * second, percentage: 100)
    let world = World(seed: 12, shards: 2, faults: faults, settings: settings)
    let clients = (0..<8).map { _ in world.connect(to: 0) }
    for number in 0..<400 {
      clients[number % 8].ask([Asked(number: number)])
      world.run(for: millisecond)
      clients[(number + 1) % 8].ask([Asked(number: number)])
      world.run(for: 30 * millisecond)
    }
    world.run(for: second)
    #expect(world.ledger.streamReplies == 800)
    finish(world)
  }

  /// Who left while another's ring was forbidden waited for ever for its letters to be read, and they were not counted.
  @Test func aForbiddenRingHoldsNobodyUp() {
    for seed: UInt64 in 1...5 {
      let world = World(seed: seed, shards: 3)
      world.upstreams[0].delay = 50 * millisecond
      // Of shard 1's clients most ask what the others own: the answers are mailed to it.
      for number in 0..<100 { world.connect(to: 1).ask([Asked(number: number)]) }
      world.run(for: 10 * millisecond)
      world.reload(.simulated())
      world.forbidRing(of: 1)
      world.run(for: 10 * second)
      #expect(world.refusals == 1)
      finish(world)
    }
  }

  /// A client by TCP waited for what a forward asks over UDP; the next forward, which asks as the client does, went on over
  /// UDP, and the client got an answer that was cut off.
  @Test func theNextForwardsAnswerIsWhole() {
    var settings = Settings.simulated(upstreams: 2, transport: .udp)
    settings.chains[0].forwards = [Settings.Forward(upstreams: 0..<1), Settings.Forward(upstreams: 1..<2)]
    settings.chains[0].forwards[0].transport = .udp
    settings.chains[0].forwards[0].next = 1 << 5
    let world = World(seed: 14, settings: settings)
    let large = (0..<1000).filter { Content(Asked(number: $0)).size > 1232 }
    world.upstreams[0].refused = Set(large)
    let client = world.connect()
    client.ask(large.prefix(20).map { Asked(number: $0) })
    world.run(for: second)
    #expect(client.answered == 20)
    finish(world)
  }

  /// The same where a forward over TCP was asked between the two: only the one before was looked at.
  @Test func theThirdForwardsAnswerIsWhole() {
    var settings = Settings.simulated(upstreams: 3, transport: .udp)
    settings.chains[0].forwards = (0..<3).map { Settings.Forward(upstreams: $0..<($0 + 1)) }
    settings.chains[0].forwards[0].transport = .udp
    settings.chains[0].forwards[0].next = 1 << 5
    settings.chains[0].forwards[1].transport = .tcp
    settings.chains[0].forwards[1].next = 1 << 5
    let world = World(seed: 17, settings: settings)
    let large = (0..<1000).filter { Content(Asked(number: $0)).size > 1232 }
    for server in 0..<2 { world.upstreams[server].refused = Set(large) }
    let client = world.connect()
    client.ask(large.prefix(20).map { Asked(number: $0) })
    world.run(for: second)
    #expect(client.answered == 20)
    finish(world)
  }

  /// Out of descriptors, a shard armed its accepts again at each turn in which a question failed.
  @Test func questionsThatFailArmNoAccepts() {
    var settings = Settings.simulated(upstreams: 2, transport: .udp)
    settings.chains[0].forwards = [Settings.Forward(upstreams: 0..<1), Settings.Forward(upstreams: 1..<2)]
    settings.chains[0].forwards[0].next = 1 << 5
    settings.chains[0].forwards[1].failsFast = true
    let world = World(seed: 16, settings: settings)
    world.upstreams[0].refused = Set(0..<1000)
    world.upstreams[1].mode = .silent
    for number in 0..<20 { world.ask(Asked(number: number)) }
    world.run(for: 10 * second)
    world.isOutOfHandles = true
    world.connect()
    world.upstreams[0].delay = 5 * millisecond
    for number in 100..<300 { world.ask(Asked(number: number)) }
    world.run(for: 100 * millisecond)
    #expect(world.ledger.failures == 220)
    world.isOutOfHandles = false
    finish(world)
  }

  /// A question had gone to the next forward, when a second copy of what the first one's upstream had said came: it was
  /// taken for the next one's answer.
  @Test func aSecondCopyIsNotTheNextForwardsAnswer() {
    var faults = Faults()
    faults.twice = 1_000_000
    var settings = Settings.simulated(upstreams: 2, transport: .udp)
    settings.chains[0].forwards = [Settings.Forward(upstreams: 0..<1), Settings.Forward(upstreams: 1..<2)]
    settings.chains[0].forwards[0].next = 1 << 5
    let world = World(seed: 15, faults: faults, settings: settings)
    world.upstreams[0].refused = Set(0..<100)
    world.upstreams[1].delay = 10 * millisecond
    for number in 0..<100 { world.ask(Asked(number: number)) }
    world.run(for: second)
    #expect(world.ledger.replies == 100)
    finish(world)
  }
}
