"""What the query path costs by counting stays within the thresholds in git, and more than they allow is noticed."""

import json
import os
import pathlib
import subprocess

import harness

BINARY = str(harness.ROOT / ".build/release/Microbenchmarks")
THRESHOLDS = harness.ROOT / "Benchmarks/thresholds.json"


class Micro(harness.OutsideCase):
    def run_micro(self, *options):
        return subprocess.run([BINARY, *options], capture_output=True, text=True, timeout=180)

    def lowered(self, name, what):
        """The thresholds with one of them below what has been measured."""
        thresholds = json.loads(THRESHOLDS.read_text())
        for architecture in thresholds.values():
            architecture[name][what] -= 1 + 0.05 * architecture[name][what]
        return self.write("thresholds.json", json.dumps(thresholds))

    def test_within_thresholds(self):
        """Every benchmark is within its thresholds, and none of the path allocates."""
        done = self.run_micro("--json")
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        benchmarks = json.loads(done.stdout)["benchmarks"]
        self.assertGreater(len(benchmarks), 10)
        for one in benchmarks:
            with self.subTest(one["name"]):
                self.assertTrue(one["ok"])
                self.assertGreater(one["instructions"], 50)
                self.assertLessEqual(one["instructions"], one["threshold_instructions"])
                self.assertEqual((one["mallocs"], one["threshold_mallocs"]), (0, 0))
                self.assertTrue(0 < one["ns"] <= one["ns_median"])
                self.report(f"{one['name']}: {one['instructions']:.0f} instructions, {one['ns']:.0f} ns at best")

    def test_growth_fails(self):
        """More than a threshold allows: exit 1, and the line says which, what was seen, what is allowed, and what to do."""
        for what in ("instructions", "mallocs"):
            with self.subTest(what):
                path = self.lowered("parse", what)
                done = self.run_micro("--thresholds", path, "--filter", "parse")
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertRegex(
                    done.stderr,
                    rf"^parse: [\d.]+ {what} per operation, -?[\d.]+ allowed by {path}; .*--record --filter parse\n$",
                )

    def test_a_benchmark_without_a_threshold_fails(self):
        thresholds = {architecture: {} for architecture in json.loads(THRESHOLDS.read_text())}
        path = self.write("thresholds.json", json.dumps(thresholds))
        done = self.run_micro("--thresholds", path, "--filter", "parse", "--no-instructions")
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"parse: no threshold in {path}", done.stderr)

    def test_recorded_thresholds_hold(self):
        """What --record writes is what the next run is held to: the count of instructions comes out again."""
        path = os.path.join(self.directory, "recorded.json")
        self.assertEqual(self.run_micro("--record", "--thresholds", path, "--filter", "hit-16").returncode, 0)
        done = self.run_micro("--thresholds", path, "--filter", "hit-16", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        recorded = next(iter(json.loads(pathlib.Path(path).read_text()).values()))["hit-16"]
        seen = json.loads(done.stdout)["benchmarks"][0]
        self.assertAlmostEqual(seen["instructions"], recorded["instructions"], delta=0.005 * recorded["instructions"])

    def test_without_instructions(self):
        done = self.run_micro("--no-instructions", "--json", "--filter", "fold")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([one["instructions"] for one in json.loads(done.stdout)["benchmarks"]], [None])

    def test_without_valgrind(self):
        """The line that installs it, and the rest of the figures."""
        done = subprocess.run(
            [BINARY, "--filter", "parse"],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "PATH": self.path_with("timeout")},
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("apt-get install valgrind", done.stderr)
        self.assertRegex(done.stdout, r"\nparse +[\d.]+ +[\d.]+ +–")

    def path_with(self, program):
        """A folder to look for programs in, with one in it."""
        folder = os.path.join(self.directory, "bin")
        os.mkdir(folder)
        os.symlink(harness.run("which", program).strip(), os.path.join(folder, program))
        return folder

    def test_an_unknown_name(self):
        done = self.run_micro("--filter", "nothing")
        self.assertEqual(done.returncode, 64)
        self.assertIn("no benchmark has 'nothing' in its name; there are parse, ", done.stderr)
