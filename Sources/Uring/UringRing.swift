import CSocket
import CUring
import Engine
import Memory
import Sockets
import Upstream

/// The live ring: io_uring with multishot receive into a ring of provided buffers.
///
/// A `curing` lives on the heap from `init` to `deinit`; only the thread that made the ring touches it
/// (IORING_SETUP_SINGLE_ISSUER), so every use of the pointer below is sound.
@safe public struct UringRing: LiveRing, ~Copyable {
  private let c: UnsafeMutablePointer<curing>
  private let listeners: Listeners
  private let directory: RingDirectory
  private let signal: EventSignal
  private let index: Int
  private let upstreams: [[UInt8]]
  private var seen: UInt32 = 0
  private let scratch = Region(size: 64)
  private var entropy = Entropy()
  private var pairs = ReplyPairs()
  /// Until the kernel, or a device, refuses a pair.
  private var pairsReplies = true

  /// Submission entries; replies of one turn beyond them take another system call.
  static let entries: UInt32 = 2048
  /// Receive buffers, shared by all listeners: what can be received and not answered.
  static let buffers: UInt32 = 1024
  /// No power of two: the same offset of different buffers falls on different sets of the processor's cache.
  static let bufferSize: UInt32 = 1472
  /// Marks the completion of a pair of replies: socket, second buffer, first buffer below it, 16 bits each.
  private static let pairMark: UInt64 = 0xFF << 56
  /// Marks a wake by eventfd: above all pairs, so that other completions are told apart by one comparison.
  private static let signalled = UInt64.max

  public init(index: Int, listeners: Listeners, settings: Settings, directory: RingDirectory)
    throws(RingError)
  {
    unsafe c = curing_new()
    self.listeners = listeners
    self.directory = directory
    signal = directory.signal(of: index)!
    self.index = index
    upstreams = settings.upstreams.map(\.address)
    var result = unsafe curing_open(c, Self.entries, Self.buffers, Self.bufferSize)
    guard result == 0 else { throw RingError(step: "io_uring_setup", code: -result) }
    result = unsafe self.listeners.udp.withUnsafeBufferPointer {
      unsafe io_uring_register_files(&c.pointee.ring, $0.baseAddress, UInt32($0.count))
    }
    guard result == 0 else { throw RingError(step: "io_uring_register_files", code: -result) }
    directory.publish(unsafe c.pointee.ring.ring_fd, shard: index)
    watchSignal()
  }

  /// Shards without a ring wake this one by its eventfd. Nobody reads it: each write to it completes once.
  private func watchSignal() { unsafe curing_watch(c, signal.descriptor, Self.signalled) }

  deinit {
    unsafe curing_close(c)
    unsafe curing_delete(c)
  }

  public func now() -> UInt64 { csocket_boottime() }

  public mutating func random() -> UInt64 { entropy.next() }

  public var refusal: Int32 { unsafe c.pointee.refused }

  public mutating func turn(timeout: UInt64?) -> Int {
    while let single = pairs.takeNext() { send(single) }
    seen = unsafe curing_turn(c, seen, timeout.map { Int64(clamping: $0) } ?? -1)
    return Int(seen)
  }

  @inline(__always) public mutating func completion(_ index: Int) -> Completion {
    let cqe = unsafe curing_cqe(c, UInt32(truncatingIfNeeded: index))
    let data = unsafe cqe.pointee.user_data
    if data >= Self.pairMark {
      if data == Self.signalled { return signalled(unsafe curing_more(cqe) != 0) }
      return paired(data, unsafe cqe.pointee.res)
    }
    return unsafe Completion(
      token: Token(raw: data), result: cqe.pointee.res, more: curing_more(cqe) != 0, buffer: Int(curing_buffer(cqe)))
  }

  public var receiveBuffers: Int { Int(Self.buffers) }

  public func isFilling(_ socket: Int) -> Bool { csocket_is_filling(listeners.udp[socket]) != 0 }

  public func limit(_ clients: [ClientLimit], on socket: Int) { listeners.limit(clients, on: socket) }

  public mutating func receive(on socket: Int) {
    unsafe curing_receive(
      c, Int32(socket), listeners.isWildcard[socket] ? 1 : 0, Token(.receive, index: socket).raw)
  }

  @inline(__always) public func sender(of buffer: Int) -> Bytes { bytes(buffer).slice(16, Int(CSOCKET_NAME)) }

  @inline(__always) public func datagram(in buffer: Int, result: Int32, on socket: Int) -> Datagram {
    let buffer = bytes(buffer)
    // struct io_uring_recvmsg_out: namelen, controllen, payloadlen, flags; 32 bits each, host order.
    let control = Int(buffer.u32(4).byteSwapped)
    let payload = Int(buffer.u32(8).byteSwapped)
    let flags = buffer.u32(12).byteSwapped
    let isWildcard = listeners.isWildcard[socket]
    let start = Int(CURING_HEADROOM) &+ (isWildcard ? Int(CSOCKET_CONTROL) : 0)
    let message = buffer.from(start)
    // The payload of the one control message: in_pktinfo after AF_INET (2), else in6_pktinfo.
    let local =
      isWildcard && control > 16
      ? buffer.slice(Int(CURING_HEADROOM) &+ 16, buffer[16] == 2 ? 12 : 20)
      : buffer.slice(0, 0)
    return Datagram(
      buffer: message, length: min(payload, message.count), sender: buffer.slice(16, Int(CSOCKET_NAME)),
      local: local, truncated: flags & UInt32(MSG_TRUNC) != 0 || payload > message.count)
  }

  /// A receive buffer but for its tail.
  @inline(__always) private func bytes(_ buffer: Int) -> Bytes {
    unsafe Bytes(
      base: curing_at(c, UInt32(truncatingIfNeeded: buffer)), count: Int(Self.bufferSize) &- Int(CURING_TAIL))
  }

  @inline(__always) public mutating func reply(with buffer: Int, length: Int, on socket: Int) {
    let reply = ReplyPairs.Held(buffer: buffer, length: length, socket: socket)
    guard pairsReplies, !listeners.isWildcard[socket] else { return send(reply) }
    let sender = sender(of: buffer)
    guard let other = pairs.exchange(reply, from: sender) else { return }
    guard other.socket == reply.socket, ReplyPairs.isSame(self.sender(of: Int(other.buffer)), sender) else {
      return send(other)
    }
    pairs.drop(sender)
    let (first, second) = other.length >= reply.length ? (other, reply) : (reply, other)
    unsafe curing_reply_pair(
      c, Int32(socket), UInt32(first.buffer), UInt32(first.length), UInt32(second.buffer), UInt32(second.length),
      Self.pairMark | UInt64(socket) << 32 | UInt64(second.buffer) << 16 | UInt64(first.buffer))
  }

  private mutating func signalled(_ more: Bool) -> Completion {
    if !more { watchSignal() }
    return Completion(token: Token(.mail, index: 0), result: 0, more: false, buffer: -1)
  }

  /// A pair is sent, or each of it is now sent alone: not all devices take segments before Linux 6.11 (EIO).
  private mutating func paired(_ data: UInt64, _ result: Int32) -> Completion {
    let first = UInt32(truncatingIfNeeded: data & 0xFFFF)
    let second = UInt32(truncatingIfNeeded: data >> 16 & 0xFFFF)
    if result >= 0 {
      unsafe curing_put_back(c, first)
      unsafe curing_put_back(c, second)
    } else {
      if -result != EAGAIN { pairsReplies = false }
      let socket = Int(truncatingIfNeeded: data >> 32 & 0xFFFF)
      let parts = unsafe curing_tail(c, first).pointee.parts
      send(ReplyPairs.Held(buffer: Int(first), length: unsafe parts.0.iov_len, socket: socket))
      send(ReplyPairs.Held(buffer: Int(second), length: unsafe parts.1.iov_len, socket: socket))
    }
    return Completion(token: Token(.none, index: 0), result: 0, more: false, buffer: -1)
  }

  @inline(__always) private mutating func send(_ reply: ReplyPairs.Held) {
    unsafe curing_reply(
      c, Int32(reply.socket), listeners.isWildcard[Int(reply.socket)] ? 1 : 0, UInt32(reply.buffer),
      UInt32(reply.length), Token(.reply, index: 0).raw)
  }
  @inline(__always) public mutating func release(_ buffer: Int) {
    unsafe curing_put_back(c, UInt32(truncatingIfNeeded: buffer))
  }

  public mutating func send(_ slot: Bytes, length: Int, to peer: Peer, on socket: Int, token: Token) {
    precondition(slot.count >= sendHeadroom + length)
    peer.write(to: slot)
    unsafe curing_send(
      c, Int32(socket), slot.address.assumingMemoryBound(to: UInt8.self), UInt32(length), UInt32(peer.localLength),
      token.raw)
  }

  public mutating func accept(on listener: Int) {
    unsafe curing_accept(c, listeners.tcp[listener], Token(.accept, index: listener).raw)
  }

  public func peer(of handle: Int32) -> Peer { Peer(ofStream: handle, scratch: scratch.bytes) }

  public mutating func open(_ upstream: Int, _ transport: Transport) -> Int32 {
    unsafe upstreams[upstream].withUnsafeBytes {
      unsafe csocket_outgoing($0.baseAddress!, UInt32($0.count), transport == .tcp ? 1 : 0)
    }
  }

  public mutating func connect(_ handle: Int32, to upstream: Int, token: Token) {
    // The kernel copies the address when the entry is submitted; the array lives as long as the ring.
    unsafe upstreams[upstream].withUnsafeBytes {
      unsafe curing_connect(c, handle, $0.baseAddress!, UInt32($0.count), token.raw)
    }
  }

  public mutating func read(_ handle: Int32, into buffer: Bytes, token: Token) {
    unsafe curing_read(c, handle, buffer.address, buffer.count, token.raw)
  }

  public mutating func write(_ handle: Int32, from buffer: Bytes, token: Token) {
    unsafe curing_write(c, handle, buffer.address, buffer.count, token.raw)
  }

  public mutating func stop(_ token: Token, on handle: Int32?) { unsafe curing_stop(c, token.raw) }

  public mutating func cancel(_ handle: Int32) { unsafe curing_cancel(c, handle) }

  public mutating func close(_ handle: Int32) { CSocket.close(handle) }

  // A handle is a descriptor.
  public func descriptor(of handle: Int32) -> Int32 { handle }
  public mutating func abandon(_ handle: Int32) {}
  public mutating func adopt(_ descriptor: Int32) -> Int32 { descriptor }

  public mutating func wake(_ shard: Int) {
    let token = Token(.mail, index: 0).raw
    let ring = directory.ring(of: shard)
    if shard == index {
      unsafe curing_nop(c, token)
    } else if ring >= 0 {
      unsafe curing_wake(c, ring, token)
    } else {
      directory.signal(of: shard)?.signal()
    }
  }

  public mutating func signalEvents() { directory.events.signal() }
}
