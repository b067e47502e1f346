"""What Tools/chaos does: a verifying client, two upstreams with faults, and events at random. See there."""

import asyncio
import collections
import os
import pathlib
import random
import select
import shutil
import signal
import socket
import struct
import sys
import tempfile
import threading
import time

import clients
import dnswire
import harness
import peer

TTL = 5
STABLE, CHANGING = 300, 3000  # names that are asked again and again, and names that rarely are
TIMEOUT = 5.0
REMEMBERED = 30.0  # seconds after its end in which a question's id is used for no other, and an answer to it is known
KILL = "kill"
UPSTREAM_FAULTS = ("silent", "slow", "refuses", "garbage", "closes", "forges", "gone")


class Upstream:
    """A peer in one of several states, that now and then is not there."""

    def __init__(self, dice):
        self.dice, self.state = dice, "fine"
        self.peer = peer.Peer(self.script)

    async def script(self, asked):
        state = self.state
        if state == "silent":
            return
        if state == "slow":
            await asyncio.sleep(self.dice.random())
        if state == "refuses":
            return asked.send(asked.response(rcode=self.dice.choice((dnswire.SERVFAIL, dnswire.REFUSED))))
        if state == "garbage":
            return asked.send(self.dice.randbytes(self.dice.randrange(1, 200)))
        if state == "closes":
            return asked.reset()
        if state == "forges":
            # Another name's answer, and the right one under another id; then the right one.
            other = dnswire.record("other.test", dnswire.A, 60, b"\x06\x06\x06\x06")
            asked.send(dnswire.response(asked.raw, (other,), question=dnswire.name("other.test") + b"\0\1\0\1"))
            asked.send(asked.address(ttl=TTL, id=asked.message.id ^ 1))
        asked.send(asked.address(ttl=TTL))

    def become(self, state):
        if state == "gone":
            if self.peer:
                self.port = self.peer.port
                self.peer._errors.clear()
                self.peer.stop()
                self.peer = None
        elif self.peer is None:
            self.peer = peer.Peer(self.script, port=self.port)
        self.state = state


# What can happen, as often as it stands here.
EVENTS = """reload reload change change upgrade kill stand_still upstream_fault upstream_fault upstream_fault both_upstreams_gone
            tcp_clients tcp_clients flood noise slow_clients""".split()


class Client(threading.Thread):
    """Asks and checks. A query is lost if nothing comes in time; SERVFAIL and REFUSED are failures, whose number tells
    how often the upstreams' faults were seen; anything else but the right answer, once, is wrong."""

    def __init__(self, port, rate, dice):
        super().__init__()
        self.address, self.rate, self.dice = ("127.0.0.1", port), rate, dice
        self.is_over = threading.Event()
        self.counts = collections.Counter()
        self.wrong = []
        self.lost_during = collections.Counter()
        self.failed_during = collections.Counter()
        self.cause = "nothing"
        self.killed_at = -TIMEOUT
        self.worst = 0.0

    def name(self):
        if self.dice.random() < 0.9:
            return f"stable-{self.dice.randrange(STABLE)}.cluster.local"
        return f"changing-{self.dice.randrange(CHANGING)}.cluster.local"

    def run(self):
        sockets = []
        for _ in range(20):
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            s.connect(self.address)
            sockets.append(s)
        poll = select.epoll()
        for s in sockets:
            poll.register(s, select.EPOLLIN)
        by_descriptor = {s.fileno(): s for s in sockets}
        waiting, past = collections.OrderedDict(), collections.OrderedDict()
        begun, asked = time.monotonic(), 0
        while not self.is_over.is_set() or waiting:
            now = time.monotonic()
            while not self.is_over.is_set() and asked < (now - begun) * self.rate:
                s = sockets[asked % len(sockets)]
                id = self.dice.randrange(65536)
                asked += 1
                if (s.fileno(), id) in waiting or (s.fileno(), id) in past:
                    continue
                name = self.name()
                try:
                    s.send(dnswire.query(name, dnswire.A, id=id))
                except OSError:
                    self.counts["refused by the kernel"] += 1
                    continue
                waiting[s.fileno(), id] = name, now, self.cause
            for descriptor, _ in poll.poll(0.002):
                while True:
                    try:
                        data = by_descriptor[descriptor].recv(65535)
                    except OSError:
                        break
                    key = descriptor, int.from_bytes(data[:2], "big")
                    if key in waiting:
                        self.take(data, *waiting.pop(key))
                        past[key] = now, "twice"
                    else:
                        self.count_stray(key, *past.get(key, (now, "never asked")))
            while waiting:
                key, (name, at, cause) = next(iter(waiting.items()))
                if now - at < TIMEOUT:
                    break
                del waiting[key]
                past[key] = now, "late"
                self.lose(at, cause)
            while past and now - next(iter(past.values()))[0] > REMEMBERED:
                past.popitem(last=False)
        for s in sockets:
            s.close()

    def take(self, data, name, at, cause):
        self.worst = max(self.worst, time.monotonic() - at)
        self.counts["answered"] += 1
        self.check(data, name, cause)

    def count_stray(self, key, at, what):
        """An answer to a question that does not wait for it."""
        self.counts[what] += 1
        if what != "late":
            self.wrong.append(f"id {key[1]}: {what}; answered {time.monotonic() - at:.3f} s ago")

    def lose(self, at, cause):
        """A question that was asked at a time: an engine that was killed since had it in hand."""
        self.counts["lost"] += 1
        self.lost_during[KILL if self.killed_at >= at else cause] += 1

    def check(self, data, name, cause):
        try:
            message = dnswire.decode(data)
        except dnswire.Malformed as malformed:
            return self.wrong.append(f"{name}: malformed: {malformed}")
        if message.name.lower() != name:
            return self.wrong.append(f"{name}: the question is {message.name}")
        if message.rcode in (dnswire.SERVFAIL, dnswire.REFUSED):
            self.counts["failed"] += 1
            self.failed_during[cause] += 1
            return
        answers = [(a.rdata, a.ttl) for a in message.answers]
        if message.rcode or len(answers) != 1 or answers[0][0] != peer.address_of(name) or answers[0][1] > TTL:
            self.wrong.append(f"{name}: rcode {message.rcode}, answers {answers}")
        else:
            self.counts["right"] += 1

    def ask_over_tcp(self, count):
        """A connection with some queries at once, checked as the others."""
        names = dict(enumerate(self.name() for _ in range(count)))
        try:
            with clients.TCPClient(self.address, TIMEOUT) as client:
                client.send(*[dnswire.query(name, dnswire.A, id=id) for id, name in names.items()])
                begun = time.monotonic()
                while names:
                    data = client.receive()
                    if data is None:
                        for _ in names:
                            self.lose(begun, self.cause + " (TCP)")
                        break
                    id = int.from_bytes(data[:2], "big")
                    if id not in names:
                        self.count_stray((0, id), begun, "twice")
                        continue
                    self.counts["answered"] += 1
                    self.check(data, names.pop(id), self.cause + " (TCP)")
        except OSError as error:
            self.counts["TCP connections refused or reset"] += 1
            self.lost_during[f"{self.cause} (TCP: {error.__class__.__name__})"] += 0


class Course:
    """Ringlet and what happens to it."""

    def __init__(self, directory, dice, rate, without=()):
        self.directory, self.dice, self.without = directory, dice, without
        self.options, self.stale = "force_tcp", ""
        self.upstreams = [Upstream(random.Random(dice.random())), Upstream(random.Random(dice.random()))]
        self.events = collections.Counter()
        self.current = self.start(None)
        self.client = Client(self.current.port, rate, random.Random(dice.random()))

    def block(self, port):
        ups = " ".join(u.peer.address if u.peer else f"127.0.0.1:{u.port}" for u in self.upstreams)
        cache = f"cache {{\n        success 2000\n        denial 1000\n{self.stale}    }}"
        return harness.corefile(ups, port=port, options=self.options, cache=cache)

    def start(self, like):
        ringlet = harness.Ringlet(self.directory, self.block, shards=2, like=like, command=("supervise",))
        return ringlet if like else ringlet.wait_ready()

    def engine(self, ringlet=None):
        return next(iter(harness.descendants((ringlet or self.current).pid)), None)

    # The events.

    def reload(self):
        os.kill(self.engine(), signal.SIGUSR1)

    def change(self):
        """Another configuration: upstreams over TCP or UDP, old answers or none."""
        self.options = self.dice.choice(("force_tcp", "prefer_udp"))
        self.stale = self.dice.choice(("", "        serve_stale 1h immediate\n", "        serve_stale 1h verify\n"))
        pathlib.Path(self.current.corefile).write_text(self.block(self.current.port))
        done = self.current.log().count("Reloading complete")
        os.kill(self.engine(), signal.SIGUSR1)
        harness.wait_for(lambda: self.current.log().count("Reloading complete") > done, 15, "the changed configuration")

    def upgrade(self):
        old, self.current = self.current, self.start(self.current)
        harness.wait_for(lambda: "Takes over" in self.current.log(), 10, "the upgrade")
        old.stop()

    def kill(self):
        self.client.killed_at = time.monotonic()
        os.kill(self.engine(), signal.SIGKILL)
        time.sleep(0.3)

    def stand_still(self):
        engine = self.engine()
        os.kill(engine, signal.SIGSTOP)
        time.sleep(self.dice.uniform(0.1, 1.5))
        os.kill(engine, signal.SIGCONT)

    def upstream_fault(self):
        upstream, fault = self.dice.choice(self.upstreams), self.dice.choice(UPSTREAM_FAULTS)
        self.client.cause = f"an upstream {'is gone' if fault == 'gone' else 'is ' + fault if fault in ('silent', 'slow') else fault}"
        upstream.become(fault)
        time.sleep(self.dice.uniform(0.5, 5))
        upstream.become("fine")

    def both_upstreams_gone(self):
        for upstream in self.upstreams:
            upstream.become("gone")
        time.sleep(self.dice.uniform(0.5, 6))
        for upstream in self.upstreams:
            upstream.become("fine")

    def tcp_clients(self):
        for _ in range(self.dice.randrange(1, 10)):
            self.client.ask_over_tcp(self.dice.randrange(1, 50))

    def flood(self):
        """Names that nobody has asked, for a second or two; what comes back is checked."""
        names = {}
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as s:
            s.connect(self.client.address)
            for id in range(self.dice.randrange(1000, 3000)):
                names[id] = name = f"flood-{self.dice.randrange(1 << 40):x}.cluster.local"
                try:
                    s.send(dnswire.query(name, dnswire.A, id=id))
                    while True:
                        data = s.recv(65535)
                        self.client.check(data, names.pop(int.from_bytes(data[:2], "big"), "nothing that waits"), "flood")
                except OSError:
                    time.sleep(0.0005)

    def noise(self):
        """Datagrams and streams of any bytes."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for _ in range(500):
                s.sendto(self.dice.randbytes(self.dice.randrange(1, 100)), self.client.address)
        for _ in range(20):
            try:
                with socket.create_connection(self.client.address, 2) as s:
                    s.sendall(self.dice.randbytes(self.dice.randrange(1, 3000)))
            except OSError:
                pass

    def slow_clients(self):
        held = []
        for _ in range(300):
            try:
                held.append(socket.create_connection(self.client.address, 2))
            except OSError:
                break
        time.sleep(1)
        for s in held:
            s.close()

    def step(self):
        event = self.dice.choice([getattr(self, name) for name in EVENTS if name not in self.without])
        self.client.cause = event.__name__.replace("_", " ")
        event()
        self.events[event.__name__.replace("_", " ")] += 1
        time.sleep(self.dice.uniform(0.2, 2))
        self.client.cause = "nothing"
        time.sleep(self.dice.uniform(0, 1))
        if not self.current.alive():
            raise AssertionError(f"Ringlet ended:\n{self.current.log()[-2000:]}")

    def line(self, minutes):
        c = self.client
        print(f"{minutes:6.1f} min  {c.counts['answered']:>9,} answers  {len(c.wrong)} wrong  {c.counts['lost']} lost"
              f"  {c.counts['failed']} failed  {sum(self.events.values())} events", flush=True)

    def table(self):
        c = self.client
        print(f"\n{'answers checked':<34}{c.counts['answered']:>10,}\n{'wrong':<34}{len(c.wrong):>10,}")
        print(f"{'lost (no answer within 5 s)':<34}{c.counts['lost']:>10,}")
        print(f"{'failed (SERVFAIL or REFUSED)':<34}{c.counts['failed']:>10,}")
        print(f"{'late (after 5 s)':<34}{c.counts['late']:>10,}\n{'twice (wrong, too)':<34}{c.counts['twice']:>10,}")
        print(f"{'TCP connections refused or reset':<34}{c.counts['TCP connections refused or reset']:>10,}")
        print(f"{'slowest answer':<34}{c.worst:>9.2f}s\n\n{'while this happened':<34}{'times':>8}{'lost':>8}{'failed':>8}")
        causes = sorted(set(self.events) | set(c.lost_during) | set(c.failed_during))
        for cause in causes:
            times = self.events[cause] or ""
            print(f"{cause:<34}{times:>8}{c.lost_during[cause]:>8}{c.failed_during[cause]:>8}")
        for wrong in c.wrong[:20]:
            print(f"wrong: {wrong}")


def main(minutes, rate, seed, without):
    seed = seed if seed is not None else random.randrange(1 << 32)
    words = "".join(f" --without {event}" for event in without)
    print(f"Tools/chaos --minutes {minutes:g} --rate {rate} --seed {seed}{words}", flush=True)
    directory = tempfile.mkdtemp(prefix="ringlet-chaos-")
    course = Course(directory, random.Random(seed), rate, without)
    begun = told = time.monotonic()
    code = 0
    course.client.start()
    try:
        while (now := time.monotonic()) < begun + 60 * minutes:
            course.step()
            if now - told >= 10:
                told = now
                course.line((now - begun) / 60)
    except KeyboardInterrupt:
        pass
    except AssertionError as error:
        print(error)
        code = 1
    finally:
        for upstream in course.upstreams:
            upstream.become("fine")
        course.client.is_over.set()
        course.client.join()
        course.table()
        if course.current.alive():
            course.current.stop()
        shutil.rmtree(directory, ignore_errors=True)
    return 1 if course.client.wrong else code
