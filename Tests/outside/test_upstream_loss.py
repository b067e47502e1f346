"""The upstream goes away under load and comes back; and what an upstream over UDP may lose or garble."""

import asyncio
import collections
import os
import signal
import socket
import threading
import time

import clients
import dnswire
import harness
import peer
import zone

BUDGET = 4.5  # seconds: the 4 s a client query may take, and some for a busy machine


class Load:
    """Asks a cached name and a new one, each from its own thread and socket, every `pause` seconds."""

    Sample = collections.namedtuple("Sample", "kind name at took rcode")

    def __init__(self, address, pause=0.02):
        self.address, self.pause, self.samples = address, pause, []
        self._end = threading.Event()
        self._threads = []
        self._timer = threading.Thread(target=self._tick)
        self._timer.start()

    def _tick(self):
        count = 0
        while not self._end.is_set():
            for kind, name in (
                ("hit", zone.service(count % 10)),
                ("miss", zone.service(100 + count % 4900)),
                ("nosuch", f"u-{count}.ns-1.svc.cluster.local"),
            ):
                thread = threading.Thread(target=self._ask, args=(kind, name, count & 0xFFFF))
                thread.start()
                self._threads.append(thread)
            count += 1
            self._end.wait(self.pause)

    def _ask(self, kind, name, id):
        start = time.monotonic()
        reply = clients.ask(self.address, dnswire.query(name, id=id), timeout=6)
        took = time.monotonic() - start
        rcode = dnswire.decode(reply).rcode if reply else None
        self.samples.append(self.Sample(kind, name, start, took, rcode))

    def stop(self):
        self._end.set()
        self._timer.join(5)
        for thread in self._threads:
            thread.join(8)


class UpstreamLoss(harness.OutsideCase):
    AWAY = 6  # seconds without upstream, so that the budget of a query ends inside

    def test_killed_under_load(self):
        """kill -9 of nsd: hits go on, misses are SERVFAIL within 4 s, service is back within 1 s of nsd, without a restart."""
        for shards in (1, 2):
            with self.subTest(shards=shards):
                self.check(shards)

    def check(self, shards):
        nsd = self.start_nsd()
        ringlet = self.start_ringlet(f"127.0.0.1:{nsd.port}", shards=shards)
        address = ("127.0.0.1", ringlet.port)
        for n in range(10):
            self.assertIsNone(self.oracle.fault(q := dnswire.query(zone.service(n)), dnswire.decode(clients.ask(address, q))))
        load = Load(address)
        try:
            time.sleep(1)
            nsd.kill()
            killed = time.monotonic()
            time.sleep(self.AWAY)
            nsd.start()
            nsd.wait_ready()
            returned = time.monotonic()
            time.sleep(2)
        finally:
            load.stop()
        self.assertTrue(ringlet.alive())
        unanswered = [s for s in load.samples if s.rcode is None]
        self.assertEqual(unanswered, [])
        slow = [s for s in load.samples if s.took > BUDGET]
        self.assertEqual(slow, [])
        self.assertEqual(
            [(s.name, s.at - killed, s.rcode) for s in load.samples if s.kind == "hit" and s.rcode != dnswire.NOERROR], []
        )
        away = [s for s in load.samples if s.kind != "hit" and killed + 0.2 < s.at < returned - 0.5]
        self.assertEqual({s.rcode for s in away if s.at + s.took < returned - 0.1}, {dnswire.SERVFAIL})
        right = {"miss": dnswire.NOERROR, "nosuch": dnswire.NXDOMAIN}
        after = [s for s in load.samples if s.kind == "nosuch" and s.at > returned + 1]
        self.assertTrue(after)
        self.assertEqual([s for s in after if s.rcode != right[s.kind]], [])
        first = min(s.at + s.took for s in load.samples if s.at > killed + 0.2 and s.rcode == dnswire.NXDOMAIN)
        self.report(f"{shards} shard(s): service back {(first - returned) * 1000:.0f} ms after nsd")
        self.assertLess(first - returned, 1.0)

    def test_stopped_without_word(self):
        """SIGSTOP of nsd, so that connections stay open and silent: SERVFAIL within 4 s, back within 1 s of SIGCONT."""
        nsd = self.start_nsd()
        ringlet = self.start_ringlet(f"127.0.0.1:{nsd.port}")
        address = ("127.0.0.1", ringlet.port)
        self.assertIsNotNone(clients.ask(address, dnswire.query(zone.service(1))))
        everyone = [nsd.pid, *harness.descendants(nsd.pid)]
        for pid in everyone:
            os.kill(pid, signal.SIGSTOP)
        exchanges = clients.ask_all(address, [dnswire.query(zone.service(n)) for n in range(100, 200)])
        for exchange in exchanges:
            self.assertEqual(exchange.rcodes, [dnswire.SERVFAIL])
            self.assertLess(exchange.took[0], BUDGET)
        for pid in everyone:
            os.kill(pid, signal.SIGCONT)
        probes = iter(range(300, 1000))

        def answered():
            reply = clients.ask(address, dnswire.query(zone.service(next(probes))), timeout=0.1)
            return reply and dnswire.decode(reply).rcode == dnswire.NOERROR

        harness.wait_for(answered, 1.2, "service to resume")


class UDPUpstream(harness.OutsideCase):
    """An upstream asked over UDP (`prefer_udp`)."""

    def start(self, script, options="prefer_udp"):
        self.upstream = peer.Peer(script)
        self.addCleanup(self.upstream.stop)
        ringlet = self.start_ringlet(self.upstream.address, options=options)
        self.address = ("127.0.0.1", ringlet.port)

    def check(self, name, budget=BUDGET):
        """A right answer to one UDP client, once."""
        (exchange,) = clients.ask_all(self.address, [dnswire.query(name, id=77)], linger=0.1)
        self.assertEqual(exchange.rcodes, [dnswire.NOERROR], name)
        self.assertEqual((exchange.reply.id, exchange.reply.data(dnswire.A)), (77, [peer.address_of(name)]), name)
        self.assertLess(exchange.took[0], budget)

    def test_truncated(self):
        """TC over UDP: the question goes to TCP, and the whole answer to the client."""

        async def truncating(asked):
            asked.send(asked.response(flags=dnswire.TC) if asked.transport == "udp" else asked.address())

        self.start(truncating)
        self.check("tc.svc.cluster.local")
        self.assertEqual([a.transport for a in self.upstream.asked], ["udp", "tcp"])

    def test_lost(self):
        """A datagram lost: asked again, answered within the budget."""

        async def lossy(asked):
            if asked.nth > 1:
                asked.send(asked.address())

        self.start(lossy)
        packets = [dnswire.query(f"lost{n}.svc.cluster.local") for n in range(50)]
        for exchange in clients.ask_all(self.address, packets):
            name = dnswire.decode(exchange.packet).name
            self.assertEqual([dnswire.decode(r).data(dnswire.A) for r in exchange.replies], [[peer.address_of(name)]])
        self.assertLessEqual(max(a.nth for a in self.upstream.asked), 3)

    def test_all_lost(self):
        """Every datagram lost: SERVFAIL within the budget after at most three tries."""

        async def silent(asked):
            pass

        self.start(silent)
        (exchange,) = clients.ask_all(self.address, [dnswire.query("gone.svc.cluster.local")])
        self.assertEqual(exchange.rcodes, [dnswire.SERVFAIL])
        self.assertLess(exchange.took[0], BUDGET)
        # Beside what looks whether it is back.
        self.assertLessEqual(len(self.upstream.questions("gone.svc.cluster.local")), 3)

    def test_wrong_then_right(self):
        """Wrong id, wrong question, a query, noise: passed over, and the right answer is waited for."""
        wrong = {
            "id": lambda a: a.response(dnswire.record(a.name, dnswire.A, 30, bytes(4)), id=a.message.id ^ 1),
            "question": lambda a: a.response(question=dnswire.query("x.cluster.local")[dnswire.QUESTION :]),
            "rcode-only": lambda a: dnswire.header(a.message.id, dnswire.QR | dnswire.REFUSED),
            "query": lambda a: a.raw,
            "short": lambda a: a.raw[:5],
            "noise": lambda a: bytes(40),
        }

        async def garble(asked):
            asked.send(wrong[asked.name.split(".")[0]](asked))
            await asyncio.sleep(0.05)
            asked.send(asked.address())

        self.start(garble)
        for kind in wrong:
            with self.subTest(kind=kind):
                self.check(f"{kind}.svc.cluster.local")

    def test_other_source(self):
        """An answer that comes from another port than was asked is not believed."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind(("127.0.0.1", 0))

            async def spoofed(asked):
                if asked.transport == "udp":
                    stranger.sendto(asked.response(dnswire.record(asked.name, dnswire.A, 30, bytes(4))), asked.source)
                    await asyncio.sleep(0.05)
                asked.send(asked.address())

            self.start(spoofed)
            for n in range(10):
                self.check(f"spoof{n}.svc.cluster.local")

    def test_answered_twice(self):
        """A doubled datagram reaches the client once and nobody else."""

        async def twice(asked):
            asked.send(asked.address())
            asked.send(asked.address())

        self.start(twice)
        for n in range(20):
            self.check(f"twice{n}.svc.cluster.local")

    def test_ids_and_ports_vary(self):
        """Ids are spread over 16 bits and source ports change: neither can be guessed from the last one (RFC 5452)."""
        self.start(peer.answer_by_name)
        for n in range(128):
            self.assertIsNotNone(clients.ask(self.address, dnswire.query(f"vary{n}.svc.cluster.local", id=5)))
        ids = [a.message.id for a in self.upstream.asked]
        self.assertEqual(len(ids), 128)
        self.assertGreater(len(set(ids)), 120)
        self.assertGreater(len({i >> 12 for i in ids}), 8)
        near = sum(abs(a - b) < 256 for a, b in zip(ids, ids[1:]))
        self.assertLess(near, 16)
        self.assertGreater(len({a.source[1] for a in self.upstream.asked}), 32)

    def test_nobody_listens(self):
        """A port that answers with ICMP: SERVFAIL within the budget."""
        ringlet = self.start_ringlet(f"127.0.0.1:{harness.free_port()}", options="prefer_udp")
        (exchange,) = clients.ask_all(("127.0.0.1", ringlet.port), [dnswire.query("nobody.svc.cluster.local")])
        self.assertEqual(exchange.rcodes, [dnswire.SERVFAIL])
        self.assertLess(exchange.took[0], BUDGET)

    def test_protocol_followed(self):
        """Without force_tcp and prefer_udp the client's protocol is the upstream's; with each of them, theirs."""
        for options, expected in (
            ("", ["udp", "tcp"]),
            ("prefer_udp", ["udp", "udp"]),
            ("force_tcp", ["tcp", "tcp"]),
            ("force_tcp\nprefer_udp", ["tcp", "tcp"]),
        ):
            with self.subTest(options=options):
                self.start(peer.answer_by_name, options=options)
                self.assertIsNotNone(clients.ask(self.address, dnswire.query("one.svc.cluster.local")))
                self.assertIsNotNone(clients.ask_tcp(self.address, dnswire.query("two.svc.cluster.local")))
                self.assertEqual([a.transport for a in self.upstream.asked], expected)
