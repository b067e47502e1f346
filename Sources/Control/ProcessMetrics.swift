import Glibc

/// What client_golang tells of its own process on Linux, with its names and help texts.
///
/// Sources: proc_pid_stat(5), proc_pid_limits(5), proc_stat(5). What cannot be read is left out.
public enum ProcessMetrics {
  public static func add(to exposition: inout Exposition) {
    if let stat = TextFile.read("/proc/self/stat").flatMap(Stat.init) { addStat(stat, to: &exposition) }
    if let count = openFiles() {
      exposition.gauge("process_open_fds", Double(count), help: "Number of open file descriptors.")
    }
    var limit = rlimit()
    // Sound: the structure lives through the call.
    if unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
      exposition.gauge("process_max_fds", Double(limit.rlim_cur), help: "Maximum number of open file descriptors.")
    }
  }

  private static func addStat(_ stat: Stat, to exposition: inout Exposition) {
    exposition.counter(
      "process_cpu_seconds_total", (stat[14] + stat[15]) / ticks,
      help: "Total user and system CPU time spent in seconds.")
    exposition.gauge("process_virtual_memory_bytes", stat[23], help: "Virtual memory size in bytes.")
    exposition.gauge(
      "process_resident_memory_bytes", stat[24] * Double(sysconf(Int32(_SC_PAGESIZE))),
      help: "Resident memory size in bytes.")
    if let boot {
      exposition.gauge(
        "process_start_time_seconds", boot + stat[22] / ticks,
        help: "Start time of the process since unix epoch in seconds.")
    }
  }

  private static let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))

  /// When the machine started, in seconds since the epoch. Read once: the kernel writes much to say it.
  private static let boot = TextFile.read("/proc/stat")?.split(separator: "\n")
    .first { $0.hasPrefix("btime ") }.flatMap { Double($0.dropFirst(6)) }

  /// The fields of /proc/self/stat.
  private struct Stat {
    /// From the third on.
    private let fields: [Substring.UTF8View]

    init?(_ text: String) {
      // The second field is the command's name in parentheses and may hold anything; the third is behind the last ')'.
      guard let name = text.utf8.lastIndex(of: UInt8(ascii: ")")) else { return nil }
      fields = text[name...].utf8.dropFirst().split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }
    }

    /// Numbered as in the manual page, from 1.
    subscript(number: Int) -> Double { number - 3 < fields.count ? Double(Substring(fields[number - 3])) ?? 0 : 0 }
  }

  /// Without the descriptor that reads the directory.
  private static func openFiles() -> Int? {
    // Sound: the directory is closed once, after its last use.
    guard let folder = unsafe opendir("/proc/self/fd") else { return nil }
    defer { unsafe closedir(folder) }
    var count = 0
    while unsafe readdir(folder) != nil { count += 1 }
    return max(0, count - 3)
  }
}
