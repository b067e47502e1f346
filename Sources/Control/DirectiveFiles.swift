import Chain
import Corefile
import Engine
import Glibc
import Logging
import Synchronization

/// The files that directives read (hosts, loadbalance): read at start, and again when their time or size changed.
final class DirectiveFiles: Sendable {
  private struct Stamp: Equatable {
    var seconds = 0
    var nanoseconds = 0
    var size = -1
  }

  private struct State {
    var stamp = Stamp()
    var dueAt = 0
    var entries = 0
  }

  /// Longer ones are cut.
  private static let limit = 16 << 20

  private let files: [WatchedFile]
  private let states: Mutex<[State]>
  private let reloadedAt = Atomic<Int>(0)
  private let hasEnded = Atomic<Bool>(false)
  private let log: ProcessLog

  /// Reads all of them, in chains whose indices are those of the blocks they were compiled from.
  init(_ configuration: Configuration, _ settings: Settings, _ log: ProcessLog) {
    var files: [WatchedFile] = []
    for (block, chain) in zip(configuration.blocks, settings.chains) {
      files += (chain.resolver as? ChainResolver)?.files ?? []
      if let directive = block.loadbalance, case .weighted(let path, let interval) = directive.policy,
        let table = chain.front?.order?.weights
      {
        files.append(
          WatchedFile(path: path, interval: interval, kind: .weights, location: directive.location) { bytes in
            let weights = WeightTable.Weights(file: bytes)
            table.replace(with: weights)
            return weights.count
          })
      }
    }
    self.files = files
    self.log = log
    states = Mutex([State](repeating: State(), count: files.count))
    look(isStart: true)
  }

  /// Looks at them from now on.
  func start() {
    guard files.contains(where: { $0.interval > .zero }) else { return }
    ControlThread.start { [self] in
      while !hasEnded.load(ordering: .relaxed) {
        sleep(1)
        look(isStart: false)
      }
    }
  }

  func stop() { hasEnded.store(true, ordering: .relaxed) }

  private func look(isStart: Bool) {
    var clock = timespec()
    // The clock lives through the call.
    unsafe clock_gettime(CLOCK_BOOTTIME, &clock)
    for (index, file) in files.enumerated() {
      let state = states.withLock { $0[index] }
      guard isStart || file.interval > .zero && clock.tv_sec >= state.dueAt else { continue }
      states.withLock { $0[index].dueAt = clock.tv_sec + Int(max(1, file.interval.nanoseconds / 1_000_000_000)) }
      let stamp = Self.stamp(file.path)
      if stamp == state.stamp, !isStart { continue }
      states.withLock { $0[index].stamp = stamp }
      guard stamp.size >= 0, let text = TextFile.read(file.path, limit: Self.limit) else {
        let label = file.kind == .hosts ? "plugin/hosts" : "plugin/loadbalance"
        log.logger(label).warning("File does not exist: \(file.path)")
        // CoreDNS keeps what it had read.
        if isStart { load(index, []) }
        continue
      }
      load(index, Array(text.utf8))
    }
  }

  private func load(_ index: Int, _ bytes: [UInt8]) {
    let entries = files[index].load(bytes)
    states.withLock { $0[index].entries = entries }
    if files[index].kind == .hosts { reloadedAt.store(time(nil), ordering: .relaxed) }
  }

  private static func stamp(_ path: String) -> Stamp {
    var status = stat()
    // The status lives through the call.
    guard unsafe stat(path, &status) == 0 else { return Stamp() }
    return Stamp(seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec, size: Int(status.st_size))
  }

  /// Metrics of `hosts` (spec a.10).
  func add(to out: inout Exposition) {
    let entries = states.withLock { $0.map(\.entries) }
    for (file, count) in zip(files, entries) where file.kind == .hosts {
      out.gauge(
        "coredns_hosts_entries", Double(count), help: "The combined number of entries in hosts and Corefile.",
        labels: ["hostsfile": file.path])
    }
    out.gauge(
      "coredns_hosts_reload_timestamp_seconds", Double(reloadedAt.load(ordering: .relaxed)),
      help: "The timestamp of the last reload of hosts file.")
  }
}

extension WeightTable.Weights {
  /// Reads a file of weights: a name on a line of its own, then lines of `ADDRESS WEIGHT` (1 to 255) for it.
  init(file: [UInt8]) {
    self.init()
    var name: [UInt8]?
    for line in file.split(separator: UInt8(ascii: "\n")) {
      let words = line.prefix { $0 != UInt8(ascii: "#") }.split { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
        .map { String(decoding: $0, as: UTF8.self) }
      if words.count == 1 {
        name = ZoneName(words[0])?.wire
      } else if words.count == 2, let name, let address = IPAddress(words[0]), let weight = UInt8(words[1]), weight > 0
      {
        self[name, default: [:]][address.bytes] = Int(weight)
      }
    }
  }
}
