import CEpoll
import CSocket
import Engine
import Memory
import Sockets
import Upstream

/// The ring of nodes that forbid io_uring: epoll(7), recvmmsg(2) and sendmmsg(2). An operation is tried when it is asked
/// for, or as soon as epoll says that it can go on; its completion is read in the next turn in either case.
///
/// A `cepoll` lives from `init` to `deinit`, and only the ring's thread touches it: every use of the pointer is sound.
@safe public struct EpollRing: LiveRing, ~Copyable {
  let c: UnsafeMutablePointer<cepoll>
  let listeners: Listeners
  private let directory: RingDirectory
  private let index: Int
  private let signal: EventSignal
  let upstreams: [[UInt8]]
  private let scratch = Region(size: 64)
  private var entropy = Entropy()

  /// Those that the last turn returned, then those that have come since, which the next will return.
  private var completions = Table<Completion>(uninitialized: Limits.completions)
  private var returned = 0
  private var completed = 0
  /// Receive buffers that nobody has: the one given back last is filled next, for the processor still has it at hand.
  private var unused = Table<Int>(Array(0..<CEPOLL_BUFFERS))
  private var unusedCount = CEPOLL_BUFFERS
  /// Of replies that the next turn will send.
  private var replied = Table<Int>(uninitialized: CEPOLL_BUFFERS)
  private var repliedCount = 0
  /// What a socket may fill in the first round of a turn; sockets that have filled it, and may have more.
  private var batch = 0
  private let neighbours: Links
  private var fullSockets = IndexList()

  var handles = Slab<Handle>(capacity: Limits.handles)
  var messages = Table<Message>(uninitialized: CEPOLL_REPLIES)
  /// Messages that the next turn will send, or the next that finds no room.
  var queued = 0
  var pairs = ReplyPairs()
  /// Until the kernel, or a device, refuses a pair.
  var pairsReplies = true

  enum Limits {
    /// Sockets but for listeners. A shard has places for 1,024 streams, and 128 connections to each upstream, and closes what is more.
    static let handles = 8192
    /// A turn's datagrams, a client and two operations for each handle, and as many sends as a shard has slots.
    static let completions = 32_768
  }

  /// What an event of the epoll set is about.
  private enum Watched {
    static func udp(_ listener: Int) -> UInt64 { Token(.receive, index: listener).raw }
    static func tcp(_ listener: Int) -> UInt64 { Token(.accept, index: listener).raw }
    static func handle(_ handle: Int) -> UInt64 { Token(.none, index: handle).raw }
    static let signal = Token(.mail, index: 0).raw
  }

  public init(index: Int, listeners: Listeners, settings: Settings, directory: RingDirectory) throws(RingError) {
    unsafe c = cepoll_new()
    self.listeners = listeners
    self.directory = directory
    self.index = index
    signal = directory.signal(of: index)!
    upstreams = settings.upstreams.map(\.address)
    neighbours = Links(capacity: max(1, listeners.udp.count))
    var result = unsafe cepoll_open(c)
    guard result == 0 else { throw RingError(step: "epoll_create1", code: -result) }
    for listener in listeners.tcp { cepoll_set_nonblocking(listener) }
    result = unsafe cepoll_watch(c, signal.descriptor, cepoll_level(), Watched.signal)
    guard result == 0 else { throw RingError(step: "epoll_ctl", code: -result) }
    directory.publish(nil, shard: index)
  }

  deinit { unsafe cepoll_delete(c) }

  public func now() -> UInt64 { csocket_boottime() }

  public mutating func random() -> UInt64 { entropy.next() }

  /// Nothing forbids these calls: most programs with a socket make them.
  public var refusal: Int32 { 0 }

  public mutating func turn(timeout: UInt64?) -> Int {
    submit()
    while repliedCount > 0 {
      repliedCount &-= 1
      release(replied[repliedCount])
    }
    keepUnread()
    let ready = unsafe cepoll_wait(c, completed > 0 ? 0 : timeout.map { Int64(clamping: $0) } ?? -1)
    // A part for each socket, and none while there are few: the first would take them, and again the next time.
    batch = unusedCount < CEPOLL_BUFFERS / 4 ? 0 : max(1, min(CEPOLL_BATCH, unusedCount / max(1, listeners.udp.count)))
    var i = 0
    while i < Int(ready) {
      let event = unsafe cepoll_event(c, UInt32(i))
      unsafe take(Token(raw: event.data.u64), event.events)
      i &+= 1
    }
    while fullSockets.first >= 0 {
      let socket = fullSockets.first
      neighbours.remove(socket, from: &fullSockets)
      receiveBatch(socket)
    }
    returned = completed
    return returned
  }

  private mutating func take(_ token: Token, _ events: UInt32) {
    switch token.operation {
    case .receive: receiveBatch(token.index)
    case .accept: acceptClient(token.index)
    case .mail:
      cepoll_reset(signal.descriptor)
      complete(token, 0)
    default: ready(token.index, events)
    }
  }

  // MARK: Completions

  @inline(__always) public mutating func completion(_ index: Int) -> Completion { completions[index] }

  @inline(__always)
  mutating func complete(_ token: Token, _ result: Int32, more: Bool = false, buffer: Int = -1) {
    completions[completed] = Completion(token: token, result: result, more: more, buffer: buffer)
    completed &+= 1
  }

  /// What has come since the last turn moves to the front.
  private mutating func keepUnread() {
    var kept = 0
    while returned < completed {
      completions[kept] = completions[returned]
      returned &+= 1
      kept &+= 1
    }
    completed = kept
  }

  // MARK: Listeners

  public mutating func receive(on socket: Int) {
    watch(listeners.udp[socket], Watched.udp(socket), Token(.receive, index: socket))
  }

  public mutating func accept(on listener: Int) {
    watch(listeners.tcp[listener], Watched.tcp(listener), Token(.accept, index: listener))
  }

  /// Has a listener reported as long as there is something. Without room for it in the set the operation fails.
  private mutating func watch(_ descriptor: Int32, _ watched: UInt64, _ token: Token) {
    let result = unsafe cepoll_watch(c, descriptor, cepoll_level(), watched)
    if result < 0 { complete(token, result) }
  }

  /// False: it was not watched.
  @discardableResult func unwatch(_ descriptor: Int32) -> Bool { unsafe cepoll_watch(c, descriptor, 0, 0) == 0 }

  public var receiveBuffers: Int { CEPOLL_BUFFERS }

  public func isFilling(_ socket: Int) -> Bool { csocket_is_filling(listeners.udp[socket]) != 0 }

  public func limit(_ clients: [ClientLimit], on socket: Int) { listeners.limit(clients, on: socket) }

  /// Takes what there is, up to a batch. Without a buffer epoll will come back to it.
  private mutating func receiveBatch(_ socket: Int) {
    let room = min(batch, unusedCount)
    guard room > 0 else { return }
    var at = 0
    while at < room {
      unsafe cepoll_place(c, UInt32(at), UInt32(unused[unusedCount &- 1 &- at]))
      at &+= 1
    }
    let token = Token(.receive, index: socket)
    let count = unsafe cepoll_receive(c, listeners.udp[socket], UInt32(room))
    guard count >= 0 else {
      guard -count != EAGAIN, -count != EINTR else { return }
      unwatch(listeners.udp[socket])
      return complete(token, count)
    }
    at = 0
    while at < Int(count) {
      unusedCount &-= 1
      complete(token, unsafe Int32(cepoll_length(c, UInt32(at))), more: true, buffer: unused[unusedCount])
      at &+= 1
    }
    if at == room { neighbours.append(socket, to: &fullSockets) }
  }

  /// Takes one client, for each is work: epoll comes back to the others.
  private mutating func acceptClient(_ listener: Int) {
    let token = Token(.accept, index: listener)
    let result = adopt(cepoll_accept(listeners.tcp[listener]))
    if result == -EAGAIN || result == -EINTR { return }
    if result < 0 { unwatch(listeners.tcp[listener]) }
    complete(token, result, more: result >= 0)
  }

  @inline(__always) public func sender(of buffer: Int) -> Bytes { bytes(buffer).slice(0, Int(CSOCKET_NAME)) }

  @inline(__always) public func datagram(in buffer: Int, result: Int32, on socket: Int) -> Datagram {
    let buffer = bytes(buffer)
    let message = buffer.from(CEPOLL_HEADROOM)
    // The payload of the one control message: in_pktinfo after AF_INET (2), else in6_pktinfo.
    let local =
      listeners.isWildcard[socket] && buffer[CEPOLL_HAS_CONTROL] != 0
      ? buffer.slice(CEPOLL_CONTROL &+ 16, buffer[0] == 2 ? 12 : 20) : buffer.slice(0, 0)
    return Datagram(
      buffer: message, length: Int(result), sender: buffer.slice(0, Int(CSOCKET_NAME)), local: local,
      truncated: buffer[CEPOLL_IS_CUT] != 0)
  }

  @inline(__always) func bytes(_ buffer: Int) -> Bytes {
    unsafe Bytes(
      base: cepoll_buffer(c, UInt32(truncatingIfNeeded: buffer)), count: CEPOLL_SIZE)
  }

  @inline(__always) public mutating func release(_ buffer: Int) {
    unused[unusedCount] = buffer
    unusedCount &+= 1
  }

  /// The next turn sends what stands in a buffer, and has it back.
  @inline(__always) mutating func keep(_ buffer: Int) {
    replied[repliedCount] = buffer
    repliedCount &+= 1
  }

  // MARK: Other shards and threads

  public mutating func wake(_ shard: Int) {
    if shard == index {
      complete(Token(.mail, index: 0), 0)
    } else {
      directory.signal(of: shard)?.signal()
    }
  }

  public mutating func signalEvents() { directory.events.signal() }

  public func peer(of handle: Int32) -> Peer { Peer(ofStream: descriptor(of: handle), scratch: scratch.bytes) }

  /// Has what can be done with a handle reported, once whenever it changes. 0 or -errno.
  mutating func watch(handle: Int) -> Int32 {
    unsafe cepoll_watch(c, handles[handle].descriptor, cepoll_edge(), Watched.handle(handle))
  }
}
