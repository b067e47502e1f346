import Corefile
import Testing

/// `acl`, `any`, `bufsize`, `debug`, `dnstap`, `metadata`, `minimal`, `nsid`, `pprof`, `ready`, `timeouts`, `trace`.
@Suite struct MinorDirectiveTests {
  @Test func accepted() throws {
    let block = try readDirectives(
      """
      debug
      metadata a b
      bufsize
      timeouts {
        read 10
        write 1m
      }
      pprof :6060 {
        block 1000
      }
      trace zipkin localhost:9411 {
        every 10
        service dns
        client_server
        zipkin_max_batch_interval 1s
      }
      """)
    #expect(block.debug?.line == 2 && block.metadata?.line == 3 && block.trace?.location.line == 12)
    #expect(block.bufsize?.size == 1232)
    #expect(try readDirectives("bufsize 512").bufsize?.size == 512)
    #expect(block.timeouts?.read == .seconds(10))
    #expect(block.timeouts?.write == .seconds(60))
    #expect(block.timeouts?.idle == .seconds(10))
    #expect(block.pprof?.address.description == ":6060")
  }

  @Test func beyondNodeCache() throws {
    let block = try readDirectives(
      """
      any
      minimal
      nsid node one
      ready :8282
      acl a.test {
        ALLOW type A AAAA net 10.1.2.3 2001:db8::/32
        block type * net *
        drop
      }
      acl {
        filter net 10.0.0.1/8
      }
      """)
    #expect(block.any?.line == 2 && block.minimal?.line == 3)
    #expect(block.nsid?.data == "node one")
    #expect(block.ready?.address.description == ":8282")
    #expect(block.acl.map { $0.zones.map(\.text) } == [["a.test."], ["."]])
    #expect(block.acl[0].rules.map(\.action) == [.allow, .block, .drop])
    #expect(block.acl[0].rules[0].types.map(\.name) == ["A", "AAAA"])
    #expect(block.acl[0].rules[0].networks.map(\.description) == ["10.1.2.3/32", "2001:db8::/32"])
    #expect(block.acl[0].rules[1].types.isEmpty && block.acl[0].rules[1].networks.isEmpty)
    #expect(block.acl[1].rules[0].networks.map(\.description) == ["10.0.0.0/8"])
    #expect(try readDirectives("nsid\nready").nsid?.data == nil)
    #expect(try readDirectives("ready").ready?.address.description == ":8181")
  }

  @Test func dnstap() throws {
    let block = try readDirectives(
      """
      dnstap /run/tap.sock
      dnstap unix:///run/tap.sock full 2 3
      dnstap tcp://collector.example:6000 half {
        identity node
        version 7
        extra "{name} {type}"
        skipverify
      }
      dnstap tls://[2001:db8::1]:6000
      """)
    #expect(block.dnstap.map(\.location.line) == [2, 3, 4, 10])
    #expect(
      block.dnstap.map(\.collector) == [
        .unix("/run/tap.sock"), .unix("/run/tap.sock"), .tcp(host: "collector.example", port: 6000),
        .tls(host: "2001:db8::1", port: 6000),
      ])
    #expect(block.dnstap.map(\.isFull) == [false, true, false, false])
    #expect(block.dnstap.map(\.writeBuffer) == [1, 2, 1, 1] && block.dnstap.map(\.queue) == [1, 3, 1, 1])
    #expect(block.dnstap[2].identity == "node" && block.dnstap[2].version == "7")
    #expect(block.dnstap[2].extra == LogFormat("{name} {type}") && block.dnstap[2].skipsVerification)
    #expect(block.dnstap[0].identity == nil && block.dnstap[0].extra == nil && !block.dnstap[0].skipsVerification)
  }

  @Test(
    arguments: [
      ("any 1", "2 - plugin/any: Wrong argument count or unexpected line ending after '1', expected: any"),
      ("minimal {\n}", "2 - plugin/minimal: unexpected '{', 'minimal' takes no options"),
      ("ready x", "2 - plugin/ready: not an address and port: \"x\", expected [HOST]:PORT"),
      ("acl {\nallow x\n}", "3 - plugin/acl: unexpected token \"x\"; expect 'type | net'"),
      ("acl {\nallow net x\n}", "3 - plugin/acl: illegal CIDR notation \"x\""),
      ("acl {\nallow type x\n}", "3 - plugin/acl: unexpected token \"x\"; expect legal QTYPE"),
      ("bufsize 511", "2 - plugin/bufsize: bufsize must be from 512 to 4096: 511"),
      ("debug 1", "2 - plugin/debug: Wrong argument count or unexpected line ending after '1', expected: debug"),
      (
        "dnstap",
        "2 - plugin/dnstap: Wrong argument count or unexpected line ending after 'dnstap', "
          + "expected: dnstap SOCKET|tcp://HOST:PORT [full] [WRITEBUFFER] [QUEUE]"
      ),
      ("dnstap tcp://:6000", "2 - plugin/dnstap: not a collector: \"tcp://:6000\", expected tcp://HOST:PORT"),
      ("dnstap unix://", "2 - plugin/dnstap: not a path of 1 to 107 octets: \"\""),
      ("dnstap /s full 0", "2 - plugin/dnstap: write buffer (MiB) must be from 1 to 1024: 0"),
      ("dnstap /s full 1 x", "2 - plugin/dnstap: queue (10,000 messages) is not a number: \"x\""),
      (
        "dnstap /s {\nidentity\n}",
        "3 - plugin/dnstap: Wrong argument count or unexpected line ending after 'identity', expected: identity TEXT"
      ),
      ("dnstap /s {\nfoo\n}", "3 - plugin/dnstap: unknown property 'foo'"),
      ("timeouts", "2 - plugin/timeouts: timeouts block with no timeouts specified"),
      ("timeouts {\nread 0\n}", "3 - plugin/timeouts: timeout provided '0s' needs to be between 1 second and 24 hours"),
      (
        "timeouts {\nidle 25h\n}",
        "3 - plugin/timeouts: timeout provided '25h' needs to be between 1 second and 24 hours"
      ),
      ("timeouts {\nslow 5s\n}", "3 - plugin/timeouts: unknown option: 'slow'"),
      ("pprof {\nfoo\n}", "3 - plugin/pprof: unknown property 'foo'"),
      ("trace jaeger x", "2 - plugin/trace: tracing endpoint type 'jaeger' is not supported"),
      ("trace {\nevery x\n}", "3 - plugin/trace: every is not a number: \"x\""),
    ])
  func refused(lines: String, message: String) {
    #expect(directiveRefusal(lines) == "Corefile:\(message)")
  }
}
