"""Who may say what: forged, stolen and malformed messages, each under the name of the attack it comes from.

What other modules show is not shown again. Known attacks, and where:

    CVE-2008-1447 (Kaminsky), RFC 5452          Guessing, test_upstream_loss.UDPUpstream, scenarios/rfc5452.txt
    CVE-2020-25684, -25685, -25686 (DNSpooq)    Guessing, test_joining, CacheTests (hashes cut to few bits)
    CVE-2023-30464, CVE-2025-5994 (RebirthDay)  Keys, test_joining
    CVE-2020-25705 (SAD DNS)                    Guessing.test_cve_2020_25705_icmp
    CVE-2025-40780, CVE-2019-19794 (randomness) Randomness
    TuDoor                                      Junk
    MaginotDNS, CVE-2025-40778, ghost domains   scenarios/rfc5452.txt, zones.txt, test_cache.Blocks
    CVE-2024-0874 (CD)                          Keys
    CVE-2019-10190, -10191 (foreign SOA)        scenarios/rfc2308.txt
    CVE-2022-2835, -2837 (search paths)         scenarios/rfc8020.txt
    CVE-2026-26017 (rules before folding)       Rules
    CVE-2026-26018 (probes of loops)            Probes
    NAME:WRECK, SIGRed (CVE-2020-1350)          Malformed, WireTests, Tests/Fuzz
    CVE-2024-8508, -44390 (compression)         WireTests.WorkTests
    CVE-2026-41292, -42944 (options)            Malformed
    CVE-2026-40209 (transfers)                  scenarios/rfc-opcodes-and-types.txt
"""

import asyncio
import itertools
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
from dnswire import AD, CD, NOERROR, QR, RA, RD, REFUSED, SERVFAIL

POISON = b"\xde\xad\xbe\xef"
NAME = "a.svc.cluster.local"
OPAQUE = 65280
HINFO = 13


class ForgeryCase(harness.OutsideCase):
    def start(self, script, **options):
        self.upstream = peer.Peer(script)
        self.addCleanup(self.upstream.stop)
        self.ringlet = self.start_ringlet(self.upstream.address, **options)
        self.address = ("127.0.0.1", self.ringlet.port)

    def check(self, name=NAME, **options):
        """The client gets one answer, the right one, and so does the next from the cache."""
        for _ in range(2):
            (exchange,) = clients.ask_all(self.address, [dnswire.query(name, id=77, **options)], linger=0.05)
            self.assertEqual(exchange.rcodes, [NOERROR], name)
            self.assertEqual(exchange.reply.data(dnswire.A), [peer.address_of(name)], name)

    def mismatches(self):
        return harness.scrape(self.ringlet.setup_port).sum("ringlet_mismatched_datagrams_total")


def poison(asked, **options):
    return asked.response(dnswire.record(asked.name, dnswire.A, 30, POISON), **options)


class Guessing(ForgeryCase):
    """An upstream over UDP, and a forger who knows the port."""

    def test_cve_2008_1447_all_ids(self):
        """All 65,536 ids from the upstream's own address and port: none is believed; the answer is fetched over TCP."""

        async def flooded(asked):
            if asked.transport == "udp":
                forged = poison(asked)[2:]
                for guess in range(65536):
                    # The right one comes in the middle.
                    asked.send(struct.pack("!H", (asked.message.id + 0x8000 + guess) & 0xFFFF) + forged)
                    if guess % 64 == 0:
                        await asyncio.sleep(0)
            else:
                asked.send(asked.address())

        self.start(flooded, options="prefer_udp")
        self.check()
        self.assertEqual(self.upstream.questions(NAME, "tcp")[0].nth, 2)
        self.assertGreaterEqual(self.mismatches(), 4)

    def test_cve_2020_25684_other_sources(self):
        """The right id, and many more, from another port and from another address: the kernel drops them, and UDP goes on."""
        datagrams = lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with datagrams() as port, datagrams() as address:
            port.bind(("127.0.0.1", 0))

            async def flooded(asked):
                forged = poison(asked)[2:]
                for guess in (asked.message.id, *range(0, 65536, 16)):
                    for stranger in (port, address):
                        stranger.sendto(struct.pack("!H", guess) + forged, asked.source)
                asked.send(asked.address())

            self.start(flooded, options="prefer_udp")
            address.bind(("127.0.0.9", self.upstream.port))
            self.check()
        self.assertEqual([a.transport for a in self.upstream.asked], ["udp"] * len(self.upstream.asked))
        self.assertEqual(self.mismatches(), 0)

    def test_cve_2020_25685_other_questions(self):
        """The right id with a question that is nearly the right one: never believed."""
        nearly = [
            dnswire.query(name, type, cls=cls)[dnswire.QUESTION :]
            for name, type, cls in (
                ("b.svc.cluster.local", 1, 1),
                ("a.svc.cluster.locam", 1, 1),
                ("svc.cluster.local", 1, 1),
                ("a.a.svc.cluster.local", 1, 1),
                (NAME, 28, 1),
                (NAME, 1, 3),
                ("", 1, 1),
            )
        ]

        async def near(asked):
            if asked.transport == "udp":
                for question in set(nearly) - {asked.message.question_bytes}:
                    asked.send(poison(asked, question=question))
                await asyncio.sleep(0.05)
            asked.send(asked.address())

        self.start(near, options="prefer_udp", domain=".")
        self.check()
        for question in nearly[:-1]:
            name = dnswire.decode(dnswire.header(1, 0, 1) + question).name
            self.check(name)

    def test_few_mismatches_keep_udp(self):
        """A stray datagram or two, a late answer and a second copy do not send anybody to TCP."""

        async def untidy(asked):
            asked.send(poison(asked, id=asked.message.id ^ 1))
            asked.send(asked.address())
            await asyncio.sleep(0.02)
            for _ in range(10):
                asked.send(asked.address())

        self.start(untidy, options="prefer_udp")
        for n in range(3):
            self.check(f"tidy{n}.svc.cluster.local")
        self.assertEqual({a.transport for a in self.upstream.asked}, {"udp"})

    def test_cve_2020_25705_icmp(self):
        """Forged port-unreachables do not end a question that has time left."""

        async def slow(asked):
            for _ in range(10):
                unreachable(asked.source, ("127.0.0.1", self.upstream.port), asked.raw)
                await asyncio.sleep(0.1)
            asked.send(asked.address())

        self.start(slow, options="prefer_udp")
        self.check()


def unreachable(source, destination, payload):
    """Sends the ICMP message that `destination` is not listening, for a datagram from `source` with `payload`."""
    udp = struct.pack("!4H", source[1], destination[1], 8 + len(payload), 0) + payload[:8]
    addresses = socket.inet_aton(source[0]) + socket.inet_aton(destination[0])
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 28 + len(payload), 1, 0, 64, 17, 0) + addresses
    body = ip + udp
    total = sum(struct.unpack(f"!{len(body) // 2}H", body)) + 0x0303
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
        raw.sendto(struct.pack("!BBHI", 3, 3, ~total & 0xFFFF, 0) + body, (source[0], 0))


class Randomness(harness.OutsideCase):
    def test_cve_2025_40780_no_other_source(self):
        """Ids come of the kernel's random numbers: no other generator is in the sources of the query path."""
        generators = re.compile(
            r"SystemRandomNumberGenerator|\.random\(in|\.randomElement\(|\.shuffled?\(|\b[sdl]?rand(48|_r)?\(|arc4random|mt19937|xoshiro"
        )
        for module in ("Wire", "Cache", "Upstream", "Engine", "Uring", "Epoll", "Sockets", "Memory"):
            for path in (harness.ROOT / "Sources" / module).rglob("*.swift"):
                self.assertIsNone(generators.search(path.read_text()), path)

    def test_cve_2025_40780_ids_and_ports(self):
        """Ids and ports of thousands of questions, of two shards: spread evenly, no pair follows another (chi-squared)."""
        count = 4096 if harness.QUICK else 16384
        upstream = peer.Peer()
        self.addCleanup(upstream.stop)
        ringlet = self.start_ringlet(upstream.address, options="prefer_udp", shards=2, cache="# none")
        packets = [dnswire.query(f"r{n}.svc.cluster.local", id=n & 0xFFFF) for n in range(count)]
        for start in range(0, count, 512):
            clients.ask_all(("127.0.0.1", ringlet.port), packets[start : start + 512], linger=0)
        ids = [a.message.id for a in upstream.asked]
        ports = [a.source[1] for a in upstream.asked]
        self.assertGreaterEqual(len(ids), count)
        for what, values in (
            ("high bits of ids", [i >> 8 for i in ids]),
            ("low bits of ids", [i & 255 for i in ids]),
            ("differences of ids", [(b - a >> 8) & 255 for a, b in itertools.pairwise(ids)]),
        ):
            expected = len(values) / 256
            counts = [0] * 256
            for value in values:
                counts[value] += 1
            chi = sum((n - expected) ** 2 for n in counts) / expected
            self.report(f"{what}: chi-squared {chi:.0f} of 255 degrees")
            # One in ten million by chance lies above.
            self.assertLess(chi, 380, what)
        used = len(set(ports))
        self.report(f"{used} ports for {count} questions")
        self.assertGreater(used, count // 128)
        steps = [b - a for a, b in itertools.pairwise(dict.fromkeys(ports))]
        self.assertLess(sum(abs(step) <= 2 for step in steps) / len(steps), 0.2)


class Junk(ForgeryCase):
    """TuDoor: one bad message must not end the wait."""

    KINDS = {
        "query": lambda a: a.raw,
        "opcode": lambda a: struct.pack("!HH", a.message.id, QR | 5 << 11) + poison(a)[4:],
        "qd0": lambda a: dnswire.header(a.message.id, QR | REFUSED),
        "qd0-noerror": lambda a: dnswire.header(a.message.id, QR),
        "qd2": lambda a: dnswire.header(a.message.id, QR, 2) + a.message.question_bytes * 2,
        "qd65535": lambda a: dnswire.header(a.message.id, QR, 65535) + a.message.question_bytes,
        "cut-question": lambda a: dnswire.header(a.message.id, QR, 1) + a.message.question_bytes[:-1],
        "cut-record": lambda a: poison(a)[:-1] if not a.message.edns else poison(a)[:-12],
        "counts": lambda a: dnswire.header(a.message.id, QR, 1, 9) + a.message.question_bytes,
        "pointer": lambda a: dnswire.header(a.message.id, QR, 1, 1) + a.message.question_bytes + b"\xc0",
        "header": lambda a: dnswire.header(a.message.id, QR | 2)[:11],
        "id": lambda a: struct.pack("!H", a.message.id),
        "empty": lambda a: b"",
    }

    def junk_first(self, options, kinds):
        async def script(asked):
            kind = asked.name.split(".")[0]
            if asked.nth == 1:
                asked.send(kinds[kind](asked))
                await asyncio.sleep(0.02)
            asked.send(asked.address())

        # Without keeping failures: a SERVFAIL of one kind must not hide another's.
        self.start(script, options=options)
        for kind in kinds:
            with self.subTest(kind=kind):
                self.check(f"{kind}.svc.cluster.local")

    def test_tudor_udp(self):
        """Junk with the right id, then the answer: the client gets the answer."""
        self.junk_first("prefer_udp", self.KINDS)

    def test_tudor_tcp(self):
        """The same in frames. (A bare REFUSED is an answer there.)"""
        self.junk_first("force_tcp", {k: v for k, v in self.KINDS.items() if k not in ("qd0",)})


class Keys(ForgeryCase):
    def test_cve_2024_0874(self):
        """Each ordered pair of (DO, CD, AD): what one asks first is the other's answer only where DO and CD are the same."""

        async def by_bits(asked):
            bits = bool(asked.message.edns and asked.message.edns.do), bool(asked.message.flags & CD)
            data = bytes([10, *bits, 0])
            asked.send(asked.response(dnswire.record(asked.name, dnswire.A, 30, data), flags=AD))

        self.start(by_bits)
        combinations = list(itertools.product((False, True), repeat=3))
        for n, pair in enumerate(itertools.product(combinations, repeat=2)):
            for do, cd, ad in pair:
                flags = RD | (CD if cd else 0) | (AD if ad else 0)
                packet = dnswire.query(f"p{n}.svc.cluster.local", flags=flags, edns=dnswire.opt(do=do))
                reply = dnswire.decode(clients.ask(self.address, packet))
                self.assertEqual(reply.data(dnswire.A), [bytes([10, do, cd, 0])], pair)
                self.assertEqual(bool(reply.flags & CD), cd, pair)
                self.assertEqual(bool(reply.flags & AD), do or ad, pair)
            same = pair[0][:2] == pair[1][:2]
            self.assertEqual(len(self.upstream.questions(f"p{n}.svc.cluster.local")), 1 if same else 2, pair)

    def test_cve_2025_5994_rebirthday(self):
        """500 clients of as many subnets (ECS) ask one cold name: one question goes upstream, without a subnet."""

        async def slow(asked):
            await asyncio.sleep(0.3)
            asked.send(asked.address())

        self.start(slow, options="prefer_udp", shards=2)
        subnet = lambda n: dnswire.option(8, struct.pack("!HBB3B", 1, 24, 0, 10, n >> 8, n & 255))
        packets = [dnswire.query(NAME, id=n, edns=dnswire.opt(options=subnet(n))) for n in range(500)]
        for exchange in clients.ask_all(self.address, packets):
            self.assertEqual(exchange.rcodes, [NOERROR])
            self.assertEqual((exchange.reply.data(dnswire.A), exchange.reply.edns.options), ([peer.address_of(NAME)], b""))
        self.assertEqual([a.message.edns.options for a in self.upstream.asked], [b""])


class Rules(ForgeryCase):
    def test_cve_2026_26017_case(self):
        """Rules see the folded name, whatever the client's spelling: acl, rewrite, template, hosts, except and cache zones."""
        more = """acl acl.cluster.local {
        block net *
        }
        rewrite name exact from.cluster.local to.cluster.local
        template IN A template.cluster.local {
        answer "{{ .Name }} 30 IN A 10.0.0.7"
        }
        hosts /dev/null {
        10.0.0.8 hosts.cluster.local
        fallthrough
        }"""
        self.start(peer.answer_by_name, more=more, options="force_tcp\nexcept except.cluster.local")
        for name, rcode, data in (
            ("x.acl.cluster.local", REFUSED, []),
            ("from.cluster.local", NOERROR, [peer.address_of("to.cluster.local")]),
            ("template.cluster.local", NOERROR, [b"\x0a\0\0\7"]),
            ("hosts.cluster.local", NOERROR, [b"\x0a\0\0\x08"]),
            ("x.except.cluster.local", dnswire.SERVFAIL, []),
        ):
            for spelled in (name, name.upper(), name.title(), name.swapcase()):
                with self.subTest(name=spelled):
                    reply = dnswire.decode(clients.ask(self.address, dnswire.query(spelled)))
                    self.assertEqual((reply.rcode, reply.data(dnswire.A)), (rcode, data))
                    self.assertEqual(reply.name, spelled)


class Probes(ForgeryCase):
    def test_cve_2026_26018_loop(self):
        """A pod that guesses at the question of `loop` by the thousand, while it waits for its answer, ends nothing; nor does
        one that knows it, once the answer came."""
        async def late(asked):
            if asked.message.type == HINFO:
                await asyncio.sleep(0.7)
            asked.send(asked.response())

        # What is watched for is forgotten two seconds after the answer.
        self.start(late, more="loop")
        harness.wait_for(lambda: [a for a in self.upstream.asked if a.message.type == HINFO], 5, "the probe")
        probe = next(a for a in self.upstream.asked if a.message.type == HINFO).name
        dice = random.Random(18)
        guesses = [f"{dice.getrandbits(63)}.{dice.getrandbits(63)}.cluster.local" for _ in range(2000)]
        first, *rest = probe.split(".")
        guesses += [f"{int(first) ^ 1 << bit}.{'.'.join(rest)}" for bit in range(62)] + ["cluster.local", f"{rest[0]}.cluster.local"]
        packets = [dnswire.query(name, HINFO, id=id) for id, name in enumerate(guesses * 2)]
        replies = clients.ask_all(self.address, packets, timeout=10)
        # So many of one client's at once are SERVFAIL.
        self.assertLessEqual({e.reply.rcode for e in replies}, {NOERROR, SERVFAIL})
        time.sleep(6)
        for _ in range(100):
            self.assertIsNotNone(clients.ask(self.address, dnswire.query(probe, HINFO)))
        self.ringlet.alive_or_fail()
        self.assertNotIn("plugin/loop", self.ringlet.log())


class Malformed(ForgeryCase):
    """Records that no reader may follow. The upstream says them first, and then the right answer."""

    def bodies(self, asked):
        """{kind: octets after a question at offset 12}"""
        at = dnswire.QUESTION + len(asked.message.question_bytes)
        pointer = lambda offset: struct.pack("!H", 0xC000 | offset)
        rest = struct.pack("!HHIH", 1, 1, 30, 4) + POISON
        cname = lambda data: b"\xc0\x0c" + struct.pack("!HHIH", 5, 1, 30, len(data)) + data
        long = (b"\x3f" + b"x" * 63) * 4
        opt = dnswire.opt()
        return {
            "self": pointer(at) + rest,
            "pair": b"\1a" + pointer(at) + rest,
            "forward": pointer(at + 12) + rest + dnswire.name("x") + rest,
            "header": pointer(0) + rest,
            "id": pointer(2) + rest,
            "beyond": pointer(0x3FFF) + rest,
            "end": b"\xc0",
            "kind40": b"\x41" + b"x" * 65 + b"\0" + rest,
            "kind80": b"\x81x\0" + rest,
            "long": long + b"\0" + rest,
            "longer": long[:192] + pointer(12) + b"" + rest,
            "labels": b"\1a" * 200 + b"\0" + rest,
            "rdata": b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 30, 65535) + POISON,
            "rdata-short": cname(b""),
            "rdata-name-cut": cname(b"\3ab"),
            "rdata-name-over": cname(b"\1a"),
            "rdata-name-under": cname(b"\1a\0\0"),
            "rdata-loop": cname(pointer(at + 12)),
            "soa-short": b"\xc0\x0c" + struct.pack("!HHIH", 6, 1, 30, 6) + b"\0\0\0\0\0\0",
            "two-opts": opt + opt,
            "opt-owned": b"\1x" + opt,
            "opt-options": dnswire.opt(options=dnswire.option(65001) * 16000),
            "opt-overrun": dnswire.opt(options=b"\0\x0a\0\x09abc"),
        }

    def first_malformed(self, options):
        """Each kind in the answer section; those of OPT in the additional."""

        async def script(asked):
            kind = asked.name.split(".")[0]
            if asked.nth == 1:
                body = self.bodies(asked)[kind]
                records = 2 if kind in ("forward", "two-opts") else 1
                counts = (1, 0, 0, records) if "opt" in kind else (1, records)
                message = dnswire.header(asked.message.id, QR | RA, *counts) + asked.message.question_bytes + body
                if asked.transport == "tcp" or len(message) < 60000:
                    asked.send(message)
                await asyncio.sleep(0.02)
            asked.send(asked.address())

        self.start(script, options=options)
        question = dnswire.decode(dnswire.query(NAME))
        kinds = self.bodies(peer.Asked(b"", question, "", (), 0, 0, 0, None, None))
        for kind in kinds:
            with self.subTest(kind=kind):
                self.check(f"{kind}.{'n' * 50}.svc.cluster.local")

    def test_cve_2020_1350_no_traps(self):
        """What reads packets computes without traps, for a trap ends the process: no checked arithmetic, narrowing or forced
        unwrapping. Constants are computed before there is a packet."""
        trap = re.compile(
            r"(?<=\s)[-+*]=?(?=\s)|[\w)\]]!(?![=\w])|\b(try|as)!|\bU?Int(8|16)\((?!truncatingIfNeeded|clamping)|\b(precondition|fatalError)"
        )
        self.assertEqual(
            [bool(trap.search(line)) for line in ("a + b", "a &+ b", "a -= b", "a!", "a != b", "UInt16(a)", "UInt16(clamping: a)")],
            [True, False, True, True, False, True, False])
        found = []
        for path in (harness.ROOT / "Sources/Wire").rglob("*.swift"):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                code = re.sub(r'"(\\.|[^"\\])*"', '""', line).partition("//")[0]
                if trap.search(code) and not re.match(r"  (public |package |private )?static let |  private let ", code):
                    found.append(f"{path.name}:{number}: {line.strip()}")
        self.assertEqual(found, [])

    def test_cve_2020_1350_tcp(self):
        self.first_malformed("force_tcp")

    def test_cve_2020_1350_udp(self):
        self.first_malformed("prefer_udp")

    def test_cve_2026_41292_options(self):
        """33 options to 900: FORMERR; 16,000, in a frame longer than any query, end the connection."""
        self.start(peer.answer_by_name)
        for count in (33, 200, 900):
            packet = dnswire.query(NAME, id=9, edns=dnswire.opt(options=dnswire.option(65001) * count))
            asks = [clients.ask_tcp] if count == 900 else [clients.ask, clients.ask_tcp]
            for ask in asks:
                self.assertEqual(ask(self.address, packet), dnswire.header(9, QR | RD | dnswire.FORMERR), count)
        packet = dnswire.query(NAME, id=9, edns=dnswire.opt(options=dnswire.option(65001) * 16000))
        self.assertIsNone(clients.ask_tcp(self.address, packet))
        self.check()

    def test_trailing(self):
        """Octets after an upstream's message reach no client and no cache; after a query in a frame: FORMERR."""

        async def trailing(asked):
            asked.send(asked.address() + b"\0\0\x29trailing")

        for options in ("force_tcp", "prefer_udp"):
            self.start(trailing, options=options)
            for _ in range(2):
                for ask in (clients.ask, clients.ask_tcp):
                    reply = ask(self.address, dnswire.query(NAME))
                    self.assertNotIn(b"trailing", reply)
                    self.assertEqual(dnswire.decode(reply).data(dnswire.A), [peer.address_of(NAME)])
        reply = clients.ask_tcp(self.address, dnswire.query(NAME, id=9) + b"trailing")
        self.assertEqual(reply, dnswire.header(9, QR | RD | dnswire.FORMERR))

    def test_largest(self):
        """Answers of 65,520 to 65,535 octets go whole over TCP; where the client's OPT makes them larger they are cut, with TC."""

        async def sized(asked):
            halves = divmod(int(asked.name.split(".")[0].removeprefix("s")), 2)
            data = bytes([1]) * halves[0], bytes([2]) * sum(halves)
            pointer = lambda d: b"\xc0\x0c" + struct.pack("!HHIH", OPAQUE, 1, 30, len(d)) + d
            asked.send(asked.response(*map(pointer, data)))

        self.start(sized)
        # Header, question, two records' heads with a pointer for owner.
        overhead = dnswire.QUESTION + len(dnswire.name("s00000.svc.cluster.local")) + 4 + 2 * 12
        for total in (65520, 65524, 65525, 65534, 65535):
            name = f"s{total - overhead}.svc.cluster.local"
            for edns in (None, dnswire.opt()):
                for source in ("miss", "hit"):
                    with self.subTest(total=total, edns=edns, source=source):
                        reply = dnswire.decode(clients.ask_tcp(self.address, dnswire.query(name, OPAQUE, edns=edns)))
                        fits = total + (11 if edns else 0) <= 65535
                        self.assertEqual(bool(reply.flags & dnswire.TC), not fits)
                        self.assertEqual(len(reply.answers), 2 if fits else 1)
                        self.assertEqual(reply.edns is None, edns is None)
                        if fits:
                            self.assertEqual(reply.size, total + (11 if edns else 0))

    def test_names_in_logs_and_metrics(self):
        """A client's name cannot break a log line or a label (dnsdist CVE-2026-40011)."""
        port = harness.free_port()
        self.start(peer.answer_by_name, more=f"log\nprometheus 127.0.0.1:{port}")
        for label in (b'"\n{}', b"\r\n[INFO] forged", b"\x1b[2J", b"\\", b"\xff\xfe"):
            raw = bytes([len(label)]) + label + dnswire.name("svc.cluster.local")
            self.assertIsNotNone(clients.ask(self.address, dnswire.header(1, RD, 1) + raw + b"\0\1\0\1"))
        harness.wait_for(lambda: self.ringlet.log().count("A IN ") >= 5, 3, "five log lines")
        lines = pathlib.Path(self.ringlet.log_path).read_bytes().splitlines()
        self.assertEqual([line for line in lines if line.startswith(b"[INFO] forged")], [])
        self.assertEqual([line for line in lines if re.search(rb"[^\x20-\x7e]", line)], [])
        harness.scrape(port)
