"""The network set-up (spec a.7): interface, addresses and firewall rules in a namespace of our own that plays the node,
with another for a pod behind a veth pair.

This machine's kernel has no dummy interfaces: a bridge of the name takes its place, and creation is tested by what the
kernel answers to it.
"""

import contextlib
import fcntl
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import harness
from harness import run, wait_for
from test_standin import BINARY as STANDIN

DEVICE = "nodelocaldns"
LOCAL, CLUSTER, LOCAL6 = "169.254.20.10", "10.96.0.10", "fd00:10:96::a"
MULTI = {"nft": "/usr/sbin/xtables-nft-multi", "legacy": "/usr/sbin/xtables-legacy-multi"}
HEALTH_PORT = 8099


def node_cache_rules(address, port, health_port=HEALTH_PORT):
    """node-cache's twelve rules for an address, as (table, chain, arguments), word for word."""

    def rule(table, chain, proto, side, flag, number):
        target, text = ("NOTRACK", "skip conntrack") if table == "raw" else ("ACCEPT", "allow DNS traffic")
        words = f"-p {proto} {side} {address} {flag} {number} -j {target} -m comment --comment".split()
        return table, chain, [*words, f"NodeLocal DNS Cache: {text}"]

    places = [
        ("raw", "PREROUTING", "-d", "--dport"),
        ("filter", "INPUT", "-d", "--dport"),
        ("raw", "OUTPUT", "-s", "--sport"),
        ("filter", "OUTPUT", "-s", "--sport"),
        ("raw", "OUTPUT", "-d", "--dport"),
    ]
    rules = [rule(t, c, proto, side, flag, port) for t, c, side, flag in places for proto in ("tcp", "udp")]
    return rules + [
        rule("raw", "OUTPUT", "tcp", "-d", "--dport", health_port),
        rule("raw", "OUTPUT", "tcp", "-s", "--sport", health_port),
    ]


class NetworkCase(harness.OutsideCase):
    """A node's and a pod's namespace, a bridge in the dummy's place, nsd for kube-dns."""

    backend = "nft"
    addresses = (LOCAL, CLUSTER, LOCAL6)

    def setUp(self):
        super().setUp()
        self.node = self.enterContext(harness.network_namespace())
        self.pod = self.enterContext(harness.network_namespace())
        run("ip", "-n", self.node, "link", "add", "pod0", "type", "veth", "peer", "name", "eth0", "netns", self.pod)
        for netns, link, end in ((self.node, "pod0", 1), (self.pod, "eth0", 2)):
            run("ip", "-n", netns, "addr", "add", f"10.244.0.{end}/24", "dev", link)
            run("ip", "-n", netns, "addr", "add", f"fd00:244::{end}/64", "dev", link, "nodad")
            run("ip", "-n", netns, "link", "set", link, "up")
        run("ip", "-n", self.pod, "route", "add", "default", "via", "10.244.0.1")
        run("ip", "-n", self.pod, "route", "add", "default", "via", "fd00:244::1")
        # A rule that asks for a packet's state turns connection tracking on in a namespace.
        self.in_node("nft", "add table inet probe; add chain inet probe c { type filter hook input priority 0; }")
        self.in_node("nft", "add rule inet probe c ct state new counter")
        self.add_device()
        # The programs by their plain names are those of one backend, and the lock is the test's own. iptables-restore is
        # the machine's, for nft: with legacy it would put the rules where iptables does not look.
        programs = pathlib.Path(self.directory, "bin")
        programs.mkdir()
        for name in ("iptables", "ip6tables"):
            (programs / name).symlink_to(MULTI[self.backend])
        self.lock = self.write("xtables.lock", "")
        self.env = {"PATH": f"{programs}:{os.environ['PATH']}", "XTABLES_LOCKFILE": self.lock}
        self.nsd = self.start_nsd(netns=self.node)

    def add_device(self):
        run("ip", "-n", self.node, "link", "add", DEVICE, "type", "bridge")

    def in_node(self, *argv, check=True):
        return run("ip", "netns", "exec", self.node, *argv, env=getattr(self, "env", None), check=check)

    def start_standin(self):
        """The stand-in for kube-dns on the node, which has slow and silent names; where it listens."""
        address = f"127.0.0.1:{harness.free_port()}"
        argv = ["ip", "netns", "exec", self.node, STANDIN, "--address", "127.0.0.1", "--port", address.split(":")[1]]
        standin = harness.Process(argv, os.path.join(self.directory, "standin.log"))
        self.addCleanup(standin.end)
        wait_for(lambda: "ready" in standin.log(), 5, "the stand-in")
        return address

    def start(self, *flags, addresses=None, env=None, port=None, more="", ready=True, command=(), upstream=None, like=None):
        """Ringlet on the node; ended after the test where the test has not ended it."""
        addresses = addresses or self.addresses
        upstream = upstream or f"127.0.0.1:{self.nsd.port}"
        block = lambda port: harness.corefile(upstream, port=port, bind=addresses, more=more)
        flags = ["-localip", ",".join(self.addresses), "-setupinterface=true", "-setupiptables=true", *flags]
        flags += ["-health-port", str(HEALTH_PORT)]
        ringlet = harness.Ringlet(
            self.directory, block, port=port, addresses=addresses, flags=flags, env=env or self.env, netns=self.node,
            command=command, like=like,
        )
        self.addCleanup(self.end, ringlet)
        return ringlet.wait_ready() if ready else ringlet

    def end(self, ringlet):
        if ringlet.alive():
            ringlet.stop()
        elif not ringlet.is_over:
            self.assertIn(ringlet.child.returncode, (0, 2))

    def rules(self):
        """Rules of ours in iptables and ip6tables, each as (program, the line of -S)."""
        return [
            (program, line)
            for program in ("iptables", "ip6tables")
            for table in ("raw", "filter")
            for line in self.in_node(program, "-t", table, "-S").splitlines()
            if "NodeLocal DNS Cache" in line
        ]

    def device_addresses(self):
        text = run("ip", "-n", self.node, "addr", "show", "dev", DEVICE, check=False)
        return {a for a in self.addresses if re.search(rf"inet6? {re.escape(a)}/(32|128) ", text)}

    def wait_for_rules(self, count, seconds=10):
        wait_for(lambda: len(self.rules()) == count, seconds, f"{count} rules")

    def path_of(self, *programs):
        """A directory with these programs alone, and the one that starts Ringlet in its namespace."""
        directory = pathlib.Path(tempfile.mkdtemp(dir=self.directory))
        for program in ("ip", *programs):
            (directory / program).symlink_to(shutil.which(program))
        return str(directory)

    def query_all(self, port):
        """Over UDP and TCP, from the pod and from the node itself, to every address; all are answered."""
        for netns in (self.pod, self.node):
            for address in self.addresses:
                for transport in ("+notcp", "+tcp"):
                    words = ["dig", f"@{address}", "-p", str(port), "+tries=2", "+time=2", transport, "+short"]
                    answer = run("ip", "netns", "exec", netns, *words, "cluster.local", "SOA", check=False)
                    self.assertIn("ns.dns", answer, f"from {netns} to {address} {transport}")

    def tracked(self, port):
        """Connections of a port that the node tracks."""
        lines = [
            line
            for family in ("ipv4", "ipv6")
            for line in self.in_node("conntrack", "-L", "-f", family, check=False).splitlines()
        ]
        return [line for line in lines if re.search(rf"\b[sd]port={port}\b", line)]

    def assert_untracked(self, port):
        self.assertEqual(self.tracked(port), [])
        # That it could have been seen: a question to nsd on loopback is.
        harness.dig_in(self.node, "127.0.0.1", self.nsd.port)
        self.assertTrue(self.tracked(self.nsd.port))

    def metrics(self, ringlet):
        return self.in_node("curl", "-sf", f"http://127.0.0.1:{ringlet.setup_port}/metrics")

    def wait_for_pending(self, ringlet, count):
        """Until so many questions wait for an upstream."""
        pending = lambda: sum(map(int, re.findall(r"^ringlet_pending_questions\S* (\d+)", self.metrics(ringlet), re.M)))
        wait_for(lambda: pending() == count, 5, f"{count} pending questions")

    def setup_errors(self, ringlet):
        text = self.metrics(ringlet)
        found = re.findall(r'^coredns_nodecache_setup_errors_total\{errortype="(\w+)"\} (\d+)', text, re.M)
        return {kind: int(count) for kind, count in found}

    def wait_for_error(self, ringlet, kind, seconds=10):
        wait_for(lambda: self.setup_errors(ringlet)[kind] > 0, seconds, f"an error {kind}")


class IPTablesCase:
    """What holds for both backends of iptables."""

    def test_queries_are_answered_and_not_tracked(self):
        ringlet = self.start()
        self.wait_for_rules(12 * len(self.addresses))
        run("ip", "netns", "exec", self.node, "conntrack", "-F")
        self.query_all(ringlet.port)
        self.assert_untracked(ringlet.port)
        ringlet.stop()
        self.assertEqual(self.rules(), [])
        self.assertEqual(self.device_addresses(), set())
        # That the rules did it: without them, a query to the same port is tracked.
        self.start("-setupiptables=false", port=ringlet.port)
        self.assertTrue(wait_for(lambda: self.tracked(ringlet.port), 5, "a tracked query"))

    def test_node_caches_rules_are_found(self):
        port = harness.free_port()
        programs = {address: "ip6tables" if ":" in address else "iptables" for address in self.addresses}
        for address, program in programs.items():
            for table, chain, arguments in node_cache_rules(address, port):
                self.in_node(program, "-w", "5", "-I", chain, "-t", table, *arguments)
        before = self.rules()
        self.assertEqual(len(before), 36)
        ringlet = self.start(port=port)
        time.sleep(1)
        self.assertEqual(sorted(self.rules()), sorted(before))
        self.assertNotIn("iptables rules", ringlet.log())
        # And what Ringlet sets node-cache finds.
        ringlet.stop()
        self.assertEqual(self.rules(), [])
        self.start(port=port)
        self.wait_for_rules(36)
        for address, program in programs.items():
            for table, chain, arguments in node_cache_rules(address, port):
                self.in_node(program, "-w", "5", "-C", chain, "-t", table, *arguments)

    def test_duplicates_go_at_teardown(self):
        ringlet = self.start()
        self.wait_for_rules(36)
        for table, chain, arguments in node_cache_rules(LOCAL, ringlet.port) * 3:
            self.in_node("iptables", "-w", "5", "-A", chain, "-t", table, *arguments)
        self.assertEqual(len(self.rules()), 36 + 36)
        ringlet.stop()
        self.assertEqual(self.rules(), [])

    def test_teardown_is_skipped_and_made_up_for(self):
        first = self.start("-skipteardown")
        self.wait_for_rules(36)
        before = self.rules()
        first.stop()
        self.assertEqual(self.rules(), before)
        self.assertEqual(self.device_addresses(), set(self.addresses))
        second = self.start(port=first.port)
        time.sleep(1)
        self.assertEqual(sorted(self.rules()), sorted(before))
        second.stop()
        self.assertEqual(self.rules(), [])

    def test_a_second_instance_keeps_what_both_need(self):
        """An upgrade by surge, beside the old one, from its hands, and of one supervisor by another: the old one's end takes
        nothing away, not for a moment; the last one's end takes the rules."""
        for what, flags, follows, command in (
            ("beside", ("--shards", "2"), False, ()),
            ("from its hands", (), True, ()),
            ("supervised", (), True, ("supervise",)),
        ):
            with self.subTest(what):
                first = self.start(command=command)
                self.wait_for_rules(36)
                if follows:
                    second = self.start(like=first, command=command, ready=False)
                    wait_for(lambda: "Takes over" in second.log(), 10, "the second")
                else:
                    second = self.start(*flags, port=first.port)
                with self.losses() as losses:
                    first.stop()
                    self.assertEqual(len(self.rules()), 36)
                    self.query_all(first.port)
                    self.assertEqual(losses(), [])
                    self.assertNotRegex(first.log(), "Deleted|Removed")
                    second.stop()
                    self.assertEqual(self.rules(), [])
                    # A dummy would be gone; from a bridge go the addresses that one has added oneself.
                    for address in self.device_addresses():
                        run("ip", "-n", self.node, "addr", "del", address, "dev", DEVICE)
                    # That losses can be seen.
                    seen = len(self.addresses) + (36 if self.backend == "nft" else 0)
                    wait_for(lambda: len(losses()) == seen, 5, f"{seen} losses")

    @contextlib.contextmanager
    def losses(self):
        """The kernel's reports of addresses, and of rules of iptables-nft, that are deleted. (Those of legacy iptables it
        does not report.)"""
        argv = {"ip": ["ip", "monitor", "address"], "nft": ["nft", "monitor", "rules"]}
        monitors = {
            name: harness.Process(["ip", "netns", "exec", self.node, *words], os.path.join(self.directory, f"{name}.monitor"))
            for name, words in argv.items()
            if name == "ip" or self.backend == "nft"
        }

        def listens(name):
            if name == "ip":
                run("ip", "-n", self.node, "addr", "add", "192.0.2.9/32", "dev", "lo")
                run("ip", "-n", self.node, "addr", "del", "192.0.2.9/32", "dev", "lo")
            else:
                self.in_node("nft", "add rule inet probe c counter")
            return monitors[name].log()

        try:
            for name in monitors:
                wait_for(lambda: listens(name), 5, f"{name} monitor")
            yield lambda: [
                line
                for monitor in monitors.values()
                for line in monitor.log().splitlines()
                if re.search(rf"^Deleted.* {DEVICE} |^delete rule", line)
            ]
        finally:
            for monitor in monitors.values():
                monitor.end()


class IPTablesNftTest(IPTablesCase, NetworkCase):
    def test_removed_rules_come_back(self):
        ringlet = self.start()
        self.wait_for_rules(36)
        before = sorted(self.rules())
        table, chain, arguments = node_cache_rules(CLUSTER, ringlet.port)[-1]
        for what, words in {
            "deleting one rule": ["iptables", "-D", chain, "-t", table, *arguments],
            "flushing ip raw": ["iptables", "-t", "raw", "-F"],
            "deleting table ip6 raw": ["nft", "delete table ip6 raw"],
            "flushing everything": ["nft", "flush ruleset"],
        }.items():
            self.in_node(*words)
            start = time.monotonic()
            self.wait_for_rules(36)
            self.report(f"{what}: back after at most {1000 * (time.monotonic() - start):.0f} ms")
            self.assertEqual(sorted(self.rules()), before)
        self.assertEqual(self.setup_errors(ringlet)["iptables"], 0)

    def test_a_fight_with_another_program_stays_bounded(self):
        ringlet = self.start()
        self.wait_for_rules(36)
        begin = ringlet.log().count("Added")
        end = time.monotonic() + 8
        while time.monotonic() < end:
            self.in_node("iptables", "-t", "raw", "-F", "PREROUTING")
        # Twenty at once, then one a second.
        self.assertLessEqual(ringlet.log().count("Added") - begin, 20 + 10)
        self.wait_for_rules(36)


class IPTablesLegacyTest(IPTablesCase, NetworkCase):
    backend = "legacy"

    def test_removed_rules_come_back_at_the_interval(self):
        """Legacy iptables tells nobody of a change."""
        self.start("-syncinterval", "1ns")
        self.wait_for_rules(36)
        self.in_node("iptables", "-t", "raw", "-F")
        self.wait_for_rules(36)

    def test_a_held_lock_is_counted_and_waited_for(self):
        with open(self.lock) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            ringlet = self.start()
            self.wait_for_error(ringlet, "iptables_lock")
            self.assertEqual(self.setup_errors(ringlet)["iptables"], 0)
            self.assertIn("holding the xtables lock", ringlet.log())
        self.wait_for_rules(36)


class NFTablesTest(NetworkCase):
    def table(self, ringlet):
        return f"ringlet_{DEVICE}_{ringlet.port}_{HEALTH_PORT}"

    def listing(self, ringlet):
        return self.in_node("nft", "list", "table", "inet", self.table(ringlet), check=False)

    def test_queries_are_answered_and_not_tracked(self):
        ringlet = self.start("--firewall", "nftables")
        wait_for(lambda: self.listing(ringlet), 5, "the table")
        self.assertEqual(self.rules(), [])
        run("ip", "netns", "exec", self.node, "conntrack", "-F")
        self.query_all(ringlet.port)
        self.assert_untracked(ringlet.port)
        ringlet.stop()
        self.assertEqual(self.listing(ringlet), "")

    def test_a_changed_table_comes_back(self):
        ringlet = self.start("--firewall=nftables")
        before = wait_for(lambda: self.listing(ringlet), 5, "the table")
        table = self.table(ringlet)
        for change in (
            f"flush chain inet {table} output",
            f"flush table inet {table}",
            f"delete table inet {table}",
            "flush ruleset",
        ):
            self.in_node("nft", change)
            start = time.monotonic()
            wait_for(lambda: self.listing(ringlet) == before, 5, f"the table after {change}")
            self.report(f"{change}: back after at most {1000 * (time.monotonic() - start):.0f} ms")
        # What was written was written once for each change: our own word is not taken for another's.
        wait_for(lambda: ringlet.log().count("Wrote nftables table") >= 5, 5, "the log")
        time.sleep(1)
        self.assertEqual(ringlet.log().count("Wrote nftables table"), 5)

    def test_a_table_changed_before_it_is_listed_comes_back(self):
        """What nft lists after a write is what others have left of it, not always what was written."""
        programs = pathlib.Path(self.path_of())
        once = pathlib.Path(self.write("once", ""))
        nft = programs / "nft"
        nft.write_text(
            "#!/bin/sh\n"
            f'{shutil.which("nft")} "$@" || exit\n'
            f'if [ "$1" = -f ] && /bin/rm {once} 2>/dev/null; then {shutil.which("nft")} flush ruleset; fi\n'
        )
        nft.chmod(0o755)
        ringlet = self.start("--firewall=nftables", env={"PATH": str(programs)})
        wait_for(lambda: self.listing(ringlet).count("notrack") == 10, 5, "the rules")
        self.assertFalse(once.exists())

    def test_auto_prefers_iptables_and_falls_back(self):
        ringlet = self.start("--firewall", "auto")
        self.wait_for_rules(36)
        self.assertEqual(self.listing(ringlet), "")
        ringlet.stop()
        ringlet = self.start("--firewall", "auto", env={"PATH": self.path_of("nft")})
        wait_for(lambda: self.listing(ringlet), 5, "the table")
        self.assertEqual(self.rules(), [])


class InterfaceTest(NetworkCase):
    flags = ("-setupiptables=false",)

    def test_removed_addresses_come_back_and_others_stay(self):
        run("ip", "-n", self.node, "addr", "add", "192.0.2.1/32", "dev", DEVICE)
        ringlet = self.start(*self.flags)
        self.assertEqual(self.device_addresses(), set(self.addresses))
        for address in self.addresses:
            run("ip", "-n", self.node, "addr", "del", address, "dev", DEVICE)
            start = time.monotonic()
            wait_for(lambda: address in self.device_addresses(), 5, address)
            self.report(f"{address}: back after at most {1000 * (time.monotonic() - start):.0f} ms")
        # Never brought up.
        self.assertIn("state DOWN", run("ip", "-n", self.node, "link", "show", DEVICE))
        ringlet.stop()
        shown = run("ip", "-n", self.node, "addr", "show", DEVICE)
        self.assertIn("192.0.2.1/32", shown)
        self.assertEqual(self.device_addresses(), set())

    def test_a_removed_interface_and_a_kernel_without_dummies(self):
        ringlet = self.start(*self.flags)
        self.assertEqual(self.setup_errors(ringlet)["interface_add"], 0)
        run("ip", "-n", self.node, "link", "del", DEVICE)
        self.wait_for_error(ringlet, "interface_add")
        # Tried again and again, logged once, with what to do.
        wait_for(lambda: self.setup_errors(ringlet)["interface_add"] >= 3, 10, "further tries")
        self.assertEqual(ringlet.log().count(f"cannot create interface {DEVICE}: Operation not supported; "), 1)
        self.assertIn("load the module 'dummy'", ringlet.log())
        # The failing step, not the server, and when the interface is there it goes on.
        self.add_device()
        wait_for(lambda: self.device_addresses() == set(self.addresses), 10, "the addresses")
        self.query_all(ringlet.port)

    def test_addresses_that_were_there_stay(self):
        run("ip", "-n", self.node, "addr", "add", f"{LOCAL}/32", "dev", DEVICE)
        self.start(*self.flags).stop()
        self.assertEqual(self.device_addresses(), {LOCAL})

    def test_one_refused_address_does_not_keep_the_others_away(self):
        self.in_node("sysctl", "-qw", f"net.ipv6.conf.{DEVICE}.disable_ipv6=1")
        self.addresses = (LOCAL6, LOCAL)
        ringlet = self.start(*self.flags, addresses=(LOCAL,))
        self.assertGreater(self.setup_errors(ringlet)["interface_check"], 0)
        self.assertEqual(self.device_addresses(), {LOCAL})
        self.assertIn(f"cannot add {LOCAL6} to interface {DEVICE}: Permission denied; is IPv6 off", ringlet.log())

    def test_neither_is_touched_when_told_so(self):
        for address in self.addresses:
            run("ip", "-n", self.node, "addr", "add", address, "dev", "lo")
        ringlet = self.start("-setupinterface=false", "-setupiptables=false")
        self.assertEqual(self.device_addresses(), set())
        self.assertEqual(self.rules(), [])
        ringlet.stop()
        self.assertNotIn("Network set-up", ringlet.log())

    def test_another_name(self):
        run("ip", "-n", self.node, "link", "add", "other", "type", "bridge")
        self.start("-interfacename", "other", *self.flags)
        self.assertEqual(self.device_addresses(), set())
        self.assertIn(f"inet {LOCAL}/32", run("ip", "-n", self.node, "addr", "show", "other"))


class FailureTest(NetworkCase):
    """Nothing of the set-up is fatal."""

    def start_in_spite(self, **options):
        """With the addresses on loopback, so that there is something to serve on."""
        for address in self.addresses:
            run("ip", "-n", self.node, "addr", "add", address, "dev", "lo")
        return self.start(**options)

    def test_all_errors_are_zero_at_first_on_both_ports(self):
        port = harness.free_port()
        more = f"prometheus 127.0.0.1:{port}"
        ringlet = self.start(more=more)
        self.wait_for_rules(36)
        kinds = {"iptables": 0, "iptables_lock": 0, "interface_add": 0, "interface_check": 0}
        # The missing template is one error, as in node-cache.
        self.assertEqual(self.setup_errors(ringlet), {**kinds, "configmap": 1})
        for kind in kinds:
            line = f'coredns_nodecache_setup_errors_total{{errortype="{kind}"}} 0'
            self.assertIn(line, self.in_node("curl", "-sf", f"http://127.0.0.1:{port}/metrics"))

    def test_without_iptables(self):
        ringlet = self.start_in_spite(env={"PATH": self.path_of()})
        self.wait_for_error(ringlet, "iptables")
        wait_for(lambda: self.setup_errors(ringlet)["iptables"] >= 3, 10, "further tries")
        self.assertEqual(ringlet.log().count("iptables is not in PATH: "), 1)
        self.query_all(ringlet.port)

    def test_without_permission(self):
        drop = "setpriv --bounding-set -net_admin --inh-caps -net_admin"
        wrapper = self.write("ringlet", f'#!/bin/sh\nexec {drop} {harness.BINARY} "$@"\n')
        os.chmod(wrapper, 0o755)
        binary, harness.BINARY = harness.BINARY, wrapper
        self.addCleanup(setattr, harness, "BINARY", binary)
        ringlet = self.start_in_spite()
        self.wait_for_error(ringlet, "iptables")
        wait_for(lambda: self.setup_errors(ringlet)["interface_check"] >= 4, 10, "further tries")
        # One line for the interface and one for each program, once.
        lines = [line for line in ringlet.log().splitlines() if "Network set-up" in line]
        self.assertEqual(len(lines), 1 + 2, lines)
        self.assertTrue(all("NET_ADMIN" in line for line in lines), lines)
        self.query_all(ringlet.port)
        ringlet.stop()

    def test_a_program_that_hangs_does_not_hold_up_the_end(self):
        programs = pathlib.Path(self.directory, "hanging")
        programs.mkdir()
        for name in ("iptables", "ip6tables"):
            (programs / name).write_text("#!/bin/sh\nexec sleep 1000\n")
            (programs / name).chmod(0o755)
        ringlet = self.start(env={"PATH": f"{programs}:{os.environ['PATH']}"})
        self.query_all(ringlet.port)
        wait_for(lambda: harness.descendants(ringlet.pid), 5, "the hanging program")
        start = time.monotonic()
        self.assertEqual(ringlet.end(seconds=30), 0)
        self.report(f"left after {time.monotonic() - start:.1f} s")
        self.assertEqual(self.device_addresses(), set())


class BlackHoleTest(NetworkCase):
    def test_an_upstream_that_vanishes(self):
        """The upstream's packets, and those to it, are dropped: who asks has SERVFAIL in time, the connection is given up,
        though nobody closes it, and the next answer comes once there is a way again."""
        upstream = self.start_standin()
        port = upstream.split(":")[1]
        ringlet = self.start("-setupiptables=false", upstream=upstream)

        def ask(number):
            words = ["dig", f"@{LOCAL}", "-p", str(ringlet.port), "+tries=1", "+time=6"]
            return self.in_node(*words, f"u-{number}.svc-1.ns-1.svc.cluster.local", check=False)

        def connections():
            return self.in_node("ss", "-Htno", "state", "established", f"( dport = :{port} )").splitlines()

        self.assertIn("10.96.0.2", ask(0))
        self.assertTrue(connections())
        before = {line.split()[2] for line in connections()}
        self.in_node("nft", f"add rule inet probe c tcp dport {port} drop; add rule inet probe c tcp sport {port} drop")
        begun = time.monotonic()
        reply = ask(1)
        took = time.monotonic() - begun
        self.assertIn("status: SERVFAIL", reply)
        self.assertLess(took, 5.5)
        wait_for(lambda: not before & {line.split()[2] for line in connections()}, 10, "the end of the old connection")
        self.report(f"SERVFAIL after {took:.1f} s, connection given up {time.monotonic() - begun:.1f} s after the question")
        self.in_node("nft", "flush chain inet probe c")
        numbers = iter(range(2, 1000))
        wait_for(lambda: "10.96.0.2" in ask(next(numbers)), 15, "an answer")


class SupervisedTest(NetworkCase):
    def kill(self, ringlet):
        """kill -9 of the engine, once it serves."""
        engine = wait_for(lambda: self.engine(ringlet), 20, "an engine")
        wait_for(lambda: self.device_addresses() == set(self.addresses), 10, "the addresses")
        self.wait_for_rules(36)
        os.kill(engine, signal.SIGKILL)
        wait_for(lambda: engine not in harness.descendants(ringlet.pid), 5, "its end")

    def engine(self, ringlet):
        """The process of the engine; the supervisor has other children, as iptables, which come and go."""
        for pid in harness.descendants(ringlet.pid):
            with contextlib.suppress(OSError):
                if os.path.samefile(f"/proc/{pid}/exe", harness.BINARY):
                    return pid
        return None

    def test_an_engine_that_cannot_live(self):
        """Its fifth death in a row: the rules go, so that queries reach kube-dns, and come back with it. (So does the
        interface if it is a dummy, but a bridge is nobody's to remove.)"""
        ringlet = self.start(command=("supervise",))
        # On a machine where one lives for ten seconds before it is killed, it takes more of them.
        for kills in range(1, 21):
            self.kill(ringlet)
            if kills >= 5 and "again and again" in ringlet.log():
                break
            if kills < 4:
                self.assertEqual(len(self.rules()), 36, "withdrawn too early")
        wait_for(lambda: "again and again" in ringlet.log(), 10, "the withdrawal")
        wait_for(lambda: "Deleted 36 iptables rules" in ringlet.log(), 10, "the rules to go")
        self.wait_for_rules(36)
        self.query_all(ringlet.port)

    def test_told_to_end_while_it_waits(self):
        """SIGTERM between two engines."""
        ringlet = self.start(command=("supervise",))
        for _ in range(20):
            self.kill(ringlet)
            time.sleep(0.1)
            if "again and again" in ringlet.log():
                break
        self.assertEqual(ringlet.end(), 0)
        self.assertEqual(self.rules(), [])


class FlagTest(unittest.TestCase):
    def test_a_firewall_nobody_knows(self):
        argv = [harness.BINARY, "-localip", LOCAL, "--firewall", "ipchains"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10)
        self.assertEqual(done.returncode, 2)
        self.assertIn("'ipchains' is invalid", done.stderr)


class SignalTest(NetworkCase):
    def test_each_signal_tears_down(self):
        for sign in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            with self.subTest(sign):
                ringlet = self.start()
                self.wait_for_rules(36)
                self.assertEqual(ringlet.end(sign), 0)
                self.assertEqual(self.rules(), [])
                self.assertEqual(self.device_addresses(), set())

    def test_pending_questions_are_answered(self):
        """SIGTERM: who waits for an upstream gets the answer from the address that was asked, before that goes."""
        ringlet = self.start(upstream=self.start_standin())
        self.wait_for_rules(36)
        ask = lambda number, *words: subprocess.Popen(
            ["ip", "netns", "exec", self.pod, "dig", f"@{LOCAL}", "-p", str(ringlet.port), "+tries=1", "+time=6", "+short"]
            + [*words, f"delay-700.u-{number}.svc-1.ns-1.svc.cluster.local"], stdout=subprocess.PIPE, text=True,
        )
        clients = [ask(0, "+notcp"), ask(1, "+tcp")]
        self.wait_for_pending(ringlet, 2)
        self.assertEqual(ringlet.end(), 0)
        for client in clients:
            self.assertEqual(client.communicate(timeout=10)[0], "10.96.0.2\n", client.args)
        self.assertEqual((self.rules(), self.device_addresses()), ([], set()))

    def test_the_least_grace(self):
        """SIGTERM, and SIGKILL two seconds later, as a grace period of 0 is for the kubelet: interface and rules are gone,
        though the upstream is silent and questions wait for it."""
        ringlet = self.start(upstream=self.start_standin())
        self.wait_for_rules(36)
        dig = ["dig", f"@{LOCAL}", "-p", str(ringlet.port), "+tries=1", "+time=1", "drop.u-1.svc-1.ns-1.svc.cluster.local"]
        run("ip", "netns", "exec", self.pod, *dig, check=False)
        self.wait_for_pending(ringlet, 1)
        begun = time.monotonic()
        ringlet.child.send_signal(signal.SIGTERM)
        wait_for(lambda: "Removed" in ringlet.log(), 2, "the end of the teardown")
        self.report(f"torn down after {time.monotonic() - begun:.2f} s")
        ringlet.child.kill()
        ringlet.ended()
        self.assertEqual((self.rules(), self.device_addresses()), ([], set()))

    def test_no_grace(self):
        """SIGKILL: the next one starts with what it finds, and takes the rules away at its end. (And the interface, if it
        is a dummy.)"""
        killed = self.start()
        self.wait_for_rules(36)
        before = sorted(self.rules())
        killed.child.kill()
        killed.ended()
        self.assertEqual((sorted(self.rules()), self.device_addresses()), (before, set(self.addresses)))
        ringlet = self.start(port=killed.port)
        self.query_all(ringlet.port)
        self.assertEqual(sorted(self.rules()), before)
        ringlet.stop()
        self.assertEqual(self.rules(), [])

    def test_a_second_interrupt_leaves_at_once(self):
        health = harness.free_port()
        ringlet = self.start(more=f"health 127.0.0.1:{health} {{\n        lameduck 60s\n    }}")
        self.wait_for_rules(36)
        # The first tears down and then gives pods a minute.
        ringlet.child.send_signal(signal.SIGINT)
        self.wait_for_rules(0)
        wait_for(lambda: not self.device_addresses(), 5, "the end of the teardown")
        self.assertEqual(ringlet.end(signal.SIGINT), 2)

    def test_rules_stand_while_lame(self):
        """SIGTERM: pods are answered until the hooks are done."""
        health = harness.free_port()
        ringlet = self.start(more=f"health 127.0.0.1:{health} {{\n        lameduck 2s\n    }}")
        self.wait_for_rules(36)
        ringlet.child.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        self.assertEqual(len(self.rules()), 36)
        self.query_all(ringlet.port)
        self.assertEqual(ringlet.child.wait(8), 0)
        self.assertEqual(self.rules(), [])


if __name__ == "__main__":
    unittest.main()
