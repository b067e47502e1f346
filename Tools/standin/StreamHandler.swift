import NIOCore

/// Answers the questions of one TCP connection (RFC 7766): each as it becomes ready, or one at a time with `serial`.
final class StreamHandler: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  /// Questions of a connection that are not answered yet, at most; later ones wait unread.
  static let outstandingLimit = 4096
  /// Octets held unread in user space, at most; the kernel's buffer and then the client hold the rest.
  static let bufferLimit = 131_072

  private let server: Server
  private var input = ByteBuffer()
  private var inputEnded = false
  private var readHeld = false
  private var questions = 0
  private var outstanding = 0
  private var output = OutputQueue()
  private var ended = false

  init(_ server: Server) { self.server = server }

  func channelActive(context: ChannelHandlerContext) {
    server.counts.opened()
    context.fireChannelActive()
  }

  func channelInactive(context: ChannelHandlerContext) {
    server.counts.closed()
    server.counts.ended(outstanding)
    outstanding = 0
    ended = true
    context.fireChannelInactive()
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if let event = event as? ChannelEvent, event == .inputClosed {
      inputEnded = true
      process(context)
    } else if event is IdleStateHandler.IdleStateEvent, outstanding == 0 {
      end(context)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { end(context) }

  /// A scripted FIN closes our side only, and leaves what the client still sends unanswered; a full close with
  /// unread data would send a reset instead.
  private func finish(_ context: ChannelHandlerContext) {
    ended = true
    context.close(mode: .output, promise: nil)
    context.eventLoop.assumeIsolated().scheduleTask(in: .seconds(1)) { context.close(promise: nil) }
  }

  private func reset(_ context: ChannelHandlerContext) {
    ended = true
    guard let options = context.channel as? any SocketOptionProvider else { return }
    options.setSoLinger(.init(l_onoff: 1, l_linger: 0)).assumeIsolated().whenComplete { _ in context.close(promise: nil)
    }
  }

  private func end(_ context: ChannelHandlerContext) {
    ended = true
    context.close(promise: nil)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !ended else { return }
    var bytes = unwrapInboundIn(data)
    input.writeBuffer(&bytes)
    process(context)
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    process(context)
    context.fireChannelWritabilityChanged()
  }

  func read(context: ChannelHandlerContext) {
    if !ended, input.readableBytes >= Self.bufferLimit {
      readHeld = true
    } else {
      context.read()
    }
  }

  /// Takes up the questions that may be taken up now, and ends the connection where nothing is left to do.
  private func process(_ context: ChannelHandlerContext) {
    let limit = server.options.serial ? 1 : Self.outstandingLimit
    while !ended, outstanding < limit, context.channel.isWritable, questions < server.options.closeAfter ?? .max,
      let length = input.getInteger(at: input.readerIndex, as: UInt16.self), input.readableBytes >= 2 + Int(length)
    {
      input.moveReaderIndex(forwardBy: 2)
      guard length > 0, let message = input.readBytes(length: Int(length)) else { return end(context) }
      questions += 1
      if let plan = server.plan(for: message, over: .tcp) { begin(plan, context) }
    }
    context.flush()
    input.discardReadBytes()
    if !ended, outstanding == 0, inputEnded || questions >= server.options.closeAfter ?? .max { return end(context) }
    if readHeld, input.readableBytes < Self.bufferLimit {
      readHeld = false
      context.read()
    }
  }

  private func begin(_ plan: Server.Plan, _ context: ChannelHandlerContext) {
    outstanding += 1
    server.counts.began()
    guard plan.delayMilliseconds > 0 else {
      output.append(plan)
      return write(context)
    }
    context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(plan.delayMilliseconds)) {
      guard !self.ended else { return }
      self.output.append(plan)
      self.write(context)
      self.process(context)
    }
  }

  /// Writes what may be written now: all of it, or up to the next pause or end that a script asks for.
  private func write(_ context: ChannelHandlerContext) {
    while !ended, let step = output.next() {
      switch step {
      case .write(let bytes):
        context.write(wrapOutboundOut(context.channel.allocator.buffer(bytes: bytes)), promise: nil)
      case .answered:
        outstanding -= 1
        server.counts.ended()
      case .pause(let milliseconds):
        context.flush()
        context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(milliseconds)) {
          self.output.resume()
          self.write(context)
          self.process(context)
        }
      case .close:
        context.flush()
        finish(context)
      case .reset:
        context.flush()
        reset(context)
      }
    }
  }
}
