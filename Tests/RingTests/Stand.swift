import CSocket
import Engine
import Glibc
import Memory
import Sockets

/// A ring with a listener on a port of 127.0.0.1, itself its only upstream, and the client's side of both. What ends
/// within a test is waited for five seconds.
final class Stand<R: LiveRing & ~Copyable> {
  var ring: R
  let listeners: Listeners
  let directory: RingDirectory
  let address: [UInt8]
  let memory = Region(size: 1 << 20)
  private var seen: [Completion] = []

  init(index: Int = 0, directory: RingDirectory = RingDirectory(shards: 2, events: EventSignal())) throws {
    var settings = Settings()
    let any = [UInt8(AF_INET), 0, 0, 0, 127, 0, 0, 1] + [UInt8](repeating: 0, count: 8)
    settings.listeners = [Settings.Listener(address: any, isWildcard: false, group: 0, label: "dns://127.0.0.1:0")]
    listeners = try Listeners(settings)
    let port = csocket_port(listeners.tcp[0])
    settings.upstreams = [
      Settings.Upstream(address: any[0..<2] + [UInt8(port >> 8), UInt8(port & 0xFF)] + any[4...], label: "itself")
    ]
    let udpPort = csocket_port(listeners.udp[0])
    address = any[0..<2] + [UInt8(udpPort >> 8), UInt8(udpPort & 0xFF)] + any[4...]
    self.directory = directory
    ring = try R(index: index, listeners: listeners, settings: settings, directory: directory)
  }

  /// A connected UDP socket.
  func client() -> Int32 {
    unsafe address.withUnsafeBytes { unsafe csocket_outgoing($0.baseAddress!, UInt32($0.count), 0) }
  }

  /// The next completion of an operation.
  func next(_ operation: Token.Operation) throws -> Completion {
    for _ in 0..<50 {
      if let at = seen.firstIndex(where: { $0.token.operation == operation }) { return seen.remove(at: at) }
      turn(milliseconds: 100)
    }
    throw Late(what: "\(operation)")
  }

  /// The datagram of the next receive.
  func nextDatagram() throws -> (Completion, Datagram) {
    let completion = try next(.receive)
    guard completion.buffer >= 0 else { throw Late(what: "a datagram") }
    return (completion, ring.datagram(in: completion.buffer, result: completion.result, on: 0))
  }

  @discardableResult func turn(milliseconds: UInt64) -> Int {
    let count = ring.turn(timeout: milliseconds * 1_000_000)
    for at in 0..<count { seen.append(ring.completion(at)) }
    return count
  }

  /// How many completions of an operation came that nobody has asked for.
  func left(_ operation: Token.Operation) -> Int { seen.count { $0.token.operation == operation } }

  /// Handles of both ends of a connection to itself: the one that connected, the one that was accepted.
  func connected() throws -> (near: Int32, far: Int32) {
    ring.accept(on: 0)
    let near = ring.open(0, .tcp)
    ring.connect(near, to: 0, token: Token(.connect, index: 0))
    guard try next(.connect).result == 0 else { throw Late(what: "a connection") }
    return (near, try next(.accept).result)
  }
}

/// What did not come in time.
struct Late: Error { let what: String }

/// Sends `octets` from a client's socket.
func send(_ octets: [UInt8], from client: Int32) -> Bool {
  unsafe Glibc.send(client, octets, octets.count, 0) == octets.count
}

/// What comes to a client's socket next, within five seconds.
func receive(at client: Int32) throws -> [UInt8] {
  var watched = pollfd(fd: client, events: Int16(POLLIN), revents: 0)
  guard unsafe poll(&watched, 1, 5000) == 1 else { throw Late(what: "a reply") }
  var octets = [UInt8](repeating: 0, count: 65_536)
  let count = unsafe recv(client, &octets, octets.count, 0)
  return Array(octets.prefix(max(count, 0)))
}
