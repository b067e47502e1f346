import Glibc

/// What sending costs: dnsperf and ringperf by turns, from one CPU, against the floor on the ring. In a closed loop the
/// slower side sets the rate, and that may be the floor; so what is compared is the CPU of the tool itself for each query.
extension Bench {
  static let tools = ["dnsperf", "ringperf"]

  func measureLoadTools() throws -> [ToolCost] {
    guard let dnsperf = Toolchain.find("dnsperf") else {
      absent.append("load: dnsperf is not installed: apt-get install dnsperf")
      return []
    }
    let programs = [dnsperf, Toolchain.program("ringperf")]
    return try [Workload.one, .hits].flatMap { workload in
      let path = try queries.measured(workload, round: 1, seconds: seconds).path
      var samples: [[ToolSample]] = [[], []]
      for round in 1...rounds {
        for index in round % 2 == 1 ? [0, 1] : [1, 0] {
          Progress.show("load tools, \(workload.rawValue), round \(round) of \(rounds): \(Self.tools[index])")
          samples[index].append(try sample(programs[index], path))
        }
      }
      let dnsperfCPU = median(samples[0].map(\.cpu))
      return zip(Self.tools, samples).map { tool, samples in
        let middle = { (value: (ToolSample) -> Double) in median(samples.map(value)) }
        return ToolCost(
          workload: workload, tool: tool, cpu: middle(\.cpu), ratio: dnsperfCPU / middle(\.cpu), rate: middle(\.rate),
          lost: samples.reduce(0) { $0 + $1.lost }, busy: middle(\.busy), floorBusy: middle(\.floorBusy))
      }
    }
  }

  private func sample(_ program: String, _ queries: String) throws -> ToolSample {
    let floor = servers[0]
    let arguments = [
      program, "-s", "127.0.0.1", "-p", "\(floor.port)", "-d", queries, "-l", "\(seconds)", "-T", "1",
      "-c", "\(ToolCost.clients)", "-q", "\(ToolCost.outstanding)", "-b", "\(ToolCost.buffer)", "-t", "2",
    ]
    let (before, floorBefore) = (Usage.endedChildren, Usage(of: floor.child.pid))
    let output = try session.run(arguments, on: [session.cpus.load], seconds: Double(seconds) + 30)
    let cpu = Usage.endedChildren - before
    let floorCPU = Double(Usage(of: floor.child.pid).cpu - floorBefore.cpu) / 1e9
    // ringperf's report has dnsperf's lines.
    let lines = String(decoding: output, as: UTF8.self).split(separator: "\n")
    func number(_ label: String) throws -> Double {
      let line = lines.first { String($0).trimmed.hasPrefix("\(label):") }
      guard let word = line?.split(separator: ":").last?.split(separator: " ").first, let number = Double(word) else {
        throw Failure("\(program): expected a report with '\(label)'")
      }
      return number
    }
    let (sent, time) = (try number("Queries sent"), try number("Run time (s)"))
    guard sent > 0, time > 0 else { throw Failure("\(program) has sent nothing") }
    return ToolSample(
      cpu: cpu * 1e6 / sent, rate: sent / time, lost: Int(try number("Queries lost")), busy: cpu / time,
      floorBusy: floorCPU / time)
  }
}

/// One run of a load tool; see `ToolCost`.
private struct ToolSample {
  let cpu: Double
  let rate: Double
  let lost: Int
  let busy: Double
  let floorBusy: Double
}

/// What a query costs a load tool: medians over the rounds.
struct ToolCost: Codable {
  static let clients = 16
  static let outstanding = 1000
  /// KiB.
  static let buffer = 4096

  let workload: Workload
  let tool: String
  /// Microseconds of the tool's CPU.
  let cpu: Double
  /// Queries for each second of the tool's CPU, as a multiple of dnsperf's.
  let ratio: Double
  /// Queries sent a second.
  let rate: Double
  /// In all rounds.
  let lost: Int
  /// The part of the time that the tool was on its CPU, and the floor on its own.
  let busy: Double
  let floorBusy: Double
}
