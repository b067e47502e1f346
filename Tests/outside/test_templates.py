"""Templates and ConfigMaps: what -conf holds after a start and after changes, when it is picked up, and what goes on when
something is wrong."""

import os
import pathlib
import signal
import subprocess
import time

import clients
import configmap
import dnswire
import harness
import peer

# Seconds: far below the 10 of the poll, so that most changes of a test would be late without inotify.
SOON = 4

# As the stock manifest has it, on loopback: its four blocks, each on a port of its own zone.
TEMPLATE = """# node-local
@ZONE:@PORT {
    errors
    cache {
        success 9984 30
        denial 9984 5
    }
    @RELOAD
    bind __PILLAR__LOCAL__DNS__ __PILLAR__DNS__SERVER__
    forward . __PILLAR__CLUSTER__DNS__:@UPSTREAM {
        force_tcp
    }
    prometheus __PROMETHEUS__ENDPOINT__
}
.:@PORT {
    errors
    bind __PILLAR__LOCAL__DNS__
    forward . __PILLAR__UPSTREAM__SERVERS__ {
            force_tcp
    }
}
"""


class TemplateCase(harness.OutsideCase):
    def setUp(self):
        super().setUp()
        self.peer = peer.Peer()
        self.addCleanup(self.peer.stop)
        self.port, self.setup_port, self.metrics_port = (harness.free_port() for _ in range(3))
        self.corefile = pathlib.Path(self.directory, "Corefile")

    def template(self, reload=""):
        text = TEMPLATE.replace("@ZONE", "cluster.local").replace("@PORT", str(self.port)).replace("@RELOAD", reload)
        return text.replace("@UPSTREAM", self.peer.address.split(":")[1])

    def argv(self, *more, mount="coredns", conf=None):
        return [harness.BINARY, "-localip", "127.0.0.1,127.0.0.2", "-conf", conf or str(self.corefile),
                "-basecorefile", f"{self.directory}/{mount}/Corefile.base", "-kubednscm", f"{self.directory}/kube-dns",
                "-upstreamsvc", "kube-dns-upstream", "-dns.port", str(self.port), "-setupinterface=false",
                "-setupiptables=false", "-metrics-listen-address", f"127.0.0.1:{self.setup_port}",
                "-prometheus-listen-address", f"127.0.0.1:{self.metrics_port}", "-shards", "1", *more]  # fmt: skip

    def start(self, *more, env=None, **where):
        environment = {**os.environ, "KUBE_DNS_UPSTREAM_SERVICE_HOST": "127.0.0.1", **(env or {})}
        child = harness.Process(self.argv(*more, **where), os.path.join(self.directory, "log"), env=environment)
        self.addCleanup(self.stop, child)
        probe = dnswire.header(1, 0)
        harness.wait_for(
            lambda: not child.alive() or harness.answers(("127.0.0.1", self.port), probe), 10, "the first answer"
        )
        self.assertTrue(child.alive(), child.log())
        return child

    def stop(self, child):
        self.assertTrue(child.alive(), child.log())
        self.assertEqual(child.end(), 0)

    def errors(self):
        return harness.scrape(self.setup_port).sum("coredns_nodecache_setup_errors_total", errortype="configmap")

    def wait_for_text(self, text, seconds=SOON):
        harness.wait_for(lambda: text in self.corefile.read_text(), seconds, f"{text!r} in the Corefile")

    def ask(self, name, address="127.0.0.1"):
        return dnswire.decode(clients.ask((address, self.port), dnswire.query(name)))


class Start(TemplateCase):
    def test_tokens(self):
        """Every token is replaced, the file written and logged, and it serves on both addresses."""
        configmap.Mount(f"{self.directory}/coredns", Corefile__base=self.template())
        child = self.start()
        text = self.corefile.read_text()
        self.assertNotIn("__", text)
        self.assertIn("bind 127.0.0.1 127.0.0.2 \n", text)
        self.assertIn(f"forward . 127.0.0.1:{self.peer.address.split(':')[1]} {{", text)
        self.assertIn("forward . /etc/resolv.conf {", text)
        self.assertIn(f"prometheus 127.0.0.1:{self.metrics_port}\n", text)
        log = child.log()
        self.assertIn("[INFO] Updated Corefile with 0 custom stubdomains and upstream servers /etc/resolv.conf", log)
        self.assertIn(f"[INFO] Using config file:\n{text}", log)
        for address in ("127.0.0.1", "127.0.0.2"):
            self.assertEqual(self.ask("a.cluster.local", address).data(dnswire.A), [peer.address_of("a.cluster.local")])
        self.assertEqual(harness.http(self.metrics_port, "/metrics")[0], 200)
        self.assertEqual(self.errors(), 0)

    def test_config_map(self):
        """Stub domains and upstream servers are there from the start, and asked."""
        configmap.Mount(f"{self.directory}/coredns", Corefile__base=self.template())
        configmap.Mount(
            f"{self.directory}/kube-dns",
            stubDomains=f'{{"stub.test": ["{self.peer.address}"], "a.test": ["[::1]:5353"]}}',
            upstreamNameservers=f'["{self.peer.address}"]',
        )
        child = self.start()
        text = self.corefile.read_text()
        self.assertLess(text.index(f"a.test:{self.port} {{"), text.index(f"stub.test:{self.port} {{"))
        self.assertIn("forward . [::1]:5353\n", text)
        self.assertIn(f"[INFO] Updated Corefile with 2 custom stubdomains and upstream servers {self.peer.address}", child.log())
        for name, transport in (("x.stub.test", "udp"), ("example.org", "udp"), ("a.cluster.local", "tcp")):
            self.assertEqual(self.ask(name).data(dnswire.A), [peer.address_of(name)])
            self.assertEqual([a.transport for a in self.peer.asked if a.name == name], [transport], name)

    def test_no_template(self):
        """kubespray: no template and a Corefile that cannot be written. One ERROR, one count, and service."""
        os.mkdir(f"{self.directory}/coredns")
        self.corefile.write_text(f".:{self.port} {{\n    bind 127.0.0.1\n    forward . {self.peer.address}\n}}\n")
        child = self.start("-kubednscm", f"{self.directory}/none")
        self.assertEqual(child.log().count("[ERROR]"), 1, child.log())
        self.assertIn("[ERROR] Failed to read node-cache coreFile", child.log())
        self.assertEqual(self.errors(), 1)
        self.assertEqual(self.ask("a.test").data(dnswire.A), [peer.address_of("a.test")])

    def test_read_only(self):
        """A rendering that cannot be written: an ERROR, a count, and the file that is there is served."""
        configmap.Mount(f"{self.directory}/coredns", Corefile__base=self.template())
        os.mkdir(f"{self.directory}/ro")
        there = f".:{self.port} {{\n    bind 127.0.0.1\n    forward . {self.peer.address}\n}}\n"
        self.write("ro/Corefile", there)
        mounted = f"{self.directory}/ro"
        script = f'mount --bind "{mounted}" "{mounted}" && mount -o remount,ro,bind "{mounted}" && exec "$@"'
        real = self.argv
        self.argv = lambda *more, **where: ["unshare", "-m", "sh", "-c", script, "sh", *real(*more, **where)]
        child = self.start(conf=f"{mounted}/Corefile")
        self.assertIn(f"[ERROR] Failed to write config file {mounted}/Corefile - err open {mounted}/Corefile: Read-only", child.log())
        self.assertEqual(self.errors(), 1)
        self.assertEqual(self.ask("a.test").data(dnswire.A), [peer.address_of("a.test")])
        self.assertEqual(pathlib.Path(mounted, "Corefile").read_text(), there)

    def test_unknown_service(self):
        """No address of the upstream service: the variable is named, not <nil> written."""
        configmap.Mount(f"{self.directory}/coredns", Corefile__base=self.template())
        argv = self.argv("-upstreamsvc", "no-such-svc")
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10)
        self.assertEqual(done.returncode, 1, done)
        self.assertRegex(done.stderr, r"\[WARNING\] -upstreamsvc: .*NO_SUCH_SVC_SERVICE_HOST is not set")
        self.assertRegex(done.stderr, r"\[ERROR\] Failed to render .*NO_SUCH_SVC_SERVICE_HOST is not set")
        self.assertFalse(self.corefile.exists())

    def test_unwritable_conf(self):
        """A template without a file to write to is not used, and says so."""
        configmap.Mount(f"{self.directory}/coredns", Corefile__base=self.template())
        text = f".:{self.port} {{\n    bind 127.0.0.1\n    whoami\n}}\n".replace("    whoami\n", f"    forward . {self.peer.address}\n")
        argv = self.argv(conf="stdin")
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
            try:
                child.stdin.write(text)
                child.stdin.close()
                harness.wait_for(lambda: harness.answers(("127.0.0.1", self.port), dnswire.header(1, 0)), 10, "the first answer")
                self.assertEqual(self.errors(), 1)
            finally:
                child.terminate()
            self.assertIn("a template needs the path of a file to write", child.stdout.read())
        self.assertFalse(os.path.exists("stdin"))


class Changes(TemplateCase):
    def start_mounted(self, *more, reload="", **values):
        self.coredns = configmap.Mount(f"{self.directory}/coredns", Corefile__base=self.template(reload))
        self.kube_dns = configmap.Mount(f"{self.directory}/kube-dns", **values)
        return self.start(*more)

    def test_swaps(self):
        """A swap of either ConfigMap is rendered at once; one that says the same is not written again."""
        child = self.start_mounted()
        time.sleep(0.2)
        start = time.monotonic()
        self.kube_dns.set(stubDomains='{"stub.test": ["127.0.0.1:9"]}')
        self.wait_for_text("stub.test")
        self.report(f"from the swap of a ConfigMap to the new Corefile {1000 * (time.monotonic() - start):.0f} ms")
        self.coredns.set(Corefile__base=self.template().replace("# node-local", "# changed"))
        self.wait_for_text("# changed")
        self.assertIn("stub.test", self.corefile.read_text())
        written = os.stat(self.corefile).st_mtime_ns
        logged = child.log().count("Updated Corefile")
        self.kube_dns.set(stubDomains='{ "stub.test": ["127.0.0.1:9"] }', other="x")
        time.sleep(1)
        self.assertEqual(os.stat(self.corefile).st_mtime_ns, written)
        self.assertEqual(child.log().count("Updated Corefile"), logged)
        self.kube_dns.set()
        harness.wait_for(lambda: "stub.test" not in self.corefile.read_text(), SOON, "the defaults")
        self.assertEqual(self.errors(), 0)

    def test_plain_files(self):
        """Files that are edited in place, and files that are replaced by a rename."""
        os.mkdir(f"{self.directory}/coredns")
        self.write("coredns/Corefile.base", self.template())
        self.start()
        self.write("coredns/Corefile.base", self.template().replace("# node-local", "# in place"))
        self.wait_for_text("# in place")
        self.write("coredns/coming", self.template().replace("# node-local", "# renamed"))
        os.rename(f"{self.directory}/coredns/coming", f"{self.directory}/coredns/Corefile.base")
        self.wait_for_text("# renamed")

    def test_late_directory(self):
        """A ConfigMap that is made after the start is found by the poll; its next change at once."""
        configmap.Mount(f"{self.directory}/coredns", Corefile__base=self.template())
        self.start()
        late = configmap.Mount(f"{self.directory}/kube-dns", stubDomains='{"late.test": ["127.0.0.1:9"]}')
        self.wait_for_text("late.test", 11)
        late.set(stubDomains='{"later.test": ["127.0.0.1:9"]}')
        self.wait_for_text("later.test")

    def test_bad_values(self):
        """A bad key: nothing of the ConfigMap is used, the last good one stays, one ERROR and one count for each update."""
        child = self.start_mounted(stubDomains='{"good.test": ["127.0.0.1:9"]}')
        before = self.corefile.read_text()
        bad = [
            dict(stubDomains='{"other.test": ["127.0.0.1:9"]}', upstreamNameservers='["nonsense"]'),
            dict(stubDomains='{"Bad_": ["127.0.0.1"]}'),
            dict(stubDomains="{"),
            dict(stubDomains='{"a.test": ["names.are.no.files"]}'),
            dict(upstreamNameservers='["127.0.0.1","127.0.0.2","127.0.0.3","127.0.0.4"]'),
            dict(upstreamNameservers=b'["\xff"]'),
            dict(stubDomains='{"cluster.local": ["127.0.0.1"]}'),  # a zone the template serves already
        ]
        for count, values in enumerate(bad, 1):
            self.kube_dns.set(**values)
            harness.wait_for(lambda: self.errors() == count, SOON, f"the error of {values}")
            self.assertEqual(self.corefile.read_text(), before)
        log = child.log()
        self.assertEqual(log.count("[ERROR] Ignored kube-dns ConfigMap"), len(bad), log)
        self.assertIn('upstreamNameservers: "nonsense" is not IP or IP:port', log)
        self.assertRegex(log, r"cannot serve dns://cluster\.local\.:\d+ on 127\.0\.0\.1 - it is already defined")
        self.kube_dns.set(stubDomains='{"good2.test": ["127.0.0.1:9"]}')
        self.wait_for_text("good2.test")
        self.assertEqual(self.errors(), len(bad))

    def test_template_lost_and_found(self):
        """A template that goes leaves the last file; its return is rendered."""
        child = self.start_mounted()
        before = self.corefile.read_text()
        self.coredns.set()
        harness.wait_for(lambda: self.errors() == 1, SOON, "the error")
        self.assertEqual(self.corefile.read_text(), before)
        self.coredns.set(Corefile__base=b"\xff" + self.template().encode())
        harness.wait_for(lambda: self.errors() == 2, SOON, "the second error")
        self.coredns.set(Corefile__base=self.template() + "# back\n")
        self.wait_for_text("# back")
        self.assertEqual(child.log().count("[ERROR]"), 2, child.log())


class Reload(TemplateCase):
    """What follows a changed Corefile. (New settings in running shards: another test.)"""

    def start_reloading(self, *more, reload=""):
        self.coredns = configmap.Mount(f"{self.directory}/coredns", Corefile__base=self.template(reload))
        return self.start(*more)

    def wait_for_log(self, child, text, seconds=SOON):
        harness.wait_for(lambda: text in child.log(), seconds, f"{text!r} in the log")

    def test_with_signal(self):
        """-reloadwithsignal: each rewrite is followed by a reload at once; without it none is."""
        child = self.start_reloading("-reloadwithsignal")
        self.assertNotIn("Reloading", child.log())
        self.coredns.set(Corefile__base=self.template() + f"new.test:{self.port} {{\n bind 127.0.0.1\n forward . 127.0.0.1\n}}\n")
        self.wait_for_log(child, "[INFO] Reloading\n")

    def test_without_signal(self):
        child = self.start_reloading()
        self.coredns.set(Corefile__base=self.template() + "# new\n")
        self.wait_for_text("# new")
        time.sleep(0.3)
        self.assertNotIn("Reloading", child.log())

    def test_signal(self):
        """SIGUSR1 with the same Corefile, with a bad one, without one: the server goes on, failures are counted."""
        child = self.start_reloading()
        os.kill(child.pid, signal.SIGUSR1)
        self.wait_for_log(child, "[INFO] Reloading complete\n")
        failed = lambda: harness.scrape(self.setup_port).sum("coredns_reload_failed_total")
        self.assertEqual(failed(), 0)
        self.corefile.write_text(".:53 {\n    nonsense\n}\n")
        os.kill(child.pid, signal.SIGUSR1)
        self.wait_for_log(child, f"[ERROR] SIGUSR1: {self.corefile}:2 - Error during parsing: Unknown directive 'nonsense'")
        self.corefile.unlink()
        os.kill(child.pid, signal.SIGUSR1)
        self.wait_for_log(child, "No such file or directory")
        self.assertEqual(failed(), 2)
        self.assertEqual(self.ask("a.cluster.local").data(dnswire.A), [peer.address_of("a.cluster.local")])

    def test_directive(self):
        """reload: comments are no change; a change is; a bad file is told once."""
        child = self.start_reloading(reload="reload 2s 1s")
        good = self.corefile.read_text()
        self.corefile.write_text(good + "# comment\n")
        time.sleep(3)
        self.assertNotIn("Reloading", child.log())
        self.corefile.write_text(good + "nonsense\n{")
        self.wait_for_log(child, "[ERROR] plugin/reload: Corefile changed but reload failed: ", 4)
        time.sleep(3)
        self.assertEqual(child.log().count("Corefile changed but reload failed"), 1)
        self.corefile.write_text(good + f"new.test:{self.port} {{\n bind 127.0.0.1\n forward . 127.0.0.1\n}}\n")
        harness.wait_for(lambda: child.log().count("[INFO] Reloading\n") == 2, 4, "the reload")
