import Corefile
import Engine

extension Configuration {
  /// Which directives see the queries of a listener and zone, where `prometheus` is among them.
  func add(_ settings: Settings, to out: inout Exposition) {
    for listener in settings.listeners {
      for zone in settings.groups[listener.group].map({ settings.zones[$0] }) where blocks[zone.chain].prometheus != nil
      {
        for directive in blocks[zone.chain].enabled {
          out.gauge(
            "coredns_plugin_enabled", 1,
            help: "A metric that indicates whether a plugin is enabled on per server and zone basis.",
            labels: ["server": listener.label, "zone": zone.label, "view": "", "name": directive])
        }
      }
    }
  }
}

extension ServerBlock {
  fileprivate var enabled: [String] {
    let present = Set(lines.map(\.directive))
    return Directive.allCases.filter { $0.seesQueries && present.contains($0) }.map(\.rawValue)
  }
}

extension Directive {
  /// Whether it is a handler of CoreDNS: the others set up a server, or a process.
  fileprivate var seesQueries: Bool {
    switch self {
    case .metadata, .nsid, .bufsize, .trace, .prometheus, .errors, .log, .dnstap, .dns64, .acl, .any, .loadbalance,
      .cache, .rewrite, .minimal, .template, .hosts, .loop, .forward, .whoami:
      true
    case .timeouts, .reload, .bind, .debug, .ready, .health, .pprof: false
    }
  }
}
