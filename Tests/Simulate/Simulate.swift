import ArgumentParser
import Simulation

@main struct Simulate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Runs the engine in worlds of chance, in virtual time, and checks every answer.",
    discussion: """
      Each world has 1 to 4 shards, 3 to 5 upstream servers, two zones, and some of the faults that rings, networks, \
      upstreams and operators make; its seed decides on all of them. A world that breaks a promise is printed with the \
      command that runs it again, and the exit status is 1.
      """)

  @Option(help: "Start worlds for this many minutes, on all processors.")
  var minutes: Double?

  @Option(help: "Run the world of this seed alone; with --minutes, the first of them.")
  var seed: UInt64 = 1

  @Option(help: "Queries of a world, about.")
  var queries = 10_000

  /// What the report says it is of: the same seed is the same world only there. `Tools/simulate` gives it.
  @Option(help: .hidden)
  var commit = "unknown"

  func validate() throws {
    if let minutes, minutes <= 0 { throw ValidationError("--minutes takes a number above 0, not \(minutes).") }
    if queries <= 0 { throw ValidationError("--queries takes a number above 0, not \(queries).") }
  }

  func run() async throws {
    let start = ContinuousClock.now
    let end = start + .seconds((minutes ?? 0) * 60)
    var report = Report(start: start, queries: queries, commit: commit)
    await withTaskGroup(of: (UInt64, Run).self) { group in
      var next = seed
      func add() {
        let seed = next
        next += 1
        group.addTask { [queries] in (seed, Run(seed: seed, queries: queries)) }
      }
      for _ in 0..<(minutes == nil ? 1 : Report.processors) { add() }
      while let (seed, run) = await group.next() {
        report.add(run, seed: seed)
        if ContinuousClock.now < end { add() }
      }
    }
    report.finish()
    if report.failing > 0 { throw ExitCode.failure }
  }
}
