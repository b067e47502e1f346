/// The upstream, the queries and the servers of a run, and its extent.
final class Bench {
  let session: Session
  let queries: Queries
  let upstream: Upstream
  let rounds: Int
  let seconds: Int
  private(set) var servers: [Server] = []
  /// Measured where all are misses.
  private var relay: Server?
  private(set) var versions: [Results.Version] = []
  /// What does not run, a line each.
  var absent: [String] = []

  init(session: Session, rounds: Int, seconds: Int) throws {
    self.session = session
    self.rounds = rounds
    self.seconds = seconds
    queries = Queries(session: session)
    Progress.show("starting nsd")
    upstream = try Upstream(Toolchain.find("nsd") ?? "nsd", queries: queries, session: session)
  }

  /// Starts a server on the given CPUs and waits until it answers.
  func start(_ candidate: Candidate, on cpus: [Int]) throws -> Server {
    let site = Site(
      session: session, port: try session.port(), metrics: try session.port(), upstream: upstream.port)
    var arguments = try candidate.configure(site)
    // Names are looked up where this program looks, which is further than PATH.
    arguments[0] = Toolchain.find(arguments[0]) ?? arguments[0]
    let child = try session.start(candidate.name, arguments, on: cpus)
    let server = Server(
      name: candidate.name, port: site.port, child: child, metrics: site.metrics, isNeeded: candidate.isNeeded)
    do {
      try server.waitUntilReady(queries: queries, in: session)
    } catch {
      session.end(child)
      throw error
    }
    return server
  }

  /// Starts a server that is to be measured with the others. One that is not installed, or does not run, is a
  /// line in the report.
  func add(_ candidate: Candidate) throws {
    Progress.show("starting \(candidate.name)")
    guard Toolchain.find(candidate.program) != nil else {
      absent.append(
        "\(candidate.name) is not installed"
          + (candidate.package.map { ": apt-get install --no-install-recommends \($0)" } ?? ": no \(candidate.program)")
      )
      return
    }
    do {
      servers.append(try start(candidate, on: [session.cpus.server]))
      versions.append(.init(server: candidate.name, version: version(of: candidate)))
    } catch let failure as Failure where !candidate.isNeeded {
      absent.append(failure.description)
    }
  }

  /// What `body` measured of a server. A peer that fails is a line in the report and is not asked again.
  func attempt<Value>(_ server: Server, _ body: () throws -> Value) throws -> Value? {
    do {
      return try body()
    } catch let failure as Failure where !server.isNeeded {
      absent.append(failure.description)
      session.end(server.child)
      servers.removeAll { $0.name == server.name }
      return nil
    }
  }

  /// The first word with two numbers and a point in what the program says of its version.
  private func version(of candidate: Candidate) -> String {
    guard let program = Toolchain.find(candidate.program), !candidate.version.isEmpty else { return "" }
    guard let child = try? Child([program] + candidate.version, log: "\(session.directory)/version") else { return "" }
    defer { child.end() }
    _ = try? child.wait(seconds: 5)
    let words = String(decoding: child.output, as: UTF8.self).split { $0.isWhitespace || $0 == "," }
    return words.first { $0.contains(".") && $0.first { $0 != "v" }?.isNumber == true }.map(String.init) ?? ""
  }

  func addRelay() throws { relay = try start(Peers.floor(Peers.relay), on: [session.cpus.server]) }

  /// Those that a workload is for.
  func servers(for workload: Workload) -> [Server] {
    workload == .misses ? servers + [relay].compactMap(\.self) : servers
  }
}

extension [Server] {
  /// In an order of the round's own.
  func shuffled(round: Int) -> [Server] {
    var random = Random(seed: UInt64(round))
    return shuffled(using: &random)
  }
}
