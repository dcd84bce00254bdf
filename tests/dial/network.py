"""A network behind a TUN device: the addresses of names.py accept, reset, or say nothing, after the time they say."""

import asyncio
import fcntl
import ipaddress
import os
import struct
import subprocess

import names

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
FIN, SYN, RST, ACK = 1, 2, 4, 16
TCP, ICMP, ICMP6 = 6, 1, 58
OWN = {4: "203.0.113.1", 6: "2001:db8:f::1"}


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


def set_up():
    """The device, and the routes to it; what has none is out of reach."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"lab", IFF_TUN | IFF_NO_PI))
    ip("link", "set", "lo", "up")
    ip("link", "set", "lab", "up")
    for family, own in OWN.items():
        ip(f"-{family}", "address", "add", own, "dev", "lab", *(["nodad"] if family == 6 else []))
        for network in names.ANSWERING[family], names.DEAD[family]:
            ip(f"-{family}", "route", "add", str(network), "dev", "lab", "src", own)
    return device


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data[:len(data) & ~1])) + (data[-1] << 8 if len(data) % 2 else 0)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packet(source, target, protocol, payload, at):
    """An IP packet; the checksum of the payload goes `at` an offset in it."""
    pseudo = source.packed + target.packed + struct.pack(">IxxxB", len(payload), protocol)
    total = checksum((b"" if protocol == ICMP else pseudo) + payload)
    payload = payload[:at] + struct.pack(">H", total) + payload[at + 2:]
    if source.version == 6:
        return struct.pack(">IHBB", 6 << 28, len(payload), protocol, 64) + source.packed + target.packed + payload
    header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0) + source.packed + target.packed
    return header[:10] + struct.pack(">H", checksum(header)) + header[12:] + payload


def answer(received):
    """What comes back for a packet: seconds and a packet, or None."""
    version = received[0] >> 4
    if version == 6:
        protocol, source, target, segment = received[6], received[8:24], received[24:40], received[40:]
    else:
        protocol, source, target, segment = received[9], received[12:16], received[16:20], received[(received[0] & 15) * 4:]
    source, target = ipaddress.ip_address(source), ipaddress.ip_address(target)
    if protocol != TCP or target not in names.ANSWERING[version]:
        return None
    source_port, target_port, sequence, acknowledged, length, flags = struct.unpack_from(">HHIIBB", segment)
    data = len(segment) - (length >> 4) * 4
    kind, hundredths = divmod(int(target) - int(names.ANSWERING[version][0]), 100)

    def reply(own_sequence, flags):
        follows = (sequence + data + bool(flags & SYN or not own_sequence)) & 0xFFFFFFFF
        header = struct.pack(">HHIIBBHHH", target_port, source_port, own_sequence, follows, 0x50, flags, 65535, 0, 0)
        return packet(target, source, TCP, header, 16)

    if not flags & SYN:
        return (0, reply(acknowledged, RST | ACK)) if flags & FIN or data else None
    if kind == names.UNREACHABLE // 100:
        protocol, code, at_most = (ICMP, b"\x03\x01", 28) if version == 4 else (ICMP6, b"\x01\x03", 1232)
        return hundredths / 100, packet(target, source, protocol, code + bytes(6) + received[:at_most], 2)
    return hundredths / 100, reply(1, SYN | ACK) if kind == names.LIVE else reply(0, RST | ACK)


def start(device):
    loop = asyncio.get_running_loop()

    def arrived():
        reply = answer(os.read(device, 2048))
        if reply:
            loop.call_later(reply[0], os.write, device, reply[1])

    loop.add_reader(device, arrived)
