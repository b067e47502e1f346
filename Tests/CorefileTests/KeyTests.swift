import Corefile
import Testing

/// Zones and ports of a block.
@Suite struct KeyTests {
  @Test(
    arguments: [
      (".", ["dns://.:53"]), (":5353", ["dns://.:5353"]), (".:0", ["dns://.:0"]),
      ("Cluster.LOCAL", ["dns://cluster.local.:53"]), ("dns://a.b:54 DNS://c.", ["dns://a.b.:54", "dns://c.:53"]),
      ("10.0.0.0/8", ["dns://10.in-addr.arpa.:53"]), ("10.0.0.9/24:54", ["dns://0.0.10.in-addr.arpa.:54"]),
      ("10.1.2.3/32", ["dns://3.2.1.10.in-addr.arpa.:53"]), ("0.0.0.0/0", ["dns://in-addr.arpa.:53"]),
      ("10.0.4.0/23", ["dns://4.0.10.in-addr.arpa.:53", "dns://5.0.10.in-addr.arpa.:53"]),
      (
        "2001:db8::/30",
        ["8", "9", "a", "b"].map { "dns://\($0).b.d.0.1.0.0.2.ip6.arpa.:53" }
      ),
      ("2001:db8::/32:54", ["dns://8.b.d.0.1.0.0.2.ip6.arpa.:54"]), ("::/0", ["dns://ip6.arpa.:53"]),
      ("in-addr.arpa ip6.arpa", ["dns://in-addr.arpa.:53", "dns://ip6.arpa.:53"]),
      ("10.0.0.1", ["dns://10.0.0.1.:53"]), ("10.0.0.0/33", ["dns://10.0.0.0/33.:53"]),
      ("a\\.b", ["dns://a\\.b.:53"]), ("_tcp.a", ["dns://_tcp.a.:53"]), ("\\065", ["dns://a.:53"]),
      ("é", ["dns://\\195\\169.:53"]),
    ])
  func accepted(key: String, keys: [String]) throws {
    #expect(try readBlock("\(key) {\n}").keys.map(\.description) == keys)
  }

  @Test(
    arguments: [
      ("a..b", "zone is not a valid domain name: a..b"), (".a", "zone is not a valid domain name: .a"),
      ("a\\", "zone is not a valid domain name: a\\"), ("a\\25", "zone is not a valid domain name: a\\25"),
      ("a\\256", "zone is not a valid domain name: a\\256"), ("a:", "expecting data after last colon: \"a:\""),
      ("a:65536", "not a port from 0 to 65535: \"65536\" in \"a:65536\""),
      ("a:dns", "not a port from 0 to 65535: \"dns\" in \"a:dns\""),
      ("tls://.", "transport tls:// is not served by ringlet"),
      ("HTTPS://.:443", "transport https:// is not served by ringlet"),
      ("https3://.", "transport https3:// is not served by ringlet"),
      ("quic://a", "transport quic:// is not served by ringlet"),
      ("grpc://a", "transport grpc:// is not served by ringlet"),
    ])
  func refused(key: String, message: String) {
    #expect(refusal("\n\(key) {\n}") == "Corefile:2 - Error during parsing: \(message)")
  }

  @Test func labelsAndNamesHaveTheirBounds() {
    let label = String(repeating: "a", count: 63)
    #expect(ZoneName(label)?.wire.count == 65)
    #expect(ZoneName(label + "a") == nil)
    let most = "\(label).\(label).\(label)." + String(repeating: "b", count: 61)
    #expect(ZoneName(most)?.wire.count == 255)
    #expect(ZoneName(most + "b") == nil)
    #expect(ZoneName("") == nil)
    #expect(ZoneName("A.b")?.wire == [1, 97, 1, 98, 0])
    #expect(ZoneName(".") == .root)
  }

  @Test func theDefaultPortIsTheCallers() throws {
    #expect(try Corefile.parse(Array("a b:54".utf8), defaultPort: 1053).blocks[0].keys.map(\.port) == [1053, 54])
  }

  @Test(
    arguments: [
      (". {\n}\n. {\n}", "Corefile:3 - cannot serve dns://.:53 - it is already defined"),
      ("a A. {\n}", "Corefile:1 - cannot serve dns://a.:53 - it is already defined"),
      (
        ". {\nbind ::1\n}\n. {\nbind 10.0.0.1 0::1\n}",
        "Corefile:4 - cannot serve dns://.:53 on ::1 - it is already defined"
      ),
      (
        ". {\n}\n. {\nbind 10.0.0.1\n}",
        "Corefile:3 - cannot serve dns://.:53 on 10.0.0.1 - zone overlap listener capacity: bound to all addresses and to some"
      ),
      (". {\n}\n.:54 {\n}\na {\n}", nil),
      (". {\nbind 10.0.0.1\n}\n. {\nbind 10.0.0.2\n}", nil),
      (". {\nbind 10.0.0.1 10.0.0.2 {\nexcept 10.0.0.2\n}\n}\n. {\nbind 10.0.0.2\n}", nil),
    ])
  func oneBlockPerListener(text: String, message: String?) {
    #expect(refusal(text) == message)
  }

  @Test func tooManyListenersAreRefused() throws {
    let keys = (0..<1100).map { "\($0).a" }.joined(separator: " ")
    let addresses = (0..<60).map { "10.0.0.\($0)" }.joined(separator: " ")
    #expect(
      try #require(refusal("\(keys) {\nbind \(addresses)\n}")).hasSuffix(
        "configuration too large: more than 65536 listeners"))
  }

  @Test func tooManyZonesAreRefused() throws {
    let networks = String(repeating: "0.0.0.0/1 ", count: 600)
    #expect(try #require(refusal("\(networks) {\n}")).hasSuffix("configuration too large: more than 65536 zones"))
  }
}
