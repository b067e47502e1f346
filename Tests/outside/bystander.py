"""Another pod: asks for cached names, 500 a second, and waits for each answer as long as glibc does; until its input ends.
Then prints as JSON how many it asked, and the seconds that each answer took: {"sent": n, "took": [...]}.

It goes before all others to a processor, so that what it waits for is the server.

usage: bystander.py PORT
"""

import contextlib
import json
import os
import select
import socket
import struct
import sys
import time

import dnswire
import zone

NAMES = 50
RATE = 500


def main():
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    packets = [dnswire.query(zone.service(n), dnswire.A, id=n) for n in range(NAMES)]
    sent, took = 0, []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.2", 0))
        s.connect(("127.0.0.1", int(sys.argv[1])))
        s.settimeout(5)
        due = time.monotonic()
        while not select.select([sys.stdin], [], [], 0)[0]:
            due += 1 / RATE
            time.sleep(max(0, due - time.monotonic()))
            begun = time.monotonic()
            id = struct.pack("!H", sent % 65536)
            sent += 1
            s.send(id + packets[sent % NAMES][2:])
            try:
                while s.recv(512)[:2] != id:
                    pass
                took.append(time.monotonic() - begun)
            except TimeoutError:
                pass
    print(json.dumps({"sent": sent, "took": took}))


if __name__ == "__main__":
    main()
