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


class Terminal:
    """`longshore top` in a pseudo terminal, whose screen is kept as xterm would show it."""

    def __init__(self, longshore: Longshore, columns: int = 80, rows: int = 24):
        self.rows = [[" "] * columns for _ in range(rows)]
        self.at = (0, 0)
        self.raw = b""
        self.us, self.them = pty.openpty()
        fcntl.ioctl(self.them, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(self.them)
        self.child = subprocess.Popen(
            [str(BINARY), "top", "--data", str(longshore.data)], stdin=self.them, stdout=self.them, stderr=self.them,
            env=os.environ | {"TERM": "xterm"}, start_new_session=True)

    def frame(self) -> str:
        """The screen, after what was written to it meanwhile."""
        while select.select([self.us], [], [], 0.05)[0]:
            self.raw += os.read(self.us, 65536)
        text = self.raw.decode(errors="ignore")
        # What ends within a sequence is left for the next time.
        whole = re.match(r"(?:\x1b\[[?\d;]*[A-Za-z]|\x1b[^\[]|[^\x1b])*", text)[0]
        self.raw = self.raw[len(whole.encode()):]
        for sequence, numbers, letter, other in re.findall(r"(\x1b\[([?\d;]*)([A-Za-z])|\x1b[^\[])|([^\x1b])", whole):
            if other:
                self._put(other)
            elif letter == "H":
                row, _, column = numbers.partition(";")
                self.at = (int(row or 1) - 1, int(column or 1) - 1)
            elif letter == "J":
                self.rows = [[" "] * len(row) for row in self.rows]
            else:
                assert letter in "mhlq" or not letter, f"{sequence!r} is not known to this terminal"
        return "\n".join("".join(row).rstrip() for row in self.rows)

    def _put(self, character: str) -> None:
        row, column = self.at
        self.rows[row][column] = character
        self.at = (row, column + 1)

    def until(self, pattern: str) -> str:
        """The first frame that has a line like this."""
        def found() -> str | None:
            frame = self.frame()
            return frame if re.search(pattern, frame, re.M) else None

        try:
            return eventually(found, f"{pattern!r} in the frame")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.frame()}") from None

    def rest(self) -> bytes:
        """What was written since the last frame, as it is."""
        while select.select([self.us], [], [], 0.05)[0]:
            self.raw += os.read(self.us, 65536)
        return self.raw

    def press(self, key: bytes) -> None:
        os.write(self.us, key)

    def close(self) -> None:
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        os.close(self.us)
        os.close(self.them)


@pytest.fixture
def terminal(longshore: Longshore, service: str) -> Iterator[Terminal]:
    terminal = Terminal(longshore)
    yield terminal
    terminal.close()


def test_a_terminal_shows_it_until_a_key_ends_it(terminal, service):
    terminal.until(rf"^> {service} ")
    terminal.press(b"e")
    terminal.until("^▸events of")
    terminal.press(b"q")
    assert terminal.child.wait(timeout=20) == 0
    assert b"\x1b[?1049l" in terminal.rest(), "the other screen is back"
    assert termios.tcgetattr(terminal.them) == terminal.before, "the terminal is as it was"


def test_a_terminal_shows_what_changes_while_somebody_looks(longshore, terminal, service):
    terminal.until(rf"^> {service} +top:\d+ +2 +2 +0 COMPLETED$")
    before = set(re.findall(r"^  ([0-9a-f]{12})… top:\d+ +RUNNING ", terminal.frame(), re.M))
    assert len(before) == 2
    # A count that grows, with its tasks, its bar and its event.
    longshore.ecs.update_service(service=service, desiredCount=3)
    frame = terminal.until(rf"^> {service} +top:\d+ +3 +3 +0 COMPLETED$")
    assert re.search(r"^  PRIMARY  top:\d+ +█{20} 3/3 +COMPLETED$", frame, re.M), frame
    after = lambda: set(re.findall(r"^  ([0-9a-f]{12})… top:\d+ +RUNNING ", terminal.frame(), re.M))
    eventually(lambda: len(after()) == 3 and before < after(), "the third task in the frame")
    terminal.until(r"^  \d\d:\d\d:\d\d has started 1 tasks: \(task ")
    # A task that is stopped is gone from the frame, and another one is there.
    victim = sorted(before)[0]
    arn = next(arn for arn in longshore.ecs.list_tasks(serviceName=service)["taskArns"] if f"/{victim}" in arn)
    longshore.ecs.stop_task(task=arn)
    eventually(lambda: len(after()) == 3 and victim not in after(), "the stopped task to be replaced in the frame")
    # A deployment that cannot end shows beside the one before it.
    big = longshore.register("top", {"name": "app", "image": "longshore/hello", "memory": 4_000_000}, networkMode="none")
    longshore.ecs.update_service(service=service, taskDefinition=big)
    frame = terminal.until(r"^  PRIMARY  top:\d+ +·{20} 0/3 +IN_PROGRESS$")
    assert re.search(r"^  ACTIVE   top:\d+ +█{20} 3/3 ", frame, re.M), frame
    terminal.until(r"^  \d\d:\d\d:\d\d was unable to place a task ")
    # Another service, beside it and gone again.
    longshore.ecs.create_service(serviceName="top-too", taskDefinition=big, desiredCount=0)
    terminal.until(r"^  top-too +top:\d+ +0 +0 +0 ")
    longshore.ecs.delete_service(service="top-too")
    eventually(lambda: "top-too" not in terminal.frame(), "it to be gone from the frame")
    terminal.press(b"q")
    assert terminal.child.wait(timeout=20) == 0
