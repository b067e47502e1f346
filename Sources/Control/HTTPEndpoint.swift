import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix

/// The thread that serves all HTTP endpoints of the process. Its handlers run there one at a time, so a slow one
/// delays the others: `/metrics` takes milliseconds.
public final class HTTPThread: Sendable {
  let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

  public init() {}

  /// Ends the thread with all its endpoints. Not from a handler.
  public func stop() {
    try? group.syncShutdownGracefully()
  }
}

/// What a route answers.
public struct HTTPResponse: Sendable {
  public var status: Int
  public var contentType: String
  public var body: [UInt8]

  public init(status: Int = 200, contentType: String = "text/plain; charset=utf-8", body: [UInt8]) {
    self.status = status
    self.contentType = contentType
    self.body = body
  }
}

/// An HTTP/1.1 server for probes and scrapes: GET and HEAD of fixed paths, on one or more addresses.
///
/// Bounds: 4 KiB for a request, 5 s from its first byte until its answer is written, 5 s between requests, 64
/// connections on each address, one answer under way on a connection. What goes beyond is closed.
public final class HTTPEndpoint: Sendable {
  /// The answer for a path, on the endpoint's thread.
  public typealias Handler = @Sendable () -> HTTPResponse

  private let channels: [any Channel]

  /// Host and port of each listener, with the port that the kernel chose where 0 was asked for.
  public let addresses: [String]

  /// Listens on every address, or on none.
  ///
  /// - Parameters:
  ///   - addresses: as in Go: `127.0.0.1:8080`, `[::1]:9253`, `:9253` for all addresses of both families.
  ///   - reusePort: SO_REUSEPORT: another process that sets it too may listen on the same address at the same time.
  ///   - routes: by path, without a query. Any other path is answered with 404.
  /// - Throws: what an address is refused for; nothing listens then.
  public init(
    on thread: HTTPThread, addresses: [String], reusePort: Bool, routes: [String: Handler]
  ) throws(SystemError) {
    var channels: [any Channel] = []
    for address in addresses {
      do {
        channels.append(try Self.bind(address, Self.bootstrap(thread, reusePort, routes)))
      } catch {
        for channel in channels { try? channel.close().wait() }
        throw error
      }
    }
    self.channels = channels
    self.addresses = channels.compactMap { channel in
      guard let address = channel.localAddress, let host = address.ipAddress, let port = address.port else {
        return nil
      }
      return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
  }

  /// Stops listening, at once; answers under way are finished. Not from a handler.
  public func stop() {
    for channel in channels { try? channel.close().wait() }
  }

  private static func bind(_ text: String, _ bootstrap: ServerBootstrap) throws(SystemError) -> any Channel {
    guard let address = HTTPAddress(text) else { throw SystemError("listen", text, errno: EINVAL) }
    guard let candidates = try? address.candidates() else { throw SystemError("resolve", text, errno: EADDRNOTAVAIL) }
    var refusal = SystemError("bind", text, errno: EADDRNOTAVAIL)
    for candidate in candidates {
      do {
        return try bootstrap.bind(to: candidate).wait()
      } catch {
        refusal = SystemError("bind", text, errno: (error as? IOError)?.errnoCode ?? EINVAL)
        guard [EAFNOSUPPORT, EADDRNOTAVAIL].contains(refusal.errno) else { break }
      }
    }
    throw refusal
  }

  private static func bootstrap(
    _ thread: HTTPThread, _ reusePort: Bool, _ routes: [String: Handler]
  ) -> ServerBootstrap {
    ServerBootstrap(group: thread.group)
      .serverChannelOption(.backlog, value: 64)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .serverChannelOption(.socketOption(.init(rawValue: SO_REUSEPORT)), value: reusePort ? 1 : 0)
      .serverChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(HTTPConnectionLimit(64))
        }
      }
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let limits = HTTPRequestLimits(bytes: 4096, time: .seconds(5))
          let pipeline = channel.pipeline.syncOperations
          try pipeline.addHandler(limits)
          try pipeline.configureHTTPServerPipeline(withPipeliningAssistance: false, withErrorHandling: true)
          try pipeline.addHandler(HTTPResponder(routes, limits))
        }
      }
  }
}
