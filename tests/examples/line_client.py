"""line-client: a line and its answer within a time, whatever comes how."""

import time

from programs import LATE, Outcome, interrupt, peer, program, same
from suite import test


def say(*pieces):
    """Sends the pieces, or waits for them in seconds, and then until the client goes."""
    def talk(connection):
        for piece in pieces:
            if isinstance(piece, bytes):
                connection.sendall(piece)
            else:
                time.sleep(piece)
        while connection.recv(65536):
            pass
    return talk


def talk_to(pieces, given, *seconds, under=()):
    with peer(say(*pieces)) as address:
        return Outcome(*under, program("line-client"), *address, *seconds, given=given)


def answered(pieces, given, printed, *under):
    same(talk_to(pieces, given, under=under).text(), printed)


def times_out(pieces, given, printed):
    outcome = talk_to(pieces, given, "0.5").is_code(2)
    same((outcome.body, outcome.said), (printed, "line-client: receive: Timed out\n"))
    assert 0.5 <= outcome.took < 0.5 + LATE, f"0.5 s took {outcome.took:.3f} s"


def fails(talk, why):
    with peer(talk) as address:
        same(Outcome(program("line-client"), *address, given=b"x\n").is_code(1).said, f"line-client: {why}\n")


def interrupted():
    with peer(say()) as address:
        code, said, _ = interrupt([program("line-client"), *address], "x\n")
    same((code, said), (130, "line-client: receive: Operation canceled\n"))


def tests():
    test("line-client takes lines", answered, [b"one\n", b"two\n"], b"1\n2\n", "one\ntwo\n")
    test("line-client takes a line in pieces", answered, [b"o", 0.05, b"n", 0.05, b"e\r\n"], b"1\n", "one\r\n")
    test("line-client keeps what came with a line", answered, [b"one\ntwo\nthr", 0.1, b"ee\n"], b"1\n2\n3\n", "one\ntwo\nthree\n")
    test("line-client times out", times_out, [], b"x\n", b"")
    test("line-client times out in a line", times_out, [b"one\ntw", *[0.1, b"o"] * 20], b"1\n2\n", b"one\n")
    test("line-client does not take half a line", fails, lambda connection: (connection.recv(9), connection.sendall(b"hal")),
         "receive: Connection closed")
    test("line-client does not take an endless line", fails, say(b"x" * 10000), "receive: Message too long")
    test("line-client ends by Ctrl-C", interrupted)
