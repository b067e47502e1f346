"""Asks A and AAAA of each of N services from a socket of its own while the server is stopped, so that they wait for it
together; then prints as JSON what came back: {"answers": n, "wrong": [...], "sent": datagrams the server's network sent}.

usage: pair_client.py ADDRESS PORT SERVER_PID N
"""

import json
import os
import pathlib
import signal
import socket
import sys

import dnswire
import harness
import zone


def sent(pid):
    """Datagrams that UDP sent in the process's network namespace: a pair counts once."""
    total = 0
    for line in pathlib.Path(f"/proc/{pid}/net/snmp6").read_text().splitlines():
        if line.startswith("Udp6OutDatagrams"):
            total += int(line.split()[1])
    udp = [line.split() for line in pathlib.Path(f"/proc/{pid}/net/snmp").read_text().splitlines() if line.startswith("Udp:")]
    return total + int(udp[1][udp[0].index("OutDatagrams")])


def ask(server, pid, count, stop):
    family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
    sockets = []
    if stop:
        harness.stop_still(pid)
    try:
        for number in range(count):
            s = socket.socket(family, socket.SOCK_DGRAM)
            s.settimeout(5)
            s.connect(server)
            for type in (dnswire.A, dnswire.AAAA):
                s.send(dnswire.query(zone.service(number), type, id=number * 2 + (type == dnswire.AAAA)))
            sockets.append(s)
    finally:
        os.kill(pid, signal.SIGCONT)
    wrong, answers = [], 0
    for number, s in enumerate(sockets):
        seen = set()
        for _ in range(2):
            try:
                message = dnswire.decode(s.recv(2048))
            except OSError as error:
                wrong.append(f"{number}: {error}")
                continue
            answers += 1
            seen.add(message.id)
            is_v6 = message.id == number * 2 + 1
            expected = [zone.address(number)] if not is_v6 else [zone.address6(number)] if number % 10 == 0 else []
            found = [record.rdata for record in message.answers]
            if message.rcode or found != [address.packed for address in expected]:
                wrong.append(f"{number}: {message}")
        if seen != {number * 2, number * 2 + 1}:
            wrong.append(f"{number}: answers to {seen}")
    return answers, wrong


def main(address, port, pid, count):
    pid, count, server = int(pid), int(count), (address, int(port))
    ask(server, pid, count, stop=False)  # fills the cache
    before = sent(pid)
    answers, wrong = ask(server, pid, count, stop=True)
    # Our own queries were sent in the same namespace.
    print(json.dumps({"answers": answers, "wrong": wrong, "sent": sent(pid) - before - 2 * count}))


main(*sys.argv[1:])
