import Cache
import Engine

extension EngineMetrics {
  private static let stores = [(store: Store.success, name: "success"), (.denial, "denial")]

  func addCaches(to out: inout Exposition) {
    for (listener, settings) in settings.listeners.enumerated() {
      for (index, chain) in self.settings.chains.enumerated() where chain.cache != nil {
        let zones = self.settings.groups[settings.group].filter { self.settings.zones[$0].chain == index }
        if !zones.isEmpty { addCache(of: zones, chain.label, listener, settings.label, to: &out) }
      }
    }
  }

  private func addCache(
    of zones: [Int], _ label: String, _ listener: Int, _ server: String, to out: inout Exposition
  ) {
    func total(_ word: Int) -> UInt64 {
      zones.reduce(0) { $0 &+ Block(counters: counters, listener: listener, zone: $1)[word] }
    }
    let misses = total(Counters.Query.misses)
    var requests = misses
    for (store, name) in Self.stores {
      let hits = total(Counters.Query.hits + Int(store.rawValue))
      requests &+= hits
      if hits > 0 {
        out.counter(
          "coredns_cache_hits_total", Double(hits), help: "The count of cache hits.",
          labels: ["server": server, "type": name, "zones": label, "view": ""])
      }
      addStore(store, name, of: zones, label, server, to: &out)
    }
    for (name, help, count) in [
      ("coredns_cache_requests_total", "The count of cache requests.", requests),
      ("coredns_cache_misses_total", "The count of cache misses.", misses),
      (
        "coredns_cache_drops_total", "The number of responses that are not cached, because the reply is malformed.",
        total(Counters.Query.drops)
      ),
      (
        "coredns_cache_prefetch_total", "The number of times the cache has prefetched a cached item.",
        total(Counters.Query.prefetches)
      ),
      (
        "coredns_cache_served_stale_total", "The number of requests served from stale cache entries.",
        total(Counters.Query.servedStale)
      ),
    ] where count > 0 {
      out.counter(
        name, Double(count), help: help,
        labels: ["server": server, "zones": label, "view": ""])
    }
  }

  private func addStore(
    _ store: Store, _ name: String, of zones: [Int], _ label: String, _ server: String, to out: inout Exposition
  ) {
    var entries: UInt64 = 0
    var evictions: UInt64 = 0
    for zone in zones {
      for reader in readers {
        entries &+= reader.entries(zone: zone, store: store)
        evictions &+= reader.evictions(zone: zone, store: store)
      }
    }
    if entries > 0 {
      out.gauge(
        "coredns_cache_entries", Double(entries), help: "The number of elements in the cache.",
        labels: ["server": server, "type": name, "zones": label, "view": ""])
    }
    if evictions > 0 {
      out.counter(
        "coredns_cache_evictions_total", Double(evictions), help: "The count of cache evictions.",
        labels: ["server": server, "type": name, "zones": label, "view": ""])
    }
  }
}
