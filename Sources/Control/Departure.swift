import Glibc
import Synchronization

/// How the process ends, by signal (`spec/drop-in.md` a.8): health first says so and pods get time to notice
/// (`hooks`), pending queries are answered (`drain`), interface and rules go (`tearDown`). Exit code 0.
final class Departure: Sendable {
  /// Of the two seconds that the kubelet gives at the least, the rest is for the teardown.
  private static let beforeTearDown = Duration.milliseconds(1200)
  /// Both together are as long as CoreDNS gives its servers to stop, and longer than a question takes.
  private static let afterTearDown = Duration.milliseconds(3800)

  private let hooks: @Sendable () -> Void
  private let tearDown: @Sendable () -> Void
  private let drain: @Sendable (Duration) -> Void
  private let log: ProcessLog
  private let begun = Mutex<Set<Signals.Signal>>([])
  private let hasLeft = Atomic<Bool>(false)

  init(
    hooks: @escaping @Sendable () -> Void, tearDown: @escaping @Sendable () -> Void,
    drain: @escaping @Sendable (Duration) -> Void, log: ProcessLog
  ) {
    self.hooks = hooks
    self.tearDown = tearDown
    self.drain = drain
    self.log = log
  }

  /// Starts to leave on a thread of its own, so that the next signal is heard: a second SIGINT leaves at once, with 2.
  func begin(_ signal: Signals.Signal) {
    guard begun.withLock({ $0.insert(signal).inserted }) else {
      if signal == .interrupt { exit(2) }
      return
    }
    ControlThread.start { [self] in
      switch signal {
      case .terminate:
        hooks()
        // No answer leaves an address that is gone.
        drain(Self.beforeTearDown)
        tearDown()
        drain(Self.afterTearDown)
      case .interrupt:
        tearDown()
        hooks()
      default: tearDown()
      }
      // One thread leaves; exit(3) is not for two.
      if !hasLeft.exchange(true, ordering: .relaxed) {
        log.flush()
        exit(0)
      }
    }
  }
}
