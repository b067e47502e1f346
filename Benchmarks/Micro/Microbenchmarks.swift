import ArgumentParser
import Foundation

@main struct Microbenchmarks: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "What the pieces of the query path cost, and the path as a whole.",
    discussion: """
      Per operation: nanoseconds (of the best of many repetitions, and of the one in the middle), instructions (under \
      valgrind's callgrind) and mallocs. Exit code 1 where instructions or mallocs are more than the thresholds allow.
      """)

  @Flag(help: "Print one JSON object in place of the table.") var json = false
  @Flag(help: "Write what was measured to the thresholds.") var record = false
  @Flag(help: "Do without callgrind.") var noInstructions = false
  @Option(help: ArgumentHelp("Only benchmarks with this in their name.", valueName: "name")) var filter = ""
  @Option(help: ArgumentHelp("The thresholds.", valueName: "file")) var thresholds = Thresholds.file
  @Flag(help: .hidden) var counting = false
  @Option(help: .hidden) var only: [String] = []

  mutating func validate() throws {
    #if DEBUG
      throw ValidationError("a debug build says nothing of the program's cost: swift run -c release Microbenchmarks")
    #endif
    if record && noInstructions { throw ValidationError("--record needs instructions: leave out --no-instructions") }
    if !Benchmark.all.contains(where: { $0.name.contains(filter) }), !filter.isEmpty {
      let names = Benchmark.all.map(\.name).joined(separator: ", ")
      throw ValidationError("no benchmark has '\(filter)' in its name; there are \(names)")
    }
  }

  func run() throws {
    if counting { return Callgrind.count(Benchmark.all.filter { only.contains($0.name) }) }
    let benchmarks = Benchmark.all.filter { filter.isEmpty || $0.name.contains(filter) }
    var allowed =
      record && !FileManager.default.fileExists(atPath: thresholds) ? Thresholds() : try Thresholds(thresholds)
    let instructions = noInstructions ? nil : try Callgrind.instructions(benchmarks)
    if instructions == nil, !noInstructions {
      say("no instructions: valgrind is not installed (apt-get install valgrind)")
      if record { throw ExitCode.failure }
    }
    let figures = benchmarks.enumerated().map { index, benchmark in
      measure(benchmark, instructions?[index], &allowed)
    }
    print(json ? try object(figures) : table(figures))
    if record { return try allowed.write(thresholds) }
    for figure in figures { complain(figure) }
    if figures.contains(where: { !$0.ok }) { throw ExitCode.failure }
  }

  /// Runs a benchmark by itself; with `--record` its figures become what is allowed.
  private func measure(_ benchmark: Benchmark, _ instructions: Double?, _ allowed: inout Thresholds) -> Figures {
    let repetitions = 200
    let workload = benchmark.make()
    let measured = (0..<repetitions).map { _ in
      guard let measurement = Measurement(workload) else { fatalError("\(benchmark.name): a wrong answer") }
      return measurement
    }
    let perOperation = Double(Benchmark.operations)
    let sorted = measured.map { Double($0.nanoseconds) / perOperation }.sorted()
    let mallocs = Double(measured.reduce(0) { $0 + $1.mallocs }) / perOperation / Double(repetitions)
    if record, let instructions { allowed[benchmark.name] = .init(instructions: instructions, mallocs: mallocs) }
    let threshold = allowed[benchmark.name]
    return Figures(
      name: benchmark.name, ns: sorted[0], nsMedian: sorted[repetitions / 2], instructions: instructions,
      mallocs: mallocs, thresholdInstructions: threshold.map { $0.instructions * Thresholds.margin },
      thresholdMallocs: threshold?.mallocs, lacksThreshold: allowed.areKnown && threshold == nil)
  }

  /// Says what is more than allowed, and how to allow it.
  private func complain(_ figure: Figures) {
    var faults: [String] = []
    if figure.lacksThreshold { faults.append("no threshold in \(thresholds)") }
    if figure.hasTooManyInstructions, let seen = figure.instructions, let allowed = figure.thresholdInstructions {
      faults.append("\(seen.short) instructions per operation, \(allowed.short) allowed by \(thresholds)")
    }
    if figure.hasTooManyMallocs, let allowed = figure.thresholdMallocs {
      faults.append("\(figure.mallocs.short) mallocs per operation, \(allowed.short) allowed by \(thresholds)")
    }
    for fault in faults {
      say(
        """
        \(figure.name): \(fault); if that is meant, record anew: \
        swift run -c release Microbenchmarks --record --filter \(figure.name)
        """)
    }
  }

  private func say(_ line: String) { FileHandle.standardError.write(Data((line + "\n").utf8)) }

  private func object(_ figures: [Figures]) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    return String(decoding: try encoder.encode(["benchmarks": figures]), as: UTF8.self)
  }

  private func table(_ figures: [Figures]) -> String {
    let head = ["per operation", "ns", "median", "instructions", "allowed", "mallocs", "allowed"]
    let rows =
      [head]
      + figures.map { figure in
        [
          figure.name, figure.ns.short, figure.nsMedian.short, figure.instructions?.short ?? "–",
          figure.thresholdInstructions?.short ?? "–", figure.mallocs.short, figure.thresholdMallocs?.short ?? "–",
        ]
      }
    let widths = head.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      row.indices.map { column in
        let padding = String(repeating: " ", count: widths[column] - row[column].count)
        return column == 0 ? row[column] + padding : padding + row[column]
      }.joined(separator: "  ")
    }.joined(separator: "\n")
  }
}
