import Control
import Foundation
import Testing

/// Each test builds the part of /proc and /sys that a kind of container sees.
@Suite struct ProcessorQuotaTests {
  private let scratch: ScratchFolder

  init() throws { scratch = try ScratchFolder() }

  private func tree(_ files: [String: String]) throws -> String {
    let root = scratch.url.appendingPathComponent("\(UUID())")
    for (path, text) in files {
      let file = root.appendingPathComponent(path)
      try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
    }
    return root.path
  }

  private let eight = "Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t0-7\n"

  @Test func aContainerWithItsOwnNamespaceReadsTheRoot() throws {
    let root = try tree([
      "proc/self/cgroup": "0::/\n", "proc/self/status": eight, "sys/fs/cgroup/cpu.max": "150000 100000\n",
    ])
    #expect(ProcessorQuota.cgroupQuota(root: root) == 1.5)
    #expect(ProcessorQuota.shards(root: root) == 2)
  }

  @Test func theSmallestLimitOnThePathCounts() throws {
    let root = try tree([
      "proc/self/cgroup": "0::/kubepods/pod1/c1\n", "proc/self/status": eight,
      "sys/fs/cgroup/kubepods/cpu.max": "800000 100000\n", "sys/fs/cgroup/kubepods/pod1/cpu.max": "25000 100000\n",
      "sys/fs/cgroup/kubepods/pod1/c1/cpu.max": "max 100000\n",
    ])
    #expect(ProcessorQuota.cgroupQuota(root: root) == 0.25)
    #expect(ProcessorQuota.shards(root: root) == 1)
  }

  @Test func version1HasItsOwnFiles() throws {
    let root = try tree([
      "proc/self/cgroup": "3:cpu,cpuacct:/kubepods/c1\n1:name=systemd:/x\n", "proc/self/status": eight,
      "sys/fs/cgroup/cpu,cpuacct/kubepods/c1/cpu.cfs_quota_us": "300000\n",
      "sys/fs/cgroup/cpu,cpuacct/kubepods/c1/cpu.cfs_period_us": "100000\n",
      "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    ])
    #expect(ProcessorQuota.cgroupQuota(root: root) == 3)
    #expect(ProcessorQuota.shards(root: root) == 3)
  }

  @Test func withoutALimitTheAffinityCountsUpTo4() throws {
    let unlimited = ["proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"]
    #expect(ProcessorQuota.shards(root: try tree(unlimited.merging(["proc/self/status": eight]) { $1 })) == 4)
    let two = "Cpus_allowed:\t80000000,00000001\n"
    #expect(ProcessorQuota.shards(root: try tree(unlimited.merging(["proc/self/status": two]) { $1 })) == 2)
  }

  @Test func withoutAnyFileThereIsOneShard() throws {
    #expect(ProcessorQuota.shards(root: try tree([:])) == 1)
    #expect(
      ProcessorQuota.shards(root: try tree(["proc/self/cgroup": "::\n0::/\nx", "sys/fs/cgroup/cpu.max": "x"])) == 1)
  }
}
