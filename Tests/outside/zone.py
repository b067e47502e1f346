"""The cluster.local zone that nsd serves in the tests, and what the right answer to a question about it is.

5,000 services, numbered as in shared/bench/compare.py; every tenth has an AAAA too, every tenth an SRV, every tenth an
alias (CNAME); a headless service has 40 addresses.
"""

import ipaddress
import struct

import dnswire

DOMAIN = "cluster.local"
SERVICES = 5000
NAMESPACES = 50
TTL = 30
PODS = "pods-40.ns-0.svc.cluster.local"


def service(number):
    return f"svc-{number}.ns-{number % NAMESPACES}.svc.{DOMAIN}"


def alias(number):
    """Every tenth service has one: numbers that end in 2."""
    return f"alias-{number}.ns-{number % NAMESPACES}.svc.{DOMAIN}"


def address(number):
    return ipaddress.IPv4Address(f"10.96.{number // 250}.{number % 250 + 1}")


def address6(number):
    """Every tenth service has one: numbers that end in 0."""
    return ipaddress.IPv6Address("fd00:96::") + number


def pods():
    return [ipaddress.IPv4Address(f"10.244.0.{n}") for n in range(1, 41)]


def _records():
    """(owner, type, text form, wire form of the data) of every record but SOA and NS."""
    for n in range(SERVICES):
        yield service(n), dnswire.A, address(n), address(n).packed
        if n % 10 == 0:
            yield service(n), dnswire.AAAA, address6(n), address6(n).packed
        elif n % 10 == 1:
            target = service(n)
            srv = struct.pack("!HHH", 0, 100, 80) + dnswire.name(target)
            yield f"_http._tcp.{target}", dnswire.SRV, f"0 100 80 {target}.", srv
        elif n % 10 == 2:
            yield alias(n), dnswire.CNAME, service(n) + ".", dnswire.name(service(n))
    for pod in pods():
        yield PODS, dnswire.A, pod, pod.packed


_TYPES = {dnswire.A: "A", dnswire.AAAA: "AAAA", dnswire.SRV: "SRV", dnswire.CNAME: "CNAME"}


def text():
    """The zone file."""
    soa = f"@ SOA ns.dns hostmaster 1 7200 1800 86400 {TTL}\n@ NS ns.dns\nns.dns A 10.96.0.10\n"
    lines = (f"{owner}. {_TYPES[type]} {data}\n" for owner, type, data, _ in _records())
    return f"$ORIGIN {DOMAIN}.\n$TTL {TTL}\n{soa}" + "".join(lines)


class Oracle:
    """Says of a reply whether it is right."""

    def __init__(self):
        self.data, self.names = {}, set()
        for owner, type, _, rdata in _records():
            self.data.setdefault((owner, type), []).append(rdata)
            while owner not in self.names and owner.endswith(DOMAIN):
                self.names.add(owner)
                owner = owner.partition(".")[2]

    def expected(self, name, type):
        """(rcode, CNAME data or None, sorted data of `type`)."""
        name = name.lower()
        if name not in self.names:
            return dnswire.NXDOMAIN, None, []
        chain = self.data.get((name, dnswire.CNAME))
        if chain and type != dnswire.CNAME:
            target = dnswire.decode(dnswire.header(0, 0, 1) + chain[0] + bytes(4)).name
            return dnswire.NOERROR, chain[0], self.expected(target, type)[2]
        return dnswire.NOERROR, None, sorted(self.data.get((name, type), []))

    def fault(self, asked, reply):
        """What is wrong with the decoded `reply` to the query bytes `asked`; None for nothing."""
        sent = dnswire.decode(asked)
        if reply.id != sent.id:
            return f"id {reply.id} for {sent.id}"
        if reply.question_bytes != sent.question_bytes:
            return f"question {reply.question_bytes} for {sent.question_bytes}"
        rcode, chain, data = self.expected(sent.name, sent.type)
        if reply.rcode != rcode:
            return f"{sent.name}: rcode {reply.rcode}, not {rcode}"
        if reply.data(sent.type) != data:
            return f"{sent.name}: {reply.data(sent.type)}, not {data}"
        if chain and reply.data(dnswire.CNAME) != [chain]:
            return f"{sent.name}: without its CNAME"
        if any(r.ttl > TTL for r in reply.records):
            return f"{sent.name}: a TTL above the zone's"
        return None
