"""The resolvers and tools that people use get right answers: UDP and TCP, IPv4 and IPv6, 1 and 2 shards."""

import ipaddress

import harness
import zone

ADDRESSES = ("127.0.0.1", "::1")


class Wildcard(harness.OutsideCase):
    def test_source_address(self):
        """Bound to every address, it answers from the one that was asked: dig believes no other."""
        nsd = self.start_nsd()
        for bind, addresses in (("", ("127.0.0.1", "127.0.0.2", "::1")), ("bind 0.0.0.0", ("127.0.0.1", "127.0.0.2"))):
            block = "cluster.local:{} {{\n    cache 30\n    %s\n    forward . 127.0.0.1:%d {{\n        force_tcp\n    }}\n}}\n"
            ringlet = self.start_ringlet_with((block % (bind, nsd.port)).format)
            for number, address in enumerate(addresses):
                for transport in ("+notcp", "+tcp", "+notcp"):  # a miss, then hits
                    with self.subTest(bind=bind, address=address, transport=transport):
                        got = harness.run(
                            "dig", f"@{address}", "-p", str(ringlet.port), "+short", "+tries=1", transport, zone.service(number)
                        )
                        self.assertEqual(got.strip(), str(zone.address(number)))


class Tools(harness.OutsideCase):
    shards = 1

    def setUp(self):
        super().setUp()
        nsd = self.start_nsd()
        self.ringlet = self.start_ringlet(f"127.0.0.1:{nsd.port}", addresses=ADDRESSES, shards=self.shards)

    def dig(self, address, *arguments, program="dig"):
        """Answer data in short form, sorted."""
        return sorted(harness.run(program, f"@{address}", "-p", str(self.ringlet.port), "+short", *arguments).split("\n")[:-1])

    def test_dig(self):
        """dig reads every kind of record, over both transports and families."""
        five = zone.service(5)
        for address in ADDRESSES:
            for transport in ("+notcp", "+tcp"):
                with self.subTest(address=address, transport=transport):
                    ask = lambda *what: self.dig(address, transport, "+tries=1", *what)
                    self.assertEqual(ask(five, "A"), [str(zone.address(5))])
                    self.assertEqual(ask(zone.service(10), "AAAA"), [str(zone.address6(10))])
                    self.assertEqual(ask(f"_http._tcp.{zone.service(11)}", "SRV"), [f"0 100 80 {zone.service(11)}."])
                    self.assertEqual(ask(zone.alias(12), "A"), sorted([zone.service(12) + ".", str(zone.address(12))]))
                    self.assertEqual(ask(zone.PODS, "A"), sorted(map(str, zone.pods())))
                    self.assertEqual(ask(five, "AAAA"), [])

    def test_dig_truncated(self):
        """40 addresses do not fit 512 octets: dig without EDNS is sent to TCP, and gets them all there."""
        port = str(self.ringlet.port)
        cut = harness.run("dig", "@127.0.0.1", "-p", port, "+noedns", "+ignore", zone.PODS)
        self.assertRegex(cut, r"flags:[a-z ]* tc")
        self.assertEqual(self.dig("127.0.0.1", "+noedns", zone.PODS), sorted(map(str, zone.pods())))

    def test_dig_rcodes(self):
        """NXDOMAIN, NODATA and REFUSED are told apart, and the first two carry the zone's SOA."""
        cases = (
            ("nosuch.ns-1.svc.cluster.local", "NXDOMAIN", True),
            ("ns-1.svc.cluster.local", "NOERROR", True),
            ("example.com", "REFUSED", False),
        )
        for name, status, soa in cases:
            with self.subTest(name=name):
                text = harness.run("dig", "@127.0.0.1", "-p", str(self.ringlet.port), "+tries=1", "+time=2", name, "A")
                self.assertIn(f"status: {status}", text)
                self.assertEqual("SOA" in text, soa, text)

    def test_kdig(self):
        """kdig over TCP, several questions on one connection."""
        names = [zone.service(n) for n in range(20)]
        for address in ADDRESSES:
            got = self.dig(address, "+tcp", "+keepopen", *names, program="kdig")
            self.assertEqual(got, sorted(str(zone.address(n)) for n in range(20)))

    def test_dnsperf(self):
        """All 5,000 services through dnsperf: each answered, none with an error."""
        data = self.write("all.txt", "".join(f"{zone.service(n)} A\n" for n in range(zone.SERVICES)))
        for address in ADDRESSES:
            for mode in ("udp", "tcp"):
                with self.subTest(address=address, mode=mode):
                    result = harness.dnsperf(
                        self.ringlet.port, data, "-m", mode, "-n", "2", "-c", "8", "-q", "100", address=address
                    )
                    self.assertEqual(result.rcodes, {"NOERROR": 2 * zone.SERVICES}, result.text)


class ToolsTwoShards(Tools):
    shards = 2


class Glibc(harness.OutsideCase):
    """getent in a namespace whose resolv.conf is a pod's."""

    RESOLV = "search ns-1.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n"

    def test_getent(self):
        """Short, partial and full names resolve by the search path; A and AAAA are asked together."""
        for server in ("169.254.20.10", "::1"):
            for options in ("", "use-vc", "single-request edns0"):
                with self.subTest(server=server, options=options):
                    self.check(server, options)

    def check(self, server, options):
        netns = self.enterContext(harness.network_namespace(f"nameserver {server}\n{self.RESOLV}"))
        harness.run("ip", "-n", netns, "addr", "add", "169.254.20.10/32", "dev", "lo")
        # Without an address of its own here, getaddrinfo leaves IPv6 out (AI_ADDRCONFIG).
        harness.run("ip", "-n", netns, "addr", "add", "fd00:10::1/128", "dev", "lo")
        nsd = self.start_nsd(netns=netns)
        self.start_ringlet(f"127.0.0.1:{nsd.port}", port=53, netns=netns, shards=2, addresses=(server,))

        def getent(name):
            return harness.run(
                "ip", "netns", "exec", netns, "getent", "ahosts", name, env={"RES_OPTIONS": options}, check=False
            )

        def addresses(name):
            return {ipaddress.ip_address(line.split()[0]) for line in getent(name).splitlines()}

        self.assertEqual(addresses("svc-1"), {zone.address(1)})
        self.assertEqual(addresses("svc-7.ns-7"), {zone.address(7)})
        self.assertEqual(addresses("svc-20.ns-20.svc"), {zone.address(20), zone.address6(20)})
        self.assertEqual(addresses("svc-9.ns-9.svc.cluster.local"), {zone.address(9)})
        self.assertEqual(addresses("alias-12.ns-12"), {zone.address(12)})
        self.assertEqual(addresses("pods-40.ns-0"), set(zone.pods()))
        self.assertEqual(getent("nosuch"), "")
        self.assertEqual(getent("www.example.com"), "")
