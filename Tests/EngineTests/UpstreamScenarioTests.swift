import Engine
import Simulation
import Testing

/// What is promised while upstreams misbehave, one scenario each.
@Suite struct UpstreamScenarioTests {
  func finish(_ world: World) {
    world.rest()
    #expect(world.problems == [])
    world.end()
  }

  /// A name whose answer is an address: what is asked in these scenarios, so that SERVFAIL is never the truth.
  static let plain = (0..<20_000).filter {
    Content(Asked(number: $0)).rcode == 0 && Content(Asked(number: $0)).size < 300
  }

  /// kube-dns answers a connection serially: a slow name holds up what stands right behind it, and nothing else.
  @Test func otherNamesPassASlowOneOfASerialUpstream() {
    let world = World(seed: 20)
    world.upstreams[0].isSerial = true
    for slow in 0..<5 {
      world.upstreams[0].delays[Self.plain[slow]] = 5 * second
      world.ask(Asked(number: Self.plain[slow]))
      for number in 0..<2000 {
        world.ask(Asked(number: Self.plain[100 + slow * 2000 + number]))
        world.run(for: 2 * millisecond)
      }
    }
    #expect(world.ledger.failures == 5)
    #expect(world.ledger.wait(0.99) < 50 * millisecond)
    finish(world)
  }

  /// A connection is reset with 100 questions on it: each is asked once more, elsewhere, and no client notices.
  @Test func questionsOfADeadConnectionAreAskedElsewhere() {
    let world = World(seed: 21, settings: .simulated(upstreams: 2, policy: .sequential))
    world.upstreams[0].delay = 200 * millisecond
    for number in 0..<100 { world.ask(Asked(number: Self.plain[number])) }
    world.run(for: 50 * millisecond)
    #expect(world.upstreams[0].questions == 100)
    world.upstreams[0].mode = .refusing
    world.run(for: 50 * millisecond)
    #expect(world.ledger.replies == 100 && world.ledger.failures == 0)
    #expect(world.upstreams[1].questions == 100)
    finish(world)
  }

  /// An upstream that closes each connection after 10 questions loses none of 2,000.
  @Test func anUpstreamMayCloseAtAnyTime() {
    let world = World(seed: 22)
    world.upstreams[0].questionsPerConnection = 10
    for number in 0..<2000 {
      world.ask(Asked(number: Self.plain[number]))
      world.run(for: 500 * microsecond)
    }
    world.run(for: second)
    #expect(world.ledger.replies == 2000 && world.ledger.failures == 0)
    finish(world)
  }

  /// Nobody is there: at most five connects a second, and clients know within four.
  @Test(arguments: [100, 1]) func aRefusingUpstreamIsNotBesieged(pause: UInt64) {
    let world = World(seed: 23)
    world.upstreams[0].mode = .refusing
    for number in 0..<1000 {
      world.ask(Asked(number: Self.plain[number]))
      world.run(for: pause * millisecond / 10)
    }
    let connects = world.upstreams[0].connects
    for start in connects {
      let within = connects.count { $0 >= start && $0 < start + second }
      #expect(within <= 5)
    }
    world.run(for: 4 * second)
    #expect(world.ledger.failures == 1000 && world.ledger.worstWait <= 4 * second)
    finish(world)
  }

  /// It goes away under load: the same.
  @Test func anUpstreamThatGoesAwayIsNotBesieged() {
    let world = World(seed: 27)
    for number in 0..<4000 {
      if number == 1000 { world.upstreams[0].mode = .refusing }
      world.ask(Asked(number: Self.plain[number]))
      world.run(for: millisecond)
    }
    let connects = world.upstreams[0].connects
    for start in connects {
      let within = connects.count { $0 >= start && $0 < start + second }
      #expect(within <= 9, "four connections break, and five more a second are tried")
    }
    world.upstreams[0].mode = .up
    world.run(for: second)
    let failures = world.ledger.failures
    for number in 5000..<5100 { world.ask(Asked(number: Self.plain[number])) }
    world.run(for: 100 * millisecond)
    #expect(world.ledger.failures == failures)
    finish(world)
  }

  /// It takes questions and says nothing: SERVFAIL within four seconds; it is back: answers within one.
  @Test(arguments: [Settings.Forward.Asking.tcp, .udp])
  func aSilentUpstreamIsGivenUpAndFoundAgain(transport: Settings.Forward.Asking) {
    let world = World(seed: 24, settings: .simulated(transport: transport))
    world.ask(Asked(number: Self.plain[0]))
    world.run(for: 100 * millisecond)
    world.upstreams[0].mode = .silent
    for number in 1...100 {
      world.ask(Asked(number: Self.plain[number]))
      world.run(for: 100 * millisecond)
    }
    world.run(for: 4 * second)
    #expect(world.ledger.failures == 100 && world.ledger.worstWait <= 4 * second)
    for number in 200..<230 {
      world.ask(Asked(number: Self.plain[number]))
      world.run(for: 100 * millisecond)
    }
    world.upstreams[0].mode = .up
    // Those that were asked while it was silent come to their end, one way or the other.
    world.run(for: second)
    let (replies, failures) = (world.ledger.replies, world.ledger.failures)
    let pending = 131 - replies
    for number in 300..<400 { world.ask(Asked(number: Self.plain[number])) }
    world.run(for: 100 * millisecond)
    #expect(world.ledger.replies - replies >= 100 && world.ledger.failures - failures <= pending)
    finish(world)
  }

  /// With a second upstream that is well, no client hears of the first one's silence.
  @Test func aSilentUpstreamIsHiddenByAnother() {
    let world = World(seed: 25, settings: .simulated(upstreams: 2, policy: .roundRobin))
    for upstream in world.upstreams { upstream.delay = millisecond }
    for number in 0..<100 {
      if number == 20 { world.upstreams[0].mode = .silent }
      world.ask(Asked(number: Self.plain[number]))
      world.run(for: 100 * millisecond)
    }
    world.run(for: 4 * second)
    #expect(world.ledger.failures == 0 && world.ledger.replies == 100)
    finish(world)
  }

  /// Datagrams lost one in ten: three sends hide it from nearly all.
  @Test func lostDatagramsAreAskedForAgain() {
    let world = World(seed: 26, settings: .simulated(transport: .udp))
    for number in 0..<1000 {
      // The clients' own datagrams are not lost: only the upstream's.
      world.ask(Asked(number: Self.plain[number]))
      world.run(for: millisecond)
      world.faults.loss = 0
    }
    world.faults.loss = 100_000
    for number in 1000..<2000 { world.ask(Asked(number: Self.plain[number])) }
    world.run(for: 5 * second)
    #expect(world.ledger.failures < 30)
    finish(world)
  }
}
