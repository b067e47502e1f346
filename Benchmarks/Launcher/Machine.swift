import FoundationEssentials
import Glibc

/// Where and how the figures came about.
struct Machine: Codable {
  let processor: String
  let cpus: Int
  let memoryGiB: Double
  let kernel: String
  let system: String
  let revision: String
  let date: String
  let command: String

  init(session: Session) {
    processor = Self.value("model name", in: "/proc/cpuinfo", separator: ":") ?? "unknown"
    cpus = session.cpus.count
    memoryGiB = Double(Fields(path: "/proc/meminfo")["MemTotal"]) / 1_048_576
    kernel = textFile("/proc/sys/kernel/osrelease").trimmed
    system = Self.value("PRETTY_NAME", in: "/etc/os-release", separator: "=") ?? "Linux"
    let head = try? session.run(["git", "describe", "--always", "--dirty"], seconds: 10)
    revision = head.map { String(decoding: $0, as: UTF8.self).trimmed } ?? "unknown"
    date = Date.now.formatted(.iso8601)
    command = (["swift run Benchmarks"] + CommandLine.arguments.dropFirst()).joined(separator: " ")
  }

  private static func value(_ name: String, in path: String, separator: Character) -> String? {
    textFile(path).split(separator: "\n").first { $0.hasPrefix(name) }?.split(separator: separator, maxSplits: 1).last
      .map { String($0).trimmed.filter { $0 != "\"" } }
  }

  var hardware: String { "\(processor), \(cpus) CPUs, \(fixed(memoryGiB, 0)) GiB" }
  var software: String { "\(system), kernel \(kernel); revision \(revision), \(date)" }
}

extension String {
  var trimmed: String { String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed()) }
}
