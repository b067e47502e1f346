import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// Asks the process's own health endpoints once a second, and counts how long their answers took: what
/// `coredns_health_request_duration_seconds` is made of. Without such an endpoint it does nothing.
///
/// Source: CoreDNS plugin/health, overloaded.go.
final class HealthProbe: Sendable {
  private struct Counts {
    var durations = Histogram(bounds: Histogram.slimTimeBounds)
    var failures: UInt64 = 0
  }

  private let loop: any EventLoop
  private let log: ProcessLog
  private let counts = Mutex(Counts())
  private let task = Mutex<RepeatedTask?>(nil)

  init(_ thread: HTTPThread, _ log: ProcessLog) {
    loop = thread.group.next()
    self.log = log
  }

  /// From now on asks at these addresses, and no others.
  func follow(_ addresses: [String]) {
    let targets = addresses.compactMap { HTTPAddress($0)?.own }
    let next: RepeatedTask? =
      targets.isEmpty
      ? nil
      : loop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { [self] _ in
        for target in targets { ask(target) }
      }
    task.withLock { task in
      task?.cancel()
      task = next
    }
  }

  private func ask(_ target: SocketAddress) {
    let start = NIODeadline.now()
    let answered = loop.makePromise(of: Void.self)
    let connected = ClientBootstrap(group: loop).connectTimeout(Self.limit)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHTTPClientHandlers()
          try channel.pipeline.syncOperations.addHandler(HealthRequest(answered, within: Self.limit))
        }
      }
      .connect(to: target)
    connected.cascadeFailure(to: answered)
    answered.futureResult.whenComplete { [self] result in
      let duration = Double((NIODeadline.now() - start).nanoseconds) * 1e-9
      let failure: (any Error)? = if case .failure(let error) = result { error } else { nil }
      counts.withLock {
        $0.durations.observe(duration)
        if failure != nil { $0.failures += 1 }
      }
      if let failure {
        log.logger("plugin/health").warning("Local health request to \(target) failed: \(failure)")
      } else if duration > 1 {
        log.logger("plugin/health").warning("Local health request to \(target) took more than 1s: \(duration)s")
      }
    }
  }

  private static let limit = TimeAmount.seconds(3)

  func add(to out: inout Exposition) {
    let (durations, failures) = counts.withLock { ($0.durations, $0.failures) }
    out.histogram(
      "coredns_health_request_duration_seconds", durations,
      help: "Histogram of the time (in seconds) each request took.")
    out.counter(
      "coredns_health_request_failures_total", Double(failures),
      help: "The number of times the health check failed.")
  }
}

/// One request for /health on a new connection, which it closes.
private final class HealthRequest: ChannelInboundHandler {
  typealias InboundIn = HTTPClientResponsePart
  typealias OutboundOut = HTTPClientRequestPart

  private struct NoAnswer: Error, CustomStringConvertible { let description = "no answer" }

  private let answered: EventLoopPromise<Void>
  private let limit: TimeAmount
  private var deadline: Scheduled<Void>?

  init(_ answered: EventLoopPromise<Void>, within limit: TimeAmount) {
    self.answered = answered
    self.limit = limit
  }

  func channelActive(context: ChannelHandlerContext) {
    let channel = context.channel
    deadline = context.eventLoop.scheduleTask(in: limit) { channel.close(promise: nil) }
    let head = HTTPRequestHead(
      version: .http1_1, method: .GET, uri: "/health", headers: ["host": "localhost", "connection": "close"])
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard case .end = unwrapInboundIn(data) else { return }
    answered.succeed()
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    deadline?.cancel()
    answered.fail(NoAnswer())
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    answered.fail(error)
    context.close(promise: nil)
  }
}
