import Engine
import Memory
import Upstream

/// A ring in virtual time: hands what the shard asks for to its `Port`, and carries none of it out before the shard's
/// turn has ended, as a ring that submits with the next wait.
struct SimulatedRing: Ring, ~Copyable {
  let port: Port

  mutating func now() -> UInt64 { port.world.shardClock }
  mutating func random() -> UInt64 { port.random.next() }
  mutating func turn(timeout: UInt64?) -> Int { port.reap() }
  mutating func completion(_ index: Int) -> Completion { port.see(index) }

  var receiveBuffers: Int { port.buffers.count }
  func isFilling(_ socket: Int) -> Bool { port.listening[socket].isFilling }
  func limit(_ clients: [ClientLimit], on socket: Int) { port.listening[socket].limit(clients) }
  mutating func receive(on socket: Int) { port.submit { $0.listening[socket].receive($0) } }
  func sender(of buffer: Int) -> Bytes { port.buffers.datagram(buffer).sender }
  func datagram(in buffer: Int, result: Int32, on socket: Int) -> Datagram { port.buffers.datagram(buffer) }
  mutating func reply(with buffer: Int, length: Int, on socket: Int) { port.reply(buffer, length, socket) }
  mutating func release(_ buffer: Int) { port.release(buffer) }

  mutating func send(_ slot: Bytes, length: Int, to peer: Peer, on socket: Int, token: Token) {
    port.send(slot, length, peer, socket, token)
  }

  mutating func accept(on listener: Int) { port.submit { $0.listening[listener].accept($0) } }
  func peer(of handle: Int32) -> Peer { port.peer(handle) }
  mutating func open(_ upstream: Int, _ transport: Transport) -> Int32 { port.open(upstream, transport) }
  mutating func connect(_ handle: Int32, to upstream: Int, token: Token) { port.connect(handle, upstream, token) }
  mutating func read(_ handle: Int32, into buffer: Bytes, token: Token) { port.read(handle, buffer, token) }
  mutating func write(_ handle: Int32, from buffer: Bytes, token: Token) { port.write(handle, buffer, token) }
  mutating func stop(_ token: Token, on handle: Int32?) { port.submit { $0.stop(token) } }
  mutating func cancel(_ handle: Int32) { port.cancel(handle) }
  mutating func close(_ handle: Int32) { port.close(handle) }
  func descriptor(of handle: Int32) -> Int32 { port.descriptor(handle) }
  mutating func abandon(_ handle: Int32) { port.abandon(handle) }
  mutating func adopt(_ descriptor: Int32) -> Int32 { port.adopt(descriptor) }

  mutating func wake(_ shard: Int) { port.submit { $0.wake(shard) } }
  mutating func signalEvents() { port.hasEvents = true }
  var refusal: Int32 { port.refusal }
}
