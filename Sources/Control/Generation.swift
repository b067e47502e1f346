import Corefile
import Engine
import Glibc
import Logging
import Memory
import Rings
import Sockets
import Synchronization

/// A configuration at work: its shards, and what watches and tells for them. The next one takes over from it, with the
/// sockets, the cache and the clients that they share; this one ends when nobody waits for it any more.
final class Generation: Sendable {
  let configuration: Configuration
  let fabric: Fabric
  let files: DirectiveFiles
  let rings: RingReport
  let events: EventLog
  let directory: RingDirectory
  /// Of each shard.
  let listeners: [Listeners]
  private let probes: [LoopProbe]
  /// The one before it, until that has ended.
  private let leaving = Mutex<Generation?>(nil)

  var settings: Settings { fabric.settings }

  /// The first one of a process: it serves when its shards have a ring.
  convenience init(
    _ configuration: Configuration, _ settings: Settings, shards: Int, _ rings: RingReport, _ log: ProcessLog
  ) throws {
    var random = SystemRandomNumberGenerator()
    let fabric = Fabric(settings: settings, shards: shards, random: (random.next(), random.next(), random.next()))
    try self.init(configuration, fabric, listeners: [], rings, log)
  }

  /// The first one of a process that takes over from another: all is ready, but it serves only when told to. Throws
  /// `Estate.Unusable` where the estate is not what it says.
  convenience init(
    _ configuration: Configuration, _ settings: Settings, after estate: Estate, _ rings: RingReport, _ log: ProcessLog
  ) throws {
    let listeners = estate.sockets.compactMap { Listeners(estate.heritage.addresses, $0) }
    let size = Fabric.cacheSize(of: estate.heritage)
    guard listeners.count == estate.heritage.shards, let cache = SharedRegion(of: estate.cache.number, size: size)
    else { throw Estate.Unusable() }
    var settings = settings
    settings.keepCache(of: estate.heritage.settings)
    let fabric = Fabric(settings: settings, after: estate.heritage, segments: cache)
    try self.init(configuration, fabric, listeners: listeners, rings, log)
  }

  /// The one after `old`: all is ready, but it serves only after `takeOver`.
  convenience init(
    _ configuration: Configuration, _ settings: Settings, after old: Generation, _ log: ProcessLog
  ) throws {
    var settings = settings
    settings.keepCache(of: old.settings)
    try self.init(
      configuration, Fabric(settings: settings, after: old.fabric), listeners: old.listeners, old.rings, log)
  }

  private init(
    _ configuration: Configuration, _ fabric: Fabric, listeners existing: [Listeners], _ rings: RingReport,
    _ log: ProcessLog
  ) throws {
    self.configuration = configuration
    self.fabric = fabric
    self.rings = rings
    events = EventLog(fabric, configuration, log)
    files = DirectiveFiles(configuration, fabric.settings, log)
    directory = RingDirectory(shards: fabric.shards, events: events.signal)
    probes = LoopProbe.all(configuration, fabric.settings)
    listeners = try (0..<fabric.shards).map {
      try Listeners(fabric.settings, sharing: existing.indices.contains($0) ? existing[$0] : nil)
    }
    do {
      for (index, listeners) in listeners.enumerated() {
        try startShard(index: index, fabric: fabric, listeners: listeners, directory: directory, report: rings)
      }
    } catch {
      // Those that have a ring wait for their first order.
      fabric.stages.order(.end)
      throw error
    }
  }

  /// Starts what watches for it; before anybody is answered.
  func start() {
    events.start()
    files.start()
  }

  /// Asks itself for names of chance: a loop ends the process, for it would ask itself for ever.
  func lookForLoops(_ log: ProcessLog) {
    for probe in probes {
      ControlThread.start {
        guard let fault = probe.run() else { return }
        log.logger("plugin/loop").critical("\(fault)")
        log.flush()
        exit(1)
      }
    }
  }

  /// Ends it before it served.
  func discard() { fabric.stages.order(.end) }

  /// Before its counters are read: what the one before it goes on to count is counted here.
  func carryCounts() {
    if let old = leaving.withLock({ $0 }) { fabric.carryCounts(of: old.fabric) }
  }

  /// Nobody waits for an answer who was received.
  var isIdle: Bool {
    leaving.withLock { $0.map(\.isIdle) ?? true }
      && (0..<fabric.shards).allSatisfy {
        fabric.counters($0).read(.pending) == 0 && fabric.counters($0).read(.unread) == 0
      }
  }

  /// Takes the place of `old`, which answers those who asked it and no one else from here on. False: the old one does
  /// not leave the cache, as it does within milliseconds unless its threads get no processor.
  func takeOver(from old: Generation) -> Bool {
    old.fabric.stages.successor = fabric
    old.directory.successor = directory
    old.fabric.stages.order(.leave)
    guard old.wait(for: .leftCache, seconds: Self.patience) else { return false }
    leaving.withLock { $0 = old }
    carryCounts()
    fabric.stages.order(.serve)
    return true
  }

  /// After `takeOver`: waits until all who asked the old one have their answers, and ends it. Returns within the time
  /// that its last question may take, and a little more.
  func endLast() {
    guard let old = leaving.withLock({ $0 }) else { return }
    _ = old.wait(for: .done, seconds: Self.lastAnswer)
    old.fabric.stages.order(.end)
    _ = old.wait(for: .ended, seconds: Self.lastAnswer)
    carryCounts()
    leaving.withLock { $0 = nil }
    old.events.stop()
    old.files.stop()
    // Whoever keeps an old one keeps none after it.
    old.fabric.stages.successor = nil
    old.directory.successor = nil
  }

  /// Seconds.
  static let patience = 30
  static let lastAnswer = 6

  /// Whether all shards came as far within the time. A wake-up can be lost, so they are woken again.
  func wait(for report: Stages.Report, seconds: Int, meanwhile: () -> Void = {}) -> Bool {
    let end = ContinuousClock.now + .seconds(seconds)
    var looks = 0
    while !fabric.stages.have(report) {
      if ContinuousClock.now > end { return false }
      if looks % 500 == 0 { directory.wakeAll() }
      meanwhile()
      looks += 1
      usleep(100)
    }
    return true
  }
}
