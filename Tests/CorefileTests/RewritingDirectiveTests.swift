import Corefile
import Testing

/// `dns64`, `hosts`, `loadbalance`, `rewrite`, `template`.
@Suite struct RewritingDirectiveTests {
  @Test func dns64() throws {
    #expect(try readDirectives("dns64").dns64?.prefix.description == "64:ff9b::/96")
    #expect(try readDirectives("dns64 2001:db8::/64").dns64?.prefix.description == "2001:db8::/64")
    let dns64 = try #require(try readDirectives("dns64 {\nprefix 64:1337::/32\ntranslate_all\nallow_ipv4\n}").dns64)
    #expect(dns64.prefix.length == 32 && dns64.translatesAll && dns64.allowsIPv4Clients)
  }

  @Test func hosts() throws {
    let plain = try #require(try readBlock("a b {\nhosts\n}").hosts)
    #expect(plain.path == "/etc/hosts" && plain.zones.map(\.text) == ["a.", "b."])
    #expect(plain.ttl == 3600 && plain.reload == .seconds(5) && plain.answersReverse && plain.fallsThrough.isEmpty)
    let full = try #require(
      try readDirectives(
        "hosts /h example.org {\n10.0.0.1 A.example.org b\n::1 c\nttl 60\nno_reverse\nreload 0s\nfallthrough\n}"
      ).hosts)
    #expect(full.path == "/h" && full.zones.map(\.text) == ["example.org."])
    #expect(full.entries.map(\.address.description) == ["10.0.0.1", "::1"])
    #expect(full.entries[0].names.map(\.text) == ["a.example.org.", "b."])
    #expect(full.ttl == 60 && full.reload == .zero && !full.answersReverse && full.fallsThrough == [.root])
  }

  @Test func loadbalance() throws {
    #expect(try readDirectives("loadbalance").loadbalance?.policy == .roundRobin)
    let weighted = try readDirectives("loadbalance weighted w {\nreload 1m\nprefer 10.0.0.0/8 ::/0\n}").loadbalance
    #expect(weighted?.policy == .weighted(path: "w", reload: .seconds(60)))
    #expect(weighted?.preferred.map(\.description) == ["10.0.0.0/8", "::/0"])
  }

  @Test func template() throws {
    let none = try #require(try readBlock("a {\ntemplate IN AAAA {\nrcode NOERROR\n}\n}").template.first)
    #expect(none.recordClass.value == 1 && none.recordType.value == 28 && none.zones.map(\.text) == ["a."])
    #expect(none.patterns == [".*"] && none.answer.isEmpty && none.responseCode == .noError)
    let full = try #require(
      try readDirectives(
        #"""
        template ANY ANY b. {
          match ^ip-(?P<x>[0-9]*)[.] ^y
          answer "{{ .Name }} 60 IN A 10.0.0.{{ .Group.x }}"
          answer "{{ .Zone }} 60 {{ .Class }} {{ .Type }} {{ index .Match 1 }}{{ index .Group \"x\" }} {{.Remote}}"
          rcode NXDOMAIN
          ederror 21 "not here"
          fallthrough c
        }
        """#
      ).template.first)
    #expect(full.patterns == ["^ip-(?P<x>[0-9]*)[.]", "^y"])
    #expect(full.answer[0].pieces == [.field(.name), .text(" 60 IN A 10.0.0."), .group("x")])
    #expect(
      full.answer[1].pieces == [
        .field(.zone), .text(" 60 "), .field(.recordClass), .text(" "), .field(.type), .text(" "), .match(1),
        .group("x"), .text(" "), .field(.remote),
      ])
    #expect(full.responseCode.value == 3 && full.extendedError?.code == 21 && full.extendedError?.text == "not here")
    #expect(full.fallsThrough.map(\.text) == ["c."] && full.recordType == .any)
  }

  private func rule(_ words: String) throws -> RewriteDirective.Rule {
    try #require(try readDirectives("rewrite \(words)").rewrite.first).rule
  }

  @Test func rewriteNames() throws {
    guard case .name(let match, let to, let answer) = try rule("name A.b c") else { throw Unexpected() }
    #expect(match.kind == .exact && match.text == "a.b." && to == "c." && answer.isAutomatic)
    guard case .name(let suffix, let tail, let auto) = try rule("continue name suffix .a .b answer auto") else {
      throw Unexpected()
    }
    #expect(suffix.kind == .suffix && suffix.text == ".a." && tail == ".b." && auto.isAutomatic)
    guard
      case .name(let regex, let group, let changes) = try rule(
        #"stop name regex (.*)\.A\.b {1}.c answer name (.*)\.c {1}.a.b value x y"#)
    else { throw Unexpected() }
    #expect(regex.kind == .regex && regex.text == #"(.*)\.A\.b"# && group == "{1}.c.")
    #expect(changes.replacements.map(\.pattern) == [#"(.*)\.c"#, "x"])
    #expect(changes.replacements.map(\.part) == [.name, .value] && !changes.isAutomatic)
  }

  @Test func rewriteOthers() throws {
    #expect(try rule("type ANY hinfo") == .type(from: .any, to: RecordType(value: 13)))
    #expect(try rule("class CH IN") == .recordClass(from: RecordClass(value: 3), to: RecordClass(value: 1)))
    for (text, range) in [("30", 30...30), ("30-60", 30...60), ("-60", 0...60), ("30-", 30...2_147_483_647)]
      as [(String, ClosedRange<UInt32>)]
    {
      guard case .ttl(let match, let ttls) = try rule("ttl prefix a \(text)") else { throw Unexpected() }
      #expect(match.kind == .prefix && match.text == "a" && ttls == range)
    }
    guard case .responseCode(_, let from, let to) = try rule("rcode a. SERVFAIL NXDOMAIN") else { throw Unexpected() }
    #expect(from.value == 2 && to.value == 3)
    guard case .cname(let match, let target) = try rule("{\ncname exact a b\n}") else { throw Unexpected() }
    #expect(match.text == "a." && target == "b.")
    #expect(try readDirectives("rewrite continue type A AAAA").rewrite[0].mode == .continue)
  }

  @Test func rewriteEDNS() throws {
    func change(_ words: String) throws -> EDNSChange {
      guard case .edns(let change) = try rule("edns0 \(words)") else { throw Unexpected() }
      return change
    }
    #expect(try change("local set 0xffee 0x61 revert").option == .local(code: 0xFFEE, .bytes([0x61])))
    #expect(try change("local set 0xffee 0x61 revert").reverts)
    #expect(try change("local append 65001 abc").option == .local(code: 65001, .bytes(Array("abc".utf8))))
    #expect(try change("local replace 1 {client_ip}").option == .local(code: 1, .variable(.clientIP)))
    #expect(try change("local replace 1 {k/pod}").option == .local(code: 1, .metadata("k/pod")))
    #expect(try change("nsid set").option == .nsid)
    #expect(try change("subnet set 24 56").option == .subnet(v4: 24, v6: 56))
    #expect(try change("subnet unset").action == .unset)
  }

  private struct Unexpected: Error {}

  @Test(
    arguments: [
      ("dns64 10.0.0.0/8", "2 - plugin/dns64: invalid IPv6 prefix \"10.0.0.0/8\""),
      ("dns64 ::/97", "2 - plugin/dns64: invalid prefix length \"::/97\", expected 32 to 96 by 8"),
      ("hosts {\nfallthrough\n10.0.0.1 a\n}", "4 - plugin/hosts: unknown property '10.0.0.1'"),
      ("hosts {\nttl 0\n}", "3 - plugin/hosts: ttl must be from 1 to 65535: 0"),
      (
        "hosts {\n10.0.0.1\n}",
        "3 - plugin/hosts: Wrong argument count or unexpected line ending after '10.0.0.1', expected: ADDRESS NAMES..."
      ),
      ("hosts\nhosts", "3 - plugin/hosts: this plugin can only be used once per Server Block"),
      ("loadbalance fair", "2 - plugin/loadbalance: unknown policy: fair"),
      ("loadbalance {\nprefer x\n}", "3 - plugin/loadbalance: invalid CIDR \"x\""),
      ("loadbalance {\nreload 5s\n}", "3 - plugin/loadbalance: unknown property 'reload'"),
      (
        "template IN",
        "2 - plugin/template: Wrong argument count or unexpected line ending after 'IN', expected: template CLASS TYPE [ZONES...]"
      ),
      ("template XX A", "2 - plugin/template: invalid class \"XX\""),
      ("template IN XX", "2 - plugin/template: invalid type \"XX\""),
      ("template IN A {\nanswer {{.Name\n}", "3 - plugin/template: could not compile template: unclosed action"),
      (
        "template IN A {\nanswer \"{{ range .Match }}\"\n}",
        "3 - plugin/template: could not compile template: {{ range .Match }} is not supported, expected .Name, .Zone, .Class, .Type, .Remote, index .Match N or .Group.NAME"
      ),
      ("template IN A {\nrcode ODD\n}", "3 - plugin/template: ODD is not a valid rcode"),
      ("template IN A {\nexpr true\n}", "3 - plugin/template: unknown property 'expr'"),
      ("rewrite", "2 - plugin/rewrite: no rule type specified for rewrite"),
      ("rewrite stop", "2 - plugin/rewrite: no rule type specified for rewrite"),
      ("rewrite colour a b", "2 - plugin/rewrite: invalid rule type \"colour\""),
      ("rewrite answer name a b", "2 - plugin/rewrite: response rewrites must begin with a name rule"),
      ("rewrite name a", "2 - plugin/rewrite: too few arguments for a name rule"),
      (
        "rewrite name odd a b",
        "2 - plugin/rewrite: name rule supports only exact, prefix, suffix, substring, and regex name matching, received: odd"
      ),
      (
        "rewrite name exact a b c",
        "2 - plugin/rewrite: exceeded the number of arguments for a non-answer rule argument for name rule"
      ),
      (
        "rewrite name exact a b answer name c",
        "2 - plugin/rewrite: name answer rule for name rule: 2 arguments required"
      ),
      (
        "rewrite name suffix a b answer auto answer name c d",
        "2 - plugin/rewrite: auto name answer rule cannot be combined with explicit name answer rules"
      ),
      ("rewrite type A", "2 - plugin/rewrite: type rules must have exactly two arguments"),
      ("rewrite ttl a 9-1", "2 - plugin/rewrite: invalid TTL '9-1' for a ttl rule"),
      ("rewrite ttl a -", "2 - plugin/rewrite: invalid TTL '-' for a ttl rule"),
      ("rewrite ttl a", "2 - plugin/rewrite: too few (1) arguments for a ttl rule"),
      ("rewrite edns0 local set 1 0x1", "2 - plugin/rewrite: not hexadecimal: \"0x1\""),
      ("rewrite edns0 subnet set 33 0", "2 - plugin/rewrite: IPv4 bit mask length must be from 0 to 32: 33"),
      ("rewrite edns0 nsid unset 1", "2 - plugin/rewrite: wrong number of arguments for an EDNS0 nsid unset rule"),
    ])
  func refused(lines: String, message: String) {
    #expect(directiveRefusal(lines) == "Corefile:\(message)")
  }
}
