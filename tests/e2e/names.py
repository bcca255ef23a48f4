"""Questions to a VPC's resolver, asked from inside a task's network; answers read to the last record."""

from __future__ import annotations

import ipaddress
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import vpc

KINDS = {"A": 1, "AAAA": 28, "SRV": 33}
NXDOMAIN = 3

ASK = """
import socket, sys
asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asked.settimeout(5)
asked.connect((sys.argv[1], 53))
asked.send(bytes.fromhex(sys.argv[2]))
print(asked.recv(4096).hex())
"""


def ask(data: Path, task: dict, server: str, name: str, kind: str) -> tuple[int, list[Any]]:
    """The answer's code, and its values in an order: addresses, or of SRV (priority, weight, port, target)."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    query = struct.pack(">6H", 4711, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", KINDS[kind], 1)
    done = vpc.within(data, task, sys.executable, "-c", ASK, server, query.hex())
    assert done.returncode == 0, done.stderr
    return _read(bytes.fromhex(done.stdout), len(query), kind)


def _read(packet: bytes, at: int, kind: str) -> tuple[int, list[Any]]:
    number, flags, questions, count = struct.unpack(">4H", packet[:8])
    assert (number, questions) == (4711, 1)
    values = []
    for _ in range(count):
        _, at = _name(packet, at)
        of, _, _, size = struct.unpack(">2HIH", packet[at:at + 10])
        at += 10
        assert of == KINDS[kind], of
        value = packet[at:at + size]
        if kind == "SRV":
            values.append((*struct.unpack(">3H", value[:6]), _name(packet, at + 6)[0]))
        else:
            values.append(str(ipaddress.ip_address(value)))
        at += size
    return flags & 15, sorted(values)


def _name(packet: bytes, at: int) -> tuple[str, int]:
    """A name that starts there, and where what follows it starts."""
    labels = []
    while packet[at]:
        if packet[at] >= 0xC0:
            rest, _ = _name(packet, struct.unpack(">H", packet[at:at + 2])[0] & 0x3FFF)
            return ".".join([*labels, rest]), at + 2
        labels.append(packet[at + 1:at + 1 + packet[at]].decode())
        at += 1 + packet[at]
    return ".".join(labels), at + 1
