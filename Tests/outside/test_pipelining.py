"""Many questions in flight on few upstream TCP connections, with a peer that answers late, wrong, torn, or not at all."""

import asyncio
import random
import struct
import threading
import time

import clients
import dnswire
import harness
import peer

BUDGET = 4.5  # seconds: the 4 s a client query may take, and some for a busy machine


def names(count, tag="n"):
    return [f"{tag}{i}.svc.cluster.local" for i in range(count)]


class PipeliningCase(harness.OutsideCase):
    shards = 1

    def start(self, script, **options):
        self.upstream = peer.Peer(script)
        self.addCleanup(self.upstream.stop)
        self.ringlet = self.start_ringlet(self.upstream.address, shards=self.shards, **options)
        self.address = ("127.0.0.1", self.ringlet.port)

    def ask_names(self, wanted, **options):
        """Asks all names at once; {name: Exchange}."""
        packets = [dnswire.query(name, id=random.randrange(65536)) for name in wanted]
        return dict(zip(wanted, clients.ask_all(self.address, packets, **options)))

    def check(self, name, exchange):
        """One reply, and it is the right one."""
        self.assertEqual(exchange.rcodes, [dnswire.NOERROR], name)
        sent, reply = dnswire.decode(exchange.packet), exchange.reply
        self.assertEqual((reply.id, reply.question_bytes), (sent.id, sent.question_bytes), name)
        self.assertEqual(reply.data(dnswire.A), [peer.address_of(name)], name)

    def check_all(self, wanted, **options):
        for name, exchange in self.ask_names(wanted, **options).items():
            self.check(name, exchange)

    def check_servfail(self, name, exchange):
        """One reply, SERVFAIL without records, in time."""
        self.assertEqual(exchange.rcodes, [dnswire.SERVFAIL], name)
        self.assertEqual(exchange.reply.records, [], name)
        self.assertLess(exchange.took[0], BUDGET)


class Pipelining(PipeliningCase):
    MISSES = 1000

    def test_thousand_in_flight(self):
        """1,000 distinct misses are with the upstream at once on few connections per shard; answers come shuffled."""
        waiting = []
        dice = random.Random(2)

        async def hold(asked):
            waiting.append(asked)
            if len({a.name for a in waiting}) == self.MISSES:
                dice.shuffle(waiting)
                for each in waiting:
                    each.send(each.address())

        self.start(hold)
        self.check_all(names(self.MISSES))
        # Four where it answers, sixteen where it holds back, and those that were silent for too long meanwhile.
        self.assertLessEqual(self.upstream.most_open, 20 * self.shards)
        self.assertEqual({a.transport for a in self.upstream.asked}, {"tcp"})

    def test_ids_differ(self):
        """No two questions in flight on one connection have the same id."""
        waiting = []

        async def hold(asked):
            waiting.append(asked)
            if len({a.name for a in waiting}) == 200:
                for each in waiting:
                    each.send(each.address())

        self.start(hold)
        self.check_all(names(200))
        pairs = {(a.connection, a.message.id) for a in self.upstream.asked}
        self.assertEqual(len(pairs), len(self.upstream.asked))

    def test_steady_misses(self):
        """3,000 misses in waves, each answered after a random pause: all right, on few connections. (One on which a busy
        machine's peer said nothing for 300 ms is replaced.)"""
        dice = random.Random(3)

        async def sometime(asked):
            await asyncio.sleep(dice.random() * 0.05)
            asked.send(asked.address())

        self.start(sometime)
        for wave in range(6):
            self.check_all(names(500, f"w{wave}-"), linger=0.02)
        self.assertLessEqual(self.upstream.accepted, 20 * self.shards)


class PipeliningTwoShards(Pipelining):
    shards = 2


class Framing(PipeliningCase):
    """TCP is a stream: frames come torn and glued."""

    def test_octet_by_octet(self):
        """An answer that comes one octet at a time is put together."""

        async def trickle(asked):
            message = asked.address()
            for octet in struct.pack("!H", len(message)) + message:
                asked.send_raw(bytes([octet]))
                await asyncio.sleep(0.002)

        self.start(trickle)
        # One by one: the peer's pieces of two answers would mix on one connection.
        for name in names(5):
            self.check_all([name], linger=0.02)

    def test_glued(self):
        """Many answers in one segment, the last one cut, its rest later: all are read."""
        waiting = []

        async def glue(asked):
            waiting.append(asked)
            if asked.nth > 1 or len({a.name for a in waiting}) < 100:
                return
            here = list(waiting)
            for connection in {a.connection for a in here}:
                mine = [a for a in here if a.connection == connection]
                stream = b"".join(struct.pack("!H", len(m)) + m for m in (a.address() for a in mine))
                mine[0].send_raw(stream[:-7])
                await asyncio.sleep(0.05)
                mine[0].send_raw(stream[-7:])

        self.start(glue)
        self.check_all(names(100))

    def test_large(self):
        """An answer of nearly 64 KiB arrives whole at a TCP client, from the upstream and then from the cache."""
        size = 65000

        async def large(asked):
            text = [dnswire.record(asked.name, 65280, 30, bytes([n]) * 6400) for n in range(10)]
            asked.send(asked.response(*text))

        self.start(large)
        for _ in range(2):
            reply = clients.ask_tcp(self.address, dnswire.query("large.svc.cluster.local", 65280, id=7))
            self.assertIsNotNone(reply)
            self.assertGreater(len(reply), size - 1000)
            self.assertEqual([r.rdata for r in dnswire.decode(reply).answers], [bytes([n]) * 6400 for n in range(10)])

    def test_empty_frame(self):
        """A frame of length 0 is no answer: the question is still answered, here or over another connection."""

        async def empty_first(asked):
            if asked.nth == 1:
                asked.send_raw(b"\0\0")
            asked.send(asked.address())

        self.start(empty_first)
        self.check_all(names(20))

    def test_cut_by_close(self):
        """A connection that ends inside a frame: the question goes to another connection and is answered once."""

        async def cut(asked):
            if asked.nth > 1:
                asked.send(asked.address())
                return
            message = asked.address()
            asked.send_raw((struct.pack("!H", len(message)) + message)[:20])
            asked.close()

        self.start(cut)
        self.check_all(["cut.svc.cluster.local"])


class Mismatch(PipeliningCase):
    """Nothing is believed that does not match id, question and connection."""

    def wrong_then_right(self, make_wrong):
        async def script(asked):
            if asked.nth == 1:
                asked.send(make_wrong(asked))
                await asyncio.sleep(0.05)
            asked.send(asked.address())

        self.start(script)
        for name in names(20):
            self.check_all([name], linger=0.02)

    def poison(self, asked, **options):
        """An answer with a wrong address."""
        return asked.response(dnswire.record(asked.name, dnswire.A, 30, b"\xde\xad\xbe\xef"), **options)

    def test_wrong_id(self):
        """An answer under an id that nobody waits for is passed over."""
        self.wrong_then_right(lambda asked: self.poison(asked, id=asked.message.id ^ 0x5555))

    def test_wrong_name(self):
        """The right id with another name is not the answer."""
        other = dnswire.query("evil.svc.cluster.local")[dnswire.QUESTION :]
        self.wrong_then_right(lambda asked: self.poison(asked, question=other))

    def test_wrong_type(self):
        """The right id and name with another type is not the answer."""
        self.wrong_then_right(lambda asked: self.poison(asked, question=asked.message.question_bytes[:-4] + b"\0\x1c\0\1"))

    def test_no_question(self):
        """Nor is one without a question."""
        self.wrong_then_right(lambda asked: dnswire.header(asked.message.id, dnswire.QR | dnswire.NXDOMAIN))

    def test_a_query(self):
        """A query sent back (QR=0) is no answer."""
        self.wrong_then_right(lambda asked: asked.raw)

    def test_garbage(self):
        """Frames of noise are no answer."""
        dice = random.Random(4)
        self.wrong_then_right(lambda asked: dice.randbytes(dice.randrange(1, 80)))

    def test_right_id_then_garbage(self):
        """Nor is the right header and question with records that cannot be read."""
        self.wrong_then_right(
            lambda asked: dnswire.header(asked.message.id, dnswire.QR, 1, 3) + asked.message.question_bytes + b"\xc0"
        )

    def test_exchanged(self):
        """Two answers under each other's id: neither client sees the other's answer, nor a wrong one."""
        first = []

        async def exchange(asked):
            if asked.nth > 1:
                asked.send(asked.address())
                return
            first.append(asked)
            if len(first) == 2:
                one, two = first
                one.send(two.address(id=one.message.id))
                two.send(one.address(id=two.message.id))

        self.start(exchange)
        for name, got in self.ask_names(names(2)).items():
            if got.rcodes != [dnswire.SERVFAIL]:
                self.check(name, got)

    def test_always_wrong(self):
        """A peer that never gets it right: SERVFAIL within the budget, nothing poisoned in the cache."""

        async def evil(asked):
            if not self.honest:
                asked.send(self.poison(asked, question=dnswire.query("x.cluster.local")[dnswire.QUESTION :]))
            else:
                asked.send(asked.address())

        self.honest = False
        self.start(evil, cache="cache {\n        success 9984 30\n        denial 9984 5\n        servfail 0\n    }")
        self.check_servfail("evil", self.ask_names(["evil.svc.cluster.local"])["evil.svc.cluster.local"])
        self.honest = True
        self.check_all(["evil.svc.cluster.local", "x.cluster.local"])

    def test_extra_records(self):
        """Addresses of other names in an answer's sections are not used to answer for those names."""

        async def generous(asked):
            extra = dnswire.record("victim.svc.cluster.local", dnswire.A, 30, b"\xde\xad\xbe\xef")
            if asked.name.startswith("victim"):
                asked.send(asked.address())
            else:
                asked.send(asked.address(additional=[extra]))

        self.start(generous)
        self.check_all(["bait.svc.cluster.local"])
        self.check_all(["victim.svc.cluster.local"])

    def test_answered_twice(self):
        """An upstream that says everything twice: clients hear it once."""

        async def twice(asked):
            asked.send(asked.address())
            asked.send(asked.address())

        self.start(twice)
        for _ in range(3):
            self.check_all(names(50, "twice"))

    def test_late_answer(self):
        """An answer that comes when the client has its SERVFAIL goes to nobody, and no later question gets it."""

        async def late(asked):
            if asked.name.startswith("late"):
                await asyncio.sleep(4.6)
            asked.send(asked.address())

        self.start(late)
        wanted = names(20, "late")
        replies = self.ask_names(wanted, timeout=6, linger=1.5)
        for name, exchange in replies.items():
            self.check_servfail(name, exchange)
        self.check_all(names(200, "after"))


class Dying(PipeliningCase):
    """Connections end at any octet; a question goes on over another."""

    def test_reset_inside_answer(self):
        """A reset after each number of octets of the first answer: every question is answered over another connection."""

        async def reset(asked):
            if asked.nth > 1:
                asked.send(asked.address())
                return
            message = asked.address()
            cut = int(asked.name.split("-")[1].split(".")[0])
            asked.send_raw((struct.pack("!H", len(message)) + message)[:cut])
            await asyncio.sleep(0.01)
            asked.reset()

        self.start(reset)
        for cut in (0, 1, 2, 3, 13, 14, 15, 40, 60):
            self.check_all([f"reset-{cut}.svc.cluster.local"], linger=0.02)

    def test_close_after_n(self):
        """A peer that ends each connection after 1, 7 or 128 answers: nothing is lost."""
        for limit in (1, 7, 128):
            with self.subTest(limit=limit):
                served = {}

                async def counted(asked):
                    served[asked.connection] = served.get(asked.connection, 0) + 1
                    if served[asked.connection] <= limit:
                        asked.send(asked.address())
                    if served[asked.connection] == limit:
                        asked.close()

                self.start(counted)
                for name in names(60, "serial"):
                    self.check_all([name], linger=0)
                self.upstream.stop()

    def test_close_under_questions(self):
        """All connections end under 200 questions, once: every one is asked again and answered once."""
        seen = []

        async def close_once(asked):
            seen.append(asked)
            if asked.nth > 1:
                asked.send(asked.address())
            elif len({a.name for a in seen}) == 200:
                for one in {a.connection: a for a in seen}.values():
                    one.close()

        self.start(close_once)
        self.check_all(names(200))

    def test_refused_connections(self):
        """Nobody listens: SERVFAIL within the budget, and an answer soon after somebody does."""
        port = harness.free_port()
        ringlet = self.start_ringlet(f"127.0.0.1:{port}")
        self.address = ("127.0.0.1", ringlet.port)
        for name, exchange in self.ask_names(names(50)).items():
            self.check_servfail(name, exchange)
        upstream = peer.Peer(port=port)
        self.addCleanup(upstream.stop)
        probe = iter(names(1000, "probe"))
        fresh = lambda: self.ask_names([name := next(probe)], timeout=0.1, linger=0)[name].reply
        harness.wait_for(lambda: (reply := fresh()) and reply.rcode == dnswire.NOERROR, 1.2, "service to resume")

    def test_silent_connection(self):
        """One connection swallows all that is sent on it: its questions end within the budget, later ones are answered."""

        async def black_hole(asked):
            if asked.connection > 1:
                asked.send(asked.address())

        self.start(black_hole)
        for name, exchange in self.ask_names(names(50)).items():
            self.assertEqual(len(exchange.replies), 1, name)
            self.assertLess(exchange.took[0], BUDGET)
        self.check_all(names(50, "later"))

    def test_serial_upstream(self):
        """An upstream that serves one connection serially, as CoreDNS does, and one slow name: the others do not wait for it."""
        locks = {}

        async def serial(asked):
            async with locks.setdefault(asked.connection, asyncio.Lock()):
                if asked.name.startswith("slow"):
                    await asyncio.sleep(2)
                asked.send(asked.address())

        self.start(serial)
        self.check_all(names(20, "warm"))
        slow = threading.Thread(target=self.ask_names, args=(["slow.svc.cluster.local"],))
        slow.start()
        harness.wait_for(lambda: self.upstream.questions("slow.svc.cluster.local"), 2, "the slow question")
        time.sleep(0.02)  # a question of the same millisecond would stand behind it for a while
        replies = {}
        for name in names(40, "quick"):
            replies |= self.ask_names([name], linger=0)
        slow.join()
        for name, exchange in replies.items():
            self.check(name, exchange)
        late = [n for n, e in replies.items() if e.took[0] > 0.5]
        self.assertEqual(late, [])
