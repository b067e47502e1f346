"""DNS over TCP towards clients: many questions per connection, answers as they are ready, and limits on who holds one."""

import asyncio
import concurrent.futures
import os
import pathlib
import random
import re
import socket
import struct
import time

import clients
import dnswire
import harness
import peer


async def by_name(asked):
    """`slow…` takes a second, `large…` has 20 KiB, all others an address at once."""
    if asked.name.startswith("slow"):
        await asyncio.sleep(1)
    if asked.name.startswith("large"):
        asked.send(asked.response(dnswire.record(asked.name, 65280, 30, bytes(20000))))
    else:
        asked.send(asked.address())


class TCPService(harness.OutsideCase):
    shards = 2

    def setUp(self):
        super().setUp()
        self.upstream = peer.Peer(by_name)
        self.addCleanup(self.upstream.stop)
        self.ringlet = self.start_ringlet(self.upstream.address, addresses=("127.0.0.1", "::1"), shards=self.shards)
        self.address = ("127.0.0.1", self.ringlet.port)

    def connect(self, timeout=6, address="127.0.0.1"):
        client = clients.TCPClient((address, self.ringlet.port), timeout)
        self.addCleanup(client.socket.close)
        return client

    def query(self, label, id):
        return dnswire.query(f"{label}.svc.cluster.local", id=id)

    def receive_all(self, client, wanted):
        """{id: decoded reply}, none of them twice."""
        replies = {}
        for _ in range(wanted):
            data = client.receive()
            self.assertIsNotNone(data, f"{len(replies)} of {wanted} answers")
            reply = dnswire.decode(data)
            self.assertNotIn(reply.id, replies)
            replies[reply.id] = reply
        return replies

    def check(self, reply, label):
        self.assertEqual(
            (reply.rcode, reply.data(dnswire.A)), (dnswire.NOERROR, [peer.address_of(f"{label}.svc.cluster.local")])
        )

    def still_serving(self):
        self.check(dnswire.decode(clients.ask(self.address, self.query("probe", 1), timeout=2)), "probe")

    def test_pipelined(self):
        """500 questions in one write, misses and then hits: each is answered once."""
        for address in ("127.0.0.1", "::1"):
            client = self.connect(address=address)
            for _ in range(2):
                client.send(*[self.query(f"n{n}", n) for n in range(500)])
                for id, reply in self.receive_all(client, 500).items():
                    self.check(reply, f"n{id}")

    def test_answered_when_ready(self):
        """A slow question does not hold up those after it on the same connection."""
        client = self.connect()
        start = time.monotonic()
        client.send(self.query("slow", 0), *[self.query(f"n{n}", n) for n in range(1, 51)])
        order = list(self.receive_all(client, 50))
        self.assertNotIn(0, order)
        self.assertLess(time.monotonic() - start, 0.9)
        self.check(self.receive_all(client, 1)[0], "slow")

    def test_serial(self):
        """2,000 questions one after another on one connection."""
        client = self.connect()
        for n in range(2000):
            client.send(self.query(f"n{n % 50}", n))
            self.check(self.receive_all(client, 1)[n], f"n{n % 50}")

    def test_torn(self):
        """Questions that come octet by octet, and in pieces that end anywhere."""
        client = self.connect()
        stream = b"".join(struct.pack("!H", len(q)) + q for q in (self.query(f"n{n}", n) for n in range(3)))
        for octet in stream:
            client.socket.sendall(bytes([octet]))
            time.sleep(0.001)
        self.receive_all(client, 3)
        stream = b"".join(struct.pack("!H", len(q)) + q for q in (self.query(f"n{n}", n) for n in range(200)))
        dice = random.Random(6)
        while stream:
            cut = dice.randrange(1, 200)
            client.socket.sendall(stream[:cut])
            stream = stream[cut:]
            time.sleep(0.0005)
        for id, reply in self.receive_all(client, 200).items():
            self.check(reply, f"n{id}")

    def test_half_close(self):
        """A client that ends its side after the questions gets all answers, slow ones too, and then the end."""
        client = self.connect()
        client.send(*[self.query(f"n{n}", n) for n in range(50)], self.query("slow-half", 50))
        client.socket.shutdown(socket.SHUT_WR)
        self.assertEqual(len(self.receive_all(client, 51)), 51)
        self.assertIsNotNone(client.closed_within(2))

    def test_many_connections(self):
        """500 connections at once, each with questions."""
        several = [self.connect() for _ in range(500)]
        for number, client in enumerate(several):
            client.send(self.query(f"n{number % 50}", 1), self.query(f"m{number}", 2))
        for number, client in enumerate(several):
            replies = self.receive_all(client, 2)
            self.check(replies[1], f"n{number % 50}")
            self.check(replies[2], f"m{number}")

    def test_descriptors_without_a_growing_table(self):
        """The kernel holds up a thread for 10 to 40 ms whose descriptor does not fit the process's table any more: there is
        room from the start."""
        def size():
            status = pathlib.Path(f"/proc/{self.ringlet.pid}/status").read_text()
            return int(re.search(r"FDSize:\s+(\d+)", status)[1])

        before = size()
        self.assertGreaterEqual(before, 1000 * self.shards)
        for n in range(600):
            client = self.connect()
            client.send(self.query(f"n{n % 20}", n))
        self.assertEqual(dnswire.decode(client.receive()).id, 599)
        self.assertEqual(size(), before)

    def test_client_gone(self):
        """Clients that reset with questions in flight hurt nobody, and leave no descriptor behind."""
        before = len(os.listdir(f"/proc/{self.ringlet.pid}/fd"))
        for n in range(200):
            client = clients.TCPClient(self.address)
            client.send(self.query(f"slow{n % 10}", n), self.query(f"n{n}", n))
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.socket.close()
        self.still_serving()
        time.sleep(1.5)
        self.still_serving()
        # Upstream connections and the probe's may have come.
        self.assertLess(len(os.listdir(f"/proc/{self.ringlet.pid}/fd")), before + 20)

    def test_slow_reader(self):
        """A client that asks for much and reads nothing is held back: memory stays, others are served."""
        self.assertIsNotNone(clients.ask_tcp(self.address, dnswire.query("large.svc.cluster.local", 65280)))
        before = self.ringlet.own_kib
        client = self.connect()
        client.socket.setblocking(False)
        packet = dnswire.query("large.svc.cluster.local", 65280)
        frames = (struct.pack("!H", len(packet)) + packet) * 1000
        written, deadline = 0, time.monotonic() + 2
        while time.monotonic() < deadline:
            try:
                written += client.socket.send(frames)
            except BlockingIOError:
                time.sleep(0.01)
            except ConnectionError:
                break
            self.assertLess(written, 200 << 20)
        start = time.monotonic()
        self.still_serving()
        self.assertLess(time.monotonic() - start, 0.5)
        self.assertLess(self.ringlet.own_kib - before, 8 * 1024)
        client.socket.settimeout(2)
        for _ in range(10):
            data = client.receive()
            if data is None:
                break
            self.assertEqual(dnswire.decode(data).data(65280), [bytes(20000)])

    def test_garbage(self):
        """Noise in frames and out of them, empty frames, a frame that never ends: nobody else notices."""
        dice = random.Random(7)
        for n in range(100):
            with clients.TCPClient(self.address, 1) as client:
                try:
                    if n % 2:
                        client.send(dice.randbytes(dice.randrange(0, 300)), b"", dice.randbytes(12))
                    else:
                        client.socket.sendall(dice.randbytes(dice.randrange(1, 3000)))
                except ConnectionError:
                    pass
        client = self.connect()
        client.send(b"\0" * 65535)
        self.still_serving()

    def test_good_after_bad(self):
        """A frame that cannot be read is answered FORMERR, and the connection goes on."""
        client = self.connect()
        client.send(dnswire.header(1, 0, 1) + b"\xc0", self.query("n", 2))
        replies = self.receive_all(client, 2)
        self.assertEqual(replies[1].rcode, dnswire.FORMERR)
        self.check(replies[2], "n")

    def test_patience(self):
        """A connection without a first question ends after 3 s, one without a further question after 10 s; one that asks
        goes on; half a frame does not buy more time."""
        silent, half, idle, busy = (self.connect(20) for _ in range(4))
        half.socket.sendall(b"\0\x30abc")
        for client in (idle, busy):
            client.send(self.query("n", 1))
            self.receive_all(client, 1)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            ends = [pool.submit(client.closed_within, 14) for client in (silent, half, idle)]
            for n in range(13):
                time.sleep(1)
                busy.send(self.query("n", n))
                self.receive_all(busy, 1)
            silent, half, idle = (end.result() for end in ends)
        self.assertIsNotNone(silent)
        self.assertTrue(2.5 < silent < 5, silent)
        self.assertIsNotNone(half)
        self.assertTrue(2.5 < half < 5, half)
        self.assertIsNotNone(idle)
        self.assertTrue(9 < idle < 12.5, idle)


class TCPServiceOneShard(TCPService):
    shards = 1
    test_patience = None  # the same timers
