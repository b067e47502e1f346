"""Never down: a new process takes over from the old one, and a supervisor starts one that died, with sockets and cache."""

import asyncio
import contextlib
import json
import mmap
import os
import signal
import socket
import struct
import time
import unittest

import dnswire
import harness
from test_reload import NAMES, ReloadCase, lasting, name_of


class HandoverCase(ReloadCase):
    def follow(self, old, **options):
        """A second process with the command line of `old`; ready when it says that it serves."""
        new = self.start_ringlet_with(lambda _: "", like=old, shards=old.shards, ready=False, **options)
        harness.wait_for(lambda: "Takes over" in new.log() and answered(new), 10, "the new process")
        return new

    def fill(self, ringlet):
        for index in range(NAMES):
            self.check(ringlet, name_of(index))


def throttled(ringlet):
    return harness.scrape(ringlet.setup_port).sum("ringlet_throttled_clients")


def overrun(ringlet, engine):
    """Has an engine stand still until its socket is full, however slow the flood is; whether it throttles somebody then."""
    os.kill(engine, signal.SIGSTOP)
    time.sleep(0.1)
    os.kill(engine, signal.SIGCONT)
    return throttled(ringlet) and harness.socket_filters(engine)


def answered(ringlet):
    try:
        return harness.scrape(ringlet.setup_port) is not None
    except OSError:
        return False


class Upgrades(HandoverCase):
    UPGRADES = 5 if harness.QUICK else 20

    def test_the_cache_goes_over(self):
        """Names that the old process asked for are not asked again."""
        self.peer.script = lasting
        old = self.serve(shards=2)
        self.fill(old)
        asked = len(self.peer.asked)
        new = self.follow(old)
        harness.wait_for(lambda: "Handed over to another process" in old.log(), 5, "the old one's word")
        self.fill(new)
        self.assertEqual(len(self.peer.asked), asked)
        old.stop()
        self.check(new, name_of(0))

    def test_upgrades_lose_no_query(self):
        """One process after the other under thousands of queries/s over UDP: all answered, each name asked once."""
        self.peer.script = lasting
        first = self.serve(lambda port: self.block(port, cache="cache 3600"), shards=2)
        self.fill(first)
        asked = len(self.peer.asked)
        running = [first]

        def upgrades(is_over):
            for _ in range(self.UPGRADES):
                running.append(self.follow(running[-1]))
                running[-2].stop()
            self.assertFalse(is_over(), "the load ended before the last upgrade")

        result = self.under_load(first, 8 if harness.QUICK else 25, upgrades, "-Q", harness.RATE)
        self.assertEqual((result.lost, result.rcodes), (0, {"NOERROR": result.completed}), result.text)
        self.assertEqual(len(self.peer.asked), asked, "questions for cached names")
        self.report(f"{self.UPGRADES} upgrades, {result.completed} answers, 0 lost")

    def test_nobody_stays_throttled(self):
        """A client that the old process throttled as it left is answered by the new one: a filter of its socket that nobody
        knows of would drop a part of what it asks for ever."""
        running = [self.serve()]
        names = self.write("flood.txt", f"{name_of(1)} A\n")
        for _ in range(8):
            old = running[-1]
            with harness.flood(old.port, names, "127.0.0.3"):
                harness.wait_for(lambda: overrun(old, old.pid), 20, "a limit")
                running.append(self.follow(old))
                harness.wait_for(lambda: "Handed over to another process" in old.log(), 10, "the old one's word")
            old.stop()
            harness.wait_for(lambda: not throttled(running[-1]), 10, "the limits to go")
            self.assertEqual(harness.socket_filters(running[-1].pid), 0)

    def test_tcp_clients_notice_nothing(self):
        """dnsperf's TCP connections live through upgrades: none is closed, no query is lost."""
        first = self.serve(shards=2)
        running = [first]

        def upgrades(is_over):
            while not is_over():
                running.append(self.follow(running[-1]))
                running[-2].stop()

        result = self.under_load(first, 5, upgrades, "-m", "tcp", "-Q", "3000")
        self.assertEqual((result.lost, result.rcodes), (0, {"NOERROR": result.completed}), result.text)
        self.assertRegex(result.text, r"Reconnections:\s+0\n")
        self.report(f"{len(running) - 1} upgrades, {result.completed} answers over TCP, 0 lost")

    def test_the_old_one_comes_back(self):
        """A new process that dies leaves the old one serving again, with the cache."""
        self.peer.script = lasting
        old = self.serve(shards=2)
        self.fill(old)
        asked = len(self.peer.asked)
        new = self.follow(old)
        os.kill(new.pid, signal.SIGKILL)
        new.ended()
        self.fill(old)
        self.assertIn("serving again", old.log())
        self.assertEqual(len(self.peer.asked), asked)

    def test_a_process_that_cannot_start_takes_nothing(self):
        """A faulty Corefile ends the new process; the old one does not notice."""
        old = self.serve()
        self.replace(old, "faulty {")
        new = self.start_ringlet_with(lambda _: "", like=old, shards=old.shards, ready=False)
        self.assertEqual(new.ended(), 1)
        self.check(old, name_of(1))
        self.assertNotIn("Handed over", old.log())

    def test_an_old_one_that_ends_at_once(self):
        """SIGTERM while the old process still waits for its last question (found by Tools/chaos): the sockets that it
        has handed over are the new one's, and stay as they are."""
        async def late(asked):
            if asked.name.startswith("late"):
                await asyncio.sleep(1)
            asked.send(asked.address())

        self.peer.script = late
        old = self.serve(shards=2)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waiting:
            waiting.settimeout(5)
            waiting.connect(("127.0.0.1", old.port))
            waiting.send(dnswire.query("late.cluster.local", dnswire.A))
            time.sleep(0.1)
            new = self.follow(old)
            old.stop()
            self.assertEqual(dnswire.decode(waiting.recv(512)).rcode, 0)
        for index in range(20):
            self.check(new, name_of(index))

    def test_other_shards_begin_anew(self):
        """With another count of shards the new process shares nothing, and both serve until the old one ends."""
        old = self.serve(shards=2)
        new = self.start_ringlet_with(lambda _: "", like=old, ready=False, shards=1)
        harness.wait_for(lambda: "CoreDNS-" in new.log(), 10, "the new process")
        self.assertNotIn("Takes over", new.log())
        old.stop()
        self.check(new, name_of(1))

    def test_beside_the_old_one_under_load(self):
        """Where sockets cannot be handed over: processes of one and of two shards one after the other, each with sockets of
        its own beside the old one's (SO_REUSEPORT), which is then told to end."""
        self.peer.script = lasting
        first = self.serve(lambda port: self.block(port, cache="cache 3600"), shards=2)
        self.fill(first)
        running = [first]

        def upgrades(is_over):
            for number in range(self.UPGRADES // 2):
                new = self.start_ringlet_with(lambda _: "", like=first, ready=False, shards=1 + number % 2)
                harness.wait_for(lambda: "CoreDNS-" in new.log(), 10, "the new process")
                self.assertNotIn("Takes over", new.log())
                running.append(new)
                running[-2].stop()
            self.assertFalse(is_over(), "the load ended before the last upgrade")

        result = self.under_load(first, 5 if harness.QUICK else 15, upgrades, "-Q", harness.RATE)
        self.report(f"{self.UPGRADES // 2} upgrades, {result.completed} answers, {result.lost} lost")
        self.assertEqual((result.lost, result.rcodes), (0, {"NOERROR": result.completed}), result.text)


class Supervised(HandoverCase):
    def serve_supervised(self, **options):
        return self.serve(command=("supervise",), **options)

    def engine(self, ringlet):
        children = harness.descendants(ringlet.pid)
        self.assertEqual(len(children), 1, "one engine")
        return children[0]

    def kill(self, ringlet):
        dead = self.engine(ringlet)
        os.kill(dead, signal.SIGKILL)
        harness.wait_for(lambda: set(harness.descendants(ringlet.pid)) - {dead}, 5, "another engine")

    def test_a_killed_engine_is_back_with_its_cache(self):
        """kill -9 under load: answers again within 100 ms; only what the dead engine had in hand is lost, no name asked again."""
        self.peer.script = lasting
        ringlet = self.serve_supervised(block=lambda port: self.block(port, cache="cache 3600"), shards=2)
        self.fill(ringlet)
        asked = len(self.peer.asked)
        gaps = []

        def kills(is_over):
            for _ in range(3 if harness.QUICK else 4):  # the fifth would be one too many
                begun = time.monotonic()
                self.kill(ringlet)
                self.check(ringlet, name_of(0))
                gaps.append(time.monotonic() - begun)
                time.sleep(0.3)
            self.assertFalse(is_over(), "the load ended before the last kill")

        result = self.under_load(ringlet, 5 if harness.QUICK else 12, kills, "-Q", "1000")
        # A query that the dead engine had received, and not answered, goes with it.
        self.assertLessEqual(result.lost, 20, result.text)
        self.assertEqual(len(self.peer.asked), asked, "questions for cached names")
        self.report(f"{len(gaps)} kills, {result.completed} answers, {result.lost} lost; "
                    f"answering again after {1000 * min(gaps):.0f} to {1000 * max(gaps):.0f} ms")
        # The promise for one that gets a processor, and an order of magnitude for those that wait for one.
        self.assertLessEqual(min(gaps), 0.1)
        self.assertLessEqual(max(gaps), 1)

    def test_nobody_stays_throttled_by_the_dead(self):
        """The engine is killed while it throttles a client: the next one has its sockets, and not its filters."""
        self.peer.script = lasting
        ringlet = self.serve_supervised(block=lambda port: self.block(port, cache="cache 3600"))
        self.fill(ringlet)
        names = self.write("flood.txt", f"{name_of(1)} A\n")
        with harness.flood(ringlet.port, names, "127.0.0.3"):
            harness.wait_for(lambda: overrun(ringlet, self.engine(ringlet)), 20, "a limit")
            self.kill(ringlet)
        # It may throttle the flood itself, until that is over.
        harness.wait_for(lambda: answered(ringlet) and not throttled(ringlet), 10, "the limits to go")
        self.assertEqual(harness.socket_filters(self.engine(ringlet)), 0)
        self.check(ringlet, name_of(2))

    def test_its_end_is_the_engines(self):
        """SIGTERM goes to the engine, whose exit code is the supervisor's; so does a fault at the start."""
        ringlet = self.serve_supervised()
        engine = self.engine(ringlet)
        ringlet.stop()
        self.assertFalse(os.path.exists(f"/proc/{engine}"))
        faulty = self.serve(lambda port: "faulty {", ready=False, command=("supervise",))
        self.assertEqual(faulty.ended(), 1)
        self.assertIn("faulty", faulty.log())

    def test_an_engine_without_supervisor_ends(self):
        """A supervisor that is killed takes the engine with it: nobody else would end it."""
        ringlet = self.serve_supervised()
        engine = self.engine(ringlet)
        os.kill(ringlet.pid, signal.SIGKILL)
        ringlet.ended()
        harness.wait_for(lambda: not os.path.exists(f"/proc/{engine}"), 10, "the engine to end")


class Estates(HandoverCase):
    """What a process makes of the estate of one that died: the test is the supervisor that keeps it."""

    ESTATE, DESCRIPTORS, NOTHING = 3, 4, 5  # first octets of messages (Sources/Control/Estate.swift)

    @contextlib.contextmanager
    def kept(self, *messages, **options):
        """An engine that begins with `messages`, (bytes, descriptors) each, and the line to it."""
        own, engines = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with own:
            with engines:
                for message, descriptors in messages:
                    socket.send_fds(own, [message], descriptors)
                number = engines.fileno()
                yield self.serve(
                    lambda port: self.block(port, cache="cache 3600"), passing=(number,), env={"RINGLET_KEEPER": str(number)},
                    **options,
                ), own

    def estate(self):
        """The engine that left it, dead; the estate's header; its descriptors."""
        with self.kept((bytes([self.NOTHING]), [])) as (engine, line):
            line.settimeout(5)
            header, *_ = socket.recv_fds(line, 1 << 20, 0)
            self.assertEqual(header[0], self.ESTATE)
            message, descriptors, *_ = socket.recv_fds(line, 16, 250)
            self.assertEqual(message, bytes([self.DESCRIPTORS]))
            self.fill(engine)
            engine.child.kill()
            engine.ended()
        return engine, json.loads(header[1:]), descriptors

    def begin_with(self, header, descriptors, dead):
        """An engine that begins with an estate; whether it says that it takes over; how many names it asks for."""
        asked = len(self.peer.asked)
        messages = (bytes([self.ESTATE]) + json.dumps(header).encode(), []), (bytes([self.DESCRIPTORS]), descriptors)
        with self.kept(*messages, like=dead, ready=False) as (engine, _):
            # Datagrams go to the sockets of whoever has them open.
            for descriptor in descriptors:
                os.close(descriptor)
            engine.wait_ready()
            self.fill(engine)
            engine.stop()
        return "Takes over" in engine.log(), len(self.peer.asked) - asked

    def test_one_of_another_version_or_boot(self):
        """The start is one without an estate: nothing is taken over, every name is asked."""
        self.peer.script = lasting
        for key, value in ((None, None), ("version", 2), ("boot", "another"), ("heritage", {})):
            with self.subTest(key):
                dead, header, descriptors = self.estate()
                if key:
                    self.assertIn(key, header)
                    header[key] = value
                self.assertEqual(self.begin_with(header, descriptors, dead), (False, NAMES) if key else (True, 0))

    def test_a_cache_in_disorder(self):
        """Sockets are taken over, but a cache that was being written, or is of another layout, is forgotten."""
        self.peer.script = lasting
        for what, word, value in (("being written", 32, 1), ("another layout", 1, 2)):
            with self.subTest(what):
                dead, header, descriptors = self.estate()
                with mmap.mmap(descriptors[0], 4096) as segment:
                    self.assertEqual(struct.unpack_from("=Q", segment, 8 * word)[0], value - 1)
                    struct.pack_into("=Q", segment, 8 * word, value)
                self.assertEqual(self.begin_with(header, descriptors, dead), (True, NAMES))


if __name__ == "__main__":
    unittest.main()
