import NIOCore

/// Answers UDP questions on one socket.
final class DatagramHandler: ChannelInboundHandler {
  typealias InboundIn = AddressedEnvelope<ByteBuffer>
  typealias OutboundOut = AddressedEnvelope<ByteBuffer>

  /// Delayed answers waiting at once; questions beyond are dropped.
  static let delayedLimit = 65_536

  private let server: Server
  private var delayed = 0

  init(_ server: Server) { self.server = server }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let envelope = unwrapInboundIn(data)
    guard let plan = server.plan(for: Array(envelope.data.readableBytesView), over: .udp) else { return }
    guard plan.delayMilliseconds > 0 else {
      server.counts.began()
      write(plan, to: envelope.remoteAddress, context)
      return
    }
    guard delayed < Self.delayedLimit else { return }
    delayed += 1
    server.counts.began()
    context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(plan.delayMilliseconds)) {
      self.delayed -= 1
      self.write(plan, to: envelope.remoteAddress, context)
      context.flush()
    }
  }

  func channelReadComplete(context: ChannelHandlerContext) { context.flush() }

  /// A datagram that cannot be sent (a client's port of 0, say) is a lost datagram, not an end of service.
  func errorCaught(context: ChannelHandlerContext, error: any Error) {}

  private func write(_ plan: Server.Plan, to address: SocketAddress, _ context: ChannelHandlerContext) {
    for message in plan.messages {
      let data = context.channel.allocator.buffer(bytes: message)
      context.write(wrapOutboundOut(AddressedEnvelope(remoteAddress: address, data: data)), promise: nil)
    }
    server.counts.ended()
  }
}
