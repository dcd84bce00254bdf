"""A name server whose names say how it behaves: see names.py."""

import asyncio
import struct

import names

A, AAAA = 1, 28
CNAME = 5
FAMILIES = {A: 4, AAAA: 6}
CODES = {"formerr": 1, "servfail": 2, "nxdomain": 3, "notimp": 4, "refuse": 5}
NXDOMAIN = CODES["nxdomain"]


class Question:
    def __init__(self, packet):
        self.id, self.asked_flags, self.count = struct.unpack_from(">HHH", packet)
        labels, at = [], 12
        while packet[at]:
            labels.append(packet[at + 1:at + 1 + packet[at]].decode("ascii", "replace"))
            at += 1 + packet[at]
        self.kind, _ = struct.unpack_from(">HH", packet, at + 1)
        self.question = packet[12:at + 5]
        self.name = ".".join(labels)
        self.family = FAMILIES.get(self.kind)
        self.words = {word: ms for word, family, ms in names.words(self.name) if family in (0, self.family)}

    def answer(self, records=(), code=0, truncated=False):
        flags = 0x8180 | (0x0200 if truncated else 0) | code
        return struct.pack(">HHHHHH", self.id, flags, 1, len(records), 0, 0) + self.question + b"".join(records)

    def records(self):
        """The addresses, after the aliases that lead to them."""
        found, owner = [], b"\xc0\x0c"
        if "cname" in self.words:
            for alias in (b"\x06alias1\x04test\x00", b"\x06alias2\x04test\x00"):
                found.append(record(owner, CNAME, alias))
                owner = alias
        for address in names.addresses(self.name, self.family) if self.family else []:
            found.append(record(owner, self.kind, address.packed))
        return found


def record(owner, kind, data):
    return owner + struct.pack(">HHIH", kind, 1, 1, len(data)) + data


def replies(question, by_tcp):
    """What to answer: pairs of seconds and a packet."""
    words = question.words
    if not question.name.endswith(".test"):
        return [(0, question.answer(code=NXDOMAIN))]
    if "never" in words:
        return []
    after = words.get("late", 0) / 1000
    for word, code in CODES.items():
        if word in words:
            return [(after, question.answer(code=code))]
    if "broken" in words:
        return [(after, question.answer([record(b"\xc0\xff", question.kind, b"\xff" * 3)]))]
    if "truncated" in words and not by_tcp:
        return [(after, question.answer(truncated=True))]
    noise = []
    if "noise" in words:
        right = question.answer(question.records())
        noise = [(after, bytes([right[0] ^ 1]) + right[1:]), (after, right.replace(b"noise", b"nosie"))]
        after += 0.1
    return noise + [(after, question.answer(question.records()))]


class Datagrams(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, packet, peer):
        for after, reply in replies(Question(packet), False):
            asyncio.get_running_loop().call_later(after, self.transport.sendto, reply, peer)


async def stream(reader, writer):
    try:
        while True:
            (length,) = struct.unpack(">H", await reader.readexactly(2))
            for after, reply in replies(Question(await reader.readexactly(length)), True):
                await asyncio.sleep(after)
                writer.write(struct.pack(">H", len(reply)) + reply)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def start(host):
    await asyncio.get_running_loop().create_datagram_endpoint(Datagrams, local_addr=(host, 53))
    await asyncio.start_server(stream, host, 53)
