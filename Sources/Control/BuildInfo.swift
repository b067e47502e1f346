/// Which version of CoreDNS this program stands in for, and what it was built from: `coredns_build_info`.
public struct BuildInfo: Sendable {
  /// CoreDNS's, such as `1.13.2`: dashboards compare it.
  public let version: String
  public let revision: String
  /// Of the compiler; Go's in CoreDNS.
  public let compiler: String

  public init(version: String, revision: String, compiler: String) {
    self.version = version
    self.revision = revision
    self.compiler = compiler
  }

  public func add(to exposition: inout Exposition) {
    exposition.gauge(
      "coredns_build_info", 1,
      help:
        "A metric with a constant '1' value labeled by version, revision, and goversion from which CoreDNS was built.",
      labels: ["version": version, "revision": revision, "goversion": compiler])
  }
}
