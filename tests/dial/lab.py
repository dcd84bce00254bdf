#!/usr/bin/env python3
"""Runs a command in a network of its own, with a resolver whose names say how they behave (see names.py).

usage: lab.py COMMAND [ARGUMENT...]

Where that is not possible the exit code is 77, and a line says why.
"""

import asyncio
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import nameserver
import network

PORT = 7777
# Attempts that nobody answers end after 1 + 2 + 4 s.
SETTINGS = {"tcp_syn_retries": "2", "tcp_syn_linear_timeouts": "0"}
FILES = {
    "/etc/resolv.conf": "nameserver 127.0.0.1\nsearch .\noptions timeout:3 attempts:1\n",
    "/etc/nsswitch.conf": "hosts: files dns\nservices: files\n",
    "/etc/hosts": "127.0.0.1 localhost\n::1 localhost\n198.51.100.0 hosted\n",
}


async def echo(reader, writer):
    try:
        while data := await reader.read(4096):
            writer.write(data)
    except ConnectionError:
        pass
    writer.close()


async def serve(device, command):
    network.start(device)
    await nameserver.start("127.0.0.1")
    for host in "127.0.0.1", "::1":
        await asyncio.start_server(echo, host, PORT, backlog=4096)
    process = await asyncio.create_subprocess_exec(*command)
    return await process.wait()


def main():
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    if os.environ.get("LIBSOCK_LAB") != "entered":
        user = [] if os.geteuid() == 0 else ["--map-root-user"]
        os.environ["LIBSOCK_LAB"] = "entered"
        try:
            entered = subprocess.run(["unshare", "--net", "--mount", *user, "true"], stderr=subprocess.PIPE, text=True)
            why = entered.stderr.strip() if entered.returncode else None
        except FileNotFoundError as error:
            why = str(error)
        if not why:
            os.execvp("unshare", ["unshare", "--net", "--mount", *user, sys.executable, *sys.argv])
        print(f"no namespaces here: {why}")
        return 77
    del os.environ["LIBSOCK_LAB"]
    with tempfile.TemporaryDirectory() as directory:
        try:
            for path, text in FILES.items():
                own = os.path.join(directory, os.path.basename(path))
                with open(own, "w", encoding="ascii") as file:
                    file.write(text)
                os.chmod(own, 0o644)
                subprocess.run(["mount", "--bind", own, path], check=True, stderr=subprocess.STDOUT)
            for name, value in SETTINGS.items():
                if os.path.exists("/proc/sys/net/ipv4/" + name):
                    with open("/proc/sys/net/ipv4/" + name, "w", encoding="ascii") as file:
                        file.write(value)
            device = network.set_up()
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"no network of its own here: {error}")
            return 77
        return asyncio.run(serve(device, sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
