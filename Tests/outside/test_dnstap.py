"""`dnstap`: what a collector is told of each query and answer, read by fstrm_capture and kdig, and octet by octet."""

import contextlib
import os
import pathlib
import signal
import socket
import ssl
import struct
import threading
import time

import certificates
import clients
import dnswire
import harness
from dnswire import A
from harness import run, wait_for
from test_directives import DirectiveCase, v4

CONTENT_TYPE = b"protobuf:dnstap.Dnstap"
CLIENT_QUERY, CLIENT_RESPONSE, FORWARDER_QUERY, FORWARDER_RESPONSE = 5, 6, 7, 8
UDP, TCP = 1, 2


def fields(octets):
    """A message of Protocol Buffers: {field: value}, the last value of each."""
    found, at = {}, 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            octet = octets[at]
            at += 1
            value |= (octet & 0x7F) << shift
            shift += 7
            if octet < 0x80:
                return value

    while at < len(octets):
        key = varint()
        match key & 7:
            case 0:
                found[key >> 3] = varint()
            case 2:
                length = varint()
                found[key >> 3] = octets[at : at + length]
                at += length
            case 5:
                (found[key >> 3],) = struct.unpack_from("<I", octets, at)
                at += 4
            case kind:
                raise ValueError(f"wire type {kind}")
    assert at == len(octets)
    return found


class Tapped:
    """A frame's content by the names of dnstap.proto."""

    def __init__(self, frame):
        outer = fields(frame)
        self.identity, self.version, self.extra = (outer.get(n) for n in (1, 2, 3))
        assert outer[15] == 1, "type is MESSAGE"
        inner = fields(outer[14])
        self.kind, self.family, self.protocol = inner[1], inner.get(2), inner[3]
        self.query_address, self.response_address, self.query_port, self.response_port = (inner.get(n) for n in range(4, 8))
        self.query_time = inner[8] + inner[9] / 1e9
        self.response_time = inner[12] + inner[13] / 1e9 if 12 in inner else None
        self.query, self.response = inner.get(10), inner.get(14)

    @property
    def wire(self):
        return self.query or self.response


class Collector:
    """A receiver of Frame Streams that shows what it got: controls by connection, data frames."""

    def __init__(self, address, tls=None):
        self.tls = tls
        self.socket = socket.socket(socket.AF_INET if tls else socket.AF_UNIX)
        self.socket.bind(address)
        self.socket.listen()
        self.controls, self.frames = [], []
        self.reads = threading.Event()
        self.reads.set()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        controls = []
        self.controls.append(controls)
        if self.tls:
            try:
                connection = self.tls.wrap_socket(connection, server_side=True)
            except OSError:
                return
        with connection, connection.makefile("rb") as stream, contextlib.suppress(OSError):
            while head := stream.read(4):
                if length := int.from_bytes(head):
                    self.frames.append(stream.read(length))
                    continue
                body = stream.read(int.from_bytes(stream.read(4)))
                controls.append((int.from_bytes(body[:4]), body[4:]))
                if controls[-1][0] == 4:  # READY: ACCEPT with what it offers
                    connection.sendall(self.control(1, body[4:]))
                    self.reads.wait()
                if controls[-1][0] == 3:  # STOP: FINISH
                    connection.sendall(self.control(5, b""))

    @staticmethod
    def control(kind, rest):
        body = kind.to_bytes(4) + rest
        return bytes(4) + len(body).to_bytes(4) + body

    @property
    def messages(self):
        return [Tapped(frame) for frame in self.frames]

    def close(self):
        self.socket.close()


class Dnstap(DirectiveCase):
    def setUp(self):
        super().setUp()
        self.path = f"{self.directory}/tap"

    def collect(self, address=None, tls=None):
        self.collector = Collector(address or self.path, tls)
        self.addCleanup(self.collector.close)
        return self.collector

    def tapped(self, directives, **options):
        records = {("a.test", A): [dnswire.record("a.test", A, 60, v4("10.1.1.1"))]}
        return self.serve(directives, records=records, **options)

    def wait_for_messages(self, count):
        wait_for(lambda: len(self.collector.frames) >= count, 5, f"{count} messages")
        time.sleep(0.1)
        self.assertEqual(len(self.collector.frames), count, [m.kind for m in self.collector.messages])
        return self.collector.messages

    def test_full(self):
        """A miss and a hit over UDP, a hit over TCP: each message as it was on the wire, in the order of events."""
        self.collect()
        self.tapped(f"dnstap {self.path} full\ncache 30")
        before = time.time()
        exchanges = []
        for tcp in (False, False, True):
            packet = dnswire.query("A.test", A, id=1000 + len(exchanges))
            exchanges.append((packet, (clients.ask_tcp if tcp else clients.ask)(self.address, packet)))
        messages = self.wait_for_messages(8)
        kinds = [CLIENT_QUERY, FORWARDER_QUERY, FORWARDER_RESPONSE, CLIENT_RESPONSE] + 2 * [CLIENT_QUERY, CLIENT_RESPONSE]
        self.assertEqual([m.kind for m in messages], kinds)
        of_clients = [m for m in messages if m.kind in (CLIENT_QUERY, CLIENT_RESPONSE)]
        self.assertEqual([m.wire for m in of_clients], [packet for pair in exchanges for packet in pair])
        self.assertEqual([m.protocol for m in of_clients], [UDP] * 4 + [TCP] * 2)
        for m in messages:
            self.assertEqual((m.family, m.identity, m.version), (1, socket.gethostname().encode(), b"CoreDNS-1.13.2"))
            self.assertIsNone(m.extra)
            self.assertTrue(before - 1 <= m.query_time <= time.time() + 1)
            self.assertEqual(m.response_time is None, m.kind in (CLIENT_QUERY, FORWARDER_QUERY))
            self.assertTrue(m.response_time is None or m.query_time <= m.response_time <= time.time() + 1)
        for query, reply in zip(of_clients[::2], of_clients[1::2]):
            self.assertEqual(query.query_address, v4("127.0.0.1"))
            self.assertEqual((query.query_address, query.query_port), (reply.query_address, reply.query_port))
        host, port = self.upstream.address.rsplit(":", 1)
        for m in messages[1:3]:
            self.assertEqual((m.response_address, m.response_port), (v4(host), int(port)))
            self.assertEqual(dnswire.decode(m.wire).name, "a.test")
        self.assertEqual(dnswire.decode(messages[2].wire).data(A), [v4("10.1.1.1")])
        # Over whatever transport the upstream was asked, the message is the one it got.
        self.assertEqual(dnswire.decode(messages[1].wire).id, dnswire.decode(messages[2].wire).id)

    def test_with_shards(self):
        """A query that one shard receives and another answers is told once."""
        self.collect()
        self.tapped(f"dnstap {self.path} full\ncache 30", shards=2)
        packets = [dnswire.query(f"n{n}.test", A, id=n) for n in range(1, 201)]
        for packet in packets:
            clients.ask(self.address, packet)
        messages = self.wait_for_messages(4 * len(packets))
        self.assertEqual(sorted(m.wire for m in messages if m.kind == CLIENT_QUERY), sorted(packets))

    def test_refused(self):
        """What `acl` refuses is told too."""
        self.collect()
        self.tapped(f"dnstap {self.path}\ncache 30\nacl {{\nblock type TXT\n}}")
        self.ask("a.test", dnswire.TXT)
        messages = self.wait_for_messages(2)
        self.assertEqual([m.kind for m in messages], [CLIENT_QUERY, CLIENT_RESPONSE])

    def test_options(self):
        """Without `full` no messages of DNS; identity, version and extra as they are given."""
        self.collect()
        self.tapped(
            f"dnstap unix://{self.path} {{\nidentity node-7\nversion 9\n"
            'extra "{type} {class} {name} {proto} {>id} {remote} {>do} {>bufsize} {size} {rcode}"\n}\ncache 30'
        )
        for _ in range(2):
            self.ask("A.test", id=77, edns=dnswire.opt(1400, do=True))
        messages = self.wait_for_messages(6)
        for m in messages:
            self.assertEqual((m.identity, m.version, m.wire), (b"node-7", b"9", None))
        of_clients = [m.extra for m in messages if m.kind in (CLIENT_QUERY, CLIENT_RESPONSE)]
        self.assertEqual(of_clients, 4 * [b"A IN a.test. udp 77 127.0.0.1 true 1400 35 -"])
        self.assertTrue(all(m.extra.startswith(b"A IN a.test. udp ") for m in messages))

    def test_real_collector(self):
        """fstrm_capture over TCP takes the stream, and kdig reads from its file what was asked and answered."""
        port, path = harness.free_port(), f"{self.directory}/capture"
        capture = lambda: harness.Process(
            ["fstrm_capture", "-t", CONTENT_TYPE.decode(), "-a", "127.0.0.1", "-p", str(port), "-w", path],
            f"{self.directory}/fstrm.log",
        )
        # The collector comes after the server.
        ringlet = self.tapped(f"dnstap tcp://127.0.0.1:{port} full\ncache 30")
        wait_for(lambda: "No connection to dnstap endpoint" in ringlet.log(), 5, "the log line")
        collector = capture()
        wait_for(lambda: os.path.exists(path) and self.connections(port), 5, "the connection")
        self.ask("a.test")
        self.ask("a.test", tcp=True)
        time.sleep(0.3)
        collector.end()
        text = run("kdig", "-G", path, "+qr")
        self.assertEqual(text.count(";; QUESTION SECTION:"), 6, text)
        self.assertEqual(text.count("10.1.1.1"), 3, text)
        # It comes back, and is told again.
        collector = capture()
        wait_for(lambda: self.connections(port), 5, "the connection")
        self.ask("a.test")
        time.sleep(0.3)
        collector.end()
        self.assertEqual(run("kdig", "-G", path, "+qr").count(";; QUESTION SECTION:"), 2)

    def connections(self, port):
        return run("ss", "-Htn", "state", "established", "dport", f"= :{port}").strip()

    def test_reload(self):
        """A reload ends the stream as the protocol wants; the next configuration begins its own."""
        self.collect()
        ringlet = self.tapped(f"dnstap {self.path}\ncache 30")
        self.ask("a.test")
        self.wait_for_messages(4)
        ringlet.child.send_signal(signal.SIGUSR1)
        wait_for(lambda: [[c[0] for c in controls] for controls in self.collector.controls] == [[4, 2, 3], [4, 2]],
                 10, "two streams")  # fmt: skip
        content = struct.pack("!II", 1, len(CONTENT_TYPE)) + CONTENT_TYPE
        self.assertEqual([c[1] for c in self.collector.controls[0]], [content, content, b""])
        self.ask("a.test")
        self.wait_for_messages(6)

    def test_a_collector_that_does_not_read(self):
        """Queries are answered all the same, and what could not be told is counted in the log when it reads again."""
        self.collect().reads.clear()
        text = 4 * (b"\xff" + 255 * b"x")
        records = {("big.test", dnswire.TXT): [dnswire.record("big.test", dnswire.TXT, 60, text)]}
        ringlet = self.serve(f"dnstap {self.path} full\ncache 30", records=records)
        packet = dnswire.query("big.test", dnswire.TXT, id=5)
        with clients.TCPClient(self.address) as client:
            for _ in range(400):
                client.send(*[packet] * 20)
                for _ in range(20):
                    self.assertIsNotNone(client.receive())
        self.collector.reads.set()
        wait_for(lambda: self.collector.frames, 5, "the frames")
        wait_for(lambda: self.ask("big.test", dnswire.TXT, tcp=True) and "Dropped dnstap messages: " in ringlet.log(), 5, "the log line", pause=0.1)
        self.assertLess(len(self.collector.frames), 16_000)

    def test_what_comes_behind_nonsense_is_of_no_account(self):
        """A START, which no receiver sends, and an ACCEPT in one write: the stream is not begun, and the reload ends."""
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(self.path)
        listener.listen()
        ringlet = self.tapped(f"dnstap {self.path}\ncache 30")
        connection, _ = listener.accept()
        connection.settimeout(5)
        content = struct.pack("!II", 1, len(CONTENT_TYPE)) + CONTENT_TYPE
        with connection:
            connection.recv(1000)
            connection.sendall(Collector.control(2, content) + Collector.control(1, content))
            self.assertEqual(connection.recv(1000), b"")
        loops = self.loops(ringlet)
        self.assertEqual(len(loops), 2)
        ringlet.child.send_signal(signal.SIGUSR1)
        wait_for(lambda: "Reloading complete" in ringlet.log(), 5, "the reload")
        wait_for(lambda: len(self.loops(ringlet) - loops) == 1 and len(self.loops(ringlet)) == 2, 15, "the old loop's end")

    @staticmethod
    def loops(ringlet):
        """Threads of event loops: one for HTTP, one for the collectors of each configuration at work."""
        names = [pathlib.Path(f"/proc/{ringlet.pid}/task/{thread}/comm").read_text().strip() for thread in ringlet.threads]
        return {name for name in names if name.startswith("NIO-")}

    def test_an_endpoint_that_is_none(self):
        """Something else than a receiver of Frame Streams: no frames, no harm, and another try each second."""
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(self.path)
        listener.listen()
        self.tapped(f"dnstap {self.path}\ncache 30")
        for answer in (b"HTTP/1.1 400 Bad Request\r\n\r\n", Collector.control(1, struct.pack("!II", 1, 3) + b"abc"),
                       bytes(4) + b"\xff\xff\xff\xff", b""):  # fmt: skip
            listener.settimeout(5)
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(5)
                self.assertEqual(connection.recv(1000)[8:12], (4).to_bytes(4))
                connection.sendall(answer)
                if not answer:
                    connection.shutdown(socket.SHUT_WR)
                self.assertEqual(connection.recv(1000), b"")
        self.assertEqual(self.ask("a.test").data(A), [v4("10.1.1.1")])

    def test_tls(self):
        """Over TLS 1.2 and 1.3 to a collector that the system's authorities vouch for: messages of all sizes."""
        authority = certificates.Certificate(self.directory, is_authority=True)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version):
                port = harness.free_port()
                tls = certificates.Certificate(self.directory, "collector.test", "127.0.0.1", issuer=authority)
                self.collect(("127.0.0.1", port), tls.server(version))
                records = {("big.test", dnswire.TXT): [dnswire.record("big.test", dnswire.TXT, 60, 200 * (b"\xff" + 255 * b"x"))]}
                ringlet = self.serve(
                    f"dnstap tls://127.0.0.1:{port} full\ncache 30", records=records, env={"SSL_CERT_FILE": authority.path}
                )
                replies = [self.raw("big.test", dnswire.TXT, tcp=True) for _ in range(10)]
                self.assertGreater(len(replies[0]), 51_200)
                messages = self.wait_for_messages(40)
                self.assertEqual([m.wire for m in messages if m.kind == CLIENT_RESPONSE], replies)
                ringlet.stop()
                self.upstream.stop()

    def test_tls_to_whom_nobody_vouches_for(self):
        """Nothing is sent, and the log says why; `skipverify` believes anybody."""
        authority, other = (certificates.Certificate(self.directory, is_authority=True) for _ in range(2))
        port = harness.free_port()
        tls = certificates.Certificate(self.directory, "127.0.0.1", issuer=other)
        self.collect(("127.0.0.1", port), tls.server())
        env = {"SSL_CERT_FILE": authority.path}
        ringlet = self.tapped(f"dnstap tls://127.0.0.1:{port}\ncache 30", env=env)
        wait_for(lambda: "No connection to dnstap endpoint: TLS: the certificate is refused" in ringlet.log(), 5, "the line")
        self.ask("a.test")
        self.assertEqual((ringlet.log().count("dnstap endpoint"), self.collector.frames), (1, []))
        ringlet.stop()
        ringlet = self.tapped(f"dnstap tls://127.0.0.1:{port} {{\nskipverify\n}}\ncache 30", env=env)
        self.ask("a.test")
        self.wait_for_messages(4)
