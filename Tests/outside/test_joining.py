"""Equal questions in flight are asked once, and each who asked gets an answer of his own."""

import asyncio
import random

import clients
import dnswire
import harness
import peer

CLIENTS = 1000
NAME = "slow.svc.cluster.local"


def spelled(name, dice):
    """The name with each letter's case thrown."""
    return "".join(dice.choice((c.lower(), c.upper())) for c in name)


def edns(index):
    """Several kinds of client; DO and CD stay out, for they make another question."""
    return (None, dnswire.opt(512), dnswire.opt(1232), dnswire.opt(4096, options=dnswire.option(10, bytes(range(8)))))[
        index % 4
    ]


class Joining(harness.OutsideCase):
    shards = 1

    def start(self, script, **options):
        self.upstream = peer.Peer(script)
        self.addCleanup(self.upstream.stop)
        self.ringlet = self.start_ringlet(self.upstream.address, shards=self.shards, **options)
        self.address = ("127.0.0.1", self.ringlet.port)

    def queries(self, **options):
        dice = random.Random(1)
        ids = dice.sample(range(65536), CLIENTS)
        return [dnswire.query(spelled(NAME, dice), id=ids[n], edns=edns(n), **options) for n in range(CLIENTS)]

    def check(self, exchange):
        """One reply, its own id, its own spelling, OPT as asked, the right address."""
        self.assertEqual(exchange.rcodes, [dnswire.NOERROR])
        sent, reply = dnswire.decode(exchange.packet), exchange.reply
        self.assertEqual((reply.id, reply.question_bytes), (sent.id, sent.question_bytes))
        self.assertEqual(reply.data(dnswire.A), [peer.address_of(NAME)])
        self.assertEqual(
            reply.edns and (reply.edns.size, reply.edns.options), sent.edns and (sent.edns.size, sent.edns.options)
        )

    def test_one_question(self):
        """1,000 clients at once: 1 upstream question, 1,000 right answers."""

        async def slow(asked):
            await asyncio.sleep(0.3)
            asked.send(asked.address())

        self.start(slow)
        for exchange in clients.ask_all(self.address, self.queries()):
            self.check(exchange)
        self.assertEqual(len(self.upstream.asked), 1)

    def test_both_transports(self):
        """UDP and TCP clients of the same name share one question, with an upstream that is asked over TCP."""

        async def slow(asked):
            await asyncio.sleep(0.3)
            asked.send(asked.address())

        self.start(slow)
        tcp = [clients.TCPClient(self.address) for _ in range(50)]
        for client in tcp:
            self.addCleanup(client.socket.close)
        packets = self.queries()
        for client, packet in zip(tcp, packets):
            client.send(packet)
        for exchange in clients.ask_all(self.address, packets[50:]):
            self.check(exchange)
        for client, packet in zip(tcp, packets):
            self.check(clients.Exchange(packet, [client.receive()], []))
        # Once more, if a busy machine's upstream seems to be silent.
        self.assertIn(len(self.upstream.asked), (1, 2))

    def test_do_and_cd_apart(self):
        """DO and CD make different questions: four keys, four upstream questions, the bits handed on."""

        async def slow(asked):
            await asyncio.sleep(0.2)
            asked.send(asked.address())

        self.start(slow)
        packets = []
        for n in range(40):
            flags = dnswire.RD | (dnswire.CD if n & 1 else 0)
            packets.append(dnswire.query(NAME, id=n, flags=flags, edns=dnswire.opt(do=bool(n & 2))))
        for exchange in clients.ask_all(self.address, packets):
            sent = dnswire.decode(exchange.packet)
            self.assertEqual(exchange.rcodes, [dnswire.NOERROR])
            self.assertEqual(exchange.reply.flags & dnswire.CD, sent.flags & dnswire.CD)
            self.assertEqual(exchange.reply.edns.do, sent.edns.do)
        asked = {(bool(a.message.edns and a.message.edns.do), bool(a.message.flags & dnswire.CD)) for a in self.upstream.asked}
        self.assertEqual(len(asked), 4)
        self.assertEqual(len(self.upstream.asked), 4)

    def test_no_answer(self):
        """An upstream that keeps silent: 1,000 SERVFAIL within the budget of 4 s, and no storm of retries."""

        async def silent(asked):
            pass

        self.start(silent)
        exchanges = clients.ask_all(self.address, self.queries())
        for exchange in exchanges:
            self.assertEqual(exchange.rcodes, [dnswire.SERVFAIL])
            self.assertEqual(exchange.reply.id, dnswire.decode(exchange.packet).id)
        self.assertLess(max(e.took[0] for e in exchanges), 4.5)
        self.assertLessEqual(len(self.upstream.asked), 3)

    def test_new_question_after_answer(self):
        """What was joined is cached: who asks later costs the upstream nothing."""
        self.start(peer.answer_by_name)
        for _ in range(2):
            for exchange in clients.ask_all(self.address, self.queries(), linger=0.05):
                self.check(exchange)
        self.assertEqual(len(self.upstream.asked), 1)


class JoiningTwoShards(Joining):
    shards = 2


class JoiningUDP(harness.OutsideCase):
    """The same with an upstream that is asked over UDP."""

    def test_one_question(self):
        """1,000 clients at once: 1 datagram upstream."""

        async def slow(asked):
            await asyncio.sleep(0.3)
            asked.send(asked.address())

        upstream = peer.Peer(slow)
        self.addCleanup(upstream.stop)
        ringlet = self.start_ringlet(upstream.address, shards=2, options="prefer_udp")
        packets = [dnswire.query(NAME, id=n) for n in range(CLIENTS)]
        for exchange in clients.ask_all(("127.0.0.1", ringlet.port), packets):
            self.assertEqual([dnswire.decode(r).data(dnswire.A) for r in exchange.replies], [[peer.address_of(NAME)]])
        self.assertEqual([a.transport for a in upstream.asked], ["udp"])
