"""Upstreams that are slow, silent, closed or wrong: who is asked in their place, how soon, and how seldom they are."""

import asyncio
import collections
import ctypes
import os
import pathlib
import signal
import socket
import struct
import threading
import time

import clients
import dnswire
import harness
import peer

BUDGET = 4.5  # seconds: the 4 s a client query may take, and some for a busy machine


class Connects:
    """Counts the connections begun to a port of 127.0.0.1: the SYN segments that come by loopback."""

    def __init__(self, port):
        # tcpdump -dd 'ip and tcp dst port PORT and tcp[13] & 0x12 = 2', written out.
        program = [
            (0x28, 0, 0, 12), (0x15, 0, 9, 0x0800), (0x30, 0, 0, 23), (0x15, 0, 7, 6), (0xB1, 0, 0, 14),
            (0x48, 0, 0, 16), (0x15, 0, 4, port), (0x50, 0, 0, 27), (0x54, 0, 0, 0x12), (0x15, 0, 1, 2),
            (0x06, 0, 0, 64), (0x06, 0, 0, 0),
        ]  # fmt: skip
        code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
        self.socket.setsockopt(socket.SOL_SOCKET, 26, struct.pack("HP", len(program), ctypes.addressof(code)))
        # When each came (SO_TIMESTAMPNS, socket(7)): among hundreds of threads the reader is late, and reads many at once.
        self.socket.setsockopt(socket.SOL_SOCKET, 35, 1)
        self.socket.bind(("lo", 0x0800))
        self.times = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        while True:
            try:
                _, control, _, _ = self.socket.recvmsg(64, socket.CMSG_SPACE(16))
            except OSError:
                return
            seconds, nanoseconds = struct.unpack("qq", control[0][2])
            self.times.append(seconds + nanoseconds / 1e9)

    def most_in_a_second(self):
        times = list(self.times)
        return max((sum(start <= t < start + 1 for t in times) for start in times), default=0)


class UpstreamsCase(harness.OutsideCase):
    def start_peer(self, script=peer.answer_by_name):
        upstream = peer.Peer(script)
        self.addCleanup(upstream.stop)
        return upstream

    def serve(self, *upstreams, options="force_tcp", **more):
        addresses = " ".join(u if isinstance(u, str) else u.address for u in upstreams)
        self.ringlet = self.start_ringlet(addresses, options=options, **more)
        self.address = ("127.0.0.1", self.ringlet.port)

    def ask(self, *names):
        """The exchanges of these names, all asked at once."""
        return clients.ask_all(self.address, [dnswire.query(n, id=i) for i, n in enumerate(names)], linger=0.05)

    def ask_over(self, seconds, per_second, name="n{}.svc.cluster.local"):
        """Names asked one after the other at their times, each from a thread of its own: (name, seconds, rcode)."""
        results, threads, start = [], [], time.monotonic()

        def one(name):
            began = time.monotonic()
            reply = clients.ask(self.address, dnswire.query(name), timeout=6)
            rcode = dnswire.decode(reply).rcode if reply else None
            results.append((name, time.monotonic() - began, rcode))

        for index in range(int(seconds * per_second)):
            threads.append(threading.Thread(target=one, args=(name.format(index),)))
            threads[-1].start()
            time.sleep(max(0, start + (index + 1) / per_second - time.monotonic()))
        for thread in threads:
            thread.join()
        return results

    def check(self, exchange, rcode=dnswire.NOERROR):
        self.assertEqual(exchange.rcodes, [rcode], dnswire.decode(exchange.packet).name)
        if rcode == dnswire.NOERROR:
            name = dnswire.decode(exchange.packet).name
            self.assertEqual(exchange.reply.data(dnswire.A), [peer.address_of(name)], name)

    def scrape(self):
        return harness.scrape(self.ringlet.setup_port)


async def silent(asked):
    pass


def after(seconds):
    async def late(asked):
        await asyncio.sleep(seconds)
        asked.send(asked.address())

    return late


def saying(rcode):
    async def script(asked):
        asked.send(asked.response(rcode=rcode))

    return script


class KnownFailures(UpstreamsCase):
    """What node-cache is known for, one test each."""

    def test_equal_misses(self):
        """20 clients ask one name at once: one question upstream, and 20 answers."""
        for options in ("force_tcp", "prefer_udp"):
            with self.subTest(options=options):
                upstream = self.start_peer(after(0.2))
                self.serve(upstream, options=options, shards=2)
                for exchange in self.ask(*["one.svc.cluster.local"] * 20):
                    self.check(exchange)
                self.assertEqual(len(upstream.asked), 1)

    def test_refusing(self):
        """Nobody listens: at most five connects in any second, SERVFAIL within four."""
        for shards in (1, 2):
            with self.subTest(shards=shards):
                # Taken, so that no other test's server gets it, and not listened at.
                taken = self.enterContext(socket.socket())
                taken.bind(("127.0.0.1", 0))
                port = taken.getsockname()[1]
                connects = Connects(port)
                self.addCleanup(connects.socket.close)
                self.serve(f"127.0.0.1:{port}", shards=shards)
                results = self.ask_over(6, 100)
                self.assertEqual({rcode for _, _, rcode in results}, {dnswire.SERVFAIL})
                worst = max(took for _, took, _ in results)
                self.assertLess(worst, BUDGET)
                self.assertGreater(len(connects.times), 3)
                most = connects.most_in_a_second()
                self.report(f"{shards} shard(s): {len(results)} misses, {most} connects in a second, worst {worst:.2f} s")
                self.assertLessEqual(most, 5)

    def test_silent(self):
        """Questions are taken and not answered: SERVFAIL within four seconds."""
        self.serve(self.start_peer(silent))
        for exchange in self.ask(*[f"s{n}.svc.cluster.local" for n in range(50)]):
            self.check(exchange, dnswire.SERVFAIL)
            self.assertLess(exchange.took[0], BUDGET)

    def test_silent_beside_another(self):
        """The same with a second upstream: it is asked within half a second, and nobody hears of the first."""
        for options in ("force_tcp", "prefer_udp"):
            with self.subTest(options=options):
                first, second = self.start_peer(silent), self.start_peer()
                self.serve(first, second, options=f"{options}\npolicy sequential")
                waits = []
                for n in range(6):
                    name = f"s{n}.svc.cluster.local"
                    (exchange,) = self.ask(name)
                    self.check(exchange)
                    waits += [second.questions(name)[0].at - a.at for a in first.questions(name)]
                self.assertTrue(waits)
                self.report(f"{options}: the second asked {max(waits) * 1000:.0f} ms after the first at most")
                self.assertLess(max(waits), 0.5)
                (exchange,) = self.ask("last.svc.cluster.local")
                self.check(exchange)
                self.assertEqual(first.questions("last.svc.cluster.local"), [])

    def test_slow_name_on_a_serial_upstream(self):
        """kube-dns answers a TCP connection's questions one after the other. A name that takes five seconds, a new one each
        second, holds up hardly any other."""
        locks = collections.defaultdict(asyncio.Lock)

        async def serial(asked):
            async with locks[asked.connection]:
                if asked.name.startswith("slow"):
                    await asyncio.sleep(5)
                asked.send(asked.address())

        self.serve(self.start_peer(serial))
        slow = threading.Thread(target=self.ask_over, args=(6, 1, "slow{}.svc.cluster.local"))
        slow.start()
        results = self.ask_over(6, 100)
        slow.join()
        self.assertEqual({rcode for _, _, rcode in results}, {dnswire.NOERROR})
        times = sorted(took for _, took, _ in results)
        p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
        self.report(f"others: p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms, worst {times[-1] * 1000:.1f} ms")
        # The promise is 50 ms; a machine that is shared gets ten times that.
        self.assertLess(p99, 0.5)


class Health(UpstreamsCase):
    HALF = 0.5  # seconds between probes

    def bring_down(self, first, name="d{}.svc.cluster.local"):
        """Asks until the silent one is down; then it is asked no more."""
        asked = iter(range(100))

        def is_down():
            self.check(self.ask(name.format(next(asked)))[0])
            return self.scrape().sum("ringlet_upstream_up", to=first.address) == 0

        harness.wait_for(is_down, 10, "the silent upstream to be down")

    def probes(self, upstream, domain="."):
        return [a for a in list(upstream.asked) if a.message.type == dnswire.NS and a.name == domain]

    def test_down_and_back(self):
        """More failures than max_fails: down, and probed until the first answer, whatever it is."""
        answers = threading.Event()

        async def moody(asked):
            if answers.is_set():
                asked.send(asked.response(rcode=dnswire.REFUSED) if asked.message.type == dnswire.NS else asked.address())

        first, second = self.start_peer(moody), self.start_peer()
        self.serve(first, second, options="prefer_udp\npolicy sequential\nhealth_check 200ms no_rec domain up.example")
        self.bring_down(first)
        asked = len([a for a in first.asked if a.message.type == dnswire.A])
        time.sleep(2.2)
        probes = self.probes(first, "up.example.") or self.probes(first, "up.example")
        self.assertGreater(len(probes), 5)
        self.assertLess(len(probes), 20)
        self.assertTrue(all(not a.message.flags & dnswire.RD for a in probes))
        for exchange in self.ask(*[f"e{n}.svc.cluster.local" for n in range(50)]):
            self.check(exchange)
        self.assertEqual(len([a for a in first.asked if a.message.type == dnswire.A]), asked)
        self.assertGreater(self.scrape().sum("coredns_proxy_healthcheck_failures_total", to=first.address), 0)
        answers.set()
        harness.wait_for(lambda: self.scrape().sum("ringlet_upstream_up", to=first.address) == 1, 3, "it to be up")
        count = len(first.asked)
        self.check(self.ask("f.svc.cluster.local")[0])
        self.assertEqual(len(first.asked), count + 1)
        self.assertEqual(self.probes(second), [])

    def test_never_down(self):
        """`max_fails 0`: never down, never probed."""
        first, second = self.start_peer(silent), self.start_peer()
        self.serve(first, second, options="prefer_udp\npolicy sequential\nmax_fails 0")
        for n in range(6):
            name = f"n{n}.svc.cluster.local"
            self.check(self.ask(name)[0])
            self.assertEqual(len(first.questions(name)), 1)
        self.assertEqual([a for a in first.asked if a.message.type == dnswire.NS], [])

    def test_kept_over_reload(self):
        """Down before a reload, down after it: no client has to find out again."""
        first, second = self.start_peer(silent), self.start_peer()
        self.serve(first, second, options="force_tcp\npolicy sequential", shards=2)
        self.bring_down(first)
        self.bring_down(first, "g{}.svc.cluster.local")
        text = pathlib.Path(self.ringlet.corefile).read_text()
        pathlib.Path(self.ringlet.corefile).write_text(text.replace("    errors\n", "    errors\n    bufsize 1232\n"))
        os.kill(self.ringlet.pid, signal.SIGUSR1)
        harness.wait_for(lambda: "Reloading complete" in self.ringlet.log(), 10, "the reload")
        self.assertEqual(self.scrape().sum("ringlet_upstream_up", to=first.address), 0)
        asked = len([a for a in first.asked if a.message.type == dnswire.A])
        for exchange in self.ask(*[f"h{n}.svc.cluster.local" for n in range(50)]):
            self.check(exchange)
        self.assertEqual(len([a for a in first.asked if a.message.type == dnswire.A]), asked)

    def test_failfast(self):
        """`failfast_all_unhealthy_upstreams`: SERVFAIL at once where all are down, and counted."""
        upstream = self.start_peer(silent)
        self.serve(upstream, options="prefer_udp\nfailfast_all_unhealthy_upstreams")
        harness.wait_for(
            lambda: self.ask_over(0.2, 10, f"x{time.monotonic_ns()}-{{}}.svc.cluster.local")
            and self.scrape().sum("ringlet_upstream_up") == 0,
            20,
            "the upstream to be down",
        )
        count = len([a for a in upstream.asked if a.message.type == dnswire.A])
        (exchange,) = self.ask("fast.svc.cluster.local")
        self.check(exchange, dnswire.SERVFAIL)
        self.assertEqual(len([a for a in upstream.asked if a.message.type == dnswire.A]), count)
        self.assertGreater(self.scrape().sum("coredns_forward_healthcheck_broken_total"), 0)


class Choice(UpstreamsCase):
    """Whom the options of `forward` name next."""

    def test_policies(self):
        """sequential, round_robin, random: how 90 questions are shared out among three."""
        for policy, is_right in (
            ("sequential", lambda counts: counts == [90, 0, 0]),
            ("round_robin", lambda counts: counts == [30, 30, 30]),
            # On a machine that is busy an answer may be late enough for a second question.
            ("random", lambda counts: 90 <= sum(counts) <= 95 and min(counts) > 10),
        ):
            with self.subTest(policy=policy):
                upstreams = [self.start_peer() for _ in range(3)]
                self.serve(*upstreams, options=f"force_tcp\npolicy {policy}")
                for n in range(90):
                    self.check(self.ask(f"{policy.replace('_', '-')}{n}.svc.cluster.local")[0])
                counts = [len(u.asked) for u in upstreams]
                self.assertTrue(is_right(counts), counts)

    def test_failover(self):
        """Response codes of `failover`: the next upstream; all say the same: that is the answer."""
        for options in ("force_tcp", "prefer_udp"):
            with self.subTest(options=options):
                first, second, third = self.start_peer(saying(dnswire.REFUSED)), self.start_peer(saying(dnswire.SERVFAIL)), self.start_peer()
                self.serve(first, second, third, options=f"{options}\npolicy sequential\nfailover REFUSED SERVFAIL")
                self.check(self.ask("a.svc.cluster.local")[0])
                self.assertEqual([len(u.asked) for u in (first, second, third)], [1, 1, 1])
                self.serve(first, second, options=f"{options}\npolicy sequential\nfailover REFUSED SERVFAIL")
                self.check(self.ask("b.svc.cluster.local")[0], dnswire.SERVFAIL)
                self.serve(second, third, options=f"{options}\npolicy sequential\nfailover REFUSED")
                self.check(self.ask("c.svc.cluster.local")[0], dnswire.SERVFAIL)

    def test_next(self):
        """Response codes of `next`: the next `forward`, and no further than that one's answer."""
        first, second = self.start_peer(saying(dnswire.NXDOMAIN)), self.start_peer()
        third = self.start_peer(saying(dnswire.REFUSED))
        self.serve(
            first,
            options="force_tcp\nnext NXDOMAIN",
            more=f"forward svc.cluster.local {second.address}\nforward . {third.address}",
        )
        self.check(self.ask("a.svc.cluster.local")[0])
        self.check(self.ask("a.pod.cluster.local")[0], dnswire.REFUSED)
        self.assertEqual([len(u.asked) for u in (first, second, third)], [2, 1, 1])

    def test_max_concurrent(self):
        """More questions than `max_concurrent`: REFUSED at once, and counted."""
        upstream = self.start_peer(after(0.5))
        self.serve(upstream, options="force_tcp\nmax_concurrent 10")
        exchanges = self.ask(*[f"c{n}.svc.cluster.local" for n in range(30)])
        counts = collections.Counter(e.rcodes[0] for e in exchanges)
        self.assertEqual(counts, {dnswire.NOERROR: 10, dnswire.REFUSED: 20})
        self.assertEqual(self.scrape().sum("coredns_forward_max_concurrent_rejects_total"), 20)

    def test_expire(self):
        """`expire`: an idle connection is closed after so long."""
        upstream = self.start_peer()
        self.serve(upstream, options="force_tcp\nexpire 1s")
        self.check(self.ask("a.svc.cluster.local")[0])
        self.assertEqual(upstream.open, 1)
        harness.wait_for(lambda: upstream.open == 0, 4, "the idle connection to be closed")
        self.check(self.ask("b.svc.cluster.local")[0])

    def test_failures_are_kept(self):
        """A name that no upstream answers is asked three times, however many ask for it (RFC 9520)."""
        upstream = self.start_peer(silent)
        self.serve(upstream)
        self.ask(*["dead.svc.cluster.local"] * 100)
        started = time.monotonic()
        for exchange in self.ask(*["dead.svc.cluster.local"] * 100):
            self.check(exchange, dnswire.SERVFAIL)
        if time.monotonic() - started < 0.5:
            self.assertLessEqual(len(upstream.questions("dead.svc.cluster.local")), 3)
