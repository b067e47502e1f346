import Corefile
import Logging
import Synchronization

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
  /// Reads the Corefile again. Whatever is wrong with it, what runs goes on.
  func reload(reason: ReloadReason) {
    let logger = log.logger()
    latest.withLock { latest in
      if reason != .changed { logger.info("SIGUSR1: Reloading") }
      logger.info("Reloading")
      do throws(Fatal) {
        if flags.corefile == "stdin" { throw Fatal(message: "standard input cannot be read again", status: 1) }
        let configuration = try load()
        _ = try compile(configuration)
        latest.read = configuration.normalizedText
        if latest.read == latest.running {
          logger.info("Reloading complete")
        } else {
          logger.warning("The Corefile changed; this version of ringlet serves the one before until it is restarted")
        }
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

  /// Follows the template and the ConfigMap (every 10 s, and as soon as the kernel reports a change), and the Corefile
  /// itself as often as its `reload` says.
  func watchConfiguration(_ rendered: RenderedCorefile, _ directive: ReloadDirective?) {
    ControlThread.start { [self] in
      var rendered = rendered
      let watch = DirectoryWatch(rendered.directories)
      if !watch.isPrompt {
        log.logger().warning(
          "inotify: none left (sysctl fs.inotify.max_user_instances); changes are found every 10 s instead of at once")
      }
      // At once, for what changed before the watch began.
      var nextUpdate = ContinuousClock.now
      var nextRead = directive.map { ContinuousClock.now + $0.pause }
      while true {
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
