import Engine
import Memory

/// Shards, clients and upstreams in one virtual time, all chance from one seed: the same seed is the same run.
package final class World {
  package var chance: Chance
  package var faults: Faults
  static let beginning = 1_000_000 * second
  package private(set) var time = beginning
  /// What suspensions added to the shards' clock.
  package private(set) var suspended: UInt64 = 0
  /// When the machine slept, and for how long.
  private(set) var suspensions: [(time: UInt64, duration: UInt64)] = []
  package private(set) var generation: Generation! = nil
  /// The one before it, until it has ended.
  var leaving: Generation?
  /// What the reload under way waits for.
  var reloading: Reload?
  private(set) var reloads = 0
  /// Rings that were forbidden.
  package private(set) var refusals = 0
  /// Shards at work, of both.
  var nodes: [Node] = []
  package private(set) var upstreams: [SimulatedUpstream] = []
  /// By shard and listen address.
  private(set) var listening: [[ListeningSocket]] = []
  /// Connections on their way from one generation to the next, by descriptor.
  var abandoned: [Int32: Socket] = [:]
  private var lastDescriptor: Int32 = 0
  package let ledger: Ledger
  package var streams: [ClientStream] = []
  let scratch = Region(size: 4096)
  private var agenda = Agenda()
  package private(set) var problems: [String] = []
  package private(set) var turns = 0
  private var failures: (window: UInt64, count: Int) = (0, 0)
  package var isOutOfHandles = false
  /// What upstreams know of a name changes with time.
  package var namesChange = false
  /// What is wrong with this world, to see that it is noticed.
  package var sabotage: Sabotage?
  /// Nanoseconds that faults of the machine itself may add to what is promised.
  let slack: UInt64
  /// Nanoseconds from an answer's leaving an upstream until a shard has it, at most.
  let transit: UInt64

  package init(
    seed: UInt64, shards: Int = 1, faults: Faults = Faults(), settings: Settings = .simulated(), upstreams: Int? = nil
  ) {
    var chance = Chance(seed: seed)
    let fabric = Fabric(settings: settings, shards: shards, random: (chance.next(), chance.next(), chance.next()))
    self.chance = chance
    self.faults = faults
    let hasStalls = faults.stall > 0 || faults.wakeLost > 0 || faults.wakeLate > 0
    slack = hasStalls ? 600 * millisecond + 3 * faults.stallMost : 0
    let trickle = faults.trickle > 0 ? Self.slowestTrickle : 0
    transit = slack + trickle + (faults.short > 0 ? second : 0) + 200 * millisecond
    ledger = Ledger()
    ledger.patience += slack
    ledger.world = self
    ledger.serves(settings)
    self.upstreams = (0..<(upstreams ?? settings.upstreams.count)).map { SimulatedUpstream(world: self, index: $0) }
    if settings.zones.count > 1 { for server in self.upstreams.suffix(Settings.labServers) { server.view = 1 } }
    listening = (0..<shards).map { _ in settings.listeners.indices.map { ListeningSocket(world: self, index: $0) } }
    generation = Generation(world: self, fabric: fabric)
    for shard in 0..<shards { generation.start(shard) }
  }

  var shards: Int { listening.count }

  /// Nanoseconds of the clock that the shards read.
  var clock: UInt64 { time + suspended }

  /// What they read, that is.
  var shardClock: UInt64 { sabotage == .slowClock ? clock / 2 : clock }

  package func report(_ problem: String) {
    if problems.count < 20 { problems.append("at \(Double(time % (1_000_000 * second)) / 1e9) s: \(problem)") }
  }

  // Time.

  package func at(_ time: UInt64, _ action: @escaping () -> Void) { agenda.add(time, action) }
  package func after(_ delay: UInt64, _ action: @escaping () -> Void) { agenda.add(time + delay, action) }

  /// The clock jumps: the machine slept.
  package func suspend(for duration: UInt64) {
    suspended += duration
    suspensions.append((time, duration))
  }

  /// Nanoseconds that the machine slept between two moments: what was under way came that much later.
  func sleep(from: UInt64, to: UInt64) -> UInt64 {
    suspensions.reduce(0) { $1.time >= from && $1.time <= to ? $0 + $1.duration : $0 }
  }

  /// An upstream's changes to a name so far: half of them never change, the others every 2 to 60 seconds.
  func version(of asked: Asked) -> UInt64 {
    let h = mix(UInt64(asked.number) ^ 0xBEE)
    guard namesChange, h & 1 == 0 else { return 0 }
    return time / ((2 + h >> 8 % 59) * second)
  }

  static let slowestTrickle = 2 * second

  /// One way through the network, in order.
  func latency() -> UInt64 { chance.between(20 * microsecond, 200 * microsecond) }

  package func run(for duration: UInt64) { run(until: time + duration) }

  package func run(until end: UInt64, while condition: () -> Bool = { true }) {
    while problems.isEmpty, condition() {
      var due = 0
      for other in nodes.indices.dropFirst() where nodes[other].port.turnAt < nodes[due].port.turnAt { due = other }
      let turnAt = nodes.isEmpty ? .max : nodes[due].port.turnAt
      let next = min(turnAt, agenda.nextTime ?? .max)
      guard next <= end else { break }
      time = max(time, next)
      if turnAt <= next { turn(nodes[due]) } else { agenda.removeFirst()() }
    }
    if problems.isEmpty, condition() { time = max(time, end) }
  }

  private func turn(_ node: Node) {
    let port = node.port
    port.turnAt = .max
    turns += 1
    node.turn()
    if node.refusal != 0 {
      refusals += 1
      return port.generation.fabric.stages.ordered == .serve ? node.moveOn() : port.generation.end(node)
    }
    port.submit()
    if port.buffers.held != node.backlog { report("a receive buffer was neither replied with nor released") }
    for fault in port.buffers.faults { report(fault) }
    port.checkBounds()
    if port.hasEvents { readEvents(port) }
    ledger.check()
    if node.hasEnded { return port.generation.end(node) }
    if port.hasReady {
      port.rouse()
    } else if let timeout = node.timeout() {
      port.turnAt = max(port.stalledUntil, min(port.turnAt, time + max(timeout, microsecond)))
    }
  }

  /// As the control thread does.
  private func readEvents(_ port: Port) {
    port.hasEvents = false
    let queue = port.generation.fabric.eventQueue(port.index)
    while let message = queue.front() {
      let (event, text) = Event.read(message)
      if event.kind != .flood, Asked.number(event.name(text.octets())) == nil {
        report("an event of a name nobody asked: \(event.kind)")
      }
      queue.pop(message)
    }
  }

  /// A multishot that cannot go on and is armed again at once fails for ever, at a processor's cost.
  func multishot(failed: Bool) {
    let window = time / (10 * millisecond)
    failures = !failed ? (window, 0) : window == failures.window ? (window, failures.count + 1) : (window, 1)
    if failures.count > 100 { report("100 failed multishots within 10 ms and none that succeeded: a busy loop") }
  }

  /// The kernel carries out nothing more that a shard's ring asks for (a seccomp filter, say).
  package func forbidRing(of shard: Int) { generation.ports[shard].isForbidden = true }

  // Reloads.

  /// A new configuration takes over from the one at work. One that comes while another is under way is not heard.
  package func reload(_ settings: Settings) {
    guard reloading == nil else { return }
    reloads += 1
    let reload = Reload(world: self, settings: settings)
    reloading = reload
    reload.look()
  }

  /// The new configuration serves from here on.
  func serve(_ next: Generation) {
    leaving = generation
    generation = next
    ledger.serves(next.settings)
  }

  func newDescriptor() -> Int32 {
    lastDescriptor += 1
    return lastDescriptor
  }

  // The end.

  /// Lets everything pending come to its end, with nothing new and no new faults, and checks that nothing is left.
  package func rest() {
    faults = Faults()
    isOutOfHandles = false
    for upstream in upstreams { upstream.mode = .up }
    run(for: 30 * second)
    guard problems.isEmpty else { return }
    if reloading != nil { report("a reload is not over") }
    if !abandoned.isEmpty { report("\(abandoned.count) connections were handed over and not taken") }
    for node in nodes {
      if node.census != Census() { report("shard \(node.port.index) still holds \(node.census)") }
      if !node.port.isAtRest { report("ring \(node.port.index) is not at rest") }
      if node.port.listening.contains(where: { !$0.limits.isEmpty }) {
        report("clients of shard \(node.port.index) are throttled for ever")
      }
    }
    ledger.checkAccounts()
  }

  /// Takes apart what refers to each other. Nothing of this world can be used afterwards.
  package func end() {
    agenda.removeAll()
    nodes = []
    upstreams = []
    streams = []
    abandoned = [:]
    reloading?.takeApart()
    leaving?.takeApart()
    generation.takeApart()
    (generation, leaving, reloading) = (nil, nil, nil)
  }

  /// A counter's sum over shards, of all generations.
  package func sum(_ counter: Counters.Shard) -> Int {
    let fabric = generation.fabric
    if let leaving { fabric.carryCounts(of: leaving.fabric) }
    return (0..<shards).reduce(0) { $0 + Int(fabric.counters($1).read(counter)) }
  }

  package func census(_ shard: Int = 0) -> Census { nodes[shard].census }
}
