"""As much load as the machine gives: nothing lost beyond what the kernel dropped at full buffers, and every answer right."""

import json
import pathlib
import subprocess
import sys

import harness
import zone

SECONDS = 5 if harness.QUICK else 30
CHECKED_PER_SECOND = 3000 if harness.QUICK else 10000
CLIENT = str(pathlib.Path(__file__).with_name("comparing_client.py"))


class Saturation(harness.OutsideCase):
    """In a namespace of its own, where the kernel's counters of dropped datagrams are of this load alone."""

    def start(self, shards):
        self.netns = self.enterContext(harness.network_namespace())
        nsd = self.start_nsd(netns=self.netns)
        self.ringlet = self.start_ringlet(
            f"127.0.0.1:{nsd.port}", shards=shards, netns=self.netns, addresses=("127.0.0.1", "::1")
        )
        self.hits = self.write("hits.txt", "".join(f"{zone.service(n)} A\n" for n in range(1000)))

    def load(self, seconds, *options, address="127.0.0.1"):
        """dnsperf at full load with the comparing client beside it."""
        drops = self.ringlet.udp_drops()
        argv = [
            "ip",
            "netns",
            "exec",
            self.netns,
            sys.executable,
            CLIENT,
            address,
            str(self.ringlet.port),
            str(seconds),
            str(CHECKED_PER_SECOND),
        ]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as comparing:
            try:
                load = harness.dnsperf(
                    self.ringlet.port,
                    self.hits,
                    "-l",
                    str(seconds),
                    "-b",
                    "1024",
                    *options,
                    address=address,
                    netns=self.netns,
                    seconds=seconds + 30,
                )
                checked = json.loads(comparing.communicate(timeout=30)[0])
            finally:
                comparing.kill()
        drops = self.ringlet.udp_drops() - drops
        lost = load.lost + checked["lost"]
        self.report(
            f"{load.completed} answers at {load.qps:.0f}/s, {checked['answered']} compared, slowest {checked['slowest'] * 1000:.0f} ms;"
            f" lost {lost}, dropped by the kernel {drops}"
        )
        self.assertEqual(checked["faults"], 0, checked["first"])
        self.assertGreater(checked["answered"], 100 * seconds)
        self.assertEqual(load.rcodes, {"NOERROR": load.completed}, load.text)
        self.assertLessEqual(lost, drops)

    def test_udp(self):
        """One shard, UDP."""
        self.start(1)
        self.load(SECONDS, "-c", "16", "-q", "1000")

    def test_udp_two_shards(self):
        """Two shards, UDP over IPv6."""
        self.start(2)
        self.load(SECONDS // 3 + 2, "-c", "16", "-q", "1000", address="::1")

    def test_tcp(self):
        """Two shards, TCP: there is no buffer to overflow, so nothing at all is lost."""
        self.start(2)
        self.load(SECONDS // 3 + 2, "-m", "tcp", "-c", "16", "-q", "500")
