"""The process's outside: flags in Go's syntax, mistakes in the Corefile with file and line, signals, exit codes."""

import asyncio
import os
import random
import signal
import socket
import subprocess
import time

import clients
import dnswire
import harness
import peer

GOOD = "cluster.local:{port} {{\n    bind 127.0.0.1\n    forward . 127.0.0.1:9\n}}\n"


class ProcessCase(harness.OutsideCase):
    def run_to_end(self, *argv, seconds=5, **options):
        """(exit code, what it said) of a start that is to end by itself."""
        child = subprocess.Popen(
            [harness.BINARY, *argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
        )
        try:
            said = child.communicate(timeout=seconds)[0]
        except subprocess.TimeoutExpired:
            child.kill()
            self.fail(f"{argv} goes on: {child.communicate()[0]}")
        return child.returncode, said

    def flags(self, corefile, *more):
        return ["-localip", "127.0.0.1", "-conf", corefile, "-basecorefile", "/nonexistent", "-setupinterface=false",
                "-setupiptables=false", "-metrics-listen-address", f"127.0.0.1:{harness.free_port()}", *more]  # fmt: skip

    def start_with(self, text, **options):
        """What a start with this Corefile says before it ends with exit code 1."""
        self.corefile = self.write("Corefile", text)
        code, said = self.run_to_end(*self.flags(self.corefile, "-dns.port", str(harness.free_port())), **options)
        self.assertEqual(code, 1, said)
        return said


class CorefileErrors(ProcessCase):
    def test_unknown_directive(self):
        """A word that is no directive: CoreDNS's sentence, with file and line."""
        said = self.start_with("# comment\n.:0 {\n    errors\n    nonsense 1\n}\n")
        self.assertIn(f"{self.corefile}:4 - Error during parsing: Unknown directive 'nonsense'", said)

    def test_unknown_in_second_block(self):
        """The line counts through the whole file, CR and continuation of comments too."""
        said = self.start_with("a.test {\r\n    errors\r\n}\r\n\r\nb.test {\r\n    cache 30\r\n    wrong # {\r\n}\r\n")
        self.assertIn(f"{self.corefile}:7 - Error during parsing: Unknown directive 'wrong'", said)

    def test_known_but_missing(self):
        """A directive that CoreDNS has and node-cache lacks."""
        for directive in ("tls", "kubernetes", "autopath", "chaos"):
            with self.subTest(directive=directive):
                said = self.start_with(f".:0 {{\n    {directive}\n}}\n")
                self.assertIn(f"no action found for directive '{directive}' with server type 'dns' (missing a plugin?)", said)

    def test_bad_arguments(self):
        """Mistakes inside a directive are told with file and line."""
        for line in (
            "cache 30 {\n        success\n    }", "cache 30 {\n        success many\n    }", "cache 30 {\n        servfail 10m\n    }",
            "cache 30 {\n        prefetch 1 1m 95%\n    }", "cache 30 {\n        nonsense\n    }", "cache 30\n    cache 30", "forward", "forward .",
            "forward . nonsense", "forward . 127.0.0.1:99999", "forward . 127.0.0.1 {\n        policy nonsense\n    }",
            "forward . 127.0.0.1 {\n        max_concurrent many\n    }", "forward . 127.0.0.1 {\n        nonsense\n    }",
            "health {\n        lameduck soon\n    }", "reload often", "reload 1s", "bind", "bind nosuchinterface", "errors nowhere",
        ):  # fmt: skip
            with self.subTest(line=line):
                said = self.start_with(f".:0 {{\n    {line}\n}}\n")
                self.assertRegex(said, rf"{self.corefile}:[23] - ")

    def test_structure(self):
        """Braces that do not match, a quote without end, a missing import."""
        for text in (
            ".:0 {\n    errors\n",
            ".:0 {\n    errors\n}}\n",
            ".:0 {\n    errors {\n}\n",
            '.:0 {\n    log "a\n}\n',
            "import nosuchsnippet\n",
            "{\n}\n",
            ".:99999 {\n}\n",
            ".:abc {\n}\n",
        ):
            with self.subTest(text=text):
                self.start_with(text)

    def test_defined_twice(self):
        """The same zone on the same address and port."""
        said = self.start_with(
            "a.test:5300 {\n    bind 127.0.0.1\n    forward . 127.0.0.1:9\n}\nA.test:5300 {\n    bind 127.0.0.1\n    forward . 127.0.0.1:9\n}\n"
        )
        self.assertRegex(said, r"cannot serve .*a\.test\.:5300.* - it is already defined")

    def test_missing_file(self):
        """No Corefile at the path given."""
        code, said = self.run_to_end(*self.flags("/nonexistent/Corefile"))
        self.assertEqual(code, 1, said)

    def test_port_in_use(self):
        """A listener of another program without SO_REUSEPORT: bind failure, exit 1."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", 0))
            code, said = self.run_to_end(*self.flags(self.write("Corefile", GOOD.format(port=other.getsockname()[1]))))
        self.assertEqual(code, 1, said)
        self.assertIn("address already in use", said.lower())

    def test_noise(self):
        """Random bytes and mutated Corefiles: an error and exit 1, or a server, but no crash."""
        dice = random.Random(8)
        good = harness.corefile("127.0.0.1:9", port=0, more="log\nprometheus 127.0.0.1:0\nhealth 127.0.0.1:0").encode()
        children = []
        for n in range(60):
            text = bytearray(good)
            for _ in range(dice.randrange(1, 8)):
                at = dice.randrange(len(text))
                text[at : at + dice.randrange(3)] = dice.choice(
                    (dice.randbytes(2), b"{", b"}", b'"', b"\n", b"", b"{$X}", b"import *")
                )
            path = os.path.join(self.directory, f"noise{n}")
            with open(path, "wb") as f:
                f.write(text)
            argv = [harness.BINARY, *self.flags(path, "-dns.port", str(harness.free_port()))]
            children.append(
                (text, subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.directory))
            )
            if n % 10 == 9:
                time.sleep(0.3)
                for text, child in children:
                    if child.poll() is None:
                        child.kill()
                        child.wait(5)
                    else:
                        self.assertEqual(child.returncode, 1, bytes(text))
                children = []


class Accepted(ProcessCase):
    """What must be understood."""

    def serve(self, text, name="a.svc.cluster.local", env=None, **options):
        """Starts with the Corefile, in which @UP and @PORT are filled in, and asks it a question."""
        upstream = peer.Peer()
        self.addCleanup(upstream.stop)
        block = lambda port: text.replace("@UP", upstream.address).replace("@PORT", str(port))
        ringlet = self.start_ringlet_with(block, env=env, **options)
        reply = dnswire.decode(clients.ask(("127.0.0.1", ringlet.port), dnswire.query(name)))
        self.assertEqual(reply.data(dnswire.A), [peer.address_of(name)])
        return ringlet

    def test_grammar(self):
        """Quotes, comments after a token, snippets, imports, environment, several zones on one block, transport prefix, one line."""
        self.write("imported", "cache 30\n")
        for text in (
            '"cluster.local:@PORT" { # comment\n bind "127.0.0.1"#comment\n forward . @UP\n}\n',
            "(common) {\n    errors\n    cache 30\n}\ncluster.local:@PORT {\n    import common\n    bind 127.0.0.1\n    forward . @UP\n}\n",
            f"cluster.local:@PORT {{\n    import {self.directory}/imp*\n    bind 127.0.0.1\n    forward . @UP\n}}\n",
            "{$ZONE}:@PORT {\n    bind {%ADDRESS%}{$UNSET}\n    forward . @UP\n}\n",
            "a.test:@PORT, cluster.local:@PORT {\n    bind 127.0.0.1\n    forward . @UP\n}\n",
            "in-addr.arpa ip6.arpa cluster.local {\n    bind 127.0.0.1\n    forward . @UP {\n    }\n}\n",
            "dns://cluster.local:@PORT {\r\n    bind 127.0.0.1\r\n    forward . dns://@UP\r\n}\r\n",
            "CLUSTER.local.:@PORT {\n    bind 127.0.0.1\n    forward cluster.local @UP\n}",
        ):
            with self.subTest(text=text):
                self.serve(text, env={"ZONE": "cluster.local", "ADDRESS": "127.0.0.1"})

    def test_node_cache_corefile(self):
        """The Corefile of the stock manifest, filled in."""
        health, metrics = harness.free_port(), harness.free_port()
        block = (
            "@ZONE:@PORT {\n    errors\n    cache {\n        success 9984 30\n        denial 9984 5\n    }\n    reload\n    loop\n    bind 127.0.0.1\n"
            f"    forward . @UP {{\n        force_tcp\n    }}\n    prometheus 127.0.0.1:{metrics}\n@MORE}}\n"
        )
        text = "".join(
            block.replace("@ZONE", zone).replace("@MORE", f"    health 127.0.0.1:{health}\n" if zone == "cluster.local" else "")
            for zone in ("cluster.local", "in-addr.arpa", "ip6.arpa", ".")
        )
        self.serve(text)
        self.assertEqual(harness.http(health, "/health")[0], 200)
        self.assertEqual(harness.http(metrics, "/metrics")[0], 200)

    def test_cache_options(self):
        """All options of cache and forward are accepted."""
        self.serve(
            "cluster.local:@PORT {\n    bind 127.0.0.1\n    log . {\n        class denial error\n    }\n    errors stdout\n    reload 10s 5s\n"
            "    cache 60 cluster.local {\n        success 5000 60 5\n        denial 2000 10 5\n        prefetch 10 1m 10%\n        serve_stale 1h verify 500ms 30s 5s\n        serve_stale_policy prefer_positive\n"
            "        servfail 2s\n        disable denial example.com\n        keepttl\n    }\n"
            "    forward cluster.local @UP {\n        prefer_udp\n        expire 20s\n        max_fails 3\n        health_check 1s\n        policy round_robin\n"
            "        max_concurrent 1000\n        except not.cluster.local\n    }\n}\n"
        )

    def test_flags(self):
        """One dash or two, `=` or a space; flags without effect yet are accepted."""
        self.serve(
            "cluster.local {\n    bind 127.0.0.1\n    forward . @UP\n}\n",
            flags=("--upstreamsvc=kube-dns-upstream", "-kubednscm", "/nonexistent", "-interfacename=nodelocaldns", "--skipteardown", "-syncinterval", "10s",
                   "-health-port=8080", "-reloadwithsignal=false", "-quiet=false", "--cache-bytes", "4194304", "-pidfile", f"{self.directory}/pid"),
        )  # fmt: skip
        harness.wait_for(lambda: os.path.exists(f"{self.directory}/pid"), 2, "the pidfile")


class Flags(ProcessCase):
    def test_unknown_flag(self):
        """An unknown flag, a bad value, a missing value: message and usage, exit 2."""
        for argv in (
            ["-nosuchflag"],
            ["--nosuchflag=1"],
            ["-dns.port", "many"],
            ["-setupiptables=perhaps"],
            ["-dns.port"],
            ["-syncinterval", "soon"],
        ):
            with self.subTest(argv=argv):
                code, said = self.run_to_end(*self.flags("/nonexistent"), *argv)
                self.assertEqual(code, 2, said)
                self.assertIn("-localip", said)

    def test_unknown_flag_text(self):
        """Go's words."""
        self.assertIn("flag provided but not defined: -nosuchflag", self.run_to_end("-nosuchflag")[1])

    def test_leftover_words(self):
        """Words after the flags: exit 1."""
        code, said = self.run_to_end(*self.flags(self.write("Corefile", GOOD.format(port=1))), "extra")
        self.assertEqual(code, 1, said)

    def test_localip(self):
        """Missing, empty item, space, no address: exit 1, with what was wrong."""
        corefile = self.write("Corefile", GOOD.format(port=harness.free_port()))
        for value, shown in (("", ""), ("127.0.0.1,", ""), ("127.0.0.1, 127.0.0.2", " 127.0.0.2"), ("localhost", "localhost")):
            with self.subTest(value=value):
                code, said = self.run_to_end("-localip", value, *self.flags(corefile)[2:])
                self.assertEqual(code, 1, said)
                self.assertIn(f'invalid localip specified - "{shown}"', said)

    def test_version(self):
        """-version prints two lines and ends with 0."""
        code, said = self.run_to_end("-localip", "127.0.0.1", "-version", "-setupinterface=false", "-setupiptables=false")
        self.assertEqual(code, 0, said)
        lines = [line for line in said.splitlines() if "Starting node-cache" not in line]
        self.assertEqual(len(lines), 2, said)
        self.assertRegex(lines[0], r"^CoreDNS-\d")

    def test_plugins(self):
        """-plugins lists what may stand in a Corefile and ends with 0."""
        code, said = self.run_to_end("-localip", "127.0.0.1", "-plugins", "-setupinterface=false", "-setupiptables=false")
        self.assertEqual(code, 0, said)
        for name in ("cache", "forward", "errors"):
            self.assertIn(name, said)


class Signals(ProcessCase):
    def ringlet(self):
        return self.start_ringlet(f"127.0.0.1:{harness.free_port()}")

    def ends_with_zero(self, sign, seconds=5.5):
        child = harness.Ringlet(self.directory, lambda port: harness.corefile("127.0.0.1:9", port=port)).wait_ready()
        self.assertEqual(child.end(sign, seconds), 0, child.log())

    def test_term(self):
        """SIGTERM ends it with 0."""
        self.ends_with_zero(signal.SIGTERM)

    def test_int(self):
        """SIGINT ends it with 0."""
        self.ends_with_zero(signal.SIGINT)

    def test_quit(self):
        """SIGQUIT ends it with 0, at once."""
        self.ends_with_zero(signal.SIGQUIT, 2)

    def test_hup(self):
        """SIGHUP is ignored."""
        ringlet = self.ringlet()
        os.kill(ringlet.pid, signal.SIGHUP)
        time.sleep(0.2)
        self.assertTrue(harness.answers(("127.0.0.1", ringlet.port), dnswire.header(1, 0)))

    def test_pipe(self):
        """A reader of its output that goes away does not end it."""
        ringlet = self.ringlet()
        os.kill(ringlet.pid, signal.SIGPIPE)
        time.sleep(0.2)
        self.assertTrue(harness.answers(("127.0.0.1", ringlet.port), dnswire.header(1, 0)))

    def test_term_answers_first(self):
        """Questions in flight at SIGTERM are answered before the end."""

        async def slow(asked):
            await asyncio.sleep(0.5)
            asked.send(asked.address())

        upstream = peer.Peer(slow)
        self.addCleanup(upstream.stop)
        child = harness.Ringlet(self.directory, lambda port: harness.corefile(upstream.address, port=port)).wait_ready()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(3)
            s.connect(("127.0.0.1", child.port))
            s.send(dnswire.query("slow.svc.cluster.local"))
            harness.wait_for(lambda: upstream.asked, 2, "the question upstream")
            os.kill(child.pid, signal.SIGTERM)
            self.assertEqual(dnswire.decode(s.recv(512)).data(dnswire.A), [peer.address_of("slow.svc.cluster.local")])
        self.assertEqual(child.end(seconds=6), 0)
