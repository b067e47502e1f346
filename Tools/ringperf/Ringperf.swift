import ArgumentParser
import Glibc

/// The program.
@main
struct Ringperf: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ringperf", abstract: "Measures a DNS server under load.", discussion: manual)

  @OptionGroup(title: "AS IN DNSPERF") var basic: BasicOptions
  @OptionGroup(title: "LOAD") var load: LoadOptions
  @OptionGroup(title: "REPORT") var report: ReportOptions

  func validate() throws {
    func require(_ condition: Bool, _ text: String) throws { if !condition { throw ValidationError(text) } }
    try require(0.001...3600 ~= basic.timeout, "-t takes 0.001 to 3600 seconds.")
    try require(1...65_535 ~= basic.port, "-p takes a port from 1 to 65535.")
    try require(1...65_536 ~= load.pods ?? basic.clients, "-c and --pods take 1 to 65536 sockets.")
    try require(1...256 ~= basic.threads, "-T takes 1 to 256 threads.")
    try require(1...1_000_000 ~= basic.outstanding, "-q takes 1 to 1000000 queries.")
    try require(0.001...86_400 ~= basic.limit ?? 1, "-l takes 0.001 to 86400 seconds.")
    try require(1...1_000_000_000 ~= basic.runs ?? 1, "-n takes 1 to 1000000000 runs.")
    try require(0.01...1e8 ~= basic.maxRate ?? 1, "-Q takes 0.01 to 100000000 queries a second.")
    try require(0.01...1e8 ~= load.rate ?? 1, "--rate takes 0.01 to 100000000 queries a second.")
    try require(0...1_000_000 ~= basic.buffer, "-b takes 0 (the system's default) to 1000000 KiB.")
    try require(0.01...86_400 ~= basic.statistics ?? 1, "-S takes 0.01 to 86400 seconds.")
    try require(0...10 ~= load.zipf ?? 0, "--zipf takes an exponent from 0 to 10.")
    try require(0.1...3600 ~= report.sweepSeconds, "--sweep-seconds takes 0.1 to 3600 seconds.")
    try require(load.pods == nil || basic.clients == 1, "--pods counts the sockets; -c does not go with it.")
    try require(load.rate == nil || basic.maxRate == nil, "-Q limits a closed loop; --rate is an open one.")
    try require(
      !report.sweep || load.rate == nil && basic.maxRate == nil, "--sweep finds the rate; drop --rate and -Q.")
    try require(
      !report.sweep || basic.limit == nil && basic.runs == nil,
      "--sweep takes the length of its steps from --sweep-seconds; drop -l and -n.")
    try require(report.sweep || report.svg == nil, "--svg plots a --sweep.")
    try require(
      report.json != "-" || !basic.verbose, "-v writes to standard output, and so does --json; give --json a file.")
  }

  func run() throws {
    let console = Console(
      hasReport: report.json != "-", warnsOnOutput: basic.warnsOnOutput && report.json != "-")
    do {
      throw ExitCode(try measure(console))
    } catch let error as LoadError {
      console.warn("Error: \(error)")
      throw ExitCode(1)
    }
  }

  private func measure(_ console: Console) throws(LoadError) -> Int32 {
    let plan = try makePlan()
    try raiseDescriptorLimit(to: plan.sockets + 4 * plan.threads + 32)
    console.say("[Status] Command line: \(CommandLine.arguments.joined(separator: " "))")
    console.say("[Status] Sending queries (to \(plan.server.text))")
    console.say("[Status] Started at: \(startTime())")

    var load = Load(console: console, statisticsInterval: basic.statistics)
    var finished = plan
    let outcome: Outcome
    var sweep: Sweep?
    if report.sweep {
      let found = try Sweep(plan, seconds: report.sweepSeconds, process: self.load.arrivals, load: &load)
      // The report is of the best step, or of the least bad one.
      let chosen = found.best ?? found.steps[0]
      finished.pace = .open(rate: chosen.rate, process: self.load.arrivals)
      outcome = chosen.outcome
      sweep = found
    } else {
      console.say("[Status] \(stoppingCondition(plan))")
      outcome = try load.run(plan)
      let end = outcome.isInterrupted ? "interruption" : basic.limit == nil && basic.runs == nil ? "end" : "limit"
      console.say("[Status] Testing complete (\(end))")
    }
    let result = Report(plan: finished, outcome: outcome)
    try publish(result, sweep, console)
    return sweep?.isInterrupted == true ? 130 : result.exitCode
  }

  private func publish(_ result: Report, _ sweep: Sweep?, _ console: Console) throws(LoadError) {
    for line in result.lines { console.say(line) }
    if let sweep {
      for line in sweep.table { console.say(line) }
      let best = sweep.best.map { "\(fixed($0.rate, 0)) queries/s" } ?? "none of the rates"
      console.say("\n  Best rate with fewer than 0.1 % unanswered: \(best)\n")
      if let svg = report.svg {
        let title = "\(result.plan.server.text) over \(result.plan.transport.rawValue.uppercased()): latency by rate"
        try write(Plot(sweep, title: title).svg, to: svg, option: "--svg")
      }
    }
    if let hgrm = report.hgrm { try result.writePercentiles(to: hgrm) }
    if let json = report.json {
      let text = JSONReport(result, sweep: sweep).text
      if json == "-" { print(text) } else { try write(text + "\n", to: json, option: "--json") }
    }
    for warning in result.warnings { console.warn(warning) }
  }

  private func makePlan() throws(LoadError) -> Plan {
    let server = try Endpoint.resolve(basic.server, port: basic.port, family: basic.family, option: "-s")
    var local: Endpoint?
    if let address = basic.local {
      local = try Endpoint.resolve(address, port: 0, family: server.family, option: "-a")
    }
    let isMix = basic.data == nil
    let queries = if let file = basic.data { try QueryFile.read(file) } else { try KubernetesMix.queries() }
    let catalogue = try Catalogue(
      queries, pairs: load.pods != nil || isMix,
      search: load.search || isMix, edns: basic.edns, dnssecOK: basic.dnssecOK)
    let weights =
      isMix
      ? KubernetesMix.weights(exponent: load.zipf ?? 1)
      : load.zipf.map { Popularity.zipf(catalogue.count, exponent: $0) }
    let runs = basic.runs ?? (basic.limit == nil && !isMix && !report.sweep ? 1 : nil)
    let limit = basic.limit ?? (runs == nil ? 10 : nil)
    return Plan(
      server: server, local: local, transport: basic.transport, catalogue: catalogue,
      popularity: weights.map(Popularity.init),
      pace: load.rate.map { .open(rate: $0, process: load.arrivals) }
        ?? .closed(outstanding: basic.outstanding, limit: basic.maxRate),
      sockets: max(load.pods ?? basic.clients, basic.threads), threads: basic.threads,
      timeout: UInt64(basic.timeout * 1e9), limit: limit.map { UInt64($0 * 1e9) },
      lookups: runs.map { $0 * catalogue.count }, buffer: basic.buffer * 1024, seed: load.seed,
      expectations: report.verify ? Expectations(catalogue) : nil, isVerbose: basic.verbose)
  }

  private func stoppingCondition(_ plan: Plan) -> String {
    let runs = basic.runs.map { "\($0) run\($0 == 1 ? "" : "s") through the queries" }
    let time = plan.limit.map { "\(fixed(Double($0) / 1e9, 6)) seconds" }
    let conditions = [time, runs].compactMap { $0 }
    return "Stopping after \(conditions.isEmpty ? "1 run through the queries" : conditions.joined(separator: " or "))"
  }

  private func startTime() -> String {
    var now = time(nil)
    var text = [CChar](repeating: 0, count: 32)
    unsafe ctime_r(&now, &text)
    return String(decoding: text.prefix { $0 > 0x1F }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// Each socket is a descriptor. Throws the line that allows more where this process may not.
  private func raiseDescriptorLimit(to wanted: Int) throws(LoadError) {
    var limit = rlimit()
    unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    guard limit.rlim_cur < UInt(wanted) else { return }
    let hard = limit.rlim_max
    limit.rlim_cur = UInt(wanted)
    limit.rlim_max = max(hard, UInt(wanted))
    guard unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) != 0 else { return }
    throw LoadError(
      "\(wanted) descriptors are needed and \(hard) are allowed; raise the limit with: ulimit -Hn \(wanted)")
  }
}
