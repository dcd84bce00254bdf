"""What a dial meets in the laboratory, what has to come of it, and when at best."""

import dataclasses
import math

import names

FOREVER = math.inf
STAGGER, LEAST_STAGGER = 0.25, 0.01
# How long the resolver waits for an answer and the kernel for a handshake.
RESOLVER, KERNEL = 3, 7


@dataclasses.dataclass(frozen=True)
class Scenario:
    what: str
    words: str  # The name, as in names.py.
    budget: float
    outcome: str  # An error's name, "or" others, or the address that is connected to.
    ideal: float  # How long it takes if nothing but the scenario takes time.
    compared: bool = False  # With CPython, in the documentation.
    tries: int = 1  # Of which one must do: those that fail were too late, because the machine was.

    @property
    def host(self):
        return self.words + ".test."  # With a dot at its end it is asked for once.

    @property
    def timed_out(self):
        """The time ran out, and not the kernel's or the resolver's own."""
        return self.outcome == "ETIMEDOUT" and self.budget < FOREVER


def live(family=4, ms=0):
    return str(names.address("live", family, ms))


def turn(place, addresses, budget):
    """When the address in that place, from 0, has its turn."""
    return place * max(LEAST_STAGGER, min(STAGGER, budget / 2 / (addresses - 1)))


def connected(what, words, ideal, budget=2.0, family=4, ms=0, **more):
    return Scenario(what, words, budget, live(family, ms), ideal, **more)


def fails(what, words, outcome, ideal=0.0, budget=2.0, **more):
    return Scenario(what, words, budget, outcome, budget if outcome == "ETIMEDOUT" and budget < FOREVER else ideal, **more)


SCENARIOS = [
    connected("IPv4 that accepts at once", "4live", 0, compared=True),
    connected("IPv6 that accepts at once", "6live", 0, family=6),
    connected("both accept at once, IPv6 is preferred", "4live.6live", 0, family=6),
    connected("handshake of 300 ms", "4live300", 0.3, ms=300, compared=True),
    fails("handshake longer than the budget", "6live900", "ETIMEDOUT", budget=0.5),
    connected("alias of an alias", "cname.6live.4live", 0, family=6),
    connected("answer too long for UDP", "truncated.6live.4live", 0, family=6),
    connected("answers to other questions first", "noise.4live", 0.1),
    # The lookup.
    connected("lookup of 500 ms", "late500.4live", 0.5, compared=True),
    connected("lookup of 700 ms and handshake of 700 ms", "late700.4live700", 1.4, ms=700),
    fails("lookup of 700 ms and handshake of 700 ms, too long together", "late700.4live700", "ETIMEDOUT", budget=1),
    fails("lookup longer than the budget", "late3000.4live", "ETIMEDOUT", compared=True),
    fails("name server that never answers", "never", "ETIMEDOUT", compared=True),
    fails("name server that never answers, small budget", "never", "ETIMEDOUT", budget=0.05),
    fails("name server that never answers, no limit", "never", "EAI_AGAIN", RESOLVER, FOREVER),
    connected("A 500 ms late, AAAA at once", "4late500.4live.6live", 0.5, family=6),
    connected("AAAA 500 ms late, A at once", "6late500.4live.6live", 0.5, family=6),
    fails("A never, AAAA at once", "4never.4live.6live", "ETIMEDOUT", compared=True),
    fails("AAAA never, A at once", "6never.4live.6live", "ETIMEDOUT"),
    fails("name server that fails", "servfail", "EAI_AGAIN", compared=True),
    fails("name server that refuses", "refuse", "EAI_AGAIN"),
    fails("name server that cannot read the question", "formerr", "EAI_NONAME"),
    fails("name server that does not serve names", "notimp", "EAI_AGAIN"),
    fails("no such name", "nxdomain", "EAI_NONAME", compared=True),
    fails("no such name, told after 500 ms", "late500.nxdomain", "EAI_NONAME", 0.5),
    fails("no address", "nodata", "EAI_NODATA"),
    fails("answer that makes no sense", "broken.4live", "EAI_NONAME or EAI_FAIL or EAI_AGAIN"),
    # Several addresses.
    connected("IPv6 black-holed, IPv4 live", "6dead.4live", 0.25, compared=True),
    connected("two dead, one live, no limit", "4dead.4dead.4live", 2 * STAGGER, FOREVER),
    connected("IPv6 black-holed, IPv4 live, no limit", "6dead.4live", 0.25, FOREVER),
    connected("IPv6 live, IPv4 black-holed", "4dead.6live", 0, family=6, compared=True),
    connected("three IPv6 black-holed, IPv4 live", "6dead.6dead.6dead.4live", 0.25, compared=True),
    connected("eight IPv6 black-holed, IPv4 live", "6dead." * 8 + "4live", turn(1, 9, 2)),
    connected("ten dead, one live", "4dead." * 10 + "4live", turn(10, 11, 2), compared=True),
    connected("ten dead, one live, 5 s", "4dead." * 10 + "4live", turn(10, 11, 5), 5, compared=True),
    connected("ten dead, one live, 500 ms", "4dead." * 10 + "4live", turn(10, 11, 0.5), 0.5),
    connected("39 dead, one live", "4dead." * 39 + "4live", turn(39, 40, 2)),
    connected("39 dead, one live, 750 ms", "4dead." * 39 + "4live", turn(39, 40, 0.75), 0.75, tries=3),
    connected("five dead of each, one IPv4 live", "4dead." * 5 + "6dead." * 5 + "4live", turn(10, 11, 2)),
    connected("slow IPv6, quick IPv4 begun later", "6live900.4live", 0.25),
    connected("IPv6 in 400 ms, IPv4 begun later would take longer", "6live400.4live900", 0.4, family=6, ms=400),
    connected("IPv6 refused at once, IPv4 live", "6refused.4live", 0, compared=True),
    connected("IPv6 refused after 100 ms, IPv4 live", "6refused100.4live", 0.1),
    connected("IPv6 unreachable, IPv4 live", "6unreachable.4live", 0),
    connected("IPv6 without a route, IPv4 live", "6noroute.4live", 0),
    connected("dead, refused, live", "4dead.4refused.4live", 0.25),
    fails("all dead", "4dead.4dead.4dead.6dead.6dead.6dead", "ETIMEDOUT", compared=True),
    fails("all dead, 100 ms", "4dead.4dead.6dead", "ETIMEDOUT", budget=0.1),
    fails("all dead, 5 s", "4dead.6dead.4dead", "ETIMEDOUT", budget=5, compared=True),
    fails("all dead, no limit", "4dead.6dead", "ETIMEDOUT", KERNEL + 0.25, FOREVER),
    fails("all refused", "4refused.6refused", "ECONNREFUSED", compared=True),
    fails("all refused, after 200 ms each", "4refused200.6refused200", "ECONNREFUSED", 0.4),
    fails("refused and dead", "6refused.4dead", "ETIMEDOUT", compared=True),
    fails("refused and dead, no limit", "6refused.4dead", "ECONNREFUSED", KERNEL, FOREVER),
    fails("dead and unreachable, no limit", "6dead.4unreachable", "ETIMEDOUT", KERNEL, FOREVER),
    fails("unreachable and dead", "6unreachable.4dead", "ETIMEDOUT"),
    fails("unreachable, then refused", "6unreachable.4refused", "ECONNREFUSED"),
    fails("refused, then unreachable", "6refused.4unreachable", "ECONNREFUSED", compared=True),
    fails("all unreachable", "6unreachable.4unreachable", "EHOSTUNREACH"),
    fails("no route at all", "6noroute.4noroute", "ENETUNREACH"),
    # No time.
    fails("a name and no time", "4live", "EAGAIN", budget=0),
]
