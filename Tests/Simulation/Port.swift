import Engine
import Memory
import Upstream

/// The kernel's side of one shard's ring: what was asked for and not carried out, what was carried out and not seen, and
/// who owns which memory meanwhile.
final class Port {
  /// A completion, and what the shard gets back by seeing it.
  struct Ready {
    let completion: Completion
    var handle: Int32 = -1
    /// Memory that was the ring's until now.
    var memory: Range<UInt>?
    /// A reply's receive buffer.
    var buffer = -1
    /// Called when the shard sees it.
    var seen: (() -> Void)?
  }

  unowned let world: World
  let generation: Generation
  let index: Int
  /// When the shard's thread runs next: something is there for it, or its wait is over.
  var turnAt = UInt64.max
  /// It does not run before.
  private(set) var stalledUntil: UInt64 = 0
  let listening: [ListeningSocket]
  var random: Chance
  var buffers: ReceiveBuffers
  var hasEvents = false
  var isForbidden = false
  /// errno, once the shard has met with it.
  private(set) var refusal: Int32 = 0
  /// Replies asked for and not carried out.
  var unsubmittedReplies = 0

  private var queue: [(Port) -> Void] = []
  private var ready: [Ready] = []
  private var reaped: [Ready] = []
  private(set) var sockets: [Int32: Socket] = [:]
  private var freeHandles: [Int32] = []
  private var nextHandle: Int32 = 100
  private var owned: [Range<UInt>] = []

  init(world: World, generation: Generation, index: Int) {
    self.world = world
    self.generation = generation
    self.index = index
    listening = world.listening[index]
    random = Chance(seed: world.chance.next())
    buffers = ReceiveBuffers(count: world.faults.buffers)
  }

  var hasReady: Bool { !ready.isEmpty }
  /// Nothing is the ring's but the receive buffers that wait for datagrams.
  var isAtRest: Bool { ready.isEmpty && queue.isEmpty && owned.isEmpty && sockets.isEmpty && buffers.areAllFree }

  /// After the shard's last turn: the kernel ends what its thread left open, connections to upstreams.
  func shutDown() {
    for socket in sockets.values.sorted(by: { $0.handle < $1.handle }) {
      if socket.server == nil { world.report("a shard has left with a client's connection, handle \(socket.handle)") }
      socket.shutDown()
    }
    takeApart()
    if !buffers.areFreeOrSent { world.report("a shard has left with receive buffers") }
  }

  /// It was forbidden: what it held is closed, what it was to send is lost.
  func die() {
    for socket in sockets.values.sorted(by: { $0.handle < $1.handle }) {
      if let client = socket.far as? ClientStream { client.isGood = false }
      socket.shutDown()
    }
    world.ledger.lost += unsubmittedReplies
    world.ledger.brokenStreams += 1
    takeApart()
  }

  /// Ends what refers to each other.
  func takeApart() {
    for socket in listening {
      _ = socket.stopReceiving(self)
      _ = socket.stopAccepting(self)
    }
    sockets = [:]
    queue = []
    owned = []
  }

  /// More connections than a shard has places for would be a leak.
  func checkBounds() {
    if sockets.count > 1200 { world.report("\(sockets.count) connections of one shard") }
    if owned.count > 8192 { world.report("\(owned.count) operations of one shard") }
  }

  /// Something is there for the shard: its thread runs soon.
  func rouse() {
    if world.chance.happens(world.faults.stall) {
      stalledUntil = world.time + world.chance.between(0, world.faults.stallMost)
    }
    turnAt = max(stalledUntil, min(turnAt, world.time + world.chance.between(500, 20 * microsecond)))
  }

  // Completions.

  func reap() -> Int {
    if isForbidden {
      refusal = 1
      return 0
    }
    if !queue.isEmpty { submit() }
    if !reaped.isEmpty { world.report("a completion was not looked at") }
    let count =
      world.chance.happens(world.faults.partialReap) ? 1 + world.chance.below(max(1, ready.count)) : ready.count
    reaped = Array(ready.prefix(count))
    ready.removeFirst(reaped.count)
    return reaped.count
  }

  func see(_ index: Int) -> Completion {
    let seen = reaped[index]
    if index == reaped.count - 1 { reaped = [] }
    seen.seen?()
    if seen.handle >= 0 { sockets[seen.handle]?.outstanding -= 1 }
    if let memory = seen.memory { disown(memory) }
    if seen.buffer >= 0 { buffers.free(seen.buffer) }
    if seen.completion.token.operation == .receive, seen.completion.buffer >= 0 {
      buffers.hand(seen.completion.buffer)
    }
    return seen.completion
  }

  /// Puts a completion where the shard will see it, at once or a little later.
  func complete(_ token: Token, _ result: Int32, ofHandle handle: Int32 = -1, releasing memory: Bytes? = nil) {
    let item = Ready(
      completion: Completion(token: token, result: result, more: false, buffer: -1), handle: handle,
      memory: memory?.range)
    afterwards { self.push(item) }
  }

  func afterwards(_ action: @escaping () -> Void) {
    if world.chance.happens(world.faults.slowCompletion) {
      world.at(world.time + world.chance.between(1, millisecond), action)
    } else {
      action()
    }
  }

  /// In order among those of one operation: a multishot's completions do not overtake each other.
  func push(_ item: Ready) {
    var at = ready.count
    if !item.completion.more, item.completion.token.operation != .receive, item.completion.token.operation != .accept,
      world.chance.happens(world.faults.shuffle)
    {
      at = world.chance.below(ready.count + 1)
    }
    ready.insert(item, at: at)
    rouse()
  }

  // Submissions.

  func submit(_ action: @escaping (Port) -> Void) { queue.append(action) }

  func submit() {
    let actions = queue
    queue = []
    for action in actions { action(self) }
  }

  // Memory: what the ring was given is nobody else's until the completion.

  func own(_ memory: Bytes, _ use: String) {
    let range = memory.range
    for other in owned where other.overlaps(range) { world.report("\(use) of memory that is in use") }
    owned.append(range)
  }

  private func disown(_ range: Range<UInt>) {
    guard let at = owned.firstIndex(of: range) else { return world.report("memory was given back twice") }
    owned.swapAt(at, owned.count - 1)
    owned.removeLast()
  }

  /// How much of `count` octets an operation gets done.
  func part(of count: Int) -> Int {
    guard world.chance.happens(world.faults.short) else { return count }
    return world.chance.below(3) == 0 ? 1 : 1 + world.chance.below(count)
  }

  // Handles.

  /// A number is used again as soon as it may be, as descriptors are.
  private func newHandle() -> Int32 {
    let handle = freeHandles.popLast() ?? nextHandle
    if handle == nextHandle { nextHandle += 1 }
    return handle
  }

  func newSocket(_ transport: Transport, server: SimulatedUpstream?, address: [UInt8]) -> Socket {
    let socket = Socket(port: self, handle: newHandle(), transport: transport, server: server, address: address)
    sockets[socket.handle] = socket
    return socket
  }

  func descriptor(_ handle: Int32) -> Int32 {
    guard let socket = sockets[handle] else { return -9 }
    return socket.descriptor
  }

  func abandon(_ handle: Int32) {
    guard let socket = sockets.removeValue(forKey: handle) else {
      return world.report("handle \(handle) was handed over, which is not open")
    }
    if socket.outstanding > 0 { world.report("handle \(handle) was handed over with operations outstanding") }
    world.abandoned[socket.descriptor] = socket
    freeHandles.append(handle)
  }

  func adopt(_ descriptor: Int32) -> Int32 {
    guard let socket = world.abandoned.removeValue(forKey: descriptor) else {
      world.report("descriptor \(descriptor) was taken over, which nobody handed over")
      return -9
    }
    socket.move(to: self, handle: newHandle())
    sockets[socket.handle] = socket
    return socket.handle
  }

  func open(_ upstream: Int, _ transport: Transport) -> Int32 {
    if world.chance.happens(world.faults.openFails) { return -24 }
    let socket = newSocket(transport, server: generation.server(upstream), address: [])
    if transport == .udp { socket.state = .connected }
    return socket.handle
  }

  func peer(_ handle: Int32) -> Peer {
    guard let socket = sockets[handle] else { return Peer() }
    let scratch = world.scratch.bytes
    scratch.put(socket.address, at: 0)
    return Peer(address: scratch.slice(0, Peer.addressSize), local: scratch.slice(0, 0))
  }

  func connect(_ handle: Int32, _ upstream: Int, _ token: Token) {
    operate(handle, "connect") { socket in
      socket.state = .connecting
      socket.connecting = token
      socket.server?.connecting(socket)
    }
  }

  func read(_ handle: Int32, _ buffer: Bytes, _ token: Token) {
    own(buffer, "a read")
    operate(handle, "read") { $0.read(Socket.Operation(buffer: buffer, token: token)) }
  }

  func write(_ handle: Int32, _ buffer: Bytes, _ token: Token) {
    own(buffer, "a write")
    let bytes = buffer.octets()
    operate(handle, "write") { [world] socket in
      if !buffer.holds(bytes) { world.report("a write's bytes changed before it was carried out") }
      socket.write(Socket.Operation(buffer: buffer, token: token))
    }
  }

  private func operate(_ handle: Int32, _ name: String, _ action: @escaping (Socket) -> Void) {
    guard let socket = sockets[handle] else { return world.report("\(name) on handle \(handle), which is not open") }
    socket.outstanding += 1
    submit { port in
      // By then the number may stand for another socket: the kernel looks it up when it carries the entry out.
      if port.sockets[handle] !== socket { port.world.report("handle \(handle) was closed with a \(name) unsubmitted") }
      action(socket)
    }
  }

  func cancel(_ handle: Int32) {
    guard sockets[handle] != nil else { return world.report("cancel on handle \(handle), which is not open") }
    submit { $0.sockets[handle]?.cancel() }
  }

  func stop(_ token: Token) {
    switch token.operation {
    case .receive:
      guard listening[token.index].stopReceiving(self) else { return }
      push(Ready(completion: Completion(token: token, result: Completion.stopped, more: false, buffer: -1)))
    case .accept:
      guard listening[token.index].stopAccepting(self) else { return }
      push(Ready(completion: Completion(token: token, result: Completion.stopped, more: false, buffer: -1)))
    default:
      for socket in sockets.values where socket.reading?.token == token { socket.stopReading() }
    }
  }

  func close(_ handle: Int32) {
    guard let socket = sockets.removeValue(forKey: handle) else {
      return world.report("close of handle \(handle), which is not open")
    }
    socket.close()
    freeHandles.append(handle)
  }

  /// Another shard, or the next generation's.
  func wake(_ shard: Int) {
    guard let port = generation.wake(shard) else { return world.report("shard \(shard) was woken, which is not there") }
    port.wake()
  }

  func wake() {
    guard !world.chance.happens(world.faults.wakeLost) else { return }
    let item = Ready(completion: Completion(token: Token(.mail, index: 0), result: 0, more: false, buffer: -1))
    let delay = world.chance.happens(world.faults.wakeLate) ? world.chance.between(0, 20 * millisecond) : 0
    world.at(world.time + delay) { self.push(item) }
  }
}
