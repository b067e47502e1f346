"""What Ringlet does where io_uring is forbidden: from the start, by parts, on request, and while it runs."""

import errno
import os
import pathlib
import re
import threading
import time

import clients
import dnswire
import harness
import zone

SETUP, ENTER, REGISTER = harness.IO_URING
EPOLL_PWAIT2 = 441  # on every architecture


class Rings(harness.OutsideCase):
    def start(self, *, ring="auto", forbidden=(), code="EPERM", shards=1, limits=()):
        """Ringlet, its upstream in `self.nsd`, its metrics in `self.metrics()`."""
        self.nsd, self.port = self.start_nsd(), harness.free_port()
        return self.start_ringlet(
            f"127.0.0.1:{self.nsd.port}",
            more=f"prometheus 127.0.0.1:{self.port}",
            shards=shards,
            ring=ring,
            forbidden=(code, forbidden) if forbidden else None,
            limits=limits,
        )

    def tiers(self):
        """[(tier, reason)] of what the shards run on."""
        series = harness.scrape(self.port).series("ringlet_ring_info")
        self.assertEqual(set(series.values()), {1})
        return sorted((dict(labels)["tier"], dict(labels)["reason"]) for labels in series)

    def answers(self, ringlet):
        """It answers over UDP and TCP, what it has and what it must ask for."""
        for number in (1, 2, 1):
            packet = dnswire.query(zone.service(number))
            for ask in (clients.ask, clients.ask_tcp):
                reply = ask(("127.0.0.1", ringlet.port), packet, timeout=3)
                self.assertIsNone(self.oracle.fault(packet, dnswire.decode(reply)))

    def test_io_uring_by_itself(self):
        ringlet = self.start()
        self.answers(ringlet)
        self.assertEqual(self.tiers(), [("io_uring", "every operation works")])
        self.assertIn("[INFO] Ring: io_uring (every operation works)", ringlet.log())

    def test_epoll_on_request(self):
        ringlet = self.start(ring="epoll")
        self.answers(ringlet)
        self.assertEqual(self.tiers(), [("epoll", "asked for")])
        descriptors = f"/proc/{ringlet.pid}/fd"
        links = [os.readlink(f"{descriptors}/{one}") for one in os.listdir(descriptors)]
        self.assertNotIn("anon_inode:[io_uring]", links)

    def test_forbidden_from_the_start(self):
        """As a container runtime's own profile does it, an old kernel, and kernels without a part of it."""
        for code, forbidden, step in (
            ("EPERM", (SETUP, ENTER, REGISTER), "io_uring_setup"),
            ("ENOSYS", (SETUP, ENTER, REGISTER), "io_uring_setup"),
            ("EPERM", (SETUP, ENTER, REGISTER, EPOLL_PWAIT2), "io_uring_setup"),
            ("EINVAL", (REGISTER,), "io_uring_setup"),
            ("EPERM", (ENTER,), "recvmsg"),
        ):
            with self.subTest(code=code, forbidden=forbidden):
                ringlet = self.start(forbidden=forbidden, code=code)
                took = time.monotonic() - ringlet.started
                self.answers(ringlet)
                ((tier, reason),) = self.tiers()
                self.assertEqual(tier, "epoll")
                self.assertRegex(reason, rf"^{step}.*: {os.strerror(getattr(errno, code))}$")
                self.assertIn(f"Ring: epoll ({reason})", ringlet.log())
                self.assertLess(took, 5)
                self.report(f"{code} to {forbidden}: ready after {took * 1000:.0f} ms")

    def test_asked_for_and_forbidden(self):
        """Then it says what to do, and ends."""
        block = lambda port: harness.corefile("127.0.0.1:53", port=port)
        ringlet = harness.Ringlet(self.directory, block, ring="io_uring", forbidden=("EPERM", harness.IO_URING))
        self.assertEqual(ringlet.child.wait(10), 1)
        self.assertIn("--ring io_uring: io_uring_setup: Operation not permitted", ringlet.log())
        self.assertIn("seccomp profile", ringlet.log())

    def test_forbidden_while_it_runs(self):
        """Each shard goes on with epoll, its sockets and its cache: what it had it answers without its upstream."""
        for shards in (1, 2):
            with self.subTest(shards=shards):
                ringlet = self.start(shards=shards)
                packets = [dnswire.query(zone.service(number)) for number in range(100)]
                for packet in packets:
                    clients.ask(("127.0.0.1", ringlet.port), packet, timeout=3)
                self.assertEqual([tier for tier, _ in self.tiers()], ["io_uring"])
                self.nsd.kill()
                log = os.path.join(self.directory, f"strace.{shards}")
                strace = ["strace", "-f", "-qq", "-e", "trace=io_uring_enter", "-e", "inject=io_uring_enter:error=EPERM"]
                tracer = harness.Process([*strace, "-o", "/dev/null", "-p", str(ringlet.pid)], log)
                try:
                    since = time.monotonic()
                    refused = "io_uring_enter: Operation not permitted"
                    # A shard learns of it at its next turn, and sleeps until it has something to do.
                    harness.wait_for(
                        lambda: self.nudge(ringlet, packets) and self.tiers() == [("epoll", refused)], 5, "epoll everywhere"
                    )
                    took = time.monotonic() - since
                    for packet in packets:
                        for ask in (clients.ask, clients.ask_tcp):
                            reply = ask(("127.0.0.1", ringlet.port), packet, timeout=3)
                            self.assertIsNone(self.oracle.fault(packet, dnswire.decode(reply)))
                finally:
                    tracer.end()
                self.assertEqual(len(re.findall(r"shard \d goes on with epoll", ringlet.log())), shards)
                self.assertLess(ringlet.cpu_seconds(), took + 5)
                self.report(f"{shards} shard(s): on epoll {took * 1000:.0f} ms after the kernel began to refuse")

    def test_no_locked_memory(self):
        """RLIMIT_MEMLOCK 0, and no capability to ignore it: either ring serves."""
        limits = ["prlimit", "--memlock=0", "setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock"]
        for ring in ("auto", "epoll"):
            with self.subTest(ring):
                ringlet = self.start(ring=ring, limits=limits)
                status = pathlib.Path(f"/proc/{ringlet.pid}/limits").read_text()
                self.assertRegex(status, r"Max locked memory +0 +0 ")
                self.answers(ringlet)
                self.report(f"{ring}: {self.tiers()}")

    def test_interrupted_again_and_again(self):
        """Every other wait ends with EINTR: all is answered, by the same ring."""
        for ring, wait in (("io_uring", "io_uring_enter"), ("epoll", "epoll_pwait2")):
            with self.subTest(ring):
                ringlet = self.start(ring=ring, shards=2)
                log = os.path.join(self.directory, f"strace.{ring}")
                strace = ["strace", "-f", "-qq", "-e", f"trace={wait}", "-e", f"inject={wait}:error=EINTR:when=1+2"]
                tracer = harness.Process([*strace, "-o", log, "-p", str(ringlet.pid)], log + ".errors")
                try:
                    interrupted = lambda: pathlib.Path(log).read_text().count("EINTR") if os.path.exists(log) else 0
                    harness.wait_for(lambda: self.nudge(ringlet, [dnswire.query("")]) and interrupted(), 10, "an interruption")
                    packets = [dnswire.query(zone.service(number), id=number) for number in range(300)]
                    for exchange in clients.ask_all(("127.0.0.1", ringlet.port), packets, timeout=10):
                        self.assertEqual(exchange.rcodes, [0])
                    self.answers(ringlet)
                    # A call that strace leaves as it ends may end with ENOSYS, which forbids the ring.
                    self.assertEqual({tier for tier, _ in self.tiers()}, {ring})
                finally:
                    tracer.end()
                self.assertGreater(interrupted(), 10)

    def nudge(self, ringlet, packets):
        for packet in packets[:20]:
            harness.answers(("127.0.0.1", ringlet.port), packet, timeout=0.05)
        return True


if __name__ == "__main__":
    harness.main()
