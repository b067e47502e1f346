/// The directives of node-cache, and `acl`, `any`, `minimal`, `nsid` and `ready` of CoreDNS, in the order in which they see a query, whatever their order in the file.
public enum Directive: String, CaseIterable, Sendable {
  case metadata, timeouts, reload, nsid, bufsize, bind, debug, trace, ready, health, pprof, prometheus, errors, log
  case dnstap, dns64, acl, any, loadbalance, cache, rewrite, minimal, template, hosts, loop, forward, whoami

  /// Directives of CoreDNS 1.13.2 that are not here.
  private static let absent: Set<String> = [
    "root", "geoip", "cancel", "tls", "quic", "grpc_server", "https", "https3", "multisocket", "local", "chaos", "tsig",
    "header", "dnssec", "autopath", "transfer", "route53", "azure", "clouddns", "k8s_external", "kubernetes", "file",
    "auto", "secondary", "etcd", "grpc", "erratic", "on", "sign", "view", "nomad",
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
