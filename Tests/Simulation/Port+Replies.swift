import Engine
import Memory

/// Datagrams: those that came, and the replies to them.
extension Port {
  func release(_ buffer: Int) { buffers.release(buffer) }

  func reply(_ buffer: Int, _ length: Int, _ listener: Int) {
    buffers.send(buffer)
    let bytes = buffers.bytes(buffer)
    let reply = bytes.slice(ReceiveBuffers.headroom, length)
    let message = reply.octets()
    unsubmittedReplies += 1
    submit { port in
      port.unsubmittedReplies -= 1
      if !reply.holds(message) { port.world.report("a reply's bytes changed before it was sent") }
      let failed = port.leave(message, to: bytes.slice(0, Peer.addressSize).octets(), listener: listener)
      let token = Token(failed ? .reply : .none, index: 0)
      let completion = Completion(token: token, result: failed ? -1 : Int32(length), more: false, buffer: -1)
      port.afterwards { port.push(Ready(completion: completion, buffer: buffer)) }
    }
  }

  func send(_ slot: Bytes, _ length: Int, _ peer: Peer, _ listener: Int, _ token: Token) {
    own(slot, "a send")
    peer.write(to: slot)
    let whole = slot.slice(0, sendHeadroom + length)
    let bytes = whole.octets()
    unsubmittedReplies += 1
    submit { port in
      port.unsubmittedReplies -= 1
      if !whole.holds(bytes) { port.world.report("a datagram's bytes changed before it was sent") }
      let message = Array(bytes.dropFirst(sendHeadroom))
      let failed = port.leave(message, to: Array(bytes.prefix(Peer.addressSize)), listener: listener)
      port.complete(token, failed ? -1 : Int32(length), releasing: slot)
    }
  }

  /// A reply goes out. True: the kernel refuses it.
  private func leave(_ message: [UInt8], to address: [UInt8], listener: Int) -> Bool {
    if world.chance.happens(world.faults.sendFails) {
      world.ledger.sendFailed(to: address)
      return true
    }
    if world.sabotages(.swallowedReply) { return false }
    world.ledger.replied(message, to: address, listener: listener)
    if world.sabotages(.doubledReply) { world.ledger.replied(message, to: address, listener: listener) }
    return false
  }
}
