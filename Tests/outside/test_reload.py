"""Reload: a new configuration takes over a running process. Nobody who asks notices, and what was cached stays."""

import os
import pathlib
import re
import signal
import socket
import struct
import threading
import time

import clients
import configmap
import dnswire
import harness
import peer

NAMES = 200


def name_of(index):
    return f"svc-{index}.cluster.local"


async def lasting(asked):
    """The right answer, good for longer than a test."""
    asked.send(asked.address(ttl=3600))


class ReloadCase(harness.OutsideCase):
    def setUp(self):
        super().setUp()
        self.peer = self.start_peer()

    def start_peer(self, script=peer.answer_by_name):
        upstream = peer.Peer(script)
        self.addCleanup(upstream.stop)
        return upstream

    def block(self, port, upstream=None, cache="cache 30", more=""):
        return harness.corefile((upstream or self.peer).address, port=port, cache=cache, more=more)

    def serve(self, block=None, **options):
        return self.start_ringlet_with(block or self.block, **options)

    def replace(self, ringlet, text):
        """Writes the Corefile anew, as an editor does."""
        pathlib.Path(ringlet.corefile + ".new").write_text(text)
        os.rename(ringlet.corefile + ".new", ringlet.corefile)

    def reload(self, ringlet, expected="[INFO] Reloading complete\n", seconds=10):
        seen = ringlet.log().count(expected)
        os.kill(ringlet.pid, signal.SIGUSR1)
        harness.wait_for(lambda: ringlet.log().count(expected) > seen, seconds, expected)

    def ask(self, ringlet, name, type=dnswire.A, **options):
        reply = clients.ask(("127.0.0.1", ringlet.port), dnswire.query(name, type, id=7), **options)
        self.assertIsNotNone(reply, f"{name}: no answer")
        return dnswire.decode(reply)

    def check(self, ringlet, name):
        """The right answer, as the peer gives it."""
        answer = self.ask(ringlet, name)
        self.assertEqual([r.rdata for r in answer.answers], [peer.address_of(name)], name)

    def queries(self, count=NAMES):
        return self.write("queries", "".join(f"{name_of(i)} A\n" for i in range(count)))

    def under_load(self, ringlet, seconds, action, *options):
        """dnsperf's result while `action(stop)` runs; `stop()` says that the load is over."""
        over = threading.Event()
        results = []
        load = threading.Thread(target=lambda: (
            results.append(harness.dnsperf(ringlet.port, self.queries(), "-l", str(seconds), "-c", "8", *options, seconds=seconds + 30)),
            over.set()))
        load.start()
        time.sleep(0.5)
        try:
            action(over.is_set)
        finally:
            load.join()
        return results[0]

    def descriptors(self, ringlet):
        return len(os.listdir(f"/proc/{ringlet.pid}/fd"))


class UnderLoad(ReloadCase):
    RELOADS = 150 if harness.QUICK else 1000

    def test_reloads_lose_no_query_and_ask_nothing_twice(self):
        """SIGUSR1 again and again under 5,000 queries/s over UDP: all answered, each name asked once, memory flat."""
        self.peer.script = lasting
        ringlet = self.serve(lambda port: self.block(port, cache="cache 3600"), shards=2)
        for index in range(NAMES):
            self.check(ringlet, name_of(index))
        asked = len(self.peer.asked)
        self.reload(ringlet)
        before, open_before = ringlet.own_kib, self.descriptors(ringlet)

        def reloads(is_over):
            for _ in range(self.RELOADS):
                self.reload(ringlet)
            self.assertFalse(is_over(), "the load ended before the last reload")

        result = self.under_load(ringlet, 12 if harness.QUICK else 45, reloads, "-Q", harness.RATE)
        self.assertEqual((result.lost, result.rcodes), (0, {"NOERROR": result.completed}), result.text)
        self.assertEqual(len(self.peer.asked), asked, "questions for cached names")
        self.assertLess(ringlet.own_kib - before, 4096)
        harness.wait_for(lambda: self.descriptors(ringlet) <= open_before + 4, 5, "the old descriptors to be closed")
        self.report(f"{self.RELOADS} reloads, {result.completed} answers, 0 lost; {before} -> {ringlet.own_kib} KiB of its own")

    def test_tcp_clients_notice_nothing(self):
        """dnsperf's TCP connections live through reloads: none is closed, no query is lost."""
        ringlet = self.serve(shards=2)

        def reloads(is_over):
            while not is_over():
                self.reload(ringlet)
                time.sleep(0.02)

        result = self.under_load(ringlet, 5, reloads, "-m", "tcp", "-Q", "3000")
        self.assertEqual((result.lost, result.rcodes), (0, {"NOERROR": result.completed}), result.text)
        self.assertRegex(result.text, r"Reconnections:\s+0\n")
        metrics = harness.scrape(ringlet.setup_port)
        self.assertLessEqual(metrics.sum("ringlet_streams_total"), 8 + 2, "connections accepted")

    def test_config_map_swaps_keep_the_cache(self):
        """-reloadwithsignal: stub domains come and go; other zones' names are not asked again."""
        self.peer.script = lasting
        port = harness.free_port()
        template = "cluster.local:@P {\n    errors\n    cache 3600\n    bind __PILLAR__LOCAL__DNS__\n    forward . @U {\n        force_tcp\n    }\n}\n"
        template = template.replace("@P", str(port)).replace("@U", self.peer.address)
        configmap.Mount(f"{self.directory}/coredns", Corefile__base=template)
        kube_dns = configmap.Mount(f"{self.directory}/kube-dns")
        ringlet = self.serve(
            lambda _: "", port=port, ready=False, flags=("-basecorefile", f"{self.directory}/coredns/Corefile.base", "-kubednscm",
                                                         f"{self.directory}/kube-dns", "-reloadwithsignal"))
        ringlet.wait_ready()
        for index in range(NAMES):
            self.check(ringlet, name_of(index))

        def swaps(is_over):
            for swap in range(10 if harness.QUICK else 60):
                seen = ringlet.log().count("[INFO] Reloading complete\n")
                domains = ", ".join(f'"stub{n}.test": ["{self.peer.address}"]' for n in range(1 + swap % 3))
                kube_dns.set(stubDomains="{" + domains + "}")
                harness.wait_for(lambda: ringlet.log().count("[INFO] Reloading complete\n") > seen, 10, "the reload")
                self.check(ringlet, f"swap-{swap}.stub0.test")
            self.assertFalse(is_over(), "the load ended before the last swap")

        result = self.under_load(ringlet, 10 if harness.QUICK else 40, swaps, "-Q", "2000")
        self.assertEqual((result.lost, result.rcodes), (0, {"NOERROR": result.completed}), result.text)
        asked = [a.name for a in self.peer.asked if a.name.endswith("cluster.local")]
        self.assertEqual(len(asked), NAMES, "questions for cached names")


class Continuity(ReloadCase):
    def test_a_pending_question_is_answered(self):
        """Asked before the reload, answered by the upstream after it, also to a client on TCP."""
        release = threading.Event()

        async def late(asked):
            import asyncio
            while not release.is_set():
                await asyncio.sleep(0.005)
            asked.send(asked.address())

        slow = self.start_peer(late)
        ringlet = self.serve(lambda port: self.block(port, slow), shards=2)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, clients.TCPClient(("127.0.0.1", ringlet.port)) as tcp:
            udp.connect(("127.0.0.1", ringlet.port))
            udp.settimeout(5)
            udp.send(dnswire.query("late-udp.cluster.local", id=1))
            tcp.send(dnswire.query("late-tcp.cluster.local", id=2))
            harness.wait_for(lambda: len(slow.asked) == 2, 5, "both questions")
            os.kill(ringlet.pid, signal.SIGUSR1)
            time.sleep(0.3)
            release.set()
            self.assertEqual(dnswire.decode(udp.recv(4096)).answers[0].rdata, peer.address_of("late-udp.cluster.local"))
            self.assertEqual(dnswire.decode(tcp.receive()).answers[0].rdata, peer.address_of("late-tcp.cluster.local"))
            harness.wait_for(lambda: "Reloading complete" in ringlet.log(), 5, "the reload")
            tcp.send(dnswire.query("after.cluster.local", id=3))
            self.assertEqual(dnswire.decode(tcp.receive()).answers[0].rdata, peer.address_of("after.cluster.local"))

    def test_a_message_begun_is_finished_after_it(self):
        """Half a frame before the reload and half after make one query."""
        ringlet = self.serve(shards=2)
        packet = dnswire.query("torn.cluster.local", id=9)
        frame = struct.pack("!H", len(packet)) + packet
        with clients.TCPClient(("127.0.0.1", ringlet.port)) as tcp:
            tcp.socket.sendall(frame[:11])
            time.sleep(0.1)
            self.reload(ringlet)
            tcp.socket.sendall(frame[11:])
            self.assertEqual(dnswire.decode(tcp.receive()).answers[0].rdata, peer.address_of("torn.cluster.local"))

    def test_counters_go_on(self):
        """No counter falls, and the gauges of the cache say what is there."""
        ringlet = self.serve(shards=2)
        for index in range(20):
            self.check(ringlet, name_of(index))
        before = harness.scrape(ringlet.setup_port)
        self.reload(ringlet)
        self.check(ringlet, name_of(3))
        after = harness.scrape(ringlet.setup_port)
        counters = [key for key in before.samples if before.types.get(key[0]) == "counter" and not key[0].startswith("process_")]
        self.assertGreater(len(counters), 20)
        for key in counters:
            self.assertGreaterEqual(after.samples.get(key, -1), before.samples[key], key)
        self.assertEqual(after.sum("coredns_cache_hits_total"), before.sum("coredns_cache_hits_total") + 1)
        self.assertEqual(after.sum("coredns_cache_entries"), 20)

    def test_a_signal_to_end_is_heard_during_a_reload(self):
        """SIGTERM while the old shards wait for an upstream that never answers."""
        async def silent(asked):
            pass

        ringlet = harness.Ringlet(self.directory, lambda port: self.block(port, self.start_peer(silent)))
        self.addCleanup(ringlet.child.kill)
        ringlet.wait_ready()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.connect(("127.0.0.1", ringlet.port))
            udp.send(dnswire.query("never.cluster.local", id=1))
            time.sleep(0.2)
            os.kill(ringlet.pid, signal.SIGUSR1)
            time.sleep(0.2)
            started = time.monotonic()
            self.assertEqual(ringlet.end(seconds=8), 0)
            udp.settimeout(1)
            self.assertEqual(dnswire.decode(udp.recv(4096)).rcode, dnswire.SERVFAIL)
        self.assertLess(time.monotonic() - started, 7)


class What(ReloadCase):
    """What follows from what changed."""

    def test_another_upstream_is_asked_and_the_cache_kept(self):
        other = self.start_peer()
        ringlet = self.serve()
        self.check(ringlet, name_of(1))
        self.replace(ringlet, self.block(ringlet.port, other))
        self.reload(ringlet)
        self.check(ringlet, name_of(1))
        self.check(ringlet, name_of(2))
        self.assertEqual([a.name for a in self.peer.asked], [name_of(1)])
        self.assertEqual([a.name for a in other.asked], [name_of(2)])

    def test_other_cache_parameters_empty_it(self):
        ringlet = self.serve()
        self.check(ringlet, name_of(1))
        self.replace(ringlet, self.block(ringlet.port, cache="cache 10"))
        self.reload(ringlet)
        self.check(ringlet, name_of(1))
        self.assertEqual(len(self.peer.questions(name_of(1))), 2)
        self.assertLessEqual(self.ask(ringlet, name_of(1)).answers[0].ttl, 10)

    def test_another_size_empties_it(self):
        ringlet = self.serve()
        self.check(ringlet, name_of(1))
        self.replace(ringlet, self.block(ringlet.port, cache="cache {\n        success 90000 30\n    }"))
        self.reload(ringlet)
        self.check(ringlet, name_of(1))
        self.assertEqual(len(self.peer.questions(name_of(1))), 2)

    def test_a_new_zone_takes_its_names_and_leaves_the_others(self):
        """A zone below a cached one: names in it are asked of its own upstream, those beside it stay cached."""
        other = self.start_peer()
        ringlet = self.serve()
        inside, beside = "web.shop.cluster.local", "web.cluster.local"
        for name in (inside, beside):
            self.check(ringlet, name)
        more = harness.corefile(other.address, port=ringlet.port, domain="shop.cluster.local", cache="cache 30")
        self.replace(ringlet, more + self.block(ringlet.port))
        self.reload(ringlet)
        for name in (inside, beside):
            self.check(ringlet, name)
        self.assertEqual([a.name for a in other.asked], [inside])
        self.assertEqual([a.name for a in self.peer.asked], [inside, beside])
        # And back: what the zone cached is nobody's now.
        self.replace(ringlet, self.block(ringlet.port))
        self.reload(ringlet)
        for name in (inside, beside):
            self.check(ringlet, name)
        self.assertEqual([a.name for a in self.peer.asked], [inside, beside, inside])

    def test_hosts_are_as_the_new_file_says(self):
        hosts = "hosts {{\n        10.1.1.{0} web.cluster.local\n        fallthrough\n    }}"
        ringlet = self.serve(lambda port: self.block(port, more=hosts.format(1)))
        self.assertEqual(self.ask(ringlet, "web.cluster.local").answers[0].rdata, bytes([10, 1, 1, 1]))
        self.replace(ringlet, self.block(ringlet.port, more=hosts.format(2)))
        self.reload(ringlet)
        self.assertEqual(self.ask(ringlet, "web.cluster.local").answers[0].rdata, bytes([10, 1, 1, 2]))

    def test_listeners_come_and_go(self):
        ringlet = self.serve()
        other = harness.free_port()
        self.replace(ringlet, self.block(ringlet.port) + self.block(other))
        self.reload(ringlet)
        for port in (ringlet.port, other):
            reply = clients.ask(("127.0.0.1", port), dnswire.query(name_of(1), id=1))
            self.assertEqual(dnswire.decode(reply).answers[0].rdata, peer.address_of(name_of(1)))
        self.replace(ringlet, self.block(ringlet.port))
        self.reload(ringlet)
        self.check(ringlet, name_of(1))
        self.assertFalse(harness.accepts(("127.0.0.1", other)))
        self.assertFalse(harness.answers(("127.0.0.1", other), dnswire.query(name_of(1))))

    def test_endpoints_follow(self):
        first, second = harness.free_port(), harness.free_port()
        block = lambda port, health: self.block(port, more=f"health 127.0.0.1:{health}\nprometheus 127.0.0.1:{health + 1}")
        ringlet = self.serve(lambda port: block(port, first))
        self.assertEqual(harness.http(first, "/health")[0], 200)
        self.replace(ringlet, block(ringlet.port, second))
        self.reload(ringlet)
        self.assertEqual(harness.http(second, "/health")[0], 200)
        self.assertIn("coredns_build_info", harness.http(second + 1, "/metrics")[2])
        self.assertFalse(harness.accepts(("127.0.0.1", first)))
        self.assertFalse(harness.accepts(("127.0.0.1", first + 1)))

    def test_the_reload_directive_picks_it_up(self):
        ringlet = self.serve(lambda port: self.block(port, more="reload 2s 1s"))
        other = self.start_peer()
        self.replace(ringlet, self.block(ringlet.port, other, more="reload 2s 1s"))
        harness.wait_for(lambda: "[INFO] Reloading complete" in ringlet.log(), 8, "the reload")
        self.check(ringlet, name_of(5))
        self.assertEqual(len(other.asked), 1)

    def digests(self, ringlet):
        return re.findall(r"\[INFO\] plugin/reload: Running configuration SHA512 = ([0-9a-f]{128})\n", ringlet.log())

    def test_the_digest_says_which_configuration_runs(self):
        """In the log if the Corefile has `reload`, as CoreDNS does, and in the metrics after the first one."""
        version = lambda: harness.scrape(ringlet.setup_port).series("coredns_reload_version_info")
        ringlet = self.serve(lambda port: self.block(port, more="reload"))
        harness.wait_for(lambda: self.digests(ringlet), 5, "the digest")
        self.assertEqual(version(), {})
        text = pathlib.Path(ringlet.corefile).read_text()
        # Comments and white space do not count; words do.
        for change, number in (("# nothing\n\n", 1), (self.block(harness.free_port()), 2)):
            self.replace(ringlet, change + text)
            self.reload(ringlet)
            latest = self.digests(ringlet)[-1]
            self.assertEqual(len(set(self.digests(ringlet))), number)
            self.assertEqual(version(), {frozenset({("hash", "sha512"), ("value", latest)}): 1})
        # What does not run is not named.
        self.replace(ringlet, ".:53 {\n    nonsense\n}\n")
        self.reload(ringlet, "[ERROR] Restart failed: ")
        self.assertEqual([dict(labels)["value"] for labels in version()], [latest])

    def test_no_digest_without_the_directive(self):
        ringlet = self.serve()
        self.assertNotIn("SHA512", ringlet.log())
        self.reload(ringlet)
        self.assertNotIn("SHA512", ringlet.log())


class Refused(ReloadCase):
    """A configuration that cannot be put to work leaves the one that is at work."""

    def refuse(self, ringlet, text, *expected):
        self.check(ringlet, name_of(1))
        asked = len(self.peer.asked)
        self.replace(ringlet, text)
        self.reload(ringlet, "[ERROR] Restart failed: ")
        for part in expected:
            self.assertIn(part, ringlet.log())
        self.check(ringlet, name_of(1))
        self.assertEqual(len(self.peer.asked), asked, "the cache was lost")
        self.assertEqual(harness.scrape(ringlet.setup_port).sum("coredns_reload_failed_total"), 1)
        # And a good one is taken afterwards.
        self.replace(ringlet, self.block(ringlet.port))
        self.reload(ringlet)
        self.check(ringlet, name_of(1))
        self.assertEqual(len(self.peer.asked), asked)

    def test_a_bad_file(self):
        ringlet = self.serve()
        self.refuse(ringlet, self.block(ringlet.port, more="cahce 30"), f"{ringlet.corefile}:", "Unknown directive 'cahce'")

    def test_a_port_that_is_taken(self):
        ringlet = self.serve()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            self.refuse(ringlet, self.block(ringlet.port) + self.block(port), f"dns://127.0.0.1:{port}", "Address already in use")

    def test_an_endpoint_that_is_taken(self):
        ringlet = self.serve()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            self.refuse(ringlet, self.block(ringlet.port, more=f"health 127.0.0.1:{port}"), f"127.0.0.1:{port}", "Address already in use")

    def test_an_empty_file(self):
        ringlet = self.serve()
        self.refuse(ringlet, "", "nothing to serve")
