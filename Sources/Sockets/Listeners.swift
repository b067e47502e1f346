import CSocket
import Engine
import Memory

/// Why a server's socket could not be had.
public struct ListenError: Error, Sendable {
  /// `dns://127.0.0.1:53`.
  public let listener: String
  public let transport: String
  public let code: Int32
}

/// One shard's sockets: for each listener of the settings one of UDP and one of TCP, all with SO_REUSEPORT. Open as long
/// as somebody keeps them.
public final class Listeners: Sendable {
  public let udp: [Int32]
  public let tcp: [Int32]
  public let isWildcard: [Bool]
  private let addresses: [[UInt8]]

  /// Opens a socket of its own for each listener, but shares those of `existing`: what waits in them is not lost.
  public init(_ settings: Settings, sharing existing: Listeners? = nil) throws(ListenError) {
    var open: [Int32] = []
    do throws(ListenError) {
      for listener in settings.listeners {
        let shared = existing?.addresses.firstIndex(of: listener.address)
        open.append(try Self.socket(listener, Int32(SOCK_DGRAM.rawValue), "udp", shared.map { existing!.udp[$0] }))
        open.append(try Self.socket(listener, Int32(SOCK_STREAM.rawValue), "tcp", shared.map { existing!.tcp[$0] }))
      }
    } catch {
      for socket in open { close(socket) }
      throw error
    }
    udp = stride(from: 0, to: open.count, by: 2).map { open[$0] }
    tcp = stride(from: 1, to: open.count, by: 2).map { open[$0] }
    isWildcard = settings.listeners.map(\.isWildcard)
    addresses = settings.listeners.map(\.address)
  }

  deinit {
    for socket in udp + tcp { close(socket) }
  }

  /// What another process had: for each address, one of UDP and one of TCP. nil: not as many.
  public init?(_ addresses: [[UInt8]], _ sockets: [Descriptor]) {
    guard sockets.count == 2 * addresses.count else { return nil }
    let own = sockets.map { csocket_share($0.number) }
    guard own.allSatisfy({ $0 >= 0 }) else {
      for socket in own where socket >= 0 { close(socket) }
      return nil
    }
    udp = stride(from: 0, to: own.count, by: 2).map { own[$0] }
    tcp = stride(from: 1, to: own.count, by: 2).map { own[$0] }
    isWildcard = addresses.map { _ in false }
    self.addresses = addresses
    // The other process may have limited clients, and may be gone.
    liftLimits()
  }

  /// Has the kernel drop what clients send to a UDP socket beyond their limits.
  public func limit(_ clients: [ClientLimit], on socket: Int) {
    let limits = clients.map { client in
      var limit = csocket_limit()
      limit.is_v6 = client.host.count == 16 ? 1 : 0
      limit.passing = client.passing
      unsafe withUnsafeMutableBytes(of: &limit.host) { unsafe $0.copyBytes(from: client.host) }
      return limit
    }
    // An array without elements may have no memory, and none is read then.
    unsafe limits.withUnsafeBufferPointer { unsafe csocket_limit(udp[socket], $0.baseAddress, UInt32($0.count)) }
  }

  /// Nobody is limited any more, whoever set limits.
  public func liftLimits() { for socket in udp.indices { limit([], on: socket) } }

  /// Datagrams that the kernel dropped, for the shard did not read fast enough, or a client sent more than its limit.
  public var drops: UInt64 { udp.reduce(0) { $0 + UInt64(csocket_drops($1)) } }

  /// For another process: one of UDP and one of TCP for each address, in their order; nil: no descriptors are left.
  public var descriptors: [Descriptor]? {
    let copies = zip(udp, tcp).flatMap { [csocket_share($0), csocket_share($1)] }
    let owned = copies.filter { $0 >= 0 }.map { Descriptor($0) }
    return owned.count == copies.count ? owned : nil
  }

  private static func socket(
    _ listener: Settings.Listener, _ type: Int32, _ transport: String, _ shared: Int32?
  ) throws(ListenError) -> Int32 {
    // The address is a whole sockaddr and outlives the call.
    let socket =
      unsafe shared.map { csocket_share($0) }
      ?? listener.address.withUnsafeBytes {
        unsafe csocket_listen($0.baseAddress!, UInt32($0.count), type, listener.isWildcard ? 1 : 0)
      }
    guard socket >= 0 else { throw ListenError(listener: listener.label, transport: transport, code: -socket) }
    return socket
  }
}

extension Peer {
  /// A stream's other end, and the address of its own. `scratch` is `Peer.size` bytes.
  public init(ofStream descriptor: Int32, scratch: Bytes) {
    let local = scratch.slice(Self.localStart, Self.size - Self.localStart)
    // Room for 28 octets and for 20.
    let length = unsafe csocket_ends(descriptor, scratch.address, local.address)
    self.init(address: scratch.slice(0, Self.addressSize), local: local.slice(0, Int(length)))
  }
}
