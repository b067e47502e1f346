import Engine

/// A shard on a `MemoryRing`.
final class Node {
  let traffic = Traffic()
  private var shard: Shard<MemoryRing>

  /// `cacheBytes` are those for answers; `batch` is of datagrams.
  init(batch: Int, cacheBytes: Int = 4 << 20) {
    let fabric = Fabric(settings: .benchmark(cacheBytes), shards: 1, random: chance)
    shard = Shard(index: 0, fabric: fabric, ring: MemoryRing(traffic: traffic, batch: batch))
    turn(1)
  }

  func turn(_ count: Int) { shard.turn(count) }

  /// Has names resolved that are not in the cache: services `number`, `number + 1`, …, at most as many as buffers.
  func resolve(from number: Int, count: Int) {
    traffic.ask(from: number, count: count)
    var answers = 0
    var turns = 0
    while answers < count {
      turn(1)
      traffic.answer()
      answers += traffic.countAnswers()
      turns += 1
      precondition(turns < 4 * count, "the shard did not answer")
    }
    turn(1)
  }
}

extension Shard where R: ~Copyable {
  /// `turn`, over and over.
  fileprivate mutating func turn(_ count: Int) {
    for _ in 0..<count { turn() }
  }
}

extension Settings {
  /// One server block for the root zone with a cache, forwarding to one upstream over TCP, as NodeLocal DNSCache does.
  fileprivate static func benchmark(_ cacheBytes: Int) -> Settings {
    var settings = Settings()
    var cache = Cache()
    cache.zones = [[0]]
    var forward = Forward(upstreams: 0..<1)
    forward.transport = .tcp
    var chain = Chain()
    chain.cache = cache
    chain.forwards = [forward]
    settings.chains = [chain]
    settings.zones = [Zone(name: [0], chain: 0, label: ".")]
    settings.groups = [[0]]
    let address: [UInt8] = [2, 0, 0, 53, 127, 0, 0, 1] + [UInt8](repeating: 0, count: 8)
    settings.listeners = [Listener(address: address, isWildcard: false, group: 0, label: "dns://127.0.0.1:53")]
    settings.upstreams = [Upstream(address: address, label: "127.0.0.1:53")]
    settings.successBytes = cacheBytes
    return settings
  }
}

/// From datagram to reply, the answer being in the cache; `batch` datagrams in a turn.
final class Hit: Workload {
  private let node: Node
  private let batch: Int

  init(batch: Int) {
    self.batch = batch
    node = Node(batch: batch)
    node.resolve(from: 0, count: Service.count)
  }

  func prepare() { node.traffic.ask(from: 0, count: Service.count) }
  func run() { node.turn(Service.count / batch) }
  func finish() -> Int { node.traffic.countAnswers() }
}

/// The same over a client's TCP stream, `batch` frames in a read.
final class StreamHit: Workload {
  private let node = Node(batch: 16)
  private let batch: Int
  private var number = 0

  init(batch: Int) {
    self.batch = batch
    node.resolve(from: 0, count: Service.count)
    node.traffic.connectClient()
    node.turn(1)
  }

  func prepare() {
    node.traffic.askOverStream(from: number, count: batch)
    number = (number + batch) % Service.count
  }

  func run() { node.turn(1) }
  func finish() -> Int { node.traffic.countAnswers() }
}

/// From datagram to reply with the upstream's answer between: rounds of questions and rounds of answers take turns. The
/// cache is full, as one is where names are not asked twice.
final class Miss: Workload {
  private var node: Node
  private let batch: Int
  private var number = 0
  private var isAsking = false

  init(batch: Int) {
    self.batch = batch
    node = Node(batch: batch, cacheBytes: 256 << 10)
    fillCache()
  }

  private func fillCache() {
    while number < 8 * Service.count {
      node.resolve(from: number, count: batch)
      number += batch
    }
  }

  func prepare() {
    isAsking.toggle()
    guard isAsking else { return node.traffic.answer() }
    if number >= Self.most { startAnew() }
    node.traffic.ask(from: number, count: batch)
    number += batch
  }

  /// Before the upstream connection's ids are used up (`Pool.Limits.tcpUses`): the next one takes a turn to connect.
  private static let most = 48 * Service.count

  private func startAnew() {
    node = Node(batch: batch, cacheBytes: 256 << 10)
    number = 0
    fillCache()
  }

  func run() { node.turn(1) }
  func finish() -> Int { node.traffic.countAnswers() }
}
