import Engine
import Memory

/// A listen address of one shard, shared by the rings of two generations during a reload: datagrams and connections that
/// the kernel holds until they are asked for.
final class ListeningSocket {
  private unowned let world: World
  private let index: Int
  private var datagrams: [(message: [UInt8], address: [UInt8], arrived: () -> Void)] = []
  /// What clients may send.
  private(set) var limits: [ClientLimit] = []
  private var receivers: [Port] = []
  private var connections: [(any StreamEnd, [UInt8], (Socket) -> Void)] = []
  private var accepters: [Port] = []

  /// What a socket's receive buffer takes.
  private static let backlog = 4096

  init(world: World, index: Int) {
    self.world = world
    self.index = index
  }

  var isFilling: Bool { datagrams.count > world.faults.fillsAt }

  func limit(_ clients: [ClientLimit]) {
    if !clients.isEmpty || world.sabotage != .keptLimits { limits = clients }
  }

  func receive(_ port: Port) {
    if receivers.contains(where: { $0 === port }) { world.report("a receive was armed twice") }
    receivers.append(port)
    receiveMore()
  }

  /// False: it was not armed.
  func stopReceiving(_ port: Port) -> Bool {
    let count = receivers.count
    receivers.removeAll { $0 === port }
    return receivers.count < count
  }

  /// A datagram that came through the network. `arrived` is called when a shard gets it, not when it is dropped.
  func arrive(_ message: [UInt8], from address: [UInt8], arrived: @escaping () -> Void) {
    guard datagrams.count < Self.backlog else { return }
    let host = Peer(octets: address).host
    if let limit = limits.first(where: { $0.host == host }), world.chance.below(1 << 32) >= limit.passing { return }
    datagrams.append((message, address, arrived))
    receiveMore()
  }

  private func receiveMore() {
    let token = Token(.receive, index: index)
    var taken = 0
    while taken < datagrams.count, !receivers.isEmpty {
      // Whose receive is there first gets it; of two rings either may be.
      let at = receivers.count == 1 ? 0 : world.chance.below(receivers.count)
      let port = receivers[at]
      let datagram = datagrams[taken]
      guard let buffer = port.buffers.fill(datagram.message, from: datagram.address) else {
        receivers.remove(at: at)
        world.multishot(failed: true)
        port.push(Port.Ready(completion: Completion(token: token, result: -105, more: false, buffer: -1)))
        continue
      }
      taken += 1
      let more = !world.chance.happens(world.faults.lostMore)
      if !more { receivers.remove(at: at) }
      world.multishot(failed: false)
      let completion = Completion(
        token: token, result: Int32(datagram.message.count), more: more, buffer: buffer)
      port.push(Port.Ready(completion: completion, seen: datagram.arrived))
    }
    datagrams.removeFirst(taken)
  }

  func accept(_ port: Port) {
    if accepters.contains(where: { $0 === port }) { world.report("an accept was armed twice") }
    accepters.append(port)
    acceptMore()
  }

  /// False: it was not armed.
  func stopAccepting(_ port: Port) -> Bool {
    let count = accepters.count
    accepters.removeAll { $0 === port }
    return accepters.count < count
  }

  func connect(_ end: any StreamEnd, from address: [UInt8], accepted: @escaping (Socket) -> Void) {
    connections.append((end, address, accepted))
    acceptMore()
  }

  private func acceptMore() {
    let token = Token(.accept, index: index)
    while !connections.isEmpty, !accepters.isEmpty {
      let at = accepters.count == 1 ? 0 : world.chance.below(accepters.count)
      let port = accepters[at]
      if world.isOutOfHandles || world.chance.happens(world.faults.acceptFails) {
        accepters.remove(at: at)
        world.multishot(failed: true)
        port.push(Port.Ready(completion: Completion(token: token, result: -24, more: false, buffer: -1)))
        continue
      }
      let (end, address, accepted) = connections.removeFirst()
      let socket = port.newSocket(.tcp, server: nil, address: address)
      socket.state = .connected
      socket.far = end
      accepted(socket)
      let more = !world.chance.happens(world.faults.lostMore)
      if !more { accepters.remove(at: at) }
      world.multishot(failed: false)
      port.push(Port.Ready(completion: Completion(token: token, result: socket.handle, more: more, buffer: -1)))
    }
  }
}
