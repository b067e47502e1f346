"""What a cached answer costs, by counting: no allocation, no lock, hardly a system call; and what start and memory cost."""

import os
import pathlib
import re
import signal
import statistics
import struct
import time

import clients
import dnswire
import harness
import zone

# System calls of a turn of the ring that brings queries and takes answers.
TURN = ("epoll_pwait2", "recvmmsg", "sendmmsg") if harness.IS_ON_EPOLL else ("io_uring_enter",)
SECONDS = 2 if harness.QUICK else 4
MiB = 1024  # in KiB, as /proc counts


class HotPath(harness.OutsideCase):
    def start(self, **options):
        """Ringlet with 1,000 services in its cache, and then without an upstream: what is right now was cached."""
        nsd = self.start_nsd()
        self.ringlet = self.start_ringlet(f"127.0.0.1:{nsd.port}", **options)
        self.hits = self.write("hits.txt", "".join(f"{zone.service(n)} A\n" for n in range(1000)))
        self.load("-n", "1", "-q", "50")
        nsd.kill()

    def load(self, *options):
        result = harness.dnsperf(self.ringlet.port, self.hits, *options)
        self.assertEqual(result.rcodes, {"NOERROR": result.completed})
        return result

    def traced(self, *options):
        """(answers, {system call: count}) of a load under strace."""
        output = os.path.join(self.directory, "strace")
        tracer = harness.Process(["strace", "-c", "-f", "-o", output, "-p", str(self.ringlet.pid)], output + ".log")
        try:
            harness.wait_for(lambda: "attached" in tracer.log(), 10, "strace")
            result = self.load(*options)
        finally:
            tracer.end(signal.SIGINT)
        rows = re.findall(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", pathlib.Path(output).read_text(), re.M)
        return result.completed, {name: int(calls) for calls, name in rows if name != "total"}

    def turns(self, calls):
        """Takes the system calls of turns out of `calls`: how many turns there were, by the call made most often."""
        return max(calls.pop(name, 0) for name in TURN)

    def test_syscalls_at_low_load(self):
        """One query at a time: one turn of the ring answers it, and next to nothing else."""
        self.start()
        answers, calls = self.traced("-l", str(SECONDS), "-c", "1", "-q", "1", "-Q", "500")
        turns = self.turns(calls) / answers
        self.report(f"{turns:.2f} turns per answer, others {calls}")
        self.assertLessEqual(turns, 1.1)
        self.assertGreater(answers, 20)
        self.assertEqual(calls.get("futex", 0), 0)
        self.assertLess(sum(calls.values()) / answers, 0.1)

    def test_syscalls_under_load(self):
        """Many queries at a time: one turn carries many, without a futex call."""
        for shards in (1, 2):
            with self.subTest(shards=shards):
                self.start(shards=shards)
                answers, calls = self.traced("-l", str(SECONDS), "-c", "16", "-q", "200")
                turns = self.turns(calls) / answers
                self.report(f"{shards} shard(s): {turns:.3f} turns per answer, others {calls}")
                self.assertLess(turns, 0.5)
                self.assertGreater(answers, 1000)
                self.assertEqual(calls.get("futex", 0), 0)
                self.assertLess(sum(calls.values()) / answers, 0.01)

    def counted(self, *options):
        """(answers, {thread: (CPU seconds, allocations, locks)}) of a load."""
        before, used = self.counts(), {t: self.ringlet.cpu_seconds(t) for t in self.ringlet.threads}
        result = self.load(*options)
        after = self.counts()
        rows = {}
        for thread in self.ringlet.threads:
            allocations, locks = (a - b for a, b in zip(after.get(thread, (0, 0)), before.get(thread, (0, 0))))
            rows[thread] = self.ringlet.cpu_seconds(thread) - used.get(thread, 0), allocations, locks
        return result.completed, rows

    def counts(self):
        slots = struct.iter_unpack("4l", pathlib.Path(self.counting).read_bytes())
        return {thread: (allocations, locks) for thread, allocations, locks, _ in slots if thread}

    def test_no_allocation_no_lock(self):
        """Threads that answer from the cache allocate nothing, free nothing and take no lock, over UDP and over TCP."""
        library = os.path.join(self.directory, "counting.so")
        harness.run(
            "gcc", "-O2", "-shared", "-fPIC", str(pathlib.Path(__file__).with_name("counting.c")), "-o", library, "-ldl"
        )
        for shards in (1, 2):
            self.counting = self.write(f"counts.{shards}", "\0" * 256 * 32)
            self.start(shards=shards, env={"LD_PRELOAD": library, "COUNTING_FILE": self.counting})
            for mode in ("udp", "tcp"):
                with self.subTest(shards=shards, mode=mode):
                    load = "-m", mode, "-c", "16", "-q", "200", "-l"
                    self.load(*load, "0.5" if mode == "udp" else "1")
                    answers, threads = self.counted(*load, str(SECONDS))
                    allocations = sum(a for _, a, _ in threads.values())
                    locks = sum(l for _, _, l in threads.values())
                    self.report(f"{shards} shard(s), {mode}: {allocations} allocations and {locks} locks in {answers} answers")
                    self.assertGreater(answers, 1000)
                    # What accepting 16 clients costs is no answer's cost.
                    self.assertLess(allocations, 16 + answers / 1000)
                    self.assertLess(locks, 16 + answers / 1000)
                    if mode == "udp":
                        busy = [row for row in threads.values() if row[0] > SECONDS * 0.1]
                        self.assertTrue(busy, threads)
                        self.assertEqual([(a, l) for _, a, l in busy if a or l], [])

    def test_memory(self):
        """10,000 entries, half of them denials: at most 24 MiB resident."""
        for shards in (1, 2):
            with self.subTest(shards=shards):
                nsd, port = self.start_nsd(), harness.free_port()
                ringlet = self.start_ringlet(f"127.0.0.1:{nsd.port}", shards=shards, more=f"prometheus 127.0.0.1:{port}")
                empty = ringlet.rss_kib
                lines = [f"{zone.service(n)} A\nu-{n}.ns-{n % 50}.svc.cluster.local A\n" for n in range(zone.SERVICES)]
                data = self.write("entries.txt", "".join(lines))
                result = harness.dnsperf(ringlet.port, data, "-n", "1", "-q", "50")
                self.assertEqual(result.rcodes, {"NOERROR": zone.SERVICES, "NXDOMAIN": zone.SERVICES})
                entries = harness.scrape(port).sum("coredns_cache_entries")
                full = ringlet.rss_kib
                self.report(f"{shards} shard(s): RSS {full / MiB:.1f} MiB with {entries:.0f} entries, {empty / MiB:.1f} before")
                self.assertGreater(entries, 9500)
                self.assertLessEqual(full, 24 * MiB)

    def test_start(self):
        """From the start of the process to its first answer, fetched from the upstream: at most 100 ms."""
        nsd = self.start_nsd()
        packet = dnswire.query(zone.service(1))
        took = []
        for _ in range(7):
            ringlet = self.start_ringlet(f"127.0.0.1:{nsd.port}", ready=False)
            reply = harness.wait_for(lambda: self.first_answer(ringlet, packet), 5, "the first answer", pause=0.001)
            took.append(time.monotonic() - ringlet.started)
            self.assertIsNone(self.oracle.fault(packet, dnswire.decode(reply)))
        self.report(
            f"start to first answer: {min(took) * 1000:.0f} ms at best, {statistics.median(took) * 1000:.0f} ms median of 7"
        )
        self.assertLessEqual(min(took), 0.1)

    def first_answer(self, ringlet, packet):
        try:
            return ringlet.alive_or_fail() and clients.ask(("127.0.0.1", ringlet.port), packet, timeout=1)
        except ConnectionRefusedError:
            return None
