"""Scenarios: files of promises, each a line of intent and the messages that show it (scenarios/README.md has the format).

A file's scenarios share one ringlet and its upstreams, and run all at once, each over UDP and over TCP, in a zone of its own:
`<number><u or t>.test.`, below which all its names are.
"""

import asyncio
import dataclasses
import pathlib
import re
import socket
import struct
import time

import clients
import dnswire
import peer

FLAGS = {"aa": dnswire.AA, "tc": dnswire.TC, "rd": dnswire.RD, "ra": dnswire.RA, "z": 0x40, "ad": dnswire.AD, "cd": dnswire.CD}
RCODES = dict(NOERROR=0, FORMERR=1, SERVFAIL=2, NXDOMAIN=3, NOTIMP=4, REFUSED=5, YXDOMAIN=6, NOTAUTH=9, BADVERS=16, BADCOOKIE=23)
TYPES = dict(A=1, NS=2, CNAME=5, SOA=6, PTR=12, HINFO=13, MX=15, TXT=16, AAAA=28, SRV=33, DNAME=39, DS=43, RRSIG=46, NSEC=47)
TYPES |= dict(DNSKEY=48, SVCB=64, HTTPS=65, TSIG=250, IXFR=251, AXFR=252, ANY=255, RESINFO=261)
CLASSES = dict(IN=1, CH=3, HS=4, NONE=254, ANY=255)
SECTIONS = {"an": "answers", "ns": "authority", "ar": "additional"}
ZONE = "@"
QUESTION = "?"


class Broken(Exception):
    """A promise that was not kept, or a line that cannot be read; the text names the file's line."""


@dataclasses.dataclass
class Step:
    """A line with the lines indented below it."""

    line: int
    words: list
    below: list  # (line, words)


@dataclasses.dataclass
class Scenario:
    path: pathlib.Path
    line: int
    number: int
    intent: str
    transports: tuple
    steps: list


def read(path):
    """(Corefile, scenarios) of a file."""
    corefile, scenarios, steps = [], [], None
    for number, text in enumerate(path.read_text().splitlines(), 1):
        words = text.split()
        if not words or text.startswith(";"):
            continue
        if text.startswith("# "):
            scenarios.append(Scenario(path, number, len(scenarios), text[2:], ("udp", "tcp"), steps := []))
        elif steps is None:
            corefile.append(text)
        elif text[0] == " ":
            steps[-1].below.append((number, words))
        elif words[0] == "over":
            scenarios[-1].transports = tuple(words[1:])
        else:
            steps.append(Step(number, words, []))
    return "\n".join(corefile) + "\n", scenarios


def type_of(word):
    return TYPES[word] if word in TYPES else int(word.removeprefix("TYPE"))


class Run:
    """One scenario over one transport."""

    def __init__(self, scenario, transport):
        self.scenario, self.transport = scenario, transport
        self.tag = f"{scenario.number}{transport[0]}"
        self.zone = f"{self.tag}.test"
        self.plans = {"upstream": [], "other": []}
        self.turn = {"upstream": 0, "other": 0}
        self.asked, self.counted, self.line = [], 0, scenario.line
        self.stream = self.last = None

    def name(self, word, question=""):
        """A name as a file writes it: `@` the scenario's zone, `?` the question's name, with a last dot absolute."""
        if word == ZONE:
            return self.zone
        if word == QUESTION:
            return question
        return word if word.endswith(".") else f"{word}.{self.zone}"

    def data(self, type, words, question):
        """Rdata from presentation form, or as RFC 3597 §5 writes any."""
        if words[0] == "\\#":
            return bytes.fromhex("".join(words[1:]))
        wire = lambda word: dnswire.name(self.name(word, question))
        match type:
            case dnswire.A:
                return socket.inet_pton(socket.AF_INET, words[0])
            case dnswire.AAAA:
                return socket.inet_pton(socket.AF_INET6, words[0])
            case dnswire.NS | dnswire.CNAME | dnswire.PTR | 39:
                return wire(words[0])
            case dnswire.SOA:  # MINIMUM
                return wire("ns") + wire("hostmaster") + struct.pack("!5I", 1, 7200, 1800, 86400, int(words[0]))
            case dnswire.MX:
                return struct.pack("!H", int(words[0])) + wire(words[1])
            case dnswire.SRV:
                return struct.pack("!3H", *map(int, words[:3])) + wire(words[3])
            case dnswire.TXT:
                return b"".join(bytes([len(word)]) + word.encode() for word in words)
        raise Broken(f"{self.scenario.path.name}:{self.line}: no form for type {type}: write \\# and octets")

    def record(self, words, question):
        """(owner, type, TTL or None, rdata)"""
        owner, ttl, type, *data = words
        type = type_of(type)
        return self.name(owner, question), type, None if ttl == "*" else int(ttl, 0), self.data(type, data, question)

    # The upstream's side.

    async def answer(self, which, asked):
        """What the plan says to the next question; its last line goes on for ever."""
        self.asked.append(asked)
        plans = [p for p in self.plans[which] if p.words[1] not in ("udp", "tcp") or p.words[1] == asked.transport]
        step = plans[min(self.turn[which], len(plans) - 1)] if plans else None
        self.turn[which] += 1
        if step is None:
            asked.send(asked.response(dnswire.record(asked.name, dnswire.A, 30, b"\x0a\0\0\1"), flags=0))
            return
        flags, rcode, options, delay = 0, 0, {}, 0.0
        for word in step.words[1:]:
            if word[0] == "+":
                flags |= FLAGS[word[1:]]
            elif word in RCODES:
                rcode = RCODES[word]
            elif word in ("silence", "close", "bare", "no-edns") or word == "wrong-id":
                options[word] = True
            elif word.startswith("delay="):
                delay = float(word.removeprefix("delay="))
            elif word not in ("udp", "tcp"):
                raise Broken(f"{self.scenario.path.name}:{step.line}: {word}")
        sections = {"answers": [], "authority": [], "additional": []}
        extra = b""
        for _, (section, *words) in step.below:
            if section == "opt":
                code, data = words[0].split(":")
                extra += dnswire.option(int(code), bytes.fromhex(data))
            else:
                owner, type, ttl, data = self.record(words, asked.name)
                sections[SECTIONS[section]].append(dnswire.record(owner, type, ttl, data, cls=asked.message.cls))
        if extra or rcode > 15:
            sections["additional"].append(dnswire.opt(1232, options=extra, rcode=rcode >> 4))
        await asyncio.sleep(delay)
        if "silence" in options:
            return
        if "close" in options:
            asked.close()
            return
        if "bare" in options:
            asked.send(dnswire.header(asked.message.id, dnswire.QR | rcode))
            return
        raw = asked.raw
        if extra or "no-edns" in options or rcode > 15:  # without the OPT that `response` would add
            raw = dnswire.header(asked.message.id, asked.message.flags, 1) + asked.message.question_bytes
        id = asked.message.id ^ 0x1111 if "wrong-id" in options else None
        asked.send(dnswire.response(raw, rcode=rcode & 15, flags=flags, id=id, **sections))

    # The client's side.

    def query(self, step):
        """The message that `ask` describes."""
        name, type, *words = step.words[1:]
        flags, edns, cls, extra, id, questions = dnswire.RD, None, 1, b"", 0x4242, 1
        opt = dict(size=1232, do=False, version=0, options=b"")
        zeros = 0
        for word in words:
            key, _, value = word.partition("=")
            if word[0] in "+-":
                flags = flags & ~FLAGS[word[1:]] | (FLAGS[word[1:]] if word[0] == "+" else 0)
            elif key == "opcode":
                flags |= int(value) << 11
            elif key == "class":
                cls = CLASSES[value]
            elif key == "qdcount":
                questions = int(value)
            elif key in ("edns", "do", "version", "opt", "edns-flags"):
                edns = True
                match key:
                    case "edns":
                        opt["size"] = int(value or 1232)
                    case "do":
                        opt["do"] = True
                    case "version":
                        opt["version"] = int(value)
                    case "opt":
                        code, _, data = value.partition(":")
                        opt["options"] += dnswire.option(int(code), bytes.fromhex(data))
                    case "edns-flags":
                        zeros = int(value, 0)
            elif key == "tsig":
                extra = dnswire.record("key.", 250, 0, dnswire.name("hmac-sha256") + bytes(16), cls=255)
            else:
                raise Broken(f"{self.scenario.path.name}:{step.line}: {word}")
        if edns:
            edns = bytearray(dnswire.opt(**opt))
            struct.pack_into("!H", edns, 7, struct.unpack_from("!H", edns, 7)[0] | zeros)
        question = dnswire.name(self.name(name)) + struct.pack("!HH", type_of(type), cls)
        head = dnswire.header(id, flags, questions, ar=bool(edns) + bool(extra))
        return head + question * questions + bytes(edns or b"") + extra

    def exchange(self, address, packet, patience):
        if self.transport == "udp":
            return clients.ask(address, packet, timeout=patience)
        if self.stream is None:
            self.stream = clients.TCPClient(address, patience)
        self.stream.send(packet)
        return self.stream.receive()

    def go(self, address):
        """Runs the steps; raises Broken at the first that is not as promised."""
        try:
            for step in self.scenario.steps:
                self.line = step.line
                getattr(self, "do_" + step.words[0].replace("other", "upstream"))(step, address)
                self.last = step
        finally:
            if self.stream:
                self.stream.socket.close()

    def do_upstream(self, step, _):
        """Lines on end are a sequence; the first line after something else begins a new one."""
        which = step.words[0]
        if self.last is None or self.last.words[0] != which:
            self.plans[which], self.turn[which] = [], 0
        self.plans[which].append(step)

    def do_wait(self, step, _):
        time.sleep(float(step.words[1]))

    def do_asked(self, step, _):
        """How many questions went upstream since the last look, and by which transport."""
        new = self.asked[self.counted :]
        self.counted = len(self.asked)
        wanted = int(step.words[1])
        self.expect(len(new) == wanted, f"{len(new)} questions upstream, not {wanted}")
        if step.words[2:]:
            self.expect([a.transport for a in new] == step.words[2:], f"asked over {[a.transport for a in new]}")

    def do_seen(self, step, _):
        """What the last question was like that an upstream got."""
        self.expect(self.asked, "no question upstream")
        self.check_words(self.asked[-1].message, step.words[1:])

    def do_ask(self, step, address):
        packet = self.query(step)
        status = step.below[0][1] if step.below else ["NOERROR"]
        reply = self.exchange(address, packet, 0.4 if status == ["silence"] else 6.0)
        if status == ["silence"]:
            return self.expect(reply is None, f"answered: {reply}")
        self.expect(reply is not None, "no answer")
        if status[0] == "bare":
            opcode = struct.unpack_from("!H", packet, 2)[0] & (0x7800 | dnswire.RD)
            wanted = packet[:2] + struct.pack("!H", dnswire.QR | opcode | RCODES[status[1]]) + bytes(8)
            return self.expect(reply == wanted, f"{reply.hex()}, not {wanted.hex()}")
        try:
            message = dnswire.decode(reply)
        except dnswire.Malformed as fault:
            raise Broken(f"{self.where}: {fault}: {reply.hex()}") from fault
        sent = dnswire.decode(packet)
        self.expect(message.flags & dnswire.QR, "QR is not set")
        self.expect((message.id, message.question_bytes) == (sent.id, sent.question_bytes), "another id or question")
        self.expect(not message.flags & 0x40, "Z is set")
        self.expect(message.rcode == RCODES[status[0]], f"rcode {message.rcode}, not {status[0]}")
        self.check_words(message, status[1:])
        if sent.edns is None:
            self.expect(message.edns is None, "an OPT that was not asked for")
        sections = {}
        for line, (section, *words) in step.below[1:]:
            self.line = line
            sections.setdefault(section, [])
            if words != ["none"]:
                sections[section].append(self.record(words, sent.name))
        for section, wanted in sections.items():
            got = getattr(message, SECTIONS[section])
            self.expect(
                len(got) == len(wanted) and all(map(same, got, wanted)), f"{section} is {got}, not {wanted}"
            )

    def check_words(self, message, words):
        edns = message.edns
        for word in words:
            key, _, value = word.partition("=")
            if word[0] in "+-":
                is_set = bool(message.flags & FLAGS[word[1:]])
                self.expect(is_set == (word[0] == "+"), f"{word[1:]} is {is_set}")
            elif key == "no-edns":
                self.expect(edns is None, f"{edns}")
            elif key == "edns":
                self.expect(edns and edns.version == 0 and value in ("", str(edns.size)), f"{edns}")
            elif key in ("do", "no-do"):
                self.expect(edns and edns.do == (key == "do"), f"{edns}")
            elif key == "opt":
                code, _, data = value.partition(":")
                self.expect(edns and edns.options == dnswire.option(int(code), bytes.fromhex(data)), f"{edns}")
            elif key == "no-opt":
                self.expect(not edns or not edns.options, f"{edns}")
            elif key == "size":
                self.expect(message.size <= int(value), f"{message.size} octets")
            elif key == "name":
                self.expect(message.name.lower() == self.name(value).rstrip(".").lower(), f"{message.name}")
            elif key == "type":
                self.expect(message.type == type_of(value), f"type {message.type}")
            else:
                raise Broken(f"{self.where}: {word}")

    @property
    def where(self):
        return f"{self.scenario.path.name}:{self.line} over {self.transport}"

    def expect(self, holds, fault):
        if not holds:
            raise Broken(f"{self.where}: {fault} ({self.scenario.intent})")


def same(got, wanted):
    """Whether a record is the one that was wanted; a second may have passed since its TTL was given."""
    name, type, ttl, rdata = wanted
    return (
        got.name.lower() == name.rstrip(".").lower()
        and (got.type, got.rdata) == (type, rdata)
        and (ttl is None or got.ttl in (ttl, ttl - 1))
    )


class Group:
    """The scenarios of one file: their upstreams, and the runs by the label that tells them apart."""

    def __init__(self, path):
        self.path = path
        self.corefile, self.scenarios = read(path)
        self.runs = {}
        for scenario in self.scenarios:
            for transport in scenario.transports:
                run = Run(scenario, transport)
                self.runs[run.tag] = run
        self.peers = {which: peer.Peer(self.script(which)) for which in ("upstream", "other")}

    def script(self, which):
        async def answer(asked):
            labels = asked.name.lower().split(".")
            run = self.runs.get(labels[-2] if len(labels) > 1 else "")
            if run:
                await run.answer(which, asked)

        return answer

    def block(self, port):
        """The Corefile for a ringlet on `port`."""
        text = self.corefile.replace("$UPSTREAM", self.peers["upstream"].address).replace("$OTHER", self.peers["other"].address)
        return re.sub(r"\$PORT\b", str(port), text)
