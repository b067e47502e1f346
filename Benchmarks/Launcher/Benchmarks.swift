import ArgumentParser
import FoundationEssentials
import Glibc

/// What can be chosen with `--only`.
enum Part: String, CaseIterable, ExpressibleByArgument {
  case micro, idle, memory, one, hits, mix, misses, flood, latency, shards, load

  var workload: Workload? { Workload(rawValue: rawValue) }
}

@main
struct Benchmarks: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "Benchmarks",
    abstract: "Measures Ringlet: piece by piece, against responders that do nothing, and beside other DNS caches.",
    discussion: """
      Builds what it needs for release, starts every server on loopback, and ends all it started. Peers that are not \
      installed are named with the line that installs them. What the numbers mean is in Benchmarks/README.md.
      """)

  @Flag(help: "One round of one second each, and one rate: to see that it works, not how fast.")
  var quick = false

  @Option(
    help: ArgumentHelp(
      "Only these parts, comma-separated: \(Part.allCases.map(\.rawValue).joined(separator: ", ")).",
      valueName: "part,..."))
  var only: List<Part>?

  @Option(
    help: ArgumentHelp(
      "Only these peers of \(Peers.all.map(\.name).joined(separator: ", ")); 'none' for none.", valueName: "peer,..."))
  var peers: String?

  @Option(help: ArgumentHelp("A node-cache program to measure too.", valueName: "path"))
  var nodeCache: String?

  @Option(help: ArgumentHelp("Rounds, of which the median counts. (default: 5)", valueName: "count"))
  var rounds: Int?

  @Option(help: ArgumentHelp("Length of one measurement. (default: 3)", valueName: "s"))
  var seconds: Int?

  @Option(help: ArgumentHelp("How long nobody asks anything. (default: 60)", valueName: "s"))
  var idleSeconds: Int?

  @Option(help: ArgumentHelp("Write everything measured to this file.", valueName: "file"))
  var json: String?

  @Option(help: ArgumentHelp("Where the report goes.", valueName: "file"))
  var html = ".build/benchmarks/report.html"

  @Option(help: ArgumentHelp("Write the plot of CPU per answer to this file.", valueName: "file"))
  var svg: String?

  private var parts: Set<Part> { Set(only?.values ?? Part.allCases) }

  func validate() throws {
    guard 1...100 ~= rounds ?? 1, 1...600 ~= seconds ?? 1, 1...3600 ~= idleSeconds ?? 1 else {
      throw ValidationError("--rounds takes 1 to 100, --seconds 1 to 600, --idle-seconds 1 to 3600.")
    }
    for name in chosenPeers where !Peers.all.contains(where: { $0.name == name }) {
      throw ValidationError(
        "--peers: there is no '\(name)'; there are \(Peers.all.map(\.name).joined(separator: ", ")).")
    }
    if let nodeCache, Toolchain.find(nodeCache) == nil {
      throw ValidationError("--node-cache: \(nodeCache) is no program that can be run.")
    }
  }

  private var chosenPeers: [String] {
    guard let peers else { return Peers.all.map(\.name) }
    return peers == "none" ? [] : peers.split(separator: ",").map(String.init)
  }

  func run() throws {
    Interruption.block()
    do {
      try Toolchain.check(parts)
      if parts != [.micro] { try Toolchain.build(["ringlet", "ringperf", "floor"]) }
      if parts.contains(.micro) { try Toolchain.build(["Microbenchmarks"]) }
      let results = try measure()
      try publish(results)
      if results.micro.contains(where: { !$0.ok }) { throw ExitCode.failure }
    } catch is Interrupted {
      Progress.clear()
      throw ExitCode(130)
    }
  }

  private func measure() throws -> Results {
    let session = try Session()
    defer { session.end() }
    var results = Results(machine: Machine(session: session))
    if session.cpus.count < 2 {
      results.warnings.append("One CPU: servers share it with the load, and the figures are the worse for it.")
    }
    if parts.contains(.micro) {
      results.micro = try Micro.run(in: session)
      if Toolchain.find("valgrind") == nil {
        results.absent.append("instructions: valgrind is not installed: apt-get install valgrind")
      }
    }
    if parts != [.micro] { try measureServers(in: session, &results) }
    Progress.clear()
    return results
  }

  private func measureServers(in session: Session, _ results: inout Results) throws {
    let bench = try Bench(session: session, rounds: rounds ?? (quick ? 1 : 5), seconds: seconds ?? (quick ? 1 : 3))
    for name in Peers.floors { try bench.add(Peers.floor(name)) }
    if parts.contains(.misses) { try bench.addRelay() }
    try bench.add(Peers.ringlet(shards: 1))
    for peer in Peers.all where chosenPeers.contains(peer.name) { try bench.add(peer) }
    if let nodeCache { try bench.add(Peers.nodeCache(nodeCache)) }

    let workloads = Workload.allCases.filter { workload in parts.contains { $0.workload == workload } }
    let shares = !parts.contains(.latency) ? [] : quick ? [0.5] : [0.1, 0.25, 0.5, 0.75]
    let idle = !parts.contains(.idle) ? 0 : idleSeconds ?? (quick ? 2 : 60)
    // Each turn has about as long a preparation as a second and a half.
    let tools = parts.contains(.load) ? 2 * Bench.tools.count : 0
    let turns = bench.rounds * (bench.servers.count * (workloads.count + shares.count) + tools)
    let minutes = (Double(turns) * (Double(bench.seconds) + 1.5) + Double(idle)) / 60
    Progress.show("\(bench.servers.count) servers; this takes about \(fixed(minutes.rounded(.up), 0)) min")

    if idle > 0 { results.idle = try bench.measureIdle(seconds: idle) }
    if parts.contains(.memory) { results.memory = try bench.measureMemory() }
    for workload in workloads {
      let cost = try bench.measure(workload)
      results.workloads.append(cost)
      results.warnings += cost.warnings
    }
    if !shares.isEmpty {
      let hits = results.workloads.first { $0.workload == .hits }?.rows.first
      results.latency = try bench.measureLatency(
        floorRate: try hits?.rate ?? bench.floorRate(), shares: shares)
    }
    if parts.contains(.shards) { results.shards = try bench.measureShards() }
    if tools > 0 { results.loadTools = try bench.measureLoadTools() }
    results.versions = bench.versions
    results.absent += bench.absent
  }

  private func publish(_ results: Results) throws {
    print("\(results.machine.hardware)\n\(results.machine.software)")
    for version in results.versions where !version.version.isEmpty { print("  \(version.server) \(version.version)") }
    for line in results.absent { print("  not measured: \(line)") }
    for table in results.tables { print("\n\(table.text)") }
    for warning in results.warnings { print("\nWarning: \(warning)") }

    let report = Report(results: results)
    try write(report.html, to: html)
    if let svg { try write(report.bars, to: svg) }
    if let json {
      let encoder = JSONEncoder()
      encoder.keyEncodingStrategy = .convertToSnakeCase
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
      try write(String(decoding: try encoder.encode(results), as: UTF8.self), to: json)
    }
    print("\nReport: \(html)")
  }

  private func write(_ text: String, to path: String) throws {
    let directory = path.contains("/") ? String(path[..<path.lastIndex(of: "/")!]) : "."
    if !directory.isEmpty {
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }
    guard FileManager.default.createFile(atPath: path, contents: Data(text.utf8)) else {
      throw Failure("\(path) cannot be written")
    }
  }
}

/// Values separated by commas.
struct List<Element: ExpressibleByArgument>: ExpressibleByArgument {
  let values: [Element]

  init?(argument: String) {
    let words = argument.split(separator: ",").map(String.init)
    values = words.compactMap { Element(argument: $0) }
    guard values.count == words.count, !values.isEmpty else { return nil }
  }
}
