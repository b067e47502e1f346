import Engine

/// One shard with its ring.
final class Node {
  private(set) var port: Port
  /// nil: between two rings.
  private var running: Shard<SimulatedRing>?

  init(port: Port) {
    self.port = port
    running = Shard(index: port.index, fabric: port.generation.fabric, ring: SimulatedRing(port: port))
  }

  func turn() { running!.turn() }
  func timeout() -> UInt64? { running!.timeout() }
  var hasEnded: Bool { running!.ended() }
  var refusal: Int32 { running!.refused() }
  var census: Census { running!.counted() }
  /// Datagrams that wait for their turn.
  var backlog: Int { running!.waiting() }

  /// The ring was forbidden: another shard goes on in this one's place, with its cache and on a ring of the other kind.
  func moveOn() {
    let segment = running.take()!.surrender(isLast: false)
    port = port.generation.replace(port)
    running = Shard(
      index: port.index, fabric: port.generation.fabric, ring: SimulatedRing(port: port), segment: segment)
    port.rouse()
  }

  /// The ring was forbidden as the shard left.
  func giveUp() {
    _ = running.take()!.surrender(isLast: true)
    port.die()
  }
}

/// What may be changed can be looked at in a class; what may only be read would have to be moved out.
extension Shard where R: ~Copyable {
  fileprivate mutating func ended() -> Bool { hasEnded }
  fileprivate mutating func refused() -> Int32 { refusal }
  fileprivate mutating func counted() -> Census { census }
  fileprivate mutating func waiting() -> Int { backlogCount }
}

/// A configuration at work: its shards and their rings.
package final class Generation {
  unowned let world: World
  let fabric: Fabric
  private(set) var ports: [Port] = []
  /// The one that takes over: its shards can be woken.
  weak var successor: Generation?

  init(world: World, fabric: Fabric) {
    self.world = world
    self.fabric = fabric
    ports = (0..<fabric.shards).map { Port(world: world, generation: self, index: $0) }
  }

  var settings: Settings { fabric.settings }

  func start(_ shard: Int) {
    world.nodes.append(Node(port: ports[shard]))
    ports[shard].rouse()
  }

  /// A ring in place of one that was forbidden.
  func replace(_ port: Port) -> Port {
    port.die()
    ports[port.index] = Port(world: world, generation: self, index: port.index)
    return ports[port.index]
  }

  /// After a shard's last turn.
  func end(_ node: Node) {
    if node.refusal != 0 {
      node.giveUp()
    } else {
      if node.census.clients != Census() { world.report("a shard has left that still holds \(node.census)") }
      node.port.shutDown()
    }
    world.nodes.removeAll { $0 === node }
    fabric.stages.report(.ended, of: node.port.index)
  }

  /// The number of a server among all that the world has, for an upstream of this configuration.
  func server(_ upstream: Int) -> SimulatedUpstream {
    world.upstreams[Settings.server(of: settings.upstreams[upstream])]
  }

  /// Ends what refers to each other.
  func takeApart() {
    for port in ports { port.takeApart() }
    ports = []
  }

  func wake(_ shard: Int) -> Port? {
    shard < ports.count ? ports[shard] : successor?.ports[shard - ports.count]
  }

  /// The rules by which this configuration keeps answers of a view; nil: it keeps none.
  func cache(of view: Int) -> Settings.Cache? { settings.chains[settings.zones[view].chain].cache }
}

extension Census {
  /// Without the connections to upstreams, which may be idle.
  fileprivate var clients: Census {
    var census = self
    (census.connections, census.links) = (0, 0)
    return census
  }
}
