"""ringperf: dnsperf's flags and report, the open loop, pods, the checks, the sweep, and how it fails."""

import asyncio
import collections
import json
import os
import pathlib
import random
import re
import signal
import socket
import struct
import subprocess
import threading
import time
import unittest
import xml.etree.ElementTree

import dnswire
from dnswire import A, AAAA, NXDOMAIN, SERVFAIL
from harness import RINGPERF, OutsideCase, free_port, scrape, wait_for
from peer import Peer

BINARY = RINGPERF
SEED = 20261123
FIELDS = (  # of dnsperf 2.10
    "Queries sent",
    "Queries completed",
    "Queries lost",
    "Response codes",
    "Average packet size",
    "Run time (s)",
    "Queries per second",
    "Average Latency (s)",
    "Latency StdDev (s)",
)


class Case(OutsideCase):
    def peer(self, script=None):
        peer = Peer(script) if script else Peer()
        self.addCleanup(peer.stop)
        return peer

    def queries(self, *lines):
        return self.write("queries.txt", "".join(line + "\n" for line in lines))

    def perf(self, port, *flags, code=0, stdin=None, seconds=60):
        """What it wrote: (standard output, standard error). It ends with `code`."""
        argv = [BINARY, "-s", "127.0.0.1", "-p", str(port), *map(str, flags)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=seconds, input=stdin)
        self.assertEqual(done.returncode, code, f"{' '.join(argv)}\n{done.stdout}{done.stderr}")
        return done.stdout, done.stderr

    def json(self, port, *flags, **options):
        return json.loads(self.perf(port, "--json", *flags, **options)[0])


class AsDnsperf(Case):
    def test_report_has_dnsperfs_fields(self):
        peer = self.peer()
        out, _ = self.perf(peer.port, "-d", self.queries("a.test A", "b.test AAAA", "; c.test A", ""), "-n", 10)
        statistics = out[out.index("Statistics:") :]
        places = [statistics.index(f"\n  {field}:") for field in FIELDS]
        self.assertEqual(places, sorted(places))
        self.assertRegex(out, r"Queries sent: {9}20\n  Queries completed: {4}20 \(100.00%\)\n  Queries lost: {9}0 \(0.00%\)\n")
        self.assertRegex(out, r"Response codes: {7}NOERROR 20 \(100.00%\)\n  Average packet size: {2}request 24, response 46\n")
        self.assertRegex(out, r"Average Latency \(s\):  \d+\.\d{6} \(min \d+\.\d{6}, max \d+\.\d{6}\)\n")
        self.assertEqual(collections.Counter((a.name, a.message.type) for a in peer.asked), {("a.test", A): 10, ("b.test", AAAA): 10})

    def test_same_figures_as_dnsperf(self):
        """Both count the same answers of a server that leaves every third question of a name unanswered."""

        async def script(asked):
            if asked.nth % 3:
                asked.send(asked.address(rcode=SERVFAIL if asked.name == "b.test" else 0))

        lines = self.queries(*(f"{name}.test A" for name in "abc"))
        pattern = r"Queries (?:sent|completed|lost): .*|Response codes: .*|Average packet size: .*"
        seen = []
        for program in BINARY, "dnsperf":
            peer = self.peer(script)
            argv = [program, "-s", "127.0.0.1", "-p", str(peer.port), "-d", lines, "-n", "30", "-l", "30", "-t", "1", "-q", "9"]
            out = subprocess.run(argv, capture_output=True, text=True, timeout=60).stdout
            seen.append(re.findall(pattern, out))
            self.assertEqual(len(peer.asked), 90)
        self.assertEqual(*seen)

    def test_same_queries_of_a_file_as_dnsperf(self):
        """A '#' begins no comment, and what follows the type is nobody's business."""
        lines = self.queries("a.test A", ";b.test A", "#c.test A", "", "d.test\tTXT ; what it is", "; e", "f.test TYPE65 IN")
        seen = []
        for program in BINARY, "dnsperf":
            peer = self.peer()
            subprocess.run([program, "-p", str(peer.port), "-d", lines, "-n", "1"], capture_output=True, timeout=20, check=True)
            seen.append(sorted((a.name, a.message.type) for a in peer.asked))
        self.assertEqual(seen[0], [("#c.test", A), ("a.test", A), ("d.test", dnswire.TXT), ("f.test", 65)])
        self.assertEqual(*seen)

    def test_message(self):
        peer = self.peer()
        self.perf(peer.port, "-d", self.queries("Www.Test. TYPE65"), "-D")
        (asked,) = peer.asked
        self.assertEqual(asked.raw[2:], dnswire.query("Www.Test", 65, edns=dnswire.opt(4096, do=True))[2:])
        self.perf(peer.port, "-d", self.queries("x.test A"), "-e")
        self.assertEqual(peer.asked[-1].raw[2:], dnswire.query("x.test", edns=dnswire.opt(4096))[2:])

    def test_standard_input_joined_flags_verbose(self):
        peer = self.peer()
        argv = [BINARY, f"-p{peer.port}", "-s127.0.0.1", "-d-", "-v", "-q1"]
        out = subprocess.run(argv, capture_output=True, text=True, timeout=10, input="a.test A\nb.test TXT\n").stdout
        self.assertEqual(re.findall(r"^> NOERROR (\S+ \S+) \d+\.\d{6}$", out, re.M), ["a.test A", "b.test TXT"])

    def test_outstanding_and_clients(self):
        out = most = 0

        async def script(asked):
            nonlocal out, most
            out += 1
            most = max(most, out)
            await asyncio.sleep(0.01)
            out -= 1
            asked.send(asked.address())

        peer = self.peer(script)
        self.perf(peer.port, "-d", self.queries(*(f"n{i}.test A" for i in range(100))), "-q", 12, "-c", 5, "-T", 2, "-n", 3)
        self.assertEqual(most, 12)
        self.assertEqual(len({a.source for a in peer.asked}), 5)
        self.assertEqual(set(collections.Counter(a.name for a in peer.asked).values()), {3})

    def test_ids_are_not_used_twice_while_out(self):
        async def script(asked):
            pass

        peer = self.peer(script)
        self.perf(peer.port, "-d", self.queries("a.test A"), "-n", 1000, "-q", 1000, "-t", 0.5, "-W", code=1)
        ids = [a.message.id for a in peer.asked]
        self.assertEqual((len(ids), len(set(ids))), (1000, 1000))
        self.assertGreater(len({abs(a - b) for a, b in zip(ids, ids[1:])}), 1)

    def test_names_of_all_lengths(self):
        """Queries leave sorted by length, and each of them does leave, up to the longest there can be."""
        names = [".".join(["x" * 60] * (n // 61) + ["y" * (n % 61)]) for n in range(1, 254) if n % 61]
        lines = self.queries(*(f"{name} A" for name in names))
        for clients in 1, 3:
            peer = self.peer()
            got = self.json(peer.port, "-d", lines, "-n", 3, "-q", 200, "-c", clients, "--verify")
            self.assertEqual(collections.Counter(a.name for a in peer.asked), dict.fromkeys(names, 3))
            self.assertEqual((got["completed"], got["verify"]["wrong"]), (3 * len(names), 0))

    def test_rate_limit_and_statistics(self):
        peer = self.peer()
        out, _ = self.perf(peer.port, "-d", self.queries("a.test A"), "-l", 1.5, "-Q", 200, "-S", 0.5)
        self.assertLessEqual(len(peer.asked), 301)
        self.assertGreater(len(peer.asked), 0)
        self.assertRegex(out, r"(?m)^\d{10}\.\d{6}: \d+\.\d{6}$")

    def test_tcp_pipelines_and_reconnects(self):
        async def script(asked):
            asked.send(asked.address())
            if asked.nth % 40 == 0:
                asked.close()

        peer = self.peer(script)
        got = self.json(peer.port, "-m", "tcp", "-d", self.queries("a.test A"), "-n", 200, "-q", 5, "-c", 2, "-t", 1)
        self.assertEqual(got["transport"], "tcp")
        self.assertEqual(got["completed"] + got["lost"], 200)
        self.assertGreater(got["completed"], 150)
        self.assertGreater(peer.accepted, 2)

    def test_same_lines_for_interrupted_queries_as_dnsperf(self):
        async def script(asked):
            if asked.name == "a.test":
                asked.send(asked.address())

        lines = self.queries(*(f"{name}.test A" for name in "abc"))
        for program in BINARY, "dnsperf":
            peer = self.peer(script)
            argv = [program, "-p", str(peer.port), "-d", lines, "-l", "20", "-q", "2", "-v"]
            child = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
            wait_for(lambda: len(peer.asked) == 3, 10, "three queries")
            time.sleep(0.2)
            child.send_signal(signal.SIGINT)
            out, _ = child.communicate(timeout=10)
            self.assertCountEqual(re.findall("^> I (.*)$", out, re.M), ["b.test A", "c.test A"], program)

    def test_connection_statistics_as_dnsperf(self):
        async def script(asked):
            asked.send(asked.address())
            if asked.nth in (40, 80):
                asked.close()

        shapes = []
        for program in BINARY, "dnsperf":
            peer = self.peer(script)
            argv = [program, "-p", str(peer.port), "-m", "tcp", "-d", self.queries("a.test A"), "-n", "120", "-q", "2", "-t", "1"]
            out = subprocess.run(argv, capture_output=True, text=True, timeout=60).stdout
            statistics = out[out.index("\nConnection Statistics:\n") :].strip()
            shapes.append(re.sub(r"\d+", "0", statistics))
            if program == BINARY:
                self.assertEqual((re.search(r"Reconnections: {8}(\d+)\n", statistics)[1], peer.accepted), ("2", 3))
                latency = re.search(r"\(min (\S+), max (\S+)\)", statistics)
                self.assertTrue(0 < float(latency[1]) <= float(latency[2]) < 1, statistics)
        self.assertEqual(*shapes)
        self.assertNotIn("Connection Statistics", self.perf(self.peer().port, "-d", self.queries("a.test A"))[0])

    def test_tcp_answers_in_pieces(self):
        async def script(asked):
            message = asked.address()
            for octet in struct.pack("!H", len(message)) + message:
                asked.send_raw(bytes([octet]))
                await asyncio.sleep(0)

        got = self.json(self.peer(script).port, "-m", "tcp", "-d", self.queries("a.test A"), "-n", 20, "-q", 1, "--verify")
        self.assertEqual((got["completed"], got["verify"]["wrong"]), (20, 0))

    def test_ipv6_and_local_address(self):
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as server:
            server.bind(("::1", 0))
            server.settimeout(5)
            argv = [BINARY, "-s", "::1", "-a", "::1", "-f", "inet6", "-p", str(server.getsockname()[1]), "-d", self.queries("a.test A")]
            child = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
            message, source = server.recvfrom(512)
            server.sendto(dnswire.response(message), source)
            out, _ = child.communicate(timeout=10)
        self.assertEqual((source[0], child.returncode), ("::1", 0))
        self.assertIn("Sending queries (to [::1]:", out)


class Open(Case):
    def test_latency_counts_from_the_scheduled_instant(self):
        """A server that says nothing for a second: the queries of that second count in full."""

        async def script(asked):
            if len(peer.asked) == 100:
                time.sleep(1)  # the whole peer
            asked.send(asked.address())

        peer = self.peer(script)
        got = self.json(peer.port, "-d", self.queries("a.test A"), "--rate", 200, "-l", 3, "--arrivals", "constant")
        self.assertEqual((got["mode"], got["rate_asked"], got["sent"], got["lost"]), ("open", 200, 600, 0))
        # A third of the queries fell into the stall, spread over its second.
        self.assertGreater(got["latency_us"]["p90"], 500_000)
        self.assertGreater(got["latency_us"]["max"], 900_000)

    def test_poisson_is_irregular_and_seeded(self):
        peer = self.peer()
        sent = []
        for seed in 1, 1, 2:
            sent.append(self.json(peer.port, "-d", self.queries("a.test A"), "--rate", 1000, "-l", 1, "--seed", seed)["sent"])
        self.assertEqual(sent[0], sent[1])
        self.assertNotEqual(sent[0], sent[2])
        for count in sent:
            self.assertTrue(800 < count < 1200, sent)

    def test_percentile_file(self):
        path = os.path.join(self.directory, "latency.hgrm")
        got = self.json(self.peer().port, "-d", self.queries("a.test A"), "--rate", 1000, "-l", 1, "--hgrm", path)
        lines = pathlib.Path(path).read_text().splitlines()
        self.assertEqual(lines[0].split(), ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"])
        rows = [list(map(float, line.split())) for line in lines[2:] if not line.startswith("#")]
        self.assertEqual(rows, sorted(rows))
        self.assertEqual((rows[-1][1], rows[-1][2]), (1, got["completed"]))
        self.assertAlmostEqual(rows[-1][0] / got["latency_us"]["max"], 1, delta=0.002)  # microseconds, three digits

    def test_sweep(self):
        """A server that answers 3000 queries a second and drops the rest."""
        window = collections.Counter()

        async def script(asked):
            slot = int(asked.at * 50)
            window[slot] += 1
            if window[slot] <= 60:
                asked.send(asked.address())

        svg = os.path.join(self.directory, "sweep.svg")
        file = os.path.join(self.directory, "sweep.json")
        flags = ["--sweep", "--sweep-seconds", 0.5, "-t", 0.3, "--arrivals", "constant", "--svg", svg, "--json", file]
        out, _ = self.perf(self.peer(script).port, "-d", self.queries("a.test A"), *flags)
        got = json.loads(pathlib.Path(file).read_text())
        self.assertTrue(0 < got["best_rate"] < 4000, got["sweep"])
        rates = [step["rate"] for step in got["sweep"]]
        self.assertEqual(rates, sorted(rates))
        self.assertTrue(any(step["unanswered"] > 0.001 for step in got["sweep"]))
        self.assertIn(f"Best rate with fewer than 0.1 % unanswered: {int(got['best_rate'])} queries/s", out)
        table = out[re.search("^ +rate +answers/s", out, re.M).end() :].splitlines()[1 : len(rates) + 1]
        self.assertEqual([float(line.split()[0]) for line in table], rates)
        plot = xml.etree.ElementTree.parse(svg).getroot()
        curves = plot.findall("{http://www.w3.org/2000/svg}polyline")
        self.assertEqual([len(curve.get("points").split()) for curve in curves], [len(rates)] * 4)

    def test_one_hiccup_does_not_end_the_doubling(self):
        """A server that is silent for its first 200 queries."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", 0))
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            argv = [BINARY, "-p", str(server.getsockname()[1]), "-d", self.queries("a.test A"), "--sweep", "-t", "0.3", "--arrivals", "constant"]
            child = subprocess.Popen([*argv, "--sweep-seconds", "1"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

            def serve():
                for number in range(8001):  # constant arrivals: two tries at 4000, and the first query at 8000
                    query, source = server.recvfrom(512)
                    if number >= 200:
                        server.sendto(dnswire.response(query), source)
                child.send_signal(signal.SIGINT)

            server.settimeout(10)
            threading.Thread(target=serve).start()
            out, _ = child.communicate(timeout=20)
        self.assertIn("[Status] 4000 queries/s: too much, once more\n[Status] 4000 queries/s: good\n", out)
        self.assertRegex(out, r"\n +4000 .*[\d.]+\n +8000 .* cut short\n")

    def test_interrupted_sweep(self):
        """Ctrl-C in its first step: the report, the table and the JSON have what was measured of it."""
        peer = self.peer()
        file = os.path.join(self.directory, "sweep.json")
        argv = [BINARY, "-p", str(peer.port), "-d", self.queries("a.test A"), "--sweep", "--sweep-seconds", "60", "--json", file]
        child = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        wait_for(lambda: len(peer.asked) > 100, 10, "queries")
        child.send_signal(signal.SIGINT)
        out, _ = child.communicate(timeout=5)
        self.assertEqual(child.returncode, 130)
        self.assertGreater(int(re.search(r"Queries completed: +(\d+)", out)[1]), 50)
        self.assertRegex(out, r"\n +4000 .* cut short\n")
        self.assertIn("unanswered: none of the rates", out)
        got = json.loads(pathlib.Path(file).read_text())
        self.assertEqual((got["interrupted"], got["best_rate"]), (True, 0))
        self.assertEqual([(step["rate"], step["verdict"]) for step in got["sweep"]], [(4000, "cut short")])


class Pods(Case):
    def test_a_and_aaaa_together_from_one_socket(self):
        peer = self.peer()
        self.perf(peer.port, "--pods", 40, "-d", self.queries("svc.test. A"), "-n", 200)
        by_source = collections.defaultdict(list)
        for asked in peer.asked:
            by_source[asked.source].append(asked.message.type)
        self.assertEqual(len(by_source), 40)
        for types in by_source.values():
            self.assertEqual(types, [A, AAAA] * 5)

    def test_search_path_up_to_the_first_positive_answer(self):
        async def script(asked):
            found = asked.name in ("a.svc.cluster.local", "b.test", "1.2.3.4.5.6", "6.5.4.3.2.1.svc.cluster.local") and asked.message.type == A
            asked.send(asked.address() if found else asked.response(rcode=NXDOMAIN))

        peer = self.peer(script)
        lines = self.queries("a A", "b.test A", "1.2.3.4.5.6 A", "6.5.4.3.2.1 A", "1.2.3.4.5 A", "abs.test. A")
        got = self.json(peer.port, "--pods", 1, "--search", "-q", 2, "-d", lines)
        names = [a.name for a in peer.asked if a.message.type == A]
        searched = lambda name: [f"{name}.{suffix}" for suffix in ("ns-0.svc.cluster.local", "svc.cluster.local", "cluster.local")]
        expected = searched("a")[:2] + searched("b.test") + ["b.test"]
        # Five dots: first as it is, and through the search path after a negative answer. Four: the other way round.
        expected += ["1.2.3.4.5.6", "6.5.4.3.2.1"] + searched("6.5.4.3.2.1")[:2] + searched("1.2.3.4.5") + ["1.2.3.4.5"]
        expected += ["abs.test"]
        self.assertCountEqual(names, expected)
        for name in "a", "b.test", "6.5.4.3.2.1", "1.2.3.4.5":
            steps = [n for n in names if n in searched(name) + [name]]
            self.assertEqual(steps, [n for n in expected if n in steps])
        self.assertEqual(got["sent"], 2 * len(expected))
        self.assertEqual(got["rcodes"], {"NOERROR": 4, "NXDOMAIN": got["sent"] - 4})

    def test_zipf(self):
        peer = self.peer()
        lines = self.queries(*(f"n{rank}.test A" for rank in range(1, 51)))
        self.perf(peer.port, "-d", lines, "--zipf", 1, "-n", 100)
        counts = collections.Counter(a.name for a in peer.asked)
        self.assertEqual(sum(counts.values()), 5000)
        share = 5000 / sum(1 / rank for rank in range(1, 51))
        for rank in 1, 2, 5, 10, 25:
            wanted = share / rank
            self.assertAlmostEqual(counts[f"n{rank}.test"], wanted, delta=5 * wanted**0.5)

    def test_kubernetes_mix(self):
        async def script(asked):
            asked.send(asked.address() if asked.name.endswith(".svc.cluster.local") and asked.name.startswith("svc-") else asked.response(rcode=NXDOMAIN))

        peer = self.peer(script)
        self.perf(peer.port, "-l", 30, "-n", 1, "-c", 60)
        names = [a.name for a in peer.asked if a.message.type == A]
        inside = [re.fullmatch(r"svc-(\d+)\.ns-(\d+)\.svc\.cluster\.local", name) for name in names]
        self.assertTrue(all(int(m[1]) < 5000 and int(m[2]) == int(m[1]) % 50 for m in inside if m))
        outside = [name for name in names if re.fullmatch(r"host-\d+\.example\.com", name)]
        self.assertEqual(sum(map(bool, inside)) + len(outside), 5100)
        self.assertTrue(350 < len(outside) < 700, len(outside))
        searched = [name for name in names if re.fullmatch(r"host-\d+\.example\.com\.ns-\d+\.svc\.cluster\.local", name)]
        self.assertEqual(len(searched), len(outside))

    def test_thousands_of_pods(self):
        peer = self.peer()
        got = self.json(peer.port, "--pods", 3000, "-n", 1, "-d", self.queries(*(f"n{i}.test. A" for i in range(3000))))
        self.assertEqual((got["clients"], got["completed"], len({a.source for a in peer.asked})), (3000, 6000, 3000))


class Checked(Case):
    """A seeded server makes a share of its answers wrong, each in one way, and counts them."""

    KINDS = ("unknown_id", "other_question", "rcode_changed", "answer_count_changed", "ttl_above_first", "not_a_response", "malformed")

    def wrong_server(self, kinds, share=0.2):
        """Each name's first answers, as many as are out at a time, are right: two addresses, TTL 30."""
        dice, made = random.Random(SEED), collections.Counter()

        async def script(asked):
            address = lambda octet, ttl=30: dnswire.record(asked.name, A, ttl, bytes([10, 0, 0, octet]))
            right = asked.response(address(1), address(2))
            if asked.nth <= 10 or dice.random() > share:
                asked.send(right)
                return
            kind = dice.choice(kinds)
            made[kind] += 1
            if kind == "unknown_id":
                asked.send(asked.response(address(1), address(2), id=asked.message.id ^ 1 << dice.randrange(8, 16)))
                asked.send(right)
            elif kind == "other_question":
                other = dnswire.name("other.test") + struct.pack("!HH", A, 1)
                asked.send(asked.response(address(1), address(2), question=other))
                asked.send(right)
            elif kind == "rcode_changed":
                asked.send(asked.response(address(1), address(2), rcode=dice.choice([SERVFAIL, NXDOMAIN])))
            elif kind == "answer_count_changed":
                asked.send(asked.response(address(1)))
            elif kind == "ttl_above_first":
                asked.send(asked.response(address(1), address(2, 31)))
            elif kind == "not_a_response":
                asked.send(right[:2] + bytes([right[2] & 0x7F]) + right[3:])
                asked.send(right)
            elif kind == "malformed":
                asked.send(dice.choice([right[: dice.randrange(40, len(right))], right + b"x", right[: dice.randrange(1, 12)]]))
                asked.send(right)

        return self.peer(script), made

    def check(self, kinds, *flags):
        peer, made = self.wrong_server(kinds)
        lines = self.queries(*(f"n{i}.test A" for i in range(20)), "N0.TEST A")
        got = self.json(peer.port, "-d", lines, "-n", 40, "-q", 10, "-c", 3, "--verify", *flags, code=1)
        for kind in kinds:
            self.assertGreater(made[kind], 0)
        self.assertEqual({kind: n for kind, n in got["verify"]["by_kind"].items() if n}, dict(made))
        self.assertEqual(got["verify"]["wrong"], sum(made.values()))
        self.assertEqual((got["sent"], got["completed"], got["lost"]), (840, 840, 0))

    def test_each_kind_is_caught(self):
        for kind in self.KINDS:
            with self.subTest(kind):
                self.check([kind])

    def test_all_kinds_at_once_over_threads(self):
        self.check(self.KINDS, "-T", 3)

    def test_over_tcp(self):
        self.check([kind for kind in self.KINDS if kind != "malformed"], "-m", "tcp")

    def test_report_names_the_kinds(self):
        peer, made = self.wrong_server(["ttl_above_first"])
        out, _ = self.perf(peer.port, "-d", self.queries("a.test A"), "-n", 100, "-q", 10, "--verify", code=1)
        self.assertIn(f"Answers wrong:        {made['ttl_above_first']}\n    TTL above the first: {made['ttl_above_first']}\n", out)

    def test_right_answers_pass(self):
        async def script(asked):
            spelled = asked.message.question_bytes.upper() if asked.name == "case" else None
            ttl = max(0, 30 - asked.nth)
            if asked.name.startswith("none"):
                asked.send(asked.response(authority=[dnswire.soa("test", ttl)], rcode=NXDOMAIN))
            else:
                asked.send(asked.response(dnswire.record(asked.name, A, ttl, b"\x0a\0\0\1"), question=spelled))

        got = self.json(self.peer(script).port, "-d", self.queries("a.test A", "none.test A", "case A"), "-n", 50, "-e", "--verify")
        self.assertEqual((got["verify"]["checked"], got["verify"]["wrong"]), (150, 0))

    def test_a_late_answer_is_not_a_wrong_one(self):
        async def script(asked):
            if asked.nth == 1:
                await asyncio.sleep(0.6)
            asked.send(asked.address())

        flags = ["-n", 40, "-q", 2, "-Q", 30, "-t", 0.3, "--verify"]
        got = self.json(self.peer(script).port, "-d", self.queries("a.test A"), *flags)
        self.assertEqual((got["lost"], got["completed"], got["verify"]["wrong"]), (1, 39, 0))

    def test_late_answers_are_checked(self):
        async def script(asked):
            if asked.nth != 2:
                asked.send(asked.address())
                return
            await asyncio.sleep(0.6)
            late = {
                "rcode": lambda: asked.address(rcode=SERVFAIL),
                "count": lambda: asked.response(),
                "ttl": lambda: asked.address(ttl=31),
                "question": lambda: asked.address(question=dnswire.name("other.test") + struct.pack("!HH", A, 1)),
                "right": lambda: asked.address(),
            }
            asked.send(late[asked.name]())

        lines = self.queries(*(f"{name} A" for name in ("rcode", "count", "ttl", "question", "right")))
        got = self.json(self.peer(script).port, "-d", lines, "-n", 8, "-q", 5, "-Q", 30, "-t", 0.3, "--verify", code=1)
        kinds = ("rcode_changed", "answer_count_changed", "ttl_above_first", "other_question")
        self.assertEqual({kind: n for kind, n in got["verify"]["by_kind"].items() if n}, dict.fromkeys(kinds, 1))
        self.assertEqual((got["lost"], got["completed"]), (5, 35))

    def test_an_empty_datagram_is_malformed(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", 0))
            server.settimeout(5)
            argv = [BINARY, "-p", str(server.getsockname()[1]), "-d", self.queries("a.test A"), "-n", "3", "-q", "1", "--verify", "--json"]
            child = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
            for _ in range(3):
                message, source = server.recvfrom(512)
                server.sendto(b"", source)
                server.sendto(dnswire.response(message), source)
            got = json.loads(child.communicate(timeout=10)[0])
        self.assertEqual((got["completed"], got["verify"]["checked"], got["verify"]["by_kind"]["malformed"]), (3, 6, 3))

    def test_ringlet_counts_what_ringperf_counts(self):
        ringlet = self.start_ringlet(f"127.0.0.1:{self.start_nsd().port}")
        before = scrape(ringlet.setup_port).sum("coredns_dns_requests_total")
        lines = self.queries(*(f"svc-{i}.ns-{i % 50}.svc.cluster.local. A" for i in range(200)))
        got = self.json(ringlet.port, "-d", lines, "-n", 50, "-c", 8, "--verify")
        self.assertEqual((got["sent"], got["completed"], got["verify"]["wrong"]), (10_000, 10_000, 0))
        count = lambda: scrape(ringlet.setup_port).sum("coredns_dns_requests_total") - before
        wait_for(lambda: count() == 10_000, 5, f"10,000 requests in the metrics, not {count()}")


class Ends(Case):
    def test_interrupt_prints_the_report_so_far(self):
        peer = self.peer()
        for sign in signal.SIGINT, signal.SIGTERM:
            argv = [BINARY, "-p", str(peer.port), "-d", self.queries("a.test A"), "-l", "60", "-Q", "100"]
            child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            before = len(peer.asked)
            wait_for(lambda: len(peer.asked) > before + 10, 10, "queries")
            child.send_signal(sign)
            out, _ = child.communicate(timeout=5)
            self.assertEqual(child.returncode, 130)
            self.assertGreater(int(re.search(r"Queries completed: +(\d+)", out)[1]), 9)

    def test_interrupted_json(self):
        async def script(asked):
            if asked.nth <= 3:
                asked.send(asked.address())

        peer = self.peer(script)
        argv = [BINARY, "-p", str(peer.port), "-d", self.queries("a.test A"), "-l", "60", "--json", "-q", "5"]
        child = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        wait_for(lambda: len(peer.asked) == 8, 10, "queries")
        child.send_signal(signal.SIGINT)
        got = json.loads(child.communicate(timeout=5)[0])
        self.assertEqual((got["interrupted"], got["sent"], got["completed"], got["lost"]), (True, 8, 3, 0))

    def test_refused_is_said_at_once(self):
        for mode in "udp", "tcp":
            began = time.monotonic()
            _, error = self.perf(port := free_port(), "-l", 30, "-m", mode, code=1)
            self.assertIn(f"127.0.0.1:{port}, {mode.upper()}: connection refused", error)
            self.assertLess(time.monotonic() - began, 20)

    def test_no_answer_at_all(self):
        async def script(asked):
            pass

        peer = self.peer(script)
        out, error = self.perf(peer.port, "-d", self.queries("a.test A"), "-t", 0.2, code=1)
        self.assertIn("Queries lost:         1 (100.00%)", out)
        self.assertIn(f"no answer at all from 127.0.0.1:{peer.port}", error)
        out, error = self.perf(peer.port, "-d", self.queries("a.test A"), "-t", 0.2, "-W", code=1)
        self.assertIn("no answer at all", out)
        self.assertEqual(error, "")

    def test_bad_lines_by_number(self):
        for text, number, why in (
            ("a.test A\n\nb.test\n", 3, "expected 'NAME TYPE', found 'b.test' alone"),
            ("; x\n# d\n", 2, "unknown type 'd'"),
            ("; x\na.test WHAT\n", 2, "unknown type 'WHAT'"),
            ("a..test A\n", 1, "a label has 1 to 63 octets"),
            ("a" * 64 + ".test A\n", 1, "this one 64"),
            ("a." * 128 + " A\n", 1, "at most 255 octets"),
            ("\\999.test A\n", 1, "above 255"),
        ):
            path = self.write("bad.txt", text)
            _, error = self.perf(5353, "-d", path, code=1)
            self.assertIn(f"{path}, line {number}: ", error)
            self.assertIn(why, error)

    def test_random_files_do_not_crash(self):
        dice = random.Random(SEED)
        for turn in range(30):
            path = pathlib.Path(self.directory) / "random.txt"
            path.write_bytes(bytes(dice.choice(b"a.\\09 \n;\xff\x00A") for _ in range(dice.randrange(200))))
            argv = [BINARY, "-p", str(free_port()), "-d", str(path), "-l", "1", "-t", "0.1"]
            self.assertEqual(subprocess.run(argv, capture_output=True, timeout=10).returncode, 1)

    def test_random_answers_do_not_crash(self):
        dice = random.Random(SEED)

        async def script(asked):
            message = bytearray(asked.address())
            for _ in range(dice.randrange(4)):
                message[dice.randrange(2, len(message))] = dice.choice([0, 0xFF, 0xC0, dice.randrange(256)])
            asked.send(bytes(message[: dice.randrange(len(message) + 1)] if dice.random() < 0.2 else message))

        for mode in "udp", "tcp":
            flags = ["-d", self.queries("a.test A"), "-n", 2000, "-t", 0.3, "-m", mode, "--verify"]
            got = self.json(self.peer(script).port, *flags, code=1)
            self.assertEqual(got["completed"] + got["lost"], 2000)

    def test_errors_say_what_was_expected(self):
        for flags, code, text in (
            (["-s", "nosuch.invalid"], 1, "-s nosuch.invalid: "),
            (["-d", "/nonexistent"], 1, "expected a file of lines 'NAME TYPE'"),
            (["-s", "127.0.0.1", "-f", "inet6"], 1, "expected an inet6 address or name"),
            (["-a", "192.0.2.1"], 1, "a socket from 192.0.2.1"),
            (["-c", "0"], 64, "1 to 65536"),
            (["--rate", "10", "--sweep"], 64, "--sweep finds the rate"),
            (["--json", "-v"], 64, "give --json a file"),
            (["-m", "dot"], 64, "udp"),
        ):
            done = subprocess.run([BINARY, *flags], capture_output=True, text=True, timeout=20)
            self.assertEqual(done.returncode, code, flags)
            self.assertIn(text, done.stderr)

    def test_too_few_descriptors(self):
        drop = "setpriv --bounding-set -sys_resource --inh-caps -sys_resource"
        done = subprocess.run(["sh", "-c", f"ulimit -n 40; {drop} {BINARY} -c 100"], capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 1)
        self.assertIn("descriptors are needed and 40 are allowed; raise the limit with: ulimit -Hn", done.stderr)

    def test_terminal_gets_a_line_that_is_rewritten(self):
        master, slave = os.openpty()
        peer = self.peer()
        argv = [BINARY, "-p", str(peer.port), "-d", self.queries("a.test A"), "-l", "2.5", "-Q", "50"]
        subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=slave, timeout=20)
        os.close(slave)
        shown = os.read(master, 65536).decode()
        os.close(master)
        self.assertRegex(shown, r"\r\x1b\[K1 s: \d+ answers/s, \d+ sent, 0 lost\r\x1b\[K2 s: ")
        self.assertNotIn("\n", shown)

    def test_elsewhere_progress_is_a_line_each_second(self):
        _, error = self.perf(self.peer().port, "-d", self.queries("a.test A"), "-l", 2.5, "-Q", 50)
        self.assertRegex(error, r"^1 s: \d+ answers/s, \d+ sent, 0 lost\n2 s: \d+ answers/s, \d+ sent, 0 lost\n$")


if __name__ == "__main__":
    unittest.main()
