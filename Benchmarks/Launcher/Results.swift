/// Everything a run has measured: what `--json` writes, with keys in snake_case.
struct Results: Codable {
  var machine: Machine
  /// Of each server that was measured, in the order of the tables.
  var versions: [Version] = []
  /// What was not measured, and why: one line each.
  var absent: [String] = []
  /// What a reader should know before he trusts the figures: one line each.
  var warnings: [String] = []
  var micro: [Microbenchmark] = []
  var workloads: [WorkloadCost] = []
  var latency: LatencyCurve?
  var shards: [ShardCost] = []
  var loadTools: [ToolCost] = []
  var memory: [Memory] = []
  var idle: [Idle] = []

  struct Version: Codable {
    let server: String
    let version: String
  }
}

/// One line of `Microbenchmarks --json`.
struct Microbenchmark: Codable {
  let name: String
  let ns: Double
  /// Nil without valgrind.
  let instructions: Double?
  let mallocs: Double
  let thresholdInstructions: Double?
  let thresholdMallocs: Double?
  let ok: Bool
}

struct WorkloadCost: Codable {
  let workload: Workload
  let rounds: Int
  let seconds: Int
  /// How far apart the rounds of the floor on the ring were: (largest - smallest) / median of its CPU per answer.
  let floorSpread: Double
  let rows: [Cost]
}

extension WorkloadCost {
  /// Why not to trust its figures.
  var warnings: [String] {
    let unsteady =
      floorSpread > 0.1
      ? [
        "\(workload.title): the floor's CPU per answer varied by \(percent(floorSpread)) between rounds;"
          + " do not trust differences smaller than that."
      ] : []
    return unsteady
      + rows.filter { $0.failed > 0.01 }.map { row in
        "\(workload.title): \(row.server) failed to answer \(percent(row.failed, 1)) of the queries;"
          + " its figures are not those of a cache that works."
      }
  }
}

/// What one answer costs a server: medians over the rounds.
struct Cost: Codable {
  let server: String
  /// Microseconds of CPU, of the whole process tree.
  let cpu: Double
  let user: Double
  let system: Double
  /// `cpu` as a multiple of that of the floor on the ring.
  let ratio: Double
  /// Answers a second.
  let rate: Double
  /// The part of the time that the server was on its CPU.
  let busy: Double
  /// The part of the queries without an answer, or with SERVFAIL or REFUSED for one.
  let failed: Double
  /// The part of the questions with an address to answer that the upstream was not asked. Nil where none are.
  let positiveHits: Double?
}

struct LatencyCurve: Codable {
  /// Answers a second of the floor on the ring at saturation.
  let floorRate: Double
  var points: [Point] = []

  struct Point: Codable {
    let server: String
    /// Of `floorRate`.
    let share: Double
    /// Queries a second.
    let rate: Double
    /// The part of them that was answered, with NOERROR or NXDOMAIN.
    let answered: Double
    /// Microseconds from the scheduled instant.
    let p50: Double
    let p99: Double
    let p999: Double
  }
}

struct ShardCost: Codable {
  let shards: Int
  /// Microseconds of CPU per answer.
  let cpu: Double
  let rate: Double
  /// Of the datagrams, what each shard received.
  let shares: [Double]
}

struct Memory: Codable {
  let server: String
  /// After the first answer, and with twice `Queries.entries` names asked for.
  let empty: Footprint
  let full: Footprint
}

struct Idle: Codable {
  let server: String
  let seconds: Int
  /// Context switches.
  let switches: Int
  /// Microseconds of CPU.
  let cpu: Double
}

/// The middle of the values; of an even number of them the mean of the two in the middle. NaN if there are none.
func median(_ values: [Double]) -> Double {
  guard !values.isEmpty else { return .nan }
  let sorted = values.sorted()
  let middle = sorted.count / 2
  return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
