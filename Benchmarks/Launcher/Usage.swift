import FoundationEssentials
import Glibc

/// What a process and its descendants have used since they started.
struct Usage {
  /// Nanoseconds of CPU, as the scheduler counts them.
  var cpu: UInt64 = 0
  /// Ticks in user mode and in the kernel: a sample, taken at clock ticks, of how `cpu` divides.
  var userTicks = 0
  var systemTicks = 0
  /// Times that a thread went to sleep or was made to give way.
  var switches = 0

  init(of pid: pid_t) {
    for member in ProcessTree.members(pid) {
      var clock = clockid_t()
      var time = timespec()
      // Both live through the calls.
      if unsafe clock_getcpuclockid(member, &clock) == 0, unsafe clock_gettime(clock, &time) == 0 {
        cpu += UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
      }
      // proc_pid_stat(5): utime and stime are the 12th and 13th after the command.
      let stat = ProcessTree.stat(member)
      userTicks += stat.count > 12 ? Int(stat[11]) ?? 0 : 0
      systemTicks += stat.count > 12 ? Int(stat[12]) ?? 0 : 0
      for thread in ProcessTree.numbers(in: "/proc/\(member)/task") {
        let status = Fields(path: "/proc/\(member)/task/\(thread)/status")
        switches += status["voluntary_ctxt_switches"] + status["nonvoluntary_ctxt_switches"]
      }
    }
  }
}

extension Usage {
  /// Seconds of CPU of all children that have ended.
  static var endedChildren: Double {
    var usage = rusage()
    // It lives through the call.
    unsafe getrusage(RUSAGE_CHILDREN.rawValue, &usage)
    return [usage.ru_utime, usage.ru_stime].reduce(0) { $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1e6 }
  }
}

/// The memory of a process and its descendants, in KiB.
struct Footprint: Codable {
  var resident = 0
  /// The part that no file backs, shared or not: what the process itself has written.
  var anonymous = 0

  init(of pid: pid_t) {
    for member in ProcessTree.members(pid) {
      let rollup = Fields(path: "/proc/\(member)/smaps_rollup")
      resident += rollup["Rss"]
      anonymous += rollup["Anonymous"] + Fields(path: "/proc/\(member)/status")["RssShmem"]
    }
  }
}

enum ProcessTree {
  /// A process and its descendants.
  static func members(_ pid: pid_t) -> [pid_t] {
    let parents = numbers(in: "/proc").map { ($0, stat($0).dropFirst().first.flatMap { pid_t($0) } ?? 0) }
    var found = [pid]
    var next = 0
    while next < found.count {
      found += parents.filter { $0.1 == found[next] }.map(\.0)
      next += 1
    }
    return found
  }

  /// The fields of /proc/PID/stat after the command: state, parent, ... (proc_pid_stat(5)).
  static func stat(_ pid: pid_t) -> [Substring] {
    let text = textFile("/proc/\(pid)/stat")
    guard let end = text.lastIndex(of: ")") else { return [] }
    return text[text.index(after: end)...].split(separator: " ")
  }

  static func numbers(in directory: String) -> [pid_t] {
    ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).compactMap { pid_t($0) }
  }
}

/// The numbers of a file of `Name:  number unit` lines; 0 for a name that is not there.
struct Fields {
  private var values: [Substring: Int] = [:]

  init(path: String) {
    for line in textFile(path).split(separator: "\n") {
      guard let colon = line.firstIndex(of: ":") else { continue }
      let number = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }.prefix { $0.isNumber }
      values[line[..<colon]] = Int(number)
    }
  }

  subscript(name: String) -> Int { values[name[...]] ?? 0 }
}

/// A file's text; empty if it cannot be read.
func textFile(_ path: String) -> String {
  FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? ""
}
