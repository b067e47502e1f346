import Engine
import Glibc
import Logging
import Sockets
import Synchronization

/// Sees whether the shards go on: death is for the supervisor to see, but a thread that hangs or spins would leave its part
/// of the clients without answers for ever.
///
/// It looks when somebody asks how the process is (`/health`, `/ready`, `/metrics`), so an idle process does not wake up
/// for it: wakes each shard, and looks again until each has had a turn.
final class Watchdog: Sendable {
  private struct State {
    /// The shard that does not go on.
    var standing: Int?
    /// By shard: looks at which it was late.
    var stalls: [UInt64] = []
  }

  private let state = Mutex(State())
  private let signal = EventSignal()

  /// Microseconds between looks at a shard that was woken.
  private static let step: UInt32 = 100_000
  /// So many in a row without a turn, and the process is neither healthy nor ready; so many more, and it ends.
  private static let warning = 10
  private static let end = 50

  /// `serving` gives the shards to be seen after, if any serve.
  func start(_ log: ProcessLog, serving: @escaping @Sendable () -> Generation?) {
    ControlThread.start { [self] in
      while true {
        signal.wait()
        if let generation = serving() { watch(generation, log) }
        state.withLock { $0.standing = nil }
      }
    }
  }

  func look() { signal.signal() }

  /// The last look has not found that a shard does not go on.
  var isContent: Bool { state.withLock { $0.standing == nil } }

  /// Returns when each shard has had a turn, or is not to have one any more.
  ///
  /// What is counted are this thread's own steps, not time: when the whole process stands still (SIGSTOP, a suspended
  /// machine) or gets little of a processor, this thread does so too.
  private func watch(_ generation: Generation, _ log: ProcessLog) {
    let fabric = generation.fabric
    let turns = (0..<fabric.shards).map { fabric.counters($0).read(.turns) }
    generation.directory.wakeAll()
    for step in 1...Self.end {
      usleep(Self.step)
      guard fabric.stages.ordered == .serve, fabric.stages.have(.ready) else { return }
      let late = turns.indices.filter { fabric.counters($0).read(.turns) == turns[$0] }
      guard let first = late.first else { return }
      if step == 1 { count(late) }
      if step >= Self.warning { state.withLock { $0.standing = first } }
      // A wake-up can be lost.
      if step % Self.warning == 0 { generation.directory.wakeAll() }
      if step == Self.end {
        log.logger().critical("Shard \(first) hangs: no turn in 5 s although it was woken; ending the process")
        log.flush()
        abort()
      }
    }
  }

  private func count(_ late: [Int]) {
    state.withLock { state in
      for shard in late {
        while state.stalls.count <= shard { state.stalls.append(0) }
        state.stalls[shard] += 1
      }
    }
  }

  func add(to out: inout Exposition) {
    for (shard, count) in state.withLock({ $0.stalls }).enumerated() {
      out.counter(
        "ringlet_stalls_total", Double(count),
        help: "Looks that found a shard without a turn 100 ms after it was woken; after 5 s the process ends.",
        labels: ["shard": "\(shard)"])
    }
  }
}
