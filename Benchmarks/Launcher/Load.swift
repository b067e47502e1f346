import FoundationEssentials

/// A load that ringperf puts on a server.
struct Load {
  /// Path of a file of queries, in dnsperf's format.
  var queries: String
  /// Ends after so many seconds, or sooner with `once`.
  var seconds: Int
  /// Each query is asked once; else the file is begun again at its end.
  var once = false
  /// Client sockets.
  var sockets = 16
  /// Each client asks A and AAAA of a name together, as a pod's resolver does, whatever type the file gives.
  var areResolvers = false
  /// Queries a second that leave at their scheduled instants, whatever comes back. Nil: as fast as answers return, with
  /// 200 queries outstanding.
  var rate: Double?

  /// Runs it from the load's CPU against 127.0.0.1.
  func run(against port: Int, in session: Session) throws -> LoadReport {
    var arguments = [
      Toolchain.program("ringperf"), "-s", "127.0.0.1", "-p", "\(port)", "-d", queries, "-l", "\(seconds)", "-T", "1",
      areResolvers ? "--pods" : "-c", "\(sockets)", "-t", "2", "--json",
    ]
    if once { arguments += ["-n", "1"] }
    arguments += rate.map { ["--rate", "\(Int($0))"] } ?? ["-q", "200"]
    let output = try session.run(arguments, on: [session.cpus.load], seconds: Double(seconds) + 30)
    do {
      return try JSONDecoder().decode(LoadReport.self, from: Data(output))
    } catch {
      throw Failure(
        "ringperf --json: expected its report, got '\(String(decoding: output.prefix(200), as: UTF8.self))'")
    }
  }
}

/// What ringperf says at the end, in its JSON.
struct LoadReport: Decodable {
  struct Latency: Decodable {
    let p50: Double
    let p99: Double
    let p999: Double
  }
  let seconds: Double
  let sent: Int
  let completed: Int
  let qps: Double
  let rcodes: [String: Int]
  /// Microseconds. In open loop, from the scheduled instant.
  let latency: Latency

  enum CodingKeys: String, CodingKey {
    case seconds, sent, completed, qps, rcodes
    case latency = "latency_us"
  }

  /// The part of what was sent that got an answer which says that there are records, or that there are none.
  var answered: Double {
    sent == 0 ? 0 : Double(rcodes["NOERROR", default: 0] + rcodes["NXDOMAIN", default: 0]) / Double(sent)
  }
}
