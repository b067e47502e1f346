/// CPU per answer at saturation: all servers by turns, round after round, so that what changes on the machine meanwhile
/// changes it for all.
extension Bench {
  func measure(_ workload: Workload) throws -> WorkloadCost {
    var samples: [String: [Sample]] = [:]
    let warming = try queries.warming(workload)
    for round in 1...rounds {
      let (path, positive) = try queries.measured(workload, round: round, seconds: seconds)
      for server in servers(for: workload).shuffled(round: round) {
        Progress.show("\(workload.rawValue), round \(round) of \(rounds): \(server.name)")
        let load = Load(
          queries: path, seconds: seconds, once: workload.asksOnce, sockets: workload.isOfPods ? 100 : 16,
          areResolvers: workload.isOfPods)
        guard let sample = try attempt(server, { try sample(server, load, warming: warming, positive: positive) })
        else { continue }
        samples[server.name, default: []].append(sample)
      }
    }
    let floor = samples[Peers.floors[0]] ?? []
    let floorCPU = median(floor.map(\.cpu))
    return WorkloadCost(
      workload: workload, rounds: rounds, seconds: seconds,
      floorSpread: floor.isEmpty ? 0 : (floor.map(\.cpu).max()! - floor.map(\.cpu).min()!) / floorCPU,
      rows: servers(for: workload).map { server in
        let samples = samples[server.name]!
        let (user, system) = samples.reduce((0, 0)) { ($0.0 + $1.userTicks, $0.1 + $1.systemTicks) }
        let userShare = Double(user) / Double(max(1, user + system))
        let middle = { (value: (Sample) -> Double) in median(samples.map(value)) }
        return Cost(
          server: server.name, cpu: middle(\.cpu), user: middle(\.cpu) * userShare,
          system: middle(\.cpu) * (1 - userShare),
          ratio: middle(\.cpu) / floorCPU, rate: middle(\.rate), busy: middle(\.busy), failed: middle(\.failed),
          positiveHits: positiveHits(workload, samples, server))
      })
  }

  /// One load on one server. The cache is warmed before, which is not counted.
  func sample(_ server: Server, _ load: Load, warming: String?, positive: Double) throws -> Sample {
    if let warming { _ = try Load(queries: warming, seconds: 10, once: true).run(against: server.port, in: session) }
    let asked = try upstream.positiveQueries()
    let before = Usage(of: server.child.pid)
    let report = try load.run(against: server.port, in: session)
    let after = Usage(of: server.child.pid)
    guard server.child.isAlive else { throw Failure("\(server.name) has ended under load; \(server.child.lastWords)") }
    guard report.completed > 0 else { throw Failure("\(server.name) answers nothing under load") }
    let cpu = Double(after.cpu - before.cpu) / 1000 / Double(report.completed)
    let missed = Double(try upstream.positiveQueries() - asked)
    return Sample(
      cpu: cpu, userTicks: after.userTicks - before.userTicks, systemTicks: after.systemTicks - before.systemTicks,
      rate: report.qps,
      busy: Double(after.cpu - before.cpu) / 1e9 / report.seconds, failed: 1 - report.answered,
      positiveHits: 1 - missed / max(1, Double(report.completed) * positive))
  }

  /// Floors have no cache.
  private func positiveHits(_ workload: Workload, _ samples: [Sample], _ server: Server) -> Double? {
    guard workload.isOfPods, !Peers.floors.contains(server.name) else { return nil }
    return median(samples.map(\.positiveHits))
  }
}

/// What one load on one server showed; see `Cost`.
struct Sample {
  let cpu: Double
  let userTicks: Int
  let systemTicks: Int
  let rate: Double
  let busy: Double
  let failed: Double
  let positiveHits: Double
}
