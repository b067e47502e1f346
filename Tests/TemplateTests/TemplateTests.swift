import Corefile
import Template
import Testing

/// What node-cache's placeholders become.
@Suite struct TemplateTests {
  private func values(localIPs: [String] = ["169.254.20.10", "10.0.0.10"], cluster: String? = "10.0.0.11")
    -> Template.Values
  {
    let variables = cluster.map { ["KUBE_DNS_UPSTREAM_SERVICE_HOST": $0] } ?? [:]
    return Template.Values(
      localIPs: localIPs,
      clusterDNS: ClusterDNS(service: "kube-dns-upstream", environment: Environment(variables: variables)),
      prometheusEndpoint: ":9253", port: 53)
  }

  private func config(_ values: [String: String]) throws -> KubeDNSConfig {
    try KubeDNSConfig(values.mapValues { Array($0.utf8) }, environment: Environment())
  }

  @Test(
    arguments: [
      ("bind __PILLAR__LOCAL__DNS__", "bind 169.254.20.10 10.0.0.10"),
      ("bind __PILLAR__LOCAL__DNS__ __PILLAR__DNS__SERVER__", "bind 169.254.20.10 10.0.0.10 "),
      ("forward . __PILLAR__CLUSTER__DNS__", "forward . 10.0.0.11"),
      ("forward . __PILLAR__UPSTREAM__SERVERS__", "forward . /etc/resolv.conf"),
      ("prometheus __PROMETHEUS__ENDPOINT__", "prometheus :9253"),
      // Anywhere in the text, as often as it is there; the domain is the installer's.
      ("#a__PILLAR__CLUSTER__DNS__b__PILLAR__CLUSTER__DNS__", "#a10.0.0.11b10.0.0.11"),
      ("__PILLAR__DNS__DOMAIN__:53", "__PILLAR__DNS__DOMAIN__:53"),
      ("é\r\n__PROMETHEUS__ENDPOINT__\r\n", "é\r\n:9253\r\n"),
    ])
  func placeholders(text: String, rendered: String) throws {
    #expect(try Template(text).render(values(), KubeDNSConfig()).text == rendered)
  }

  @Test func anIPv6AddressBeforeAPortGetsBrackets() throws {
    let text = "bind __PILLAR__LOCAL__DNS__\nhealth __PILLAR__LOCAL__DNS__:8080\nhealth [__PILLAR__LOCAL__DNS__]:8080\n"
    #expect(
      try Template(text + "forward . __PILLAR__CLUSTER__DNS__ __PILLAR__CLUSTER__DNS__:54")
        .render(values(localIPs: ["fd00::a"], cluster: "fd00::b"), KubeDNSConfig()).text
        == "bind fd00::a\nhealth [fd00::a]:8080\nhealth [fd00::a]:8080\nforward . fd00::b [fd00::b]:54")
  }

  @Test(arguments: [nil, "", "<nil>", "kube-dns"])
  func anUnknownClusterAddressIsAnErrorThatNamesTheVariable(value: String?) throws {
    let error = #expect(throws: ClusterDNS.Unknown.self) {
      try Template("forward . __PILLAR__CLUSTER__DNS__").render(values(cluster: value), KubeDNSConfig())
    }
    #expect(error?.description.contains("environment variable KUBE_DNS_UPSTREAM_SERVICE_HOST is ") == true)
    // Who does not use it does not need it.
    #expect(try Template("loop").render(values(cluster: value), KubeDNSConfig()).text == "loop")
  }

  @Test func stubDomainsAreAppendedInOrder() throws {
    let config = try config([
      "stubDomains": #"{"b.test": ["10.1.0.1", "10.1.0.2:5353"], "a.test": ["fd00::1", "[fd00::2]:54"]}"#
    ])
    let rendering = try Template(".:53 {\n}\n").render(values(), config)
    #expect(
      rendering.text == """
        .:53 {
        }

        a.test:53 {
            errors
            cache 30
            bind 169.254.20.10 10.0.0.10
            forward . [fd00::1]:53 [fd00::2]:54
        }

        b.test:53 {
            errors
            cache 30
            bind 169.254.20.10 10.0.0.10
            forward . 10.1.0.1 10.1.0.2:5353
        }

        """)
    let zones = try Corefile.parse(Array(rendering.text.utf8)).blocks.map { $0.zones.map(\.text) }
    #expect(zones == [["."], ["a.test."], ["b.test."]])
  }

  @Test(
    arguments: [
      " {\n            force_tcp\n    }", " {\nforce_tcp\n}", " { force_tcp }", "\n{\n\n  force_tcp # why\n}",
      " {\r\n\tforce_tcp\r\n}",
    ])
  func upstreamNameserversAreAskedOverUDP(body: String) throws {
    let config = try config(["upstreamNameservers": #"["10.1.0.1", "10.1.0.2:54"]"#])
    let text = ". {\n forward . __PILLAR__UPSTREAM__SERVERS__\(body)\n cache\n}\n"
    let rendering = try Template(text + text).render(values(), config)
    let block = ". {\n forward . 10.1.0.1 10.1.0.2:54\n cache\n}\n"
    #expect(rendering.text == block + block)
    #expect(rendering.upstreams == "10.1.0.1 10.1.0.2:54")
    #expect(!rendering.lacksTCPBlock)
    // Without such servers TCP stays.
    #expect(try Template(text).render(values(), KubeDNSConfig()).text.contains("forward . /etc/resolv.conf\(body)"))
  }

  @Test(
    arguments: [
      "", " {\n force_tcp\n expire 5s\n }", " {\n prefer_udp\n }", " { }", " {\n force_tcp\n force_tcp\n }",
      " 10.0.0.1 {\n force_tcp\n }",
    ])
  func anotherForwardKeepsItsOptions(body: String) throws {
    let config = try config(["upstreamNameservers": #"["10.1.0.1"]"#])
    let rendering = try Template(". {\n forward . __PILLAR__UPSTREAM__SERVERS__\(body)\n}").render(values(), config)
    #expect(rendering.text == ". {\n forward . 10.1.0.1\(body)\n}")
    #expect(rendering.lacksTCPBlock)
  }

  @Test func aTemplateThatIsNoCorefileIsStillRendered() throws {
    let config = try config(["upstreamNameservers": #"["10.1.0.1"]"#])
    let rendering = try Template("\"forward . __PILLAR__UPSTREAM__SERVERS__ { force_tcp }").render(values(), config)
    #expect(rendering.text == "\"forward . 10.1.0.1 { force_tcp }")
  }
}
