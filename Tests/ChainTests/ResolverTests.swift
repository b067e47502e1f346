import Chain
import Corefile
import Engine
import Memory
import Testing

/// What the directives of a block make of an inquiry, without a server around them.
struct ResolverTests {
  private func resolver(_ lines: String) throws -> ChainResolver {
    let configuration = try Corefile.parse(Array(". {\n\(lines)\n}".utf8))
    return try #require(try ChainResolver(configuration.blocks[0], ChainCounts()))
  }

  private func inquiry(_ name: String, type: UInt16 = 1, options: [UInt8] = []) -> Inquiry {
    let wire = ZoneName(name)!.wire
    return Inquiry(
      name: wire, spelling: wire, type: type, recordClass: 1, dnssecOK: false, checkingDisabled: false,
      options: options, peer: Peer(octets: [2, 0, 0x12, 0x34, 192, 0, 2, 7]),
      server: Peer(octets: [2, 0, 0, 53, 10, 0, 0, 1]),
      isStream: false, listener: "dns://10.0.0.1:53")
  }

  /// Records of an answer in wire form, uncompressed, after header and question.
  private func records(_ resolution: Resolution, _ name: String) throws -> [UInt8] {
    guard case .answer(let message, _, _) = resolution else {
      Issue.record("no answer: \(resolution)")
      return []
    }
    return Array(message.dropFirst(12 + ZoneName(name)!.wire.count + 4))
  }

  private func record(_ name: String, _ type: UInt8, _ ttl: UInt8, _ data: [UInt8]) -> [UInt8] {
    ZoneName(name)!.wire + [0, type, 0, 1, 0, 0, 0, ttl, 0, UInt8(data.count)] + data
  }

  /// What follows an errand when its upstream responds so.
  private func next(
    _ errand: Errand, _ name: String, type: UInt8 = 1, answers: [[UInt8]], rcode: UInt8 = 0
  ) -> Resolution? {
    let bytes: [UInt8] =
      [0, 1, 0x84, rcode, 0, 1, 0, UInt8(answers.count), 0, 0, 0, 0] + ZoneName(name)!.wire + [0, type, 0, 1]
      + answers.flatMap { $0 }
    let region = Region(size: bytes.count)
    return withExtendedLifetime(region) { region in
      region.bytes.write(bytes)
      return errand.then?(region.bytes)
    }
  }

  @Test func nothingToDoIsNoResolver() throws {
    let configuration = try Corefile.parse(Array(". {\n cache 30\n forward . 10.0.0.1\n}".utf8))
    #expect(try ChainResolver(configuration.blocks[0], ChainCounts()) == nil)
  }

  @Test func hostsAnswers() throws {
    let hosts = try resolver("hosts /none {\n10.0.0.1 a.test\nttl 9\n}")
    #expect(try records(hosts.resolve(inquiry("a.test")), "a.test") == record("a.test", 1, 9, [10, 0, 0, 1]))
    guard case .fail(2, .resolver) = hosts.resolve(inquiry("b.test")) else {
      Issue.record("not SERVFAIL")
      return
    }
    #expect(hosts.files.map(\.path) == ["/none"])
    #expect(hosts.files[0].load(Array("10.0.0.2\tB.test  c.test # d.test\r\nfe80::1%lo e.test\nx y\n\n#\n".utf8)) == 4)
    #expect(try records(hosts.resolve(inquiry("c.test")), "c.test") == record("c.test", 1, 9, [10, 0, 0, 2]))
  }

  @Test func rewriteTurnsBack() throws {
    let rewrite = try resolver("rewrite name suffix .out.test .in.test answer auto")
    guard case .forward(let errand) = rewrite.resolve(inquiry("a.out.test")) else {
      Issue.record("not forwarded")
      return
    }
    #expect(errand.asked?.name == ZoneName("a.in.test")?.wire)
    let turned = next(
      errand, "a.in.test",
      answers: [
        // Owner and target as pointers: to the question, and to its second label.
        [0xC0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 4, 1, 0x62, 0xC0, 14], record("b.in.test", 1, 9, [10, 0, 0, 1]),
      ])
    #expect(
      try records(try #require(turned), "a.out.test")
        == record("a.out.test", 5, 9, ZoneName("b.out.test")!.wire) + record("b.out.test", 1, 9, [10, 0, 0, 1]))
  }

  @Test func malformedAnswerIsNone() throws {
    guard case .forward(let errand) = try resolver("rewrite name a.test b.test").resolve(inquiry("a.test")) else {
      Issue.record("not forwarded")
      return
    }
    // A pointer to itself, a record cut short, data that is no name.
    for answer: [UInt8] in [
      [0xC0, 24, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 1, 2, 3, 4], [0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 1, 2],
      [0xC0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 2, 5, 1], [0xC0, 12, 0, 6, 0, 1, 0, 0, 0, 9, 0, 2, 0, 0],
    ] {
      #expect(next(errand, "b.test", answers: [answer]) == nil)
    }
  }

  @Test func dns64AsksTwice() throws {
    let dns64 = try resolver("dns64 {\nallow_ipv4\n}")
    guard case .forward(let first) = dns64.resolve(inquiry("a.test", type: 28)) else {
      Issue.record("not forwarded")
      return
    }
    #expect(first.asked == nil)
    guard case .forward(let second)? = next(first, "a.test", type: 28, answers: []) else {
      Issue.record("no second question")
      return
    }
    #expect(second.asked?.type == 1)
    let made = try #require(next(second, "a.test", answers: [record("a.test", 1, 99, [192, 0, 2, 1])]))
    let prefix: [UInt8] = [0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0]
    #expect(try records(made, "a.test") == record("a.test", 28, 99, prefix + [192, 0, 2, 1]))
    guard case .answer? = next(first, "a.test", type: 28, answers: [], rcode: 3) else {
      Issue.record("NXDOMAIN is not final")
      return
    }
  }

  @Test(arguments: [
    ("set 0xff00 new", [UInt8](), [UInt8]("new".utf8) as [UInt8]?), ("append 0xff00 new", [], Array("new".utf8)),
    ("replace 0xff00 new", [], nil), ("replace 0xff00 new", [0xFF, 0, 0, 1, 9], Array("new".utf8)),
    ("append 0xff00 new", [0xFF, 0, 0, 1, 9], [9]), ("set 0xff00 {client_ip}", [], [192, 0, 2, 7]),
    ("set 0xff00 {client_port}", [], [0x12, 0x34]), ("set 0xff00 {server_ip}", [], [10, 0, 0, 1]),
    ("set 0xff00 {protocol}", [], Array("udp".utf8)), ("set 0xff00 {a/label}", [], nil),
    ("append 0xff00 new", [0xFF, 0, 0, 9, 9], Array("new".utf8)),
  ])
  func ednsOptions(_ rule: String, _ client: [UInt8], _ sent: [UInt8]?) throws {
    let resolver = try resolver("rewrite edns0 local \(rule)")
    guard case .forward(let errand) = resolver.resolve(inquiry("a.test", options: client)) else {
      Issue.record("not forwarded")
      return
    }
    #expect(errand.asked?.options == sent.map { [0xFF, 0, 0, UInt8($0.count)] + $0 })
  }

  @Test func presentationFormIsRefusedWithReason() {
    for (record, reason) in [
      ("a.test IN A 1.2.3", "is no IPv4 address"), ("a.test IN", "no type"), ("a.test IN MX x y", "is no preference"),
      ("a..b IN A 1.2.3.4", "is no owner name"), ("a IN NOPE x", "unknown type 'NOPE'"),
      ("a IN A 1.2.3.4 5", "unexpected '5'"),
      ("a IN TXT \\\"x", "without its end"), ("a IN DS 1 2 3 ff", "must be given as"),
      ("a IN TYPE1 \\# 3 ff", "expected 3 octets"),
      ("", "no owner name"),
    ] {
      let error = #expect(throws: CorefileError.self) {
        try resolver("template IN A {\nanswer \"\(record)\"\n}")
      }
      #expect(error?.description.contains(reason) == true, "\(error?.description ?? "accepted") for \(record)")
      #expect(error?.location.line == 2)
    }
  }

  /// Damaged blocks: refused with a place, or resolvers that answer any question in any way but a crash.
  @Test func mutationsDoNotCrash() throws {
    let block = """
      . {
      template IN ANY a.test {
      match "^(?P<x>[a-c]*)[.](.*)$"
      answer "{{ .Name }} 60 IN A 10.0.0.{{ index .Match 1 }}"
      additional "{{ .Group.x }}.a.test 1 IN TXT \\"{{ .Remote }} {{ .Zone }}\\""
      authority "a.test 60 IN SOA n.a.test h.a.test 1 1h 2 3 4"
      ederror 21 "text"
      fallthrough b.test
      }
      hosts /none a.test {
      10.0.0.1 b.a.test b
      2001:db8::1 b.a.test
      fallthrough
      }
      rewrite continue name regex (.*)[.]c[.]test {1}.a.test answer name (.*)[.]a {1}.b answer value x y
      rewrite continue name suffix d.test a.test answer auto
      rewrite continue name substring ee a
      rewrite continue edns0 subnet set 24 56
      rewrite continue edns0 local set 0xffee {qname}
      rewrite ttl suffix test 30-60
      rewrite cname exact a.test b.test
      dns64 64:ff9b::/96 {
      allow_ipv4
      }
      minimal
      any
      whoami
      }
      """
    let original = Array(block.utf8)
    var state: UInt64 = 1
    func random(_ below: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % below
    }
    var (read, refused) = (0, 0)
    for _ in 0..<4000 {
      var bytes = original
      for _ in 0...random(3) {
        let at = random(bytes.count)
        switch random(4) {
        case 0: bytes.remove(at: at)
        case 1: bytes[at] = UInt8(random(256))
        case 2: bytes.insert(contentsOf: Array("{}()[]*+?|\\^$. \n\"".utf8)[random(17)...].prefix(1), at: at)
        default: bytes.swapAt(at, random(bytes.count))
        }
      }
      guard let configuration = try? Corefile.parse(bytes), let block = configuration.blocks.first else { continue }
      do throws(CorefileError) {
        guard let resolver = try ChainResolver(block, ChainCounts()) else { continue }
        read += 1
        for name in ["abc.a.test", "b.a.test", "x.c.test", "y.d.test", "ee.test", ".", "1.0.0.10.in-addr.arpa"] {
          for type: UInt16 in [1, 28, 12, 255] { follow(resolver.resolve(inquiry(name, type: type)), name) }
        }
      } catch {
        refused += 1
        #expect(error.location.line > 0)
      }
    }
    #expect(read > 200 && refused > 50, "\(read) read, \(refused) refused")
    #expect(throws: Never.self) { try ChainResolver(Corefile.parse(original).blocks[0], ChainCounts()) }
  }

  /// An upstream's answer to each errand, at most five deep.
  private func follow(_ first: Resolution, _ name: String) {
    var resolution: Resolution? = first
    for _ in 0..<5 {
      guard case .forward(let errand) = resolution else { return }
      let answers = [record(name, 5, 9, ZoneName("a.test")!.wire), record("a.test", 1, 9, [10, 0, 0, 1])]
      resolution = next(errand, name, answers: answers) ?? errand.otherwise?()
    }
    Issue.record("an errand without end for \(name)")
  }
}
