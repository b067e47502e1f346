import FoundationEssentials
import Glibc

/// One run's temporary directory, processes, ports and CPUs. `end` leaves nothing behind.
final class Session {
  let directory: String
  let cpus: CPUs
  private var children: [Child] = []
  private var nextPort = 20_000 + Int(getpid()) % 100 * 100

  init() throws {
    directory = FileManager.default.temporaryDirectory.appending(path: "ringlet-benchmarks-\(getpid())").path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
    cpus = CPUs()
  }

  /// Starts a program that runs until `end`.
  func start(_ name: String, _ arguments: [String], on cpus: [Int]) throws -> Child {
    let child = try Child(arguments, on: cpus, log: "\(directory)/\(name).log")
    children.append(child)
    return child
  }

  /// Runs a program to its end and returns what it wrote to standard output; fails unless it ends with one of `codes`.
  func run(
    _ arguments: [String], on cpus: [Int] = [], seconds: Double, codes: Set<Int32> = [0]
  ) throws -> [UInt8] {
    let (output, errors) = ("\(directory)/run.out", "\(directory)/run.err")
    let child = try Child(arguments, on: cpus, log: output, errors: errors)
    defer { child.end() }
    let code = try child.wait(seconds: seconds)
    guard codes.contains(code) else {
      let said = FileManager.default.contents(atPath: errors).map { String(decoding: $0.suffix(300), as: UTF8.self) }
      throw Failure("\(arguments.joined(separator: " ")): exit \(code); it said: \(said ?? "nothing")")
    }
    return child.output
  }

  func end(_ child: Child) {
    child.end()
    children.removeAll { $0 === child }
  }

  func write(_ name: String, _ text: String) throws -> String {
    let path = "\(directory)/\(name)"
    guard FileManager.default.createFile(atPath: path, contents: Data(text.utf8)) else {
      throw Failure("\(path) cannot be written; is the disk full?")
    }
    return path
  }

  /// A port of 127.0.0.1 that nobody uses over UDP or TCP, below those the kernel gives to clients.
  func port() throws -> Int {
    for _ in 0..<1000 {
      nextPort += 1
      if Loopback.isFree(nextPort) { return nextPort }
    }
    throw Failure("no free port of 127.0.0.1 from \(nextPort - 1000) to \(nextPort)")
  }

  /// Ends every process, last started first, and removes the directory.
  func end() {
    for child in children.reversed() { child.end() }
    children = []
    try? FileManager.default.removeItem(atPath: directory)
  }
}

/// Who runs where, of the CPUs this process may use: what is measured has one for itself, wherever there are two.
struct CPUs {
  let server: Int
  let load: Int
  let upstream: Int
  /// For the second shard. On a machine with two CPUs it is the load's.
  let second: Int
  /// CPUs there are.
  let count: Int

  init() {
    // proc_pid_status(5): Cpus_allowed_list: 0-3,8
    let list = textFile("/proc/self/status").split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list:") }
    let allowed = (list ?? ":0").split(separator: ":")[1].split(separator: ",").flatMap { range in
      let ends = range.split(separator: "-").compactMap { Int(String($0).trimmed) }
      return Array(ends[0]...ends[ends.count - 1])
    }
    count = allowed.count
    server = allowed[0]
    load = allowed[min(1, allowed.count - 1)]
    upstream = allowed[min(2, allowed.count - 1)]
    second = allowed[allowed.count > 3 ? 3 : min(1, allowed.count - 1)]
  }
}
