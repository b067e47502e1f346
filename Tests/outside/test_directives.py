"""The directives that answer or change a query themselves (spec plugins.md): on the wire, and refused with file and line."""

import os
import pathlib
import signal
import socket
import struct
import time

import clients
import dnswire
import harness
import peer
from dnswire import A, AAAA, CNAME, IN, NOERROR, NXDOMAIN, PTR, REFUSED, SERVFAIL, SOA, SRV, TXT

HINFO, ANY, NSID, EDE = 13, 255, 3, 15


def v4(text):
    return socket.inet_pton(socket.AF_INET, text)


def v6(text):
    return socket.inet_pton(socket.AF_INET6, text)


class DirectiveCase(harness.OutsideCase):
    async def script(self, asked):
        """An upstream with records by name and type, `{(name, type): [records]}`; NXDOMAIN for the rest."""
        name = asked.name.lower()
        if (name, asked.message.type) in self.records:
            asked.send(asked.response(*self.records[name, asked.message.type]))
        elif any(known == name for known, _ in self.records):
            asked.send(asked.response(authority=[dnswire.soa("test", 40)]))
        else:
            asked.send(asked.response(authority=[dnswire.soa("test", 40)], rcode=NXDOMAIN))

    def serve(self, directives, *, records=None, bind=("127.0.0.1",), zone=".", forward=True, **options):
        """Ringlet with one block of these directives, in front of an upstream with `records`."""
        self.records = records or {}
        self.upstream = peer.Peer(self.script)
        self.addCleanup(self.upstream.stop)
        lines = [*directives.strip().split("\n"), f"bind {' '.join(bind)}"]
        if forward:
            lines.append(f"forward . {self.upstream.address}")
        block = lambda port: f"{zone}:{port} {{\n" + "".join(f"    {line}\n" for line in lines) + "}\n"
        self.ringlet = self.start_ringlet_with(block, addresses=bind, **options)
        self.address = (bind[0], self.ringlet.port)
        return self.ringlet

    def raw(self, name, type=A, *, tcp=False, to=None, **options):
        ask = clients.ask_tcp if tcp else clients.ask
        return ask(to or self.address, dnswire.query(name, type, **options))

    def ask(self, name, type=A, **options):
        return dnswire.decode(self.raw(name, type, **options))

    def asked(self):
        """(name, type) of each question that the upstream got."""
        return [(a.name, a.message.type) for a in self.upstream.asked]

    def refused(self, directives):
        """What a start with these directives in a block says before it ends with exit code 1."""
        port = harness.free_port()
        path = self.write("Corefile", f".:{port} {{\n    bind 127.0.0.1\n{directives}\n}}\n")
        child = harness.Process(
            [harness.BINARY, "-localip", "127.0.0.1", "-conf", path, "-setupinterface=false", "-setupiptables=false",
             "-metrics-listen-address", f"127.0.0.1:{harness.free_port()}"], path + ".log")  # fmt: skip
        self.assertEqual(child.child.wait(5), 1, child.log())
        return child.log().replace(path, "Corefile")


class Hosts(DirectiveCase):
    def test_inline(self):
        """Lines of the directive: A, AAAA, PTR, NODATA for other types, the rest falls through."""
        hosts = "hosts /nonexistent {\n10.1.2.3 a.test b.test\n10.1.2.4 a.test\n2001:db8::1 a.test\nttl 77\nfallthrough\n}"
        self.serve(hosts, records={("up.test", A): [dnswire.record("up.test", A, 9, v4("10.9.9.9"))]})
        reply = self.ask("A.Test")
        self.assertEqual(reply.data(A), [v4("10.1.2.3"), v4("10.1.2.4")])
        self.assertEqual((reply.name, reply.rcode, {r.ttl for r in reply.answers}), ("A.Test", NOERROR, {77}))
        self.assertTrue(reply.flags & dnswire.AA)
        self.assertEqual(self.ask("a.test", AAAA).data(AAAA), [v6("2001:db8::1")])
        self.assertEqual(self.ask("3.2.1.10.in-addr.arpa", PTR).data(PTR), [dnswire.name("a.test"), dnswire.name("b.test")])
        nodata = self.ask("b.test", AAAA)
        self.assertEqual((nodata.rcode, nodata.records), (NOERROR, []))
        self.assertEqual(self.ask("a.test", TXT).records, [])
        self.assertEqual(self.asked(), [])
        self.assertEqual(self.ask("up.test").data(A), [v4("10.9.9.9")])
        self.assertEqual(self.ask("4.4.4.4.in-addr.arpa", PTR).rcode, NXDOMAIN)

    def test_without_fallthrough(self):
        """An unknown name is SERVFAIL, an unknown address still goes on; no_reverse leaves all addresses to others."""
        self.serve("hosts /nonexistent test {\n10.1.2.3 a.test\nno_reverse\n}")
        self.assertEqual(self.ask("x.test").rcode, SERVFAIL)
        self.assertEqual(self.asked(), [])
        self.assertEqual(self.ask("other").rcode, NXDOMAIN)  # not in its zones
        self.assertEqual(self.ask("3.2.1.10.in-addr.arpa", PTR).rcode, NXDOMAIN)
        self.assertEqual(len(self.asked()), 2)

    def test_file(self):
        """A file is read, and read again when it changed; metrics count its entries."""
        path = self.write("hosts", "127.0.0.1 localhost # comment\n10.0.0.1 File.test alias.test\nnonsense\n::1 x..y\n")
        ringlet = self.serve(f"hosts {path} test {{\nreload 1s\nfallthrough\n}}")
        self.assertEqual(self.ask("alias.test").data(A), [v4("10.0.0.1")])
        self.assertEqual(self.ask("new.test").rcode, NXDOMAIN)
        metrics = harness.scrape(ringlet.setup_port)
        self.assertEqual(metrics.sum("coredns_hosts_entries", hostsfile=path), 2)
        self.assertGreater(metrics.sum("coredns_hosts_reload_timestamp_seconds"), 1e9)
        pathlib.Path(path).write_text("10.0.0.2 new.test\n")
        harness.wait_for(lambda: self.ask("new.test").data(A) == [v4("10.0.0.2")], 6, "the new table", 0.1)
        self.assertEqual(self.ask("alias.test").rcode, NXDOMAIN)

    def test_cached(self):
        """Behind a cache its answers are kept, with the cache's TTL."""
        path = self.write("hosts", "10.0.0.1 a.test\n")
        ringlet = self.serve(f"hosts {path} test {{\nreload 1s\n}}\ncache 30")
        self.assertEqual([r.ttl for r in self.ask("a.test").answers], [30])
        self.assertEqual(self.ask("A.TEST").data(A), [v4("10.0.0.1")])
        self.assertEqual(harness.scrape(ringlet.setup_port).sum("coredns_cache_hits_total"), 1)

    def test_streams_and_shards(self):
        """Over TCP, and whichever shard owns the name."""
        self.serve("hosts /nonexistent {\n" + "\n".join(f"10.0.0.{i} n{i}.test" for i in range(40)) + "\n}", shards=2)
        for i in range(40):
            self.assertEqual(self.ask(f"n{i}.test", tcp=i % 2 == 0).data(A), [v4(f"10.0.0.{i}")])


class Templates(DirectiveCase):
    def test_static(self):
        """deliveryhero's: no AAAA at all."""
        self.serve("template IN AAAA {\nrcode NOERROR\n}", records={("a.test", A): [dnswire.record("a.test", A, 9, v4("10.9.9.9"))]})
        reply = self.ask("a.test", AAAA)
        self.assertEqual((reply.rcode, reply.records), (NOERROR, []))
        self.assertEqual(self.ask("a.test").data(A), [v4("10.9.9.9")])

    def test_fields(self):
        """Places are filled in from the query and the pattern's groups."""
        ringlet = self.serve(
            'template IN A example {\nmatch "^ip-(?P<a>[0-9]+)-([0-9]+)-(\\d+)-([0-9]*)[.]example[.]$"\n'
            'answer "{{ .Name }} 60 {{ .Class }} {{ .Type }} {{ .Group.a }}.{{ index .Match 2 }}.{{ .Group.3 }}.{{ index .Match 4 }}"\n'
            'additional "{{ .Zone }} 60 IN TXT \\"from {{ .Remote }}\\""\nfallthrough\n}'
        )
        reply = self.ask("IP-10-1-2-3.Example")
        self.assertEqual(reply.data(A), [v4("10.1.2.3")])
        self.assertEqual(reply.additional[0].rdata, b"\x0efrom 127.0.0.1")
        self.assertEqual(self.ask("other.example").rcode, NXDOMAIN)
        metrics = harness.scrape(ringlet.setup_port)
        labels = {"zone": "example.", "class": "IN", "type": "A", "view": "", "server": f"dns://127.0.0.1:{ringlet.port}"}
        self.assertEqual(metrics.sum("coredns_template_matches_total", **labels), 1)

    def test_denial(self):
        """NXDOMAIN with an authority record is cached as a denial; a name that no pattern fits is SERVFAIL."""
        ringlet = self.serve(
            'template ANY ANY invalid {\nmatch "^no"\nrcode NXDOMAIN\nauthority "invalid. 60 IN SOA ns.invalid. h.invalid. (1 60 60 60 60)"\n}\ncache 30'.replace("(", "").replace(")", "")
        )
        for _ in range(2):
            reply = self.ask("no.invalid")
            self.assertEqual((reply.rcode, [r.type for r in reply.authority]), (NXDOMAIN, [SOA]))
        self.assertEqual(self.ask("yes.invalid").rcode, SERVFAIL)
        self.assertEqual(harness.scrape(ringlet.setup_port).sum("coredns_cache_hits_total", type="denial"), 1)

    def test_alias(self):
        """What an alias leads to is asked for."""
        self.serve('template IN A a.test {\nanswer "a.test. 60 IN CNAME b.test."\n}', records={("b.test", A): [dnswire.record("b.test", A, 9, v4("10.9.9.9"))]})
        reply = self.ask("a.test")
        self.assertEqual([r.type for r in reply.answers], [CNAME, A])
        self.assertEqual(self.asked(), [("b.test", A)])

    def test_failures(self):
        """A record that comes out wrong is SERVFAIL and counted; the extended error goes with the reply."""
        ringlet = self.serve(
            'template IN A bad {\nmatch "^(\\w+)[.]bad"\nanswer "{{ .Name }} 60 IN A {{ index .Match 1 }}"\n}\n'
            'template IN A ede {\nrcode REFUSED\nederror 15 "because"\n}'
        )
        self.assertEqual(self.ask("x.bad").rcode, SERVFAIL)
        self.assertEqual(harness.scrape(ringlet.setup_port).sum("coredns_template_rr_failures_total", section="answer"), 1)
        self.assertEqual(harness.scrape(ringlet.setup_port).series("coredns_template_template_failures_total"), {})
        reply = self.ask("x.ede", edns=dnswire.opt())
        self.assertEqual((reply.rcode, reply.edns.options), (REFUSED, dnswire.option(EDE, b"\0\x0fbecause")))

    def test_a_group_of_another_pattern(self):
        """A place for a group that the pattern which fits does not have: SERVFAIL, counted apart (Go's template fails)."""
        ringlet = self.serve(
            'template IN A x.test {\nmatch "^(a)[.]"\nmatch "^(b)-([0-9]+)[.]"\nanswer "{{ .Name }} 60 IN A 10.0.0.{{ index .Match 2 }}"\n}'
        )
        self.assertEqual(self.ask("b-7.x.test").data(A), [v4("10.0.0.7")])
        self.assertEqual(self.ask("a.x.test").rcode, SERVFAIL)
        metrics = harness.scrape(ringlet.setup_port)
        self.assertEqual(metrics.sum("coredns_template_template_failures_total", section="answer", zone="x.test."), 1)
        self.assertEqual(metrics.series("coredns_template_rr_failures_total"), {})

    def test_counts_outlive_a_reload(self):
        ringlet = self.serve('template IN A x.test {\nanswer "{{ .Name }} 60 IN A 10.0.0.1"\n}')
        for count in (1, 2):
            self.assertEqual(self.ask("a.x.test").rcode, NOERROR)
            self.assertEqual(harness.scrape(ringlet.setup_port).sum("coredns_template_matches_total"), count)
            os.kill(ringlet.pid, signal.SIGUSR1)
            harness.wait_for(lambda: ringlet.log().count("Reloading complete") == count, 10, "the reload")

    def test_no_client_makes_series(self):
        """Types and classes without a name are one series: a client has 65,535 of each."""
        ringlet = self.serve("template ANY ANY x.test {\nrcode NOERROR\n}")
        for i in range(50):
            self.ask("a.x.test", 65280 + i)
            self.ask("a.x.test", cls=60000 + i)
        metrics = harness.scrape(ringlet.setup_port)
        self.assertEqual(metrics.sum("coredns_template_matches_total"), 100)
        self.assertEqual(len(metrics.series("coredns_template_matches_total")), 2)

    def test_all_types(self):
        """Presentation form to wire form, as an encoder of its own sees it."""
        cases = {
            "NS ns.test": dnswire.name("ns.test"),
            "PTR p.test.": dnswire.name("p.test"),
            "MX 10 mx.test": struct.pack("!H", 10) + dnswire.name("mx.test"),
            "SRV 1 2 53 s.test": struct.pack("!3H", 1, 2, 53) + dnswire.name("s.test"),
            "HINFO cpu \\\"an os\\\"": b"\x03cpu\x05an os",
            "TXT one \\\"two three\\\" f\\255r": b"\x03one\x09two three\x03f\xffr",
            "CAA 0 issue \\\"ca.test\\\"": b"\x00\x05issueca.test",
            "AAAA 2001:db8::7": v6("2001:db8::7"),
            "SOA n.test h.test 7 1h 2m 3 4": dnswire.name("n.test") + dnswire.name("h.test") + struct.pack("!5I", 7, 3600, 120, 3, 4),
            "TYPE65280 \\# 3 0102 ff": b"\x01\x02\xff",
        }
        blocks = [f'template ANY ANY n{i}.test {{\nanswer "n{i}.test. 60 IN {text}"\n}}' for i, text in enumerate(cases)]
        self.serve("\n".join(blocks))
        for i, (text, rdata) in enumerate(cases.items()):
            with self.subTest(text=text):
                self.assertEqual([r.rdata for r in self.ask(f"n{i}.test", TXT).answers], [rdata])

    def test_refused(self):
        """Mistakes are found at load, with file and line."""
        for lines, message in (
            ('template IN A {\nanswer "x 60 IN A nonsense"\n}', "Corefile:3 - plugin/template: not a resource record"),
            ("template IN A {\nmatch (a\n}", "Corefile:3 - plugin/template: could not parse regex: `(a`: missing closing )"),
            ("template IN A {\nmatch (a)\\1\n}", "invalid escape sequence: \\1"),
            ("template IN A {\nmatch (?=a)\n}", "invalid or unsupported Perl syntax: (?="),
            ('template IN A {\nmatch (a)\nanswer "x 1 IN A {{ index .Match 2 }}"\n}', "no pattern has 2 groups"),
            ('template IN A {\nanswer "x 1 IN A {{ .Group.b }}"\n}', "no pattern has such a group"),
            ('template IN A {\nanswer "{{ range .Match }}"\n}', "is not supported, expected .Name"),
        ):
            with self.subTest(lines=lines):
                self.assertIn(message, self.refused(lines))


class Rewrites(DirectiveCase):
    RECORDS = {
        ("to.test", A): [dnswire.record("to.test", A, 100, v4("10.0.0.1"))],
        ("x.inside.test", A): [
            dnswire.record("x.inside.test", CNAME, 100, dnswire.name("y.inside.test")),
            dnswire.record("y.inside.test", A, 100, v4("10.0.0.2")),
        ],
        ("old.target", A): [
            dnswire.record("old.target", CNAME, 100, dnswire.name("cdn.one")),
            dnswire.record("cdn.one", A, 100, v4("10.0.0.3")),
        ],
        ("cdn.two", A): [dnswire.record("cdn.two", A, 100, v4("10.0.0.4"))],
        ("pre-new-a.test", A): [dnswire.record("pre-new-a.test", A, 100, v4("10.0.0.5"))],
    }

    def start(self, rules, **options):
        return self.serve(rules, records=self.RECORDS, **options)

    def test_exact(self):
        """The upstream is asked for the new name, the client sees the old one, and it is cached under that."""
        ringlet = self.start("rewrite name From.test to.test\ncache 30")
        for spelled in ("from.test", "FROM.test"):
            reply = self.ask(spelled)
            self.assertEqual(([r.name.lower() for r in reply.answers], reply.data(A)), (["from.test"], [v4("10.0.0.1")]))
            self.assertEqual(reply.name, spelled)
        self.assertEqual(self.asked(), [("to.test", A)])
        self.assertEqual(harness.scrape(ringlet.setup_port).sum("coredns_cache_hits_total"), 1)
        self.assertEqual(self.ask("to.test").data(A), [v4("10.0.0.1")])
        self.assertEqual(self.ask("else.test").rcode, NXDOMAIN)

    def test_kinds(self):
        """suffix with answer auto, prefix, substring, regex with groups; without an answer rule owners stay."""
        self.start(
            "rewrite name suffix .outside.test .inside.test answer auto\n"
            "rewrite name prefix p- pre-\nrewrite name substring oldest new\n"
            "rewrite name regex (.*)-(.*)[.]groups pre-{2}-{1}.test answer name pre-(.*)-(.*)[.]test {2}-{1}.groups"
        )
        reply = self.ask("x.outside.test")
        self.assertEqual([r.name for r in reply.answers], ["x.outside.test", "y.outside.test"])
        self.assertEqual(reply.data(CNAME), [dnswire.name("y.outside.test")])
        self.assertEqual([r.name for r in self.ask("p-new-a.test").answers], ["pre-new-a.test"])
        self.assertEqual(self.ask("pre-oldest-a.test").data(A), [v4("10.0.0.5")])
        reply = self.ask("a-new.groups")
        self.assertEqual([(r.name, r.rdata) for r in reply.answers], [("a-new.groups", v4("10.0.0.5"))])

    def test_answer_value(self):
        """Names in record data, by a pattern."""
        self.start("rewrite name suffix .o.test .inside.test answer name (.*)[.]inside[.]test {1}.o.test answer value (.*)[.]inside[.]test {1}.v.test")
        reply = self.ask("x.o.test")
        self.assertEqual(reply.data(CNAME), [dnswire.name("y.v.test")])
        self.assertEqual(reply.answers[0].name, "x.o.test")

    def test_type_class(self):
        """Another type is asked for."""
        self.start("rewrite type AAAA A\nrewrite class CH IN")
        self.assertEqual(self.ask("to.test", AAAA).data(A), [v4("10.0.0.1")])
        self.assertEqual(self.ask("to.test", A, cls=dnswire.CH).data(A), [v4("10.0.0.1")])
        self.assertEqual({a.message.cls for a in self.upstream.asked}, {IN})

    def test_ttl_rcode(self):
        """TTLs set and bounded, response codes exchanged."""
        self.start(
            "rewrite continue ttl exact to.test 7\nrewrite ttl suffix .inside.test 200-300\nrewrite rcode regex ^no NXDOMAIN NOERROR"
        )
        self.assertEqual([r.ttl for r in self.ask("to.test").answers], [7])
        self.assertEqual({r.ttl for r in self.ask("x.inside.test").answers}, {200})
        self.assertEqual(self.ask("nothing").rcode, NOERROR)
        self.assertEqual(self.ask("something").rcode, NXDOMAIN)

    def test_cname(self):
        """The target of an alias is another one, and that is asked for."""
        self.start("rewrite cname exact cdn.one cdn.two")
        reply = self.ask("old.target")
        self.assertEqual(reply.data(CNAME), [dnswire.name("cdn.two")])
        self.assertEqual(reply.data(A), [v4("10.0.0.4")])
        self.assertEqual(self.asked(), [("old.target", A), ("cdn.two", A)])

    def test_order(self):
        """stop ends with the first rule that fits, continue goes on."""
        self.start("rewrite continue name a.test b.test\nrewrite name b.test to.test\nrewrite name to.test never.test")
        self.assertEqual(self.ask("a.test").data(A), [v4("10.0.0.1")])
        self.assertEqual([r.name for r in self.ask("a.test").answers], ["a.test"])

    def test_edns(self):
        """Options are added to what upstreams are asked."""
        self.start(
            "rewrite continue edns0 local set 0xffee hello\nrewrite continue edns0 local append 0xffef {qname}\n"
            "rewrite continue edns0 local replace 0xfff0 no\nrewrite continue edns0 nsid set\nrewrite continue edns0 subnet set 20 56\n"
            "rewrite continue edns0 local set 0xfff1 {client_ip}\nrewrite edns0 local set 0xfff2 0x0aff"
        )
        for tcp in (False, True):
            self.assertEqual(self.ask("to.test", tcp=tcp).data(A), [v4("10.0.0.1")])
            options = self.upstream.asked[-1].message.edns.options
            expected = [(0xFFEE, b"hello"), (0xFFEF, b"to.test."), (NSID, b""), (8, b"\0\1\x14\0\x7f\0\0")]
            expected += [(0xFFF1, v4("127.0.0.1")), (0xFFF2, b"\x0a\xff")]
            self.assertEqual(options, b"".join(dnswire.option(*one) for one in expected))

    def test_joined(self):
        """Equal questions are one for the upstream."""
        self.start("rewrite name from.test to.test")
        replies = [one.reply for one in clients.ask_all(self.address, [dnswire.query("from.test", id=i) for i in range(50)])]
        self.assertEqual({tuple(r.data(A)) for r in replies}, {(v4("10.0.0.1"),)})
        self.assertLess(len(self.asked()), 10)

    def test_catastrophic(self):
        """A pattern that would hold a backtracking matcher for ever takes no time to speak of."""
        self.start("rewrite name regex ^(a+)+$ to.test\nrewrite name regex (x*)*(x*)*(x*)*y$ to.test")
        start = time.monotonic()
        for letter in "ax":
            self.assertEqual(self.ask(".".join([letter * 60] * 4)).rcode, NXDOMAIN)
        self.report(f"{time.monotonic() - start:.3f} s for two names of 244 octets and four patterns")

    def test_refused(self):
        for line, message in (
            ("rewrite name regex (a b", "Corefile:3 - plugin/rewrite: invalid regular expression: missing closing )"),
            ("rewrite name regex a{1001} b", "invalid repeat count"),
            ("rewrite name regex ((a{500}){500}) b", "expression too large"),
            ("rewrite nonsense a b", "invalid rule type"),
        ):
            with self.subTest(line=line):
                self.assertIn(message, self.refused(line))


class Whoami(DirectiveCase):
    def test_addresses(self):
        """The client's address and port, in the additional section."""
        self.serve("whoami", forward=False)
        for tcp, label in ((False, "_udp"), (True, "_tcp")):
            reply = self.ask("a.test", tcp=tcp)
            self.assertEqual((reply.rcode, reply.answers), (NOERROR, []))
            address, service = reply.additional
            self.assertEqual((address.type, address.rdata), (A, v4("127.0.0.1")))
            self.assertEqual((service.type, service.name), (SRV, f"{label}.a.test"))
            self.assertGreater(struct.unpack("!3H", service.rdata[:6])[2], 1024)

    def test_behind_forward(self):
        """`forward` comes before it, but for the names it excepts."""
        self.serve("whoami\ntemplate IN A t.test {\nanswer \"t.test 5 IN A 10.0.0.1\"\n}", zone="test")
        self.assertEqual(self.ask("a.test").rcode, NXDOMAIN)
        self.assertEqual(self.ask("t.test").data(A), [v4("10.0.0.1")])


class DNS64(DirectiveCase):
    RECORDS = {
        ("v4.test", A): [dnswire.record("v4.test", A, 100, v4("192.0.2.1")), dnswire.record("v4.test", A, 100, v4("192.0.2.2"))],
        ("both.test", A): [dnswire.record("both.test", A, 100, v4("192.0.2.1"))],
        ("both.test", AAAA): [dnswire.record("both.test", AAAA, 100, v6("2001:db8::1"))],
        ("mx.test", TXT): [dnswire.record("mx.test", TXT, 100, b"\x01x")],
    }

    def test_translated(self):
        """IPv6 clients get AAAA records made from A; IPv4 clients what there is; each is cached apart."""
        ringlet = self.serve("dns64\ncache 30", records=self.RECORDS, bind=("::1", "127.0.0.1"))
        for _ in range(2):
            reply = self.ask("v4.test", AAAA)
            self.assertEqual(reply.data(AAAA), [v6("64:ff9b::c000:201"), v6("64:ff9b::c000:202")])
            self.assertEqual({r.ttl for r in reply.answers}, {30})
            plain = self.ask("v4.test", AAAA, to=("127.0.0.1", ringlet.port))
            self.assertEqual((plain.answers, plain.rcode), ([], NOERROR))
        self.assertEqual(self.ask("both.test", AAAA).data(AAAA), [v6("2001:db8::1")])
        self.assertEqual(self.ask("no.test", AAAA).rcode, NXDOMAIN)
        empty = self.ask("mx.test", AAAA)
        self.assertEqual((empty.answers, [r.type for r in empty.authority]), ([], [SOA]))
        self.assertEqual(self.ask("v4.test").data(A), [v4("192.0.2.1"), v4("192.0.2.2")])
        self.assertEqual(self.asked().count(("v4.test", AAAA)), 2)
        self.assertEqual(harness.scrape(ringlet.setup_port).sum("coredns_dns64_requests_translated_total"), 1)

    def test_options(self):
        """allow_ipv4, translate_all, and a short prefix with its zero octet (RFC 6052 §2.2)."""
        self.serve("dns64 2001:db8:100::/40 {\nallow_ipv4\ntranslate_all\n}", records=self.RECORDS)
        self.assertEqual(self.ask("v4.test", AAAA).data(AAAA)[0], self.embedded("2001:db8:100::", 5, "192.0.2.1"))
        self.assertEqual(self.ask("both.test", AAAA).data(AAAA), [self.embedded("2001:db8:100::", 5, "192.0.2.1")])

    @staticmethod
    def embedded(prefix, octets, address):
        four = v4(address)
        before = 8 - octets
        head = v6(prefix)[:octets] + four[:before] + b"\0" + four[before:]
        return head + bytes(16 - len(head))


class Front(DirectiveCase):
    """Directives in front of the cache: hits feel them too."""

    MANY = {("many.test", A): [dnswire.record("many.test", A, 100, bytes([10, 0, i // 4, i])) for i in range(8)]}

    def test_bufsize(self):
        """The offer is lowered: replies are cut at it, and it is what the reply's OPT says."""
        records = {("big.test", TXT): [dnswire.record("big.test", TXT, 100, bytes([200]) + b"x" * 200) for _ in range(4)]}
        self.serve("bufsize 600\ncache 30", records=records)
        for _ in range(2):
            raw = self.raw("big.test", TXT, edns=dnswire.opt(4096))
            self.assertLessEqual(len(raw), 600)
            reply = dnswire.decode(raw)
            self.assertTrue(reply.flags & dnswire.TC)
            self.assertEqual(reply.edns.size, 600)
        self.assertEqual(self.ask("big.test", TXT, edns=dnswire.opt(512)).edns.size, 512)

    def test_loadbalance(self):
        """Addresses change places, on hits too, and none is lost."""
        self.serve("loadbalance\ncache 30", records=self.MANY)
        orders = set()
        for _ in range(12):
            reply = self.ask("many.test")
            self.assertEqual(reply.data(A), sorted(r.rdata for r in [*dnswire.decode(self.raw("many.test")).answers]))
            orders.add(tuple(r.rdata for r in reply.answers))
        self.assertGreater(len(orders), 6)
        self.assertEqual(len(self.asked()), 1)

    def test_prefer(self):
        self.serve("loadbalance {\nprefer 10.0.1.0/24\n}\ncache 30", records=self.MANY)
        for _ in range(6):
            self.assertEqual({r.rdata[2] for r in self.ask("many.test").answers[:4]}, {1})

    def test_weighted(self):
        """The first address by the weights of a file."""
        path = self.write("weights", "# a comment\nmany.test\n" + "".join(f"10.0.{i // 4}.{i} {255 if i == 5 else 1}\n" for i in range(8)))
        self.serve(f"loadbalance weighted {path} {{\nreload 1s\n}}\ncache 30", records=self.MANY)
        first = [self.ask("many.test").answers[0].rdata[3] for _ in range(40)]
        self.assertGreater(first.count(5), 25)
        pathlib.Path(path).write_text("many.test\n10.0.0.2 255\n")
        harness.wait_for(lambda: [self.ask("many.test").answers[0].rdata[3] for _ in range(20)].count(2) > 15, 6, "the new weights", 0.1)

    def test_acl(self):
        """By client, type and zone; a hit is refused as a miss is."""
        acl = "acl secret.test {\nallow net 127.0.0.0/8 ::1\n}\nacl {\nblock type TXT net 127.0.0.0/8\nfilter type AAAA\ndrop type SRV\n}"
        records = {("a.test", A): [dnswire.record("a.test", A, 100, v4("10.0.0.1"))], ("secret.test", TXT): [dnswire.record("secret.test", TXT, 9, b"\1x")]}
        self.serve(acl + "\ncache 30", records=records)
        self.assertEqual(self.ask("a.test").data(A), [v4("10.0.0.1")])
        blocked = self.ask("a.test", TXT, edns=dnswire.opt())
        self.assertEqual((blocked.rcode, blocked.edns.options), (REFUSED, dnswire.option(EDE, b"\0\x12")))
        filtered = self.ask("a.test", AAAA, edns=dnswire.opt())
        self.assertEqual((filtered.rcode, filtered.records, filtered.edns.options), (NOERROR, [], dnswire.option(EDE, b"\0\x11")))
        self.assertEqual(self.ask("secret.test", TXT).data(TXT), [b"\1x"])
        self.assertIsNone(clients.ask(self.address, dnswire.query("a.test", SRV), timeout=0.5))
        self.assertEqual({t for _, t in self.asked()}, {A, TXT})

    def test_acl_hit(self):
        """What one client put into the cache another may not have."""
        ringlet = self.serve("acl {\nblock net 127.0.0.2\n}\ncache 30", records=self.MANY)
        self.assertEqual(len(self.ask("many.test").answers), 8)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.2", 0))
            other.settimeout(3)
            for name in ("many.test", "miss.test"):
                other.sendto(dnswire.query(name), self.address)
                self.assertEqual(dnswire.decode(other.recv(4096)).rcode, REFUSED)
        self.assertEqual(len(self.asked()), 1)
        self.assertEqual(harness.scrape(ringlet.setup_port).sum("coredns_dns_responses_total", rcode="REFUSED"), 2)

    def test_nsid(self):
        """Who asks for the server's name is told, from the cache too; who does not is not."""
        self.serve("nsid node one\ncache 30", records=self.MANY)
        for _ in range(2):
            reply = self.ask("many.test", edns=dnswire.opt(options=dnswire.option(NSID)))
            self.assertEqual(reply.edns.options, dnswire.option(NSID, b"node one"))
        self.assertEqual(self.ask("many.test", edns=dnswire.opt()).edns.options, b"")
        self.assertEqual(self.ask("none.test", edns=dnswire.opt(options=dnswire.option(NSID))).edns.options, dnswire.option(NSID, b"node one"))

    def test_refused(self):
        for lines, message in (
            ("acl {\npermit net *\n}", "Corefile:4 - plugin/acl: unexpected token \"permit\"; expect 'allow', 'block', 'filter' or 'drop'"),
            ("acl {\nallow net 10.0.0.0/99\n}", 'illegal CIDR notation "10.0.0.0/99"'),
            ("acl {\nallow type NONSENSE\n}", 'unexpected token "NONSENSE"; expect legal QTYPE'),
            ("bufsize 99", "bufsize must be from 512 to 4096"),
            ("loadbalance nonsense", "unknown policy: nonsense"),
            ("nsid " + "x" * 129, "data over 128 bytes"),
        ):
            with self.subTest(lines=lines):
                self.assertIn(message, self.refused(lines))


class Others(DirectiveCase):
    def test_any(self):
        """A question for all types gets one HINFO record (RFC 8482)."""
        self.serve("any\ncache 30")
        reply = self.ask("a.test", ANY)
        self.assertEqual([(r.type, r.ttl, r.rdata) for r in reply.answers], [(HINFO, 30, b"\x0dANY obsoleted\x0cSee RFC 8482")])
        self.assertEqual(self.asked(), [])

    def test_minimal(self):
        """Answers lose authority and additional; denials keep their SOA."""
        self.serve("minimal", records={("a.test", A): [dnswire.record("a.test", A, 9, v4("10.0.0.1"))]})

        async def script(asked):
            if asked.name == "a.test":
                more = dnswire.record("test", dnswire.NS, 9, dnswire.name("ns.test"))
                asked.send(asked.address(authority=[more], additional=[dnswire.record("ns.test", A, 9, v4("10.0.0.2"))]))
            else:
                asked.send(asked.response(authority=[dnswire.soa("test", 40)], rcode=NXDOMAIN))

        self.upstream.script = script
        reply = self.ask("a.test")
        self.assertEqual((len(reply.answers), reply.authority, reply.additional), (1, [], []))
        self.assertEqual([r.type for r in self.ask("none.test").authority], [SOA])

    def test_ready(self):
        """/ready says 200 once queries are served."""
        port = harness.free_port()
        self.serve(f"ready 127.0.0.1:{port}")
        self.assertEqual(harness.http(port, "/ready")[::2], (200, "OK"))

    def test_timeouts(self):
        """An idle connection ends when the block says."""
        self.serve("timeouts {\nidle 1s\nread 1\n}")
        with socket.create_connection(self.address) as stream:
            stream.settimeout(4)
            message = dnswire.query("a.test")
            stream.sendall(struct.pack("!H", len(message)) + message)
            self.assertTrue(stream.recv(4096))
            start = time.monotonic()
            self.assertEqual(stream.recv(1), b"")
            self.assertLess(time.monotonic() - start, 3.5)

    def test_loop_through_another(self):
        """An upstream that sends questions back is a loop too, though only one copy of each is pending here."""

        async def send_back(asked):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as back:
                back.sendto(asked.raw, ("127.0.0.1", port))

        looping = peer.Peer(send_back)
        self.addCleanup(looping.stop)
        port = harness.free_port()
        path = self.write("Corefile", f".:{port} {{\n    bind 127.0.0.1\n    loop\n    forward . {looping.address}\n}}\n")
        child = harness.Process(
            [harness.BINARY, "-localip", "127.0.0.1", "-conf", path, "-setupinterface=false", "-setupiptables=false",
             "-metrics-listen-address", f"127.0.0.1:{harness.free_port()}"], path + ".log")  # fmt: skip
        self.assertEqual(child.child.wait(20), 1, child.log())
        self.assertIn("[FATAL] plugin/loop: Loop", child.log())

    def test_bind(self):
        """Addresses of an interface but for those excepted."""
        block = lambda port: f".:{port} {{\n    bind lo {{\n        except ::1\n    }}\n    whoami\n}}\n"
        ringlet = self.start_ringlet_with(block)
        self.assertEqual(self.ask("a.test", to=("127.0.0.1", ringlet.port)).rcode, NOERROR)
        self.assertFalse(harness.answers(("::1", ringlet.port), dnswire.query("a.test")))

    def test_without_corefile(self):
        """No Corefile anywhere: whoami and log, as CoreDNS has it."""
        port = harness.free_port()
        child = harness.Process(
            [harness.BINARY, "-localip", "127.0.0.1", "-dns.port", str(port), "-setupinterface=false", "-setupiptables=false",
             "-basecorefile", "/nonexistent", "-metrics-listen-address", f"127.0.0.1:{harness.free_port()}"],
            os.path.join(self.directory, "log"), cwd=self.directory)  # fmt: skip
        self.addCleanup(child.end)
        harness.wait_for(lambda: harness.answers(("127.0.0.1", port), dnswire.header(1, 0)), 5, "the first answer")
        self.assertEqual([r.type for r in self.ask("a.test", to=("127.0.0.1", port)).additional], [A, SRV])
        harness.wait_for(lambda: '"A IN a.test. udp' in child.log(), 5, "the log line", 0.05)

    def test_consolidate(self):
        """Errors that match are counted for a while and told as one line, the first pattern first."""
        errors = 'errors {\nconsolidate 1s "i/o timeout$" warning\nconsolidate 1s ".*"\n}'
        ringlet = self.serve(f"{errors}\ntemplate IN A x.test {{\nanswer \"x 1 IN CNAME y.test\"\n}}", forward=False)
        for _ in range(3):
            self.assertEqual(self.ask("a.test").rcode, SERVFAIL)
        line = "[ERROR] plugin/errors: 3 errors like '.*' occurred in last 1s"
        harness.wait_for(lambda: line in ringlet.log(), 5, "the line", 0.05)
        self.assertNotIn("a.test. A:", ringlet.log())
        self.assertIn("plugin/errors: error parsing regexp: missing closing )", self.refused("errors {\nconsolidate 1s (\n}"))

    def test_log(self):
        """Replies of these directives are logged as others are; {local} is the address asked."""
        ringlet = self.serve("log . \"{name} {local} {rcode} {rsize}\" {\nclass success\n}\nhosts /nonexistent {\n10.0.0.1 a.test\nfallthrough\n}")
        self.ask("none.test")
        size = self.ask("a.test").size
        harness.wait_for(lambda: f"[INFO] a.test. 127.0.0.1 NOERROR {size}" in ringlet.log(), 5, "the line", 0.05)
        self.assertNotIn("none.test", ringlet.log())

    def test_log_of_a_wildcard_socket(self):
        """{local} is the address asked there too, by UDP and TCP, cached or not."""
        hosts = "hosts /nonexistent {\n10.0.0.1 a.test\nfallthrough\n}"
        for any, asked in (("::", ("127.0.0.1", "::1")), ("0.0.0.0", ("127.0.0.1", "127.0.0.2"))):
            ringlet = self.serve(f"log . \"{{proto}} {{local}} {{rcode}}\"\ncache 30\n{hosts}", bind=(any,))
            for address in asked:
                for proto, ask in (("udp", clients.ask), ("tcp", clients.ask_tcp)):
                    for _ in range(2):
                        self.assertEqual(dnswire.decode(ask((address, ringlet.port), dnswire.query("a.test"))).rcode, 0)
                    local = f"[{address}]" if ":" in address else address
                    line = f"[INFO] {proto} {local} NOERROR\n"
                    harness.wait_for(lambda: ringlet.log().count(line) == 2, 5, line, 0.05)

    def test_accepted(self):
        """trace and pprof are read, and said to do nothing; metadata is nobody's."""
        ringlet = self.serve("trace zipkin localhost:9411\npprof\nmetadata")
        self.assertIn("trace: no traces are sent", ringlet.log())
        self.assertIn("pprof: there is no Go runtime to profile", ringlet.log())

    def test_loop(self):
        """Who forwards to itself ends, with advice; who does not goes on."""
        port = harness.free_port()
        path = self.write("Corefile", f".:{port} {{\n    bind 127.0.0.1\n    loop\n    cache 30\n    forward . 127.0.0.1:{port}\n}}\n")
        child = harness.Process(
            [harness.BINARY, "-localip", "127.0.0.1", "-conf", path, "-setupinterface=false", "-setupiptables=false",
             "-metrics-listen-address", f"127.0.0.1:{harness.free_port()}"], path + ".log")  # fmt: skip
        self.assertEqual(child.child.wait(20), 1, child.log())
        self.assertRegex(child.log(), r'\[FATAL\] plugin/loop: Loop \(.*\) detected for zone "\.", see https://coredns\.io/plugins/loop#troubleshooting\. Query: "HINFO \d+\.\d+\."')
        ringlet = self.serve("loop\ncache 30")
        harness.wait_for(lambda: self.asked(), 5, "the probe")
        time.sleep(3)
        self.assertTrue(ringlet.alive())
        self.assertEqual([type for _, type in self.asked()], [HINFO])
