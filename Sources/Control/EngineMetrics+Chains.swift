import Chain
import Engine

extension EngineMetrics {
  /// What the directives of chains have counted.
  func addChains(to out: inout Exposition) {
    for chain in settings.chains {
      guard let counts = (chain.resolver as? ChainResolver)?.counts else { continue }
      for (series, count) in counts.all {
        let server = settings.listeners[series.listener].label
        func label(_ name: String) -> String { series.labels[name] ?? "" }
        switch series.metric {
        case .translated:
          out.counter(
            "coredns_dns64_requests_translated_total", Double(count),
            help: "Counter of DNS requests translated by dns64.", labels: ["server": server])
        case .templateMatches:
          out.counter(
            "coredns_template_matches_total", Double(count), help: "Counter of template regex matches.",
            labels: [
              "server": server, "zone": label("zone"), "view": "", "class": label("class"), "type": label("type"),
            ])
        case .recordFailures:
          out.counter(
            "coredns_template_rr_failures_total", Double(count), help: "Counter of mis-templated RRs.",
            labels: [
              "server": server, "zone": label("zone"), "view": "", "class": label("class"), "type": label("type"),
              "section": label("section"), "template": label("template"),
            ])
        }
      }
    }
  }
}
