import Corefile
import Template
import Testing

/// What the kube-dns ConfigMap may say.
@Suite struct KubeDNSConfigTests {
  private func read(_ values: [String: String]) throws(KubeDNSConfig.Malformed) -> KubeDNSConfig {
    let environment = Environment(files: ["resolv": "nameserver 10.0.0.2\n", "empty": "\n"])
    return try KubeDNSConfig(values.mapValues { Array($0.utf8) }, environment: environment)
  }

  private func refusal(_ key: String, _ value: String) -> String? {
    do throws(KubeDNSConfig.Malformed) {
      _ = try read([key: value])
      return nil
    } catch {
      return error.description
    }
  }

  @Test func nothingIsTheDefault() throws {
    #expect(try read([:]) == KubeDNSConfig())
    #expect(try read(["stubDomains": "{}", "upstreamNameservers": "[]"]) == KubeDNSConfig())
    #expect(try read(["stubDomains": "null", "upstreamNameservers": " null\n"]) == KubeDNSConfig())
    #expect(try read(["federations": "nonsense", "other": "{"]) == KubeDNSConfig())
  }

  @Test func serversAreAddressesPortsOrFiles() throws {
    let config = try read([
      "stubDomains": #"{"a.test":["10.0.0.1","10.0.0.1:54","::1","[::1]","[::1]:54","resolv"],"b":["1.1.1.1"]}"#,
      "upstreamNameservers": #"["10.0.0.1", "[fd00::1]:54"]"#,
    ])
    #expect(config.stubDomains["a.test"] == ["10.0.0.1", "10.0.0.1:54", "[::1]:53", "[::1]:53", "[::1]:54", "resolv"])
    #expect(config.stubDomains["b"] == ["1.1.1.1"])
    #expect(config.upstreamNameservers == ["10.0.0.1", "[fd00::1]:54"])
  }

  @Test(
    arguments: [
      ("", "not the JSON"), ("{", "not the JSON"), ("[]", "not the JSON"), (#"{"a": "10.0.0.1"}"#, "not the JSON"),
      (#"{"a": [1]}"#, "not the JSON"), (#"{"a": ["10.0.0.1"]} x"#, "not the JSON"),
      (#"{"": ["10.0.0.1"]}"#, "\"\" is no domain"), (#"{"A.test": ["10.0.0.1"]}"#, "\"A.test\" is no domain"),
      (#"{"a_b": ["10.0.0.1"]}"#, "\"a_b\" is no domain"), (#"{"a.": ["10.0.0.1"]}"#, "\"a.\" is no domain"),
      (#"{"-a": ["10.0.0.1"]}"#, "\"-a\" is no domain"), (#"{"a-": ["10.0.0.1"]}"#, "\"a-\" is no domain"),
      (#"{"a {\n}": ["10.0.0.1"]}"#, "is no domain"), (#"{"a": []}"#, "no servers of a"),
      (#"{"a": [""]}"#, "server \"\" of a"), (#"{"a": ["10.0.0.1 10.0.0.2"]}"#, "server \"10.0.0.1 10.0.0.2\" of a"),
      (#"{"a": ["10.0.0.1:0"]}"#, "server \"10.0.0.1:0\" of a"), (#"{"a": ["::1:53:"]}"#, "server \"::1:53:\" of a"),
      (#"{"a": ["/etc/resolv.conf"]}"#, "server \"/etc/resolv.conf\" of a"),
      (#"{"a": ["dns.test"]}"#, "servers of a: plugin/forward: not an IP address or file: \"dns.test\""),
      (#"{"a": ["empty"]}"#, "servers of a: plugin/forward: no nameservers found"),
    ])
  func badStubDomains(value: String, reason: String) throws {
    let refusal = try #require(self.refusal("stubDomains", value))
    #expect(refusal.hasPrefix("stubDomains: ") && refusal.contains(reason), "\(refusal)")
  }

  @Test(
    arguments: [
      ("10.0.0.1", "not the JSON"), ("\"10.0.0.1\"", "not the JSON"), ("{}", "not the JSON"),
      (#"["1.1.1.1","1.1.1.2","1.1.1.3","1.1.1.4"]"#, "4 servers; expected at most 3"),
      (#"["resolv"]"#, "\"resolv\" is not IP or IP:port"), (#"["1.1.1.1:x"]"#, "\"1.1.1.1:x\" is not IP or IP:port"),
      (#"["tls://1.1.1.1"]"#, "\"tls://1.1.1.1\" is not IP or IP:port"),
    ])
  func badUpstreamNameservers(value: String, reason: String) throws {
    let refusal = try #require(self.refusal("upstreamNameservers", value))
    #expect(refusal.hasPrefix("upstreamNameservers: ") && refusal.contains(reason), "\(refusal)")
  }

  @Test func bytesThatAreNotUTF8AreRefused() {
    #expect(throws: KubeDNSConfig.Malformed.self) {
      try KubeDNSConfig(
        ["upstreamNameservers": Array("[\"".utf8) + [0xFF] + Array("\"]".utf8)], environment: Environment())
    }
  }

  @Test func manyServersAreRefused() throws {
    let servers = (1...16).map { "\"10.0.0.\($0)\"" }.joined(separator: ",")
    #expect(try #require(refusal("stubDomains", "{\"a\": [\(servers)]}")).contains("more than 15 TOs"))
  }
}
