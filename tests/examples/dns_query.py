"""dns-query: datagrams that are lost, late, wrong and forged."""

import contextlib
import socket
import struct
import threading
import time

from programs import LATE, Outcome, program, same
from suite import test

POINTER = b"\xc0\x0c"  # to the name in the question


def record(data, kind=1, name=POINTER):
    return name + struct.pack(">HHIH", kind, 1, 60, len(data)) + data


def reply(query, *records, code=0, flags=0x8180):
    return query[:2] + struct.pack(">HHHHH", flags | code, 1, len(records), 0, 0) + query[12:] + b"".join(records)


@contextlib.contextmanager
def name_server(*turns):
    """A name server that answers each query with what the function of its turn makes of it. Gives its port, and a list of
    the queries with their times."""
    asked = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(60)

        def serve():
            for turn in turns:
                query, client = server.recvfrom(512)
                asked.append((time.monotonic(), query))
                for datagram in turn(query):
                    server.sendto(datagram, client)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield str(server.getsockname()[1]), asked
        thread.join(60)
        assert not thread.is_alive(), "fewer queries than expected"


def silent(_):
    return []


def ask(port, *seconds, host="www.example.org", under=()):
    return Outcome(*under, program("dns-query"), host, "127.0.0.1", port, *seconds)


def answered(records, printed, *under):
    with name_server(lambda query: [reply(query, *records)]) as (port, asked):
        same(ask(port, under=under).text(), printed)
    same(asked[0][1][2:], b"\1\0\0\1\0\0\0\0\0\0" b"\3www\7example\3org\0\0\1\0\1")


def fails(make, why, code=1):
    with name_server(make) as (port, _):
        same(ask(port).is_code(code).said, f"dns-query: {why}\n")


def asks_again():
    """Two datagrams are lost. The tries after them come when they should, and not before."""
    with name_server(silent, silent, lambda query: [reply(query, record(bytes([192, 0, 2, 7])))]) as (port, asked):
        outcome = ask(port)
        same(outcome.text(), "192.0.2.7\n")
    same(len({query for _, query in asked}), 1)
    gaps = [later - sooner for (sooner, _), (later, _) in zip(asked, asked[1:])]
    assert outcome.took >= 1.5, f"tries of 0.5 and 1 s took {outcome.took:.3f} s"
    return " and ".join(f"{gap:.3f} s" for gap in gaps)


def ignores_others():
    """Answers to other questions neither count nor prolong the try."""
    right = record(bytes([192, 0, 2, 1]))

    def forged(query):
        other = bytes([query[0] ^ 1]) + query[1:]
        return [reply(other, right), query, reply(query.replace(b"www", b"ftp"), right), b"", query[:5]] * 20

    with name_server(forged, lambda query: [reply(query, right)]) as (port, _):
        outcome = ask(port)
        same(outcome.text(), "192.0.2.1\n")
    assert outcome.took >= 0.5, f"the first try took {outcome.took:.3f} s"


def times_out():
    """The fourth try, which had 4 s, is cut to what is left."""
    with name_server(*[silent] * 4) as (port, _):
        outcome = ask(port, "3.6").is_code(2)
    same(outcome.said, "dns-query: Timed out\n")
    assert 3.6 <= outcome.took < 3.6 + LATE, f"3.6 s took {outcome.took:.3f} s"


def refused():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        port = str(unused.getsockname()[1])
    same(ask(port).is_code(1).said, "dns-query: Connection refused\n")


def no_name(host):
    same(ask("53", host=host).is_code(64).said, "dns-query: that is no name of a host\n")


ADDRESSES = [record(bytes([192, 0, 2, 1])), record(b"\3two\0", 5), record(bytes(16), 28),
             record(bytes([192, 0, 2, 255]), name=b"\3two" + POINTER)]


def tests():
    test("dns-query prints addresses", answered, ADDRESSES, "192.0.2.1\n192.0.2.255\n")
    test("dns-query asks again", asks_again)
    test("dns-query ignores other answers", ignores_others)
    test("dns-query times out", times_out)
    test("dns-query is refused", refused)
    test("dns-query of no host", fails, lambda query: [reply(query, code=3)], "no such host")
    test("dns-query of a server that fails", fails, lambda query: [reply(query, code=2)], "the server fails")
    test("dns-query of no address", fails, lambda query: [reply(query, record(bytes(16), 28))], "the host has no IPv4 address")
    test("dns-query of a truncated answer", fails, lambda query: [reply(query, flags=0x8380)],
         "the answer does not fit a datagram")
    for length in [1, 5, 11, 13]:
        test(f"dns-query of {length} bytes of a record", fails,
             lambda query, length=length: [reply(query, record(bytes(4)))[:len(query) + length]], "the answer is cut short")
    for host in ["a..b", ".", "x" * 64, ".".join(["x" * 50] * 6)]:
        test(f"dns-query of the host {host[:8]}", no_name, host)
