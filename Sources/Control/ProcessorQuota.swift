/// How many processors this process may use: the smallest of its CPU affinity and the CPU limits of its control
/// groups, which is what a container's `limits.cpu` becomes.
///
/// `root` is empty but for tests: the tree that holds `proc/self` and `sys/fs/cgroup`.
///
/// Sources: cgroup-v2.rst, 'cpu.max'; sched-bwc.rst, 'cpu.cfs_quota_us'; cgroups(7), '/proc/[pid]/cgroup'.
public enum ProcessorQuota {
  /// The default for `-shards`: at least 1, at most `limit`. A part of a processor counts as a whole one.
  public static func shards(limit: Int = 4, root: String = "") -> Int {
    let quota = min(cgroupQuota(root: root) ?? .infinity, Double(limit))
    return max(1, min(processors(root: root), Int(quota.rounded(.up))))
  }

  /// Processors in the affinity mask, at least 1 (proc_pid_status(5), 'Cpus_allowed': hexadecimal words).
  public static func processors(root: String = "") -> Int {
    let lines = TextFile.read("\(root)/proc/self/status")?.split(separator: "\n") ?? []
    let mask = lines.first { $0.hasPrefix("Cpus_allowed:") }?.dropFirst("Cpus_allowed:".count) ?? ""
    return max(1, mask.reduce(0) { $0 + ($1.hexDigitValue ?? 0).nonzeroBitCount })
  }

  /// Processors' worth of time per period, or nil where nothing limits it. Every group from this process's own up to
  /// the root may have a limit; the smallest counts.
  public static func cgroupQuota(root: String = "") -> Double? {
    guard let groups = TextFile.read("\(root)/proc/self/cgroup") else { return nil }
    var quotas: [Double] = []
    for line in groups.split(separator: "\n") {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      let isUnified = fields[1].isEmpty
      guard isUnified || fields[1].split(separator: ",").contains("cpu") else { continue }
      let mounts = isUnified ? ["sys/fs/cgroup"] : ["sys/fs/cgroup/cpu", "sys/fs/cgroup/\(fields[1])"]
      for mount in mounts {
        for group in ancestors(fields[2]) {
          let folder = "\(root)/\(mount)\(group)"
          let quota = isUnified ? unified(folder) : legacy(folder)
          if let quota { quotas.append(quota) }
        }
      }
    }
    return quotas.min()
  }

  /// `/a/b`, `/a` and the root. In a container the path may name groups of the host that are not mounted: their files
  /// are missing, and the root is the container's own group.
  private static func ancestors(_ path: Substring) -> [String] {
    let names = path.split(separator: "/").prefix(64)
    return (0...names.count).reversed().map { count in names.prefix(count).map { "/\($0)" }.joined() }
  }

  private static func unified(_ folder: String) -> Double? {
    let fields = TextFile.read("\(folder)/cpu.max")?.split(whereSeparator: \.isWhitespace) ?? []
    guard fields.count == 2, let quota = Double(fields[0]), let period = Double(fields[1]) else { return nil }
    return quota > 0 && period > 0 ? quota / period : nil
  }

  private static func legacy(_ folder: String) -> Double? {
    func number(_ file: String) -> Double? {
      TextFile.read("\(folder)/\(file)").flatMap { Double($0.prefix { !$0.isWhitespace }) }
    }
    guard let quota = number("cpu.cfs_quota_us"), let period = number("cpu.cfs_period_us") else { return nil }
    return quota > 0 && period > 0 ? quota / period : nil
  }
}
