"""Time: a process that stands still, gets a tenth of a processor, or whose clock is set. TTLs stay right and nobody
storms."""

import datetime
import os
import pathlib
import re
import signal
import socket
import struct
import threading
import time
import unittest

import clients
import dnswire
import harness
import peer


class Time(harness.OutsideCase):
    def serve(self, ttl=30, **options):
        async def script(asked):
            asked.send(asked.address(ttl=ttl))

        self.upstream = peer.Peer(script)
        self.addCleanup(self.upstream.stop)
        options.setdefault("cache", "cache 3600")
        self.ringlet = self.start_ringlet(self.upstream.address, **options)
        self.address = ("127.0.0.1", self.ringlet.port)

    def ttl(self, name):
        reply = clients.ask(self.address, dnswire.query(name, dnswire.A))
        self.assertIsNotNone(reply, name)
        return dnswire.decode(reply).answers[0].ttl

    def stand_still(self, seconds):
        harness.stop_still(self.ringlet.pid)
        time.sleep(seconds)
        os.kill(self.ringlet.pid, signal.SIGCONT)

    def test_a_process_that_stands_still(self):
        """SIGSTOP: what expired meanwhile is asked anew, what did not has that much less to live, and what was asked
        meanwhile is asked for once, or twice where the answer is slow."""
        seconds = 6 if harness.QUICK else 30
        self.serve(ttl=seconds - 1)
        self.assertEqual(self.ttl("short.cluster.local"), seconds - 1)
        self.upstream.script = self.lasting
        self.assertEqual(self.ttl("long.cluster.local"), 300)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect(self.address)
            s.settimeout(5)
            harness.stop_still(self.ringlet.pid)
            for id in range(20):
                s.send(struct.pack("!H", id) + dnswire.query("asked.cluster.local", dnswire.A)[2:])
            time.sleep(seconds)
            before = len(self.upstream.asked)
            os.kill(self.ringlet.pid, signal.SIGCONT)
            self.assertEqual({s.recv(512)[:2] for _ in range(20)}, {struct.pack("!H", id) for id in range(20)})
        self.assertIn(len(self.upstream.asked) - before, (1, 2), "questions for what was asked meanwhile")
        self.assertLessEqual(self.ttl("long.cluster.local"), 300 - seconds + 1)
        self.assertEqual(self.ttl("short.cluster.local"), 300, "expired, and asked anew")

    def test_an_upstream_question_that_stands_still(self):
        """The answer came while the process stood still: the client has it, or its SERVFAIL, and nobody asks twice."""
        self.serve()

        async def late(asked):
            import asyncio

            await asyncio.sleep(0.5)
            asked.send(asked.address())

        self.upstream.script = late
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect(self.address)
            s.settimeout(5)
            s.send(dnswire.query("late.cluster.local", dnswire.A))
            time.sleep(0.2)
            self.stand_still(6)
            reply = dnswire.decode(s.recv(512))
        self.assertIn(reply.rcode, (0, 2))
        self.assertLessEqual(len([a for a in self.upstream.asked if a.name.startswith("late")]), 2)

    def test_many_questions_that_stand_still(self):
        """500 names asked of a silent upstream, and the process stands still for less than a question's time, and for more:
        then each is sent once more at the most, three times in all, and every client has its SERVFAIL."""
        for seconds in (1.5, 6):
            with self.subTest(seconds=seconds):
                self.serve()
                self.upstream.script = self.silent
                packets = [dnswire.query(f"n{n}.cluster.local", dnswire.A, id=n) for n in range(500)]
                found = []
                client = threading.Thread(target=lambda: found.extend(clients.ask_all(self.address, packets, timeout=seconds + 10)))
                client.start()
                harness.wait_for(lambda: len({a.name for a in self.upstream.asked}) == 500, 5, "500 questions")
                # Without probes, which have no such name.
                sent = lambda: sum(a.name.endswith("cluster.local") for a in list(self.upstream.asked))
                harness.stop_still(self.ringlet.pid)
                before = sent()
                time.sleep(seconds)
                os.kill(self.ringlet.pid, signal.SIGCONT)
                time.sleep(0.2)
                at_once = sent() - before
                client.join()
                self.assertEqual([e.rcodes for e in found], [[2]] * 500)
                self.report(f"{seconds} s: {at_once} questions within 0.2 s of the resumption, {sent()} in all")
                self.assertLessEqual(at_once, 500)
                self.assertLessEqual(max(a.nth for a in self.upstream.asked), 3)

    def test_no_clock_that_can_be_set(self):
        """The sources of the query path know no clock but those that only go forward."""
        settable = re.compile(r"REALTIME|CLOCK_TAI|gettimeofday|\btime\((nil|NULL|0|&)|\bDate\(|localtime|gmtime|UTCClock")
        modules = ("Wire", "Cache", "Upstream", "Engine", "Chain", "Memory", "Sockets", "Rings", "Uring", "Epoll")
        for module in (*modules, "CAtomics", "CSocket", "CUring", "CEpoll"):
            paths = [path for path in (harness.ROOT / "Sources" / module).rglob("*") if path.suffix in (".swift", ".c", ".h")]
            self.assertTrue(paths, module)
            for path in paths:
                self.assertIsNone(settable.search(path.read_text()), path)

    def test_a_clock_that_is_set(self):
        """A day ahead, and then two days back: nothing expires early, nothing lives on."""
        library = os.path.join(self.directory, "clock.so")
        source = pathlib.Path(__file__).with_name("clock.c")
        harness.run("gcc", "-O2", "-shared", "-fPIC", str(source), "-o", library, "-ldl")
        clock = pathlib.Path(self.write("clock", ""))
        day = 86400
        set_clock = lambda seconds: os.pwrite(descriptor, struct.pack("=q", seconds), 0)
        with open(clock, "r+b") as file:
            descriptor = file.fileno()
            set_clock(day)
            self.serve(cache="cache {\n        success 9984 3600 1\n    }", env={"LD_PRELOAD": library, "CLOCK_FILE": str(clock)})
            tomorrow = datetime.datetime.now() + datetime.timedelta(days=1)
            self.assertIn(f"{tomorrow:%Y/%m/%d} ", self.ringlet.log())
            for step in (0, day, -day):
                with self.subTest(step):
                    short, long = f"short{step}.cluster.local", f"long{step}.cluster.local"
                    self.upstream.script = self.lasting
                    self.assertEqual(self.ttl(long), 300)
                    self.upstream.script = self.short
                    self.assertEqual(self.ttl(short), 3)
                    set_clock(step)
                    begun = time.monotonic()
                    self.assertIn(self.ttl(short), range(4))
                    time.sleep(3.1)
                    self.assertEqual(self.ttl(short), 3, "expired, and asked anew")
                    passed = int(time.monotonic() - begun)
                    self.assertIn(300 - self.ttl(long), range(passed, passed + 3))
                    self.assertEqual(len(self.upstream.questions(long)), 1)
                    self.assertEqual(len(self.upstream.questions(short)), 2)

    def test_a_tenth_of_a_processor(self):
        """All is answered, slowly; nothing expires early, and hardly a question is asked twice."""
        self.serve(ttl=300, shards=2)
        self.throttle(self.ringlet, 10)
        packets = [dnswire.query(f"n{n % 200}.cluster.local", dnswire.A, id=n) for n in range(2000)]
        exchanges = clients.ask_all(self.address, packets, timeout=10)
        self.assertEqual([len(e.replies) for e in exchanges], [1] * 2000)
        self.assertEqual({e.reply.rcode for e in exchanges}, {0})
        # One question in twenty may be hedged.
        self.assertIn(len(self.upstream.asked), range(200, 211))
        slowest = max(e.took[0] for e in exchanges)
        self.report(f"2,000 queries, 200 questions, slowest answer {slowest:.1f} s")

    @staticmethod
    async def silent(asked):
        pass

    @staticmethod
    async def short(asked):
        asked.send(asked.address(ttl=3))

    @staticmethod
    async def lasting(asked):
        asked.send(asked.address(ttl=300))


if __name__ == "__main__":
    unittest.main()
