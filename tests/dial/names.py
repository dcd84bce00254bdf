"""Names that say how their lookup and their addresses behave, as the laboratory's name server reads them.

A name is a row of words and ends in "test": `late500.6dead.4live30.test` is told after 500 ms, and has an
IPv6 address that never answers and an IPv4 address that accepts after 30 ms. Of the addresses

    4dead          nothing comes back
    4live30        accepts after 30 ms
    4refused30     resets after 30 ms
    4unreachable30 a router says after 30 ms that there is no such host
    4noroute       no packet leaves the machine
    4local         the loopback address

(6dead and so on the same for IPv6), and of the lookup

    late500        both questions are answered after 500 ms; 4late500 and 6late500 are the one for A and for AAAA
    never          no answer; 4never and 6never are as above
    formerr, servfail, nxdomain, notimp, refuse
                   the name server answers with that code
    nodata         the name has no address
    truncated      all of it comes by TCP alone
    noise          answers to other questions come first
    broken         the answer cannot be parsed
    cname          a chain of aliases
"""

import ipaddress
import re

WORD = re.compile(r"(?P<family>[46]?)(?P<word>[a-z]+)(?P<ms>\d*)$")

# What answers is numbered by what it does and after how many hundredths of a second.
LIVE, REFUSED, UNREACHABLE = 0, 100, 200
ANSWERING = {4: ipaddress.ip_network("198.51.100.0/24"), 6: ipaddress.ip_network("2001:db8:a::/120")}
DEAD = {4: ipaddress.ip_network("192.0.2.0/24"), 6: ipaddress.ip_network("2001:db8:d::/120")}
NO_ROUTE = {4: ipaddress.ip_network("203.0.113.128/25"), 6: ipaddress.ip_network("2001:db8:e::/120")}
LOCAL = {4: ipaddress.ip_address("127.0.0.1"), 6: ipaddress.ip_address("::1")}


def words(name):
    """The words of a name, each with its family (0 for both) and its milliseconds."""
    for label in name.lower().rstrip(".").split("."):
        match = WORD.match(label)
        if match:
            yield match["word"], int(match["family"] or 0), int(match["ms"] or 0)


def address(word, family, ms=0, count=0):
    """The address that a word stands for; `count` tells several dead ones apart. None if it stands for none."""
    kinds = {"live": LIVE, "refused": REFUSED, "unreachable": UNREACHABLE}
    if word in kinds:
        return ANSWERING[family][kinds[word] + ms // 10]
    return {"dead": DEAD[family][count + 1], "noroute": NO_ROUTE[family][count + 1], "local": LOCAL[family]}.get(word)


def addresses(name, family):
    """The addresses of a name, in its order."""
    found = []
    for word, of_family, ms in words(name):
        if of_family == family and address(word, family, ms):
            found.append(address(word, family, ms, len(found)))
    return found
