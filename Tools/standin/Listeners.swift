import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix

/// Opens the server's sockets, all on one event loop, which is where `Server` lives.
struct Listeners {
  let loop: any EventLoop
  let server: NIOLoopBoundBox<Server>

  init(_ options: Server.Options) {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    self.loop = loop
    server = NIOLoopBoundBox.makeBoxSendingValue(Server(options), eventLoop: loop)
  }

  /// Listens on `address` for UDP and TCP, both on the same port: `port`, or a free one for 0. Gives the TCP listener.
  func open(_ address: String, port: Int) throws -> any Channel {
    // What is free for TCP may be taken for UDP.
    var left = port == 0 ? 20 : 1
    while true {
      left -= 1
      let stream = try openStream(address, port: port)
      do {
        try openDatagrams(address, port: stream.localAddress?.port ?? port)
        return stream
      } catch let error as IOError where error.errnoCode == EADDRINUSE && left > 0 {
        try stream.close().wait()
      }
    }
  }

  private func openStream(_ address: String, port: Int) throws -> any Channel {
    let server = server
    let idle = TimeAmount.seconds(try loop.submit { server.value.options.idleSeconds }.wait())
    return try ServerBootstrap(group: loop)
      .serverChannelOption(.backlog, value: 1024)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandlers(
            IdleStateHandler(allTimeout: idle), StreamHandler(server.value))
        }
      }
      .bind(host: address, port: port).wait()
  }

  private func openDatagrams(_ address: String, port: Int) throws {
    let server = server
    _ = try DatagramBootstrap(group: loop)
      .channelOption(.socketOption(.so_rcvbuf), value: 4 << 20)
      .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 32 * 4096))
      .channelOption(.datagramVectorReadMessageCount, value: 32)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(DatagramHandler(server.value))
        }
      }
      .bind(host: address, port: port).wait()
  }

  /// Serves the counts on 127.0.0.1 and gives the port.
  func openControl(port: Int) throws -> Int {
    let server = server
    let channel = try ServerBootstrap(group: loop)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.configureHTTPServerPipeline()
          try channel.pipeline.syncOperations.addHandler(ControlHandler(server.value))
        }
      }
      .bind(host: "127.0.0.1", port: port).wait()
    return channel.localAddress?.port ?? port
  }
}
