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

/// One shard's sockets: for each listener of the settings one of UDP and one of TCP, all with SO_REUSEPORT.
/// Open until `close`.
public struct Listeners: Sendable {
  public let udp: [Int32]
  public let tcp: [Int32]
  public let isWildcard: [Bool]

  public init(_ settings: Settings) throws(ListenError) {
    var udp: [Int32] = []
    var tcp: [Int32] = []
    for listener in settings.listeners {
      udp.append(try Self.listen(listener, Int32(SOCK_DGRAM.rawValue), "udp"))
      tcp.append(try Self.listen(listener, Int32(SOCK_STREAM.rawValue), "tcp"))
    }
    self.udp = udp
    self.tcp = tcp
    isWildcard = settings.listeners.map(\.isWildcard)
  }

  /// Ends them; nothing may use them any more.
  public func close() {
    for socket in udp + tcp { CSocket.close(socket) }
  }

  private static func listen(
    _ listener: Settings.Listener, _ type: Int32, _ transport: String
  ) throws(ListenError) -> Int32 {
    // The address is a whole sockaddr and outlives the call.
    let socket = unsafe listener.address.withUnsafeBytes {
      unsafe csocket_listen($0.baseAddress!, UInt32($0.count), type, listener.isWildcard ? 1 : 0)
    }
    guard socket >= 0 else { throw ListenError(listener: listener.label, transport: transport, code: -socket) }
    return socket
  }
}
