import Corefile
import Engine
import Glibc
import Logging
import Memory
import Synchronization
import Uring

/// A configuration at work: its shards, and what watches and tells for them. The next one takes over from it, with the
/// sockets, the cache and the clients that they share; this one ends when nobody waits for it any more.
final class Generation: Sendable {
  let configuration: Configuration
  let fabric: Fabric
  let files: DirectiveFiles
  private let events: EventLog
  private let directory: RingDirectory
  /// Of each shard.
  private let sockets: [[[UInt8]: Listeners.Sockets]]
  private let probes: [LoopProbe]
  /// The one before it, until that has ended.
  private let leaving = Mutex<Generation?>(nil)

  var settings: Settings { fabric.settings }

  /// The first one of a process: it serves when its shards have a ring.
  convenience init(_ configuration: Configuration, _ settings: Settings, shards: Int, _ log: ProcessLog) throws {
    var random = SystemRandomNumberGenerator()
    let fabric = Fabric(settings: settings, shards: shards, random: (random.next(), random.next(), random.next()))
    try self.init(configuration, fabric, after: nil, log)
  }

  /// The one after `old`: all is ready, but it serves only after `takeOver`.
  convenience init(
    _ configuration: Configuration, _ settings: Settings, after old: Generation, _ log: ProcessLog
  ) throws {
    var settings = settings
    settings.keepCache(of: old.settings)
    try self.init(configuration, Fabric(settings: settings, after: old.fabric), after: old, log)
  }

  private init(_ configuration: Configuration, _ fabric: Fabric, after old: Generation?, _ log: ProcessLog) throws {
    self.configuration = configuration
    self.fabric = fabric
    events = EventLog(fabric, configuration, log)
    files = DirectiveFiles(configuration, fabric.settings, log)
    directory = RingDirectory(shards: fabric.shards, events: events.signal)
    probes = LoopProbe.all(configuration, fabric.settings)
    var sockets: [[[UInt8]: Listeners.Sockets]] = []
    do {
      for index in 0..<fabric.shards {
        let listeners = try Listeners(fabric.settings, sharing: old?.sockets[index] ?? [:])
        sockets.append(listeners.sockets)
        try startShard(index: index, fabric: fabric, listeners: listeners, directory: directory)
      }
    } catch {
      // Those that have a ring wait for their first order.
      fabric.stages.order(.end)
      throw error
    }
    self.sockets = sockets
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

  /// Nobody waits for an upstream.
  var isIdle: Bool {
    leaving.withLock { $0.map(\.isIdle) ?? true }
      && (0..<fabric.shards).allSatisfy { fabric.counters($0).read(.pending) == 0 }
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
  private static let patience = 30
  private static let lastAnswer = 6

  /// Whether all shards came as far within the time. A wake-up can be lost, so they are woken again.
  private func wait(for report: Stages.Report, seconds: Int) -> Bool {
    let end = ContinuousClock.now + .seconds(seconds)
    var looks = 0
    while !fabric.stages.have(report) {
      if ContinuousClock.now > end { return false }
      if looks % 500 == 0 { directory.wakeAll() }
      looks += 1
      usleep(100)
    }
    return true
  }
}
