import CSocket
import Engine
import Glibc
import Memory
import Sockets

/// Does each thing once that shards ask of a ring, and waits for what must come of it. What a kernel has, and what a
/// seccomp profile lets through, is known by doing it: versions say neither. All on sockets of its own on loopback; it takes some
/// milliseconds where all is well.
public struct RingTrial<R: LiveRing & ~Copyable>: ~Copyable {
  private var ring: R
  private var other: R
  private let plain: Int32
  private let wildcard: Int32
  private var completions: [Completion] = []
  private let slot = Region(size: 4096)

  /// Waits of this many nanoseconds, at most so many for each completion.
  private static var wait: UInt64 { 100_000_000 }
  private static var waits: Int { 10 }

  /// Makes a ring for shard 0 and one for shard 1, and tries the first. Throws what failed.
  public static func run() throws(RingError) {
    var settings = Settings()
    let any: [UInt8] = [UInt8(AF_INET), 0, 0, 0, 0, 0, 0, 0] + [UInt8](repeating: 0, count: 8)
    let loopback: [UInt8] = any[0..<4] + [127, 0, 0, 1] + any[8...]
    settings.listeners = [
      Settings.Listener(address: loopback, isWildcard: false, group: 0, label: "dns://127.0.0.1:0"),
      Settings.Listener(address: any, isWildcard: true, group: 0, label: "dns://0.0.0.0:0"),
    ]
    let listeners: Listeners
    do { listeners = try Listeners(settings) } catch { throw RingError(step: "bind", code: error.code) }
    let stream = loopback.withPort(of: listeners.tcp[0])
    settings.upstreams = [Settings.Upstream(address: stream, label: "127.0.0.1")]
    let directory = RingDirectory(shards: 2, events: EventSignal())
    let clients = try [0, 1].map { index throws(RingError) in
      try client(of: loopback.withPort(of: listeners.udp[index]))
    }
    defer { for client in clients { Glibc.close(client) } }
    var trial = RingTrial(
      ring: try R(index: 0, listeners: listeners, settings: settings, directory: directory),
      other: try R(index: 1, listeners: listeners, settings: settings, directory: directory),
      plain: clients[0], wildcard: clients[1])
    try trial.datagrams()
    try trial.streams()
    try trial.wakes()
  }

  private init(ring: consuming R, other: consuming R, plain: Int32, wildcard: Int32) {
    self.ring = ring
    self.other = other
    self.plain = plain
    self.wildcard = wildcard
  }

  private static func client(of address: [UInt8]) throws(RingError) -> Int32 {
    // The address is a whole sockaddr_in and outlives the call.
    let client = unsafe address.withUnsafeBytes { unsafe csocket_outgoing($0.baseAddress!, UInt32($0.count), 0) }
    guard client >= 0 else { throw RingError(step: "connect", code: -client) }
    return client
  }

  /// Two queries together, answered as a pair; one to the unspecified address; an answer that had to wait.
  private mutating func datagrams() throws(RingError) {
    ring.receive(on: 0)
    ring.receive(on: 1)
    _ = ring.turn(timeout: 0)
    try ask(plain)
    try ask(plain)
    var peer = Peer()
    for _ in 0..<2 {
      let completion = try expect(.receive, "recvmsg, multishot, into a buffer ring")
      let datagram = try received(completion, on: 0)
      guard completion.more, datagram.length == 4 else {
        throw RingError(step: "recvmsg, multishot, into a buffer ring", code: EIO)
      }
      peer = Peer(address: datagram.sender, local: datagram.local)
      ring.reply(with: completion.buffer, length: 4, on: 0)
    }
    try answered(plain, "send")
    try answered(plain, "send")
    try ask(wildcard)
    let completion = try expect(.receive, "recvmsg, multishot, with packet info")
    guard try received(completion, on: 1).local.count > 0 else {
      throw RingError(step: "recvmsg, multishot, with packet info", code: EIO)
    }
    ring.reply(with: completion.buffer, length: 4, on: 1)
    try answered(wildcard, "sendmsg")
    ring.send(slot.bytes, length: 4, to: peer, on: 0, token: Token(.send, index: 0))
    try succeeded(expect(.send, "send from a slot"), "send from a slot")
    try answered(plain, "send from a slot")
  }

  private func received(_ completion: Completion, on socket: Int) throws(RingError) -> Datagram {
    guard completion.buffer >= 0 else { throw RingError(step: "recvmsg, multishot", code: -completion.result) }
    return ring.datagram(in: completion.buffer, result: completion.result, on: socket)
  }

  /// A connection of the ring to itself, what goes through it, and a read that is cancelled.
  private mutating func streams() throws(RingError) {
    ring.accept(on: 0)
    let near = ring.open(0, .tcp)
    guard near >= 0 else { throw RingError(step: "socket", code: -near) }
    ring.connect(near, to: 0, token: Token(.connect, index: 0))
    try succeeded(expect(.connect, "connect"), "connect")
    let far = try expect(.accept, "accept").result
    guard far >= 0 else { throw RingError(step: "accept", code: -far) }
    ring.read(far, into: slot.bytes.slice(1024, 1024), token: Token(.streamRead, index: 0))
    ring.write(near, from: slot.bytes.slice(0, 4), token: Token(.upstreamWrite, index: 0))
    try succeeded(expect(.upstreamWrite, "send on a stream"), "send on a stream")
    try succeeded(expect(.streamRead, "recv"), "recv")
    ring.read(far, into: slot.bytes.slice(1024, 1024), token: Token(.streamRead, index: 0))
    _ = ring.turn(timeout: 0)
    ring.cancel(far)
    guard try expect(.streamRead, "cancel").result < 0 else { throw RingError(step: "cancel", code: EIO) }
    ring.close(far)
    ring.close(near)
  }

  private mutating func wakes() throws(RingError) {
    ring.wake(0)
    _ = try expect(.mail, "nop")
    ring.wake(1)
    _ = ring.turn(timeout: 0)
    for _ in 0..<Self.waits {
      let count = other.turn(timeout: Self.wait)
      for at in 0..<count where other.completion(at).token.operation == .mail { return }
    }
    throw RingError(step: "msg_ring", code: ETIMEDOUT)
  }

  private func ask(_ client: Int32) throws(RingError) {
    // Four octets of the slot, which lives through the call.
    guard unsafe Glibc.send(client, slot.bytes.address, 4, 0) == 4 else {
      throw RingError(step: "sending to oneself", code: errno)
    }
  }

  /// Has the ring send what it is to send, and waits for it at the other end.
  private mutating func answered(_ client: Int32, _ step: String) throws(RingError) {
    take(ring.turn(timeout: 0))
    var watched = pollfd(fd: client, events: Int16(POLLIN), revents: 0)
    // The one element, and the slot, live through the calls.
    guard unsafe poll(&watched, 1, Int32(Self.wait / 1_000_000) * Int32(Self.waits)) == 1 else {
      throw RingError(step: step, code: ring.refusal != 0 ? ring.refusal : ETIMEDOUT)
    }
    guard unsafe recv(client, slot.bytes.address, 64, 0) == 4 else { throw RingError(step: step, code: errno) }
  }

  private mutating func take(_ count: Int) {
    for at in 0..<count { completions.append(ring.completion(at)) }
  }

  /// The next completion of an operation.
  private mutating func expect(_ operation: Token.Operation, _ step: String) throws(RingError) -> Completion {
    for _ in 0..<Self.waits {
      if let at = completions.firstIndex(where: { $0.token.operation == operation }) {
        return completions.remove(at: at)
      }
      take(ring.turn(timeout: Self.wait))
      if ring.refusal != 0 { throw RingError(step: step, code: ring.refusal) }
    }
    throw RingError(step: step, code: ETIMEDOUT)
  }

  private func succeeded(_ completion: Completion, _ step: String) throws(RingError) {
    if completion.result < 0 { throw RingError(step: step, code: -completion.result) }
  }
}

extension [UInt8] {
  /// This sockaddr_in with the port that a socket is bound to.
  fileprivate func withPort(of socket: Int32) -> [UInt8] {
    let port = csocket_port(socket)
    return self[0..<2] + [UInt8(port >> 8), UInt8(port & 0xFF)] + self[4...]
  }
}
