"""tls-fetch: HTTPS by OpenSSL with openssl s_server, and with a proxy that holds its bytes back."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import threading
import time

from programs import LATE, LIBRARY, Outcome, interrupt, same
from suite import CC, SOURCE, Skip, need, run, test


def installed():
    return shutil.which("pkg-config") and subprocess.run(["pkg-config", "--exists", "openssl"]).returncode == 0


def need_headers():
    if not installed():
        raise Skip("pkg-config knows no openssl, whose headers are in libssl-dev")


LIBRARIES = subprocess.run(["pkg-config", "--libs", "openssl"], stdout=subprocess.PIPE,
                           text=True).stdout.split() if installed() else []


class Site:
    """A directory with a program, a certificate for localhost, and a page."""

    def __init__(self, directory):
        self.program, self.certificate = os.path.join(directory, "tls-fetch"), os.path.join(directory, "certificate.pem")
        self.directory, self.key = directory, os.path.join(directory, "key.pem")
        self.page = os.urandom(1_000_000)
        self.ready = False

    def make(self):
        need_headers()
        need("openssl")
        if not self.ready:
            run(CC, "-O2", "-o", self.program, os.path.join(SOURCE, "examples-c/tls-fetch.c"), *LIBRARY, *LIBRARIES)
            run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                "subjectAltName=DNS:localhost", "-keyout", self.key, "-out", self.certificate)
            with open(os.path.join(self.directory, "page"), "wb") as page:
                page.write(self.page)
            self.ready = True

    def command(self, port, *arguments, host="localhost", path="/page", trusted=True):
        return ["env", "SSL_CERT_FILE=" + (self.certificate if trusted else "/dev/null"), self.program,
                f"https://{host}:{port}{path}", *arguments]


@contextlib.contextmanager
def server(site):
    """openssl s_server, which gives what is in the directory; gives its port."""
    site.make()
    command = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-key", site.key, "-cert", site.certificate, "-WWW"]
    with subprocess.Popen(command, cwd=site.directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.DEVNULL) as process:
        try:
            port = None
            while not port:
                line = process.stdout.readline()
                assert line, "openssl s_server did not start"
                port = re.match(r"ACCEPT .*:(\d+)", line)
            # It must not be held up by what else it has to say.
            threading.Thread(target=process.stdout.read, daemon=True).start()
            yield int(port[1])
        finally:
            process.kill()


@contextlib.contextmanager
def between(port, most, then):
    """A proxy for one connection, that passes on so many bytes of the server's, and then does what `then` does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)

        def serve():
            with contextlib.suppress(OSError):
                client, _ = listener.accept()
                with client, socket.create_connection(("127.0.0.1", port), timeout=60) as other:
                    client.settimeout(60)
                    threading.Thread(target=copy, args=[client, other], daemon=True).start()
                    left = most
                    while left > 0 and (piece := other.recv(min(left, 65536))):
                        client.sendall(piece)
                        left -= len(piece)
                    then(client)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(60)
        assert not thread.is_alive(), "the connection was not closed"


def copy(source, to):
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            to.sendall(piece)


def hold(client):
    """In silence, until the client goes."""
    gone = time.monotonic() + 60
    while time.monotonic() < gone and b"" != peek(client):
        time.sleep(0.02)


def peek(client):
    try:
        return client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return None


def cut(client):
    """Closes its side, so that no farewell of TLS comes."""
    client.shutdown(socket.SHUT_WR)
    hold(client)


def drip(client):
    """A byte each 0.1 s, of what could be a record."""
    with contextlib.suppress(OSError):
        for _ in range(50):
            client.sendall(b"\x17")
            time.sleep(0.1)


def fetched(site):
    with server(site) as port:
        outcome = Outcome(*site.command(port, "60")).is_code(0)
    head, _, body = outcome.body.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200"), head
    assert body == site.page, "that is not the page"


def refuses(site, how, why):
    with server(site) as port:
        outcome = Outcome(*site.command(port, **how)).is_code(1)
    same((outcome.body, outcome.said), (b"", f"tls-fetch: handshake: {why}\n"))


def times_out(site, most, then, what):
    with server(site) as port, between(port, most, then) as port:
        outcome = Outcome(*site.command(port, "0.7")).is_code(2)
    same(outcome.said, f"tls-fetch: {what}: Timed out\n")
    assert 0.7 <= outcome.took < 0.7 + LATE, f"0.7 s took {outcome.took:.3f} s"
    return f"{outcome.took:.3f} s for 0.7 s"


def interrupted(site, most, what):
    with server(site) as port, between(port, most, hold) as port:
        code, said, took = interrupt(site.command(port, "60"))
    same((code, said), (130, f"tls-fetch: {what}: Operation canceled\n"))
    assert took < LATE, f"took {took:.3f} s"
    return f"in {took:.3f} s"


def cut_short(site, most, what):
    with server(site) as port, between(port, most, cut) as port:
        outcome = Outcome(*site.command(port)).is_code(1)
    same(outcome.said, f"tls-fetch: {what}: cut short\n")


def not_tls(site):
    site.make()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=lambda: listener.accept()[0].sendall(b"220 smtp.invalid ESMTP\r\n"), daemon=True).start()
        outcome = Outcome(*site.command(listener.getsockname()[1])).is_code(1)
    same(outcome.said, "tls-fetch: handshake: wrong version number\n")


def misused(site, *arguments):
    site.make()
    same(Outcome(site.program, *arguments).is_code(64).said, "usage: tls-fetch https://HOST[:PORT][/PATH] [SECONDS]\n")


def tests(directory):
    site = Site(directory)
    test("tls-fetch gets a page", fetched, site)
    test("tls-fetch does not trust everybody", refuses, site, {"trusted": False}, "self-signed certificate")
    test("tls-fetch looks at the name in a certificate", refuses, site, {"host": "127.0.0.1"}, "IP address mismatch")
    test("tls-fetch times out in the handshake", times_out, site, 100, hold, "handshake")
    test("tls-fetch times out before the handshake", times_out, site, 0, hold, "handshake")
    test("tls-fetch times out in a handshake that drips", times_out, site, 100, drip, "handshake")
    test("tls-fetch times out in a body", times_out, site, 500_000, hold, "receive")
    test("tls-fetch ends by Ctrl-C in the handshake", interrupted, site, 100, "handshake")
    test("tls-fetch ends by Ctrl-C in a body", interrupted, site, 500_000, "receive")
    test("tls-fetch sees an end in the handshake", cut_short, site, 100, "handshake")
    test("tls-fetch sees an end without a farewell", cut_short, site, 500_000, "receive")
    test("tls-fetch of what is no TLS", not_tls, site)
    for arguments in [[], ["http://localhost/"], ["https://"], ["https://localhost:x/"], ["https://localhost/", "0"]]:
        test(f"usage of tls-fetch {' '.join(arguments)}", misused, site, *arguments)
