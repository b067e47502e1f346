import FoundationEssentials

/// nsd with the made zone, on the upstream's CPU.
struct Upstream {
  let port: Int
  private let session: Session
  private let configuration: String

  init(_ nsd: String, queries: Queries, session: Session) throws {
    self.session = session
    port = try session.port()
    let directory = session.directory
    _ = try queries.zone()
    configuration = try session.write(
      "nsd.conf",
      """
      server:
       ip-address: 127.0.0.1
       port: \(port)
       server-count: 1
       username: ""
       zonesdir: \(directory)
       database: ""
       pidfile: \(directory)/nsd.pid
       xfrdfile: \(directory)/nsd.state
       zonelistfile: \(directory)/nsd.list
       tcp-count: 500
       tcp-query-count: 0
       rrl-ratelimit: 0
      remote-control:
       control-enable: yes
       control-interface: \(directory)/nsd.control
      zone:
       name: cluster.local
       zonefile: cluster.zone

      """)
    let server = try Server(
      name: "nsd", port: port,
      child: session.start("nsd", [nsd, "-d", "-c", configuration], on: [session.cpus.upstream]))
    try server.waitUntilReady(queries: queries, in: session)
  }

  /// Queries it has answered with NOERROR since it started: of those, the cache before it had none.
  func positiveQueries() throws -> Int {
    let control = Toolchain.find("nsd-control") ?? "nsd-control"
    let output = try session.run([control, "-c", configuration, "stats_noreset"], seconds: 10)
    for line in String(decoding: output, as: UTF8.self).split(separator: "\n") {
      let pair = line.split(separator: "=")
      if pair.count == 2, pair[0] == "num.rcode.NOERROR" { return Int(pair[1]) ?? 0 }
    }
    throw Failure("nsd-control stats_noreset: expected num.rcode.NOERROR; nsd has to be built with its statistics")
  }
}
