import NIOCore

/// The sender's side of a bidirectional Frame Stream: READY, the receiver's ACCEPT, START, data, STOP, FINISH. What it is
/// given to write are whole data frames; nothing may be written before `accepted`.
///
/// Bounds: 5 s for the receiver's ACCEPT, a second for its FINISH, 512 octets of a control frame.
///
/// Source: farsightsec/fstrm, fstrm/control.h.
final class FrameStreamHandler: ChannelDuplexHandler {
  /// Triggered outbound: no more frames come. The receiver is told, and says that it has them all.
  struct Stop: Sendable {}

  typealias InboundIn = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private enum Control: UInt32 {
    case accept = 1
    case start, stop, ready, finish
  }

  private static let contentType = Array("protobuf:dnstap.Dnstap".utf8)
  private static let controlLimit = 512

  private let accepted: () -> Void
  private let ended: () -> Void
  private let writable: () -> Void
  private var received = ByteBuffer()
  private var hasStarted = false
  private var deadline: Scheduled<Void>?

  /// Each is called on the channel's event loop; `ended` once, after all else.
  init(accepted: @escaping () -> Void, writable: @escaping () -> Void, ended: @escaping () -> Void) {
    (self.accepted, self.writable, self.ended) = (accepted, writable, ended)
  }

  func channelActive(context: ChannelHandlerContext) {
    send(.ready, context)
    close(context, in: .seconds(5))
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var part = unwrapInboundIn(data)
    received.writeBuffer(&part)
    // What comes behind the reason for a close is of no account.
    while context.channel.isActive, let control = nextControl(context) {
      switch control {
      case .accept where !hasStarted:
        hasStarted = true
        deadline?.cancel()
        send(.start, context)
        accepted()
      // FINISH is the end as well.
      default: context.close(promise: nil)
      }
    }
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if context.channel.isWritable, hasStarted { writable() }
  }

  func channelInactive(context: ChannelHandlerContext) {
    deadline?.cancel()
    ended()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

  func triggerUserOutboundEvent(
    context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?
  ) {
    guard event is Stop else { return context.triggerUserOutboundEvent(event, promise: promise) }
    send(.stop, context)
    close(context, in: .seconds(1))
    promise?.succeed()
  }

  private func close(_ context: ChannelHandlerContext, in time: TimeAmount) {
    let channel = context.channel
    deadline?.cancel()
    deadline = context.eventLoop.scheduleTask(in: time) { channel.close(promise: nil) }
  }

  /// A control frame: an escape of four zero octets, its length, its type, and for most a field with the content type.
  private func send(_ control: Control, _ context: ChannelHandlerContext) {
    var body = ByteBuffer()
    body.writeInteger(control.rawValue)
    if control != .stop {
      // FSTRM_CONTROL_FIELD_CONTENT_TYPE.
      body.writeInteger(UInt32(1))
      body.writeInteger(UInt32(Self.contentType.count))
      body.writeBytes(Self.contentType)
    }
    var frame = ByteBuffer()
    frame.writeInteger(UInt32(0))
    frame.writeInteger(UInt32(body.readableBytes))
    frame.writeBuffer(&body)
    context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
  }

  /// The next whole control frame of those received. What is none ends the connection, as do others than a receiver sends.
  private func nextControl(_ context: ChannelHandlerContext) -> Control? {
    let start = received.readerIndex
    guard let escape = received.getInteger(at: start, as: UInt32.self),
      let length = received.getInteger(at: start + 4, as: UInt32.self)
    else { return nil }
    guard escape == 0, (4...UInt32(Self.controlLimit)).contains(length) else {
      context.close(promise: nil)
      return nil
    }
    guard var body = received.getSlice(at: start + 8, length: Int(length)) else { return nil }
    received.moveReaderIndex(forwardBy: 8 + Int(length))
    received.discardReadBytes()
    guard let control = body.readInteger(as: UInt32.self).flatMap(Control.init), takes(&body) else {
      context.close(promise: nil)
      return nil
    }
    return control
  }

  /// Whether our content type is among a control frame's fields, or there are none.
  private func takes(_ fields: inout ByteBuffer) -> Bool {
    if fields.readableBytes == 0 { return true }
    while fields.readInteger(as: UInt32.self) == 1, let length = fields.readInteger(as: UInt32.self),
      let type = fields.readBytes(length: Int(length))
    {
      if type == Self.contentType { return true }
    }
    return false
  }
}
