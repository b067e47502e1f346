import Glibc

/// What client_golang tells of its own process on Linux, with its names and help texts.
///
/// Sources: proc_pid_stat(5), proc_pid_limits(5), proc_stat(5). What cannot be read is left out.
public enum ProcessMetrics {
  public static func add(to exposition: inout Exposition) {
    if let stat = TextFile.read("/proc/self/stat") { addStat(stat, to: &exposition) }
    if let count = openFiles() {
      exposition.gauge("process_open_fds", Double(count), help: "Number of open file descriptors.")
    }
    var limit = rlimit()
    // Sound: the structure lives through the call.
    if unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
      exposition.gauge("process_max_fds", Double(limit.rlim_cur), help: "Maximum number of open file descriptors.")
    }
  }

  private static func addStat(_ stat: String, to exposition: inout Exposition) {
    // The second field is the command's name in parentheses and may hold anything; the third is behind the last ')'.
    guard let name = stat.lastIndex(of: ")") else { return }
    let fields = stat[stat.index(after: name)...].split(whereSeparator: \.isWhitespace)
    /// Numbered as in the manual page, from 1.
    func field(_ number: Int) -> Double { number - 3 < fields.count ? Double(fields[number - 3]) ?? 0 : 0 }
    let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))

    exposition.counter(
      "process_cpu_seconds_total", (field(14) + field(15)) / ticks,
      help: "Total user and system CPU time spent in seconds.")
    exposition.gauge("process_virtual_memory_bytes", field(23), help: "Virtual memory size in bytes.")
    exposition.gauge(
      "process_resident_memory_bytes", field(24) * Double(sysconf(Int32(_SC_PAGESIZE))),
      help: "Resident memory size in bytes.")
    let boot = TextFile.read("/proc/stat")?.split(separator: "\n").first { $0.hasPrefix("btime ") }?.dropFirst(6)
    if let boot = boot.flatMap({ Double($0) }) {
      exposition.gauge(
        "process_start_time_seconds", boot + field(22) / ticks,
        help: "Start time of the process since unix epoch in seconds.")
    }
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
