import Corefile
import Glibc
import Logging
import Synchronization
import TLS

/// What came of reading the Corefile last.
struct LatestConfiguration: Sendable {
  /// The normalized text of what runs.
  var running = ""
  /// The normalized text, or the error, of what was read last: the same is not tried again.
  var read = ""

  init() {}
  init(running: String) { (self.running, read) = (running, running) }
}

/// Why the Corefile is read again.
enum ReloadReason {
  /// SIGUSR1
  case signal
  /// It was rendered anew, and `-reloadwithsignal` is set.
  case rendered
  /// The `reload` directive found that it changed.
  case changed
}

extension NodeCache {
  /// Reads the Corefile again and puts it to work. Whatever is wrong with it, what runs goes on. One that is asked for
  /// while another waits for its turn is the same.
  func reload(reason: ReloadReason) {
    if isReloadDue.exchange(true, ordering: .acquiringAndReleasing) { return }
    latest.withLock { latest in
      isReloadDue.store(false, ordering: .releasing)
      let logger = log.logger()
      if reason != .changed { logger.info("SIGUSR1: Reloading") }
      logger.info("Reloading")
      do throws(Fatal) {
        if flags.corefile == "stdin" { throw Fatal(message: "standard input cannot be read again", status: 1) }
        let configuration = try load()
        latest.read = configuration.normalizedText
        try replace(with: configuration)
        latest.running = latest.read
        let digest = announceDigest(configuration)
        reloadedDigest.withLock { $0 = digest }
        logger.info("Reloading complete")
      } catch {
        latest.read = error.message
        failedReloads.add(1, ordering: .relaxed)
        logger.error("Restart failed: \(error.message)")
        switch reason {
        case .signal, .rendered: logger.error("SIGUSR1: \(error.message)")
        case .changed: log.logger("plugin/reload").error("Corefile changed but reload failed: \(error.message)")
        }
      }
    }
  }

  /// Logs, where the Corefile says `reload`, which configuration runs, and returns its digest: that of its words after
  /// imports and variables. (CoreDNS digests its parser's tokens with their lines, so the two differ.)
  @discardableResult func announceDigest(_ configuration: Configuration) -> String {
    let digest = SHA512.hex(configuration.normalizedText.utf8)
    if configuration.reload != nil { log.logger("plugin/reload").info("Running configuration SHA512 = \(digest)") }
    return digest
  }

  /// Returns when nothing of the old configuration is left, or throws what keeps it at work.
  private func replace(with configuration: Configuration) throws(Fatal) {
    guard let old = work.withLock({ $0 }) else { return }
    let settings = try compile(configuration)
    let new = try start { try Generation(configuration, settings, after: old, log) }
    do throws(Fatal) {
      try openEndpoints(configuration)
    } catch {
      new.discard()
      throw error
    }
    for line in configuration.ineffective { log.logger().warning("\(line)") }
    new.start()
    guard new.takeOver(from: old) else {
      log.logger().critical("The shards get no processor: they do not hand over within half a minute")
      log.flush()
      exit(1)
    }
    work.withLock { $0 = new }
    new.lookForLoops(log)
    new.endLast()
    deposit()
  }

  /// Follows the template and the ConfigMap (every 10 s, and as soon as the kernel reports a change), and the Corefile
  /// itself as often as its `reload` says.
  func watchConfiguration(_ rendered: RenderedCorefile) {
    ControlThread.start { [self] in
      var rendered = rendered
      let watch = DirectoryWatch(rendered.directories)
      if !watch.isPrompt {
        log.logger().warning(
          "inotify: none left (sysctl fs.inotify.max_user_instances); changes are found every 10 s instead of at once")
      }
      // At once, for what changed before the watch began.
      var nextUpdate = ContinuousClock.now
      var nextRead: ContinuousClock.Instant?
      while true {
        let directive = work.withLock { $0?.configuration.reload }
        if directive == nil || nextRead == nil { nextRead = directive.map { ContinuousClock.now + $0.pause } }
        let pause = min(nextUpdate, nextRead ?? nextUpdate) - ContinuousClock.now
        let isChanged = watch.wait(milliseconds: max(0, Int(pause / .milliseconds(1)) + 1))
        if isChanged || ContinuousClock.now >= nextUpdate {
          nextUpdate = ContinuousClock.now + Self.updateInterval
          if latest.withLock({ _ in rendered.update() }) && flags.reloadWithSignal { reload(reason: .rendered) }
        }
        if let directive, let due = nextRead, ContinuousClock.now >= due {
          nextRead = ContinuousClock.now + directive.pause
          if hasChanged() { reload(reason: .changed) }
        }
      }
    }
  }

  private static let updateInterval = Duration.seconds(10)

  /// Whether the Corefile says something else than when it was read last, or has another fault.
  private func hasChanged() -> Bool {
    if flags.corefile == "stdin" { return false }
    return latest.withLock { latest in
      do throws(Fatal) { return try load().normalizedText != latest.read } catch { return error.message != latest.read }
    }
  }
}

extension Configuration {
  /// The process has one, whichever block it stands in.
  var reload: ReloadDirective? { blocks.lazy.compactMap(\.reload).first }
}

extension ReloadDirective {
  /// Until the next look: another one each time, so that a cluster's nodes do not look all at once.
  var pause: Duration {
    let half = jitter.nanoseconds / 2
    return .nanoseconds(interval.nanoseconds + .random(in: -half...half))
  }
}
