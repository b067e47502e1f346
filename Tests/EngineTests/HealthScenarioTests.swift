import Engine
import Testing

/// Which upstream is asked, and how soon another one is: policies, health, failover, hedging, age.
@Suite struct HealthScenarioTests {
  let plain = UpstreamScenarioTests.plain

  func finish(_ world: World) {
    world.rest()
    #expect(world.problems == [])
    world.end()
  }

  /// Asks `count` names, one each `pause`, beginning with number `first` of the plain ones.
  func ask(_ world: World, _ count: Int, from first: Int = 0, pause: UInt64) {
    for number in first..<first + count {
      world.ask(Asked(number: plain[number]))
      world.run(for: pause)
    }
  }

  @Test func policiesShareOutQuestions() {
    let shares: [(Settings.Forward.Policy, (Int) -> Bool)] = [
      (.sequential, { $0 == 900 || $0 == 0 }), (.roundRobin, { $0 == 300 }), (.random, { (240...360).contains($0) }),
    ]
    for (policy, isRight) in shares {
      let world = World(seed: 40, settings: .simulated(upstreams: 3, policy: policy))
      ask(world, 900, pause: millisecond)
      let counts = world.upstreams.map(\.questions)
      #expect(counts.allSatisfy(isRight) && counts.reduce(0, +) == 900, "\(policy): \(counts)")
      if policy == .sequential { #expect(counts[0] == 900) }
      finish(world)
    }
  }

  /// The first of two says nothing: the second is asked within half a second, and once the first is down, at once.
  @Test(arguments: [Settings.Forward.Asking.tcp, .udp])
  func theSecondIsAskedWithinHalfASecond(transport: Settings.Forward.Asking) {
    let world = World(seed: 41, settings: .simulated(upstreams: 2, transport: transport, policy: .sequential))
    world.upstreams[0].mode = .silent
    world.ask(Asked(number: plain[0]))
    world.run(for: 500 * millisecond)
    #expect(world.ledger.replies == 1 && world.ledger.failures == 0)
    ask(world, 20, from: 1, pause: 200 * millisecond)
    let (replies, asked) = (world.ledger.replies, world.upstreams[1].questions)
    #expect(replies == 21)
    for number in 100..<200 { world.ask(Asked(number: plain[number])) }
    world.run(for: 10 * millisecond)
    #expect(world.ledger.replies == replies + 100 && world.upstreams[1].questions == asked + 100)
    #expect(world.ledger.failures == 0 && world.ledger.worstWait <= 500 * millisecond)
    finish(world)
  }

  /// Only what is down is probed, each half second, and the first answer brings it back.
  @Test(arguments: [Settings.Forward.Asking.tcp, .udp])
  func onlyWhatIsDownIsProbed(transport: Settings.Forward.Asking) {
    let world = World(seed: 42, settings: .simulated(upstreams: 2, transport: transport, policy: .sequential))
    ask(world, 100, pause: 10 * millisecond)
    #expect(world.upstreams.allSatisfy { $0.probes.isEmpty })
    world.upstreams[0].mode = .silent
    ask(world, 20, from: 100, pause: 200 * millisecond)
    if transport == .udp {
      world.run(for: 10 * second)
      let probes = world.upstreams[0].probes.suffix(10)
      #expect(probes.count == 10 && world.upstreams[1].probes.isEmpty)
      let pauses = zip(probes, probes.dropFirst()).map { $1 - $0 }
      #expect(pauses.allSatisfy { (500 * millisecond...620 * millisecond).contains($0) }, "\(pauses)")
    }
    world.upstreams[0].mode = .up
    world.run(for: 2 * second)
    let asked = world.upstreams[0].questions
    ask(world, 100, from: 1000, pause: millisecond)
    #expect(world.upstreams[0].questions == asked + 100)
    let probes = world.upstreams[0].probes.count
    world.run(for: 5 * second)
    #expect(world.upstreams[0].probes.count == probes && world.ledger.failures == 0)
    finish(world)
  }

  /// All are down: they are tried all the same; with failfast they are not.
  @Test(arguments: [false, true]) func allAreDown(failsFast: Bool) {
    var settings = Settings.simulated(upstreams: 2, transport: .udp)
    settings.chains[0].forwards[0].failsFast = failsFast
    let world = World(seed: 43, settings: settings)
    for upstream in world.upstreams { upstream.mode = .silent }
    ask(world, 60, pause: 100 * millisecond)
    world.run(for: 4 * second)
    #expect(world.ledger.failures == 60 && world.ledger.worstWait <= 4 * second && world.sum(.allDown) > 10)
    for upstream in world.upstreams { upstream.mode = .up }
    world.ask(Asked(number: plain[100]))
    world.run(for: 20 * millisecond)
    #expect(world.ledger.failures == (failsFast ? 61 : 60) && world.ledger.replies == 61)
    world.run(for: second)
    world.ask(Asked(number: plain[101]))
    world.run(for: 20 * millisecond)
    #expect(world.ledger.replies == 62 && world.ledger.failures == (failsFast ? 61 : 60))
    finish(world)
  }

  /// REFUSED is no answer where `failover` says so: the next upstream is asked, at once.
  @Test(arguments: [Settings.Forward.Asking.tcp, .udp])
  func failoverAsksTheNext(transport: Settings.Forward.Asking) {
    var settings = Settings.simulated(upstreams: 3, transport: transport, policy: .sequential)
    settings.chains[0].forwards[0].failover = 1 << 5
    let world = World(seed: 44, settings: settings)
    for upstream in world.upstreams.prefix(2) { upstream.refused = Set(plain[0..<50]) }
    ask(world, 100, pause: 5 * millisecond)
    #expect(world.ledger.replies == 100 && world.ledger.failures == 0)
    #expect(world.upstreams.map(\.questions) == [100, 50, 50])
    finish(world)
  }

  /// A name that kills is asked three times, however many ask for it (RFC 9520 §3.1); after that, now and then.
  @Test func aDeadNameIsAskedThreeTimes() {
    let world = World(seed: 45)
    world.upstreams[0].unanswered = [plain[0]]
    for _ in 0..<1000 {
      world.ask(Asked(number: plain[0]))
      world.ask(Asked(number: plain[1]))
      world.run(for: 4500 * microsecond)
    }
    #expect(world.upstreams[0].asked[Asked(number: plain[0])]! <= 4)
    world.run(for: 4 * second)
    #expect(world.ledger.failures == 1000 && world.ledger.replies == 2000)
    finish(world)
  }

  /// A failure is kept for a second, and never longer: who asks then is answered.
  @Test func aFailureIsKeptForASecond() {
    let world = World(seed: 46)
    world.upstreams[0].mode = .silent
    world.ask(Asked(number: plain[0]))
    world.run(until: world.time + 4 * second) { world.ledger.failures == 0 }
    world.upstreams[0].mode = .up
    world.ask(Asked(number: plain[0]))
    world.run(for: 10 * millisecond)
    #expect(world.ledger.failures == 2)
    world.run(for: 2 * second)
    world.ask(Asked(number: plain[0]))
    world.run(for: 100 * millisecond)
    #expect(world.ledger.failures == 2 && world.ledger.replies == 3)
    finish(world)
  }

  /// One connection goes dead with questions on it: who waits is answered over another within a second.
  @Test func aDeadConnectionIsLeft() {
    let world = World(seed: 47)
    ask(world, 2000, pause: millisecond)
    world.faults.halfOpen = 1_000_000
    ask(world, 20, from: 3000, pause: 500 * microsecond)
    world.faults.halfOpen = 0
    ask(world, 1000, from: 4000, pause: millisecond)
    world.run(for: second)
    #expect(world.ledger.failures == 0 && world.ledger.worstWait <= second, "\(world.ledger.worstWait)")
    finish(world)
  }

  /// One answer in a hundred comes a second late: asked elsewhere at the time that 19 of 20 need, hardly any client
  /// waits so long; and the upstream has at most a twentieth more to do.
  @Test func slowAnswersAreHedged() {
    let world = World(seed: 48)
    for number in stride(from: 500, to: 6000, by: 100) { world.upstreams[0].delays[plain[number]] = second }
    let other = World(seed: 48, settings: .simulated(upstreams: 2, policy: .sequential))
    for number in stride(from: 500, to: 6000, by: 100) { other.upstreams[0].delays[plain[number]] = second }
    ask(other, 6000, pause: millisecond)
    other.run(for: 2 * second)
    #expect(other.ledger.failures == 0 && other.ledger.wait(0.999) <= second)
    #expect(other.sum(.hedged) > 40 && other.sum(.hedged) <= 6000 / 20)
    ask(world, 6000, pause: millisecond)
    world.run(for: 2 * second)
    #expect(world.ledger.failures == 0 && world.upstreams[0].questions <= 6000 + 6000 / 20)
    finish(world)
    finish(other)
  }

  /// No connection is older than a minute, and they do not all end at once.
  @Test func connectionsEndOfAge() {
    var settings = Settings.simulated()
    settings.chains[0].forwards[0].expire = 100 * second
    let world = World(seed: 49, settings: settings)
    world.upstreams[0].delay = 20 * millisecond
    ask(world, 12_000, pause: 10 * millisecond)
    let connects = world.upstreams[0].connects
    // Up to four at a time, each for 45 to 60 of 120 seconds.
    #expect((6...12).contains(connects.count), "\(connects.count)")
    #expect(world.ledger.failures == 0 && world.ledger.wait(1) < 100 * millisecond)
    world.run(for: 60 * second)
    finish(world)
  }
}
