"""Each distribution's arguments and Corefile, as its manifest has them, boot unchanged in a network namespace and serve.

`distributions/NAME` holds `args`, one a line, `env`, and what the pod mounts below `etc`. The namespace has the addresses
that nodes have; nsd, at the cluster's DNS service and at the node's resolver, is in another, for it would be in the way of
who binds every address. Health and metrics are asked where the distribution's probes and scrapes look.
"""

import os
import pathlib
import shutil
import signal

import harness
import zone

HERE = pathlib.Path(__file__).resolve().parent / "distributions"
ADDRESSES = ("169.254.20.10", "169.254.20.11", "169.254.25.10", "10.96.0.10", "fd00:96::a")
UPSTREAMS = ("10.96.0.11", "10.0.0.2", "fd00:96::b")
NODE = ("169.254.20.10", "10.96.0.10")


class Distributions(harness.OutsideCase):
    def setUp(self):
        super().setUp()
        self.netns, servers = self.namespace(), self.namespace()
        ip = lambda netns, *words: harness.run("ip", "-n", netns, *words)
        ip(self.netns, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", servers)
        for netns, hosts in ((self.netns, ("10.255.0.1/24", "fd00:ff::1/64")), (servers, ("10.255.0.2/24", "fd00:ff::2/64"))):
            ip(netns, "link", "set", "eth0", "up")
            for host in hosts:
                ip(netns, "address", "add", host, "dev", "eth0", *(["nodad"] if ":" in host else []))
        for address in ADDRESSES:
            ip(self.netns, "address", "add", address, "dev", "lo")
        for address in UPSTREAMS:
            ip(servers, "address", "add", address, "dev", "lo")
            ip(self.netns, "route", "add", address, "via", "fd00:ff::2" if ":" in address else "10.255.0.2")
        upstream = harness.Nsd(self.directory, port=53, netns=servers, addresses=UPSTREAMS)
        self.addCleanup(upstream.stop)
        harness.wait_for(lambda: self.serves(UPSTREAMS[0]), 10, "nsd")

    def namespace(self):
        manager = harness.network_namespace()
        name = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return name

    def start(self, name, read_only=False):
        """Starts the program as the container would find it: its own /etc and /tmp, the Corefile's mount read-only."""
        pod = pathlib.Path(self.directory, name)
        shutil.copytree(HERE / name, pod)
        (pod / "tmp").mkdir()
        (pod / "etc/node-cache").touch()
        (pod / "etc/resolv.conf").write_text("nameserver 10.0.0.2\nsearch example.org\n")
        (pod / "etc/hosts").write_text("127.0.0.1 localhost\n")
        env = dict(line.split("=", 1) for line in (pod / "env").read_text().splitlines())
        script = (
            f'cd / && mount --bind {harness.BINARY} {pod}/etc/node-cache && mount --rbind {pod}/etc /etc && mount --bind {pod}/etc/coredns /etc/coredns'
            f' && mount -o remount,ro,bind /etc/coredns && mount --bind {pod}/tmp /tmp && exec "$@"'
        )
        argv = ["ip", "netns", "exec", self.netns, "sh", "-c", script, "sh", "/etc/node-cache"]
        argv += (pod / "args").read_text().splitlines()
        child = harness.Process(argv, f"{self.directory}/{name}.log", env={**os.environ, **env})
        child.pod = pod
        self.addCleanup(lambda: child.alive() and child.end(signal.SIGKILL))
        return child

    def serves(self, address, *options):
        dig = ["dig", f"@{address}", "+tries=1", "+time=1", "+short", *options, zone.service(7), "A"]
        return harness.run("ip", "netns", "exec", self.netns, *dig, check=False).strip() == str(zone.address(7))

    def get(self, url):
        """(status, body)"""
        code = f"import urllib.request as u; r = u.urlopen('{url}', timeout=3); print(r.status, r.read().decode())"
        status, _, body = harness.run("ip", "netns", "exec", self.netns, "python3", "-c", code).partition(" ")
        return int(status), body

    def boots(self, name, *, serves, health, metrics=":9253", errors=0):
        """It answers over UDP and TCP at its addresses, is healthy, counts `errors` of configmap, and ends with 0."""
        child = self.start(name)
        for address in serves:
            harness.wait_for(lambda: not child.alive() or self.serves(address), 10, f"an answer at {address}\n{child.log()}")
            self.assertTrue(child.alive(), child.log())
            self.assertTrue(self.serves(address, "+tcp"))
        local = lambda url: "http://" + ("127.0.0.1" + url if url.startswith(":") else url)
        self.assertEqual(self.get(local(f"{health}/health")), (200, "OK\n"))
        for url in (metrics, ":9353"):
            scraped = harness.Metrics(self.get(local(f"{url}/metrics"))[1].rstrip("\n") + "\n")
            self.assertEqual(scraped.sum("coredns_nodecache_setup_errors_total", errortype="configmap"), errors, child.log())
        self.assertEqual(child.log().count("[ERROR] Failed to read node-cache coreFile"), errors, child.log())
        return child

    def ends(self, child):
        self.assertEqual(child.end(), 0, child.log())

    def test_upstream(self):
        child = self.boots("upstream", serves=NODE, health="169.254.20.10:8080")
        self.assertEqual((child.pod / "tmp/node-cache.pid").read_text(), f"{child.pid}\n")
        self.assertIn("forward . 10.96.0.11 {", (child.pod / "etc/Corefile").read_text())
        self.ends(child)

    def test_kubespray(self):
        """No template and a read-only Corefile, and a second instance at the same address."""
        first = self.boots("kubespray", serves=["169.254.25.10"], health="169.254.25.10:9254", errors=1)
        second = self.start("kubespray-secondary")
        harness.wait_for(lambda: not second.alive() or "CoreDNS-" in second.log(), 10, second.log)
        self.assertTrue(second.alive(), second.log())
        # Its 9353 is taken, and that is not fatal.
        self.assertIn("[ERROR] Failed to start metrics handler", second.log())
        self.assertEqual(self.get("http://169.254.25.10:9256/health"), (200, "OK\n"))
        for _ in range(8):
            self.assertTrue(self.serves("169.254.25.10"), second.log())
        self.ends(first)
        # It took interface and rules with it; the other puts them back.
        harness.wait_for(lambda: self.serves("169.254.25.10"), 5, f"the second instance\n{second.log()}")
        for _ in range(8):
            self.assertTrue(self.serves("169.254.25.10"), second.log())
        self.ends(second)

    def test_kops(self):
        self.ends(self.boots("kops", serves=["169.254.20.10"], health="169.254.20.10:3989"))

    def test_kops_ipv6(self):
        self.ends(self.boots("kops-ipv6", serves=["fd00:96::a"], health="[fd00:96::a]:3989"))

    def test_gardener(self):
        self.ends(self.boots("gardener", serves=NODE, health="169.254.20.10:8099"))

    def test_deliveryhero(self):
        self.ends(self.boots("deliveryhero", serves=["169.254.20.11", "127.0.0.1"], health=":8080"))

    def test_cilium(self):
        self.ends(self.boots("cilium", serves=["127.0.0.1", "169.254.20.10"], health=":8080"))

    def test_ibm(self):
        self.ends(self.boots("ibm", serves=NODE, health="169.254.20.10:8080"))

    def test_deckhouse(self):
        self.ends(self.boots("deckhouse", serves=NODE, health="127.0.0.1:9225", metrics="127.0.0.1:9254", errors=1))
