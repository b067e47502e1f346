import Cache
import Engine
import Rings
import Sockets

/// What the shards have counted, under CoreDNS's names (spec a.10). Counters of all shards are added up; a labelled
/// series does not exist until something was counted under it.
public struct EngineMetrics: Sendable {
  let fabric: Fabric
  let counters: [Counters]
  let readers: [SegmentReader]
  let rings: RingReport
  /// Of each shard.
  let listeners: [Listeners]

  public init(_ fabric: Fabric, _ listeners: [Listeners], _ rings: RingReport) {
    self.fabric = fabric
    self.listeners = listeners
    self.rings = rings
    counters = (0..<fabric.shards).map(fabric.counters)
    readers = (0..<fabric.shards).map(fabric.reader)
  }

  var settings: Settings { fabric.settings }

  public func add(to out: inout Exposition) {
    for (index, listener) in settings.listeners.enumerated() {
      // Zones of other groups have counted nothing here; the last is what no zone serves.
      for zone in settings.groups[listener.group] + [settings.zones.count] {
        let label = zone < settings.zones.count ? settings.zones[zone].label : "dropped"
        let block = Block(counters: counters, listener: index, zone: zone)
        addQueries(block, listener.label, label, to: &out)
        addSizes(block, listener.label, label, to: &out)
      }
    }
    addCaches(to: &out)
    addUpstreams(to: &out)
    addShards(to: &out)
  }

  /// A listener and a zone: words of their block, summed over shards.
  struct Block {
    let counters: [Counters]
    let listener: Int
    let zone: Int

    subscript(word: Int) -> UInt64 {
      counters.reduce(0) { $0 &+ $1.read(listener: listener, zone: zone, word) }
    }

    func histogram(_ word: Int, bounds: [Double], unit: Double) -> Histogram? {
      let counts = (0...bounds.count).map { self[word + $0] }
      guard counts.contains(where: { $0 > 0 }) else { return nil }
      return Histogram(bounds: bounds, counts: counts, sum: Double(self[word + bounds.count + 1]) * unit)
    }
  }

  static let transports = ["udp", "tcp"]

  private func addQueries(_ block: Block, _ server: String, _ zone: String, to out: inout Exposition) {
    for transport in 0..<2 {
      for family in 0..<2 {
        for (type, name) in CountedType.labels.enumerated() {
          let count = block[Counters.Query.requests + (transport * 2 + family) * Counters.Query.types + type]
          guard count > 0 else { continue }
          out.counter(
            "coredns_dns_requests_total", Double(count),
            help: "Counter of DNS requests made per zone, protocol and family.",
            labels: [
              "server": server, "zone": zone, "view": "", "proto": Self.transports[transport],
              "family": "\(family + 1)", "type": name,
            ])
        }
      }
    }
    for writer in Writer.allCases {
      for rcode in 0..<Counters.Query.rcodes {
        let count = block[Counters.Query.responses + Int(writer.rawValue) * Counters.Query.rcodes + rcode]
        guard count > 0 else { continue }
        out.counter(
          "coredns_dns_responses_total", Double(count), help: "Counter of response status codes.",
          labels: [
            "server": server, "zone": zone, "view": "", "rcode": rcodeLabel(rcode),
            "plugin": pluginLabel(writer, block.zone),
          ])
      }
    }
    if block[Counters.Query.dnssecOK] > 0 {
      out.counter(
        "coredns_dns_do_requests_total", Double(block[Counters.Query.dnssecOK]),
        help: "Counter of DNS requests with DO bit set per zone.",
        labels: ["server": server, "zone": zone, "view": ""])
    }
    if let durations = block.histogram(Counters.Query.durations, bounds: Histogram.timeBounds, unit: 1e-9) {
      out.histogram(
        "coredns_dns_request_duration_seconds", durations,
        help: "Histogram of the time (in seconds) each request took per zone.",
        labels: ["server": server, "zone": zone, "view": ""])
    }
  }

  /// The directive that wrote an answer: the first in CoreDNS's order that had its hands on it.
  private func pluginLabel(_ writer: Writer, _ zone: Int) -> String {
    guard zone < settings.zones.count, writer != .nobody else { return "" }
    let chain = settings.chains[settings.zones[zone].chain]
    if writer == .acl { return "acl" }
    if chain.front?.order != nil { return "loadbalance" }
    if chain.cache != nil { return "cache" }
    return writer == .chain ? "forward" : "\(writer)"
  }

  private func addSizes(_ block: Block, _ server: String, _ zone: String, to out: inout Exposition) {
    for (name, help, word) in [
      (
        "coredns_dns_request_size_bytes", "Size of the EDNS0 UDP buffer in bytes (64K for TCP) per zone and protocol.",
        Counters.Query.requestSizes
      ),
      (
        "coredns_dns_response_size_bytes", "Size of the returned response in bytes.", Counters.Query.responseSizes
      ),
    ] {
      for transport in 0..<2 {
        let start = word + transport * Counters.Query.sizeWords
        guard let sizes = block.histogram(start, bounds: Histogram.sizeBounds, unit: 1) else { continue }
        out.histogram(
          name, sizes, help: help,
          labels: ["server": server, "zone": zone, "view": "", "proto": Self.transports[transport]])
      }
    }
  }
}

/// Names of response codes as CoreDNS prints them (IANA DNS RCODEs); a number without one as such.
func rcodeLabel(_ rcode: Int) -> String {
  let names = [
    "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH",
    "NOTZONE",
  ]
  if rcode < names.count { return names[rcode] }
  return rcode == 16 ? "BADVERS" : "\(rcode)"
}
