"""Processes for the outside tests: ringlet, nsd, network namespaces, and what /proc and /metrics say of them.

Every process is ended by its own id, every wait has a bound, and nothing leaves loopback or a namespace of our own.
Environment: RINGLET the binary (default .build/release/ringlet), RINGLET_RING the ring it is to use (io_uring, epoll, auto, the
default, or forbidden: auto where a seccomp filter forbids io_uring), RINGLET_QUICK=1 for shorter loads, RINGLET_RATE queries a second
(5000) under which reloads and upgrades happen.
"""

import collections
import contextlib
import ctypes
import functools
import itertools
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

import dnswire
import zone

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("RINGLET", str(ROOT / ".build/release/ringlet"))
RINGPERF = os.environ.get("RINGPERF", str(ROOT / ".build/release/ringperf"))
RING = os.environ.get("RINGLET_RING", "auto")
IS_ON_EPOLL = RING in ("epoll", "forbidden")
QUICK = bool(os.environ.get("RINGLET_QUICK"))
IO_URING = (425, 426, 427)  # io_uring_setup, _enter and _register, on every architecture
COUNT = itertools.count()
TICK = os.sysconf("SC_CLK_TCK")

RATE = os.environ.get("RINGLET_RATE", "5000")  # queries a second under which reloads and upgrades happen

resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
_ports = iter(random.sample(range(20000, 32000), 12000))
_reserved = []  # a socket for each port given away


def free_port():
    """A port that neither UDP nor TCP uses on loopback, below the range from which the kernel gives ports to clients. An
    abstract socket of the port's name keeps it from other test processes, for SO_REUSEPORT would let two servers share it."""
    for port in _ports:
        mark = socket.socket(socket.AF_UNIX)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
            try:
                mark.bind(f"\0ringlet-outside-{port}")
                udp.bind(("127.0.0.1", port))
                tcp.bind(("127.0.0.1", port))
            except OSError:
                mark.close()
                continue
        _reserved.append(mark)
        return port
    raise RuntimeError("no free port")


def wait_for(condition, seconds, what, pause=0.005):
    """The first true value of `condition()`; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(pause)


def run(*argv, seconds=30, env=None, check=True):
    """Runs a program to its end and returns its output; fails when it fails."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=seconds, env={**os.environ, **(env or {})})
    if check and done.returncode:
        raise AssertionError(f"{' '.join(argv)}: exit {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def descendants(pid):
    """Ids of the children of a process, and of theirs."""
    parents = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            stat = pathlib.Path(f"/proc/{entry}/stat").read_text()
            parents[int(entry)] = int(stat.rpartition(")")[2].split()[1])
    found = [pid]
    for parent in found:
        found += [child for child, its_parent in parents.items() if its_parent == parent]
    return found[1:]


def stop_still(pid):
    """SIGSTOP, and until no thread of the process runs: the signal is sent before it is obeyed."""
    os.kill(pid, signal.SIGSTOP)

    def stands(stat):
        return stat.read_text().rpartition(")")[2].split()[0] == "T"

    wait_for(lambda: all(map(stands, pathlib.Path(f"/proc/{pid}/task").glob("*/stat"))), 5, f"{pid} to stand still")


class Process:
    """A program with its output in a file."""

    def __init__(self, argv, log, **options):
        self.argv, self.log_path = argv, log
        with open(log, "wb") as out:
            self.child = subprocess.Popen(argv, stdout=out, stderr=subprocess.STDOUT, **options)
        self.pid = self.child.pid

    def log(self):
        return pathlib.Path(self.log_path).read_text(errors="replace")

    def alive(self):
        return self.child.poll() is None

    def end(self, sign=signal.SIGTERM, seconds=8):
        """Signals the process, waits for its end (then kills it), and returns the exit code."""
        if self.alive():
            self.child.send_signal(sign)
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait(5)
            raise AssertionError(f"{self.argv[0]} did not end within {seconds} s of signal {sign}:\n{self.log()[-2000:]}")

    def _status(self, key):
        return int(re.search(rf"^{key}:\s+(\d+)", pathlib.Path(f"/proc/{self.pid}/status").read_text(), re.M).group(1))

    @property
    def rss_kib(self):
        return self._status("VmRSS")

    @property
    def own_kib(self):
        """Of that, what the process itself has written: not the pages of code, which come as they are called."""
        return self._status("RssAnon") + self._status("RssShmem")

    @property
    def threads(self):
        return [int(t) for t in os.listdir(f"/proc/{self.pid}/task")]

    def cpu_seconds(self, thread=None):
        """CPU used so far by the process, or by one of its threads."""
        path = f"/proc/{self.pid}/task/{thread}/stat" if thread else f"/proc/{self.pid}/stat"
        fields = pathlib.Path(path).read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def udp_drops(self):
        """Datagrams the kernel dropped at a full buffer, in or out, in the process's network namespace."""
        total = 0
        for path in ("snmp", "snmp6"):
            text = pathlib.Path(f"/proc/{self.pid}/net/{path}").read_text()
            if path == "snmp6":
                total += sum(int(n) for n in re.findall(r"^Udp6(?:Rcv|Snd)bufErrors\s+(\d+)", text, re.M))
            else:
                keys, values = (line.split()[1:] for line in text.splitlines() if line.startswith("Udp:"))
                counters = dict(zip(keys, map(int, values)))
                total += counters["RcvbufErrors"] + counters["SndbufErrors"]
        return total


def corefile(upstream, *, port, domain="cluster.local", bind=("127.0.0.1",), options="force_tcp", cache=None, more=""):
    """A server block as node-local installations write it. `options` go into `forward`, `more` into the block."""
    cache = cache or "cache {\n        success 9984 30\n        denial 9984 5\n    }"
    inner = "".join(f"        {line}\n" for line in options.split("\n") if line)
    return (
        f"{domain}:{port} {{\n    errors\n    {cache}\n    bind {' '.join(bind)}\n    forward . {upstream} {{\n{inner}    }}\n"
        + "".join(f"    {line}\n" for line in more.split("\n") if line)
        + "}\n"
    )


class Ringlet(Process):
    """The server under test. `block` gives the server blocks when told the port to serve; the kernel answers an errno of
    `forbidden`, (name, numbers), to the system calls of these numbers. `like` is another whose ports and Corefile it
    has; `limits` is a command to run it by, as prlimit(1); `passing` are descriptors that it inherits."""

    def __init__(
        self,
        directory,
        block,
        *,
        port=None,
        shards=1,
        addresses=("127.0.0.1",),
        flags=(),
        env=None,
        netns=None,
        ring=None,
        forbidden=None,
        like=None,
        command=(),
        limits=(),
        passing=(),
    ):
        if ring is None and RING == "forbidden":
            ring, forbidden = "auto", ("EPERM", IO_URING)
        self.port = port or free_port()
        self.addresses, self.netns, self.shards = addresses, netns, shards
        self.setup_port = free_port()
        self.corefile = os.path.join(directory, f"Corefile.{self.port}")
        if like:
            self.port, self.setup_port, self.corefile = like.port, like.setup_port, like.corefile
        else:
            pathlib.Path(self.corefile).write_text(block(self.port))
        argv = ["ip", "netns", "exec", netns] if netns else []
        argv += limits
        if forbidden:
            code, numbers = forbidden
            argv += [sys.executable, str(ROOT / "Tests/outside/forbid.py"), code, ",".join(map(str, numbers))]
        argv += [BINARY, *command, "-localip", "127.0.0.1", "-conf", self.corefile, "-basecorefile", "/nonexistent"]
        argv += ["-dns.port", str(self.port), "-setupinterface=false", "-setupiptables=false"]
        argv += ["-metrics-listen-address", f"127.0.0.1:{self.setup_port}", "--shards", str(shards), "--ring", ring or RING, *flags]
        self.started, self.is_over = time.monotonic(), False
        log = os.path.join(directory, f"ringlet.{self.port}.{next(COUNT)}.log")
        super().__init__(argv, log, env={**os.environ, **(env or {})}, pass_fds=passing)

    def wait_ready(self):
        """Until each address answers over UDP and accepts over TCP. The probe is a bare header: FORMERR, no upstream."""
        probe = dnswire.header(1, 0)
        for address in self.addresses:
            if self.netns:
                wait_for(lambda: self.alive_or_fail() and dig_in(self.netns, address, self.port), 10, "the first answer")
            else:
                wait_for(lambda: self.alive_or_fail() and answers((address, self.port), probe), 10, "the first answer")
                wait_for(lambda: accepts((address, self.port)), 10, "the TCP listener")
        return self

    @property
    def ceiling_kib(self):
        """What `own_kib` comes to at most, as /metrics has it."""
        return int(scrape(self.setup_port).sum("ringlet_memory_ceiling_bytes")) >> 10

    def alive_or_fail(self):
        if not self.alive():
            raise AssertionError(f"ringlet ended with {self.child.returncode}:\n{self.log()[-3000:]}")
        return True

    def ended(self, seconds=10):
        """The exit code of one that a test has ended."""
        self.is_over = True
        return self.child.wait(seconds)

    def stop(self):
        """Ends it, unless a test has, and holds it to exit code 0 (spec a.8); a crash before this shows here."""
        if self.is_over:
            return
        self.alive_or_fail()
        self.is_over = True
        code = self.end()
        if code:
            raise AssertionError(f"ringlet ended with {code} on SIGTERM:\n{self.log()[-3000:]}")


def answers(address, packet, timeout=0.2):
    """Whether a datagram to `address` is answered."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(timeout)
        s.connect(address)
        try:
            s.send(packet)
            return bool(s.recv(65535))
        except OSError:
            return False


def dig_in(netns, address, port):
    """Whether a server in a namespace answers for the zone."""
    dig = ["dig", f"@{address}", "-p", str(port), "+tries=1", "+time=1", "+short", zone.DOMAIN, "SOA"]
    return run("ip", "netns", "exec", netns, *dig, check=False).startswith("ns.dns")


def accepts(address):
    """Whether a TCP connection to `address` is accepted."""
    try:
        socket.create_connection(address, 1).close()
        return True
    except OSError:
        return False


class Nsd(Process):
    """nsd with the zone of `zone.py`."""

    def __init__(self, directory, port=None, netns=None, addresses=("127.0.0.1",)):
        self.port = port or free_port()
        home = pathlib.Path(tempfile.mkdtemp(dir=directory))
        (home / "cluster.zone").write_text(zone.text())
        (home / "nsd.conf").write_text(
            "server:\n"
            + "".join(f" ip-address: {address}\n" for address in addresses)
            + f' port: {self.port}\n server-count: 1\n username: root\n zonesdir: {home}\n database: ""\n'
            f" pidfile: {home}/nsd.pid\n xfrdfile: {home}/xfrd.state\n zonelistfile: {home}/zone.list\n tcp-count: 500\n tcp-query-count: 0\n"
            " rrl-ratelimit: 0\nremote-control:\n control-enable: no\nzone:\n name: cluster.local\n zonefile: cluster.zone\n"
        )
        self.home, self.netns = home, netns
        prefix = ["ip", "netns", "exec", netns] if netns else []
        self.command = [*prefix, "nsd", "-d", "-c", str(home / "nsd.conf")]
        self.start()

    def start(self):
        super().__init__(self.command, str(self.home / "log"))

    def wait_ready(self):
        probe = dnswire.query("cluster.local", dnswire.SOA)
        if self.netns:
            wait_for(lambda: dig_in(self.netns, "127.0.0.1", self.port), 10, "nsd")
        else:
            wait_for(lambda: answers(("127.0.0.1", self.port), probe), 10, "nsd")
        return self

    def kill(self):
        """SIGKILL to it and to each of its children."""
        for pid in [self.pid, *descendants(self.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.child.wait(5)

    def stop(self):
        if self.alive():
            self.end()


@contextlib.contextmanager
def network_namespace(resolv_conf=None):
    """A network namespace with loopback up and its own /etc/resolv.conf; its name."""
    name = f"ringlet-{os.getpid()}-{time.monotonic_ns()}"
    etc = pathlib.Path("/etc/netns") / name
    run("ip", "netns", "add", name)
    try:
        run("ip", "-n", name, "link", "set", "lo", "up")
        if resolv_conf:
            etc.mkdir(parents=True)
            (etc / "resolv.conf").write_text(resolv_conf)
            (etc / "nsswitch.conf").write_text("hosts: files dns\n")
            (etc / "hosts").write_text("127.0.0.1 localhost\n")
        yield name
    finally:
        shutil.rmtree(etc, ignore_errors=True)
        run("ip", "netns", "del", name)


class Metrics:
    """One scrape in Prometheus text form."""

    SAMPLE = re.compile(
        r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\.)*",?)*)\})? (\S+)(?: \d+)?'
    )
    LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\.)*)"')

    def __init__(self, text):
        self.text, self.samples, self.types = text, {}, {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                if name in self.types:
                    raise AssertionError(f"a second {line}")
                self.types[name] = kind
            elif line and not line.startswith("#"):
                match = self.SAMPLE.fullmatch(line)
                if not match:
                    raise AssertionError(f"no sample: {line!r}")
                key = match[1], frozenset(self.LABEL.findall(match[2] or ""))
                if key in self.samples:
                    raise AssertionError(f"a second sample of {line!r}")
                self.samples[key] = float(match[3])

    def series(self, name, **labels):
        """{labels: value} of the samples of `name` that carry all of `labels`."""
        wanted = set(labels.items())
        return {frozen: value for (n, frozen), value in self.samples.items() if n == name and wanted <= frozen}

    def sum(self, name, **labels):
        return sum(self.series(name, **labels).values())


def http(port, path, timeout=3):
    """(status, content type, body) of GET."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=timeout) as reply:
            return reply.status, reply.headers.get("Content-Type"), reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get("Content-Type"), error.read().decode()


def scrape(port):
    status, _, body = http(port, "/metrics")
    if status != 200:
        raise AssertionError(f"/metrics: {status}")
    return Metrics(body)


DnsperfResult = collections.namedtuple("DnsperfResult", "sent completed lost rcodes qps text")


def dnsperf(port, data, *options, address="127.0.0.1", netns=None, seconds=60):
    """Runs dnsperf over the queries of the file `data`."""
    prefix = ["ip", "netns", "exec", netns] if netns else []
    family = ["-f", "inet6"] if ":" in address else []
    text = run(*prefix, "dnsperf", "-s", address, "-p", str(port), "-d", data, *family, *options, seconds=seconds)
    number = lambda key: float(re.search(rf"{key}:\s+([\d.]+)", text).group(1))
    codes = re.search(r"Response codes:\s+(.*)", text)
    rcodes = {code: int(n) for code, n in re.findall(r"(\w+) (\d+) \(", codes.group(1) if codes else "")}
    return DnsperfResult(
        int(number("Queries sent")),
        int(number("Queries completed")),
        int(number("Queries lost")),
        rcodes,
        number("Queries per second"),
        text,
    )


@contextlib.contextmanager
def flood(port, data, source):
    """While it lasts, one address asks for the names of the file `data`, 500,000 times a second or as often as it can."""
    with subprocess.Popen(
        ["nice", RINGPERF, "-s", "127.0.0.1", "-p", str(port), "-a", source, "-d", data, "-c", "20", "--rate", "500000",
         "-l", "60", "-t", "1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        try:
            yield
        finally:
            child.kill()


def socket_filters(pid):
    """How many UDP sockets of a process have a filter (SO_GET_FILTER of socket(7))."""
    libc = ctypes.CDLL(None, use_errno=True)
    count = 0
    process = os.pidfd_open(pid)
    for number in os.listdir(f"/proc/{pid}/fd"):
        copy = libc.syscall(438, process, int(number), 0)  # pidfd_getfd(2)
        if copy < 0:
            continue
        length = ctypes.c_uint(0)
        if libc.getsockopt(copy, socket.SOL_SOCKET, 26, None, ctypes.byref(length)) == 0 and length.value > 0:
            count += 1
        os.close(copy)
    os.close(process)
    return count


class OutsideCase(unittest.TestCase):
    """Starts what a test needs and ends it after the test."""

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="ringlet-outside-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        if not os.access(BINARY, os.X_OK):
            self.fail(f"no ringlet at {BINARY}: build it, or name it with RINGLET")

    def start_nsd(self, netns=None):
        nsd = Nsd(self.directory, netns=netns)
        self.addCleanup(nsd.stop)
        return nsd.wait_ready()

    def start_ringlet(self, upstream, *, ready=True, **options):
        """Ringlet in front of `upstream` ("IP:port"); what `corefile` takes goes there, the rest to `Ringlet`."""
        of_corefile = {k: options.pop(k) for k in ("domain", "options", "cache", "more") if k in options}
        addresses = options.get("addresses", ("127.0.0.1",))
        block = lambda port: corefile(upstream, port=port, bind=addresses, **of_corefile)
        return self.start_ringlet_with(block, ready=ready, **options)

    def start_ringlet_with(self, block, *, ready=True, **options):
        """Ringlet with the server blocks that `block` gives for a port."""
        ringlet = Ringlet(self.directory, block, **options)
        self.addCleanup(ringlet.stop)
        return ringlet.wait_ready() if ready else ringlet

    def write(self, name, text):
        path = os.path.join(self.directory, name)
        pathlib.Path(path).write_text(text)
        return path

    @functools.cached_property
    def oracle(self):
        return zone.Oracle()

    def throttle(self, ringlet, milliseconds):
        """Gives a process no more than so much of a processor in each 100 ms; skips where there is no cgroup for it."""
        controller = pathlib.Path("/sys/fs/cgroup/cpu")
        if not os.access(controller / "cgroup.procs", os.W_OK):
            self.skipTest("no cgroup of the cpu controller")
        group = controller / f"ringlet-{os.getpid()}-{ringlet.pid}"
        group.mkdir()
        self.addCleanup(group.rmdir)
        (group / "cpu.cfs_period_us").write_text("100000")
        (group / "cpu.cfs_quota_us").write_text(str(milliseconds * 1000))
        (group / "cgroup.procs").write_text(str(ringlet.pid))
        self.addCleanup((controller / "cgroup.procs").write_text, str(ringlet.pid))

    def report(self, text):
        """A figure for the reader of the test's output."""
        print(f"\n  figure {self.id().partition('.')[2]}: {text}", flush=True)
