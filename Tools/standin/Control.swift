import FoundationEssentials
import NIOCore
import NIOHTTP1

/// The control port: `/counts` as JSON, `/counts?NAME` for one name, `/reset`.
final class ControlHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let server: Server
  private var head: HTTPRequestHead?

  init(_ server: Server) { self.server = server }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head): self.head = head
    case .body: break
    case .end:
      guard let head else { return }
      let target = head.uri.split(separator: "?", maxSplits: 1)
      switch target.first {
      case "/counts": reply(.ok, json(only: target.dropFirst().first.map(String.init)), head, context)
      case "/reset":
        server.counts.reset()
        reply(.ok, Array("{}\n".utf8), head, context)
      default: reply(.notFound, Array("There are /counts, /counts?NAME and /reset.\n".utf8), head, context)
      }
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

  private func reply(
    _ status: HTTPResponseStatus, _ body: [UInt8], _ head: HTTPRequestHead, _ context: ChannelHandlerContext
  ) {
    let headers: HTTPHeaders = [
      "Content-Type": status == .ok ? "application/json" : "text/plain", "Content-Length": "\(body.count)",
    ]
    let response = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
    context.write(wrapOutboundOut(.head(response)), promise: nil)
    context.write(wrapOutboundOut(.body(.byteBuffer(context.channel.allocator.buffer(bytes: body)))), promise: nil)
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    if !head.isKeepAlive { context.close(promise: nil) }
  }

  private func json(only name: String?) -> [UInt8] {
    let counts = server.counts
    var questions = counts.questions
    if let name {
      let folded = Name(parsing: name)?.folded
      questions = folded.flatMap { name in questions[name].map { [name: $0] } } ?? [:]
    }
    let report = CountsReport(
      total: counts.total, uncounted: counts.uncounted,
      connections: .init(
        open: counts.openConnections, max: counts.maxOpenConnections, accepted: counts.acceptedConnections),
      outstanding: .init(now: counts.outstanding, max: counts.maxOutstanding),
      questions: Dictionary(
        uniqueKeysWithValues: questions.map { name, list in
          (
            name.text,
            Dictionary(
              uniqueKeysWithValues: list.map { ("\(RecordType.text($0.type))/\($0.transport.rawValue)", $0.count) })
          )
        }))
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return (try? Array(encoder.encode(report))).map { $0 + [0x0A] } ?? []
  }
}

/// `/counts` as it is written.
private struct CountsReport: Encodable {
  var total: Int
  var uncounted: Int
  var connections: Connections
  var outstanding: Outstanding
  /// By name, then by `TYPE/transport`.
  var questions: [String: [String: Int]]

  struct Connections: Encodable {
    var open: Int
    var max: Int
    var accepted: Int
  }

  struct Outstanding: Encodable {
    var now: Int
    var max: Int
  }
}
