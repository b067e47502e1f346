"""`swift run Benchmarks` and the do-nothing responders, as somebody runs them who has just cloned the repository."""

import html.parser
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time
import xml.etree.ElementTree

import dnswire
import harness

RELEASE = harness.ROOT / ".build/release"
LIMIT = 600  # seconds: the launcher and what it measures are built if they have not been


class Outline(html.parser.HTMLParser):
    """Headings, open elements and what a page would load."""

    VOID = {"meta"}

    def __init__(self, text):
        super().__init__()
        self.open, self.headings, self.loads, self.pictures = [], [], [], 0
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.loads += [value for name, value in attributes if name in ("src", "href")]
        self.pictures += tag == "svg"
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            raise AssertionError(f"</{tag}> at {self.getpos()} ends nothing")

    def handle_data(self, data):
        if self.open and self.open[-1] in ("h1", "h3"):
            self.headings.append(data)


def processes(marker):
    """Command lines of the processes whose environment says TMPDIR=marker: a run's and all it started."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            environment = pathlib.Path(f"/proc/{entry}/environ").read_bytes().split(b"\0")
            if f"TMPDIR={marker}".encode() in environment:
                found.append(pathlib.Path(f"/proc/{entry}/cmdline").read_text().replace("\0", " "))
        except OSError:
            pass
    return found


class Floor(harness.OutsideCase):
    def start(self, kind):
        port = harness.free_port()
        floor = harness.Process([str(RELEASE / "floor"), kind, str(port)], os.path.join(self.directory, kind))
        self.addCleanup(floor.end)
        harness.wait_for(lambda: harness.answers(("127.0.0.1", port), dnswire.query("a")), 5, kind)
        return "127.0.0.1", port

    def test_answers(self):
        """Both give the question back with one record, and leave out what came after it."""
        for kind in ("uring", "recvmmsg"):
            with self.subTest(kind=kind):
                address = self.start(kind)
                for name in ("", "a", "svc-1.ns-1.svc.cluster.local", ".".join(["x" * 63] * 3 + ["y" * 61])):
                    asked = dnswire.query(name, dnswire.AAAA, id=0x1234, edns=dnswire.opt())
                    reply = dnswire.decode(self.ask(address, asked))
                    self.assertEqual((reply.id, reply.rcode, reply.name), (0x1234, dnswire.NOERROR, name))
                    self.assertEqual(reply.flags, dnswire.QR | dnswire.RD | dnswire.RA)
                    self.assertEqual([(r.name, r.type) for r in reply.records], [(name, dnswire.A)])

    def test_survives_nonsense(self):
        """What is no query comes back as it is, and the next query is answered."""
        for kind in ("uring", "recvmmsg"):
            with self.subTest(kind=kind):
                address = self.start(kind)
                for nonsense in (b"\0", b"\xff" * 12, b"\xff" * 40, b"\0" * 16, dnswire.header(1, 0) + b"\x3f" * 900):
                    self.assertEqual(self.ask(address, nonsense), nonsense)
                self.assertTrue(harness.answers(address, dnswire.query("a")))

    def ask(self, address, packet):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(5)
            s.sendto(packet, address)
            return s.recv(4096)

    def test_usage(self):
        """Without its two words it says what it takes."""
        done = subprocess.run([str(RELEASE / "floor"), "uring"], capture_output=True, text=True, timeout=5)
        self.assertEqual(done.returncode, 2)
        self.assertIn("usage: floor uring|recvmmsg PORT", done.stderr)


class Benchmarks(harness.OutsideCase):
    def command(self, *options):
        return ["swift", "run", "Benchmarks", "--html", self.path("report.html"), *options]

    def path(self, name):
        return os.path.join(self.directory, name)

    @property
    def environment(self):
        return {**os.environ, "TMPDIR": self.directory}

    def run_benchmarks(self, *options, code=0):
        done = subprocess.run(
            self.command(*options),
            cwd=harness.ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assert_nothing_left()
        return done

    def assert_nothing_left(self):
        self.assertEqual(processes(self.directory), [])
        self.assertEqual([n for n in os.listdir(self.directory) if n.startswith("ringlet-benchmarks-")], [])

    def test_quick(self):
        """Ringlet and the floors on every workload: tables, JSON, report and plot agree, and nothing is left behind."""
        parts = "one,hits,mix,misses,flood,latency,shards,load,memory,idle"
        options = ["--quick", "--peers", "none", "--only", parts]
        done = self.run_benchmarks(*options, "--json", self.path("all.json"), "--svg", self.path("bars.svg"))
        results = json.loads(pathlib.Path(self.path("all.json")).read_text())
        servers = ["floor-uring", "floor-recvmmsg", "ringlet"]

        self.assertEqual([w["workload"] for w in results["workloads"]], parts.split(",")[:5])
        for workload in results["workloads"]:
            # What it costs to ask upstream at all is a floor of misses alone.
            relay = ["floor-relay"] if workload["workload"] == "misses" else []
            self.assertEqual([row["server"] for row in workload["rows"]], servers + relay)
            floor = workload["rows"][0]
            self.assertEqual(floor["ratio"], 1)
            for row in workload["rows"]:
                self.assertAlmostEqual(row["ratio"], row["cpu"] / floor["cpu"])
                self.assertAlmostEqual(row["user"] + row["system"], row["cpu"])
                self.assertGreater(row["rate"], 100)
                self.assertLess(row["failed"], 0.5)
        self.assertEqual([p["server"] for p in results["latency"]["points"]], servers)
        for point in results["latency"]["points"]:
            self.assertLessEqual(point["p50"], point["p99"])
            self.assertLessEqual(point["p99"], point["p999"])
        self.assertEqual([s["shards"] for s in results["shards"]], [1, 2])
        self.assertAlmostEqual(sum(results["shards"][1]["shares"]), 1)
        self.assertEqual([m["server"] for m in results["memory"]], servers)
        for memory in results["memory"]:
            self.assertLess(memory["full"]["anonymous"], memory["full"]["resident"])
        self.assertEqual([i["server"] for i in results["idle"]], servers)

        self.check_load_tools(results["load_tools"])
        self.check_goals(done.stdout)
        ratio = results["workloads"][1]["rows"][2]["ratio"]
        table = done.stdout.partition("Cached answers: ")[2]
        self.assertEqual(re.search(r"^  ringlet +([\d.]+)", table, re.M)[1], f"{ratio:.2f}")
        self.assertIn("hits, round 1 of 1: ringlet", done.stderr)

        page = Outline(pathlib.Path(self.path("report.html")).read_text())
        self.assertEqual(page.open, [])
        self.assertEqual(page.loads, [])
        self.assertEqual(page.pictures, 4)
        self.assertIn("Ringlet against its goals", page.headings)
        picture = xml.etree.ElementTree.parse(self.path("bars.svg")).getroot()
        self.assertIn(f"{ratio:.2f}", [t.text for t in picture.iter("{http://www.w3.org/2000/svg}text")])

    def check_load_tools(self, rows):
        self.assertEqual([(row["workload"], row["tool"]) for row in rows], list(itertools.product(("one", "hits"), ("dnsperf", "ringperf"))))
        for dnsperf, ringperf in (rows[:2], rows[2:]):
            self.assertAlmostEqual(ringperf["ratio"], dnsperf["cpu"] / ringperf["cpu"])
            self.assertEqual((dnsperf["lost"], ringperf["lost"]), (0, 0))
            for row in dnsperf, ringperf:
                self.assertAlmostEqual(row["busy"], row["cpu"] * row["rate"] / 1e6)
                self.assertTrue(0 < row["floor_busy"] < 1.1)
        self.assertGreater(rows[1]["ratio"], 1.5)
        self.report(f"ringperf against dnsperf, queries per CPU second: {rows[1]['ratio']:.2f} for one name, {rows[3]['ratio']:.2f} for 1,000")

    def check_goals(self, text):
        """A goal is met if the number that is printed is within the one that is printed, and not by less."""
        table = text[text.index("Ringlet against its goals") :].split("\n\n")[0]
        rows = re.findall(r"^  (.*\S) +([≤≥]) ([\d.]+)( \D+|) +([\d.,]+|–)\4 +(yes|no)$", table, re.M)
        self.assertGreater(len(rows), 10, table)
        for figure, sign, goal, _, measured, met in rows:
            value, limit = float(measured.replace(",", "").replace("–", "nan")), float(goal)
            self.assertEqual(met == "yes", value <= limit if sign == "≤" else value >= limit, figure)
        self.assertRegex(table, r"\n  wake-ups while idle +timers in use only +\d+ a minute +–\n")
        self.assertRegex(table, r"\n  CPU while idle +≤ 0.0 % ")

    def test_micro(self):
        """The micro benchmarks through the launcher."""
        done = self.run_benchmarks("--only", "micro", "--json", self.path("micro.json"))
        results = json.loads(pathlib.Path(self.path("micro.json")).read_text())
        self.assertTrue(all(one["ok"] for one in results["micro"]), results["micro"])
        self.assertTrue({"parse", "hit-16", "miss-16"} <= {one["name"] for one in results["micro"]})
        self.assertRegex(done.stdout, r"(?m)^  hit-16 +[\d.]+ +[\d,]+ +[\d,]+ +0.00 +0.00 +ok$")

    def test_peers(self):
        """Programs of others beside ours: what is installed is measured, node-cache by its path."""
        installed = ["unbound"] + ["dnsmasq"] * bool(shutil.which("dnsmasq", path=f"{os.environ['PATH']}:/usr/sbin"))
        options = ["--quick", "--only", "hits", "--peers", "unbound,dnsmasq", "--node-cache", harness.BINARY]
        self.run_benchmarks(*options, "--json", self.path("peers.json"))
        results = json.loads(pathlib.Path(self.path("peers.json")).read_text())
        rows = {row["server"]: row for row in results["workloads"][0]["rows"]}
        servers = ["floor-uring", "floor-recvmmsg", "ringlet", *installed, "node-cache"]
        self.assertEqual(list(rows), servers)
        self.assertEqual([v["server"] for v in results["versions"]], servers)
        for name in servers[2:]:
            self.assertLess(rows[name]["failed"], 0.01, name)
            self.assertGreater(rows[name]["rate"], 1000, name)
        self.assertRegex(next(v["version"] for v in results["versions"] if v["server"] == "unbound"), r"^\d+\.\d+")

    def test_absent_programs_are_named(self):
        """What is not installed, or is hidden as here, is named with the line that installs it; the rest is measured."""
        hidden = filter(None, (shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") for name in ("dnsdist", "dnsperf")))
        script = "".join(f"mount --bind /dev/null {path} && " for path in hidden) + 'exec "$@"'
        command = self.command
        self.command = lambda *options: ["unshare", "-m", "sh", "-c", script, "sh", *command(*options)]
        done = self.run_benchmarks("--quick", "--only", "idle,load", "--idle-seconds", "1", "--peers", "dnsdist")
        self.assertIn("not measured: dnsdist is not installed: apt-get install --no-install-recommends dnsdist\n", done.stdout)
        self.assertIn("not measured: load: dnsperf is not installed: apt-get install dnsperf\n", done.stdout)
        self.assertRegex(done.stdout, r"(?m)^  ringlet +\d+ ")

    def test_interrupt(self):
        """Ctrl-C while a load runs: it ends at once, with all it has started."""
        argv = self.command("--only", "one", "--peers", "none", "--seconds", "60")
        options = {"cwd": harness.ROOT, "env": self.environment, "start_new_session": True}
        process = harness.Process(argv, self.path("log"), **options)
        try:
            harness.wait_for(lambda: "round 1" in process.log() or not process.alive(), LIMIT, "the first round")
            time.sleep(0.5)
            self.assertTrue(any("nsd" in line for line in processes(self.directory)))
            # As a terminal does it: to the whole group.
            os.killpg(process.pid, signal.SIGINT)
            self.assertEqual(process.child.wait(10), 130, process.log())
        finally:
            if process.alive():
                process.end()
        self.assert_nothing_left()

    def test_wrong_options(self):
        """An option that cannot be meant is named, with what can be."""
        for options, words in (
            (("--only", "hit"), "hits"),
            (("--peers", "bind"), "dnsmasq"),
            (("--rounds", "0"), "1 to 100"),
            (("--node-cache", "/nonexistent"), "/nonexistent"),
        ):
            with self.subTest(options=options):
                done = self.run_benchmarks(*options, code=64)
                self.assertIn(words, done.stderr)
