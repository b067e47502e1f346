"""Old answers (spec plugins.md, cache: serve_stale, prefetch; RFC 8767) and reasons for failures (RFC 8914)."""

import asyncio
import collections
import os
import signal
import struct
import time
import unittest

import clients
import dnswire
import harness
import peer
from dnswire import NOERROR, NXDOMAIN, SERVFAIL

OTHER, STALE, CACHED_ERROR, STALE_NXDOMAIN, UNREACHABLE, NETWORK, INVALID = 0, 3, 13, 19, 22, 23, 24
OLD, NEW = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
NAME = "a.svc.cluster.local"


def cache(*options):
    """What upstream gives for a second is kept for a second, and failures not at all."""
    lines = ["success 9984 3600 1", "denial 9984 1800 1", "servfail 0", *options]
    return "cache {\n" + "".join(f"        {line}\n" for line in lines) + "    }"


def reasons(message):
    """Codes of the extended errors of a reply."""
    options, codes = message.edns.options if message.edns else b"", []
    while options:
        code, length = struct.unpack_from("!HH", options)
        if code == 15:
            codes.append(struct.unpack_from("!H", options, 4)[0])
        options = options[4 + length :]
    return codes


class StaleCase(harness.OutsideCase):
    ttl = 1

    def serve(self, *options, **more):
        self.say = self.address_is(OLD)
        self.upstream = peer.Peer(self.script)
        self.addCleanup(self.upstream.stop)
        self.ringlet = self.start_ringlet(self.upstream.address, **{"cache": cache(*options), **more})
        self.address = ("127.0.0.1", self.ringlet.port)

    async def script(self, asked):
        await self.say(asked)

    def address_is(self, data):
        async def say(asked):
            asked.send(asked.response(dnswire.record(asked.name, dnswire.A, self.ttl, data)))

        return say

    def rcode_is(self, rcode):
        async def say(asked):
            authority = [dnswire.soa("cluster.local", 1)] if rcode in (NOERROR, NXDOMAIN) else []
            asked.send(asked.response(rcode=rcode, authority=authority))

        return say

    async def silence(self, asked):
        pass

    def ask(self, name=NAME, edns=True, tcp=False, **options):
        packet = dnswire.query(name, dnswire.A, edns=dnswire.opt() if edns else None, **options)
        reply = (clients.ask_tcp if tcp else clients.ask)(self.address, packet)
        self.assertIsNotNone(reply, name)
        return dnswire.decode(reply)

    def expect(self, message, data, ttl=None, codes=()):
        self.assertEqual((message.rcode, message.data(dnswire.A)), (NOERROR, [data]))
        self.assertEqual(reasons(message), list(codes))
        if ttl is not None:
            self.assertEqual([r.ttl for r in message.answers], [ttl])

    def age(self, seconds=1.2):
        """The answer to NAME is cached, and has expired."""
        self.expect(self.ask(), OLD)
        time.sleep(seconds)

    def questions(self, name=NAME):
        return len(self.upstream.questions(name))

    def metrics(self):
        return harness.scrape(self.ringlet.setup_port)


class Immediate(StaleCase):
    def test_first_the_old_answer_then_the_new_one(self):
        """TTL 0, 'Stale Answer' for clients that sent EDNS; upstream is asked once, behind their backs."""
        for shards in (1, 2):
            with self.subTest(shards=shards):
                self.serve("serve_stale", shards=shards)
                names = [f"n{n}.cluster.local" for n in range(8)]  # of either shard
                for name in names:
                    self.expect(self.ask(name), OLD, 1)
                time.sleep(1.2)
                self.say = self.address_is(NEW)
                for name in names:
                    self.expect(self.ask(name), OLD, 0, [STALE])
                    harness.wait_for(lambda: self.questions(name) == 2, 2, "the refresh")
                    harness.wait_for(lambda: self.ask(name).data(dnswire.A) == [NEW], 2, "the new answer")
                metrics = self.metrics()
                self.assertGreaterEqual(metrics.sum("coredns_cache_served_stale_total"), 8)
                self.assertGreaterEqual(metrics.sum("coredns_cache_prefetch_total"), 8)
                self.assertGreaterEqual(metrics.sum("ringlet_stale_answers_total", reason="expired"), 8)
                self.assertEqual(metrics.sum("ringlet_pending_questions"), 0)

    def test_one_refresh_for_all(self):
        """A thousand clients of an expired answer, over two shards, are one question."""
        self.serve("serve_stale", shards=2)
        self.age()

        async def late(asked):
            await asyncio.sleep(0.2)
            asked.send(asked.response(dnswire.record(asked.name, dnswire.A, 60, NEW)))

        self.say = late
        packets = [dnswire.query(NAME, dnswire.A, id=n) for n in range(1000)]
        for exchange in clients.ask_all(self.address, packets, linger=0.5):
            self.assertIn(exchange.reply.data(dnswire.A), ([OLD], [NEW]))
        # Once more, if a busy machine's upstream seems to be silent.
        self.assertIn(self.questions(), (2, 3))

    def test_without_edns(self):
        """No extended error without EDNS, nor over TCP; what is echoed stays."""
        self.serve("serve_stale")
        self.age()
        self.say = self.silence
        self.assertIsNone(self.ask(edns=False).edns)
        self.assertIsNone(self.ask(edns=False, tcp=True).edns)
        self.expect(self.ask(tcp=True), OLD, 0, [STALE])

    def test_response_ttl(self):
        self.serve("serve_stale 1h immediate 30s")
        self.age()
        self.say = self.silence
        self.expect(self.ask(), OLD, 30, [STALE])

    def test_no_longer_than_said(self):
        self.serve("serve_stale 2s")
        self.age()
        self.say = self.rcode_is(SERVFAIL)
        self.expect(self.ask(), OLD, 0, [STALE])
        time.sleep(2.2)
        self.assertEqual(self.ask().rcode, SERVFAIL)

    def test_upstream_gone(self):
        """Killed: every answer there was goes on being given."""
        self.serve("serve_stale", shards=2)
        names = [f"n{n}.cluster.local" for n in range(50)]
        for name in names:
            self.ask(name)
        self.upstream.stop()
        time.sleep(1.2)
        for _ in range(3):
            for name in names:
                self.expect(self.ask(name), OLD, 0, [STALE])

    def test_failures_do_not_replace_it(self):
        """SERVFAIL and REFUSED leave the old answer; NXDOMAIN is an answer, and its own is stale later."""
        self.serve("serve_stale")
        self.age()
        for rcode in (SERVFAIL, dnswire.REFUSED):
            self.say = self.rcode_is(rcode)
            asked = self.questions()
            self.expect(self.ask(), OLD, 0, [STALE])
            harness.wait_for(lambda: self.questions() > asked, 3, "the refresh")
            time.sleep(1.2)
        self.say = self.rcode_is(NXDOMAIN)
        harness.wait_for(lambda: self.ask().rcode == NXDOMAIN, 3, "the denial")
        time.sleep(1.2)
        self.say = self.silence
        self.assertEqual((lambda m: (m.rcode, reasons(m)))(self.ask()), (NXDOMAIN, [STALE_NXDOMAIN]))

    def test_failure_recheck(self):
        """Upstream is left alone for a while after it failed."""
        self.serve("serve_stale 1h immediate 0s 60s")
        self.age()
        self.say = self.rcode_is(SERVFAIL)
        self.ask()
        harness.wait_for(lambda: self.questions() == 2, 2, "the refresh")
        for _ in range(3):
            time.sleep(1.1)
            self.expect(self.ask(), OLD, 0, [STALE])
        self.assertEqual(self.questions(), 2)

    def test_with_directives_before_and_behind_the_cache(self):
        """A chain that sees every query, and one that asks another name."""
        self.serve("serve_stale", more="bufsize 1232\nnsid here\nrewrite name b.cluster.local a.cluster.local")
        self.expect(self.ask("b.cluster.local"), OLD)
        time.sleep(1.2)
        self.say = self.address_is(NEW)
        self.expect(self.ask("b.cluster.local"), OLD, 0, [STALE])
        harness.wait_for(lambda: self.ask("b.cluster.local").data(dnswire.A) == [NEW], 2, "the new answer")
        self.assertEqual({a.name for a in self.upstream.asked}, {"a.cluster.local"})

    def test_a_reload_keeps_it(self):
        self.serve("serve_stale")
        self.age()
        self.say = self.silence
        os.kill(self.ringlet.pid, signal.SIGUSR1)
        harness.wait_for(lambda: "Reloading complete" in self.ringlet.log(), 5, "the reload")
        self.expect(self.ask(), OLD, 0, [STALE])


class Verify(StaleCase):
    def test_upstream_is_asked_first(self):
        self.serve("serve_stale 1h verify")
        self.age()
        self.say = self.address_is(NEW)
        self.expect(self.ask(), NEW, 1)
        time.sleep(1.2)
        self.say = self.rcode_is(NXDOMAIN)
        self.assertEqual(self.ask().rcode, NXDOMAIN)

    def test_upstream_fails(self):
        """SERVFAIL, refused, no connection: the old answer in its place, and for a second upstream is left alone."""
        self.serve("serve_stale 1h verify 0 30s")
        self.age()
        self.say = self.rcode_is(SERVFAIL)
        self.expect(self.ask(), OLD, 30, [STALE])
        asked = self.questions()
        self.expect(self.ask(), OLD, 30, [STALE])
        self.assertEqual(self.questions(), asked)
        self.upstream.stop()
        time.sleep(1.2)
        self.expect(self.ask(), OLD, 30, [STALE])
        self.assertGreaterEqual(self.metrics().sum("ringlet_stale_answers_total", reason="failed"), 2)

    def test_upstream_is_silent(self):
        """The old answer before a client gives up (RFC 8767: 1.8 s), or when the Corefile says."""
        for option in ("verify", "verify 100ms"):
            with self.subTest(option):
                self.serve(f"serve_stale 1h {option}")
                self.age()
                self.say = self.silence
                begun = time.monotonic()
                self.expect(self.ask(), OLD, 0, [STALE])
                took = time.monotonic() - begun
                # SERVFAIL comes after 3.9 s.
                self.assertLess(took, 3)
                self.report(f"{option}: after {took:.2f} s")
                self.expect(self.ask(), OLD, 0, [STALE])
                self.assertEqual(self.metrics().sum("ringlet_stale_answers_total", reason="late"), 1)

    def test_a_late_answer_is_kept(self):
        """Who waited has the old one, who comes later the new one."""
        self.serve("serve_stale 1h verify 100ms")
        self.age()

        async def late(asked):
            await asyncio.sleep(0.6)
            asked.send(asked.response(dnswire.record(asked.name, dnswire.A, 60, NEW)))

        self.say = late
        self.expect(self.ask(), OLD, 0, [STALE])
        harness.wait_for(lambda: self.ask().data(dnswire.A) == [NEW], 3, "the new answer")

    def test_prefer_positive(self):
        """A name that was there, and is not any more, is: for as long as its old answer may be used."""
        self.serve("serve_stale 5s verify", "serve_stale_policy prefer_positive")
        self.age()
        for rcode in (NXDOMAIN, NOERROR):
            self.say = self.rcode_is(rcode)
            self.expect(self.ask(), OLD, 0, [STALE])
            time.sleep(1.1)
        self.assertEqual(self.metrics().sum("ringlet_stale_answers_total", reason="denied"), 2)
        self.assertEqual(self.ask("other.cluster.local").rcode, NOERROR)
        time.sleep(3)
        self.say = self.rcode_is(NXDOMAIN)
        self.assertEqual(self.ask().rcode, NXDOMAIN, "too old")
        self.say = self.address_is(NEW)
        time.sleep(1.2)
        self.expect(self.ask(), NEW, 1)

    def test_prefer_positive_and_immediate(self):
        """The old answer at once, and goes on though upstream denies the name; a block without the policy takes the
        denial."""
        preferring = cache("serve_stale 1h immediate", "serve_stale_policy prefer_positive")
        self.say = self.address_is(OLD)
        self.upstream = peer.Peer(self.script)
        self.addCleanup(self.upstream.stop)
        other = "a.other.cluster.local"
        self.ringlet = self.start_ringlet_with(lambda port: "".join(
            harness.corefile(self.upstream.address, port=port, cache=stores, domain=domain)
            for domain, stores in (("cluster.local", preferring), ("other.cluster.local", cache("serve_stale 1h immediate")))))
        self.address = ("127.0.0.1", self.ringlet.port)
        for name in (NAME, other):
            self.expect(self.ask(name), OLD)
        time.sleep(1.2)
        self.say = self.rcode_is(NXDOMAIN)
        for name in (NAME, other):
            self.expect(self.ask(name), OLD, 0, [STALE])
            harness.wait_for(lambda: self.questions(name) == 2, 2, "the refresh")
        harness.wait_for(lambda: self.ask(other).rcode == NXDOMAIN, 2, "the denial")
        for _ in range(2):
            self.expect(self.ask(), OLD, 0, [STALE])
            time.sleep(1.2)

    def test_two_shards(self):
        """Whichever shard a client comes to."""
        self.serve("serve_stale 1h verify 100ms", shards=2)
        names = [f"n{n}.cluster.local" for n in range(8)]
        for name in names:
            self.expect(self.ask(name), OLD)
        time.sleep(1.2)
        self.say = self.silence
        for name in names:
            for _ in range(4):
                self.expect(self.ask(name), OLD, 0, [STALE])


class Prefetch(StaleCase):
    ttl = 10

    def test_a_popular_answer(self):
        """After three hits, with nine tenths of its TTL left: one refresh, whatever the shards and the hits."""
        self.serve("prefetch 3 1m 90%", shards=2)
        self.expect(self.ask(), OLD)
        self.say = self.address_is(NEW)
        self.ttl = 60
        time.sleep(1.1)
        packets = [dnswire.query(NAME, dnswire.A, id=n) for n in range(500)]
        for exchange in clients.ask_all(self.address, packets, linger=0.3):
            self.assertEqual(exchange.reply.rcode, NOERROR)
        self.expect(self.ask(), NEW)
        self.assertEqual(self.questions(), 2)
        self.assertEqual(self.metrics().sum("coredns_cache_prefetch_total"), 1)
        self.assertEqual(self.metrics().sum("coredns_cache_served_stale_total"), 0)

    def test_what_nobody_asks_for(self):
        """Too few hits, too long a pause between them, too much of the TTL left."""
        for option, asks, pause in (("prefetch 9 1m 90%", 5, 0), ("prefetch 2 1s 90%", 3, 1.3), ("prefetch 2", 5, 0)):
            with self.subTest(option):
                self.serve(option)
                self.ask()
                time.sleep(1.1)
                for _ in range(asks):
                    time.sleep(pause)
                    self.expect(self.ask(), OLD)
                time.sleep(0.3)
                self.assertEqual(self.questions(), 1)

    def test_a_failure_leaves_the_answer(self):
        self.serve("prefetch 2 1m 90%", "servfail 5s")
        self.ask()
        self.say = self.rcode_is(SERVFAIL)
        time.sleep(1.1)
        for _ in range(5):
            self.expect(self.ask(), OLD)
        harness.wait_for(lambda: self.questions() == 2, 2, "the refresh")
        time.sleep(0.2)
        self.expect(self.ask(), OLD)


class Reasons(StaleCase):
    """Extended errors of SERVFAILs that Ringlet makes itself."""

    def check(self, code, **options):
        message = self.ask(**options)
        self.assertEqual((message.rcode, reasons(message)), (SERVFAIL, [code]))

    def test_silent_upstream(self):
        self.serve("servfail 5s")
        self.say = self.silence
        self.check(UNREACHABLE)
        self.check(CACHED_ERROR)
        self.check(CACHED_ERROR, tcp=True)
        self.assertIsNone(self.ask(edns=False).edns)

    def test_refusing_upstream(self):
        self.serve()
        self.upstream.stop()
        message = self.ask()
        self.assertEqual(message.rcode, SERVFAIL)
        self.assertIn(reasons(message), ([NETWORK], [UNREACHABLE]))

    def test_malformed_answer(self):
        self.serve()

        async def malformed(asked):
            asked.send(asked.response(dnswire.record(asked.name, dnswire.A, 30, b"\x0a")[:-1]))

        self.say = malformed
        self.check(INVALID)

    def test_decisions_of_a_directive(self):
        """Names that a directive keeps for itself, and has nothing for, and those for which there is no forward."""
        template = 'template IN A {{\n        match "^known[.]"\n        answer "{{{{ .Name }}}} 30 IN A {}"\n    }}'
        for what, options in {
            "except": {"options": "force_tcp\nexcept svc.cluster.local"},
            "hosts": {"more": "hosts {\n        10.0.0.1 b.svc.cluster.local\n    }"},
            "template": {"more": template.format("10.0.0.1")},
            "a template's record is none": {"more": template.replace("known", "a").format("nowhere")},
        }.items():
            with self.subTest(what):
                self.serve(**options)
                self.check(OTHER)
                self.check(OTHER, tcp=True)
                self.assertIsNone(self.ask(edns=False).edns)
                self.assertEqual(self.upstream.asked, [])

    def test_no_forward(self):
        ringlet = self.start_ringlet_with(lambda port: f"cluster.local:{port} {{\n    bind 127.0.0.1\n    cache 30\n}}\n")
        self.address = ("127.0.0.1", ringlet.port)
        self.check(OTHER)

    def test_shedding(self):
        """One address that has more than its share of a full table's questions."""
        self.serve()
        self.say = self.silence
        packets = [dnswire.query(f"n{n}.cluster.local", id=n, edns=dnswire.opt()) for n in range(2500)]
        found = collections.Counter((e.reply.rcode, *reasons(e.reply)) for e in clients.ask_all(self.address, packets))
        refused = int(self.metrics().sum("ringlet_dropped_total", reason="questions_of_client"))
        self.assertGreater(refused, 0)
        self.assertEqual(found[SERVFAIL, OTHER], refused)
        waited = found[SERVFAIL, UNREACHABLE] + found[SERVFAIL, NETWORK]
        self.assertEqual(waited, 2500 - refused, found)

    def test_upstreams_own(self):
        """It is not ours to explain."""
        self.serve()
        self.say = self.rcode_is(SERVFAIL)
        self.assertEqual(reasons(self.ask()), [])


if __name__ == "__main__":
    unittest.main()
