"""Names of any octets, and classes: answered as the upstream answers them, at first and from the cache."""

import pathlib
import struct
import unittest

import clients
import dnswire
import harness
import peer

DOMAIN = (b"cluster", b"local")
# In pairs that differ in the bit by which the letters' cases differ, or in where a label ends.
ODD = (
    [[label] for label in (
        b"a.b", b".", b"..", b"a.", b".a", b"\0", b"\0\0", b"a\0", b"a\0b", b"a", b" ", b"a b", b"\t", b"\n", b"\r\n",
        b'"', b"\\", b"\\046", b"\\.", b";", b"$ORIGIN", b"(", b")", b"_x", b"-", b"*x", b"@", b"`", b"[", b"{", b"^", b"~",
        b"\xc9", b"\xe9", b"\x7f", b"\x80", b"\xc0\x0c", b"\xff", "b\u00fccher".encode(), b"xn--bcher-kva", b"\xff" * 63,
        b"x" * 63, b"0" * 62, bytes(range(1, 33)), bytes(range(200, 256)), b"cluster.local", b"1.2.3.4")]
    + [[b"a", b"b"], [b"a", b"a"], [b"\0", b"\0"], [b"local", b"cluster"], [b"x"] * 120,
       [b"y" * 63, b"y" * 63, b"y" * 63, b"y" * 47], [b"z" * 63, b"z" * 63, b"z" * 63, b"z" * 46]]
)  # fmt: skip


def wire(labels):
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def query(labels, type=dnswire.A, cls=dnswire.IN, id=0):
    return dnswire.header(id, dnswire.RD, qd=1) + wire(labels) + struct.pack("!HH", type, cls)


def escaped(label):
    """As a zone file has it (RFC 1035 §5.1)."""
    return "".join(f"\\{octet:03}" for octet in label)


class Nsd(harness.Nsd):
    """With an address for each of the odd names."""

    def start(self):
        with open(pathlib.Path(self.home) / "cluster.zone", "a") as file:
            for number, labels in enumerate(ODD):
                file.write(".".join(map(escaped, labels)) + f".cluster.local. 300 IN A 10.9.0.{number}\n")
        super().start()


class Names(harness.OutsideCase):
    def setUp(self):
        super().setUp()
        self.nsd = Nsd(self.directory)
        self.addCleanup(self.nsd.stop)
        self.nsd.wait_ready()
        self.ringlet = self.start_ringlet(f"127.0.0.1:{self.nsd.port}", shards=2)

    def ask(self, server, packet):
        for ask in (clients.ask, clients.ask_tcp):
            reply = ask(("127.0.0.1", server.port), packet)
            self.assertIsNotNone(reply, packet)
            self.assertEqual(reply[: 2], packet[:2])
        return dnswire.decode(reply)

    def compare(self, packet):
        """The upstream's answer, which is Ringlet's, the question as it was spelled."""
        right = self.ask(self.nsd, packet)
        for _ in range(2):
            reply = self.ask(self.ringlet, packet)
            self.assertEqual(reply.question_bytes, packet[12:])
            said = [(r.rcode, [(a.name.lower(), a.type, a.cls, a.rdata) for a in r.answers], len(r.authority)) for r in (right, reply)]
            self.assertEqual(*said[::-1], packet)
        return right

    def test_odd_names(self):
        """Each is its own: with its address, with none of another type, in either case, and not there with an octet more."""
        self.assertGreater(len(ODD), 30)
        for number, labels in enumerate(ODD):
            with self.subTest(labels=labels):
                name = [*labels, *DOMAIN]
                right = self.compare(query(name))
                self.assertEqual(right.data(dnswire.A), [bytes([10, 9, 0, number])])
                self.compare(query([label.swapcase() for label in name], id=number))
                self.compare(query(name, dnswire.AAAA))
                if len(labels[0]) < 63 and len(wire(name)) < 255:
                    self.compare(query([labels[0] + b"\x01", *name[1:]]))

    def test_names_beyond_bounds(self):
        """A label of 64 octets cannot be written, and a name of 256 is none."""
        long = query([b"y" * 63, b"y" * 63, b"y" * 63, b"y" * 48, *DOMAIN])
        reply = clients.ask(("127.0.0.1", self.ringlet.port), long)
        self.assertEqual(reply[3] & 15, dnswire.FORMERR)

    def test_zones_end_at_labels(self):
        """`evilcluster.local`, and a label with a dot in it, are not in the zone."""
        for labels in ([b"evilcluster", b"local"], [b"a", b"cluster.local"], [b"cluster\0local"], [b"local"]):
            with self.subTest(labels=labels):
                self.assertEqual(self.ask(self.ringlet, query(labels)).rcode, dnswire.REFUSED)

    def test_classes(self):
        """NONE and ANY (RFC 2136 §2.4), reserved ones and others are the upstream's to answer."""
        for cls in (dnswire.IN, 0, 2, 3, 4, 254, 255, 256, 65280, 65535, dnswire.IN):
            with self.subTest(cls=cls):
                right = self.compare(query([b"a", *DOMAIN], cls=cls))
                self.assertEqual(len(right.answers), 1 if cls in (dnswire.IN, 255) else 0)

    def test_classes_are_apart(self):
        """No answer of one class is another's, cached or not."""
        async def by_class(asked):
            address = asked.message.cls.to_bytes(4, "big")
            asked.send(asked.response(dnswire.record(asked.name, dnswire.A, 300, address, cls=asked.message.cls)))

        upstream = peer.Peer(by_class)
        self.addCleanup(upstream.stop)
        ringlet = self.start_ringlet(upstream.address)
        for _ in range(2):
            for cls in (dnswire.IN, 3, 4, 254, 255, 65280):
                reply = self.ask(ringlet, query([b"a", *DOMAIN], cls=cls))
                self.assertEqual(reply.data(dnswire.A), [cls.to_bytes(4, "big")])
        self.assertEqual([asked.message.cls for asked in upstream.asked], [dnswire.IN, 3, 4, 254, 255, 65280])


if __name__ == "__main__":
    unittest.main()
