import Engine
import Memory
import Upstream

/// The other end of a stream: a client or an upstream's connection.
package protocol StreamEnd: AnyObject {
  func received(_ bytes: [UInt8])
  func finished()
  func wasReset()
}

/// The near end of a connection, as the kernel keeps it: what has come in, what is asked for, what is on its way out.
final class Socket {
  enum State { case fresh, connecting, connected, failed }

  struct Operation {
    let buffer: Bytes
    let token: Token
  }

  private(set) var port: Port
  private(set) var handle: Int32
  /// What it is known by when it goes from one ring to another.
  let descriptor: Int32
  let transport: Transport
  /// The upstream it was opened towards; nil: it is a client's.
  let server: SimulatedUpstream?
  let address: [UInt8]
  var state = State.fresh
  weak var far: (any StreamEnd)?

  /// Of a stream.
  private(set) var inbox: [UInt8] = []
  /// Of a UDP socket.
  private(set) var datagrams: [[UInt8]] = []
  private(set) var isFinished = false
  var error: Int32 = 0
  var reading: Operation?
  var writing: Operation?
  var connecting: Token?
  /// Operations asked for whose completion the shard has not seen.
  var outstanding = 0

  /// Octets that were written and not consumed at the far end; no more than `window` may be.
  private var unread = 0
  private static let window = 64 << 10
  private var lastSent: UInt64 = 0
  private var lastReceived: UInt64 = 0
  private(set) var isClosed = false

  init(port: Port, handle: Int32, transport: Transport, server: SimulatedUpstream?, address: [UInt8]) {
    self.port = port
    self.handle = handle
    self.transport = transport
    self.server = server
    descriptor = port.world.newDescriptor()
    self.address = address
  }

  private var world: World { port.world }

  // What the shard asks for.

  func read(_ operation: Operation) {
    if reading != nil { world.report("two reads at once on handle \(handle)") }
    if operation.buffer.count == 0 { world.report("a read into nothing on handle \(handle)") }
    reading = operation
    advance()
  }

  func write(_ operation: Operation) {
    if transport == .udp {
      if error != 0 {
        defer { error = 0 }
        return port.complete(operation.token, error, ofHandle: handle, releasing: operation.buffer)
      }
      port.complete(operation.token, Int32(operation.buffer.count), ofHandle: handle, releasing: operation.buffer)
      server?.received(datagram: operation.buffer.octets(), from: self)
      return
    }
    if writing != nil { world.report("two writes at once on handle \(handle)") }
    writing = operation
    advance()
  }

  func connected(_ result: Int32) {
    guard let token = connecting else { return }
    connecting = nil
    state = result == 0 ? .connected : .failed
    port.complete(token, result, ofHandle: handle)
  }

  func cancel() {
    if let token = connecting {
      connecting = nil
      state = .failed
      port.complete(token, -125, ofHandle: handle)
    }
    stopReading()
    if let operation = writing {
      writing = nil
      port.complete(operation.token, -125, ofHandle: handle, releasing: operation.buffer)
    }
  }

  func stopReading() {
    guard let operation = reading else { return }
    reading = nil
    port.complete(operation.token, Completion.stopped, ofHandle: handle, releasing: operation.buffer)
  }

  /// Another ring took it over.
  func move(to port: Port, handle: Int32) {
    self.port = port
    self.handle = handle
  }

  func close() {
    // Of a ring that is forbidden nothing will complete any more.
    if outstanding > 0, port.refusal == 0 {
      world.report("handle \(handle) closed with \(outstanding) operations outstanding")
    }
    shutDown()
  }

  func shutDown() {
    isClosed = true
    (reading, writing, connecting) = (nil, nil, nil)
    guard transport == .tcp, state == .connected else { return }
    // Unread input turns a close into a reset (RFC 9293 §3.6; Linux does so).
    let far = self.far
    let resets = !inbox.isEmpty
    send { if resets { far?.wasReset() } else { far?.finished() } }
  }

  /// Completes what can be.
  func advance() {
    if let operation = writing {
      if error != 0 {
        writing = nil
        port.complete(operation.token, error, ofHandle: handle, releasing: operation.buffer)
      } else if unread < Self.window {
        writing = nil
        let count = port.part(of: min(operation.buffer.count, Self.window - unread))
        unread += count
        let bytes = operation.buffer.slice(0, count).octets()
        let far = self.far
        send { far?.received(bytes) }
        port.complete(operation.token, Int32(count), ofHandle: handle, releasing: operation.buffer)
      }
    }
    guard let operation = reading else { return }
    if !datagrams.isEmpty {
      let datagram = datagrams.removeFirst().prefix(operation.buffer.count)
      operation.buffer.put(datagram, at: 0)
      finishRead(Int32(datagram.count))
    } else if !inbox.isEmpty {
      let count = port.part(of: min(inbox.count, operation.buffer.count))
      operation.buffer.put(inbox.prefix(count), at: 0)
      inbox.removeFirst(count)
      finishRead(Int32(count))
    } else if error != 0 {
      finishRead(error)
      if transport == .udp { error = 0 }
    } else if isFinished {
      finishRead(0)
    }
  }

  private func finishRead(_ result: Int32) {
    guard let operation = reading else { return }
    reading = nil
    port.complete(operation.token, result, ofHandle: handle, releasing: operation.buffer)
  }

  /// In order, after the way there.
  private func send(_ action: @escaping () -> Void) {
    lastSent = max(lastSent, world.time + world.latency())
    world.at(lastSent, action)
  }

  // What the far end does.

  /// The far end took `count` octets out of its socket.
  func consumed(_ count: Int) {
    unread -= count
    advance()
  }

  /// `pause`: nanoseconds after what was delivered before, at least.
  func deliver(_ bytes: [UInt8], after pause: UInt64 = 0) {
    arrive(after: pause) { $0.inbox += bytes }
  }

  func finish() { arrive { $0.isFinished = true } }

  func reset() {
    arrive {
      $0.error = -104
      $0.inbox = []
    }
  }

  /// Towards a UDP socket: no order among them.
  func deliver(datagram: [UInt8], after delay: UInt64) {
    world.at(world.time + delay) { [self] in
      guard !isClosed, datagrams.count < 1000 else { return }
      datagrams.append(datagram)
      advance()
    }
  }

  /// ICMP said that nobody is there.
  func unreachable() {
    world.at(world.time + world.latency()) { [self] in
      error = -111
      advance()
    }
  }

  private func arrive(after pause: UInt64 = 0, _ change: @escaping (Socket) -> Void) {
    lastReceived = max(lastReceived + pause, world.time + world.latency())
    world.at(lastReceived) { [self] in
      guard !isClosed else { return }
      change(self)
      advance()
    }
  }
}
