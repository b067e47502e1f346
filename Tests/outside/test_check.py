"""`ringlet check` and `ringlet explain`: what they say of a Corefile, and how they end."""

import os
import re
import subprocess

import harness

COREFILE = """(common) {
    errors
    cache 30
}
cluster.local:5353 {
    import common
    bind 127.0.0.1
    forward . 10.0.0.11 {
        force_tcp
    }
}
.:5353 {
    log
    import common
    bind 127.0.0.1 127.0.0.2
    forward a.test 10.1.0.1:54 10.1.0.2 {
        policy sequential
        except b.a.test
    }
    forward . tail
}
"""


class InspectCase(harness.OutsideCase):
    def inspect(self, *argv, code=0, env=None):
        """What the program says on standard output, or on standard error where it is to fail."""
        done = subprocess.run(
            [harness.BINARY, *argv], capture_output=True, text=True, timeout=10, cwd=self.directory,
            env={**os.environ, **(env or {})},
        )  # fmt: skip
        self.assertEqual(done.returncode, code, done)
        return done.stderr if code else done.stdout

    def setUp(self):
        super().setUp()
        self.write("Corefile", COREFILE)
        self.write("tail", "nameserver 10.2.0.1\n")

    def squeezed(self, text):
        return [re.sub(r"\s+", " ", line).strip() for line in text.splitlines()]


class Check(InspectCase):
    def test_blocks_and_order(self):
        """Blocks with zones and addresses; directives in the order they run, each with its line and what applies by default."""
        lines = self.squeezed(self.inspect("check", "Corefile"))
        self.assertEqual(
            lines[:8],
            [
                "5 cluster.local.:5353 on 127.0.0.1",
                "7 bind 127.0.0.1",
                "2 errors",
                "3 cache 30",
                "= 9984 answers for 5s to 30s; 9984 denials for 5s to 30s; failures for 5s",
                "8 forward . 10.0.0.11 { force_tcp }",
                "= 10.0.0.11:53 over TCP; connections idle for 10s; down after 3 failed checks, 500ms apart",
                "",
            ],
        )
        self.assertIn("12 .:5353 on 127.0.0.1, 127.0.0.2", lines)
        order = [line.split()[1] for line in lines[9:] if re.match(r"\d+ [a-z]", line)]
        self.assertEqual(order, ["bind", "errors", "log", "cache", "forward", "forward"])
        self.assertIn("16 forward a.test 10.1.0.1:54 10.1.0.2 { policy sequential; except b.a.test }", lines)
        self.assertRegex("\n".join(lines), r"= 10\.1\.0\.1:54, 10\.1\.0\.2:53 over the client's transport; policy sequential;")
        self.assertRegex("\n".join(lines), r"= 10\.2\.0\.1:53 over ")
        self.assertEqual(lines[-1], "Corefile: 2 blocks, 10 directives, 0 without effect")

    def test_default_file(self):
        """Without a name it is ./Corefile; -conf in any of Go's forms names another."""
        first = self.inspect("check")
        self.assertEqual(first, self.inspect("check", "-conf", "Corefile"))
        self.assertEqual(first, self.inspect("check", "--conf=Corefile"))

    def test_imported_lines(self):
        """A line of an imported file has that file's name."""
        self.write("more", "errors\n")
        self.write("Corefile", ".:0 {\n    import more\n    forward . 10.0.0.1\n}\n")
        self.assertIn("more:1 errors", self.squeezed(self.inspect("check", "Corefile")))

    def test_without_effect(self):
        """What is read and not done is listed with its place."""
        self.write("Corefile", ".:0 {\n    forward . 10.0.0.1 {\n        tls_servername a.test\n    }\n    debug\n}\n")
        said = self.inspect("check", "Corefile")
        self.assertRegex(said, r"\nCorefile:5 - debug .*no effect|\nCorefile:2 - forward: tls.*no effect")

    def test_errors(self):
        """An error as the server would give it, with file and line, and exit code 1."""
        for text, place in ((".:0 {\n    nonsense\n}\n", 2), (".:0 {\n    cache 0\n}\n", 2), (".:0 {\n\n", 1), (".:0 {\n forward . tls://10.0.0.1 {\n  tls /nosuch.pem\n }\n}\n", 3)):
            with self.subTest(text=text):
                self.write("Corefile", text)
                self.assertRegex(self.inspect("check", "Corefile", code=1), rf"^Corefile:{place} - ")
        self.write("Corefile", "# nothing\n")
        self.assertIn("no server block", self.inspect("check", "Corefile", code=1))
        self.assertIn("nosuchfile: No such file or directory", self.inspect("check", "nosuchfile", code=1))

    def test_interface(self):
        """An interface of the nodes need not be here; one that is here is resolved."""
        self.write("Corefile", ".:5353 {\n    bind lo nodelocaldns\n    forward . 10.0.0.1\n}\n")
        self.assertRegex(self.inspect("check", "Corefile"), r"on lo \(127\.0\.0\.1[^)]*\), nodelocaldns \(not on this machine\)")

    def test_usage(self):
        """Unknown flags and values end with 2, --help with 0; node-cache's help names both commands."""
        self.assertIn("--bogus", self.inspect("check", "--bogus", code=2))
        self.assertIn("ringlet check", self.inspect("check", "--help"))
        self.assertIn("ringlet explain", self.inspect("explain", "--help"))
        self.assertRegex(self.inspect("--help"), r"(?s)ringlet check FILE.*ringlet explain NAME")
        # Only as the first word.
        self.assertIn("extra command line arguments: [check]", self.inspect("-localip", "127.0.0.1", "check", code=1))


class Rendering(InspectCase):
    TEMPLATE = (
        "cluster.local:53 {\n    bind __PILLAR__LOCAL__DNS__\n    forward . __PILLAR__CLUSTER__DNS__ {\n        force_tcp\n    }\n"
        "    prometheus __PROMETHEUS__ENDPOINT__\n}\n.:53 {\n    forward . __PILLAR__UPSTREAM__SERVERS__ {\n  force_tcp\n  }\n}\n"
    )

    def setUp(self):
        super().setUp()
        self.write("base", self.TEMPLATE)
        os.mkdir(f"{self.directory}/kube-dns")
        self.write("kube-dns/upstreamNameservers", '["10.3.0.1"]')
        self.write("kube-dns/stubDomains", '{"stub.test": ["10.3.0.2"]}')
        self.env = {"KUBE_DNS_UPSTREAM_SERVICE_HOST": "10.0.0.11"}

    def test_rendered(self):
        """--rendered prints what the server would write, and nothing else."""
        flags = ("-localip", "169.254.20.10,10.0.0.10", "-kubednscm", "kube-dns", "-upstreamsvc", "kube-dns-upstream")
        said = self.inspect("check", "--rendered", "base", *flags, "-dns.port=54", env=self.env)
        self.assertEqual(
            said,
            "cluster.local:53 {\n    bind 169.254.20.10 10.0.0.10\n    forward . 10.0.0.11 {\n        force_tcp\n    }\n"
            "    prometheus :9253\n}\n.:53 {\n    forward . 10.3.0.1\n}\n\nstub.test:54 {\n    errors\n    cache 30\n"
            "    bind 169.254.20.10 10.0.0.10\n    forward . 10.3.0.2\n}\n",
        )
        self.assertEqual(said, self.inspect("check", "-basecorefile", "base", "--rendered", *flags, "-p", "54", env=self.env))

    def test_meaning_of_the_rendered(self):
        said = self.inspect("check", "base", "-localip=169.254.20.10", "-upstreamsvc=kube-dns-upstream", env=self.env)
        self.assertIn("cluster.local.:53 on 169.254.20.10\n", said)
        self.assertIn("base (rendered): 2 blocks", said)

    def test_errors(self):
        """Unknown cluster address, bad ConfigMap: exit 1 with the cause."""
        self.assertIn(
            "KUBE_DNS_UPSTREAM_SERVICE_HOST is not set",
            self.inspect("check", "base", "-localip", "10.0.0.1", "-upstreamsvc", "kube-dns-upstream", code=1),
        )
        self.write("kube-dns/upstreamNameservers", "nonsense")
        self.assertIn("base: upstreamNameservers: not the JSON", self.inspect("check", "base", "-kubednscm", "kube-dns", code=1))

    def test_placeholders_left(self):
        """The installer's own placeholder is told, with its line."""
        self.write("Corefile", "# a\n__PILLAR__DNS__DOMAIN__:5353 {\n    forward . 10.0.0.1\n}\n")
        self.assertIn("Corefile:2 - __PILLAR__DNS__DOMAIN__: only the installer", self.inspect("check", "Corefile"))


class Explain(InspectCase):
    def explain(self, *words):
        return self.squeezed(self.inspect("explain", *words))

    def test_longest_zone(self):
        """The block with the longest zone at each address, its cache and its forward, each with its place."""
        lines = self.explain("A.B.cluster.local")
        self.assertEqual(lines[0], "a.b.cluster.local. A")
        self.assertEqual(lines[1], "block cluster.local.:5353 on 127.0.0.1 (Corefile:5)")
        self.assertRegex(lines[2], r"^cache answers what it knows: .* \(Corefile:3\)$")
        self.assertRegex(lines[3], r"^forward asks 10\.0\.0\.11:53 over TCP; .* \(Corefile:8\)$")
        # 127.0.0.2 has no such zone.
        self.assertEqual(lines[4], "block .:5353 on 127.0.0.1, 127.0.0.2 (Corefile:12)")

    def test_first_forward_that_fits(self):
        self.assertRegex("\n".join(self.explain("x.a.test", "AAAA")), r"asks 10\.1\.0\.1:54, 10\.1\.0\.2:53 .*policy sequential.*Corefile:16")
        self.assertRegex("\n".join(self.explain("b.a.test", "-conf=Corefile")), r"asks 10\.2\.0\.1:53 .*Corefile:20")

    def test_parent_answers_ds(self):
        """DS belongs to the parent: the shortest zone but the root."""
        self.write("Corefile", "".join(f"{zone}:5353 {{\n    forward . 10.0.0.1\n}}\n" for zone in ("a.test", "test", ".")))
        self.assertIn("block test.:5353 on every address (Corefile:4)", self.explain("a.test", "DS"))
        self.assertIn("block a.test.:5353 on every address (Corefile:1)", self.explain("a.test"))

    def test_nobody(self):
        """No zone: REFUSED. No directive: SERVFAIL."""
        self.write("Corefile", "a.test:5353 {\n    errors\n}\n")
        self.assertEqual(self.explain("b.test")[1], "REFUSED on :5353: no block has a zone for it")
        self.assertEqual(self.explain("a.test")[2], "SERVFAIL no directive of the block answers it")

    def test_other_directives(self):
        """hosts, template and whoami end the way where they answer, and let it go on where they do not."""
        self.write(
            "Corefile",
            ".:5353 {\n    hosts {\n        10.0.0.1 a.test\n        fallthrough\n    }\n"
            "    template IN AAAA {\n        rcode NXDOMAIN\n    }\n    rewrite name a.test b.test\n    whoami\n}\n",
        )
        names = lambda *words: [line.split()[0] for line in self.explain(*words)[1:]]
        self.assertEqual(names("a.test", "AAAA"), ["block", "rewrite", "template"])
        self.assertEqual(names("a.test", "A"), ["block", "rewrite", "hosts", "whoami"])

    def test_directives_before_the_cache(self):
        """acl may end it, any ends questions for ANY alone."""
        self.write("Corefile", ".:5353 {\n    acl {\n        block net 10.0.0.0/8\n    }\n    any\n    cache\n    forward . 10.0.0.1\n}\n")
        names = lambda *words: [line.split()[0] for line in self.explain(*words)[1:]]
        self.assertEqual(names("a.test"), ["block", "acl", "cache", "forward"])
        self.assertEqual(names("a.test", "ANY"), ["block", "acl", "any"])

    def test_usage(self):
        self.inspect("explain", code=2)
        self.assertIn('"a..b" is no domain name', self.inspect("explain", "a..b", code=2))
        self.assertIn('"NONSENSE" is no record type', self.inspect("explain", "a", "NONSENSE", code=2))
        self.write("Corefile", "nonsense {")
        self.inspect("explain", "a", code=1)
