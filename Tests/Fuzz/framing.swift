import Engine
import Memory
import Upstream

/// A shard with one client's stream and one upstream. The first octet says how many octets come at a time, the next two
/// how many of the rest are the client's; the upstream says what is left, on each of its connections.
func fuzzFraming(_ input: [UInt8]) {
  guard input.count > 3 else { return }
  let wire = FuzzWire()
  wire.chunk = Int(input[0]) + 1
  let split = min(input.count, 3 + Int(input[1]) << 8 + Int(input[2]))
  wire.client = Array(input[3..<max(3, split)])
  wire.upstream = Array(input[max(3, split)...])
  let fabric = Fabric(settings: .fuzzed, shards: 1, random: (1, 3, 5))
  var shard = Shard(index: 0, fabric: fabric, ring: FuzzRing(wire))
  // The client's budget is over after 4 s; a turn takes up to 100 ms.
  for _ in 0..<120 { shard.turn() }
}

/// What the two ends have to say, and what the shard waits for.
final class FuzzWire {
  var chunk = 1
  var client: [UInt8] = []
  var upstream: [UInt8] = []
  /// Octets of `upstream` said on each connection.
  var said: [Int32: Int] = [:]
  var time: UInt64 = 1_000_000_000_000
  var next: [Completion] = []
  var current: [Completion] = []
  var handles: Int32 = FuzzWire.stream

  static let stream: Int32 = 1

  /// As many octets as one read gets; none: the other end closed.
  func take(_ handle: Int32, _ room: Int) -> ArraySlice<UInt8> {
    let count = min(chunk, room)
    if handle == Self.stream {
      defer { client.removeFirst(min(count, client.count)) }
      return client.prefix(count)
    }
    let from = said[handle, default: 0]
    let octets = upstream[min(from, upstream.count)...].prefix(count)
    said[handle] = from + octets.count
    return octets
  }

  func complete(_ token: Token, _ result: Int32, more: Bool = false) {
    next.append(Completion(token: token, result: result, more: more, buffer: -1))
  }
}

/// A ring on which everything is done by the next turn.
struct FuzzRing: Ring, ~Copyable {
  private let wire: FuzzWire

  init(_ wire: FuzzWire) { self.wire = wire }

  func now() -> UInt64 { wire.time }
  /// So that an input can know which id its question gets: 0.
  func random() -> UInt64 { 0 }

  func turn(timeout: UInt64?) -> Int {
    swap(&wire.current, &wire.next)
    wire.next.removeAll()
    wire.time += wire.current.isEmpty ? min(timeout ?? 100_000_000, 100_000_000) : 1_000_000
    return wire.current.count
  }

  func completion(_ index: Int) -> Completion { wire.current[index] }

  func accept(on listener: Int) {
    if wire.handles == FuzzWire.stream { wire.complete(Token(.accept, index: listener), wire.handles, more: true) }
    wire.handles += 1
  }

  func open(_ upstream: Int, _ transport: Transport) -> Int32 {
    wire.handles += 1
    return wire.handles
  }

  func connect(_ handle: Int32, to upstream: Int, token: Token) { wire.complete(token, 0) }

  func read(_ handle: Int32, into buffer: Bytes, token: Token) {
    let octets = Array(wire.take(handle, buffer.count))
    buffer.slice(0, octets.count).write(octets)
    wire.complete(token, Int32(octets.count))
  }

  func write(_ handle: Int32, from buffer: Bytes, token: Token) { wire.complete(token, Int32(buffer.count)) }
  func send(_ slot: Bytes, length: Int, to peer: Peer, on socket: Int, token: Token) {
    wire.complete(token, Int32(length))
  }

  var receiveBuffers: Int { 1 }
  func isFilling(_ socket: Int) -> Bool { false }
  func limit(_ clients: [ClientLimit], on socket: Int) {}
  func receive(on socket: Int) {}
  func sender(of buffer: Int) -> Bytes { preconditionFailure("there are no datagrams") }
  func datagram(in buffer: Int, result: Int32, on socket: Int) -> Datagram {
    preconditionFailure("there are no datagrams")
  }
  func reply(with buffer: Int, length: Int, on socket: Int) {}
  func release(_ buffer: Int) {}
  func peer(of handle: Int32) -> Peer { Peer(octets: [2, 0, 0x12, 0x34, 10, 0, 0, 7]) }
  func stop(_ token: Token, on handle: Int32?) {}
  func cancel(_ handle: Int32) {}
  func close(_ handle: Int32) {}
  func descriptor(of handle: Int32) -> Int32 { handle }
  func abandon(_ handle: Int32) {}
  func adopt(_ descriptor: Int32) -> Int32 { descriptor }
  func wake(_ shard: Int) {}
  func signalEvents() {}
  var refusal: Int32 { 0 }
}

extension Settings {
  /// The root, cached, forwarded to one upstream over TCP.
  fileprivate static var fuzzed: Settings {
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
    settings.successBytes = 1 << 16
    settings.denialBytes = 1 << 16
    return settings
  }
}
