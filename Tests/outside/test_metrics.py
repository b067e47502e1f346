"""/metrics under CoreDNS's names, /health, and the log."""

import math
import os
import re
import shutil
import signal
import subprocess
import time

import clients
import dnswire
import harness
import peer
from dnswire import NXDOMAIN, SERVFAIL

NAMES = ("a", "b", "c")


async def by_name(asked):
    """`no…` is not there, `bad…` fails, the rest has an address."""
    if asked.name.startswith("no"):
        asked.send(asked.response(authority=[dnswire.soa("cluster.local", 30)], rcode=NXDOMAIN))
    elif asked.name.startswith("bad"):
        asked.send(asked.response(rcode=SERVFAIL))
    else:
        asked.send(asked.address())


class MetricsCase(harness.OutsideCase):
    shards = 2
    addresses = ("127.0.0.1", "::1")

    def setUp(self):
        super().setUp()
        self.upstream = peer.Peer(by_name)
        self.addCleanup(self.upstream.stop)
        self.port, self.health = harness.free_port(), harness.free_port()
        more = f"prometheus 127.0.0.1:{self.port}\nhealth 127.0.0.1:{self.health}\nlog"
        self.ringlet = self.start_ringlet(self.upstream.address, addresses=self.addresses, shards=self.shards, more=more)
        self.labels = {"server": f"dns://127.0.0.1:{self.ringlet.port}", "zone": "cluster.local.", "view": ""}
        self.cache_labels = {"server": self.labels["server"], "zones": "cluster.local.", "view": ""}

    def ask(self, name, type=dnswire.A, ask=clients.ask, address="127.0.0.1", **options):
        return ask((address, self.ringlet.port), dnswire.query(name, type, **options))

    def traffic(self):
        """Three names, three times over UDP and once over TCP; two denials twice; one failure twice; one refused."""
        for _ in range(3):
            for name in NAMES:
                self.ask(f"{name}.svc.cluster.local")
        for name in NAMES:
            self.ask(f"{name}.svc.cluster.local", ask=clients.ask_tcp)
        for name in ("no1", "no2", "no1", "no2", "bad", "bad"):
            self.ask(f"{name}.svc.cluster.local", dnswire.AAAA, edns=dnswire.opt(do=name == "no1"))
        self.ask("example.com")

    def scrape(self):
        """A scrape after the server had time to add up its shards' counters."""
        time.sleep(0.3)
        return harness.scrape(self.port)


class Metrics(MetricsCase):
    def test_requests(self):
        """Requests by transport, family and type; refused ones under zone `dropped`; DO apart."""
        # Being waited for at its start, it refused questions.
        refused = self.scrape().sum("coredns_dns_requests_total", zone="dropped")
        self.traffic()
        self.ask("a.svc.cluster.local", 65280)
        self.ask("a.svc.cluster.local", address="::1")
        metrics = self.scrape()
        count = lambda **labels: metrics.sum("coredns_dns_requests_total", **labels)
        self.assertEqual(count(**self.labels, proto="udp", family="1", type="A"), 9)
        self.assertEqual(count(**self.labels, proto="tcp", family="1", type="A"), 3)
        self.assertEqual(count(**self.labels, proto="udp", family="1", type="AAAA"), 6)
        self.assertEqual(count(**self.labels, type="other"), 1)
        self.assertEqual(
            count(server=f"dns://[::1]:{self.ringlet.port}", zone="cluster.local.", proto="udp", family="2", type="A"), 1
        )
        self.assertEqual(count(zone="dropped"), refused + 1)
        self.assertEqual(metrics.sum("coredns_dns_do_requests_total", **self.labels), 2)
        (labels,) = metrics.series("coredns_dns_requests_total", proto="tcp")
        self.assertEqual({key for key, _ in labels}, {"server", "zone", "view", "proto", "family", "type"})

    def test_responses(self):
        """Responses by rcode."""
        self.traffic()
        metrics = self.scrape()
        count = lambda **labels: metrics.sum("coredns_dns_responses_total", **labels)
        self.assertEqual(count(**self.labels, rcode="NOERROR"), 12)
        self.assertEqual(count(**self.labels, rcode="NXDOMAIN"), 4)
        self.assertEqual(count(**self.labels, rcode="SERVFAIL"), 2)
        self.assertEqual(count(zone="dropped", rcode="REFUSED"), 1)
        for labels in metrics.series("coredns_dns_responses_total"):
            self.assertEqual({key for key, _ in labels}, {"server", "zone", "view", "rcode", "plugin"})

    def test_who_wrote_the_answer(self):
        """`plugin` of a response: the cache's where there is one, else the directive's; none for an error of our own."""
        dead = harness.free_port()
        block = lambda port: (
            f"x.test:{port} {{\nbind 127.0.0.1\nacl {{\nblock type TXT net *\n}}\n"
            'rewrite name old.x.test new.x.test\ntemplate IN A t.x.test {\nanswer "t.x.test 1 IN A 10.0.0.1"\n}\n'
            f"hosts /nonexistent {{\n10.0.0.2 h.x.test\nfallthrough\n}}\nforward . {self.upstream.address}\n}}\n"
            f"c.test:{port} {{\nbind 127.0.0.1\nacl {{\nblock type TXT net *\n}}\ncache 30\n"
            f"hosts /nonexistent {{\n10.0.0.2 h.c.test\nfallthrough\n}}\nforward . {self.upstream.address}\n}}\n"
            f"w.test:{port} {{\nbind 127.0.0.1\nwhoami\n}}\n"
            f"d.test:{port} {{\nbind 127.0.0.1\ncache 30\nforward . 127.0.0.1:{dead}\n}}\n"
        )
        ringlet = self.start_ringlet_with(block)
        for name in ("t.x.test", "h.x.test", "u.x.test", "old.x.test", "h.c.test", "u.c.test", "a.w.test", "a.d.test"):
            self.assertTrue(clients.ask(("127.0.0.1", ringlet.port), dnswire.query(name)), name)
        for zone in ("x.test", "c.test"):
            clients.ask(("127.0.0.1", ringlet.port), dnswire.query(f"a.{zone}", dnswire.TXT))
        time.sleep(0.3)
        metrics = harness.scrape(ringlet.setup_port)
        seen = {
            (labels["zone"], labels["rcode"], labels["plugin"]): count
            for labels, count in ((dict(l), v) for l, v in metrics.series("coredns_dns_responses_total").items())
            if labels["zone"] != "dropped"
        }
        self.assertEqual(seen, {
            ("x.test.", "NOERROR", "template"): 1, ("x.test.", "NOERROR", "hosts"): 1, ("x.test.", "NOERROR", "forward"): 1,
            ("x.test.", "NOERROR", "rewrite"): 1, ("x.test.", "REFUSED", "acl"): 1, ("c.test.", "NOERROR", "cache"): 2,
            ("c.test.", "REFUSED", "acl"): 1, ("w.test.", "NOERROR", "whoami"): 1, ("d.test.", "SERVFAIL", ""): 1,
        })  # fmt: skip

    def test_enabled(self):
        """Each directive that sees queries, for each address and zone of a block with `prometheus`; no others."""
        metrics = self.scrape()
        for address in ("127.0.0.1", "[::1]"):
            labels = {"server": f"dns://{address}:{self.ringlet.port}", "zone": "cluster.local.", "view": ""}
            series = metrics.series("coredns_plugin_enabled", **labels)
            self.assertEqual({dict(l)["name"] for l in series}, {"prometheus", "errors", "log", "cache", "forward"})
            self.assertEqual(set(series.values()), {1})
        block = lambda port: harness.corefile(self.upstream.address, port=port)
        self.assertEqual(harness.scrape(self.start_ringlet_with(block).setup_port).series("coredns_plugin_enabled"), {})

    def test_without_bind(self):
        """A block without `bind` is `dns://:PORT`, and its line of the start names no address."""
        block = lambda port: f"x.test:{port} {{\nforward . {self.upstream.address}\n}}\n"
        ringlet = self.start_ringlet_with(block)
        self.assertTrue(clients.ask(("127.0.0.1", ringlet.port), dnswire.query("a.x.test")))
        self.assertIn(f"\nx.test.:{ringlet.port}\n", ringlet.log())
        time.sleep(0.3)
        labels = {"server": f"dns://:{ringlet.port}", "zone": "x.test."}
        self.assertEqual(harness.scrape(ringlet.setup_port).sum("coredns_dns_requests_total", **labels), 1)

    def test_cache(self):
        """Requests, hits by kind, misses and entries of the cache."""
        self.traffic()
        metrics = self.scrape()
        count = lambda name, **labels: metrics.sum(f"coredns_cache_{name}", **self.cache_labels, **labels)
        self.assertEqual(count("requests_total"), 18)
        self.assertEqual(count("hits_total", type="success"), 9)
        self.assertEqual(count("hits_total", type="denial"), 3)
        self.assertEqual(count("misses_total"), 6)
        self.assertEqual(count("entries", type="success"), 3)
        self.assertEqual(count("entries", type="denial"), 3)

    def test_upstream(self):
        """The time of exchanges with the upstream, by rcode."""
        self.traffic()
        metrics = self.scrape()
        labels = {"proxy_name": "forward", "to": self.upstream.address}
        name = "coredns_proxy_request_duration_seconds"
        self.assertEqual(metrics.types[name], "histogram")
        counts = {rcode: metrics.sum(f"{name}_count", **labels, rcode=rcode) for rcode in ("NOERROR", "NXDOMAIN", "SERVFAIL")}
        self.assertEqual(counts, {"NOERROR": 3, "NXDOMAIN": 2, "SERVFAIL": 1})

    def test_durations_and_sizes(self):
        """Histograms of request time and of sizes: CoreDNS's buckets, cumulative, with sum and count that fit."""
        self.traffic()
        metrics = self.scrape()
        times = [0.00025 * 2**k for k in range(16)]
        sizes = [0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16000, 32000, 48000, 64000]
        for name, bounds, labels, count in (
            ("coredns_dns_request_duration_seconds", times, {}, 18),
            ("coredns_dns_request_size_bytes", sizes, {"proto": "udp"}, 15),
            ("coredns_dns_response_size_bytes", sizes, {"proto": "tcp"}, 3),
            ("coredns_proxy_request_duration_seconds", times, {"rcode": "NOERROR"}, 3),
        ):
            with self.subTest(name=name):
                zone = {} if "proxy" in name else self.labels
                self.assertEqual(metrics.types[name], "histogram")
                buckets = {float(dict(l)["le"]): v for l, v in metrics.series(f"{name}_bucket", **zone, **labels).items()}
                self.assertEqual(len(buckets), len(bounds) + 1)
                for bound, expected in zip(sorted(buckets), [*bounds, math.inf]):
                    self.assertAlmostEqual(bound, expected)
                self.assertEqual(list(dict(sorted(buckets.items())).values()), sorted(buckets.values()))
                self.assertEqual(buckets[math.inf], count)
                self.assertEqual(metrics.sum(f"{name}_count", **zone, **labels), count)
                self.assertGreater(metrics.sum(f"{name}_sum", **zone, **labels), 0)

    def test_before_use(self):
        """Labelled series are not there before their first use; those of a.10 with a star are there from the start."""
        metrics = self.scrape()
        for name in ("coredns_dns_requests_total", "coredns_cache_hits_total", "coredns_proxy_request_duration_seconds_count"):
            self.assertEqual(metrics.series(name, zone="cluster.local."), {}, name)
        self.assertEqual(metrics.sum("coredns_panics_total"), 0)
        for name in (
            "coredns_panics_total",
            "coredns_build_info",
            "coredns_forward_max_concurrent_rejects_total",
            "coredns_reload_failed_total",
            "coredns_forward_healthcheck_broken_total",
            "coredns_health_request_duration_seconds_count",
            "coredns_health_request_failures_total",
        ):
            self.assertEqual(len(metrics.series(name)), 1, name)
        self.assertEqual(metrics.sum("coredns_build_info"), 1)
        errors = metrics.series("coredns_nodecache_setup_errors_total")
        self.assertEqual(
            {dict(l)["errortype"] for l in errors},
            {"iptables", "iptables_lock", "interface_add", "interface_check", "configmap"},
        )
        self.assertEqual(metrics.sum("coredns_nodecache_setup_errors_total", errortype="iptables"), 0)

    def test_process(self):
        """The process's own figures agree with /proc."""
        metrics = self.scrape()
        self.assertAlmostEqual(metrics.sum("process_resident_memory_bytes") / 1024, self.ringlet.rss_kib, delta=2048)
        self.assertAlmostEqual(metrics.sum("process_start_time_seconds"), time.time(), delta=30)
        for name in ("process_cpu_seconds_total", "process_open_fds", "process_max_fds"):
            self.assertGreaterEqual(metrics.sum(name), 0.0)
            self.assertEqual(len(metrics.series(name)), 1)

    def test_text_form(self):
        """Every sample belongs to a family with HELP and TYPE; the content type is Prometheus's; other paths are not found."""
        self.traffic()
        status, content_type, body = harness.http(self.port, "/metrics")
        self.assertEqual(status, 200)
        self.assertRegex(content_type, r"^text/plain; version=0\.0\.4")
        metrics = harness.Metrics(body)
        self.assertTrue(body.endswith("\n"))
        for name, _ in metrics.samples:
            family = name if name in metrics.types else re.sub(r"_(bucket|sum|count)$", "", name)
            self.assertIn(family, metrics.types)
            self.assertIn(f"# HELP {family} ", body)
        for name, kind in metrics.types.items():
            self.assertEqual(kind == "counter", name.endswith("_total"), name)
        self.assertEqual(harness.http(self.port, "/")[0], 404)

    def test_promtool(self):
        """promtool finds no error in the text."""
        if not shutil.which("promtool"):
            self.skipTest("promtool is not installed")
        self.traffic()
        checked = subprocess.run(
            ["promtool", "check", "metrics"], input=self.scrape().text, capture_output=True, text=True, timeout=20
        )
        self.assertNotIn("error", checked.stderr)

    def test_setup_port(self):
        """-metrics-listen-address serves everything that `prometheus` serves."""
        self.traffic()
        self.assertEqual(set(self.scrape().types), set(harness.scrape(self.ringlet.setup_port).types))

    def test_hostile_names(self):
        """Names with quotes, newlines and braces reach neither labels nor the log unescaped."""
        self.ask('x"}\n# TYPE evil counter\nevil 1\n.svc.cluster.local')
        self.assertNotIn("evil", self.scrape().text)
        self.assertNotIn("\nevil", self.ringlet.log())


class Health(MetricsCase):
    def test_health(self):
        """/health is 200 OK, also when the upstream is gone; other paths are not found."""
        self.assertEqual(harness.http(self.health, "/health")[::2], (200, "OK"))
        self.upstream.stop()
        self.assertEqual(harness.http(self.health, "/health")[::2], (200, "OK"))
        self.assertEqual(harness.http(self.health, "/other")[0], 404)


    def test_own_request(self):
        """/health is asked by the process itself once a second; what is not answered is counted as failed."""
        name = "coredns_health_request_duration_seconds"
        count = lambda: harness.scrape(self.ringlet.setup_port).sum(f"{name}_count")
        harness.wait_for(lambda: count() >= 2, 10, "two requests")
        metrics = self.scrape()
        bounds = {float(dict(l)["le"]) for l in metrics.series(f"{name}_bucket")}
        self.assertEqual(bounds, {0.00025, 0.0025, 0.025, 0.25, 2.5, math.inf})
        self.assertEqual(metrics.sum("coredns_health_request_failures_total"), 0)
        self.assertNotIn("Local health request", self.ringlet.log())

    def test_no_own_request_without_health(self):
        block = lambda port: harness.corefile(self.upstream.address, port=port)
        ringlet = self.start_ringlet_with(block)
        time.sleep(2.5)
        self.assertEqual(harness.scrape(ringlet.setup_port).sum("coredns_health_request_duration_seconds_count"), 0)


class Log(MetricsCase):
    def test_start(self):
        """The first line says what starts, with a date; then a line for each zone and address, and the version."""
        log = harness.wait_for(lambda: "linux/" in self.ringlet.log() and self.ringlet.log(), 2, "the last line of the start")
        self.assertRegex(log, r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[INFO\] Starting node-cache image: \S+\n")
        for address in self.addresses:
            self.assertIn(f"cluster.local.:{self.ringlet.port} on {address}\n", log)
        self.assertRegex(log, r"(?m)^CoreDNS-\d")
        self.assertRegex(log, r"(?m)^linux/\w+, ")

    def test_queries(self):
        """`log` writes a line for each query, hits too, in CoreDNS's common format."""
        for _ in range(2):
            self.ask("A.svc.cluster.LOCAL", id=4660)
        self.ask("no.svc.cluster.local", dnswire.AAAA, ask=clients.ask_tcp, id=7, edns=dnswire.opt(1400, do=True))
        line = r"\[INFO\] 127\.0\.0\.1:\d+ - {} \"{} IN {} {} \d+ {} {}\" {} qr,aa,rd \d+ \d[\d.e-]*s\n"
        udp = re.compile(line.format(4660, "A", r"a\.svc\.cluster\.local\.", "udp", "false", 512, "NOERROR"))
        tcp = re.compile(line.format(7, "AAAA", r"no\.svc\.cluster\.local\.", "tcp", "true", 65535, "NXDOMAIN"))
        harness.wait_for(lambda: len(udp.findall(self.ringlet.log())) == 2, 2, "two lines for UDP")
        harness.wait_for(lambda: len(tcp.findall(self.ringlet.log())) == 1, 2, "one line for TCP")


class Memory(harness.OutsideCase):
    def test_ceiling(self):
        """What may be held is what is mapped: as much more as the cache is larger, and after a reload as before."""
        upstream = peer.Peer(by_name)
        self.addCleanup(upstream.stop)
        cache = "cache {\nsuccess 1000000\ndenial 1000000\n}"
        small, large = (
            self.start_ringlet(upstream.address, cache=cache, flags=("-cache-bytes", str(size << 20))) for size in (8, 40))
        ceiling = large.ceiling_kib
        # The indexes grow with it.
        self.assertIn(ceiling - small.ceiling_kib, range(32 << 10, 40 << 10))
        self.assertLess(large.own_kib, ceiling)
        os.kill(large.pid, signal.SIGUSR1)
        harness.wait_for(lambda: "Reloading complete" in large.log(), 20, "the reload")
        harness.wait_for(lambda: large.ceiling_kib == ceiling, 20, "the shards of before to be gone")


class Scrapes(harness.OutsideCase):
    """Upstream's four zones at two addresses, each asked for something of four types."""

    SCRAPES = 300

    def test_the_same_series_again(self):
        """One scrape after the other writes the same series, and what they cost."""
        upstream = peer.Peer(by_name)
        self.addCleanup(upstream.stop)
        port = harness.free_port()
        zones = ("cluster.local", "in-addr.arpa", "ip6.arpa", ".")
        directives = f"errors\ncache 30\nreload\nloop\nbind 127.0.0.1 ::1\nforward . {upstream.address}\nprometheus 127.0.0.1:{port}"
        block = lambda port: "".join(f"{zone}:{port} {{\n{directives}\n}}\n" for zone in zones)
        ringlet = self.start_ringlet_with(block, addresses=("127.0.0.1", "::1"))
        for address in ("127.0.0.1", "::1"):
            for zone in zones:
                for type in (dnswire.A, dnswire.AAAA, dnswire.PTR, dnswire.TXT):
                    for name in ("a", "no", "bad"):
                        clients.ask((address, ringlet.port), dnswire.query(f"{name}.{zone}", type))
        time.sleep(0.3)
        bodies = [harness.http(port, "/metrics")[2]]
        begin = ringlet.cpu_seconds()
        bodies += [harness.http(port, "/metrics")[2] for _ in range(self.SCRAPES)]
        cost = (ringlet.cpu_seconds() - begin) / self.SCRAPES
        series = [[line.rpartition(" ")[0] for line in body.splitlines()] for body in bodies]
        self.assertGreater(len(series[0]), 500)
        self.assertTrue(all(one == series[0] for one in series))
        self.report(f"{len(bodies[0]) / 1000:.0f} KB: {1000 * cost:.2f} ms of CPU a scrape, of {self.SCRAPES}")
