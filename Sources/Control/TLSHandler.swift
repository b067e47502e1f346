import Engine
import Memory
import NIOCore

/// A client's TLS on a channel: what comes out of it is plaintext, and its channel is active when the handshake is done.
///
/// Bounds: 5 s for the handshake.
final class TLSHandler: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let session: any TLSSession
  private let failed: (String) -> Void
  private let plaintext = Region(size: 16 << 10)
  private var isOpen = false
  private var deadline: Scheduled<Void>?

  /// `failed` is told why the session ended in another way than by its end.
  init(_ session: any TLSSession, failed: @escaping (String) -> Void) {
    (self.session, self.failed) = (session, failed)
  }

  func channelActive(context: ChannelHandlerContext) {
    let channel = context.channel
    deadline = context.eventLoop.scheduleTask(in: .seconds(5)) { channel.close(promise: nil) }
    advance(context)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var ciphertext = unwrapInboundIn(data)
    while ciphertext.readableBytes > 0, context.channel.isActive {
      let room = session.input
      let part = ciphertext.readBytes(length: min(room.count, ciphertext.readableBytes)) ?? []
      room.slice(0, part.count).write(part)
      session.received(part.count)
      advance(context)
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    deadline?.cancel()
    context.fireChannelInactive()
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    var buffer = unwrapOutboundIn(data)
    while let part = buffer.readBytes(length: min(plaintext.bytes.count, buffer.readableBytes)), !part.isEmpty {
      let octets = plaintext.bytes.slice(0, part.count)
      octets.write(part)
      var at = 0
      while at < octets.count {
        guard let taken = session.encrypt(octets.from(at)), taken > 0 || session.output.count > 0 else {
          promise?.fail(ChannelError.ioOnClosedChannel)
          return fail(context)
        }
        at += taken
        writeOutput(context)
      }
    }
    context.write(wrapOutboundOut(ByteBuffer()), promise: promise)
  }

  func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
    session.close()
    writeOutput(context)
    context.flush()
    context.close(mode: mode, promise: promise)
  }

  /// Goes as far as what came allows.
  private func advance(_ context: ChannelHandlerContext) {
    if !isOpen {
      switch session.shakeHands() {
      case .pending: return flushOutput(context)
      case .failed: return fail(context)
      case .done:
        isOpen = true
        deadline?.cancel()
        flushOutput(context)
        context.fireChannelActive()
      }
    }
    while true {
      switch session.decrypt(into: plaintext.bytes) {
      case .octets(let count):
        context.fireChannelRead(wrapInboundOut(ByteBuffer(bytes: plaintext.bytes.slice(0, count).octets)))
      case .pending: return flushOutput(context)
      case .closed: return context.close(promise: nil)
      case .failed: return fail(context)
      }
    }
  }

  private func fail(_ context: ChannelHandlerContext) {
    failed(session.failure)
    flushOutput(context)
    context.close(promise: nil)
  }

  private func flushOutput(_ context: ChannelHandlerContext) {
    writeOutput(context)
    context.flush()
  }

  private func writeOutput(_ context: ChannelHandlerContext) {
    let output = session.output
    guard output.count > 0 else { return }
    context.write(wrapOutboundOut(ByteBuffer(bytes: output.octets)), promise: nil)
    session.sent(output.count)
  }
}
