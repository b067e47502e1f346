/// Latency of cached answers when queries come at a fixed rate, whatever the server does.
extension Bench {
  /// `shares` are of `floorRate`, what the floor on the ring answers a second at saturation.
  func measureLatency(floorRate: Double, shares: [Double]) throws -> LatencyCurve {
    var curve = LatencyCurve(floorRate: floorRate)
    let path = try queries.measured(.hits, round: 1, seconds: seconds).path
    let warming = try queries.warming(.hits)!
    for share in shares {
      var reports: [String: [LoadReport]] = [:]
      for round in 1...rounds {
        for server in servers.shuffled(round: round) {
          Progress.show("latency at \(percent(share)) of the floor's rate, round \(round) of \(rounds): \(server.name)")
          let report = try attempt(server) {
            _ = try Load(queries: warming, seconds: 10, once: true).run(against: server.port, in: session)
            let load = Load(queries: path, seconds: seconds, rate: floorRate * share)
            return try load.run(against: server.port, in: session)
          }
          if let report { reports[server.name, default: []].append(report) }
        }
      }
      curve.points += servers.map { server in
        let reports = reports[server.name]!
        let middle = { (value: (LoadReport) -> Double) in median(reports.map(value)) }
        return .init(
          server: server.name, share: share, rate: floorRate * share, answered: middle(\.answered),
          p50: middle(\.latency.p50), p99: middle(\.latency.p99), p999: middle(\.latency.p999))
      }
    }
    return curve
  }

  /// Answers a second of the floor on the ring.
  func floorRate() throws -> Double {
    let floor = servers[0]
    Progress.show("the floor's rate")
    let path = try queries.measured(.hits, round: 1, seconds: seconds).path
    return try Load(queries: path, seconds: seconds).run(against: floor.port, in: session).qps
  }
}
