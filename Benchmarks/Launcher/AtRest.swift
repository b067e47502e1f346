/// What servers cost by being there.
extension Bench {
  /// Context switches and CPU while nobody asks anything.
  func measureIdle(seconds: Int) throws -> [Idle] {
    Progress.show("idle for \(seconds) s: all servers")
    let before = servers.map { Usage(of: $0.child.pid) }
    try Interruption.sleep(Double(seconds))
    return zip(servers, before).map { server, before in
      let after = Usage(of: server.child.pid)
      return Idle(
        server: server.name, seconds: seconds, switches: after.switches - before.switches,
        cpu: Double(after.cpu - before.cpu) / 1000)
    }
  }

  /// Memory after the first answer and with 20,000 names asked for, of which half exist.
  func measureMemory() throws -> [Memory] {
    let all = try queries.all()
    return try servers.compactMap { server in
      Progress.show("memory: \(server.name)")
      return try attempt(server) {
        let empty = Footprint(of: server.child.pid)
        _ = try Load(queries: all, seconds: 20, once: true).run(against: server.port, in: session)
        return Memory(server: server.name, empty: empty, full: Footprint(of: server.child.pid))
      }
    }
  }
}
