import NIOCore
import NIOHTTP1

/// Answers requests by their path, one after the other. A request's body is read and thrown away.
///
/// A request that comes while the answer before it is still in memory ends the connection: else a client that asks and
/// does not read would fill the memory with answers.
final class HTTPResponder: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let routes: [String: HTTPEndpoint.Handler]
  private let limits: HTTPRequestLimits
  private var request: HTTPRequestHead?

  init(_ routes: [String: HTTPEndpoint.Handler], _ limits: HTTPRequestLimits) {
    self.routes = routes
    self.limits = limits
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head where limits.isAnswering: context.close(promise: nil)
    case .head(let head): request = head
    case .body: break
    case .end:
      limits.requestEnded()
      if let request { answer(request, context) }
      request = nil
    }
  }

  private func answer(_ request: HTTPRequestHead, _ context: ChannelHandlerContext) {
    let response = response(to: request)
    var head = HTTPResponseHead(version: request.version, status: .init(statusCode: response.status))
    head.headers.add(name: "content-type", value: response.contentType)
    head.headers.add(name: "content-length", value: "\(response.body.count)")
    if response.status == 405 { head.headers.add(name: "allow", value: "GET, HEAD") }
    head.headers.add(name: "connection", value: request.isKeepAlive ? "keep-alive" : "close")

    context.write(wrapOutboundOut(.head(head)), promise: nil)
    if request.method != .HEAD {
      let body = context.channel.allocator.buffer(bytes: response.body)
      context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
    }
    let (limits, channel, keepsAlive) = (limits, context.channel, request.isKeepAlive)
    context.writeAndFlush(wrapOutboundOut(.end(nil))).assumeIsolated().whenComplete { _ in
      limits.answerWritten(channel)
      if !keepsAlive { channel.close(promise: nil) }
    }
  }

  private func response(to request: HTTPRequestHead) -> HTTPResponse {
    guard request.method == .GET || request.method == .HEAD else {
      return HTTPResponse(status: 405, body: Array("Method Not Allowed\n".utf8))
    }
    let path = request.uri.prefix { $0 != "?" }
    guard let handler = routes[String(path)] else {
      return HTTPResponse(status: 404, body: Array("404 page not found\n".utf8))
    }
    return handler()
  }
}
