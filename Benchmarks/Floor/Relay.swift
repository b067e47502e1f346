import Engine
import Memory
import Sockets
import Uring

/// Hands each query on to an upstream, over one pipelined TCP connection, and its answer back: what a miss costs if
/// nobody looks at what is asked and answered, on the ring that Ringlet's shards run on. Returns only by throwing.
func relayOnRing(port: UInt16, upstream: UInt16) throws -> Never {
  var settings = Settings()
  settings.listeners = [
    .init(address: loopback(port), isWildcard: false, group: 0, label: "dns://127.0.0.1:\(port)")
  ]
  settings.upstreams = [.init(address: loopback(upstream), label: "127.0.0.1:\(upstream)")]
  let ring = try UringRing(
    index: 0, listeners: try Listeners(settings), settings: settings,
    directory: RingDirectory(shards: 1, events: EventSignal()))
  var relay = Relay(ring)
  while true { relay.turn() }
}

/// A query is known by its place, whose number is its id upstream. A place is taken again after 4,096 others: a query
/// that is not answered by then is lost, and so is one that finds no room.
private struct Relay: ~Copyable {
  private static let places = 4096
  private static let size = 2048

  private var ring: UringRing
  private var clients = [(peer: Peer, id: UInt16)](repeating: (Peer(), 0), count: places)
  private let replies = Region(size: places * size)
  private var next = 0
  private var connection: Int32 = -1
  private var isConnected = false
  /// Two halves: one is filled while the other is written.
  private let output = Region(size: 2 * half)
  private static let half = 1 << 20
  private var filling = 0
  private var waiting = 0
  private var isWriting = false
  private let input = Region(size: 256 << 10)
  private var filled = 0

  init(_ ring: consuming UringRing) {
    self.ring = ring
    self.ring.receive(on: 0)
  }

  mutating func turn() {
    let count = ring.turn(timeout: nil)
    for i in 0..<count {
      let completion = ring.completion(i)
      switch completion.token.operation {
      case .receive:
        if !completion.more { ring.receive(on: 0) }
        if completion.buffer >= 0 {
          take(ring.datagram(in: completion.buffer, result: completion.result, on: 0))
          ring.release(completion.buffer)
        }
      case .connect: connected(completion.result)
      case .upstreamWrite: isWriting = false
      case .upstreamRead: read(completion.result)
      default: break
      }
    }
    write()
  }

  private mutating func take(_ datagram: Datagram) {
    let out = output.bytes.slice(filling, Self.half)
    guard 12...Self.size ~= datagram.length, waiting + 2 + datagram.length <= out.count else { return }
    clients[next] = (Peer(address: datagram.sender, local: datagram.local), datagram.buffer.u16(0))
    out.set(u16: UInt16(datagram.length), at: waiting)
    out.copy(datagram.buffer.slice(0, datagram.length), at: waiting + 2)
    out.set(u16: UInt16(next), at: waiting + 2)
    waiting += 2 + datagram.length
    next = (next + 1) % Self.places
  }

  private mutating func write() {
    guard waiting > 0, !isWriting else { return }
    if connection < 0 {
      connection = ring.open(0, .tcp)
      if connection >= 0 { ring.connect(connection, to: 0, token: Token(.connect, index: 0)) }
    }
    guard isConnected else { return }
    isWriting = true
    ring.write(connection, from: output.bytes.slice(filling, waiting), token: Token(.upstreamWrite, index: 0))
    filling = Self.half - filling
    waiting = 0
  }

  private mutating func connected(_ result: Int32) {
    guard result >= 0 else { return close() }
    isConnected = true
    ring.read(connection, into: input.bytes, token: Token(.upstreamRead, index: 0))
  }

  private mutating func read(_ result: Int32) {
    guard result > 0 else { return close() }
    filled += Int(result)
    let input = input.bytes
    var at = 0
    while filled - at >= 2, filled - at - 2 >= Int(input.u16(at)) {
      let length = Int(input.u16(at))
      give(input.slice(at + 2, length))
      at += 2 + length
    }
    input.copy(input.slice(at, filled - at), at: 0)
    filled -= at
    ring.read(connection, into: input.from(filled), token: Token(.upstreamRead, index: 0))
  }

  private mutating func give(_ answer: Bytes) {
    guard answer.count >= 12, answer.count <= Self.size - sendHeadroom else { return }
    let place = Int(answer.u16(0)) % Self.places
    let slot = replies.bytes.slice(place * Self.size, Self.size)
    slot.copy(answer, at: sendHeadroom)
    slot.set(u16: clients[place].id, at: sendHeadroom)
    ring.send(slot, length: answer.count, to: clients[place].peer, on: 0, token: Token(.send, index: place))
  }

  /// The next query opens another.
  private mutating func close() {
    if connection >= 0 { ring.close(connection) }
    (connection, isConnected, filled) = (-1, false, 0)
  }
}
