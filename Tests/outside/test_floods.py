"""Floods: whoever sends them, cached answers of the others go on, memory stays, and what is received is accounted for."""

import asyncio
import contextlib
import json
import os
import pathlib
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest

import clients
import dnswire
import harness
import peer
import zone
from bystander import NAMES
from dnswire import NOERROR, SERVFAIL

MEMORY = pathlib.Path("/sys/fs/cgroup/memory")


def remove(group):
    """Whether an empty cgroup could be removed."""
    try:
        group.rmdir()
    except OSError:
        return False
    return True


class Bystander:
    """A pod of others, while a flood by this thread and its children is on. The flood leaves one processor for each shard to
    the server, if there are more, and lets it and the pod go first to the others: in a cluster they would have their own."""

    def __init__(self, ringlet, shards):
        self.port = ringlet.port
        self.all = os.sched_getaffinity(0)
        own = set(sorted(self.all)[:shards])
        self.others = self.all - own
        if self.others:
            for thread in os.listdir(f"/proc/{ringlet.pid}/task"):
                os.sched_setaffinity(int(thread), own)

    def __enter__(self):
        program = os.path.join(os.path.dirname(__file__), "bystander.py")
        self.child = subprocess.Popen([sys.executable, program, str(self.port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        os.sched_setaffinity(0, self.others or self.all)
        if os.geteuid() == 0:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        return self

    def __exit__(self, *_):
        os.sched_setaffinity(0, self.all)
        if os.geteuid() == 0:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 0)
        output, _ = self.child.communicate(timeout=30)
        report = json.loads(output)
        self.sent, self.took = report["sent"], report["took"]

    def p99(self):
        """Milliseconds."""
        return 1000 * sorted(self.took)[len(self.took) * 99 // 100]


class Floods(harness.OutsideCase):
    def serve(self, upstream, shards=1, **options):
        options.setdefault("cache", "cache 3600")
        self.ringlet = self.start_ringlet(upstream, shards=shards, **options)
        self.shards = shards
        self.address = ("127.0.0.1", self.ringlet.port)
        for n in range(NAMES):
            self.assertIsNotNone(clients.ask(self.address, dnswire.query(zone.service(n), dnswire.A)))

    def bystander(self):
        return Bystander(self.ringlet, self.shards)

    def check(self, bystander, flood):
        """The others' answers; and when all is over, each query received has its outcome."""
        lost = bystander.sent - len(bystander.took)
        with self.bystander() as idle:
            time.sleep(2)
        self.report(f"{flood}; others: {bystander.sent} asked, {lost} lost, p99 {bystander.p99():.2f} ms (idle {idle.p99():.2f}), "
                    f"slowest {1000 * max(bystander.took):.0f} ms; RSS {self.ringlet.rss_kib >> 10} MiB")
        self.assertGreater(bystander.sent, 20)
        self.assertLessEqual(self.ringlet.own_kib, 1.1 * self.ringlet.ceiling_kib)
        # One in a thousand; of a few hundred, one.
        self.assertLessEqual(lost, max(1, bystander.sent // 1000))
        self.account()

    def account(self):
        """When nothing waits any more. What a flood has left may wait for its turn when all others are answered."""
        with contextlib.suppress(AssertionError):
            harness.wait_for(lambda: (outcome := self.outcomes()) and outcome[0] == sum(outcome[1].values()), 5, "the last turn", 0.1)
        received, outcomes = harness.wait_for(self.outcomes, 10, "the last question to be answered")
        self.assertEqual(received, sum(outcomes.values()), outcomes)

    def outcomes(self):
        """Messages received, and what became of how many; None while questions are pending."""
        if not (metrics := self.settled()):
            return None
        outcomes = {word: metrics.sum(f"ringlet_{word}_total") for word in ("replies", "ignored")}
        for reason in ("backlog", "send_slots", "client_gone", "ring_refused"):
            outcomes[reason] = metrics.sum("ringlet_dropped_total", reason=reason)
        return metrics.sum("ringlet_datagrams_total") + metrics.sum("ringlet_stream_messages_total"), outcomes

    def settled(self):
        metrics = harness.scrape(self.ringlet.setup_port)
        return metrics if metrics.sum("ringlet_pending_questions") == 0 else None

    def test_random_subdomains(self):
        """20,000 names a second that do not exist: what is cached stays cached."""
        nsd = self.start_nsd()
        self.serve(f"127.0.0.1:{nsd.port}", flags=("-cache-bytes", "8000000"))
        dice = random.Random(5)
        names = self.write("random.txt", "".join(f"{dice.randbytes(8).hex()}.cluster.local A\n" for _ in range(200_000)))
        with self.bystander() as others:
            flood = harness.dnsperf(self.ringlet.port, names, "-l", "3" if harness.QUICK else "10", "-Q", "20000", "-c", "50")
        self.check(others, f"{flood.completed} random names")
        before = harness.scrape(self.ringlet.setup_port).sum("coredns_proxy_request_duration_seconds_count")
        for n in range(NAMES):
            self.assertIsNotNone(clients.ask(self.address, dnswire.query(zone.service(n), dnswire.A)))
        metrics = harness.scrape(self.ringlet.setup_port)
        self.assertLessEqual(metrics.sum("coredns_proxy_request_duration_seconds_count") - before, NAMES // 50, "of 50 cached names")

    def test_one_pod_at_full_rate(self):
        nsd = self.start_nsd()
        self.serve(f"127.0.0.1:{nsd.port}", shards=2)
        names = self.write("hits.txt", "".join(f"{zone.service(n)} A\n" for n in range(NAMES)))
        with self.bystander() as others:
            flood = harness.dnsperf(self.ringlet.port, names, "-l", "3" if harness.QUICK else "10", "-c", "1", "-q", "200")
        self.check(others, f"{flood.completed} answers to one client at {flood.qps:.0f}/s")

    def test_a_flood_beyond_the_time_there_is(self):
        """While the server stands still, one client fills its socket, and then others ask: when it goes on, all that it has
        no time for is the flood's, and the others do not wait for the rest of it."""
        upstream = self.start_peer()
        self.serve(upstream.address)
        packet = dnswire.query(zone.service(1), dnswire.A)
        flood = self.client("127.0.0.3")
        others = [self.client(f"127.0.1.{n}") for n in range(1, 101)]
        self.ringlet.child.send_signal(signal.SIGSTOP)
        try:
            # A datagram takes 768 octets of the socket's 8 MiB.
            for _ in range(9000):
                flood.send(packet)
            for s in others:
                s.send(packet)
                s.send(packet)
        finally:
            self.ringlet.child.send_signal(signal.SIGCONT)
        for s in others:
            for _ in range(2):
                self.assertEqual(dnswire.decode(s.recv(512)).rcode, NOERROR)
        self.account()
        metrics = harness.scrape(self.ringlet.setup_port)
        self.assertGreater(metrics.sum("ringlet_dropped_total", reason="backlog"), 1000)
        self.assertEqual(metrics.sum("ringlet_kernel_drops_total"), 0)

    def test_a_flood_that_takes_the_servers_own_processors(self):
        """One pod asks for more than the server can even throw away, on the same processors, while the server reloads again
        and again: the kernel drops the flood's before it costs the server anything, and when it is over, all is as before."""
        upstream = self.start_peer()
        self.serve(upstream.address, shards=2)
        names = self.write("hits.txt", "".join(f"{zone.service(n)} A\n" for n in range(NAMES)))
        seconds = 3 if harness.QUICK else 10
        throttled = 0
        # No processor is left out.
        with Bystander(self.ringlet, os.cpu_count()) as others, harness.flood(self.ringlet.port, names, "127.0.0.3"):
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                os.kill(self.ringlet.pid, signal.SIGUSR1)
                time.sleep(0.25)
                throttled = max(throttled, harness.scrape(self.ringlet.setup_port).sum("ringlet_throttled_clients"))
        harness.wait_for(lambda: harness.scrape(self.ringlet.setup_port).sum("ringlet_throttled_clients") == 0, 5, "the limits to go")
        pod = self.client("127.0.0.3")
        for n in range(NAMES):
            pod.send(dnswire.query(zone.service(n), dnswire.A, id=n))
            self.assertEqual(dnswire.decode(pod.recv(512)).id, n)
        self.assertLessEqual(others.sent - len(others.took), others.sent // 1000)
        drops = harness.scrape(self.ringlet.setup_port).sum("ringlet_kernel_drops_total")
        if throttled:
            self.assertIn("127.0.0.3 asks more than there is time to answer", self.ringlet.log())
        self.check(others, f"500,000/s of one pod, reloads; {throttled:.0f} shards throttle it, the kernel drops {drops:.0f}")

    def client(self, address):
        s = self.enterContext(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        s.bind((address, 0))
        s.connect(self.address)
        s.settimeout(5)
        return s

    def test_slow_tcp_clients(self):
        """10,000 connections that send an octet and wait: the oldest idle ones go, others are accepted."""
        upstream = self.start_peer()
        self.serve(upstream.address)
        count = 10_000
        slow = []
        with self.bystander() as others:
            for _ in range(count):
                s = socket.create_connection(self.address, 5)
                s.send(b"\0")
                slow.append(s)
            # One that asks at once is served among them.
            self.assertIsNotNone(clients.ask_tcp(self.address, dnswire.query(zone.service(1), dnswire.A), timeout=5))
        self.assertLess(len(os.listdir(f"/proc/{self.ringlet.pid}/fd")), 800)
        for s in slow:
            s.close()
        self.check(others, f"{count} slow TCP clients")

    def test_a_million_pipelined_queries(self):
        """One TCP client writes them all at once: each is answered, in its turn."""
        upstream = self.start_peer()
        self.serve(upstream.address)
        count = 1_000_000
        packet = dnswire.query(zone.service(1), dnswire.A)
        frame = struct.pack("!H", len(packet)) + packet
        with self.bystander() as others, socket.create_connection(self.address, 30) as s:
            writer = threading.Thread(target=lambda: s.sendall(frame * count))
            writer.start()
            received, rest = 0, b""
            while received < count:
                data = s.recv(1 << 20)
                self.assertTrue(data, f"closed after {received} answers")
                rest += data
                at = 0
                while at + 2 <= len(rest) and at + 2 + (length := rest[at] << 8 | rest[at + 1]) <= len(rest):
                    at += 2 + length
                    received += 1
                rest = rest[at:]
            writer.join()
        self.check(others, f"{count} queries in one write")

    def test_clients_that_never_read(self):
        """50 TCP clients that ask and ask and read nothing."""
        upstream = self.start_peer()
        self.serve(upstream.address)
        packet = dnswire.query(zone.service(1), dnswire.A)
        frames = (struct.pack("!H", len(packet)) + packet) * 2000
        deaf = [socket.create_connection(self.address, 5) for _ in range(50)]
        before = self.ringlet.own_kib
        with self.bystander() as others:
            for s in deaf:
                s.setblocking(False)
            end = time.monotonic() + 2
            while time.monotonic() < end:
                for s in deaf:
                    try:
                        s.send(frames)
                    except (BlockingIOError, ConnectionError):
                        pass
                time.sleep(0.05)
        self.assertLess(self.ringlet.own_kib - before, 10 << 10)
        for s in deaf:
            s.close()
        self.check(others, "50 clients that never read")

    def test_ten_thousand_wait_for_one_answer(self):
        """10,000 equal queries are one upstream question, and once more when that is late. As many are answered as datagrams can be on their way at once,
        the others are counted, and have their answer when they ask again."""
        async def late(asked):
            if asked.name.startswith("late"):
                await asyncio.sleep(1)
            asked.send(asked.address(ttl=60))

        upstream = self.start_peer(late)
        self.serve(upstream.address)
        packet = dnswire.query("late.cluster.local", dnswire.A)
        sockets = [self.enterContext(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(100)]
        with self.bystander() as others:
            for s in sockets:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
                s.connect(self.address)
            waiting = {(number, id) for number in range(100) for id in range(100)}
            for _ in range(2):
                for number, id in sorted(waiting):
                    sockets[number].send(struct.pack("!H", id) + packet[2:])
                first = len(waiting)
                for number, s in enumerate(sockets):
                    s.settimeout(2 if number == 0 else 0.05)
                    while any(n == number for n, _ in waiting):
                        try:
                            reply = s.recv(512)
                        except TimeoutError:
                            break
                        self.assertEqual(reply[3] & 15, 0)
                        waiting.discard((number, struct.unpack("!H", reply[:2])[0]))
                if first == 10_000:
                    answered = first - len(waiting)
        self.assertEqual(waiting, set())
        self.assertGreaterEqual(answered, 4000)
        self.assertIn(len([a for a in upstream.asked if a.name.startswith("late")]), (1, 2))
        self.check(others, f"10,000 clients waited for one answer, {answered} had it at once")

    def test_64_descriptors(self):
        """With no descriptor left UDP goes on, and TCP when some are free again."""
        upstream = self.start_peer()
        self.serve(upstream.address, limits=("prlimit", "--nofile=64:64"))
        held = [socket.create_connection(self.address, 5) for _ in range(100)]
        with self.bystander() as others:
            time.sleep(1)
            self.assertIsNotNone(clients.ask(self.address, dnswire.query(zone.service(1), dnswire.A)))
        for s in held:
            s.close()
        harness.wait_for(
            lambda: clients.ask_tcp(self.address, dnswire.query(zone.service(1), dnswire.A), timeout=1), 10, "TCP")
        self.check(others, "64 descriptors, 100 TCP clients")

    @unittest.skipUnless(os.access(MEMORY / "cgroup.procs", os.W_OK), "no cgroup of the memory controller")
    def test_64_mebibytes(self):
        """A memory limit of 64 MiB: random names fill the cache with large answers, 200 clients hold connections, and the
        kernel never has to take a page back, let alone end the process."""
        group = MEMORY / f"ringlet-{os.getpid()}"
        group.mkdir()
        self.addCleanup(lambda: harness.wait_for(lambda: remove(group), 5, "the cgroup to be empty"))
        (group / "memory.limit_in_bytes").write_text(str(64 << 20))

        async def large(asked):
            text = b"".join(bytes([200]) + bytes(200) for _ in range(5))
            asked.send(asked.response(dnswire.record(asked.name, 16, 60, text)) if asked.message.type == 16
                       else asked.address(ttl=60))

        upstream = self.start_peer(large)
        into = ("sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$@"', "sh")
        self.serve(upstream.address, shards=2, limits=into)
        names = self.write("large.txt", "".join(f"n{n}.cluster.local TXT\n" for n in range(60_000)))
        held = [socket.create_connection(self.address, 5) for _ in range(200)]
        with self.bystander() as others:
            flood = harness.dnsperf(self.ringlet.port, names, "-m", "tcp", "-l", "5" if harness.QUICK else "20", "-c", "20")
        for s in held:
            s.close()
        peak = int((group / "memory.max_usage_in_bytes").read_text())
        self.assertIn("oom_kill 0", (group / "memory.oom_control").read_text())
        self.assertEqual((group / "memory.failcnt").read_text().strip(), "0")
        self.check(others, f"{flood.completed} large answers in 64 MiB, {peak >> 20} MiB used at most")

    def start_peer(self, script=peer.answer_by_name):
        upstream = peer.Peer(script)
        self.addCleanup(upstream.stop)
        return upstream


class Shedding(harness.OutsideCase):
    """Who goes without when a silent upstream keeps the room for questions (4,096 a shard) full."""

    def flood(self, source, names):
        """Asks for each from an address, as fast as the server's socket takes it."""
        s = self.enterContext(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        s.bind((source, 0))
        s.connect(("127.0.0.1", self.ringlet.port))
        for number, name in enumerate(names):
            s.send(dnswire.query(name, dnswire.A, id=number))
            if number % 50 == 0:
                time.sleep(0.002)
        return s

    def served(self, names):
        address = ("127.0.0.1", self.ringlet.port)
        return [e.rcodes for e in clients.ask_all(address, [dnswire.query(n, dnswire.A, id=i) for i, n in enumerate(names)])]

    def refused(self, reason):
        return self.metrics().sum("ringlet_dropped_total", reason=reason)

    def metrics(self):
        return harness.scrape(self.ringlet.setup_port)

    def start_peer(self):
        async def script(asked):
            if not asked.name.startswith("flood"):
                asked.send(asked.address(ttl=60))

        upstream = peer.Peer(script)
        self.addCleanup(upstream.stop)
        return upstream

    def test_names_outside_the_cluster_go_first(self):
        """Hits are answered, the cluster's names are asked for, others are refused at once."""
        inside, outside = self.start_peer(), self.start_peer()
        options = "force_tcp\nmax_fails 0"
        self.ringlet = self.start_ringlet_with(
            lambda port: harness.corefile(inside.address, port=port)
            + harness.corefile(outside.address, port=port, domain=".", options=options)
        )
        cached = [f"hit{n}.cluster.local" for n in range(50)]
        self.assertEqual(self.served(cached), [[NOERROR]] * 50)
        sockets = [self.flood(f"127.0.1.{n}", [f"flood{n}-{i}.example" for i in range(600)]) for n in range(1, 9)]
        harness.wait_for(lambda: self.refused("questions_external") > 0, 5, "refusals")
        self.assertEqual(self.served(["new.example"]), [[SERVFAIL]])
        self.assertEqual(self.served([f"new{n}.cluster.local" for n in range(200)]), [[NOERROR]] * 200)
        self.assertEqual(self.served(cached), [[NOERROR]] * 50)
        self.assertLessEqual(self.metrics().sum("ringlet_pending_questions"), 3072)
        self.assertEqual(self.refused("questions_of_client") + self.refused("questions"), 0)
        for s in sockets:
            s.close()

    def test_one_client_leaves_room_for_others(self):
        """One that waits for a quarter of what there is room for gets no more of it once half is taken."""
        upstream = self.start_peer()
        self.ringlet = self.start_ringlet(upstream.address, domain=".", options="force_tcp\nmax_fails 0")
        s = self.flood("127.0.1.1", [f"flood{i}.example" for i in range(4000)])
        harness.wait_for(lambda: self.refused("questions_of_client") > 0, 5, "refusals")
        self.assertEqual(self.served([f"new{n}.example" for n in range(200)]), [[NOERROR]] * 200)
        self.assertLessEqual(self.metrics().sum("ringlet_pending_questions"), 2048)
        self.assertGreater(self.metrics().sum("ringlet_oldest_question_seconds"), 0.1)
        # It was told at once: none of its questions is old enough to be given up.
        s.settimeout(1)
        self.assertEqual(s.recv(512)[3] & 15, SERVFAIL)
        # When its questions are done, it is a client like others.
        harness.wait_for(lambda: self.metrics().sum("ringlet_pending_questions") == 0, 10, "the end of its questions")
        s.send(dnswire.query("more.example", dnswire.A, id=9999))
        while (reply := dnswire.decode(s.recv(512))).id != 9999:
            pass
        self.assertEqual(reply.rcode, NOERROR)


if __name__ == "__main__":
    unittest.main()
