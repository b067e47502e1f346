/// What pods of a cluster ask for, when no file says so.
enum KubernetesMix {
  static let services = 5000
  static let externals = 100
  /// One lookup in ten leaves the cluster.
  static let externalShare = 0.1

  /// The services by absolute name, the most popular first, then the names outside, which go through the search path.
  static func queries() throws(LoadError) -> [QueryLine] {
    var queries: [QueryLine] = []
    for service in 0..<services {
      queries.append(
        try QueryLine(name: "svc-\(service).ns-\(service % Catalogue.namespaces).svc.cluster.local.", type: 1))
    }
    for host in 0..<externals { queries.append(try QueryLine(name: "host-\(host).example.com", type: 1)) }
    return queries
  }

  /// How often each of `queries` is drawn.
  static func weights(exponent: Double) -> [Double] {
    share(1 - externalShare, services, exponent) + share(externalShare, externals, exponent)
  }

  private static func share(_ part: Double, _ count: Int, _ exponent: Double) -> [Double] {
    let weights = Popularity.zipf(count, exponent: exponent)
    let sum = weights.reduce(0, +)
    return weights.map { $0 / sum * part }
  }
}
