/// Two shards against one: what an answer costs, and how a thousand clients are spread over them.
extension Bench {
  func measureShards() throws -> [ShardCost] {
    let path = try queries.measured(.hits, round: 1, seconds: seconds).path
    let warming = try queries.warming(.hits)
    let cpus = [session.cpus.server, session.cpus.second]
    Progress.show("starting ringlet with one shard and with two")
    let one = try start(Peers.ringlet(shards: 1), on: [cpus[0]])
    let two = try start(Peers.ringlet(shards: 2), on: cpus)
    defer {
      session.end(one.child)
      session.end(two.child)
    }
    var samples: [[Sample]] = [[], []]
    let load = Load(queries: path, seconds: seconds, sockets: 1000)
    for round in 1...rounds {
      for (index, server) in [one, two].enumerated() {
        Progress.show("\(index + 1) shard(s), round \(round) of \(rounds)")
        samples[index].append(try sample(server, load, warming: warming, positive: 1))
      }
    }
    // Counters are added up a few times a second.
    try Interruption.sleep(1)
    return zip([one, two], samples).map { server, samples in
      let received = Self.datagrams(Loopback.get("/metrics", port: server.metrics))
      let all = max(1, received.reduce(0, +))
      return ShardCost(
        shards: received.count, cpu: median(samples.map(\.cpu)), rate: median(samples.map(\.rate)),
        shares: received.map { $0 / all })
    }
  }

  /// `ringlet_datagrams_total{shard="N"} COUNT` of each shard, in the order of the text.
  private static func datagrams(_ metrics: String) -> [Double] {
    metrics.split(separator: "\n").filter { $0.hasPrefix("ringlet_datagrams_total{") }
      .compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }
  }
}
