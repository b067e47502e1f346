import CNetlink
import Glibc
import Synchronization

/// Sets up the interface and the firewall rules, keeps them, and takes them away again (`spec/drop-in.md` a.2, a.7).
///
/// What somebody removes is put back when the kernel tells of it, and otherwise at the next look at everything: after
/// `interval`, or after 1, 2, 4 ... seconds while something fails. Failures are reported and never end anything.
public final class NetworkKeeper: Sendable {
  private let configuration: NetworkConfiguration
  private let report: @Sendable (NetworkEvent) -> Void
  private let state: Mutex<NetworkState>
  private let isEnding = Atomic<Bool>(false)
  /// An eventfd, readable for good once `isEnding`.
  private let wake: Int32

  /// - Parameter report: called on the thread that calls `prepareInterface`, `run` or `tearDown`.
  public init(_ configuration: NetworkConfiguration, report: @escaping @Sendable (NetworkEvent) -> Void) {
    self.configuration = configuration
    self.report = report
    state = Mutex(NetworkState(configuration, report: report))
    wake = eventfd(0, Int32(EFD_CLOEXEC))
    precondition(wake >= 0, "eventfd: no descriptor")
  }

  deinit { close(wake) }

  /// Before listeners bind: the interface and its addresses, and no rules, which would lead queries to where nobody
  /// answers.
  public func prepareInterface() { state.withLock { $0.prepareInterface() } }

  /// Once the servers are up: the rules. Then keeps everything until `tearDown`; for a thread of its own.
  public func run() {
    // Watched before it is looked at, so that nothing is lost between.
    let watch = NetworkWatch(configuration)
    var (due, losses, failed) = (ContinuousClock.now, Set<NetworkWatch.Loss>(), 0)
    var budget = RepairBudget(now: due)
    while !isEnding.load(ordering: .acquiring) {
      let now = ContinuousClock.now
      if now >= due {
        failed = lookAtEverything() ? 0 : failed + 1
        let pause = failed > 0 ? Duration.seconds(1 << min(failed - 1, 20)) : configuration.interval
        due = now + min(pause, configuration.interval)
        losses = []
      } else if !losses.isEmpty, now >= budget.next {
        budget.spend(now: now)
        if !mend(losses) { due = min(due, now + .seconds(1)) }
        losses = []
      }
      losses.formUnion(watch.wait(until: losses.isEmpty ? due : min(due, budget.next), wake: wake))
    }
  }

  private func lookAtEverything() -> Bool {
    state.withLock { isEnding.load(ordering: .acquiring) || $0.ensureAll(interrupt: wake) }
  }

  private func mend(_ losses: Set<NetworkWatch.Loss>) -> Bool {
    state.withLock { isEnding.load(ordering: .acquiring) || $0.mend(losses, interrupt: wake) }
  }

  /// Stops `run`, and leaves all as it is: another process keeps it.
  public func pause() {
    isEnding.store(true, ordering: .releasing)
    var one: UInt64 = 1
    // Sound: eight bytes, as eventfd(2) asks.
    _ = unsafe write(wake, &one, 8)
  }

  /// After `pause`, before `run` again.
  public func resume() {
    var count: UInt64 = 0
    // Sound: eight bytes, as eventfd(2) asks.
    _ = unsafe read(wake, &count, 8)
    isEnding.store(false, ordering: .releasing)
  }

  /// Stops `run`, then takes away rules and interface; gives up on rules after 20 s.
  public func tearDown() {
    pause()
    state.withLock { $0.remove(by: .now + .seconds(20)) }
  }
}
