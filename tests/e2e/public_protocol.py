"""Stands between an agent and its server, and lets of payloads through only what the public agent's protocol has."""

from __future__ import annotations

import json
import socket
import struct
import threading
from typing import Callable

from official_agent import CONTAINER_MEMBERS, TASK_MEMBERS

TEXT = 1


def only_public(task: dict) -> tuple[dict, set[str]]:
    """The task without what is not public, and the names of that."""
    containers = task.get("containers", [])
    removed = set(task) - TASK_MEMBERS
    for container in containers:
        removed |= {f"containers.{name}" for name in set(container) - CONTAINER_MEMBERS}
    kept = {name: value for name, value in task.items() if name in TASK_MEMBERS}
    if "containers" in task:
        kept["containers"] = [{n: v for n, v in container.items() if n in CONTAINER_MEMBERS} for container in containers]
    return kept, removed


def read_frame(stream) -> tuple[int, bytes] | None:
    """One frame of a server: its first byte (end mark and opcode) and its content; `None` at the end."""
    head = stream.read(2)
    if len(head) < 2:
        return None
    assert not head[1] & 0x80, "servers mask nothing"
    length = head[1]
    if length >= 126:
        form = "!H" if length == 126 else "!Q"
        length = struct.unpack(form, stream.read(struct.calcsize(form)))[0]
    return head[0], stream.read(length)


def frame(first: int, content: bytes) -> bytes:
    size = len(content)
    if size < 126:
        return bytes([first, size]) + content
    return bytes([first, 126]) + struct.pack("!H", size) + content if size < 1 << 16 else bytes([first, 127]) + struct.pack("!Q", size) + content


class PublicProtocol:
    """A listener on loopback before the server at `upstream`. Requests pass untouched, their signatures with them."""

    def __init__(self, upstream: int):
        self.upstream = upstream
        self.tasks: list[dict] = []
        self.removed: set[str] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._start(self._accept)

    @staticmethod
    def _start(what: Callable, *arguments: object) -> None:
        threading.Thread(target=what, args=arguments, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.upstream))
            except OSError:  # killed, and not yet back
                client.close()
                continue
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._start(self._joined, self._copy, client, server)
            self._start(self._joined, self._answers, server, client)

    @staticmethod
    def _joined(what: Callable, source: socket.socket, sink: socket.socket) -> None:
        try:
            what(source, sink)
        except OSError:  # either end is gone
            pass
        finally:
            for end in (source, sink):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    @staticmethod
    def _copy(source: socket.socket, sink: socket.socket) -> None:
        while data := source.recv(1 << 16):
            sink.sendall(data)

    def _answers(self, source: socket.socket, sink: socket.socket) -> None:
        """What the server says: frames, once it has switched protocols."""
        stream = source.makefile("rb")
        head = stream.readline()
        sink.sendall(head)
        if b" 101 " not in head:
            while data := stream.read1(1 << 16):
                sink.sendall(data)
            return
        while (line := stream.readline()) not in (b"\r\n", b""):
            sink.sendall(line)
        sink.sendall(line)
        while (read := read_frame(stream)) is not None:
            first, content = read
            sink.sendall(frame(first, self._filtered(content) if first == 0x80 | TEXT else content))

    def _filtered(self, content: bytes) -> bytes:
        message = json.loads(content)
        if message["type"] != "PayloadMessage":
            return content
        tasks = []
        for task in message["message"]["tasks"]:
            kept, removed = only_public(task)
            tasks.append(kept)
            self.removed |= removed
        self.tasks += tasks
        message["message"]["tasks"] = tasks
        return json.dumps(message).encode()
