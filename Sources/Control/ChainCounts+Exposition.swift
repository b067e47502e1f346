import Chain

extension ChainCounts {
  func add(to out: inout Exposition) {
    for (series, count) in all {
      func label(_ name: String) -> String { series.labels[name] ?? "" }
      switch series.metric {
      case .translated:
        out.counter(
          "coredns_dns64_requests_translated_total", Double(count),
          help: "Counter of DNS requests translated by dns64.", labels: ["server": series.server])
      case .templateMatches:
        out.counter(
          "coredns_template_matches_total", Double(count), help: "Counter of template regex matches.",
          labels: [
            "server": series.server, "zone": label("zone"), "view": "", "class": label("class"), "type": label("type"),
          ])
      case .templateFailures, .recordFailures:
        let (name, help) =
          series.metric == .recordFailures
          ? ("coredns_template_rr_failures_total", "Counter of mis-templated RRs.")
          : ("coredns_template_template_failures_total", "Counter of templates that could not be filled in.")
        out.counter(
          name, Double(count), help: help,
          labels: [
            "server": series.server, "zone": label("zone"), "view": "", "class": label("class"), "type": label("type"),
            "section": label("section"), "template": label("template"),
          ])
      }
    }
  }
}
