"""Points of a task's life as anyone can see them from outside: records, control groups, the API."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Callable

from harness import PATIENCE_S, SLOWNESS, Longshore


def read(path: Path) -> Any:
    """A record; `None` where it is not there. The file replaced last becomes the next new one, so whoever opened it
    before may see it being written: it looks again."""
    while True:
        try:
            return json.loads(path.read_text())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except json.JSONDecodeError:
            continue


class Life:
    """One task of a container `app`, and perhaps others after it, by what its Longshore wrote of it."""

    def __init__(self, longshore: Longshore, arn: str):
        self.longshore, self.arn, self.id = longshore, arn, arn.rsplit("/", 1)[1]
        self.dir = longshore.data / "agent" / "tasks" / self.id
        self.container_dir = self.dir / "containers" / "app"
        # Once the directory was there, its absence means that the task is over.
        self._was_there = False

    def _here(self, check: Callable[[], bool]) -> bool:
        """The check, or that the task is over: a point that is behind counts as reached."""
        self._was_there = self._was_there or self.dir.exists()
        return check() or (self._was_there and not self.dir.exists())

    def _state(self) -> dict:
        return read(self.dir / "state.json") or {}

    def _container(self, key: str, *values: str, at: int = 0) -> bool:
        containers = self._state().get("containers") or [{}] * (at + 1)
        value = containers[at].get(key)
        return (next(iter(value)) if isinstance(value, dict) else value) in values

    def progress(self) -> dict:
        return read(self.dir / "logs" / "app" / "progress.json") or {}

    def api(self) -> str:
        return self.longshore.describe(self.arn)["lastStatus"]

    def shim(self) -> int | None:
        """Its shim's process, from the first moment that it has one."""
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    name = (entry / "comm").read_text().strip()
                except OSError:
                    continue
                if name == f"ls:{self.runtime_id()[:12]}":
                    return int(entry.name)
        return None

    def runtime_id(self) -> str:
        containers = self._state().get("containers")
        return containers[0]["runtime_id"] if containers else "none yet"

    def reached(self, point: str) -> bool:
        return self._here(lambda: POINTS[point](self))

    def wait(self, point: str) -> None:
        """Returns at once when the point is reached: no pause between looks."""
        deadline = time.monotonic() + PATIENCE_S * SLOWNESS
        while not self.reached(point):
            assert time.monotonic() < deadline, f"waited for the point {point!r}\n{self._state()}\n{self.longshore.tail()}"


BEGUN = ("Running", "Stopping", "Ended")

POINTS: dict[str, Callable[[Life], bool]] = {
    "accepted by the API": lambda life: True,
    "payload written": lambda life: (life.dir / "task.json").exists(),
    "cgroup made": lambda life: life._state().get("cgroup") not in (None, "No", "Making"),
    "image ready": lambda life: life._container("image", "Ready", "Gone"),
    "network made": lambda life: life._container("network", "Yes", "Removing", "Gone"),
    "dependency start asked for": lambda life: life._container("run", "Starting", *BEGUN, at=1),
    "dependency started": lambda life: life._container("run", *BEGUN, at=1),
    "dependency ended": lambda life: life._container("run", "Ended", at=1),
    "start asked for": lambda life: life._container("run", "Starting", *BEGUN),
    "shim forked": lambda life: life.shim() is not None or life._container("run", *BEGUN),
    "container recorded": lambda life: (life.container_dir / "state.json").exists(),
    "started": lambda life: life._container("run", *BEGUN),
    "RUNNING reported": lambda life: life.api() not in ("PROVISIONING", "PENDING", "ACTIVATING"),
    "batch of lines written down": lambda life: bool(life.progress()),
    "batch of lines acknowledged": lambda life: sum(life.progress().get("acknowledged", [0])) > 0,
    "exit recorded": lambda life: (life.container_dir / "exit").exists(),
    "exited": lambda life: life._container("run", "Ended"),
    "logs finished": lambda life: life._container("logs", "Finished"),
    "STOPPED reported": lambda life: bool(life._state().get("stop_reported")),
    "STOPPED acknowledged": lambda life: life.api() in ("DEPROVISIONING", "STOPPED"),
    "network removed": lambda life: life._container("network", "Gone"),
    "container removed": lambda life: life._container("bundle", "Gone"),
    "all removed": lambda life: False,
}

STOP_POINTS: dict[str, Callable[[Life], bool]] = {
    "stop asked for": lambda life: True,
    "stop written": lambda life: life._state().get("desired") == "STOPPED",
    "signalled": lambda life: life._container("run", "Stopping", "Ended"),
}
POINTS |= STOP_POINTS
