import CUring
import Engine
import Memory

/// Why a server's socket could not be had.
public struct ListenError: Error, Sendable {
  /// `dns://127.0.0.1:53`.
  public let listener: String
  public let transport: String
  public let code: Int32
}

/// One shard's sockets: for each listener of the settings one of UDP and one of TCP, all with SO_REUSEPORT. Closed when
/// their ring is.
public struct Listeners: ~Copyable, Sendable {
  let udp: [Int32]
  let tcp: [Int32]
  let isWildcard: [Bool]
  /// By address. Good as long as the ring that has them: a successor's listeners share them.
  public let sockets: [[UInt8]: Sockets]

  public struct Sockets: Sendable {
    let udp: Int32
    let tcp: Int32
  }

  /// Opens a socket of its own for each listener, but shares those of `existing`: what waits in them is not lost.
  public init(_ settings: Settings, sharing existing: [[UInt8]: Sockets] = [:]) throws(ListenError) {
    var open: [Int32] = []
    do throws(ListenError) {
      for listener in settings.listeners {
        let shared = existing[listener.address]
        open.append(try Self.socket(listener, Int32(SOCK_DGRAM.rawValue), "udp", shared?.udp))
        open.append(try Self.socket(listener, Int32(SOCK_STREAM.rawValue), "tcp", shared?.tcp))
      }
    } catch {
      for socket in open { close(socket) }
      throw error
    }
    udp = stride(from: 0, to: open.count, by: 2).map { open[$0] }
    tcp = stride(from: 1, to: open.count, by: 2).map { open[$0] }
    isWildcard = settings.listeners.map(\.isWildcard)
    sockets = Dictionary(
      zip(settings.listeners.map(\.address), zip(udp, tcp).map { Sockets(udp: $0, tcp: $1) }), uniquingKeysWith: { one, _ in one })
  }

  deinit {
    for socket in udp + tcp { close(socket) }
  }

  private static func socket(
    _ listener: Settings.Listener, _ type: Int32, _ transport: String, _ shared: Int32?
  ) throws(ListenError) -> Int32 {
    // The address is a whole sockaddr and outlives the call.
    let socket = unsafe shared.map { curing_share($0) }
      ?? listener.address.withUnsafeBytes {
        unsafe curing_listen($0.baseAddress!, UInt32($0.count), type, listener.isWildcard ? 1 : 0)
      }
    guard socket >= 0 else { throw ListenError(listener: listener.label, transport: transport, code: -socket) }
    return socket
  }
}
