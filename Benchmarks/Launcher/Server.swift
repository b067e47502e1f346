/// A program that can be measured, if it is installed.
struct Candidate: Sendable {
  let name: String
  /// The run is of no use without it; else that it fails is a line in the report.
  var isNeeded = false
  /// Found in PATH, or a path.
  let program: String
  /// Debian's package; nil for what is built here.
  let package: String?
  /// Arguments that make it print its version.
  let version: [String]
  /// Writes its configuration and returns the arguments to serve with it.
  let configure: @Sendable (Site) throws -> [String]
}

/// Where a server is to listen and whom to ask.
struct Site {
  let session: Session
  let port: Int
  /// For its metrics, if it has any.
  let metrics: Int
  let upstream: Int
}

/// A running server on 127.0.0.1.
struct Server {
  let name: String
  let port: Int
  let child: Child
  /// Port of /metrics.
  var metrics = 0
  /// See `Candidate`.
  var isNeeded = true

  /// Until it answers a question with an address; fails after ten seconds.
  func waitUntilReady(queries: Queries, in session: Session) throws {
    let probe = Load(queries: try queries.probe(), seconds: 1, once: true, sockets: 1)
    let end = ContinuousClock.now + .seconds(10)
    while ContinuousClock.now < end {
      try Interruption.sleep(0.2)
      guard child.isAlive else { throw Failure("\(name) has ended; \(child.lastWords)") }
      // Before the server listens the load tool may call the refusal an error of its own.
      if let report = try? probe.run(against: port, in: session), report.rcodes["NOERROR"] == 1 { return }
    }
    throw Failure("\(name) does not answer on port \(port) within 10 s; \(child.lastWords)")
  }
}
