import Chain
import Corefile
import Engine
import Glibc
import Logging
import Memory
import Network
import Synchronization

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
  let setupErrors = SetupErrors()
  let chainCounts = ChainCounts()
  let network: NetworkKeeper
  let handover = Handover()
  let endpoints: Endpoints
  let healthProbe: HealthProbe
  let watchdog = Watchdog()
  /// Of the scrape before, which the next one repeats.
  let exposition = Mutex(Exposition())
  /// Queries are served.
  let isReady = Atomic<Bool>(false)
  /// What serves them; nil before the start.
  let work = Mutex<Generation?>(nil)
  /// The configuration that was read last, held while one is read, written or put to work.
  let latest = Mutex(LatestConfiguration())
  /// Somebody waits to reload, and will read what is there then.
  let isReloadDue = Atomic<Bool>(false)
  let failedReloads = Atomic<Int>(0)
  /// Of the configuration that runs; nil before the first reload.
  let reloadedDigest = Mutex<String?>(nil)

  public init(_ flags: Flags) {
    // Before any thread starts: threads inherit the mask.
    Signals.block()
    DescriptorTable.grow(shards: Self.shards(flags))
    self.flags = flags
    endpoints = Endpoints()
    log = ProcessLog()
    healthProbe = HealthProbe(endpoints.thread, log)
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
    let inheritance = inheritance(configuration)
    // What watches comes before what is watched: the first answer finds its endpoints open. One of them only one process
    // can have.
    if inheritance?.holder == nil { openSetupEndpoint() }
    try openEndpoints(configuration)
    watchdog.start(log) { [self] in work.withLock { $0 } }
    try begin(configuration, settings, after: inheritance)
    log.coreStarted()
    if !flags.quiet { announce(settings) }
    announceDigest(configuration)
    if !flags.quiet { log.output.write(Self.versionText) }
    if let path = flags.pidfile {
      do { try Pidfile.write(to: path) } catch { throw Fatal(message: "pidfile: \(error)", status: 1) }
    }
    ControlThread.start { [network] in network.run() }
    latest.withLock { $0 = LatestConfiguration(running: configuration.normalizedText) }
    watchConfiguration(rendered)
    watchDoor()
    let departure = departure()
    ProgramText.release()
    Signals.deliver { [self] signal in receive(signal, departure) }
    while true { pause() }
  }

  /// What all caches may take together unless `-cache-bytes` says otherwise: room for some 300,000 answers.
  private static let cacheBytes = 64 << 20

  /// What `-plugins` prints: the directives that are served.
  public static let plugins = Directive.allCases.filter(\.isServed).map { "dns.\($0.rawValue)" }.joined(separator: "\n")

  var shards: Int { Self.shards(flags) }
  private static func shards(_ flags: Flags) -> Int { flags.shards > 0 ? flags.shards : ProcessorQuota.shards() }

  /// What shards are to do for a configuration that has something to serve.
  func compile(_ configuration: Configuration) throws(Fatal) -> Settings {
    let settings: Settings
    do {
      settings = try Settings(
        configuration, shards: shards, cacheBytes: flags.cacheBytes ?? Self.cacheBytes, counts: chainCounts)
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

  private func announce(_ settings: Settings) {
    for listener in settings.listeners {
      for zone in settings.groups[listener.group] {
        let address = listener.label.dropFirst("dns://".count)
        let end = address.lastIndex(of: ":")!
        let host = address[..<end].filter { !"[]".contains($0) }
        log.output.write("\(settings.zones[zone].label)\(address[end...])\(host.isEmpty ? "" : " on \(host)")")
      }
    }
  }

  #if arch(x86_64)
    private static let architecture = "amd64"
  #else
    private static let architecture = "arm64"
  #endif

  private func departure() -> Departure {
    Departure(
      hooks: { [self] in
        handover.leave()
        let blocks = work.withLock { $0?.configuration.blocks ?? [] }
        let lameduck = blocks.compactMap { $0.health?.lameduck.nanoseconds }.max() ?? 0
        var left = timespec(tv_sec: Int(lameduck / 1_000_000_000), tv_nsec: Int(lameduck % 1_000_000_000))
        unsafe nanosleep(&left, nil)
        // What comes from now on is another's, if there is one.
        if !sharesSockets, hasNeighbour { work.withLock { $0?.retire() } }
      },
      tearDown: { [self] in if !flags.skipTeardown, !hasSibling { network.tearDown() } },
      drain: { [self] limit in drain(limit) }, log: log)
  }

  private func receive(_ signal: Signals.Signal, _ departure: Departure) {
    let logger = log.logger()
    switch signal {
    case .terminate:
      logger.info("SIGTERM: Shutting down servers then terminating")
      departure.begin(signal)
    case .interrupt, .quit: departure.begin(signal)
    // On a thread of its own: the next signal is heard meanwhile.
    case .reload: ControlThread.start { [self] in reload(reason: .signal) }
    case .handoff: logger.warning("SIGUSR2: this version of ringlet does not hand over")
    }
  }

  /// Waits until nobody waits for an upstream any more, at most as long as `limit`.
  private func drain(_ limit: Duration) {
    let isIdle = { [self] in work.withLock { $0.map(\.isIdle) != false } }
    if isIdle() { return }
    let end = ContinuousClock.now + limit
    // Once more after the last: its answer leaves when its shard's turn is over.
    repeat { usleep(Self.turn) } while !isIdle() && ContinuousClock.now < end
    usleep(Self.turn)
  }

  /// Microseconds.
  private static let turn: UInt32 = 5000
}
