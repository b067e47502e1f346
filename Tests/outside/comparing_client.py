"""A client that compares: asks at a steady rate over many sockets and holds each answer against the zone.

usage: comparing_client.py ADDRESS PORT SECONDS RATE; prints one line of JSON. A program of its own, so that it can run
beside dnsperf in a network namespace.
"""

import json
import random
import select
import socket
import sys
import time

import dnswire
import zone

SOCKETS = 50
WINDOW = 1000  # questions without answer, over all sockets
TIMEOUT = 5


def question(dice):
    """A service, an alias, a headless service, or a name that is not there."""
    n, kind = dice.randrange(zone.SERVICES), dice.random()
    if kind < 0.7:
        return zone.service(n), dnswire.A
    if kind < 0.8:
        return zone.alias(n - n % 10 + 2), dnswire.A
    if kind < 0.85:
        return zone.service(n), dnswire.AAAA
    if kind < 0.9:
        return f"_http._tcp.{zone.service(n - n % 10 + 1)}", dnswire.SRV
    if kind < 0.91:
        return zone.PODS, dnswire.A
    return f"u-{n}.ns-1.svc.cluster.local", dnswire.A


def main(address, port, seconds, rate):
    oracle, dice = zone.Oracle(), random.Random(5)
    poll, sockets, waiting = select.epoll(), {}, {}
    for _ in range(SOCKETS):
        s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        s.connect((address, port))
        poll.register(s, select.EPOLLIN)
        sockets[s.fileno()] = s
    asked = answered = lost = slow = 0
    faults = []
    start = time.monotonic()
    descriptors = list(sockets)
    while (now := time.monotonic()) < start + seconds or waiting:
        while now < start + seconds and asked < (now - start) * rate and len(waiting) < WINDOW:
            descriptor = descriptors[asked % SOCKETS]
            id = dice.randrange(65536)
            if (descriptor, id) not in waiting:
                packet = dnswire.query(*question(dice), id=id, edns=dnswire.opt(1232))
                sockets[descriptor].send(packet)
                waiting[descriptor, id] = packet, now
                asked += 1
        for descriptor, _ in poll.poll(0.001):
            while True:
                try:
                    data = sockets[descriptor].recv(65535)
                except BlockingIOError:
                    break
                packet, at = waiting.pop((descriptor, int.from_bytes(data[:2], "big")), (None, 0))
                answered += 1
                slow = max(slow, time.monotonic() - at) if packet else slow
                try:
                    fault = oracle.fault(packet, dnswire.decode(data)) if packet else "an answer that nobody waits for"
                except dnswire.Malformed as malformed:
                    fault = f"malformed: {malformed}"
                if fault:
                    faults.append(fault)
        # In order of asking, so the oldest come first.
        for key, (_, at) in list(waiting.items())[:WINDOW]:
            if now - at < TIMEOUT:
                break
            del waiting[key]
            lost += 1
    print(
        json.dumps(
            {"asked": asked, "answered": answered, "lost": lost, "slowest": slow, "faults": len(faults), "first": faults[:5]}
        )
    )


main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]))
