import Foundation

/// Instructions of the benchmarks, counted in a run of this very program under callgrind: most virtual machines have no
/// hardware counter of them.
enum Callgrind {
  /// Repetitions that are counted; the count is the same in every run.
  static let repetitions = 3
  /// Seconds that the run may take.
  private static let limit = 120

  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// Instructions per operation, in the order of `benchmarks`; nil where valgrind is not installed.
  static func instructions(_ benchmarks: [Benchmark]) throws -> [Double]? {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("microbenchmarks-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(at: folder) }
    let output = folder.appendingPathComponent("callgrind")
    let log = folder.appendingPathComponent("log")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments =
      [
        "timeout", "\(limit)", "valgrind", "--tool=callgrind", "--log-file=\(log.path)",
        "--callgrind-out-file=\(output.path)", "--collect-atstart=no", "--toggle-collect=*9collectedyy*",
        "--dump-before=*14collectionEndsyy*", Bundle.main.executablePath!, "--counting",
      ] + benchmarks.flatMap { ["--only", $0.name] }
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus != 127 else { return nil }
    guard process.terminationStatus == 0 else {
      let said = (try? String(contentsOf: log, encoding: .utf8)) ?? ""
      throw Failure(
        description: process.terminationStatus == 124
          ? "callgrind was not done after \(limit) s; try --filter or --no-instructions"
          : "valgrind ended with \(process.terminationStatus); try --no-instructions. It said:\n\(said)")
    }
    return try benchmarks.indices.map { index in
      let dump = try String(contentsOf: output.appendingPathExtension("\(index + 1)"), encoding: .utf8)
      guard let line = dump.split(separator: "\n").last(where: { $0.hasPrefix("totals:") }),
        let total = Int(line.dropFirst("totals:".count).trimmingCharacters(in: .whitespaces))
      else { throw Failure(description: "callgrind's file for \(benchmarks[index].name) has no line 'totals: N'") }
      return Double(total) / Double(repetitions * Benchmark.operations)
    }
  }

  /// What the run under callgrind does.
  static func count(_ benchmarks: [Benchmark]) {
    for benchmark in benchmarks {
      let workload = benchmark.make()
      for _ in 0..<repetitions where Measurement(workload) == nil { fatalError("\(benchmark.name): a wrong answer") }
      collectionEnds(benchmark)
    }
  }
}
