import Engine
import Memory

/// One shard with its ring.
package final class Node {
  let port: Port
  var shard: Shard<SimulatedRing>
  /// When its thread runs next: something is there for it, or its wait is over.
  var turnAt = UInt64.max

  init(port: Port, fabric: Fabric) {
    self.port = port
    shard = Shard(index: port.index, fabric: fabric, ring: SimulatedRing(port: port))
  }
}

/// Shards, clients and upstreams in one virtual time, all chance from one seed: the same seed is the same run.
package final class World {
  package let fabric: Fabric
  package var chance: Chance
  package var faults: Faults
  package private(set) var time: UInt64 = 1_000_000 * second
  /// What suspensions added to the shards' clock.
  package private(set) var suspended: UInt64 = 0
  package private(set) var nodes: [Node] = []
  package private(set) var upstreams: [SimulatedUpstream] = []
  package let ledger: Ledger
  package var streams: [ClientStream] = []
  let scratch = Region(size: 4096)
  private var agenda = Agenda()
  package private(set) var problems: [String] = []
  package private(set) var turns = 0
  private var failures: (window: UInt64, count: Int) = (0, 0)
  package var isOutOfHandles = false

  package init(seed: UInt64, shards: Int = 1, faults: Faults = Faults(), settings: Settings = Settings.simulated()) {
    var chance = Chance(seed: seed)
    fabric = Fabric(settings: settings, shards: shards, random: (chance.next(), chance.next(), chance.next()))
    self.chance = chance
    self.faults = faults
    ledger = Ledger(settings)
    ledger.world = self
    upstreams = settings.upstreams.indices.map { SimulatedUpstream(world: self, index: $0) }
    for index in 0..<shards {
      nodes.append(Node(port: Port(world: self, index: index), fabric: fabric))
      rouse(index)
    }
  }

  /// Nanoseconds of the clock that the shards read.
  var clock: UInt64 { time + suspended }

  func report(_ problem: String) {
    if problems.count < 20 { problems.append("at \(Double(time % (1_000_000 * second)) / 1e9) s: \(problem)") }
  }

  // Time.

  package func at(_ time: UInt64, _ action: @escaping () -> Void) { agenda.add(time, action) }
  package func after(_ delay: UInt64, _ action: @escaping () -> Void) { agenda.add(time + delay, action) }

  /// The clock jumps: the machine slept.
  package func suspend(for duration: UInt64) { suspended += duration }

  /// One way through the network, in order.
  func latency() -> UInt64 { chance.between(20 * microsecond, 200 * microsecond) }

  /// Something is there for a shard: its thread runs soon.
  func rouse(_ shard: Int) {
    guard nodes.indices.contains(shard) else { return }
    let delay =
      chance.happens(faults.stall) ? chance.between(0, 30 * millisecond) : chance.between(500, 20 * microsecond)
    nodes[shard].turnAt = min(nodes[shard].turnAt, time + delay)
  }

  package func run(for duration: UInt64) { run(until: time + duration) }

  package func run(until end: UInt64, while condition: () -> Bool = { true }) {
    while problems.isEmpty, condition() {
      let due = nodes.indices.min { nodes[$0].turnAt < nodes[$1].turnAt }!
      let next = min(nodes[due].turnAt, agenda.nextTime ?? .max)
      guard next <= end else { break }
      time = max(time, next)
      if nodes[due].turnAt <= next { turn(due) } else { agenda.removeFirst()() }
    }
    if problems.isEmpty, condition() { time = max(time, end) }
  }

  private func turn(_ index: Int) {
    let node = nodes[index]
    node.turnAt = .max
    turns += 1
    node.shard.turn()
    node.port.submit()
    if node.port.buffers.held > 0 { report("a receive buffer was neither replied with nor released") }
    for fault in node.port.buffers.faults { report(fault) }
    if node.port.hasEvents { readEvents(index) }
    ledger.check()
    if node.port.hasReady {
      rouse(index)
    } else if let timeout = node.shard.timeout() {
      node.turnAt = min(node.turnAt, time + max(timeout, microsecond))
    }
  }

  /// As the control thread does.
  private func readEvents(_ index: Int) {
    nodes[index].port.hasEvents = false
    let queue = fabric.eventQueue(index)
    while let message = queue.front() {
      let (event, name) = Event.read(message)
      if Asked.number(name.octets()[...]) == nil { report("an event of a name nobody asked: \(event.kind)") }
      queue.pop(message)
    }
  }

  /// A multishot that cannot go on and is armed again at once fails for ever, at a processor's cost.
  func multishot(failed: Bool) {
    let window = time / (10 * millisecond)
    failures = !failed ? (window, 0) : window == failures.window ? (window, failures.count + 1) : (window, 1)
    if failures.count > 100 { report("100 failed multishots within 10 ms and none that succeeded: a busy loop") }
  }

  // The end.

  /// Lets everything pending come to its end, with nothing new and no new faults, and checks that nothing is left.
  package func rest() {
    faults = Faults()
    isOutOfHandles = false
    for upstream in upstreams { upstream.mode = .up }
    run(for: 30 * second)
    guard problems.isEmpty else { return }
    for node in nodes {
      if node.shard.census != Census() { report("shard \(node.port.index) still holds \(node.shard.census)") }
      if !node.port.isAtRest { report("ring \(node.port.index) is not at rest") }
    }
    ledger.checkAccounts()
  }

  /// Takes apart what refers to each other. Nothing of this world can be used afterwards.
  package func end() {
    agenda.removeAll()
    nodes = []
    upstreams = []
    streams = []
  }

  package func sum(_ counter: Counters.Shard) -> Int {
    nodes.indices.reduce(0) { $0 + Int(fabric.counters($1).read(counter)) }
  }

  package func census(_ shard: Int = 0) -> Census { nodes[shard].shard.census }
}

extension Settings {
  /// One listener, one zone (the root) with a cache, forwarding to `upstreams` upstreams.
  package static func simulated(
    upstreams count: Int = 1, transport: Settings.Forward.Asking = .tcp, policy: Settings.Forward.Policy = .random,
    cacheBytes: Int = 1 << 20, caches: Bool = true
  ) -> Settings {
    var settings = Settings()
    var cache = Cache()
    cache.zones = [[0]]
    var forward = Forward(upstreams: 0..<count)
    forward.transport = transport
    forward.policy = policy
    var chain = Chain()
    if caches { chain.cache = cache }
    chain.forwards = [forward]
    chain.logsErrors = true
    settings.chains = [chain]
    settings.zones = [Zone(name: [0], chain: 0, label: ".")]
    settings.groups = [[0]]
    settings.listeners = [
      Listener(
        address: [2, 0, 0, 53, 127, 0, 0, 1] + [UInt8](repeating: 0, count: 8),
        isWildcard: false, group: 0, label: "dns://127.0.0.1:53")
    ]
    settings.upstreams = (0..<count).map { index in
      Upstream(
        address: [2, 0, 0, 53, 10, 0, 0, UInt8(index + 1)] + [UInt8](repeating: 0, count: 8),
        label: "10.0.0.\(index + 1):53")
    }
    settings.successBytes = cacheBytes
    settings.denialBytes = cacheBytes
    return settings
  }
}
