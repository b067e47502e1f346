"""A shard that hangs: the process says so, ends, and is replaced; one that only stands still with the whole process is let be."""

import os
import pathlib
import signal
import subprocess
import time
import unittest

import harness
from test_reload import NAMES, ReloadCase, lasting, name_of

WAITS = ("426", "441")  # io_uring_enter and epoll_pwait2, on every architecture


def shards_of(pid):
    """The threads that wait for completions, once all do."""
    def waiting(thread):
        return pathlib.Path(f"/proc/{pid}/task/{thread}/syscall").read_text().split()[0] in WAITS

    return [int(thread) for thread in os.listdir(f"/proc/{pid}/task") if waiting(thread)]


class Watchdog(ReloadCase):
    def serve_watched(self, **options):
        self.peer.script = lasting
        self.health, self.ready = harness.free_port(), harness.free_port()
        more = f"health 127.0.0.1:{self.health}\nready 127.0.0.1:{self.ready}"
        return self.serve(lambda port: self.block(port, cache="cache 3600", more=more), shards=2, **options)

    def is_well(self):
        return [harness.http(port, path)[0] == 200 for port, path in ((self.health, "/health"), (self.ready, "/ready"))]

    def hang(self, pid):
        """Has one shard's thread hang in its next system call, until the process that is returned ends."""
        threads = harness.wait_for(lambda: len(found := shards_of(pid)) == 2 and found, 5, "the shards' threads")
        hold = "inject=io_uring_enter,epoll_pwait2:delay_enter=60s"
        tracer = subprocess.Popen(["strace", "-qq", "-o", "/dev/null", "-p", str(threads[0]), "-e", hold])
        self.addCleanup(tracer.wait, 10)
        self.addCleanup(tracer.kill)
        return tracer

    def test_a_shard_that_hangs(self):
        """The process is neither healthy nor ready, ends with a word of which shard it was, and another one has its cache."""
        ringlet = self.serve_watched(command=("supervise",))
        for index in range(NAMES):
            self.check(ringlet, name_of(index))
        asked = len(self.peer.asked)
        [engine] = harness.descendants(ringlet.pid)
        tracer = self.hang(engine)
        harness.wait_for(lambda: self.is_well() == [False, False], 20, "the process to be neither healthy nor ready")
        harness.wait_for(lambda: " hangs: " in ringlet.log(), 20, "its end")
        self.assertRegex(ringlet.log(), r"\[FATAL\] Shard [01] hangs: no turn in 5 s although it was woken")
        # Who traces a thread keeps it, and so the process, from going.
        tracer.kill()
        harness.wait_for(lambda: "died of signal 6" in ringlet.log(), 10, "the supervisor to see it")
        harness.wait_for(lambda: harness.answers(("127.0.0.1", ringlet.port), bytes(12)), 10, "another engine")
        for index in range(NAMES):
            self.check(ringlet, name_of(index))
        self.assertEqual(len(self.peer.asked), asked, "questions for cached names")
        harness.wait_for(lambda: self.is_well() == [True, True], 10, "health")

    def test_a_shard_that_goes_on(self):
        """One that was held up for less is counted, and the process healthy again."""
        ringlet = self.serve_watched()
        tracer = self.hang(ringlet.pid)
        harness.wait_for(lambda: self.is_well() == [False, False], 20, "the process to be neither healthy nor ready")
        tracer.kill()
        harness.wait_for(lambda: self.is_well() == [True, True], 10, "health")
        self.assertGreaterEqual(harness.scrape(ringlet.setup_port).sum("ringlet_stalls_total"), 1)

    def test_a_process_that_stands_still(self):
        """SIGSTOP for twice as long as a shard may hang, in the middle of a look: time that nobody had counts for nobody."""
        ringlet = self.serve_watched()
        for seconds in (1, 3 if harness.QUICK else 10):
            self.assertEqual(self.is_well(), [True, True])
            harness.stop_still(ringlet.pid)
            time.sleep(seconds)
            os.kill(ringlet.pid, signal.SIGCONT)
            self.check(ringlet, name_of(0))
        self.assertEqual(self.is_well(), [True, True])
        self.assertNotIn("hangs", ringlet.log())

    def test_little_of_a_processor(self):
        """A twentieth of one, and all the queries that fit: who is slow does not hang."""
        ringlet = self.serve_watched()
        for index in range(NAMES):
            self.check(ringlet, name_of(index))
        self.throttle(ringlet, 5)
        flood = harness.dnsperf(ringlet.port, self.queries(), "-l", "4" if harness.QUICK else "12", "-c", "20", "-t", "30")
        self.assertGreater(flood.completed, 0)
        self.assertNotIn("hangs", ringlet.log())
        stalls = harness.scrape(ringlet.setup_port).sum("ringlet_stalls_total")
        self.report(f"{flood.completed} answers at a twentieth of a processor, {stalls:.0f} looks found a shard late")


if __name__ == "__main__":
    unittest.main()
