import Engine
import Memory
import Upstream

/// A listen address of one shard: datagrams and connections that the kernel holds until they are asked for.
struct Listener {
  let index: Int
  var datagrams: [(message: [UInt8], address: [UInt8], arrived: () -> Void)] = []
  var isReceiving = false
  var connections: [(any StreamEnd, [UInt8], (Socket) -> Void)] = []
  var isAccepting = false

  init(_ index: Int) { self.index = index }

  /// What a socket's receive buffer takes.
  static let backlog = 4096
}

extension Port {
  func receive(_ listener: Int) {
    if listeners[listener].isReceiving { world.report("a receive was armed twice") }
    listeners[listener].isReceiving = true
    receiveMore(listener)
  }

  /// A datagram that came through the network. `arrived` is called when a shard gets it, not when the kernel drops it.
  func arrive(_ message: [UInt8], from address: [UInt8], listener: Int, arrived: @escaping () -> Void) {
    guard listeners[listener].datagrams.count < Listener.backlog else { return }
    listeners[listener].datagrams.append((message, address, arrived))
    receiveMore(listener)
  }

  private func receiveMore(_ listener: Int) {
    var taken = 0
    while listeners[listener].isReceiving, taken < listeners[listener].datagrams.count {
      let datagram = listeners[listener].datagrams[taken]
      let token = Token(.receive, index: listener)
      guard let buffer = buffers.fill(datagram.message, from: datagram.address) else {
        listeners[listener].isReceiving = false
        world.multishot(failed: true)
        push(Ready(completion: Completion(token: token, result: -105, more: false, buffer: -1)))
        break
      }
      taken += 1
      let more = !world.chance.happens(world.faults.lostMore)
      listeners[listener].isReceiving = more
      world.multishot(failed: false)
      datagram.arrived()
      push(
        Ready(completion: Completion(token: token, result: Int32(datagram.message.count), more: more, buffer: buffer)))
    }
    listeners[listener].datagrams.removeFirst(taken)
  }

  func datagram(_ completion: Completion) -> Datagram? {
    completion.buffer >= 0 ? buffers.datagram(completion.buffer) : nil
  }

  func release(_ buffer: Int) { buffers.release(buffer) }

  func reply(_ buffer: Int, _ length: Int, _ listener: Int) {
    buffers.send(buffer)
    let bytes = buffers.bytes(buffer)
    let message = bytes.slice(ReceiveBuffers.headroom, length).octets()
    submit { port in
      if bytes.slice(ReceiveBuffers.headroom, length).octets() != message {
        port.world.report("a reply's bytes changed before it was sent")
      }
      port.world.ledger.replied(message, to: bytes.slice(0, Peer.addressSize).octets(), listener: listener)
      let completion = Completion(token: Token(.none, index: 0), result: Int32(length), more: false, buffer: -1)
      let delay =
        port.world.chance.happens(port.world.faults.slowCompletion) ? port.world.chance.between(1, millisecond) : 0
      port.world.at(port.world.time + delay) { port.push(Ready(completion: completion, buffer: buffer)) }
    }
  }

  func send(_ slot: Bytes, _ length: Int, _ peer: Peer, _ listener: Int, _ token: Token) {
    own(slot, "a send")
    peer.write(to: slot)
    let whole = slot.slice(0, sendHeadroom + length)
    let bytes = whole.octets()
    submit { port in
      if whole.octets() != bytes { port.world.report("a datagram's bytes changed before it was sent") }
      if port.world.chance.happens(port.world.faults.sendFails) {
        port.world.ledger.sendFailed(to: Array(bytes.prefix(Peer.addressSize)))
        return port.complete(token, -1, releasing: slot)
      }
      port.world.ledger.replied(
        Array(bytes.dropFirst(sendHeadroom)), to: Array(bytes.prefix(Peer.addressSize)), listener: listener)
      port.complete(token, Int32(length), releasing: slot)
    }
  }

  func accept(_ listener: Int) {
    if listeners[listener].isAccepting { world.report("an accept was armed twice") }
    listeners[listener].isAccepting = true
    acceptMore(listener)
  }

  func connect(_ end: any StreamEnd, from address: [UInt8], listener: Int, accepted: @escaping (Socket) -> Void) {
    listeners[listener].connections.append((end, address, accepted))
    acceptMore(listener)
  }

  private func acceptMore(_ listener: Int) {
    let token = Token(.accept, index: listener)
    while listeners[listener].isAccepting, !listeners[listener].connections.isEmpty {
      if world.isOutOfHandles || world.chance.happens(world.faults.acceptFails) {
        listeners[listener].isAccepting = false
        world.multishot(failed: true)
        return push(Ready(completion: Completion(token: token, result: -24, more: false, buffer: -1)))
      }
      let (end, address, accepted) = listeners[listener].connections.removeFirst()
      let socket = newSocket(.tcp, upstream: -1, address: address)
      socket.state = .connected
      socket.far = end
      accepted(socket)
      let more = !world.chance.happens(world.faults.lostMore)
      listeners[listener].isAccepting = more
      world.multishot(failed: false)
      push(Ready(completion: Completion(token: token, result: socket.handle, more: more, buffer: -1)))
    }
  }
}
