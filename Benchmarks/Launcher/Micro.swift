import FoundationEssentials

/// Part (a): the micro benchmarks, a program of their own because they need the engine's optimised code.
enum Micro {
  private struct Report: Decodable { let benchmarks: [Microbenchmark] }

  static func run(in session: Session) throws -> [Microbenchmark] {
    Progress.show("micro benchmarks")
    // 1: something is over its threshold.
    let output = try session.run(
      [Toolchain.program("Microbenchmarks"), "--json"], on: [session.cpus.server], seconds: 900, codes: [0, 1])
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    do {
      return try decoder.decode(Report.self, from: Data(output)).benchmarks
    } catch {
      throw Failure("Microbenchmarks --json: expected its report; \(error)")
    }
  }
}
