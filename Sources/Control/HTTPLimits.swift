import NIOCore

/// Closes what a listener accepts while it has `limit` connections.
final class HTTPConnectionLimit: ChannelInboundHandler {
  typealias InboundIn = any Channel
  typealias InboundOut = any Channel

  private let limit: Int
  private var open = 0

  init(_ limit: Int) { self.limit = limit }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let connection = unwrapInboundIn(data)
    guard open < limit else {
      connection.close(promise: nil)
      return
    }
    open += 1
    // Listener and connections share the one event loop.
    connection.closeFuture.assumeIsolated().whenComplete { _ in self.open -= 1 }
    context.fireChannelRead(data)
  }
}

/// Closes a connection whose request is too long or too slow. It stands before the parser, and is told by the responder
/// where a request ends.
///
/// The clock runs anew from the connection's start, from a request's first byte, and from the end of its answer: a
/// client that sends a byte now and then gains nothing.
final class HTTPRequestLimits: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer

  private let bytes: Int
  private let time: TimeAmount
  /// Of the request that is coming in.
  private var received = 0
  /// From a request's end until its answer is in the socket.
  private(set) var isAnswering = false
  private var deadline: Scheduled<Void>?

  init(bytes: Int, time: TimeAmount) {
    self.bytes = bytes
    self.time = time
  }

  /// The request is complete. What came with it in one read counts for it, so pipelined requests share their bytes.
  func requestEnded() {
    received = 0
    isAnswering = true
  }

  func answerWritten(_ channel: any Channel) {
    isAnswering = false
    restart(channel)
  }

  func channelActive(context: ChannelHandlerContext) {
    restart(context.channel)
    context.fireChannelActive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    if received == 0, !isAnswering { restart(context.channel) }
    received += unwrapInboundIn(data).readableBytes
    if received > bytes {
      context.close(promise: nil)
    } else {
      context.fireChannelRead(data)
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    deadline?.cancel()
    deadline = nil
    context.fireChannelInactive()
  }

  private func restart(_ channel: any Channel) {
    deadline?.cancel()
    deadline = channel.isActive ? channel.eventLoop.scheduleTask(in: time) { channel.close(promise: nil) } : nil
  }
}
