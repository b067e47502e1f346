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
    let server = server
    let idle = TimeAmount.seconds(try loop.submit { server.value.options.idleSeconds }.wait())
    let stream = try ServerBootstrap(group: loop)
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
    let port = stream.localAddress?.port ?? port
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
    return stream
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
