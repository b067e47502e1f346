import Corefile
import Engine
import Glibc
import Logging
import Memory
import Network
import Synchronization
import Uring

/// The process as node-cache's operators know it: start-up order, log lines, endpoints, signals, exit codes
/// (spec a.2, a.8).
public final class NodeCache: Sendable {
  /// What stopped the start: a message for standard error, and the exit code.
  public struct Fatal: Error, Sendable {
    public let message: String
    public let status: Int32
  }

  /// CoreDNS's version whose contract is kept, and Ringlet's own.
  static let coreDNSVersion = "1.13.2"
  static let version = "0.1.0"
  /// The two lines of `-version` and of the start.
  public static let versionText = "CoreDNS-\(coreDNSVersion)\nlinux/\(architecture), ringlet \(version)"

  let flags: Flags
  let log: ProcessLog
  private let setupErrors = SetupErrors()
  private let http: HTTPThread
  private let network: NetworkKeeper
  /// Queries are served.
  private let isReady = Atomic<Bool>(false)
  /// The configuration that was read last, held while one is read, written or put to work.
  let latest = Mutex(LatestConfiguration())
  let failedReloads = Atomic<Int>(0)

  public init(_ flags: Flags) {
    // Before any thread starts: threads inherit the mask.
    Signals.block()
    self.flags = flags
    http = HTTPThread()
    log = ProcessLog()
    network = NetworkKeeper(flags, setupErrors, log)
  }

  /// Starts everything and serves until a signal ends the process. Throws what makes serving impossible.
  public func run() throws(Fatal) -> Never {
    do {
      try serve()
    } catch {
      // What led to it is in the log.
      log.flush()
      throw error
    }
  }

  private func serve() throws(Fatal) -> Never {
    let logger = log.logger()
    logger.info("Starting node-cache image: ringlet-\(Self.version)")
    var rendered = RenderedCorefile(flags, logger, setupErrors)
    _ = rendered.update()

    // Before anything binds to its addresses; the rules come when they are answered on.
    network.prepareInterface()
    let configuration = try load()
    for line in configuration.ineffective { logger.warning("\(line)") }
    let settings = try compile(configuration)
    var random = SystemRandomNumberGenerator()
    let fabric = Fabric(settings: settings, shards: shards, random: (random.next(), random.next(), random.next()))
    let events = EventLog(fabric, configuration, log)
    let files = DirectiveFiles(configuration, settings, log)
    // What watches comes before what is watched: the first answer finds its endpoints open.
    try openEndpoints(configuration, EngineMetrics(fabric), files)
    events.start()
    files.start()
    try start(fabric, events)
    isReady.store(true, ordering: .relaxed)
    lookForLoops(configuration, settings)
    log.coreStarted()
    if !flags.quiet { announce(configuration, settings) }
    if let path = flags.pidfile {
      do { try Pidfile.write(to: path) } catch { throw Fatal(message: "pidfile: \(error)", status: 1) }
    }
    ControlThread.start { [network] in network.run() }
    latest.withLock { $0 = LatestConfiguration(running: configuration.normalizedText) }
    watchConfiguration(rendered, configuration.reload)
    let departure = departure(configuration, fabric)
    Signals.deliver { [self] signal in receive(signal, departure) }
    while true { pause() }
  }

  /// What all caches may take together unless `-cache-bytes` says otherwise: room for some 300,000 answers.
  private static let cacheBytes = 64 << 20

  /// What `-plugins` prints: the directives that are served.
  public static let plugins = Directive.allCases.filter(\.isServed).map { "dns.\($0.rawValue)" }.joined(separator: "\n")

  private var shards: Int { flags.shards > 0 ? flags.shards : ProcessorQuota.shards() }

  /// What shards are to do for a configuration that has something to serve.
  func compile(_ configuration: Configuration) throws(Fatal) -> Settings {
    let settings: Settings
    do {
      settings = try Settings(configuration, shards: shards, cacheBytes: flags.cacheBytes ?? Self.cacheBytes)
    } catch {
      throw Fatal(message: "\(error)", status: 1)
    }
    if settings.listeners.isEmpty {
      throw Fatal(message: "no server block in the Corefile: nothing to serve; expected 'zone:port { ... }'", status: 1)
    }
    return settings
  }

  /// Reads what `-conf` names.
  func load() throws(Fatal) -> Configuration {
    guard let name = flags.corefile ?? (Self.exists("Corefile") ? "Corefile" : nil) else {
      return .whoami(defaultPort: flags.dnsPort)
    }
    let bytes: [UInt8]
    do {
      bytes = try TextFile.corefile(name)
    } catch {
      throw Fatal(message: "loading Caddyfile via flag: \(error)", status: 1)
    }
    do {
      return try parse(bytes, file: name, defaultPort: flags.dnsPort, environment: .process)
    } catch {
      throw Fatal(message: "\(error)", status: 1)
    }
  }

  private static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

  private func start(_ fabric: Fabric, _ events: EventLog) throws(Fatal) {
    let directory = RingDirectory(shards: fabric.shards, events: events.signal)
    do {
      for index in 0..<fabric.shards {
        try startShard(index: index, fabric: fabric, listeners: try Listeners(fabric.settings), directory: directory)
      }
    } catch let error as ListenError {
      throw Fatal(
        message: "Listen: listen \(error.transport) \(error.listener): bind: \(errorText(error.code))",
        status: 1)
    } catch let error as RingError {
      throw Fatal(message: Self.advice(error), status: 1)
    } catch {
      throw Fatal(message: "\(error)", status: 1)
    }
  }

  private static func advice(_ error: RingError) -> String {
    let reason = "\(error.step): \(errorText(error.code))"
    switch error.code {
    case EPERM:
      return "\(reason). io_uring is forbidden here: allow io_uring_setup, io_uring_enter and io_uring_register in the "
        + "pod's seccomp profile, and see that sysctl kernel.io_uring_disabled is 0"
    case ENOSYS, EINVAL: return "\(reason). Ringlet needs io_uring of Linux 6.1 or later"
    case ENOMEM: return "\(reason). Raise the memory limit of the pod, or its locked-memory limit (ulimit -l)"
    default: return reason
    }
  }

  private func openEndpoints(
    _ configuration: Configuration, _ metrics: EngineMetrics, _ files: DirectiveFiles
  ) throws(Fatal) {
    let build = BuildInfo(version: Self.coreDNSVersion, revision: Self.version, compiler: "swift")
    let scrape: HTTPEndpoint.Handler = { [self] in
      var out = Exposition()
      metrics.add(to: &out)
      files.add(to: &out)
      setupErrors.add(to: &out)
      build.add(to: &out)
      // What alerts look for, at zero: a fault ends the process.
      out.counter("coredns_panics_total", 0, help: "A metrics that counts the number of panics.")
      out.counter(
        "coredns_reload_failed_total", Double(failedReloads.load(ordering: .relaxed)),
        help: "Counter of the number of failed reload attempts.")
      ProcessMetrics.add(to: &out)
      return HTTPResponse(contentType: Exposition.contentType, body: out.text())
    }
    let ready: HTTPEndpoint.Handler = { [self] in
      isReady.load(ordering: .relaxed)
        ? HTTPResponse(body: Array("OK".utf8)) : HTTPResponse(status: 503, body: Array("ringlet".utf8))
    }
    do {
      try listen(flags.metricsListenAddress, reusePort: false, ["/metrics": scrape])
    } catch {
      log.logger().error("Failed to start metrics handler: \(error)")
    }
    do {
      for address in Set(configuration.blocks.compactMap { $0.prometheus?.address.description }) {
        try listen(address, reusePort: true, ["/metrics": scrape])
      }
      for address in Set(configuration.blocks.compactMap { $0.ready?.address.description }) {
        try listen(address, reusePort: true, ["/ready": ready])
      }
      for address in Set(configuration.blocks.compactMap { $0.health?.address.description }) {
        try listen(address, reusePort: true, ["/health": { HTTPResponse(body: Array("OK".utf8)) }])
      }
    } catch {
      throw Fatal(message: "\(error)", status: 1)
    }
  }

  private func listen(
    _ address: String, reusePort: Bool, _ routes: [String: HTTPEndpoint.Handler]
  ) throws(SystemError) {
    // The channels keep themselves alive on the thread.
    _ = try HTTPEndpoint(on: http, addresses: [address], reusePort: reusePort, routes: routes)
  }

  /// A loop ends the process: it would ask itself for ever.
  private func lookForLoops(_ configuration: Configuration, _ settings: Settings) {
    for probe in LoopProbe.all(configuration, settings) {
      ControlThread.start { [log] in
        guard let fault = probe.run() else { return }
        log.logger("plugin/loop").critical("\(fault)")
        log.flush()
        exit(1)
      }
    }
  }

  private func announce(_ configuration: Configuration, _ settings: Settings) {
    for listener in settings.listeners {
      for zone in settings.groups[listener.group] {
        let address = listener.label.dropFirst("dns://".count)
        let end = address.lastIndex(of: ":")!
        let host = address[..<end].filter { !"[]".contains($0) }
        log.output.write("\(settings.zones[zone].label)\(address[end...]) on \(host)")
      }
    }
    log.output.write(Self.versionText)
  }

  #if arch(x86_64)
    private static let architecture = "amd64"
  #else
    private static let architecture = "arm64"
  #endif

  private func departure(_ configuration: Configuration, _ fabric: Fabric) -> Departure {
    let lameduck = configuration.blocks.compactMap { $0.health?.lameduck.nanoseconds }.max() ?? 0
    return Departure(
      hooks: {
        var left = timespec(tv_sec: Int(lameduck / 1_000_000_000), tv_nsec: Int(lameduck % 1_000_000_000))
        unsafe nanosleep(&left, nil)
      },
      tearDown: { [network, flags] in if !flags.skipTeardown { network.tearDown() } },
      drain: { [self] in drain(fabric) }, log: log)
  }

  private func receive(_ signal: Signals.Signal, _ departure: Departure) {
    let logger = log.logger()
    switch signal {
    case .terminate:
      logger.info("SIGTERM: Shutting down servers then terminating")
      departure.begin(signal)
    case .interrupt, .quit: departure.begin(signal)
    case .reload: reload(reason: .signal)
    case .handoff: logger.warning("SIGUSR2: this version of ringlet does not hand over")
    }
  }

  /// Waits until nobody waits for an upstream any more, at most as long as CoreDNS gives its servers to stop.
  private func drain(_ fabric: Fabric) {
    let counters = (0..<fabric.shards).map(fabric.counters)
    let end = ContinuousClock.now + .seconds(5)
    while counters.contains(where: { $0.read(.pending) > 0 }), ContinuousClock.now < end { usleep(5000) }
  }
}

/// What an errno means (strerror(3)).
private func errorText(_ code: Int32) -> String {
  // The C library's text, copied at once.
  unsafe String(cString: strerror(code))
}
