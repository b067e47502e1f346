/// What the clients ask.
enum Workload: String, CaseIterable, Codable {
  case one, hits, mix, misses, flood

  var title: String {
    switch self {
    case .one: "One name"
    case .hits: "Cached answers: 1,000 names by Zipf"
    case .mix: "Kubernetes mix"
    case .misses: "All misses"
    case .flood: "Kubernetes mix with as many random subdomains"
    }
  }

  /// What the upstream is asked anew each time would be known the second time: a file of its own for each round, each
  /// query asked once.
  var asksOnce: Bool { self == .misses || self == .flood }

  /// Asked by 100 pods, A and AAAA together.
  var isOfPods: Bool { self == .mix || self == .flood }
}
