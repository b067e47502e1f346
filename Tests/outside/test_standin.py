"""The stand-in for kube-dns keeps what its --help promises: the other outside tests lean on it."""
import json
import os
import pathlib
import random
import re
import socket
import struct
import subprocess
import time
import unittest
import urllib.request

import dnswire
from dnswire import A, AA, AAAA, CNAME, MX, PTR, SOA, SRV, TC, NOERROR, NXDOMAIN, REFUSED, SERVFAIL, FORMERR, NOTIMP

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("STANDIN", str(ROOT / ".build/release/standin"))
SERVICE = "svc-1.ns-1.svc.cluster.local"
SEED = 20261122


def frame(message):
    return struct.pack("!H", len(message)) + message


class Standin:
    """The program on free ports of loopback."""

    def __init__(self, *flags):
        argv = [BINARY, "--port", "0", "--control", "0", "--address", "127.0.0.1", *flags]
        self.child = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        said = ""
        while "ready" not in said:
            line = self.child.stdout.readline()
            if not line:
                raise AssertionError(f"{argv} ended at its start: {said}")
            said += line
        self.port = int(re.search(r"listening on 127\.0\.0\.1:(\d+)", said).group(1))
        self.control = re.search(r"(http://\S+)/counts", said).group(1)

    def end(self):
        self.child.terminate()
        self.child.wait(5)
        self.child.stdout.close()

    def get(self, path):
        with urllib.request.urlopen(self.control + path, timeout=5) as reply:
            return json.load(reply)

    def udp(self):
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client.settimeout(2)
        client.connect(("127.0.0.1", self.port))
        return client

    def tcp(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=2)

    def ask(self, name, type=A, **options):
        """The decoded answer to one UDP question."""
        with self.udp() as client:
            client.send(dnswire.query(name, type, **options))
            return dnswire.decode(client.recv(65535))

    def ask_tcp(self, name, type=A, **options):
        with self.tcp() as client:
            client.sendall(frame(dnswire.query(name, type, **options)))
            return dnswire.decode(read_frame(client))


def read_frame(client):
    (length,) = struct.unpack("!H", read_exactly(client, 2))
    return read_exactly(client, length)


def read_exactly(client, count):
    data = b""
    while len(data) < count:
        part = client.recv(count - len(data))
        if not part:
            raise EOFError(f"{len(data)} of {count} octets")
        data += part
    return data


class Case(unittest.TestCase):
    flags = ()

    @classmethod
    def setUpClass(cls):
        cls.standin = Standin(*cls.flags)
        cls.addClassCleanup(cls.standin.end)

    def tearDown(self):
        self.assertIsNone(self.standin.child.poll(), "the stand-in has ended")


class Zone(Case):
    def test_a_service_has_one_address_and_the_clients_spelling(self):
        answer = self.standin.ask("sVc-4999.nS-49.svc.cluster.local", edns=dnswire.opt(do=True))
        self.assertEqual(answer.data(A), [bytes([10, 96, 19, 250])])
        self.assertEqual(answer.answers[0].name, "sVc-4999.nS-49.svc.cluster.local")
        self.assertEqual(answer.answers[0].ttl, 30)
        self.assertTrue(answer.flags & AA)
        self.assertEqual((answer.edns.size, answer.edns.do), (1232, True))

    def test_no_edns_in_the_question_none_in_the_answer(self):
        self.assertIsNone(self.standin.ask(SERVICE).edns)

    def test_other_types_of_a_service_are_nodata_with_soa(self):
        for type in AAAA, MX, SRV:
            answer = self.standin.ask(SERVICE, type)
            self.assertEqual((answer.rcode, answer.answers), (NOERROR, []))
            self.assertEqual([(r.type, r.name, r.ttl) for r in answer.authority], [(SOA, "cluster.local", 30)])

    def test_names_that_are_not_there(self):
        for name in ("svc-1.ns-2.svc", "svc-5000.ns-0.svc", "svc-01.ns-1.svc", "pods-0.ns-0.svc", "pods-1.ns-1.svc", "x"):
            answer = self.standin.ask(f"{name}.cluster.local")
            self.assertEqual(answer.rcode, NXDOMAIN, name)
            self.assertEqual(answer.authority[0].type, SOA)

    def test_names_with_something_below_them_are_nodata(self):
        for name in "cluster.local", "svc.cluster.local", "ns-49.svc.cluster.local", "_tcp." + SERVICE:
            self.assertEqual(self.standin.ask(name).rcode, NOERROR, name)

    def test_alias(self):
        answer = self.standin.ask("alias-51.ns-1.svc.cluster.local")
        self.assertEqual(answer.data(CNAME), [dnswire.name("svc-51.ns-1.svc.cluster.local")])
        self.assertEqual(answer.data(A), [bytes([10, 96, 0, 52])])
        answer = self.standin.ask("alias-51.ns-1.svc.cluster.local", AAAA)
        self.assertEqual([r.type for r in answer.answers + answer.authority], [CNAME, SOA])

    def test_headless(self):
        for count in 1, 30, 100:
            answer = self.standin.ask_tcp(f"pods-{count}.ns-0.svc.cluster.local")
            self.assertEqual(len(set(answer.data(A))), count)
        self.assertEqual(len(self.standin.ask_tcp("pods-4000.ns-0.svc.cluster.local").answers), 4000)

    def test_srv_and_ptr(self):
        answer = self.standin.ask("_http._tcp." + SERVICE, SRV)
        self.assertEqual(answer.data(SRV), [struct.pack("!3H", 0, 100, 80) + dnswire.name(SERVICE)])
        self.assertEqual(answer.additional[0].rdata, bytes([10, 96, 0, 2]))
        self.assertEqual(self.standin.ask("2.0.96.10.in-addr.arpa", PTR).data(PTR), [dnswire.name(SERVICE)])
        self.assertEqual(self.standin.ask("251.0.96.10.in-addr.arpa", PTR).rcode, NXDOMAIN)

    def test_outside_is_refused(self):
        for name in "example.com", "", "local", "1.97.10.in-addr.arpa":
            self.assertEqual(self.standin.ask(name).rcode, REFUSED, name)

    def test_what_does_not_fit_is_truncated(self):
        answer = self.standin.ask("pods-100.ns-0.svc.cluster.local", edns=dnswire.opt(1232))
        self.assertTrue(answer.flags & TC)
        self.assertEqual(answer.answers, [])
        self.assertEqual(len(self.standin.ask("pods-100.ns-0.svc.cluster.local", edns=dnswire.opt(4096)).answers), 100)

    def test_protocol_errors(self):
        self.assertEqual(self.standin.ask(SERVICE, edns=dnswire.opt(version=1)).rcode, dnswire.BADVERS)
        self.assertEqual(self.standin.ask(SERVICE, flags=4 << 11).rcode, NOTIMP)
        with self.standin.udp() as client:
            client.send(dnswire.header(1, 0, qd=1) + b"\xc0\x0c\0\1\0\1")
            self.assertEqual(dnswire.decode(client.recv(512)).rcode, FORMERR)


class Script(Case):
    def assertSilent(self, client):
        client.settimeout(0.2)
        self.assertRaises(TimeoutError, client.recv, 512)

    def test_ttl_and_unique(self):
        answer = self.standin.ask("ttl-7.u-x9." + SERVICE)
        self.assertEqual([(r.name, r.ttl) for r in answer.answers], [("ttl-7.u-x9." + SERVICE, 7)])
        self.assertTrue(self.standin.ask("ttl-7.x.cluster.local").authority[0].rdata.endswith(struct.pack("!I", 7)))

    def test_rcodes(self):
        for label, rcode in ("servfail", SERVFAIL), ("refused", REFUSED), ("formerr", FORMERR):
            self.assertEqual(self.standin.ask(f"{label}.{SERVICE}").rcode, rcode)

    def test_delay_lets_others_pass(self):
        with self.standin.tcp() as client:
            start = time.monotonic()
            client.sendall(frame(dnswire.query("delay-300." + SERVICE, id=1)) + frame(dnswire.query(SERVICE, id=2)))
            self.assertEqual([dnswire.decode(read_frame(client)).id for _ in range(2)], [2, 1])
            self.assertGreaterEqual(time.monotonic() - start, 0.3)

    def test_drop(self):
        for client in self.standin.udp(), self.standin.tcp():
            with client:
                asked = dnswire.query("drop." + SERVICE)
                client.sendall(asked if client.type == socket.SOCK_DGRAM else frame(asked))
                self.assertSilent(client)

    def test_tc(self):
        answer = self.standin.ask("tc." + SERVICE)
        self.assertEqual((bool(answer.flags & TC), answer.answers), (True, []))
        self.assertEqual(len(self.standin.ask_tcp("tc." + SERVICE).answers), 1)

    def test_badid_and_badquestion_and_the_right_answer_after_it(self):
        with self.standin.udp() as client:
            client.send(dnswire.query("dup.badid." + SERVICE, id=77))
            first, second = (dnswire.decode(client.recv(512)) for _ in range(2))
            self.assertEqual((first.id == 77, second.id), (False, 77))
            client.send(dnswire.query("dup.badquestion." + SERVICE))
            first, second = (dnswire.decode(client.recv(512)).name for _ in range(2))
            self.assertEqual((first, second), ("duq.badquestion." + SERVICE, "dup.badquestion." + SERVICE))
            self.assertSilent(client)

    def test_soaless_and_noopt(self):
        answer = self.standin.ask("soaless.noopt.x.cluster.local", edns=dnswire.opt())
        self.assertEqual((answer.rcode, answer.authority, answer.edns), (NXDOMAIN, [], None))

    def test_first(self):
        name = "first-2.servfail.u-first." + SERVICE
        self.assertEqual([self.standin.ask(name).rcode for _ in range(3)], [SERVFAIL, SERVFAIL, NOERROR])
        self.assertEqual(self.standin.ask(name, AAAA).rcode, SERVFAIL)

    def test_close(self):
        with self.standin.tcp() as client:
            client.sendall(frame(dnswire.query("close." + SERVICE)) + frame(dnswire.query(SERVICE)))
            self.assertEqual(client.recv(512), b"")

    def test_reset_after(self):
        for octets in 0, 1, 2, 7, 20:
            with self.standin.tcp() as client:
                client.sendall(frame(dnswire.query(f"reset-after-{octets}.{SERVICE}")))
                time.sleep(0.05)
                self.assertEqual(len(client.recv(512)) if octets else 0, octets)
                self.assertRaises(ConnectionResetError, client.recv, 512)

    def test_split(self):
        with self.standin.tcp() as client:
            client.sendall(frame(dnswire.query("split-20-50." + SERVICE)) + frame(dnswire.query(SERVICE)))
            self.assertEqual(len(client.recv(512)), 20)
            self.assertEqual(len(client.recv(512)), 20)
            rest = read_exactly(client, 2 + 12 + len(dnswire.name("split-20-50." + SERVICE)) + 4 + 16 - 40)
            self.assertEqual(rest[-4:], bytes([10, 96, 0, 2]))
            self.assertEqual(dnswire.decode(read_frame(client)).name, SERVICE)


class Robustness(Case):
    def test_counts(self):
        self.standin.get("/reset")
        clients = [self.standin.tcp() for _ in range(5)]
        for client in clients:
            client.sendall(frame(dnswire.query("delay-100." + SERVICE)))
        for client in clients:
            read_frame(client)
            client.close()
        self.standin.ask(SERVICE.upper())
        counts = self.standin.get("/counts")
        self.assertEqual(counts["questions"], {"delay-100." + SERVICE: {"A/tcp": 5}, SERVICE: {"A/udp": 1}})
        self.assertEqual((counts["connections"]["max"], counts["outstanding"]["max"]), (5, 5))
        self.assertEqual(self.standin.get("/counts?" + SERVICE)["questions"], {SERVICE: {"A/udp": 1}})
        self.assertEqual(self.standin.get("/counts?" + "x" * 300)["questions"], {})

    def test_half_close_still_answers(self):
        with self.standin.tcp() as client:
            client.sendall(frame(dnswire.query("delay-100." + SERVICE)))
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(len(dnswire.decode(read_frame(client)).answers), 1)
            self.assertEqual(client.recv(1), b"")

    def test_any_bytes(self):
        """20,000 mutated and random messages over UDP, every twentieth also over TCP; then it still answers."""
        dice = random.Random(SEED)
        names = [SERVICE, "split-1.dup.pods-30.ns-0.svc.cluster.local", "reset-after-3." + SERVICE, "badquestion.x.cluster.local"]
        with self.standin.udp() as client:
            for turn in range(20_000):
                message = bytearray(dnswire.query(dice.choice(names), dice.choice([1, 5, 6, 33, 255]), edns=dnswire.opt()))
                for _ in range(dice.randrange(6)):
                    message[dice.randrange(len(message))] = dice.choice([0, 0xFF, 0xC0, dice.randrange(256)])
                if dice.random() < 0.3:
                    message = message[: dice.randrange(len(message))]
                if dice.random() < 0.2:
                    message = dice.randbytes(dice.randrange(600))
                client.send(message)
                if turn % 20 == 0:
                    with self.standin.tcp() as stream:
                        stream.sendall(frame(message) * dice.randrange(1, 5) + dice.randbytes(dice.randrange(4)))
        self.assertEqual(len(self.standin.ask_tcp(SERVICE).answers), 1)


class Serial(Case):
    flags = ("--serial", "--close-after", "3", "--idle", "1", "--uncompressed")

    def test_one_question_at_a_time_then_the_end(self):
        asked = [dnswire.query(name, id=id) for id, name in enumerate(["delay-100." + SERVICE] + [SERVICE] * 3)]
        with self.standin.tcp() as client:
            client.sendall(b"".join(map(frame, asked)))
            self.assertEqual([dnswire.decode(read_frame(client)).id for _ in range(3)], [0, 1, 2])
            self.assertEqual(client.recv(1), b"")

    def test_idle(self):
        with self.standin.tcp() as client:
            self.assertEqual(client.recv(1), b"")

    def test_names_in_full(self):
        self.assertEqual(self.standin.ask(SERVICE).size, 12 + 2 * (len(SERVICE) + 2) + 4 + 14)


class Any(Case):
    flags = ("--any",)

    def test_addresses_from_the_hash(self):
        for name in "www.example.com", "Some.Name.test":
            hash = 2_166_136_261
            for octet in dnswire.name(name.lower()):
                hash = (hash ^ octet) * 16_777_619 & 0xFFFFFFFF
            self.assertEqual(self.standin.ask(name).data(A), [struct.pack("!I", 10 << 24 | hash & 0xFFFFFF)])
        self.assertEqual(self.standin.ask("nx-1.test").rcode, NXDOMAIN)
        self.assertEqual(self.standin.ask("example.org").rcode, REFUSED)


if __name__ == "__main__":
    unittest.main()
