import Chain
import Engine

extension EngineMetrics {
  /// What the directives of chains have counted.
  func addChains(to out: inout Exposition) {
    for chain in settings.chains {
      guard let counts = (chain.resolver as? ChainResolver)?.counts else { continue }
      for (series, count) in counts.all {
        var labels = series.labels
        labels["server"] = settings.listeners[series.listener].label
        if series.metric != .translated { labels["view"] = "" }
        out.counter(series.metric.rawValue, Double(count), help: Self.help(series.metric), labels: labels)
      }
    }
  }

  private static func help(_ metric: ChainCounts.Metric) -> String {
    switch metric {
    case .templateMatches: "Counter of template regex matches."
    case .recordFailures: "Counter of mis-templated RRs."
    case .translated: "Counter of DNS requests translated by dns64."
    }
  }
}
