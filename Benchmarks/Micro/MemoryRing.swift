import Engine
import Memory
import Upstream

/// A completion as it waits to be seen: the kernel's 16 bytes.
struct Entry: BitwiseCopyable {
  private let token: UInt64
  private let result: Int32
  private let buffer: Int32

  @inline(__always) init(token: Token, result: Int32 = 0, buffer: Int = -1) {
    self.token = token.raw
    self.result = result
    self.buffer = Int32(truncatingIfNeeded: buffer)
  }

  /// The operations that have more than one completion here go on for ever.
  @inline(__always) var completion: Completion {
    Completion(token: Token(raw: token), result: result, more: true, buffer: Int(buffer))
  }
}

/// A ring without a kernel: whatever is asked for has been done by the next turn. A reply and a datagram have a completion
/// each, as on the live ring.
struct MemoryRing: Ring, ~Copyable {
  let traffic: Traffic
  /// Datagrams of one turn, at most.
  private let batch: Int
  /// Completions of this turn, and of what was asked for in it.
  private var current = Queue<Entry>(capacity: 4 * Traffic.buffers)
  private var next = Queue<Entry>(capacity: 4 * Traffic.buffers)
  private var state = chance.0

  init(traffic: Traffic, batch: Int) {
    self.traffic = traffic
    self.batch = batch
  }

  /// Time stands still: nothing expires, and nothing is due.
  func now() -> UInt64 { 1_000_000_000_000 }

  /// SplitMix64.
  mutating func random() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }

  mutating func turn(timeout: UInt64?) -> Int {
    swap(&current, &next)
    next.removeAll()
    while !traffic.completions.isEmpty { current.append(traffic.completions.removeFirst()) }
    for _ in 0..<min(batch, traffic.arrivals.count) {
      current.append(
        Entry(
          token: Token(.receive, index: 0), result: Int32(Service.queryLength), buffer: traffic.arrivals.removeFirst()))
    }
    return current.count
  }

  @inline(__always) func completion(_ index: Int) -> Completion { current[index].completion }

  var receiveBuffers: Int { Traffic.buffers }
  func isFilling(_ socket: Int) -> Bool { false }
  func limit(_ clients: [ClientLimit], on socket: Int) {}
  func receive(on socket: Int) {}

  @inline(__always) func sender(of buffer: Int) -> Bytes { traffic.sender(buffer) }

  @inline(__always) func datagram(in buffer: Int, result: Int32, on socket: Int) -> Datagram {
    let message = traffic.datagram(buffer)
    return Datagram(
      buffer: message, length: Int(result), sender: traffic.sender(buffer),
      local: message.slice(0, 0), truncated: false)
  }

  @inline(__always) func reply(with buffer: Int, length: Int, on socket: Int) {
    traffic.reply(traffic.datagram(buffer).slice(0, length))
    complete(Token(.none, index: buffer))
  }

  func release(_ buffer: Int) {}

  func send(_ slot: Bytes, length: Int, to peer: Peer, on socket: Int, token: Token) {
    traffic.reply(slot.slice(sendHeadroom, length))
    complete(token)
  }

  func accept(on listener: Int) { traffic.accept(Token(.accept, index: listener)) }
  func peer(of handle: Int32) -> Peer { Peer() }
  func open(_ upstream: Int, _ transport: Transport) -> Int32 { traffic.open() }
  func connect(_ handle: Int32, to upstream: Int, token: Token) { complete(token) }
  func read(_ handle: Int32, into buffer: Bytes, token: Token) { traffic.read(handle, token, buffer) }

  func write(_ handle: Int32, from buffer: Bytes, token: Token) {
    traffic.write(handle, buffer)
    complete(token, Int32(buffer.count))
  }

  func stop(_ token: Token, on handle: Int32?) { preconditionFailure("a benchmark's operation was stopped") }
  func descriptor(of handle: Int32) -> Int32 { handle }
  func abandon(_ handle: Int32) { preconditionFailure("a benchmark's stream was abandoned") }
  func adopt(_ descriptor: Int32) -> Int32 { descriptor }
  func cancel(_ handle: Int32) { preconditionFailure("a benchmark's connection was given up") }
  func close(_ handle: Int32) { preconditionFailure("a benchmark's connection was closed") }
  func wake(_ shard: Int) {}
  func signalEvents() {}
  var refusal: Int32 { 0 }

  @inline(__always) private func complete(_ token: Token, _ result: Int32 = 0) {
    next.append(Entry(token: token, result: result))
  }
}
