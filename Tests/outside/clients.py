"""DNS clients on raw sockets: one question, a thousand at once, a TCP connection."""

import dataclasses
import select
import socket
import struct
import time

import dnswire


def _family(address):
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET


def ask(address, packet, timeout=6.0):
    """The reply's bytes over UDP, or None."""
    with socket.socket(_family(address), socket.SOCK_DGRAM) as s:
        s.settimeout(timeout)
        s.connect(address)
        s.send(packet)
        try:
            return s.recv(65535)
        except TimeoutError:
            return None


def ask_tcp(address, packet, timeout=6.0):
    """The reply's bytes over a TCP connection of its own, or None."""
    with TCPClient(address, timeout) as client:
        client.send(packet)
        return client.receive()


class TCPClient:
    """One TCP connection that carries framed messages."""

    def __init__(self, address, timeout=6.0):
        self.socket = socket.create_connection(address, timeout)
        self.socket.settimeout(timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._pending = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, *packets):
        """All packets in one write."""
        self.socket.sendall(b"".join(struct.pack("!H", len(p)) + p for p in packets))

    def receive(self):
        """One message; None where the connection ends, is reset, or stays silent."""
        head = self._exactly(2)
        return head and self._exactly(*struct.unpack("!H", head))

    def _exactly(self, length):
        while len(self._pending) < length:
            try:
                data = self.socket.recv(65536)
            except (TimeoutError, ConnectionError):
                return None
            if not data:
                return None
            self._pending += data
        data, self._pending = self._pending[:length], self._pending[length:]
        return data

    def closed_within(self, seconds):
        """How long until the server ends the connection; None if it does not."""
        start = time.monotonic()
        self.socket.settimeout(seconds)
        try:
            while self.socket.recv(65536):
                self.socket.settimeout(max(0.01, seconds - (time.monotonic() - start)))
        except TimeoutError:
            return None
        except ConnectionError:
            pass
        return time.monotonic() - start


@dataclasses.dataclass
class Exchange:
    """A query and all that came back to its socket, with the seconds it took."""

    packet: bytes
    replies: list
    took: list

    @property
    def reply(self):
        return dnswire.decode(self.replies[0]) if self.replies else None

    @property
    def rcodes(self):
        """Of each reply: one, if all is well."""
        return [dnswire.decode(reply).rcode for reply in self.replies]


def ask_all(address, packets, timeout=6.0, linger=0.2):
    """Each packet from a UDP socket of its own, all at once. Goes on to read for `linger` after the last first reply, so
    that second replies are seen."""
    sockets, exchanges, started = {}, [], []
    poll = select.epoll()
    try:
        for packet in packets:
            s = socket.socket(_family(address), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            s.connect(address)
            sockets[s.fileno()] = s, len(exchanges)
            poll.register(s, select.EPOLLIN)
            exchanges.append(Exchange(packet, [], []))
        for s, index in sockets.values():
            started.append(time.monotonic())
            s.send(packets[index])
        missing, deadline = len(packets), time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            for descriptor, _ in poll.poll(left):
                s, index = sockets[descriptor]
                try:
                    data = s.recv(65535)
                except OSError:
                    continue
                exchanges[index].replies.append(data)
                exchanges[index].took.append(time.monotonic() - started[index])
                missing -= len(exchanges[index].replies) == 1
                if not missing:
                    deadline = min(deadline, time.monotonic() + linger)
    finally:
        poll.close()
        for s, _ in sockets.values():
            s.close()
    return exchanges
