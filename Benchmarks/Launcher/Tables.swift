extension Results {
  /// Everything in tables, ratios first.
  var tables: [Table] {
    var tables: [Table] = []
    if !goals.isEmpty {
      tables.append(
        Table(
          title: "Ringlet against its goals", header: ["figure", "goal", "measured", "met"],
          rows: goals.map { [$0.figure, $0.goal, $0.measured, $0.isMet.map { $0 ? "yes" : "no" } ?? "–"] }))
    }
    tables += workloads.map(\.table)
    if let latency { tables += latency.tables }
    if !shards.isEmpty { tables.append(shardTable) }
    tables += [Workload.one, .hits].compactMap(loadToolTable)
    if !memory.isEmpty { tables.append(memoryTable) }
    if let idle = idle.first { tables.append(idleTable(seconds: idle.seconds)) }
    if !micro.isEmpty { tables.append(microTable) }
    return tables
  }

  private var microTable: Table {
    Table(
      title: "Micro benchmarks, per operation",
      header: ["benchmark", "ns", "instructions", "at most", "mallocs", "at most", ""],
      rows: micro.map { one in
        let number = { (value: Double?) in fixed(value ?? .nan, 0) }
        return [
          one.name, fixed(one.ns, 1), number(one.instructions), number(one.thresholdInstructions),
          fixed(one.mallocs, 2), fixed(one.thresholdMallocs ?? .nan, 2), one.ok ? "ok" : "OVER",
        ]
      })
  }

  private var shardTable: Table {
    Table(
      title: "Shards of ringlet, 1,000 client sockets",
      header: ["shards", "× one shard", "CPU µs", "answers/s", "queries of each shard"],
      rows: shards.map { one in
        [
          "\(one.shards)", fixed(one.cpu / shards[0].cpu, 2), fixed(one.cpu, 2), fixed(one.rate, 0),
          one.shares.map { percent($0, 1) }.joined(separator: " "),
        ]
      })
  }

  private func loadToolTable(_ workload: Workload) -> Table? {
    let tools = loadTools.filter { $0.workload == workload }
    guard !tools.isEmpty else { return nil }
    return Table(
      title: "Load tools against the floor. \(workload.title)",
      note: "One thread, \(ToolCost.clients) clients, \(fixed(Double(ToolCost.outstanding), 0)) outstanding."
        + " × dnsperf: queries for each second of the tool's CPU.",
      header: ["tool", "× dnsperf", "CPU µs", "queries/s", "lost", "tool busy", "floor busy"],
      rows: tools.map { one in
        [
          one.tool, fixed(one.ratio, 2), fixed(one.cpu, 2), fixed(one.rate, 0), fixed(Double(one.lost), 0),
          percent(one.busy), percent(one.floorBusy),
        ]
      })
  }

  private var memoryTable: Table {
    Table(
      title: "Memory, MiB", note: "After the first answer, and with 10,000 answers and 10,000 denials asked for.",
      header: ["server", "RSS", "anonymous", "RSS, full", "anonymous, full"],
      rows: memory.map { one in
        [one.server] + [one.empty.resident, one.empty.anonymous, one.full.resident, one.full.anonymous].map(mebibytes)
      })
  }

  private func idleTable(seconds: Int) -> Table {
    Table(
      title: "Idle for \(seconds) s", header: ["server", "switches", "CPU µs", "CPU"],
      rows: idle.map { one in
        [one.server, "\(one.switches)", fixed(one.cpu, 0), percent(one.cpu / 1e6 / Double(one.seconds), 3)]
      })
  }
}

extension WorkloadCost {
  fileprivate var table: Table {
    let hasHits = rows.contains { $0.positiveHits != nil }
    return Table(
      title: workload.title,
      note:
        "CPU per answer; median of \(rounds) round(s) of \(seconds) s. The floor varied by \(percent(floorSpread)).",
      header: ["server", "× floor", "CPU µs", "user", "system", "answers/s", "busy", "failed"]
        + (hasHits ? ["positive hits"] : []),
      rows: rows.map { one in
        [
          one.server, fixed(one.ratio, 2), fixed(one.cpu, 2), fixed(one.user, 2), fixed(one.system, 2),
          fixed(one.rate, 0), percent(one.busy), percent(one.failed, 2),
        ] + (hasHits ? [one.positiveHits.map { percent($0, 2) } ?? "–"] : [])
      })
  }
}

extension LatencyCurve {
  /// One table for each rate.
  fileprivate var tables: [Table] {
    shares.map { share in
      let points = points.filter { $0.share == share }
      let floor = points[0]
      return Table(
        title: "Latency at \(percent(share)) of the floor's rate: \(fixed(floor.rate, 0)) queries/s",
        note: "Cached answers, open loop; µs from the instant a query was to leave.",
        header: ["server", "p99 × floor", "p50", "p99", "p99.9", "answered"],
        rows: points.map { one in
          [
            one.server, fixed(one.p99 / floor.p99, 2), fixed(one.p50, 0), fixed(one.p99, 0), fixed(one.p999, 0),
            percent(one.answered, 2),
          ]
        })
    }
  }

  /// Of the floor's rate, ascending.
  var shares: [Double] { Set(points.map(\.share)).sorted() }
}
