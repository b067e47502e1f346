"""Upstreams over TLS: who is believed, that nothing is ever said in the clear, and that the rest is as with TCP."""

import contextlib
import os
import pathlib
import random
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

import clients
import dnswire
import harness
import peer
from certificates import Certificate
from test_upstreams import BUDGET, UpstreamsCase

HOST = "dns.example"
ALERT, HANDSHAKE, DATA = 21, 22, 23  # TLS records (RFC 8446 §5.1)
PADDING = 12  # RFC 7830


class Tap:
    """Stands between Ringlet and a server, and keeps what Ringlet sent, connection by connection. `answer` turns what the
    server sent into what Ringlet gets; without a server it is asked with what Ringlet sent."""

    def __init__(self, port=None, answer=lambda data: data):
        self.server, self.answer = port, answer
        self.sent, self.times, self.open = [], [], []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.address = f"tls://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.open.append(client)
            self.times.append(time.monotonic())
            self.sent.append(bytearray())
            server = None
            if self.server:
                server = socket.create_connection(("127.0.0.1", self.server))
                self.open.append(server)
            threading.Thread(target=self._forward, args=(client, server, self.sent[-1]), daemon=True).start()
            if server:
                threading.Thread(target=self._answer, args=(client, server), daemon=True).start()

    def _forward(self, client, server, kept):
        try:
            while data := client.recv(65536):
                kept += data
                if server:
                    server.sendall(data)
                elif reply := self.answer(data):
                    client.sendall(reply)
            (server or client).shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def _answer(self, client, server):
        try:
            while data := server.recv(65536):
                if reply := self.answer(data):
                    client.sendall(reply)
        except OSError:
            pass
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)

    def records(self):
        """(type, length) of the records on each connection; fails where something else was sent."""
        return [_records(bytes(sent)) for sent in self.sent]

    def stop(self):
        for one in (self.listener, *self.open):
            one.close()


def _records(sent):
    records = []
    while sent:
        if len(sent) < 5 or sent[1] != 3 or sent[0] not in (20, ALERT, HANDSHAKE, DATA):
            raise AssertionError(f"no TLS record: {sent[:40]}")
        (length,) = struct.unpack("!H", sent[3:5])
        records.append((sent[0], length))
        sent = sent[5 + length :]
    if records and records[0][0] != HANDSHAKE:
        raise AssertionError(f"no ClientHello first: {records}")
    return records


class TLSCase(UpstreamsCase):
    def setUp(self):
        super().setUp()
        self.authority = Certificate(self.directory, is_authority=True)
        self.certificate = Certificate(self.directory, HOST, issuer=self.authority)
        self.trusting = f"tls {self.authority.path}\ntls_servername {HOST}"

    def start_tls(self, script=peer.answer_by_name, context=None):
        upstream = peer.Peer(script, tls=context or self.certificate.server())
        self.addCleanup(upstream.stop)
        return upstream

    def tap(self, upstream=None, **options):
        tap = Tap(upstream.port if upstream else None, **options)
        self.addCleanup(tap.stop)
        return tap

    def handshakes(self, result):
        return self.scrape().sum("ringlet_tls_handshakes_total", result=result)

    def fails(self, *upstreams, reason, options=None):
        """SERVFAIL in time, the reason in the log, and nothing but TLS on the wire."""
        taps = [self.tap(upstream) for upstream in upstreams]
        self.serve(*taps, options=options or self.trusting)
        began = time.monotonic()
        (exchange,) = self.ask("secret.svc.cluster.local")
        self.check(exchange, dnswire.SERVFAIL)
        self.assertLess(time.monotonic() - began, BUDGET)
        for tap in taps:
            self.assertTrue(tap.sent)
            self.assertNotIn(b"secret", b"".join(tap.sent))
            tap.records()
        for upstream in upstreams:
            self.assertEqual(upstream.asked, [])
        self.assertGreater(self.handshakes("failed"), 0)
        self.assertEqual(self.handshakes("full"), 0)
        log = harness.wait_for(lambda: [l for l in self.ringlet.log().splitlines() if "plugin/forward" in l], 2, "the log")
        self.assertEqual(len(log), len(upstreams), log)
        for tap, line in zip(sorted(taps, key=lambda tap: tap.port), sorted(log)):
            self.assertRegex(line, rf"{tap.address}: .*({reason})")


class Answers(TLSCase):
    def test_answers(self):
        """A question goes as DNS over TLS: server name, ALPN, whole blocks, and nothing in the clear."""
        names, context = [], self.certificate.server()
        context.sni_callback = lambda connection, name, context: names.append(name)
        upstream = self.start_tls(context=context)
        tap = self.tap(upstream)
        self.serve(tap, options=self.trusting)
        for name in ("a.svc.cluster.local", "a-name-that-is-longer.svc.cluster.local", f"{'x' * 60}.svc.cluster.local"):
            self.check(self.ask(name)[0])
        self.assertEqual(clients.ask_tcp(self.address, dnswire.query("a.svc.cluster.local"))[-4:], peer.address_of("a.svc.cluster.local"))
        self.assertEqual(names, [HOST])
        for asked in upstream.asked:
            self.assertEqual(asked.tls.selected_alpn_protocol(), "dot")
            self.assertEqual(len(asked.raw) % 128, 0, asked.name)
            code, length = struct.unpack("!HH", asked.message.edns.options[:4])
            self.assertEqual((code, asked.message.edns.options[4:]), (PADDING, bytes(length)))
        self.assertEqual(len(tap.records()), 1)
        self.assertNotIn(b"cluster", bytes(tap.sent[0]))
        metrics = self.scrape()
        self.assertEqual(metrics.sum("coredns_proxy_conn_cache_misses_total", to=f"127.0.0.1:{tap.port}", proto="tcp-tls"), 1)
        self.assertEqual(metrics.sum("coredns_proxy_conn_cache_hits_total", to=f"127.0.0.1:{tap.port}", proto="tcp-tls"), 2)
        self.assertEqual(self.handshakes("full"), 1)

    def test_address_for_name(self):
        """Without a name the certificate must be for the address; no address is sent as a server name."""
        names, context = [], Certificate(self.directory, "127.0.0.1", "::1", issuer=self.authority).server()
        context.sni_callback = lambda connection, name, context: names.append(name)
        self.serve(self.start_tls(context=context), options=f"tls {self.authority.path}")
        self.check(self.ask("a.svc.cluster.local")[0])
        self.assertEqual(names, [None])

    def test_name_of_a_target(self):
        """`tls://IP%NAME`, and authorities that the environment names in the system's place."""
        upstream = self.start_tls()
        self.serve(f"tls://127.0.0.1%{HOST}:{upstream.port}", options="", env={"SSL_CERT_FILE": self.authority.path})
        self.check(self.ask("a.svc.cluster.local")[0])

    def test_authority_below_the_root(self):
        """Trusted by itself: its root is nobody's business."""
        below = Certificate(self.directory, issuer=self.authority, is_authority=True)
        upstream = self.start_tls(context=Certificate(self.directory, HOST, issuer=below).server())
        self.serve(upstream, options=f"tls {below.path}\ntls_servername {HOST}")
        self.check(self.ask("a.svc.cluster.local")[0])

    def test_beside_a_plain_one(self):
        """One `forward` with both: each is asked its own way, the plain one over TCP."""
        secure, plain = self.start_tls(), self.start_peer()
        self.serve(secure, plain, options=self.trusting + "\npolicy round_robin\nprefer_udp")
        for n in range(10):
            self.check(self.ask(f"n{n}.svc.cluster.local")[0])
        for upstream in (secure, plain):
            self.assertGreaterEqual(len(upstream.asked), 5)
            self.assertEqual({a.transport for a in upstream.asked}, {"tcp"})

    def test_versions(self):
        """TLS 1.2 and 1.3 will do; 1.1 will not."""
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version=version):
                upstream = self.start_tls(context=self.certificate.server(version))
                self.serve(upstream, options=self.trusting)
                self.check(self.ask("a.svc.cluster.local")[0])
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        old.load_cert_chain(self.certificate.path, self.certificate.key_path)
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        self.fails(self.start_tls(context=old), reason="handshake")

    def test_thousand_misses(self):
        """1,000 names at once go over few connections: four, and those in place of one that a busy machine kept silent."""
        upstream = self.start_tls()
        self.serve(upstream, options=self.trusting)
        began = time.monotonic()
        for exchange in self.ask(*[f"n{n}.svc.cluster.local" for n in range(1000)]):
            self.check(exchange)
        self.report(f"1,000 misses over {upstream.accepted} connections in {time.monotonic() - began:.2f} s")
        self.assertLessEqual(upstream.accepted, 8)
        self.assertEqual(len({a.name for a in upstream.asked}), 1000)

    def test_large_answers(self):
        """Answers of 60 KiB, each in several records, between small ones."""

        async def large(asked):
            records = [dnswire.record(asked.name, 16, 30, bytes([200]) + bytes(200)) for _ in range(270)]
            asked.send(asked.response(*records) if asked.message.type == 16 else asked.address())

        self.serve(self.start_tls(large), options=self.trusting)
        for n in range(5):
            reply = clients.ask_tcp(self.address, dnswire.query(f"t{n}.svc.cluster.local", 16))
            self.assertEqual(len(dnswire.decode(reply).answers), 270)
            self.check(self.ask(f"a{n}.svc.cluster.local")[0])

    def test_real_server(self):
        """Unbound, with its own ideas of TLS."""
        port, folder = harness.free_port(), pathlib.Path(self.directory)
        (folder / "unbound.conf").write_text(
            f'server:\n interface: 127.0.0.1@{port}\n tls-port: {port}\n tls-service-key: "{self.certificate.key_path}"\n'
            f' tls-service-pem: "{self.certificate.path}"\n username: ""\n chroot: ""\n directory: "{folder}"\n'
            f' pidfile: ""\n use-syslog: no\n do-daemonize: no\n local-zone: "cluster.local." static\n'
            ' local-data: "real.cluster.local. A 192.0.2.7"\nremote-control:\n control-enable: no\n'
        )
        unbound = harness.Process(["unbound", "-d", "-c", str(folder / "unbound.conf")], str(folder / "unbound.log"))
        self.addCleanup(unbound.end)
        harness.wait_for(lambda: harness.accepts(("127.0.0.1", port)), 10, "unbound")
        self.serve(f"tls://127.0.0.1:{port}", options=self.trusting)
        (exchange,) = self.ask("real.cluster.local")
        self.assertEqual(exchange.reply.data(dnswire.A), [bytes([192, 0, 2, 7])])
        self.assertEqual(self.handshakes("full"), 1)


class Strict(TLSCase):
    """A server that is not who it should be gets no question, and no question goes out in the clear."""

    def test_wrong_name(self):
        other = Certificate(self.directory, "other.example", issuer=self.authority)
        self.fails(self.start_tls(context=other.server()), reason="not for dns.example")

    def test_wrong_address(self):
        """Without a name, a certificate for names alone is for nobody."""
        self.fails(self.start_tls(), reason=r"not for 127\.0\.0\.1", options=f"tls {self.authority.path}")

    def test_expired(self):
        late = Certificate(self.directory, HOST, issuer=self.authority, days=(-10, -1))
        self.fails(self.start_tls(context=late.server()), reason="certificate has expired")

    def test_self_signed(self):
        self.fails(self.start_tls(context=Certificate(self.directory, HOST).server()), reason="self-signed certificate")

    def test_unknown_authority(self):
        stranger = Certificate(self.directory, is_authority=True)
        unknown = Certificate(self.directory, HOST, issuer=stranger)
        self.fails(self.start_tls(context=unknown.server()), reason="unable to get local issuer certificate")

    def test_system_authorities(self):
        """They know nothing of the tests' own."""
        self.fails(self.start_tls(), reason="unable to get local issuer", options=f"tls\ntls_servername {HOST}")

    def test_two_that_fail(self):
        """One line for each upstream, however often they are tried."""
        other = Certificate(self.directory, "other.example", issuer=self.authority)
        late = Certificate(self.directory, HOST, issuer=self.authority, days=(-10, -1))
        self.fails(*[self.start_tls(context=c.server()) for c in (other, late)], reason="not for|expired")

    def test_the_next_is_asked(self):
        """Of two upstreams the one that is believed answers, at once."""
        other = Certificate(self.directory, "other.example", issuer=self.authority)
        wrong, right = self.start_tls(context=other.server()), self.start_tls()
        self.serve(wrong, right, options=self.trusting + "\npolicy sequential")
        began = time.monotonic()
        self.check(self.ask("a.svc.cluster.local")[0])
        self.assertLess(time.monotonic() - began, 1)
        self.assertEqual(wrong.asked, [])

    def refusing(self, context):
        """The address of a server that does nothing but shake hands; unlike asyncio it says why it does not."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def serve():
            while True:
                try:
                    context.wrap_socket(listener.accept()[0], server_side=True).read()
                except ssl.SSLError:
                    pass
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        return f"tls://127.0.0.1:{listener.getsockname()[1]}"

    def test_client_certificate(self):
        """A server that demands one gets it; without one it is a failure."""
        mine = Certificate(self.directory, "node.example", issuer=self.authority)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version=version):
                context = self.certificate.server(version)
                context.load_verify_locations(self.authority.path)
                context.verify_mode = ssl.CERT_REQUIRED
                upstream = self.start_tls(context=context)
                options = f"tls {mine.path} {mine.key_path} {self.authority.path}\ntls_servername {HOST}"
                self.serve(upstream, options=options)
                self.check(self.ask("a.svc.cluster.local")[0])
                self.assertEqual(upstream.asked[0].tls.getpeercert()["subjectAltName"], (("DNS", "node.example"),))
                self.serve(self.refusing(context), options=self.trusting)
                self.check(self.ask("b.svc.cluster.local")[0], dnswire.SERVFAIL)
                harness.wait_for(lambda: "plugin/forward" in self.ringlet.log(), 2, "the log")
                self.assertRegex(self.ringlet.log(), "certificate required|handshake failure")


class Connections(TLSCase):
    def test_resumption(self):
        """An upstream that closes after each answer: later connections resume, and nobody waits for that."""

        async def closing(asked):
            asked.send(asked.address())
            asked.close()

        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version=version):
                upstream = self.start_tls(closing, self.certificate.server(version))
                self.serve(upstream, options=self.trusting)
                for n in range(10):
                    self.check(self.ask(f"n{n}.svc.cluster.local")[0])
                reused = [a.tls.session_reused for a in upstream.asked]
                self.assertEqual(reused[0], False)
                self.assertGreater(sum(reused), 7, reused)
                self.assertEqual(self.handshakes("resumed"), sum(reused))
                self.assertEqual(self.handshakes("full"), len(reused) - sum(reused))

    def test_idle_connection(self):
        """An idle connection is closed with close_notify after `expire`."""
        upstream = self.start_tls(context=self.certificate.server(ssl.TLSVersion.TLSv1_2))
        tap = self.tap(upstream)
        self.serve(tap, options=self.trusting + "\nexpire 1s")
        self.check(self.ask("a.svc.cluster.local")[0])
        harness.wait_for(lambda: upstream.open == 0, 4, "the idle connection to be closed")
        self.assertEqual(tap.records()[0][-1][0], ALERT)
        self.check(self.ask("b.svc.cluster.local")[0])
        self.assertTrue(upstream.asked[1].tls.session_reused)

    def test_stalled_handshake(self):
        """A server that says nothing after its socket is connected: SERVFAIL in time, or the next one within 500 ms."""
        mute = self.tap(answer=lambda data: b"")
        self.serve(mute, options=self.trusting)
        began = time.monotonic()
        self.check(self.ask("a.svc.cluster.local")[0], dnswire.SERVFAIL)
        self.assertLess(time.monotonic() - began, BUDGET)
        mute, second = self.tap(answer=lambda data: b""), self.tap(self.start_tls())
        self.serve(mute, second, options=self.trusting + "\npolicy sequential")
        self.check(self.ask("b.svc.cluster.local")[0])
        waited = second.times[0] - mute.times[0]
        self.report(f"the second is turned to {waited * 1000:.0f} ms after the first")
        self.assertLess(waited, 0.5)
        self.assertNotIn(b"cluster", b"".join(mute.sent))

    def test_stalled_later(self):
        """A server that stalls in the middle of its own flight."""
        upstream = self.start_tls()
        tap = self.tap(upstream, answer=lambda data: data[:100])
        self.serve(tap, self.start_tls(), options=self.trusting + "\npolicy sequential")
        began = time.monotonic()
        self.check(self.ask("a.svc.cluster.local")[0])
        self.assertLess(time.monotonic() - began, 1)

    def test_upstream_that_closes(self):
        """Connections that the server closes on a quarter of the questions: every one is answered."""

        async def moody(asked):
            if random.random() < 0.25:
                asked.reset() if random.random() < 0.5 else asked.close()
            else:
                asked.send(asked.address())

        self.serve(self.start_tls(moody), self.start_tls(moody), options=self.trusting)
        answered = 0
        for n in range(100):
            (exchange,) = self.ask(f"n{n}.svc.cluster.local")
            answered += exchange.rcodes == [dnswire.NOERROR]
        self.assertGreater(answered, 95)

    def test_down_and_back(self):
        """Probes go over TLS too, padded, until the first answer."""
        answers = threading.Event()

        async def moody(asked):
            if answers.is_set():
                asked.send(asked.address() if asked.message.type == dnswire.A else asked.response())

        first, second = self.start_tls(moody), self.start_tls()
        self.serve(first, second, options=self.trusting + "\npolicy sequential\nhealth_check 200ms")
        names = iter(range(1000))
        is_up = lambda: self.scrape().sum("ringlet_upstream_up", to=f"127.0.0.1:{first.port}")
        harness.wait_for(lambda: self.check(self.ask(f"d{next(names)}.svc.cluster.local")[0]) or not is_up(), 10, "down")
        probes = lambda: [a for a in list(first.asked) if a.message.type == dnswire.NS]
        harness.wait_for(probes, 3, "a probe")
        self.assertEqual({len(a.raw) % 128 for a in probes()}, {0})
        answers.set()
        harness.wait_for(is_up, 3, "it to be up")

    def test_reload_and_upgrade(self):
        """Under questions, three reloads and a new process: none is lost."""
        upstream = self.start_tls()
        self.serve(upstream, options=self.trusting, shards=2)
        results = []
        load = threading.Thread(target=lambda: results.extend(self.ask_over(4, 100)))
        load.start()
        for _ in range(3):
            seen = self.ringlet.log().count("Reloading complete")
            os.kill(self.ringlet.pid, signal.SIGUSR1)
            harness.wait_for(lambda: self.ringlet.log().count("Reloading complete") > seen, 10, "the reload")
        new = self.start_ringlet_with(lambda _: "", like=self.ringlet, shards=2, ready=False)
        harness.wait_for(lambda: "Takes over" in new.log(), 10, "the new process")
        time.sleep(0.5)
        self.ringlet.stop()
        load.join()
        self.assertEqual({rcode for _, _, rcode in results}, {dnswire.NOERROR})
        self.assertEqual(len(results), 400)


class Noise(TLSCase):
    """Bytes that no server would send."""

    def test_garbage(self):
        """In place of a ServerHello: SERVFAIL, or the next upstream."""
        plain = dnswire.response(dnswire.query("secret.svc.cluster.local"))
        for garbage in (b"HTTP/1.1 400 Bad Request\r\n\r\n", struct.pack("!H", len(plain)) + plain, bytes(64), os.urandom(3000)):
            with self.subTest(garbage=garbage[:10]):
                tap, right = self.tap(answer=lambda data: garbage), self.start_tls()
                self.serve(tap, right, options=self.trusting + "\npolicy sequential")
                self.check(self.ask("secret.svc.cluster.local")[0])
                tap.records()

    def test_damaged_records(self):
        """Octets changed, lost or added anywhere in what a server sends, handshake or later: questions are answered by
        another connection or the other upstream, and Ringlet lives."""
        chance = random.Random(7)

        def damage(data):
            if chance.random() < 0.5:
                return data
            at, data = chance.randrange(len(data)), bytearray(data)
            kind = chance.randrange(3)
            if kind == 0:
                data[at] ^= 1 << chance.randrange(8)
            elif kind == 1:
                del data[at : at + chance.randrange(1, 20)]
            else:
                data[at:at] = chance.randbytes(chance.randrange(1, 20))
            return bytes(data)

        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version=version):
                tap = self.tap(self.start_tls(context=self.certificate.server(version)), answer=damage)
                self.serve(tap, self.start_tls(), options=self.trusting)
                exchanges = []
                for n in range(60 if harness.QUICK else 200):
                    exchanges += self.ask(f"n{n}.svc.cluster.local", f"m{n}.svc.cluster.local")
                for exchange in exchanges:
                    self.check(exchange)
                self.assertTrue(self.ringlet.alive())


class Files(TLSCase):
    """Certificates and keys that cannot be used are errors of the Corefile."""

    def faults(self):
        stranger = Certificate(self.directory)
        nonsense = pathlib.Path(self.directory) / "nonsense.pem"
        nonsense.write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
        c, authority = self.certificate, self.authority
        yield "tls /nonexistent.pem", r"/nonexistent\.pem: .*No such file or directory; expected certificates in PEM"
        yield f"tls {nonsense}", r"nonsense\.pem: .*; expected certificates in PEM"
        yield f"tls {c.key_path}", r"\.key: .*; expected certificates in PEM"
        yield f"tls {nonsense} {c.key_path}", r"nonsense\.pem: .*; expected a certificate in PEM"
        yield f"tls {c.path} {stranger.key_path}", r"\.key: key values mismatch; expected the certificate's private key"
        yield f"tls {c.path} /nonexistent.key {authority.path}", r"/nonexistent\.key: .*expected a private key in PEM"
        yield f"tls {self.directory}", "Is a directory"
        yield "tls_servername a..b", "'a..b' is no host name"

    def test_faults(self):
        """Told by `ringlet check` with file, line, directive and what was expected."""
        for options, expected in self.faults():
            with self.subTest(options=options):
                path = pathlib.Path(self.directory) / "Corefile"
                path.write_text(harness.corefile("tls://127.0.0.1", port=53, options=options))
                done = subprocess.run([harness.BINARY, "check", str(path)], capture_output=True, text=True, timeout=20)
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertRegex(done.stderr, rf"^{path}:\d+ - forward: tls.*{expected}")

    def test_reload(self):
        """A reload to a certificate that cannot be read keeps what runs; one that can, is used."""
        upstream = self.start_tls()
        self.serve(upstream, options=self.trusting)
        text = pathlib.Path(self.ringlet.corefile).read_text()
        pathlib.Path(self.ringlet.corefile).write_text(text.replace(self.authority.path, "/nonexistent.pem"))
        os.kill(self.ringlet.pid, signal.SIGUSR1)
        harness.wait_for(lambda: "/nonexistent.pem" in self.ringlet.log(), 10, "the refusal")
        self.check(self.ask("a.svc.cluster.local")[0])
        other = Certificate(self.directory, is_authority=True)
        pathlib.Path(self.ringlet.corefile).write_text(text.replace(self.authority.path, other.path))
        os.kill(self.ringlet.pid, signal.SIGUSR1)
        harness.wait_for(lambda: "Reloading complete" in self.ringlet.log(), 10, "the reload")
        self.check(self.ask("b.svc.cluster.local")[0], dnswire.SERVFAIL)
