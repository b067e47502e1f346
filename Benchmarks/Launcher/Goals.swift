/// What Ringlet is to reach, and whether it did.
struct Goal: Codable {
  let figure: String
  let goal: String
  let measured: String
  /// Nil where the run cannot tell.
  let isMet: Bool?

  init(_ figure: String, _ goal: String, _ measured: String, isMet: Bool?) {
    (self.figure, self.goal, self.measured, self.isMet) = (figure, goal, measured, isMet)
  }

  /// Held to the goal with as many digits as are printed, and no more.
  init(_ figure: String, atMost limit: Double, _ value: Double, _ digits: Int, _ unit: String = "") {
    self.init(
      figure, "≤ \(fixed(limit, digits))\(unit)", "\(fixed(value, digits))\(unit)",
      isMet: rounded(value, digits) <= rounded(limit, digits))
  }

  init(_ figure: String, atLeast limit: Double, _ value: Double, _ digits: Int) {
    self.init(
      figure, "≥ \(fixed(limit, digits))", fixed(value, digits),
      isMet: rounded(value, digits) >= rounded(limit, digits))
  }
}

extension Results {
  /// Those for which the run has figures.
  var goals: [Goal] {
    var goals: [Goal] = []
    if let hit = cost(.hits, "ringlet") {
      goals.append(Goal("CPU per cached answer, × floor", atMost: 1.05, hit.ratio, 2))
      goals.append(Goal("user time per cached answer", atMost: 0.3, hit.user, 2, " µs"))
    }
    if let hit = cost(.hits, "ringlet-epoll"), let floor = cost(.hits, "floor-recvmmsg") {
      goals.append(Goal("epoll: CPU per cached answer, × floor-recvmmsg", atMost: 1.15, hit.cpu / floor.cpu, 2))
    }
    if let miss = cost(.misses, "ringlet") {
      goals.append(Goal("CPU per miss", atMost: 15, miss.cpu, 1, " µs"))
      goals.append(Goal("CPU per miss, × floor", atMost: 2, miss.ratio, 2))
    }
    if let mix = cost(.mix, "ringlet"), let other = cost(.mix, "node-cache") {
      goals.append(Goal("Kubernetes mix, CPU × node-cache", atMost: 0.2, mix.cpu / other.cpu, 2))
    }
    if let half = latency?.points.filter({ $0.share == 0.5 }),
      let floor = half.first(where: { $0.server == Peers.floors[0] }),
      let ringlet = half.first(where: { $0.server == "ringlet" })
    {
      goals.append(Goal("p99 at half the floor's rate, × floor", atMost: 1.2, ringlet.p99 / floor.p99, 2))
    }
    if let mix = cost(.mix, "ringlet")?.positiveHits, let flood = cost(.flood, "ringlet")?.positiveHits {
      goals.append(Goal("positive hits lost to random subdomains", atMost: 2, (mix - flood) * 100, 1, " points"))
    }
    if shards.count == 2 {
      goals.append(Goal("two shards, CPU × one shard", atMost: 1.1, shards[1].cpu / shards[0].cpu, 2))
      let shares = shards[1].shares
      goals.append(
        Goal(
          "two shards, queries of each", "45–55 %", shares.map { percent($0, 1) }.joined(separator: " "),
          isMet: shares.count == 2 && shares.allSatisfy { 45...55 ~= rounded(100 * $0, 1) }))
    }
    for one in loadTools where one.tool == "ringperf" {
      let lost = loadTools.filter { $0.workload == one.workload }.map(\.lost)
      let figure = "ringperf, \(one.workload.rawValue): queries"
      goals.append(Goal("\(figure) per second of its CPU, × dnsperf", atLeast: 1.5, one.ratio, 2))
      goals.append(
        Goal(
          "\(figure) lost, and dnsperf's", "equal",
          lost.reversed().map { fixed(Double($0), 0) }.joined(separator: ", "), isMet: Set(lost).count == 1))
    }
    if let memory = memory.first(where: { $0.server == "ringlet" })?.full {
      goals.append(Goal("anonymous memory, 20,000 entries", atMost: 12, Double(memory.anonymous) / 1024, 1, " MiB"))
      goals.append(Goal("RSS, 20,000 entries", atMost: 24, Double(memory.resident) / 1024, 1, " MiB"))
    }
    if let idle = idle.first(where: { $0.server == "ringlet" }) {
      // The kernel counts them, and not what for.
      let perMinute = Double(idle.switches) * 60 / Double(idle.seconds)
      goals.append(Goal("wake-ups while idle", "timers in use only", "\(fixed(perMinute, 0)) a minute", isMet: nil))
      goals.append(Goal("CPU while idle", atMost: 0, idle.cpu / 1e4 / Double(idle.seconds), 1, " %"))
    }
    return goals
  }

  private func cost(_ workload: Workload, _ server: String) -> Cost? {
    workloads.first { $0.workload == workload }?.rows.first { $0.server == server }
  }
}
