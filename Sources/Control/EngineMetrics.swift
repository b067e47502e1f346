import Cache
import Engine

/// What the shards have counted, under CoreDNS's names (spec a.10), and what only Ringlet has, under `ringlet_`.
///
/// Counters of all shards are added up. A labelled series does not exist until something was counted under it.
public struct EngineMetrics: Sendable {
  private let fabric: Fabric
  private let counters: [Counters]
  private let readers: [SegmentReader]

  public init(_ fabric: Fabric) {
    self.fabric = fabric
    counters = (0..<fabric.shards).map(fabric.counters)
    readers = (0..<fabric.shards).map(fabric.reader)
  }

  private var settings: Settings { fabric.settings }

  public func write(to out: inout Exposition) {
    writeQueries(to: &out)
    writeSizes(to: &out)
    writeCache(to: &out)
    writeUpstreams(to: &out)
    writeShards(to: &out)
  }

  /// Each listener and zone that counted anything: its labels, and the sum over shards of a word of its block.
  private func forEachBlock(_ body: (_ labels: [(String, String)], _ sum: (Int) -> UInt64) -> Void) {
    for listener in settings.listeners.indices {
      for zone in 0...settings.zones.count {
        let label = zone < settings.zones.count ? settings.zones[zone].label : "dropped"
        let labels = [("server", settings.listeners[listener].label), ("zone", label), ("view", "")]
        body(labels) { word in counters.reduce(0) { $0 &+ $1.read(listener: listener, zone: zone, word) } }
      }
    }
  }

  private static let transports = ["udp", "tcp"]

  private func writeQueries(to out: inout Exposition) {
    out.family("coredns_dns_requests_total", .counter, "Counter of DNS requests made per zone, protocol and family.")
    forEachBlock { labels, sum in
      for transport in 0..<2 {
        for family in 0..<2 {
          for (type, name) in CountedType.labels.enumerated() {
            let count = sum(
              Counters.Query.requests + (transport * 2 + family) * Counters.Query.types + type)
            if count > 0 {
              out.sample(
                labels + [("proto", Self.transports[transport]), ("family", "\(family + 1)"), ("type", name)], count)
            }
          }
        }
      }
    }
    out.family("coredns_dns_responses_total", .counter, "Counter of response status codes.")
    forEachBlock { labels, sum in
      for rcode in 0..<Counters.Query.rcodes {
        let count = sum(Counters.Query.responses + rcode)
        if count > 0 { out.sample(labels + [("rcode", rcodeLabel(rcode)), ("plugin", "")], count) }
      }
    }
    out.family("coredns_dns_do_requests_total", .counter, "Counter of DNS requests with DO bit set per zone.")
    forEachBlock { labels, sum in
      let count = sum(Counters.Query.dnssecOK)
      if count > 0 { out.sample(labels, count) }
    }
    out.family("coredns_dns_request_duration_seconds", .histogram, "Time each request took, in seconds.")
    forEachBlock { labels, sum in
      let buckets = (0...Buckets.durations).map { sum(Counters.Query.durations + $0) }
      if buckets.contains(where: { $0 > 0 }) {
        out.histogram(
          labels, bounds: Self.durationBounds, counts: buckets, sum: Double(sum(Counters.Query.durationSum)) / 1e9)
      }
    }
  }

  private static let durationBounds = (0..<Buckets.durations).map { Double(Buckets.duration($0)) / 1e9 }
  private static let sizeBounds = Buckets.sizes.map(Double.init)

  private func writeSizes(to out: inout Exposition) {
    for (name, help, start) in [
      ("coredns_dns_request_size_bytes", "Size of the request in bytes.", Counters.Query.requestSizes),
      ("coredns_dns_response_size_bytes", "Size of the response in bytes.", Counters.Query.responseSizes),
    ] {
      out.family(name, .histogram, help)
      forEachBlock { labels, sum in
        for transport in 0..<2 {
          let base = start + transport * Counters.Query.sizeWords
          let buckets = (0...Buckets.sizeCount).map { sum(base + $0) }
          if buckets.contains(where: { $0 > 0 }) {
            out.histogram(
              labels + [("proto", Self.transports[transport])], bounds: Self.sizeBounds, counts: buckets,
              sum: Double(sum(base + Buckets.sizeCount + 1)))
          }
        }
      }
    }
  }

  /// The zones of each chain that has a cache, with the chain's labels at a listener that serves them.
  private func forEachCache(_ body: (_ labels: [(String, String)], _ listener: Int, _ zones: [Int]) -> Void) {
    for (index, listener) in settings.listeners.enumerated() {
      for (chain, settings) in settings.chains.enumerated() where settings.cache != nil {
        let zones = self.settings.groups[listener.group].filter { self.settings.zones[$0].chain == chain }
        if !zones.isEmpty {
          body([("server", listener.label), ("zones", settings.label), ("view", "")], index, zones)
        }
      }
    }
  }

  private func writeCache(to out: inout Exposition) {
    let stores = [(Store.success, "success"), (.denial, "denial")]
    out.family("coredns_cache_entries", .gauge, "The number of elements in the cache.")
    forEachCache { labels, _, zones in
      for (store, name) in stores {
        let count = total(zones) { $0.entries(zone: $1, store: store) }
        if count > 0 { out.sample(labels + [("type", name)], count) }
      }
    }
    out.family("coredns_cache_hits_total", .counter, "The count of cache hits.")
    forEachCache { labels, listener, zones in
      for (store, name) in stores {
        let count = total(listener, zones, Counters.Query.hits + Int(store.rawValue))
        if count > 0 { out.sample(labels + [("type", name)], count) }
      }
    }
    for (name, help, words) in [
      (
        "coredns_cache_requests_total", "The count of cache requests.",
        [Counters.Query.hits, Counters.Query.hits + 1, Counters.Query.misses]
      ),
      ("coredns_cache_misses_total", "The count of cache misses. Deprecated, derive it from requests and hits.",
        [Counters.Query.misses]),
      ("coredns_cache_drops_total", "The number of responses that are not cached, because the reply is malformed.",
        [Counters.Query.drops]),
    ] {
      out.family(name, .counter, help)
      forEachCache { labels, listener, zones in
        let count = words.reduce(0) { $0 &+ total(listener, zones, $1) }
        if count > 0 { out.sample(labels, count) }
      }
    }
    out.family("coredns_cache_evictions_total", .counter, "The count of cache evictions.")
    forEachCache { labels, _, zones in
      for (store, name) in stores {
        let count = total(zones) { $0.evictions(zone: $1, store: store) }
        if count > 0 { out.sample(labels + [("type", name)], count) }
      }
    }
  }

  private func total(_ listener: Int, _ zones: [Int], _ word: Int) -> UInt64 {
    zones.reduce(0) { sum, zone in
      counters.reduce(sum) { $0 &+ $1.read(listener: listener, zone: zone, word) }
    }
  }

  private func total(_ zones: [Int], _ count: (SegmentReader, Int) -> UInt64) -> UInt64 {
    zones.reduce(0) { sum, zone in readers.reduce(sum) { $0 &+ count($1, zone) } }
  }

  private func writeUpstreams(to out: inout Exposition) {
    out.family(
      "coredns_proxy_request_duration_seconds", .histogram, "Histogram of the time each request took.")
    for (index, upstream) in settings.upstreams.enumerated() {
      for rcode in 0..<Counters.Exchange.rcodes {
        let base = Counters.Exchange.durations + rcode * Counters.Exchange.durationWords
        let buckets = (0...Buckets.durations).map { total(upstream: index, base + $0) }
        if buckets.contains(where: { $0 > 0 }) {
          out.histogram(
            [("proxy_name", "forward"), ("to", upstream.label), ("rcode", rcodeLabel(rcode))],
            bounds: Self.durationBounds, counts: buckets,
            sum: Double(total(upstream: index, base + Buckets.durations + 1)) / 1e9)
        }
      }
    }
    for (name, help, word) in [
      ("coredns_proxy_conn_cache_hits_total", "Counter of connection cache hits per upstream and protocol.",
        Counters.Exchange.connectionHits),
      ("coredns_proxy_conn_cache_misses_total", "Counter of connection cache misses per upstream and protocol.",
        Counters.Exchange.connectionMisses),
    ] {
      out.family(name, .counter, help)
      for (index, upstream) in settings.upstreams.enumerated() {
        for transport in 0..<2 {
          let count = total(upstream: index, word + transport)
          if count > 0 {
            out.sample(
              [("proxy_name", "forward"), ("to", upstream.label), ("proto", Self.transports[transport])], count)
          }
        }
      }
    }
    out.family("coredns_forward_max_concurrent_rejects_total", .counter,
      "Counter of the number of queries rejected because the concurrent queries were at maximum.")
    out.sample([], total(.concurrencyRejects))
    out.family("ringlet_upstream_up", .gauge, "1 if the upstream is not known to be down, by any shard.")
    for (index, upstream) in settings.upstreams.enumerated() {
      let isUp = counters.contains { $0.read(upstream: index, Counters.Exchange.isUp) == 1 }
      out.sample([("to", upstream.label)], isUp ? 1 : 0)
    }
  }

  private func total(upstream: Int, _ word: Int) -> UInt64 {
    counters.reduce(0) { $0 &+ $1.read(upstream: upstream, word) }
  }

  private func total(_ word: Counters.Shard) -> UInt64 { counters.reduce(0) { $0 &+ $1.read(word) } }

  private func writeShards(to out: inout Exposition) {
    for (name, help, word) in [
      ("ringlet_datagrams_total", "Datagrams received, by shard.", Counters.Shard.datagrams),
      ("ringlet_replies_total", "Replies sent, by shard.", .replies),
      ("ringlet_ignored_total", "Datagrams that are no query: too short, a response, larger than a buffer.", .ignored),
      ("ringlet_streams_total", "TCP connections accepted, by shard.", .streams),
      ("ringlet_joined_misses_total", "Queries that waited for a question another had asked, by shard.", .joined),
      ("ringlet_timeouts_total", "Questions that got SERVFAIL for want of an answer, by shard.", .timeouts),
      ("ringlet_buffers_exhausted_total", "Times that a receive had to be armed again for want of buffers.",
        .buffersExhausted),
    ] {
      out.family(name, .counter, help)
      for (shard, counters) in counters.enumerated() { out.sample([("shard", "\(shard)")], counters.read(word)) }
    }
    out.family("ringlet_dropped_total", .counter, "Queries that got no answer, or an error, for want of room.")
    for (reason, word) in [
      ("no send slot", Counters.Shard.droppedNoSlot), ("client gone", .droppedClientGone),
      ("too many questions", .refusedQuestions), ("mailbox full", .refusedMail),
    ] {
      out.sample([("reason", reason)], total(word))
    }
    out.family("ringlet_log_events_lost_total", .counter, "Log lines given up because the log could not keep up.")
    out.sample([], total(.eventsLost))
    out.family("ringlet_cache_refused_total", .counter, "Answers not kept: too large, or no room in their bucket.")
    out.sample([], total(.insertsRefused))
  }
}

/// Names of response codes as CoreDNS prints them (IANA DNS RCODEs); a number without one as such.
public func rcodeLabel(_ rcode: Int) -> String {
  let names = [
    "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH",
    "NOTZONE",
  ]
  if rcode < names.count { return names[rcode] }
  return rcode == 16 ? "BADVERS" : "\(rcode)"
}
