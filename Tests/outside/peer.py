"""An upstream that does what a test tells it to, good or bad: asyncio over UDP and TCP, or TLS, on one port, in its own
thread.

A test gives a coroutine `script(asked)`, run for each question. The default `answer_by_name` gives an address derived
from the name, so that every answer can be checked by whoever asked.
"""

import asyncio
import dataclasses
import hashlib
import socket
import ssl
import struct
import threading
import time

import dnswire
from harness import free_port


def address_of(name):
    """The address that the peer gives for a name, whatever its spelling."""
    return b"\x0a" + hashlib.sha256(name.lower().encode("latin-1")).digest()[:3]


@dataclasses.dataclass
class Asked:
    """One question as it arrived, and the ways to treat it."""

    raw: bytes
    message: dnswire.Message
    transport: str  # "udp" or "tcp"
    source: tuple  # address and port it came from
    connection: int  # number of the TCP connection, 0 for UDP
    nth: int  # how many questions with this name and type there have been, this one included
    at: float
    _send: object
    _close: object
    tls: object = None  # ssl.SSLObject

    @property
    def name(self):
        return self.message.name

    def response(self, *answers, **options):
        return dnswire.response(self.raw, answers, **options)

    def address(self, ttl=30, **options):
        """The right answer to an A question."""
        return self.response(dnswire.record(self.name, dnswire.A, ttl, address_of(self.name)), **options)

    def send(self, message):
        """Sends one message, framed where the transport asks for it."""
        self.send_raw(message if self.transport == "udp" else struct.pack("!H", len(message)) + message)

    def send_raw(self, data):
        self._send(data)

    def close(self):
        """Ends the TCP connection after what was sent."""
        self._close(False)

    def reset(self):
        """Ends the TCP connection with RST."""
        self._close(True)


async def answer_by_name(asked):
    asked.send(asked.address())


class Peer:
    def __init__(self, script=answer_by_name, port=None, tls=None):
        """`tls` is a server's ssl.SSLContext."""
        self.script, self.tls = script, tls
        self._is_given = port is not None
        self.port = port or free_port()
        self.asked = []  # every question in the order of arrival
        self.accepted = 0
        self.open = 0
        self.most_open = 0
        self._errors = []
        self._counts = {}
        self._tasks = set()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._main, daemon=True)
        self._thread.start()
        if not self._ready.wait(5):
            raise AssertionError("the peer did not start")

    @property
    def address(self):
        return f"{'tls://' if self.tls else ''}127.0.0.1:{self.port}"

    def questions(self, name, transport=None):
        """The questions for one name so far."""
        return [a for a in list(self.asked) if a.name.lower() == name.lower() and transport in (None, a.transport)]

    def stop(self):
        """Ends the peer; raises what a script raised."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5)
        for error in self._errors:
            raise error

    def _main(self):
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._ready.set()
        self._loop.run_forever()
        self._loop.set_exception_handler(lambda *_: None)  # of the tasks that end here
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._server.close()
        self._udp.close()
        self._loop.run_until_complete(asyncio.sleep(0.01))
        self._loop.close()

    async def _serve(self):
        if self.tls:
            self._loop.set_exception_handler(lambda *_: None)  # of handshakes that fail
        while True:
            self._server = await asyncio.start_server(self._connection, "127.0.0.1", self.port, backlog=1024, ssl=self.tls)
            try:
                self._udp, _ = await self._loop.create_datagram_endpoint(lambda: _Datagrams(self), ("127.0.0.1", self.port))
                return
            except OSError:
                # Unbound, in another test, asks from any port there is.
                if self._is_given:
                    raise
                self._server.close()
                self.port = free_port()

    async def _connection(self, reader, writer):
        self.accepted += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        number = self.accepted
        source, tls = writer.get_extra_info("peername"), writer.get_extra_info("ssl_object")
        send = lambda data: None if writer.transport.is_closing() else writer.write(data)
        try:
            while True:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                raw = await reader.readexactly(length)
                self._question(raw, "tcp", source, number, tls, send, lambda reset: _close(writer, reset))
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            self.open -= 1
            writer.close()

    def _question(self, raw, transport, source, connection, tls, send, close):
        message = dnswire.decode(raw)
        key = message.name.lower(), message.type
        self._counts[key] = self._counts.get(key, 0) + 1
        nth, now = self._counts[key], time.monotonic()
        asked = Asked(raw, message, transport, source, connection, nth, now, send, close, tls)
        self.asked.append(asked)
        task = self._loop.create_task(self.script(asked))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task):
        self._tasks.discard(task)
        if not task.cancelled() and task.exception():
            self._errors.append(task.exception())


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, peer):
        self.peer = peer

    def connection_made(self, transport):
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)

    def datagram_received(self, data, source):
        send = lambda message: self.transport.sendto(message, source)
        self.peer._question(data, "udp", source, 0, None, send, lambda reset: None)


def _close(writer, reset):
    if reset:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    else:
        writer.close()
