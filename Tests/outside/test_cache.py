"""What is kept, for how long, and with which TTL (spec plugins.md, cache)."""

import struct
import time

import clients
import dnswire
import harness
import peer
from dnswire import NOERROR, NXDOMAIN, REFUSED, SERVFAIL

ZONE = "cluster.local"
PLAIN = "cache 30"


class CacheCase(harness.OutsideCase):
    def start(self, script=None, **options):
        self.upstream = peer.Peer(script or self.scripted)
        self.addCleanup(self.upstream.stop)
        options.setdefault("cache", PLAIN)
        ringlet = self.start_ringlet(self.upstream.address, **options)
        self.address = ("127.0.0.1", ringlet.port)

    async def scripted(self, asked):
        asked.send(
            asked.response(
                *self.answers.get("an", ()),
                authority=self.answers.get("ns", ()),
                additional=self.answers.get("ar", ()),
                **self.answers.get("how", {}),
            )
        )

    def ask(self, name="a.svc.cluster.local", type=dnswire.A, **options):
        return dnswire.decode(clients.ask(self.address, dnswire.query(name, type, **options)))

    def upstream_answers(self, an=(), ns=(), ar=(), **how):
        """What the upstream says to the next questions, whatever they are."""
        self.answers = {"an": an, "ns": ns, "ar": ar, "how": how}

    def questions_for(self, name, asks=2, **options):
        """How many upstream questions `asks` client questions cost."""
        before = len(self.upstream.asked)
        for _ in range(asks):
            self.ask(name, **options)
        return len(self.upstream.asked) - before


def record(type, ttl, data):
    """A record of whatever name is asked for."""
    return b"\xc0\x0c" + struct.pack("!HHIH", type, 1, ttl, len(data)) + data


def address(ttl, last=1):
    return record(dnswire.A, ttl, bytes([10, 0, 0, last]))


class TTLs(CacheCase):
    def ttls(self, name):
        return {r.ttl for r in self.ask(name).records}

    def test_minimum(self):
        """All records get the smallest TTL of all sections but OPT, on the miss already."""
        self.start()
        name = "min.svc.cluster.local"
        for tag, records, expected in (
            ("an", {"an": [address(25), address(20, 2)]}, 20),
            (
                "ns",
                {"an": [address(25)], "ns": [dnswire.record(ZONE, dnswire.NS, 15, dnswire.name("ns.dns.cluster.local"))]},
                15,
            ),
            ("ar", {"an": [address(25)], "ar": [address(10)]}, 10),
        ):
            self.upstream_answers(**records)
            with self.subTest(section=tag):
                miss, hit = self.ttls(f"{tag}.{name}"), self.ttls(f"{tag}.{name}")
                self.assertEqual(miss, {expected})
                self.assertIn(hit, ({expected}, {expected - 1}))

    def test_bounds(self):
        """A TTL is at most the configured cap, and at least 5 s by default; one with its top bit set counts as 0 (RFC 2181)."""
        self.start(cache="cache {\n        success 9984 30\n        denial 9984 10\n    }")
        for ttl, expected in (
            (31, 30),
            (86400, 30),
            (30, 30),
            (29, 29),
            (6, 6),
            (5, 5),
            (4, 5),
            (0, 5),
            (0x80000001, 5),
            (0x7FFFFFFF, 30),
        ):
            with self.subTest(ttl=ttl):
                name = f"t{ttl}.svc.cluster.local"
                self.upstream_answers([address(ttl)])
                self.assertEqual(self.ttls(name), {expected})
        for ttl, expected in ((30, 10), (7, 7), (1, 5)):
            with self.subTest(negative=ttl):
                self.upstream_answers(ns=[dnswire.soa(ZONE, ttl)], rcode=NXDOMAIN)
                self.assertEqual(self.ttls(f"n{ttl}.svc.cluster.local"), {expected})

    def test_configured_minimum(self):
        """The third number of success and denial is the least TTL."""
        self.start(cache="cache {\n        success 9984 30 12\n        denial 9984 20 8\n    }")
        self.upstream_answers([address(1)])
        self.assertEqual(self.ttls("low.svc.cluster.local"), {12})
        self.upstream_answers(ns=[dnswire.soa(ZONE, 1)], rcode=NXDOMAIN)
        self.assertEqual(self.ttls("low.n.svc.cluster.local"), {8})

    def test_counts_down(self):
        """A hit's TTL is what remains: it falls by the second and never rises; after its end the upstream is asked."""
        self.start()
        name = "down.svc.cluster.local"
        self.upstream_answers([address(6)])
        start, seen = time.monotonic(), []
        while len(self.upstream.asked) < 2 and time.monotonic() - start < 9:
            (ttl,) = self.ttls(name)
            seen.append((time.monotonic() - start, ttl))
            time.sleep(0.1)
        fresh_again = seen.pop()
        self.assertEqual(fresh_again[1], 6)
        self.assertGreater(fresh_again[0], 5)
        self.assertLess(fresh_again[0], 6.6)
        for at, ttl in seen:
            self.assertLessEqual(abs(ttl - (6 - at)), 1.1, (at, ttl))
        falling = [ttl for _, ttl in seen]
        self.assertEqual(falling, sorted(falling, reverse=True))
        self.assertGreaterEqual(min(falling), 1)

    def test_negative_by_record_ttl(self):
        """A denial lives as long as the SOA record's TTL says, whatever its MINIMUM field."""
        self.start()
        for ttl, minimum in ((20, 7), (7, 20)):
            self.upstream_answers(ns=[dnswire.soa(ZONE, ttl, minimum)], rcode=NXDOMAIN)
            self.assertEqual(self.ttls(f"soa{ttl}.svc.cluster.local"), {ttl})

    def test_keepttl(self):
        """With keepttl a hit shows the stored TTL, and ends when it did before."""
        self.start(cache="cache {\n        success 9984 30 1\n        keepttl\n    }")
        self.upstream_answers([address(3)])
        self.assertEqual(self.ttls("keep.svc.cluster.local"), {3})
        time.sleep(1.5)
        self.assertEqual(self.ttls("keep.svc.cluster.local"), {3})
        self.assertEqual(len(self.upstream.asked), 1)
        time.sleep(2)
        self.ttls("keep.svc.cluster.local")
        self.assertEqual(len(self.upstream.asked), 2)


class WhatIsKept(CacheCase):
    def test_kept(self):
        """NOERROR, NXDOMAIN and NODATA with SOA, a CNAME alone, SERVFAIL, NOTIMP: the second question costs nothing."""
        self.start()
        name = "kept.svc.cluster.local"
        soa = [dnswire.soa(ZONE, 30)]
        cname = record(dnswire.CNAME, 30, dnswire.name("other.cluster.local"))
        for what, say, rcode in (
            ("address", {"an": [address(30)]}, NOERROR),
            ("nxdomain", {"ns": soa, "rcode": NXDOMAIN}, NXDOMAIN),
            ("nodata", {"ns": soa}, NOERROR),
            ("cname", {"an": [cname]}, NOERROR),
            ("cname-nxdomain", {"an": [cname], "ns": soa, "rcode": NXDOMAIN}, NXDOMAIN),
            ("servfail", {"rcode": SERVFAIL}, SERVFAIL),
            ("notimp", {"rcode": dnswire.NOTIMP}, dnswire.NOTIMP),
        ):
            with self.subTest(what=what):
                self.upstream_answers(**say)
                miss, hit = self.ask(f"{what}.{name}"), self.ask(f"{what}.{name}")
                self.assertEqual((miss.rcode, hit.rcode), (rcode, rcode))
                content = lambda m: [(r.name, r.type, r.rdata) for r in m.records]
                self.assertEqual(content(miss), content(hit))
                self.assertEqual(self.questions_for(f"{what}.{name}"), 0)
        self.assertEqual(len(self.upstream.asked), 7)

    def test_thousand_names(self):
        """A thousand names asked three times cost a thousand upstream questions, whichever shard is asked."""
        for shards in (1, 2):
            with self.subTest(shards=shards):
                self.start(peer.answer_by_name, shards=shards)
                packets = [dnswire.query(f"n{n}.svc.cluster.local", id=n) for n in range(1000)]
                counts = []
                for _ in range(3):
                    for exchange in clients.ask_all(self.address, packets, linger=0.05):
                        self.assertEqual(
                            exchange.reply.data(dnswire.A), [peer.address_of(dnswire.decode(exchange.packet).name)]
                        )
                    counts.append(len(self.upstream.asked))
                self.assertEqual(counts, counts[:1] * 3)
                # One question in twenty may be hedged, if the peer is slow.
                self.assertIn(counts[0], range(1000, 1051))

    def test_not_kept(self):
        """TC, REFUSED, FORMERR, NXDOMAIN without SOA: each question goes upstream, and the client gets what came."""
        self.start()
        for what, say, rcode in (
            ("tc", {"an": [address(30)], "flags": dnswire.TC}, NOERROR),
            ("refused", {"rcode": REFUSED}, REFUSED),
            ("formerr", {"rcode": dnswire.FORMERR}, dnswire.FORMERR),
            ("nxdomain", {"rcode": NXDOMAIN}, NXDOMAIN),
        ):
            with self.subTest(what=what):
                self.upstream_answers(**say)
                self.assertEqual(self.ask(f"{what}.svc.cluster.local").rcode, rcode)
                self.assertGreaterEqual(self.questions_for(f"{what}.svc.cluster.local"), 2)

    def test_servfail_for_five_seconds(self):
        """SERVFAIL is kept for 5 s, not longer: it does not hide a healed upstream."""
        self.start()
        name = "fail.svc.cluster.local"
        self.upstream_answers(rcode=SERVFAIL)
        self.ask(name)
        self.upstream_answers([address(30)])
        time.sleep(3.5)
        self.assertEqual(self.ask(name).rcode, SERVFAIL)
        time.sleep(2)
        self.assertEqual(self.ask(name).rcode, NOERROR)

    def test_servfail_zero(self):
        """`servfail 0` keeps none."""
        self.start(cache="cache 30 {\n        servfail 0\n    }")
        self.upstream_answers(rcode=SERVFAIL)
        self.assertEqual(self.questions_for("fail.svc.cluster.local"), 2)

    def test_disable(self):
        """`disable` turns off one kind, for the zones it names."""
        self.start(cache="cache 30 {\n        disable success ns-1.svc.cluster.local\n        disable denial\n    }")
        self.upstream_answers([address(30)])
        self.assertEqual(self.questions_for("a.ns-1.svc.cluster.local"), 2)
        self.assertEqual(self.questions_for("a.ns-2.svc.cluster.local"), 1)
        self.upstream_answers(ns=[dnswire.soa(ZONE, 30)], rcode=NXDOMAIN)
        self.assertEqual(self.questions_for("b.ns-2.svc.cluster.local"), 2)

    def test_zones(self):
        """`cache` with zones keeps only what is in them."""
        self.start(cache="cache 30 ns-1.svc.cluster.local")
        self.upstream_answers([address(30)])
        self.assertEqual(self.questions_for("a.ns-1.svc.cluster.local"), 1)
        self.assertEqual(self.questions_for("a.ns-2.svc.cluster.local"), 2)

    def test_no_cache(self):
        """A block without `cache` forwards each question."""
        self.start(cache="# none")
        self.upstream_answers([address(30)])
        self.assertEqual(self.questions_for("a.svc.cluster.local", asks=3), 3)

    def test_types_and_bits_apart(self):
        """Type, DO and CD each make another entry; the client's AD, its transport and its EDNS size do not."""
        self.start()
        self.upstream_answers([address(30)])
        name = "apart.svc.cluster.local"
        variants = [
            {"type": type, "flags": flags, "edns": edns}
            for type in (1, 28)
            for flags in (0x100, 0x110)
            for edns in (None, dnswire.opt(do=True))
        ]
        for variant in variants:
            self.assertEqual(self.questions_for(name, **variant), 1)
        for variant in variants:
            variant["flags"] |= dnswire.AD
            variant["edns"] = variant["edns"] or dnswire.opt(4000)
            self.assertEqual(self.questions_for(name, **variant), 0)

    def test_flood_of_denials(self):
        """Ten thousand names that do not exist turn over the denials, not the addresses."""
        nsd = self.start_nsd()
        ringlet = self.start_ringlet(
            f"127.0.0.1:{nsd.port}",
            cache="cache {\n        success 2000 30\n        denial 2000 30\n    }",
            more=f"prometheus 127.0.0.1:{(port := harness.free_port())}",
        )
        hot = self.write("hot.txt", "".join(f"svc-{n}.ns-{n % 50}.svc.cluster.local A\n" for n in range(500)))
        flood = self.write("flood.txt", "".join(f"u-{n}.ns-1.svc.cluster.local A\n" for n in range(10000)))
        harness.dnsperf(ringlet.port, hot, "-n", "2", "-q", "20")
        harness.dnsperf(ringlet.port, flood, "-n", "1", "-q", "50")
        before = harness.scrape(port).sum("coredns_cache_misses_total")
        harness.dnsperf(ringlet.port, hot, "-n", "1", "-q", "20")
        self.assertEqual(harness.scrape(port).sum("coredns_cache_misses_total") - before, 0)


class Blocks(CacheCase):
    def test_zones_and_upstreams(self):
        """Several blocks: the longest suffix decides, each has its own upstream, and their caches do not mix."""
        inner, outer = peer.Peer(), peer.Peer()
        self.addCleanup(inner.stop)
        self.addCleanup(outer.stop)
        block = lambda port: "".join(
            harness.corefile(upstream.address, port=port, domain=domain, cache=PLAIN)
            for domain, upstream in (("cluster.local", inner), (".", outer), ("deep.svc.cluster.local", outer))
        )
        self.address = ("127.0.0.1", self.start_ringlet_with(block).port)
        for name, where in (
            ("a.svc.cluster.local", inner),
            ("cluster.local", inner),
            ("example.com", outer),
            ("evilcluster.local", outer),
            ("x.deep.svc.cluster.local", outer),
            ("xdeep.svc.cluster.local", inner),
            ("X.DEEP.svc.Cluster.Local", outer),
        ):
            with self.subTest(name=name):
                before = len(inner.asked), len(outer.asked)
                self.assertEqual(self.ask(name).data(dnswire.A), [peer.address_of(name)])
                self.ask(name)
                # The last name was asked before in another spelling: it is in its block's cache.
                fresh = 0 if name.startswith("X.") else 1
                self.assertEqual(
                    (len(inner.asked) - before[0], len(outer.asked) - before[1]), (fresh, 0) if where is inner else (0, fresh)
                )

    def test_bad_answer_of_one_block(self):
        """NXDOMAIN for `local` from the outer upstream hides nothing in cluster.local."""

        async def nothing(asked):
            asked.send(asked.response(authority=[dnswire.soa("local", 30)], rcode=NXDOMAIN))

        inner, outer = peer.Peer(), peer.Peer(nothing)
        self.addCleanup(inner.stop)
        self.addCleanup(outer.stop)
        block = lambda port: harness.corefile(outer.address, port=port, domain=".") + harness.corefile(inner.address, port=port)
        self.address = ("127.0.0.1", self.start_ringlet_with(block).port)
        self.assertEqual(self.ask("local").rcode, NXDOMAIN)
        self.assertEqual(self.ask("a.svc.cluster.local").rcode, NOERROR)
