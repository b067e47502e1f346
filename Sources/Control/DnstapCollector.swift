import Corefile
import Engine
import Glibc
import Logging
import NIOCore
import NIOPosix
import Synchronization
import TLS

/// A connection to the collector that a `dnstap` directive names, made anew a second after it ended.
///
/// Bounds: the directive's queue and write buffer, and as much again on its way; what finds them full is dropped, counted,
/// and told when the collector reads again. One that does not read costs no query anything.
final class DnstapCollector: Sendable {
  private struct Waiting {
    /// Frames, each behind its length.
    var frames = ByteBuffer()
    var count = 0
    var dropped = 0
    /// The loop has been asked to look, and has not taken them yet.
    var isDue = false
  }

  /// Of the event loop alone.
  private struct Stream {
    /// For a collector that is reached over TLS, once it has been needed.
    var client: OpenSSLClient?
    var channel: (any Channel)?
    var isStopping = false
    /// That there is no connection is in the log.
    var isMissed = false
  }

  let directive: DnstapDirective
  private let identity: [UInt8]
  private let version: [UInt8]
  private let loop: any EventLoop
  private let log: Logger
  private let waiting = Mutex(Waiting())
  private let stream: NIOLoopBoundBox<Stream>
  /// Succeeds when `stop` has had its way.
  private let stopped: EventLoopPromise<Void>

  init(_ directive: DnstapDirective, _ loop: any EventLoop, _ log: ProcessLog) {
    self.directive = directive
    self.loop = loop
    self.log = log.logger("plugin/dnstap")
    identity = Array((directive.identity ?? hostName()).utf8)
    version = Array((directive.version ?? "CoreDNS-\(NodeCache.coreDNSVersion)").utf8)
    stream = .makeBoxSendingValue(Stream(), eventLoop: loop)
    stopped = loop.makePromise()
  }

  func start() { loop.execute { self.connect() } }

  /// Sends what waits and says that nothing more comes; a second, at most.
  func stop() {
    loop.execute { [self] in
      stream.value.isStopping = true
      guard let channel = stream.value.channel else { return stopped.succeed() }
      flush()
      channel.pipeline.triggerUserOutboundEvent(FrameStreamHandler.Stop(), promise: nil)
    }
    try? stopped.futureResult.wait()
  }

  /// Any thread: a message for the collector.
  func send(_ message: DnstapMessage, extra: [UInt8]?) {
    let frame = message.encoded(identity: identity, version: version, extra: extra)
    let isFirst = waiting.withLock { waiting in
      guard waiting.count < directive.queue * 10_000,
        waiting.frames.readableBytes + frame.count + 4 <= directive.writeBuffer << 20
      else {
        waiting.dropped += 1
        return false
      }
      waiting.frames.writeInteger(UInt32(frame.count))
      waiting.frames.writeBytes(frame)
      waiting.count += 1
      defer { waiting.isDue = true }
      return !waiting.isDue
    }
    if isFirst { loop.execute { self.flush() } }
  }

  private func connect() {
    guard !stream.value.isStopping else { return stopped.succeed() }
    let loop = loop
    let bootstrap = ClientBootstrap(group: loop).connectTimeout(.seconds(5))
      .channelOption(.writeBufferWaterMark, value: .init(low: 64 << 10, high: 256 << 10))
      .channelInitializer { [self] channel in
        channel.eventLoop.makeCompletedFuture {
          if let client = try tlsClient() {
            guard let session = client.session() else { throw IOError(errnoCode: ENOMEM, reason: "TLS") }
            try channel.pipeline.syncOperations.addHandler(TLSHandler(session) { self.miss("TLS: \($0)") })
          }
          try channel.pipeline.syncOperations.addHandler(
            FrameStreamHandler(
              accepted: { [self] in
                stream.value.channel = channel
                stream.value.isMissed = false
                flush()
              }, writable: { self.flush() }, ended: { self.ended() }))
        }
      }
    let connecting =
      switch directive.collector {
      case .unix(let path): bootstrap.connect(unixDomainSocketPath: path)
      case .tcp(let host, let port), .tls(let host, let port): bootstrap.connect(host: host, port: Int(port))
      }
    connecting.whenFailure { [self] error in
      miss("\(error)")
      loop.scheduleTask(in: .seconds(1)) { self.connect() }
    }
  }

  /// For a collector that is reached over TLS; nil: it is not.
  private func tlsClient() throws -> OpenSSLClient? {
    if stream.value.client == nil { stream.value.client = try directive.tlsClient() }
    return stream.value.client
  }

  /// Says once that there is no connection.
  private func miss(_ reason: String) {
    if !stream.value.isMissed { log.error("No connection to dnstap endpoint: \(reason)") }
    stream.value.isMissed = true
  }

  /// The connection is gone.
  private func ended() {
    stream.value.channel = nil
    if stream.value.isStopping { return stopped.succeed() }
    if !stream.value.isMissed { log.warning("The dnstap endpoint closed the connection") }
    loop.scheduleTask(in: .seconds(1)) { self.connect() }
  }

  /// Hands what waits to the connection, unless there is none or it has enough.
  private func flush() {
    let channel = stream.value.channel
    let taken = waiting.withLock { waiting -> (frames: ByteBuffer, dropped: Int)? in
      guard channel?.isWritable ?? false, waiting.count > 0 else { return nil }
      defer { waiting = Waiting() }
      return (waiting.frames, waiting.dropped)
    }
    guard let channel, let taken else { return }
    if taken.dropped > 0 { log.warning("Dropped dnstap messages: \(taken.dropped)") }
    channel.writeAndFlush(taken.frames, promise: nil)
  }
}

extension DnstapDirective {
  /// For a collector that is reached over TLS, which the system's authorities vouch for; nil: it is not.
  fileprivate func tlsClient() throws -> OpenSSLClient? {
    guard case .tls(let host, _) = collector else { return nil }
    let authorities = skipsVerification ? nil : try TextFile.bytes(TLSContext.systemAuthorities, limit: 1 << 20)
    let name = IPAddress(host) == nil ? ServerName(host: host) : ServerName(address: host)
    return OpenSSLClient(try TLSContext(authorities: authorities), name)
  }
}
