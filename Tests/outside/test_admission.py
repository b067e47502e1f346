"""What gets which answer before any cache: the ladder of spec a.6, byte for byte, and the rules of EDNS and truncation."""

import socket
import struct

import clients
import dnswire
import harness
import peer
from dnswire import AA, AD, CD, FORMERR, NOTIMP, QR, RA, RD, REFUSED, TC

SENTINEL = dnswire.header(0xFFFF, 0)  # no question: FORMERR at once, from no cache
NAME = "a.svc.cluster.local"
OPAQUE = 65280  # a type for private use, of which no server knows anything


async def sized_or_address(asked):
    """`size-N.…`: N octets of data in two records; any other name: an address."""
    kind, _, size = asked.name.split(".")[0].partition("-")
    if kind == "size":
        halves = int(size) // 2, int(size) - int(size) // 2
        asked.send(
            asked.response(*[dnswire.record(asked.name, OPAQUE, 30, bytes([n]) * half) for n, half in enumerate(halves)])
        )
    else:
        asked.send(asked.address())


def shape(reply):
    """All of a reply but its TTLs, which a second between two replies may change."""
    message = dnswire.decode(reply)
    records = [
        [(r.name, r.type, r.cls, r.rdata) for r in section]
        for section in (message.answers, message.authority, message.additional)
    ]
    return message.id, message.flags, message.question_bytes, records, message.edns, message.size


class AdmissionCase(harness.OutsideCase):
    def setUp(self):
        super().setUp()
        self.upstream = peer.Peer(sized_or_address)
        self.addCleanup(self.upstream.stop)
        self.ringlet = self.start_ringlet(self.upstream.address)
        self.address = ("127.0.0.1", self.ringlet.port)

    def ask(self, packet):
        """The reply's bytes; None where the server keeps silent. UDP datagrams of one socket are served in order, so a
        sentinel sent after the packet tells silence without waiting for it."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(5)
            s.connect(self.address)
            s.send(packet)
            s.send(SENTINEL)
            reply = s.recv(65535)
            if reply[:2] == SENTINEL[:2]:
                s.settimeout(0.05)
                try:
                    return s.recv(65535)
                except TimeoutError:
                    return None
            return reply

    def both(self, packet):
        """The reply over UDP, after a look whether the one over TCP is equal."""
        udp, tcp = clients.ask(self.address, packet), clients.ask_tcp(self.address, packet)
        self.assertEqual(shape(udp), shape(tcp))
        return udp


class Ladder(AdmissionCase):
    def test_short(self):
        """What is shorter than a header is dropped."""
        for length in range(12):
            with self.subTest(length=length):
                self.assertIsNone(self.ask(dnswire.query(NAME)[:length]))

    def test_response(self):
        """QR=1 is ignored, whatever else it says."""
        for flags in (QR, QR | RD, QR | RD | RA | 3, QR | 5 << 11):
            with self.subTest(flags=hex(flags)):
                self.assertIsNone(self.ask(dnswire.query(NAME, flags=flags)))
                self.assertIsNone(self.ask(dnswire.header(1, flags)))

    def test_opcode(self):
        """Opcodes other than QUERY and NOTIFY: NOTIMP in a bare header, opcode and RD echoed, nothing more."""
        for opcode in (1, 2, 3, 5, 6, 7, 15):
            for rd in (0, RD):
                with self.subTest(opcode=opcode, rd=rd):
                    asked = dnswire.query(NAME, id=0xABCD, flags=opcode << 11 | rd, edns=dnswire.opt())
                    self.assertEqual(self.both(asked), dnswire.header(0xABCD, QR | opcode << 11 | rd | NOTIMP))

    def test_opcode_of_garbage(self):
        """The opcode is judged before the rest of the message is read."""
        asked = dnswire.header(7, 2 << 11, 9, 9, 9, 9) + b"\xc0\x0c\xff"
        self.assertEqual(self.both(asked), dnswire.header(7, QR | 2 << 11 | NOTIMP))

    def test_other_bits_not_echoed(self):
        """AA, TC, RA, Z, AD, CD and rcode bits of a bad query do not come back in a bare header."""
        asked = dnswire.header(7, AA | TC | RD | RA | 0x40 | AD | CD | 9)
        self.assertEqual(self.both(asked), dnswire.header(7, QR | RD | FORMERR))

    def test_counts(self):
        """QDCOUNT other than 1, ANCOUNT or NSCOUNT above 1, ARCOUNT above 2: FORMERR in a bare header."""
        question = dnswire.query(NAME)[12:]
        extra = dnswire.record("x", dnswire.A, 1, bytes(4))
        bodies = {
            "qd 0": ((0, 0, 0, 0), b""),
            "qd 0 with a question": ((0, 0, 0, 0), question),
            "qd 0 with OPT": ((0, 0, 0, 1), dnswire.opt()),
            "qd 2": ((2, 0, 0, 0), question + question),
            "qd 65535": ((65535, 0, 0, 0), question),
            "an 2": ((1, 2, 0, 0), question + extra * 2),
            "ns 2": ((1, 0, 2, 0), question + extra * 2),
            "ar 3": ((1, 0, 0, 3), question + extra * 3),
        }
        for what, (counts, body) in bodies.items():
            for rd in (0, RD):
                with self.subTest(what=what, rd=rd):
                    self.assertEqual(
                        self.both(dnswire.header(0x1234, rd, *counts) + body), dnswire.header(0x1234, QR | rd | FORMERR)
                    )

    def test_records_in_query(self):
        """One record in each section of a query does no harm."""
        extra = dnswire.record("x", dnswire.A, 1, bytes(4))
        asked = dnswire.header(5, RD, 1, 1, 1, 1) + dnswire.query(NAME)[12:] + extra * 3
        reply = dnswire.decode(self.both(asked))
        self.assertEqual((reply.rcode, reply.data(dnswire.A)), (0, [peer.address_of(NAME)]))

    def test_unparseable(self):
        """A body that cannot be read: FORMERR in a bare header."""
        good = dnswire.query(NAME)[12:]
        label = b"\x01a"
        bodies = {
            "nothing": b"",
            "cut in the name": good[:5],
            "cut before the type": good[:-4],
            "cut in the class": good[:-1],
            "label of kind 0x40": b"\x41" + bytes(0x41) + bytes(5),
            "label of kind 0x80": b"\x81a\0" + bytes(4),
            "pointer to itself": b"\xc0\x0c" + bytes(4),
            "pointer into the header": b"\xc0\x00" + bytes(4),
            "pointer forward": b"\xc0\x20" + bytes(40),
            "label beyond the end": b"\x3fabc",
            "name of 256 octets": (b"\x3f" + b"x" * 63) * 3 + b"\x3e" + b"x" * 62 + b"\0" + bytes(4),
            "name of 300 octets": label * 150 + b"\0" + bytes(4),
            "name without end": label * 200,
        }
        for what, body in bodies.items():
            with self.subTest(what=what):
                self.assertEqual(self.both(dnswire.header(9, RD, 1) + body), dnswire.header(9, QR | RD | FORMERR))

    def test_bad_opt(self):
        """Two OPTs, an OPT with an owner, one in the answer section, one whose options overrun it, one cut: FORMERR."""
        good = dnswire.query(NAME)[12:]
        opt = dnswire.opt()
        bodies = {
            "two": ((0, 0, 2), opt + opt),
            "with an owner": ((0, 0, 1), b"\x01x" + opt),
            "in the answer section": ((1, 0, 0), opt),
            "option overruns": ((0, 0, 1), dnswire.opt(options=b"\0\x0a\0\x09abc")),
            "cut": ((0, 0, 1), opt[:-1]),
            "cut in the options": ((0, 0, 1), dnswire.opt(options=dnswire.option(10, bytes(8)))[:-3]),
        }
        for what, (counts, body) in bodies.items():
            with self.subTest(what=what):
                self.assertEqual(
                    self.both(dnswire.header(9, RD, 1, *counts) + good + body), dnswire.header(9, QR | RD | FORMERR)
                )

    def test_badvers(self):
        """EDNS version above 0: BADVERS, which is rcode 0 in the header and 1 in the OPT, whose size is 0."""
        for version in (1, 255):
            asked = dnswire.query(NAME, id=3, edns=dnswire.opt(4096, version=version, options=dnswire.option(65001)))
            reply = self.both(asked)
            head = struct.unpack_from("!6H", reply)
            self.assertEqual((head[0], head[1] & ~RA, *head[2:]), (3, QR | RD, 1, 0, 0, 1))
            self.assertEqual(reply[12:], dnswire.query(NAME)[12:] + dnswire.opt(0, rcode=1))
        self.assertEqual(self.upstream.asked, [])

    def test_refused(self):
        """Names outside all zones: REFUSED with the question. A zone ends at a label's border."""
        for name in ("example.com", "evilcluster.local", "local", "", "cluster.local.example"):
            for edns in (None, dnswire.opt(1400, do=True)):
                with self.subTest(name=name, edns=edns):
                    reply = self.both(dnswire.query(name, id=4, edns=edns))
                    head = struct.unpack_from("!6H", reply)
                    self.assertEqual((head[0], head[1] & ~RA, *head[2:]), (4, QR | RD | REFUSED, 1, 0, 0, 1 if edns else 0))
                    self.assertEqual(reply[12:], dnswire.query(name)[12:] + (edns or b""))
        self.assertEqual(self.upstream.asked, [])

    def test_transfer(self):
        """Zone transfers are not served."""
        for type in (251, 252):
            self.assertIn(dnswire.decode(self.both(dnswire.query(NAME, type))).rcode, (NOTIMP, REFUSED))

    def test_class(self):
        """With a forward on the listener other classes are asked upstream, and do not mix with IN in the cache."""

        async def by_class(asked):
            asked.send(
                asked.response(dnswire.record(asked.name, dnswire.A, 30, bytes([asked.message.cls] * 4), cls=asked.message.cls))
            )

        self.upstream.script = by_class
        for cls in (1, 3, 4, 1, 3, 4):
            reply = dnswire.decode(self.both(dnswire.query(NAME, cls=cls)))
            self.assertEqual([(r.cls, r.rdata) for r in reply.answers], [(cls, bytes([cls] * 4))])

    def test_trailing_bytes(self):
        """Bytes after a datagram's message go nowhere: not to the upstream, not into the answer."""
        reply = dnswire.decode(clients.ask(self.address, dnswire.query(NAME) + b"trailing bytes"))
        self.assertEqual(reply.data(dnswire.A), [peer.address_of(NAME)])
        self.assertNotIn(b"trailing", self.upstream.asked[0].raw)


class Answers(AdmissionCase):
    def test_spelling(self):
        """The question comes back in the client's own spelling, on a miss and on hits (0x20)."""
        for name in ("A.sVc.ClUsTeR.lOcAl", "a.svc.cluster.local", "A.SVC.CLUSTER.LOCAL"):
            asked = dnswire.query(name, id=6)
            reply = self.both(asked)
            self.assertEqual(reply[12 : len(asked)], asked[12:])
            self.assertEqual(dnswire.decode(reply).data(dnswire.A), [peer.address_of(NAME)])
        self.assertEqual(len(self.upstream.asked), 1)

    def test_odd_labels(self):
        """Labels may hold any octet: NUL, spaces, what looks like a dot or an upper-case letter with the high bit set."""
        for number, label in enumerate((b"\0", b" ", b"a\0b", b"\xc1\xe1", b"@[`{", b"x" * 63, bytes(range(128, 160)))):
            raw = bytes([len(label)]) + label + dnswire.name("svc.cluster.local")
            asked = dnswire.header(number, RD, 1) + raw + struct.pack("!HH", dnswire.A, 1)
            for _ in range(2):
                reply = clients.ask(self.address, asked)
                self.assertEqual(reply[12 : len(asked)], asked[12:])
                self.assertEqual(len(dnswire.decode(reply).answers), 1)
        self.assertEqual(len(self.upstream.asked), 7)

    def test_dot_inside_label(self):
        """A label with a dot in it is one label: `a.svc` in one is not the name a.svc, and must not be answered as it."""
        self.both(dnswire.query(NAME))
        asked = dnswire.header(1, RD, 1) + b"\x05a.svc" + dnswire.name("cluster.local") + struct.pack("!HH", dnswire.A, 1)
        self.assertEqual(clients.ask(self.address, asked)[12 : len(asked)], asked[12:])
        self.assertEqual(len(self.upstream.asked), 2)

    def test_unknown_type(self):
        """Data of unknown types passes untouched, also where it looks like a pointer or like letters (RFC 3597)."""
        data = b"\xc0\x0cABCxyz\x00\xff" * 3

        async def opaque(asked):
            asked.send(asked.response(dnswire.record(asked.name, OPAQUE, 30, data)))

        self.upstream.script = opaque
        for _ in range(2):
            self.assertEqual(dnswire.decode(self.both(dnswire.query(NAME, OPAQUE))).data(OPAQUE), [data])

    def test_compressed_upstream(self):
        """An answer whose names point into each other is right again, at a client that spells the question otherwise."""

        async def pointing(asked):
            owner, alias = b"\xc0\x0c", b"\x05other" + b"\xc0" + bytes([12 + 2])
            cname = owner + struct.pack("!HHIH", dnswire.CNAME, 1, 30, len(alias)) + alias
            target = struct.pack("!H", 0xC000 | len(asked.response()) - (11 if asked.message.edns else 0) + 12)
            asked.send(asked.response(cname, target + struct.pack("!HHIH", dnswire.A, 1, 30, 4) + b"\1\2\3\4"))

        self.upstream.script = pointing
        for name in (NAME, "A.SVC.cluster.local", NAME):
            reply = dnswire.decode(self.both(dnswire.query(name)))
            self.assertEqual([r.name.lower() for r in reply.answers], [NAME, "other.svc.cluster.local"])
            self.assertEqual(reply.answers[0].rdata.lower(), dnswire.name("other.svc.cluster.local"))
            self.assertEqual(reply.answers[1].rdata, b"\1\2\3\4")

    def test_flags(self):
        """A miss hands on the upstream's flags; a hit has AA; RD and CD are the client's; AD goes only to who set AD or DO."""

        async def flagged(asked):
            asked.send(asked.address(flags=RA | AD))

        self.upstream.script = flagged
        opt, opt_do = dnswire.opt(), dnswire.opt(do=True)
        for flags, edns, ad in (
            (RD, None, 0),
            (0, None, 0),
            (RD | AD, None, AD),
            (RD, opt, 0),
            (RD, opt_do, AD),
            (RD | CD, None, 0),
            (RD | CD | AD, None, AD),
        ):
            key = f"f{flags}-{bool(edns)}-{edns == opt_do}.svc.cluster.local"
            for aa in (0, AA):
                with self.subTest(flags=hex(flags), edns=edns, hit=bool(aa)):
                    reply = dnswire.decode(clients.ask(self.address, dnswire.query(key, flags=flags, edns=edns)))
                    self.assertEqual(reply.flags, QR | flags & (RD | CD) | RA | aa | ad)


class EDNS(AdmissionCase):
    def reply_opt(self, opt, name=NAME):
        """The OPT's fields in the reply to a query with `opt`, on a miss or a hit."""
        return dnswire.decode(self.both(dnswire.query(name, edns=opt))).edns

    def test_none(self):
        """No OPT in the query, none in the reply, though the stored answer was fetched by a client that had one."""
        self.assertIsNotNone(self.reply_opt(dnswire.opt()))
        self.assertIsNone(self.reply_opt(None))

    def test_size_and_do(self):
        """The client's size and DO come back; the rest of the OPT is zero."""
        for size in (0, 511, 512, 1232, 4096, 65535):
            for do in (False, True):
                for _ in range(2):
                    self.assertEqual(self.reply_opt(dnswire.opt(size, do=do)), dnswire.EDNS(size, 0, 0, do, b""))

    def test_options(self):
        """NSID, EXPIRE, COOKIE, TCP-KEEPALIVE and PADDING come back as they were; client-subnet and unknown ones do not. None goes upstream."""
        kept = b"".join(dnswire.option(*one) for one in ((3,), (9,), (10, b"cookie!!"), (11,), (12, bytes(5))))
        subnet, unknown = dnswire.option(8, b"\0\1\x18\0\x0a\0\0"), dnswire.option(65001, b"x")
        for name in (NAME, NAME, "example.com"):
            self.assertEqual(self.reply_opt(dnswire.opt(options=subnet + kept + unknown), name).options, kept)
        for asked in self.upstream.asked:
            self.assertEqual(asked.message.edns.options if asked.message.edns else b"", b"")

    def test_options_are_not_cached(self):
        """One client's cookie never reaches another."""
        self.reply_opt(dnswire.opt(options=dnswire.option(10, b"cookie-1")))
        self.assertEqual(
            self.reply_opt(dnswire.opt(options=dnswire.option(10, b"cookie-2"))).options, dnswire.option(10, b"cookie-2")
        )
        self.assertEqual(self.reply_opt(dnswire.opt()).options, b"")

    def test_unknown_flags(self):
        """Unknown EDNS flags are not echoed."""
        opt = bytearray(dnswire.opt())
        opt[8] = 0x55
        reply = self.both(dnswire.query(NAME, edns=bytes(opt)))
        self.assertTrue(reply.endswith(dnswire.opt()))


class Truncation(AdmissionCase):
    """Sizes to the octet. Whether owners stand compressed in a reply is the server's choice, so a first reply over TCP tells
    what comes to the data."""

    def test_boundary(self):
        """At the limit an answer goes whole; one octet more and it is cut before a record, with TC, within the limit."""
        for edns, limit in (
            (None, 512),
            (dnswire.opt(0), 512),
            (dnswire.opt(512), 512),
            (dnswire.opt(700), 700),
            (dnswire.opt(1232), 1232),
        ):
            overhead = len(clients.ask_tcp(self.address, dnswire.query("size-0000.svc.cluster.local", OPAQUE, edns=edns)))
            for over in (-2, -1, 0, 1, 2):
                packet = dnswire.query(f"size-{limit - overhead + over:04}.svc.cluster.local", OPAQUE, edns=edns)
                whole = dnswire.decode(clients.ask_tcp(self.address, packet))
                self.assertEqual((whole.size, len(whole.answers)), (limit + over, 2))
                for source in ("cache", "cache again"):
                    with self.subTest(edns=edns, over=over, source=source):
                        self.check_cut(dnswire.decode(clients.ask(self.address, packet)), whole, limit)

    def test_boundary_of_miss(self):
        """The same when the answer comes fresh from the upstream."""
        overhead = len(clients.ask_tcp(self.address, dnswire.query("size-0000.svc.cluster.local", OPAQUE)))
        for over in (-1, 0, 1):
            packet = dnswire.query(f"size-{512 - overhead + over:04}.svc.cluster.local", OPAQUE)
            reply = dnswire.decode(clients.ask(self.address, packet))
            self.check_cut(reply, dnswire.decode(clients.ask_tcp(self.address, packet)), 512)

    def check_cut(self, reply, whole, limit):
        """`reply` is all of `whole` where that is within `limit`, and else its first record with TC."""
        fits = whole.size <= limit
        self.assertLessEqual(reply.size, limit)
        self.assertEqual(bool(reply.flags & TC), not fits)
        self.assertEqual((reply.question_bytes, reply.edns), (whole.question_bytes, whole.edns))
        self.assertEqual([r.rdata for r in reply.answers], [r.rdata for r in whole.answers[: 2 if fits else 1]])

    def test_huge(self):
        """60 KiB over UDP: header, question, OPT and TC; whole over TCP."""

        async def huge(asked):
            asked.send(asked.response(*[dnswire.record(asked.name, OPAQUE, 30, bytes(60000))]))

        self.upstream.script = huge
        for edns in (None, dnswire.opt(65535)):
            reply = dnswire.decode(clients.ask(self.address, dnswire.query(NAME, OPAQUE, edns=edns)))
            self.assertTrue(reply.flags & TC)
            self.assertEqual(reply.records, [])
        self.assertEqual(
            dnswire.decode(clients.ask_tcp(self.address, dnswire.query(NAME, OPAQUE))).data(OPAQUE), [bytes(60000)]
        )

    def test_additional_left_out(self):
        """What does not fit of the additional section is left out without TC, for the answer is whole (RFC 2181 §9)."""

        async def generous(asked):
            glue = [dnswire.record(f"g{n}.cluster.local", dnswire.A, 30, bytes(4)) for n in range(60)]
            asked.send(asked.address(additional=glue))

        self.upstream.script = generous
        reply = dnswire.decode(clients.ask(self.address, dnswire.query(NAME)))
        self.assertLessEqual(reply.size, 512)
        self.assertEqual(reply.data(dnswire.A), [peer.address_of(NAME)])
        self.assertFalse(reply.flags & TC)
