/// The directives of node-cache, in the order in which they see a query, whatever their order in the file.
public enum Directive: String, CaseIterable, Sendable {
  case metadata, timeouts, reload, bufsize, bind, debug, trace, health, pprof, prometheus, errors, log, dnstap, dns64
  case loadbalance, cache, rewrite, template, hosts, loop, forward, whoami

  /// Directives of CoreDNS 1.13.2 that node-cache is built without.
  private static let absent: Set<String> = [
    "root", "geoip", "cancel", "tls", "quic", "grpc_server", "https", "https3", "multisocket", "nsid", "ready", "local",
    "acl", "any", "chaos", "tsig", "header", "dnssec", "autopath", "minimal", "transfer", "route53", "azure",
    "clouddns", "k8s_external", "kubernetes", "file", "auto", "secondary", "etcd", "grpc", "erratic", "on", "sign",
    "view", "nomad",
  ]

  static func requireKnown(_ name: String, at location: SourceLocation) throws(CorefileError) {
    if Directive(rawValue: name) != nil { return }
    if absent.contains(name) {
      throw CorefileError(
        "no action found for directive '\(name)' with server type 'dns' (missing a plugin?)", at: location,
        directive: name)
    }
    throw .grammar("Unknown directive '\(name)'", at: location, directive: name)
  }
}
