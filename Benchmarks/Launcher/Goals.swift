/// What Ringlet is to reach, and whether it did.
struct Goal: Codable {
  let figure: String
  let goal: String
  let measured: String
  let isMet: Bool
}

extension Results {
  /// Those for which the run has figures.
  var goals: [Goal] {
    var goals: [Goal] = []
    func add(_ figure: String, _ goal: String, _ measured: String, _ isMet: Bool) {
      goals.append(Goal(figure: figure, goal: goal, measured: measured, isMet: isMet))
    }
    if let hit = cost(.hits, "ringlet") {
      add("CPU per cached answer, × floor", "≤ 1.05", fixed(hit.ratio, 2), hit.ratio <= 1.055)
      add("user time per cached answer", "≤ 0.30 µs", "\(fixed(hit.user, 2)) µs", hit.user <= 0.305)
    }
    if let hit = cost(.hits, "ringlet-epoll"), let floor = cost(.hits, "floor-recvmmsg") {
      let ratio = hit.cpu / floor.cpu
      add("epoll: CPU per cached answer, × floor-recvmmsg", "≤ 1.15", fixed(ratio, 2), ratio <= 1.155)
    }
    if let miss = cost(.misses, "ringlet") {
      add("CPU per miss", "≤ 15 µs", "\(fixed(miss.cpu, 1)) µs", miss.cpu <= 15)
      add("CPU per miss, × floor", "≤ 2.0", fixed(miss.ratio, 2), miss.ratio <= 2.05)
    }
    if let mix = cost(.mix, "ringlet"), let other = cost(.mix, "node-cache") {
      add("Kubernetes mix, CPU × node-cache", "≤ 0.20", fixed(mix.cpu / other.cpu, 2), mix.cpu <= other.cpu * 0.205)
    }
    if let half = latency?.points.filter({ $0.share == 0.5 }),
      let floor = half.first(where: { $0.server == Peers.floors[0] }),
      let ringlet = half.first(where: { $0.server == "ringlet" })
    {
      let ratio = ringlet.p99 / floor.p99
      add("p99 at half the floor's rate, × floor", "≤ 1.2", fixed(ratio, 2), ratio <= 1.25)
    }
    if let mix = cost(.mix, "ringlet")?.positiveHits, let flood = cost(.flood, "ringlet")?.positiveHits {
      let loss = (mix - flood) * 100
      add("positive hits lost to random subdomains", "≤ 2 points", "\(fixed(loss, 1)) points", loss <= 2.05)
    }
    if shards.count == 2 {
      let ratio = shards[1].cpu / shards[0].cpu
      add("two shards, CPU × one shard", "≤ 1.1", fixed(ratio, 2), ratio <= 1.15)
      let shares = shards[1].shares
      add(
        "two shards, queries of each", "45–55 %", shares.map { percent($0, 1) }.joined(separator: " "),
        shares.count == 2 && shares.allSatisfy { 0.45...0.55 ~= $0 })
    }
    if let memory = memory.first(where: { $0.server == "ringlet" })?.full {
      add(
        "anonymous memory, 20,000 entries", "≤ 12 MiB", "\(mebibytes(memory.anonymous)) MiB", memory.anonymous <= 12_288
      )
      add("RSS, 20,000 entries", "≤ 24 MiB", "\(mebibytes(memory.resident)) MiB", memory.resident <= 24_576)
    }
    if let idle = idle.first(where: { $0.server == "ringlet" }) {
      let part = idle.cpu / 1e6 / Double(idle.seconds)
      add("CPU while idle", "0 %", percent(part, 2), part < 0.0005)
    }
    return goals
  }

  private func cost(_ workload: Workload, _ server: String) -> Cost? {
    workloads.first { $0.workload == workload }?.rows.first { $0.server == server }
  }
}
