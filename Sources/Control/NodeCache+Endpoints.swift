import Corefile
import Synchronization

extension NodeCache {
  /// The endpoint of `-metrics-listen-address`. Without it service goes on.
  func openSetupEndpoint() {
    do {
      try endpoints.openFixed(flags.metricsListenAddress, ["/metrics": { [self] in scrape() }])
    } catch {
      log.logger().error("Failed to start metrics handler: \(error)")
    }
  }

  /// Those that the blocks ask for, and no others from now on.
  func openEndpoints(_ configuration: Configuration) throws(Fatal) {
    var wanted: [String: Endpoints.Routes] = [:]
    for block in configuration.blocks {
      if let prometheus = block.prometheus {
        wanted[prometheus.address.description, default: [:]]["/metrics"] = { [self] in scrape() }
      }
      if let ready = block.ready {
        wanted[ready.address.description, default: [:]]["/ready"] = { [self] in
          isReady.load(ordering: .relaxed) && isWell ? .good : .bad
        }
      }
      if let health = block.health {
        wanted[health.address.description, default: [:]]["/health"] = { [self] in isWell ? .good : .bad }
      }
    }
    do {
      try endpoints.follow(wanted)
    } catch {
      throw Fatal(message: "\(error)", status: 1)
    }
    healthProbe.follow(configuration.blocks.compactMap { $0.health?.address.description })
  }

  /// As far as the watchdog knows, which looks again.
  private var isWell: Bool {
    watchdog.look()
    return watchdog.isContent
  }

  private func scrape() -> HTTPResponse {
    watchdog.look()
    return exposition.withLock { out in
      out.clear()
      add(to: &out)
      return HTTPResponse(contentType: Exposition.contentType, body: out.text())
    }
  }

  private func add(to out: inout Exposition) {
    if let generation = work.withLock({ $0 }) {
      generation.carryCounts()
      generation.configuration.add(generation.fabric.settings, to: &out)
      EngineMetrics(generation.fabric, generation.listeners, generation.rings).add(to: &out)
      generation.files.add(to: &out)
      out.gauge(
        "ringlet_memory_ceiling_bytes", Double(MemoryCeiling.bytes(shards: generation.fabric.shards)),
        help: "Memory that the process may come to hold itself, whoever asks it whatever; during a reload both sets.")
    }
    healthProbe.add(to: &out)
    watchdog.add(to: &out)
    chainCounts.add(to: &out)
    setupErrors.add(to: &out)
    BuildInfo(version: Self.coreDNSVersion, revision: Self.version, compiler: "swift").add(to: &out)
    // What alerts look for, at zero: a fault ends the process.
    out.counter("coredns_panics_total", 0, help: "A metrics that counts the number of panics.")
    out.counter(
      "coredns_reload_failed_total", Double(failedReloads.load(ordering: .relaxed)),
      help: "Counter of the number of failed reload attempts.")
    if let digest = reloadedDigest.withLock({ $0 }) {
      out.gauge(
        "coredns_reload_version_info", 1, help: "A metric with value 1: the hash of the configuration that runs.",
        labels: ["hash": "sha512", "value": digest])
    }
    ProcessMetrics.add(to: &out)
  }
}

extension HTTPResponse {
  fileprivate static var good: Self { Self(body: Array("OK".utf8)) }
  fileprivate static var bad: Self { Self(status: 503, body: Array("ringlet".utf8)) }
}
