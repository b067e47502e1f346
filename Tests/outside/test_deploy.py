"""Deploy/: manifests and chart against Kubernetes' schemas, alert rules and dashboard against a Prometheus that scrapes
Ringlet, and what a scrape costs.

The chart is rendered by Go's text/template (gotemplate.go) with the dot that Helm gives, and kustomization.yaml by kubectl.
YAML and Kubernetes' schemas are read by what Tools/test installs in .build/python.
"""

import functools
import http.client
import itertools
import json
import pathlib
import re
import shutil
import site
import subprocess
import tempfile
import time
import unittest
import urllib.parse

import clients
import dnswire
import harness
import peer
import test_distributions

DEPLOY = harness.ROOT / "Deploy"
for packages in (harness.ROOT / ".build/python/lib").glob("python3*/site-packages"):
    site.addsitedir(str(packages))
try:
    import kubernetes_validate
    import yaml
except ImportError:
    raise SystemExit("kubernetes-validate is not in .build/python: Tools/test installs it there")

# What whoever installs the manifest puts in (spec/drop-in.md a.3).
INSTALLED = {
    "__PILLAR__LOCAL__DNS__": "169.254.20.10",
    "__PILLAR__DNS__SERVER__": "10.96.0.10",
    "__PILLAR__DNS__DOMAIN__": "cluster.local",
}
VALUES = {
    "default": {},
    "IPVS": {"clusterDNS": "", "upstream": "10.96.0.10"},
    "io_uring": {"seccomp": {"install": True, "folder": "/var/lib/kubelet/seccomp"}, "flags": ["--shards", "2"]},
    "all": {
        "image": {"repository": "registry.example/ringlet", "tag": "1.2", "pullPolicy": "Always"},
        "imagePullSecrets": [{"name": "registry"}],
        "corefile": '.:53 {\n    bind 169.254.20.10\n    whoami\n    # "quoted": {{ not a template }}\n}\n',
        "nodeSelector": {"dns": "here"},
        "podAnnotations": {"cluster-autoscaler.kubernetes.io/enable-ds-eviction": "false"},
        "resources": {"limits": {"memory": "128Mi"}},
        "domain": "example.org",
    },
}


def manifest():
    text = (DEPLOY / "nodelocaldns.yaml").read_text()
    for token, value in INSTALLED.items():
        text = text.replace(token, value)
    return list(yaml.safe_load_all(text))


@functools.cache
def renderer():
    """The program that renders templates."""
    path = harness.ROOT / ".build/gotemplate"
    harness.run("go", "build", "-o", str(path), str(harness.ROOT / "Tests/outside/gotemplate.go"), seconds=60)
    return path


def chart(values):
    """The chart's objects as `helm install ringlet Deploy/chart --namespace kube-system` with `values` makes them."""
    folder = DEPLOY / "chart"
    description = yaml.safe_load((folder / "Chart.yaml").read_text())
    dot = {
        "Values": {**yaml.safe_load((folder / "values.yaml").read_text()), **values},
        "Release": {"Name": "ringlet", "Namespace": "kube-system", "Service": "Helm"},
        "Chart": {"Name": description["name"], "Version": description["version"], "AppVersion": description["appVersion"]},
    }
    objects = []
    for template in sorted((folder / "templates").iterdir()):
        job = json.dumps({"template": template.read_text(), "values": dot})
        done = subprocess.run([renderer()], input=job, capture_output=True, text=True, timeout=20)
        if done.returncode:
            raise AssertionError(f"{template}: {done.stderr}")
        objects += yaml.safe_load_all(done.stdout)
    return objects


@functools.cache
def validate(text, version):
    kubernetes_validate.validate(json.loads(text), version, strict=True)


def one(objects, kind):
    (found,) = (each for each in objects if each["kind"] == kind)
    return found


def pod(objects):
    return one(objects, "DaemonSet")["spec"]["template"]["spec"]


class Manifests(harness.OutsideCase):
    def validate(self, objects):
        """Kubernetes' schemas of the last three minor versions have each object, and no field that they do not know."""
        for version in kubernetes_validate.utils.all_versions()[-3:]:
            for each in objects:
                with self.subTest(version=version, kind=each["kind"], name=each["metadata"]["name"]):
                    validate(json.dumps(each), version)

    def test_manifest(self):
        self.assertEqual(
            sorted(each["kind"] for each in manifest()), ["ConfigMap", "DaemonSet", "Service", "Service", "ServiceAccount"]
        )
        self.validate(manifest())

    def test_upstream_form(self):
        """Installed, it has the arguments and the template that test_distributions boots as upstream's; and no token that
        neither installers nor the program know."""
        upstream = test_distributions.HERE / "upstream"
        (container,) = pod(manifest())["containers"]
        self.assertEqual(container["args"], (upstream / "args").read_text().splitlines())
        corefile = one(manifest(), "ConfigMap")["data"]["Corefile"]
        self.assertEqual(corefile.split(), (upstream / "etc/coredns/Corefile.base").read_text().split())
        known = {*INSTALLED, "__PILLAR__CLUSTER__DNS__", "__PILLAR__UPSTREAM__SERVERS__"}
        self.assertEqual(set(re.findall(r"__\w+__", (DEPLOY / "nodelocaldns.yaml").read_text())) - known, set())

    def test_chart(self):
        """Each choice of values gives valid objects, and a Corefile that `ringlet check` takes."""
        for name, values in VALUES.items():
            with self.subTest(values=name):
                objects = chart(values)
                self.validate(objects)
                corefile = one(objects, "ConfigMap")["data"]["Corefile"]
                corefile = corefile.replace("__PILLAR__CLUSTER__DNS__", "10.0.0.1").replace("__PILLAR__UPSTREAM__SERVERS__", "10.0.0.2")
                harness.run(harness.BINARY, "check", self.write("Corefile", corefile))

    def test_chart_like_manifest(self):
        """By default the chart is the manifest: same pod but for names, and two flags more."""
        of_chart, of_manifest = pod(chart({})), pod(manifest())
        (left,), (right,) = of_chart["containers"], of_manifest["containers"]
        self.assertEqual(left["args"][:4], right["args"][:4])
        self.assertEqual(left["args"][8:], ["-health-port", "8080", "--firewall", "iptables"])
        for key in ("image", "resources", "startupProbe", "securityContext", "volumeMounts"):
            self.assertEqual(left[key], right[key], key)
        for key in ("hostNetwork", "dnsPolicy", "priorityClassName", "tolerations"):
            self.assertEqual(of_chart[key], of_manifest[key], key)

    def test_chart_values(self):
        """What is given goes where it belongs, and no further."""
        objects = chart(VALUES["all"])
        (container,) = pod(objects)["containers"]
        self.assertEqual((container["image"], container["imagePullPolicy"]), ("registry.example/ringlet:1.2", "Always"))
        self.assertEqual(one(objects, "ConfigMap")["data"]["Corefile"], VALUES["all"]["corefile"])
        self.assertEqual(pod(objects)["nodeSelector"], {"dns": "here"})
        ipvs = chart(VALUES["IPVS"])
        self.assertEqual([each["metadata"]["name"] for each in ipvs if each["kind"] == "Service"], ["ringlet"])
        self.assertIn("forward . 10.96.0.10 {", one(ipvs, "ConfigMap")["data"]["Corefile"])
        self.assertIn("bind 169.254.20.10\n", one(ipvs, "ConfigMap")["data"]["Corefile"])
        profile = pod(chart(VALUES["io_uring"]))["containers"][0]["securityContext"]["seccompProfile"]
        self.assertEqual(profile, {"type": "Localhost", "localhostProfile": "ringlet.json"})

    def test_rolls(self):
        """Two pods of a node are there at once, and nothing keeps the second from being scheduled."""
        for objects in (manifest(), chart({})):
            spec = one(objects, "DaemonSet")["spec"]
            self.assertEqual(spec["updateStrategy"]["rollingUpdate"], {"maxSurge": 1, "maxUnavailable": 0})
            for container in spec["template"]["spec"]["containers"]:
                self.assertNotIn("ports", container)

    def test_kustomization(self):
        """kubectl makes the manifest of it, with the image that it names."""
        folder = pathlib.Path(self.directory, "Deploy")
        folder.mkdir()
        for name in ("kustomization.yaml", "nodelocaldns.yaml"):
            shutil.copy(DEPLOY / name, folder)
        text = (folder / "kustomization.yaml").read_text()
        (folder / "kustomization.yaml").write_text(text.replace("newName: ringlet", "newName: registry.example/ringlet"))
        objects = list(yaml.safe_load_all(harness.run("kubectl", "kustomize", str(folder))))
        self.validate(objects)
        self.assertEqual(pod(objects)["containers"][0]["image"], "registry.example/ringlet:0.1.0")

    def test_seccomp(self):
        """In the runtime's own form, without what only Docker reads; io_uring is allowed, mounts are not."""
        profile = json.loads((DEPLOY / "seccomp.json").read_text())
        self.assertEqual(set(profile), {"defaultAction", "defaultErrnoRet", "architectures", "syscalls"})
        for rule in profile["syscalls"]:
            self.assertLessEqual(set(rule), {"action", "names", "args", "errnoRet"})
        allowed = {name for rule in profile["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]}
        self.assertLessEqual({"io_uring_setup", "io_uring_enter", "io_uring_register", "memfd_create", "recvmmsg"}, allowed)
        self.assertEqual(allowed & {"mount", "bpf", "setns", "unshare", "init_module", "keyctl", "perf_event_open"}, set())


class Rules(unittest.TestCase):
    # Series, each a value a minute, and the alert that they fire after 70 minutes.
    FIRES = {
        "RingletDown": ('up{instance="n"} 0x70', 'ringlet_ring_info{instance="n", tier="io_uring"} 1x10'),
        "RingletRestarts": (
            'process_start_time_seconds{instance="n"} 100+100x70',
            'ringlet_ring_info{instance="n", tier="io_uring"} 1x70',
        ),
        "RingletUpstreamDown": ('ringlet_upstream_up{instance="n", to="10.0.0.1:53"} 0x70',),
        "RingletServfail": (
            'coredns_dns_responses_total{instance="n", rcode="SERVFAIL"} 0+10x70',
            'coredns_dns_responses_total{instance="n", rcode="NOERROR"} 0+100x70',
            'ringlet_ring_info{instance="n", tier="io_uring"} 1x70',
        ),
        "RingletTimeouts": ('ringlet_timeouts_total{instance="n", shard="0"} 0+120x70',),
        "RingletDrops": ('ringlet_dropped_total{instance="n", reason="questions"} 0+120x70',),
        "RingletSetupErrors": ('coredns_nodecache_setup_errors_total{instance="n", errortype="iptables"} 0+1x70',),
        "RingletThrottles": ('ringlet_throttled_clients{instance="n", shard="0"} 1x70',),
        "RingletReloadFailed": ('coredns_reload_failed_total{instance="n"} 0+1x70',),
        "RingletWithoutIoUring": ('ringlet_ring_info{instance="n", tier="epoll", reason="EPERM"} 1x70',),
    }

    def names(self):
        groups = yaml.safe_load((DEPLOY / "alerts.yaml").read_text())["groups"]
        return [rule["alert"] for group in groups for rule in group["rules"]]

    def test_check(self):
        harness.run("promtool", "check", "rules", str(DEPLOY / "alerts.yaml"))

    def test_fire(self):
        """Each alert fires on what it is for, and the others do not."""
        self.assertEqual(sorted(self.FIRES), sorted(self.names()))
        directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        tests = [
            {
                "name": fired,
                "interval": "1m",
                "input_series": [dict(zip(("series", "values"), line.rsplit(" ", 1))) for line in series],
                "promql_expr_test": [
                    {
                        "expr": 'sum by (alertname) (ALERTS{alertstate="firing"})',
                        "eval_time": "70m",
                        "exp_samples": [{"labels": f'{{alertname="{fired}"}}', "value": 1}],
                    }
                ],
            }
            for fired, series in self.FIRES.items()
        ]
        path = directory / "tests.yaml"
        path.write_text(json.dumps({"rule_files": [str(DEPLOY / "alerts.yaml")], "evaluation_interval": "1m", "tests": tests}))
        harness.run("promtool", "test", "rules", str(path))


class Scraped(harness.OutsideCase):
    def setUp(self):
        super().setUp()
        self.names = itertools.count()
        upstream = peer.Peer(peer.answer_by_name)
        self.addCleanup(upstream.stop)
        self.metrics = harness.free_port()
        self.ringlet = self.start_ringlet(
            upstream.address, shards=2, addresses=("127.0.0.1", "::1"), more=f"prometheus 127.0.0.1:{self.metrics}"
        )

    def traffic(self, count=20):
        """Misses, then hits: no name is asked in two calls."""
        for nth in itertools.islice(self.names, count):
            for ask in (clients.ask, clients.ask_tcp):
                self.assertTrue(ask(("127.0.0.1", self.ringlet.port), dnswire.query(f"n{nth}.svc.cluster.local", dnswire.A)))

    def start_prometheus(self):
        """A Prometheus that scrapes Ringlet's two ports and reads the alert rules; its port."""
        port = harness.free_port()
        configuration = {
            "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "1s"},
            "rule_files": [str(DEPLOY / "alerts.yaml")],
            "scrape_configs": [
                {"job_name": "node-local-dns", "static_configs": [{"targets": [f"127.0.0.1:{self.metrics}"]}]},
                {"job_name": "setup", "static_configs": [{"targets": [f"127.0.0.1:{self.ringlet.setup_port}"]}]},
            ],
        }
        argv = ["prometheus", "--config.file", self.write("prometheus.yaml", json.dumps(configuration))]
        argv += ["--storage.tsdb.path", f"{self.directory}/tsdb", "--web.listen-address", f"127.0.0.1:{port}"]
        prometheus = harness.Process(argv, f"{self.directory}/prometheus.log")
        self.addCleanup(prometheus.end)
        ready = lambda: prometheus.alive() and harness.accepts(("127.0.0.1", port)) and harness.http(port, "/-/ready")[0] == 200
        harness.wait_for(ready, 20, "Prometheus", pause=0.1)
        return port

    def api(self, port, path, **parameters):
        status, _, body = harness.http(port, f"/api/v1/{path}?{urllib.parse.urlencode(parameters)}", timeout=10)
        self.assertEqual(status, 200, body)
        return json.loads(body)["data"]

    def test_promtool(self):
        """promtool accepts /metrics, of both ports, and has nothing to say against our own families."""
        self.traffic()
        time.sleep(0.3)
        for port in (self.metrics, self.ringlet.setup_port):
            checked = subprocess.run(
                ["promtool", "check", "metrics"], input=harness.scrape(port).text, capture_output=True, text=True, timeout=20
            )
            # 3: its taste in names, and those of CoreDNS are the contract.
            self.assertIn(checked.returncode, (0, 3), checked.stderr)
            self.assertNotIn("error", checked.stderr)
            self.assertNotIn("ringlet_", checked.stderr)

    def test_dashboard(self):
        """Every query of the dashboard returns data, by job and instance as its variables choose them; every rule
        evaluates, and none but the one for hosts without io_uring has anything to say of a healthy server."""
        port = self.start_prometheus()
        dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
        queries = [(panel["title"], target["expr"]) for panel in dashboard["panels"] for target in panel["targets"]]
        self.assertGreater(len(queries), 15)

        def data(expression):
            for variable, value in {"$job": ".*", "$instance": ".*", "$__rate_interval": "20s"}.items():
                expression = expression.replace(variable, value)
            self.assertNotIn("$", expression)
            results = self.api(port, "query", query=expression)["result"]
            return results and all(result["value"][1] != "NaN" for result in results)

        pending = queries
        deadline = time.monotonic() + 20
        while pending and time.monotonic() < deadline:
            self.traffic()
            pending = [each for each in pending if not data(each[1])]
        self.assertEqual(pending, [])
        for variable in dashboard["templating"]["list"][1:]:
            label = variable["name"]
            self.assertTrue(data(f"count by ({label}) (ringlet_ring_info)"))
        targets = self.api(port, "targets")["activeTargets"]
        self.assertEqual([(target["health"], target["lastError"]) for target in targets], [("up", "")] * 2)
        evaluated = lambda: all(rule["health"] == "ok" for rule in self.rules(port))
        harness.wait_for(evaluated, 10, "the alert rules", pause=0.2)
        loud = {rule["name"] for rule in self.rules(port) if rule["state"] != "inactive"}
        self.assertLessEqual(loud, {"RingletWithoutIoUring"} if harness.IS_ON_EPOLL else set())
        self.report(f"{len(queries)} queries of the dashboard have data, {len(self.rules(port))} rules evaluate")

    def rules(self, port):
        return [rule for group in self.api(port, "rules")["groups"] for rule in group["rules"]]


class Cost(harness.OutsideCase):
    ZONES = ("cluster.local", "in-addr.arpa", "ip6.arpa", ".")
    ADDRESSES = ("127.0.0.1", "127.0.0.2")

    def test_cost(self):
        """With upstream's four zones at two addresses, all asked over UDP and TCP, a scrape costs less than 2 ms of CPU."""
        upstream = peer.Peer(peer.answer_by_name)
        self.addCleanup(upstream.stop)
        metrics = harness.free_port()
        block = lambda port: "".join(
            harness.corefile(upstream.address, port=port, domain=zone, bind=self.ADDRESSES, more=f"prometheus 127.0.0.1:{metrics}")
            for zone in self.ZONES
        )
        ringlet = self.start_ringlet_with(block, addresses=self.ADDRESSES, shards=2)
        for address in self.ADDRESSES:
            for zone in self.ZONES:
                for ask in (clients.ask, clients.ask_tcp):
                    for type in (dnswire.A, dnswire.AAAA):
                        query = dnswire.query(f"a.{zone}".rstrip("."), type)
                        self.assertTrue(ask((address, ringlet.port), query))
        time.sleep(0.3)
        # As Prometheus does: one connection.
        connection = http.client.HTTPConnection("127.0.0.1", metrics, timeout=5)
        self.addCleanup(connection.close)

        def scrape():
            connection.request("GET", "/metrics")
            return connection.getresponse().read()

        def round():
            """Seconds of CPU for a scrape."""
            before, count = used(), 40
            for _ in range(count):
                scrape()
            return (used() - before) / count

        def used():
            threads = [pathlib.Path(f"/proc/{ringlet.pid}/task/{thread}/schedstat").read_text() for thread in ringlet.threads]
            return sum(int(text.split()[0]) for text in threads) / 1e9

        size = len(scrape())
        # The least: others on this machine take the processor's caches.
        cost = min(round() for _ in range(10)) * 1000
        self.report(f"{cost:.2f} ms of CPU for a scrape of {size} bytes; ten a second: {cost:.2f} % of a core")
        self.assertLess(cost, 2)
