"""Packets that are nearly right, by the hundred thousand: the server answers on, is the same process, and does not grow.

RINGLET_MUTATIONS sets how many (a million takes about two minutes), RINGLET_SEED the seed.
"""

import os
import random
import socket
import struct

import clients
import dnswire
import harness
import zone

COUNT = int(os.environ.get("RINGLET_MUTATIONS", 20_000 if harness.QUICK else 100_000))
SEED = int(os.environ.get("RINGLET_SEED", 9))
BATCH = 100
SENTINEL = dnswire.query(zone.service(1), id=0xFFFE)


def corpus():
    """Well-formed queries of each kind to start from."""
    options = b"".join(dnswire.option(code, bytes(8)) for code in (3, 8, 10, 12, 65001))
    record = dnswire.record("x.cluster.local", dnswire.TXT, 30, b"\3abc")
    one_each = (
        dnswire.header(1, dnswire.RD, 1, 1, 1, 2)
        + dnswire.query(zone.service(5))[12:]
        + record * 3
        + dnswire.opt(options=options)
    )
    return [
        dnswire.query(zone.service(3)),
        dnswire.query(zone.service(4), dnswire.AAAA, edns=dnswire.opt(4096, do=True, options=options)),
        dnswire.query(".".join(["a" * 63] * 3 + ["b" * 40, "cluster.local"]), dnswire.SRV, edns=dnswire.opt()),
        dnswire.query("a.b.c.d.e.f.g.h.i.j.k.cluster.local", 65280),
        dnswire.query("", dnswire.NS),
        one_each,
    ]


def mutated(packet, dice):
    """One to four small changes: bits, octets that DNS reads as lengths, pointers or counts, cuts, repeats."""
    data = bytearray(packet)
    for _ in range(dice.randrange(1, 5)):
        at = dice.randrange(len(data) + 1)
        match dice.randrange(8):
            case 0 if at < len(data):
                data[at] ^= 1 << dice.randrange(8)
            case 1 if at < len(data):
                data[at] = dice.choice((0, 1, 0x3F, 0x40, 0x7F, 0x80, 0xC0, 0xFF))
            case 2:
                data[at : at + 2] = struct.pack("!H", 0xC000 | dice.choice((0, 11, 12, at, dice.randrange(0x4000))))
            case 3:
                del data[at:]
            case 4:
                data[at:at] = dice.randbytes(dice.randrange(1, 20))
            case 5:
                data[at:at] = data[dice.randrange(len(data) + 1) :][:40]
            case 6 if len(data) >= 12:
                struct.pack_into("!H", data, dice.randrange(1, 6) * 2, dice.choice((0, 1, 2, 3, 255, 65535)))
            case 7:
                del data[at : at + dice.randrange(1, 8)]
    # Shorter than what a packet may have on a path; QR stays off often enough by itself.
    return bytes(data[:1400])


class Mutations(harness.OutsideCase):
    def setUp(self):
        super().setUp()
        nsd = self.start_nsd()
        # Small stores, so that memory has been used all over before the first measure.
        cache = "cache {\n        success 1024 30\n        denial 1024 5\n    }"
        self.ringlet = self.start_ringlet(f"127.0.0.1:{nsd.port}", cache=cache, shards=2)
        self.address = ("127.0.0.1", self.ringlet.port)
        self.dice, self.corpus = random.Random(SEED), corpus()

    def batch(self):
        return [mutated(self.dice.choice(self.corpus), self.dice) for _ in range(BATCH)]

    def rounds(self, count, send):
        """Sends the batches; after each the server must still answer. Memory is compared between the half and the end."""
        middle = 0
        for n in range(0, count, BATCH):
            packets = self.batch()
            send(packets)
            reply = clients.ask(self.address, SENTINEL, timeout=5)
            if not self.ringlet.alive() or reply is None:
                self.fail(
                    f"seed {SEED}, packets {n} to {n + BATCH}: {[p.hex() for p in packets]}\n{self.ringlet.log()[-2000:]}"
                )
            self.assertIsNone(self.oracle.fault(SENTINEL, dnswire.decode(reply)))
            if n <= count // 2:
                middle = self.ringlet.own_kib
        self.report(f"{count} packets, {middle} KiB of its own at half time, {self.ringlet.own_kib} KiB at the end")
        self.assertLess(self.ringlet.own_kib - middle, 1024)

    def test_udp(self):
        """Over UDP; what comes back is a well-formed message."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect(self.address)
            s.setblocking(False)

            def send(packets):
                for packet in packets:
                    s.send(packet)
                    try:
                        while True:
                            dnswire.decode(s.recv(65535))
                    except BlockingIOError:
                        pass

            self.rounds(COUNT, send)

    def test_tcp(self):
        """Over TCP, in right frames and now and then in a wrong one."""
        self.client = None

        def send(packets):
            if self.client is None:
                self.client = clients.TCPClient(self.address, 2)
            frames = [
                struct.pack("!H", len(p) if self.dice.random() > 0.002 else self.dice.randrange(65536)) + p for p in packets
            ]
            try:
                self.client.socket.sendall(b"".join(frames))
                self.client.socket.setblocking(False)
                while self.client.socket.recv(65536):
                    pass
                raise ConnectionError
            except BlockingIOError:
                self.client.socket.settimeout(2)
            except (ConnectionError, TimeoutError):
                self.client.socket.close()
                self.client = None

        self.addCleanup(lambda: self.client and self.client.socket.close())
        self.rounds(COUNT // 2, send)
