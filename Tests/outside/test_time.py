"""Time: a process that stands still, or gets a tenth of a processor. TTLs stay right and nobody storms."""

import os
import signal
import socket
import struct
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
    async def lasting(asked):
        asked.send(asked.address(ttl=300))


if __name__ == "__main__":
    unittest.main()
