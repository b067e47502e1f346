import Corefile
import Testing

@Suite struct ForwardDirectiveTests {
  private func forward(_ lines: String, files: [String: String] = [:]) throws -> ForwardDirective {
    try #require(try readDirectives(lines, environment: Environment(files: files)).forward.first)
  }

  @Test func defaults() throws {
    let forward = try forward("forward . 10.0.0.10 { }")
    #expect(forward.from == .root)
    #expect(forward.targets.map(\.description) == ["10.0.0.10:53"])
    #expect(forward.except.isEmpty && forward.next.isEmpty && forward.failover.isEmpty)
    #expect(!forward.forcesTCP && !forward.prefersUDP && !forward.failsFastWhenAllDown)
    #expect(forward.expire == .seconds(10))
    #expect(forward.maxFails == 2 && forward.maxConnectAttempts == 0 && forward.maxConcurrent == 0)
    #expect(forward.healthCheck == ForwardDirective.HealthCheck())
    #expect(forward.healthCheck.interval == .milliseconds(500) && forward.healthCheck.recursionDesired)
    #expect(forward.policy == .random)
    #expect(forward.tls == nil && forward.tlsServerName == nil)
  }

  @Test(
    arguments: [
      ("10.0.0.10", ["10.0.0.10:53"]), ("10.0.0.10:5353", ["10.0.0.10:5353"]), ("dns://10.0.0.10", ["10.0.0.10:53"]),
      ("2001:db8::1", ["[2001:db8::1]:53"]), ("[2001:db8::1]", ["[2001:db8::1]:53"]),
      ("[2001:db8::1]:54", ["[2001:db8::1]:54"]), ("fe80::1%eth0", ["[fe80::1%eth0]:53"]),
      ("[fe80::1%eth0]:54", ["[fe80::1%eth0]:54"]), ("tls://9.9.9.9", ["tls://9.9.9.9:853"]),
      ("tls://9.9.9.9:8853 TLS://[2620:fe::9]:853", ["tls://9.9.9.9:8853", "tls://[2620:fe::9]:853"]),
      ("/etc/resolv.conf 10.0.0.2", ["10.0.0.1:53", "[fe80::1%eth0]:53", "10.0.0.2:53"]),
    ])
  func targets(words: String, targets: [String]) throws {
    let resolv =
      "# nameserver 10.9.9.9\nsearch a b\nnameserver\t10.0.0.1 # x\r\nnameserver fe80::1%eth0\nnameserver x\nnameserver\n"
    #expect(
      try forward("forward . \(words)", files: ["/etc/resolv.conf": resolv]).targets.map(\.description) == targets)
  }

  @Test(
    arguments: [
      ("tls://9.9.9.9%dns.quad9.net", "tls://9.9.9.9:853"), ("tls://9.9.9.9%dns.quad9.net:8853", "tls://9.9.9.9:8853"),
      ("tls://[2620:fe::9%dns.quad9.net]:853", "tls://[2620:fe::9]:853"),
      ("tls://2620:fe::9%dns.quad9.net", "tls://[2620:fe::9]:853"),
    ])
  func serverNames(word: String, target: String) throws {
    let found = try forward("forward . \(word)").targets[0]
    #expect(found.description == target)
    #expect(found.serverName == "dns.quad9.net")
    #expect(found.transport == .tls)
  }

  @Test func options() throws {
    let forward = try forward(
      """
      forward Example.org 10.0.0.1 10.0.0.2 {
        except a.example.org 10.0.0.0/8
        except b.example.org
        force_tcp
        prefer_udp
        expire 20s
        max_fails 0
        max_connect_attempts 3
        health_check 5s no_rec domain Probe.example
        policy round_robin
        max_concurrent 1000
        next NXDOMAIN refused
        failover SERVFAIL
        failfast_all_unhealthy_upstreams
        tls cert.pem key.pem ca.pem
        tls_servername dns.example
      }
      """)
    #expect(forward.from.text == "example.org.")
    #expect(forward.except.map(\.text) == ["a.example.org.", "10.in-addr.arpa.", "b.example.org."])
    #expect(forward.forcesTCP && forward.prefersUDP && forward.failsFastWhenAllDown)
    #expect(forward.expire == .seconds(20))
    #expect(forward.maxFails == 0 && forward.maxConnectAttempts == 3 && forward.maxConcurrent == 1000)
    #expect(forward.healthCheck.interval == .seconds(5) && !forward.healthCheck.recursionDesired)
    #expect(forward.healthCheck.domain.text == "probe.example.")
    #expect(forward.policy == .roundRobin)
    #expect(forward.next.map(\.value) == [3, 5] && forward.failover.map(\.value) == [2])
    let tls = try #require(forward.tls)
    #expect([tls.certificate, tls.key, tls.authorities] == ["cert.pem", "key.pem", "ca.pem"])
    #expect(forward.tlsServerName == "dns.example")
  }

  @Test func tlsFiles() throws {
    func files(_ words: String) throws -> [String?] {
      let tls = try #require(try forward("forward . tls://1.1.1.1 {\ntls \(words)\n}").tls)
      return [tls.certificate, tls.key, tls.authorities]
    }
    #expect(try files("") == [nil, nil, nil])
    #expect(try files("ca") == [nil, nil, "ca"])
    #expect(try files("cert key") == ["cert", "key", nil])
  }

  @Test func aNetworkGivesItsFirstZone() throws {
    #expect(try forward("forward 10.0.2.0/23 10.0.0.1").from.text == "2.0.10.in-addr.arpa.")
  }

  @Test func stanzasKeepTheirOrder() throws {
    let block = try readDirectives("forward a 10.0.0.1\nforward . 10.0.0.2")
    #expect(block.forward.map(\.from.text) == ["a.", "."])
    #expect(block.forward.map(\.location.line) == [2, 3])
  }

  @Test(
    arguments: [
      ("forward", "2", "Wrong argument count or unexpected line ending after 'forward', expected: forward FROM TO..."),
      ("forward .", "2", "Wrong argument count or unexpected line ending after '.', expected: forward FROM TO..."),
      ("forward . __PILLAR__CLUSTER__DNS__", "2", "not an IP address or file: \"__PILLAR__CLUSTER__DNS__\""),
      ("forward . <nil>", "2", "not an IP address or file: \"<nil>\""),
      ("forward . \"\"", "2", "invalid address: \"\""),
      ("forward . 10.0.0.1:0", "2", "invalid address: \"10.0.0.1:0\""),
      ("forward . 10.0.0.1:dns", "2", "not an IP address or file: \"10.0.0.1:dns\""),
      ("forward . tls://dns.google", "2", "not an IP address or file: \"tls://dns.google\""),
      (
        "forward . https://1.1.1.1", "2",
        "'https' is not supported as a destination protocol in forward: https://1.1.1.1"
      ),
      ("forward . empty", "2", "no nameservers found"),
      ("forward a..b 10.0.0.1", "2", "unable to normalize 'a..b'"),
      (
        "forward . " + (1...16).map { "10.0.0.\($0)" }.joined(separator: " "), "2",
        "more than 15 TOs configured: 16"
      ),
      ("forward . 10.0.0.1 {\nfoo\n}", "3", "unknown property 'foo'"),
      (
        "forward . 10.0.0.1 {\nforce_tcp yes\n}", "3",
        "Wrong argument count or unexpected line ending after 'yes', expected: force_tcp"
      ),
      (
        "forward . 10.0.0.1 {\nexpire 10\n}", "3",
        "missing unit in duration \"10\", expected a duration such as 30s or 1h30m"
      ),
      ("forward . 10.0.0.1 {\nmax_fails -1\n}", "3", "max_fails must be from 0 to 4294967295: -1"),
      ("forward . 10.0.0.1 {\nmax_fails x\n}", "3", "max_fails is not a number: \"x\""),
      ("forward . 10.0.0.1 {\npolicy best\n}", "3", "unknown policy 'best'"),
      ("forward . 10.0.0.1 {\nnext ODD\n}", "3", "ODD is not a valid rcode"),
      ("forward . 10.0.0.1 {\nfailover NOERROR\n}", "3", "NoError cannot be used in failover"),
      ("forward . 10.0.0.1 {\nhealth_check 1s often\n}", "3", "health_check: unknown option often"),
      (
        "forward . 10.0.0.1 {\nhealth_check 1s domain\n}", "3",
        "Wrong argument count or unexpected line ending after 'domain', expected: health_check DURATION [no_rec] [domain FQDN]"
      ),
      (
        "forward . tls://1.1.1.1%a {\ntls_servername b\n}", "2",
        "both forward ('b') and proxy level ('a') TLS servernames are set for upstream proxy 'tls://1.1.1.1:853'"
      ),
    ])
  func refused(lines: String, line: String, message: String) {
    let environment = Environment(files: ["empty": "search a\n"])
    #expect(directiveRefusal(lines, environment: environment) == "Corefile:\(line) - plugin/forward: \(message)")
  }
}
