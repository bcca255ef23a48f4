"""`longshore top`: frames of a running Longshore, as text and in a terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from typing import Iterator

import pytest
from harness import BINARY, Longshore, eventually


@pytest.fixture
def service(longshore: Longshore) -> Iterator[str]:
    """A service of two tasks, which is steady."""
    name = "top-service"
    definition = longshore.register("top", {"name": "app", "image": "longshore/hello", "memory": 32}, networkMode="none")
    longshore.ecs.create_service(serviceName=name, taskDefinition=definition, desiredCount=2)
    described = lambda: longshore.ecs.describe_services(services=[name])["services"][0]
    eventually(lambda: described()["events"] and "steady state" in described()["events"][0]["message"], f"{name} to be steady")
    yield name
    longshore.ecs.delete_service(service=name, force=True)
    eventually(lambda: described()["status"] == "INACTIVE", f"{name} to be gone")


def test_one_frame_is_printed_as_text(longshore, service):
    frame = longshore.run("top", "--once", "--size", "100x30").stdout
    lines = frame.split("\n")
    assert len(lines) == 31 and max(map(len, lines)) <= 100, frame
    assert lines[0].startswith("longshore top  http://127.0.0.1:"), frame
    assert re.search(rf"^> {service} +top:\d+ +2 +2 +0 COMPLETED$", frame, re.M), frame
    assert re.search(r"^  PRIMARY  top:\d+ +█{20} 2/2 +COMPLETED$", frame, re.M), frame
    assert len(re.findall(r"^  [0-9a-f]{12}… top:\d+ +RUNNING ", frame, re.M)) == 2, frame
    assert re.search(r"^  \d\d:\d\d:\d\d has reached a steady state\.$", frame, re.M), frame
    wrong = longshore.run("top", "--once", "--size", "80", check=False)
    assert wrong.returncode != 0 and "COLUMNSxROWS" in wrong.stderr
    unknown = longshore.run("top", "--once", "--cluster", "none").stdout
    assert "no cluster none" in unknown and "services, 0" in unknown


def test_a_terminal_shows_it_until_a_key_ends_it(longshore, service):
    us, them = pty.openpty()
    fcntl.ioctl(them, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    before = termios.tcgetattr(them)
    child = subprocess.Popen([str(BINARY), "top", "--data", str(longshore.data)], stdin=them, stdout=them, stderr=them,
                             env=os.environ | {"TERM": "xterm"}, start_new_session=True)
    try:
        shown = b""

        def until(what: bytes) -> None:
            nonlocal shown
            deadline = time.monotonic() + 20
            while what not in shown:
                assert time.monotonic() < deadline, shown.decode(errors="replace")
                if select.select([us], [], [], 0.5)[0]:
                    shown += os.read(us, 65536)

        until(service.encode())
        shown = b""
        os.write(us, b"e")
        until("▸eve".encode())
        os.write(us, b"q")
        until(b"\x1b[?1049l")
        assert child.wait(timeout=20) == 0
        assert termios.tcgetattr(them) == before, "the terminal is as it was"
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        os.close(us)
        os.close(them)
