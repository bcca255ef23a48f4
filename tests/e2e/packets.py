"""Probes: from inside each of several tasks' networks to every other, over TCP, UDP and ICMP of both families.

A probe opens a flow of its own (a fresh port or ICMP id), so it meets the rules of the moment and no memory.
"""

from __future__ import annotations

import ipaddress
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import vpc

PORTS = (7001, 7002)
# A SYN that was lost to a busy machine is sent again after a second.
PATIENCE_S = 1.6

SERVE = """
import select, socket, sys
families = {4: (socket.AF_INET, "0.0.0.0"), 6: (socket.AF_INET6, "::")}
tcp, udp = [], []
for port in map(int, sys.argv[1:]):
    for family, any in families.values():
        for kind, into in ((socket.SOCK_STREAM, tcp), (socket.SOCK_DGRAM, udp)):
            one = socket.socket(family, kind)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind((any, port))
            if kind == socket.SOCK_STREAM:
                one.listen(256)
            into.append(one)
print("ready", flush=True)
while True:
    for one in select.select([*tcp, *udp], [], [])[0]:
        if one in tcp:
            accepted, peer = one.accept()
            accepted.sendall(peer[0].encode())
            accepted.close()
        else:
            data, peer = one.recvfrom(64)
            try:
                one.sendto(peer[0].encode(), peer)
            except OSError:
                pass
"""

ASK = """
import json, os, select, socket, struct, sys, time
targets, patience = json.loads(sys.argv[1]), float(sys.argv[2])
open_, seen = {}, {}
for at, (address, protocol, port) in enumerate(targets):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    if protocol == "tcp":
        one = socket.socket(family, socket.SOCK_STREAM); one.setblocking(False)
        one.connect_ex((address, port))
    elif protocol == "udp":
        one = socket.socket(family, socket.SOCK_DGRAM); one.setblocking(False)
        one.connect((address, port)); one.send(b"?")
    else:
        six = family == socket.AF_INET6
        one = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP)
        one.setblocking(False); one.connect((address, 0))
        head = struct.pack("!BBHHH", 128 if six else 8, 0, 0, *struct.unpack("!HH", os.urandom(4)))
        total = sum(struct.unpack("!4H", head)); total = (total & 0xffff) + (total >> 16)
        one.send(head if six else head[:2] + struct.pack("!H", ~total & 0xffff) + head[4:])
    open_[one] = at
until = time.monotonic() + patience
while open_ and time.monotonic() < until:
    for one in select.select(list(open_), [], [], until - time.monotonic())[0]:
        address, protocol, port = targets[open_[one]]
        try:
            data = one.recv(128)
        except OSError:
            data = b""  # refused, or unreachable
        if protocol == "icmp":
            kind = data[0] if ":" in address else data[20]
            if kind not in (0, 129):
                continue  # what else this socket hears
            data = b"answered"
        if data:
            seen[open_[one]] = data.decode()
        del open_[one]
print(json.dumps([seen.get(at) for at in range(len(targets))]))
"""


class Servers:
    """In each task's network a server that says on every port who asks it."""

    def __init__(self, data: Path, tasks: list[dict]):
        command = [sys.executable, "-c", SERVE, *map(str, PORTS)]
        self.processes = [
            subprocess.Popen(["nsenter", f"--net={vpc.namespace(data, task)}", *command], stdout=subprocess.PIPE, text=True)
            for task in tasks]
        for process in self.processes:
            assert process.stdout.readline() == "ready\n"

    def __enter__(self) -> "Servers":
        return self

    def __exit__(self, *_: Any) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


def addresses(task: dict) -> list[str]:
    """IPv4, then IPv6 if it has one."""
    of = vpc.details(task)
    return [of["privateIPv4Address"], *([of["ipv6Address"]] if "ipv6Address" in of else [])]


def asked(namespace: Path, targets: list[tuple[str, str, int]]) -> subprocess.Popen:
    """Probes on their way; read by `answers`."""
    command = [sys.executable, "-c", ASK, json.dumps(targets), str(PATIENCE_S)]
    return subprocess.Popen(["nsenter", f"--net={namespace}", *command], stdout=subprocess.PIPE, text=True)


def answers(process: subprocess.Popen) -> list[str | None]:
    """What each target said: the source that it saw, or nothing."""
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return json.loads(out)


def who_reaches_whom(data: Path, tasks: list[dict]) -> dict[tuple[int, int, int, str, int], bool]:
    """By (from, to, family, protocol, port), for every ordered pair."""
    waiting = []
    for here, task in enumerate(tasks):
        named = []
        for there, other in enumerate(tasks):
            if there == here:
                continue
            for address in addresses(other):
                family = ipaddress.ip_address(address).version
                for protocol, port in (*(("tcp", p) for p in PORTS), *(("udp", p) for p in PORTS), ("icmp", 0)):
                    named.append(((here, there, family, protocol, port), (address, protocol, port)))
        keys = [key for key, _ in named]
        waiting.append((keys, asked(vpc.namespace(data, task), [target for _, target in named])))
    found = {}
    for keys, process in waiting:
        found.update((key, answer is not None) for key, answer in zip(keys, answers(process)))
    return found
