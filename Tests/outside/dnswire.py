"""DNS messages as bytes, the little that the outside tests need; nothing here is shared with the server under test."""

import dataclasses
import struct

A, NS, CNAME, SOA, PTR, MX, TXT, AAAA, SRV, OPT = 1, 2, 5, 6, 12, 15, 16, 28, 33, 41
IN, CH = 1, 3
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, BADVERS = 0, 1, 2, 3, 4, 5, 16
QR, AA, TC, RD, RA, AD, CD, DO = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0020, 0x0010, 0x8000
QUESTION = 12  # offset of the question, the length of a header


class Malformed(Exception):
    """The bytes are no DNS message."""


def name(text):
    """The wire form of a name in text form, without compression."""
    labels = [label.encode("latin-1") for label in text.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def option(code, data=b""):
    """One EDNS option."""
    return struct.pack("!HH", code, len(data)) + data


def opt(size=1232, do=False, version=0, options=b"", rcode=0):
    """An OPT record (RFC 6891 §6.1.2)."""
    return struct.pack("!BHHBBHH", 0, OPT, size, rcode, version, DO if do else 0, len(options)) + options


def header(id, flags, qd=0, an=0, ns=0, ar=0):
    return struct.pack("!6H", id, flags, qd, an, ns, ar)


def query(question_name, type=A, *, id=0, flags=RD, cls=IN, edns=None):
    """A query; `edns` is an OPT record as `opt` makes it."""
    question = name(question_name) + struct.pack("!HH", type, cls)
    return header(id, flags, qd=1, ar=1 if edns else 0) + question + (edns or b"")


def record(owner, type, ttl, rdata, cls=IN):
    """One resource record, its owner in full."""
    return name(owner) + struct.pack("!HHIH", type, cls, ttl, len(rdata)) + rdata


def soa(zone, ttl, minimum=30):
    """A start of authority with its negative TTL."""
    rdata = name("ns.dns." + zone) + name("hostmaster." + zone) + struct.pack("!5I", 1, 7200, 1800, 86400, minimum)
    return record(zone, SOA, ttl, rdata)


def response(asked, answers=(), authority=(), additional=(), *, rcode=NOERROR, flags=AA, id=None, question=None):
    """The reply to the query bytes `asked`, with its OPT if it has one. `id` and `question` may tell another story."""
    sent = decode(asked)
    question = sent.question_bytes if question is None else question
    additional = list(additional) + ([opt(1232, do=sent.edns.do)] if sent.edns else [])
    bits = QR | flags | sent.flags & (RD | CD) | rcode
    head = header(sent.id if id is None else id, bits, 1, len(answers), len(authority), len(additional))
    return head + question + b"".join([*answers, *authority, *additional])


@dataclasses.dataclass(frozen=True)
class Record:
    name: str
    type: int
    cls: int
    ttl: int
    rdata: bytes  # names in it uncompressed


@dataclasses.dataclass(frozen=True)
class EDNS:
    size: int
    rcode: int
    version: int
    do: bool
    options: bytes


@dataclasses.dataclass
class Message:
    id: int
    flags: int
    question_bytes: bytes  # name, type and class as they stand in the message
    name: str
    type: int
    cls: int
    answers: list
    authority: list
    additional: list  # without OPT
    edns: EDNS | None
    size: int

    @property
    def rcode(self):
        return self.flags & 0xF | (self.edns.rcode << 4 if self.edns else 0)

    @property
    def records(self):
        return self.answers + self.authority + self.additional

    def data(self, type):
        """The rdata of the answers of one type, sorted."""
        return sorted(r.rdata for r in self.answers if r.type == type)


def decode(message):
    """Reads a message to its last byte; raises Malformed unless every byte is accounted for."""
    if len(message) < QUESTION:
        raise Malformed("shorter than a header")
    id, flags, qd, an, ns, ar = struct.unpack_from("!6H", message)
    at, question_name, type, cls = QUESTION, "", 0, 0
    if qd > 1:
        raise Malformed("several questions")
    if qd:
        question_name, at = _read_name(message, at)
        type, cls = _unpack("!HH", message, at)
        at += 4
    question_bytes = message[QUESTION:at]
    sections, edns = [], None
    for count in (an, ns, ar):
        section = []
        for _ in range(count):
            (owner, rtype, rclass, ttl, rdata), at = _read_record(message, at)
            if rtype == OPT:
                if edns or owner:
                    raise Malformed("a second OPT, or one that the root does not own")
                edns = EDNS(rclass, ttl >> 24, ttl >> 16 & 0xFF, bool(ttl & DO), rdata)
            else:
                section.append(Record(owner, rtype, rclass, ttl, rdata))
        sections.append(section)
    if at != len(message):
        raise Malformed(f"{len(message) - at} bytes after the message")
    return Message(id, flags, question_bytes, question_name, type, cls, *sections, edns, len(message))


def without_ttls(message):
    """The message with the TTLs of its records 0."""
    masked, at = bytearray(message), QUESTION
    qd, *counts = _unpack("!4H", message, 4)
    for _ in range(qd):
        at = _read_name(message, at)[1] + 4
    for _ in range(sum(counts)):
        fixed = _read_name(message, at)[1]
        (record, at) = _read_record(message, at)
        if record[1] != OPT:
            masked[fixed + 4 : fixed + 8] = bytes(4)
    return bytes(masked)


def _unpack(form, message, at):
    if at + struct.calcsize(form) > len(message):
        raise Malformed("cut short")
    return struct.unpack_from(form, message, at)


def _read_name(message, at):
    labels, end, limit = [], None, at
    while True:
        (length,) = _unpack("!B", message, at)
        if length >= 0xC0:
            (pointer,) = _unpack("!H", message, at)
            end = end or at + 2
            at = pointer & 0x3FFF
            if at >= limit:
                raise Malformed("a pointer that does not point back")
            limit = at
        elif length > 63:
            raise Malformed("a label of unknown kind")
        elif length == 0:
            return ".".join(labels), end or at + 1
        else:
            label = message[at + 1 : at + 1 + length]
            if len(label) < length:
                raise Malformed("cut short")
            labels.append(label.decode("latin-1"))
            at += 1 + length


def _read_record(message, at):
    owner, at = _read_name(message, at)
    type, cls, ttl, length = _unpack("!HHIH", message, at)
    at += 10
    end = at + length
    if end > len(message):
        raise Malformed("rdata cut short")
    return (owner, type, cls, ttl, _expand(message, type, at, end)), end


def _expand(message, type, at, end):
    """Rdata with the names that may be compressed written in full (RFC 3597 §4)."""
    fixed = {NS: 0, CNAME: 0, PTR: 0, SOA: 0, MX: 2, SRV: 6}.get(type)
    if fixed is None:
        return message[at:end]
    out, at = message[at : at + fixed], at + fixed
    for _ in range(2 if type == SOA else 1):
        text, at = _read_name(message, at)
        out += name(text)
    return out + message[at:end]
