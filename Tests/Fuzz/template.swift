import Corefile
import Template

/// The first line and what follows: the two keys of a kube-dns ConfigMap, and all of it as the Corefile's template.
func fuzzTemplate(_ input: [UInt8]) {
  let environment = Environment(variables: ["KUBE_DNS_UPSTREAM_SERVICE_HOST": "10.0.0.11"])
  let end = input.firstIndex(of: UInt8(ascii: "\n")) ?? input.endIndex
  let values = ["stubDomains": Array(input[..<end]), "upstreamNameservers": Array(input[end...])]
  let config: KubeDNSConfig
  do { config = try KubeDNSConfig(values, environment: environment) } catch {
    precondition(!error.reason.isEmpty)
    config = KubeDNSConfig()
  }
  let service = ClusterDNS(service: "kube-dns-upstream", environment: environment)
  let rendering = try? Template(String(decoding: input, as: UTF8.self)).render(
    Template.Values(
      localIPs: ["169.254.20.10", "fd00::10"], clusterDNS: service, prometheusEndpoint: ":9253", port: 53),
    config)
  precondition(rendering != nil)
}
