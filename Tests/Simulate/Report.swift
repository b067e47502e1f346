import Glibc
import Simulation

/// What a run says on the terminal: a line that tells how far it is, worlds that broke a promise, and a table.
struct Report {
  private let start: ContinuousClock.Instant
  private let queries: Int
  private let commit: String
  private var told: ContinuousClock.Instant
  private var tally = Tally()
  private(set) var failing = 0
  private let isTerminal = isatty(STDOUT_FILENO) == 1

  static var processors: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

  init(start: ContinuousClock.Instant, queries: Int, commit: String) {
    self.start = start
    self.queries = queries
    self.commit = commit
    told = start
  }

  private var seconds: Double { (ContinuousClock.now - start) / .seconds(1) }

  mutating func add(_ run: Run, seed: UInt64) {
    tally += run.tally
    if !run.problems.isEmpty {
      failing += 1
      clearLine()
      print("seed \(seed) at \(commit) breaks a promise; again: Tools/simulate --seed \(seed) --queries \(queries)")
      for problem in run.problems { print("  \(problem)") }
    }
    // A line a second where it is overwritten, one every ten seconds in a file.
    guard ContinuousClock.now - told >= .seconds(isTerminal ? 1 : 10) else { return }
    told = .now
    clearLine()
    print(progress, terminator: isTerminal ? "" : "\n")
    fflush(nil)
  }

  private func clearLine() { if isTerminal { print("\r\u{1B}[K", terminator: "") } }

  private var progress: String {
    let rate = Int(Double(tally.queries) / seconds)
    return "\(Int(seconds)) s: \(tally.worlds) worlds, \(tally.queries) queries, \(rate) a second, \(failing) failing"
  }

  func finish() {
    clearLine()
    print(progress)
    let rows = [
      ("queries", tally.queries), ("replies by UDP", tally.datagramReplies), ("replies by TCP", tally.streamReplies),
      ("of both, SERVFAIL of our own", tally.failures), ("of both, REFUSED of our own", tally.refused),
      ("of both, old answers", tally.stale),
      ("messages ignored", tally.ignored),
      ("messages dropped, and counted", tally.dropped), ("questions to upstreams", tally.upstreamQuestions),
      ("reloads", tally.reloads), ("suspensions", tally.suspensions), ("rings forbidden", tally.refusals),
      ("turns of shards", tally.turns),
      ("seconds of virtual time", Int(tally.time / second)), ("worlds", tally.worlds),
      ("worlds that broke a promise", failing),
    ]
    print("commit".padded(to: 32) + String(repeating: " ", count: max(0, 16 - commit.count)) + commit)
    for (name, number) in rows {
      print(name.padded(to: 32) + String(repeating: " ", count: max(0, 16 - "\(number)".count)) + "\(number)")
    }
  }
}

extension String {
  fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
