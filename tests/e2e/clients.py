"""HTTP clients that ask every 20 ms and keep each request: which failed, and how many servers answered at any time."""

from __future__ import annotations

import http.client
import math
import threading
import time
from dataclasses import dataclass
from typing import Callable, Hashable

EVERY_S = 0.02
# A task without a health check counts as healthy once it has been RUNNING so long (`--timing fast`).
HEALTHY_AFTER_S = 2.0

Span = tuple[float, float]


@dataclass(frozen=True)
class Request:
    """One request; times are seconds since 1970, as those of AWS's answers."""

    began: float
    ended: float
    said: str | None  # None: it failed

    def meets(self, span: Span) -> bool:
        return self.began < span[1] and self.ended >= span[0]


def ask(address: str, port: int, timeout_s: float = 2) -> str | None:
    """The page, by a connection of its own; None where there is none."""
    connection = http.client.HTTPConnection(address, port, timeout=timeout_s)
    try:
        connection.request("GET", "/", headers={"Connection": "close"})
        answer = connection.getresponse()
        return answer.read().decode() if answer.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


class Client(threading.Thread):
    """Asks one server every 20 ms."""

    def __init__(self, address: str, port: int):
        super().__init__(daemon=True)
        self.address, self.port = address, port
        self.requests: list[Request] = []
        self.ends = threading.Event()

    def run(self) -> None:
        due = time.monotonic()
        while not self.ends.is_set():
            began = time.time()
            said = ask(self.address, self.port)
            self.requests.append(Request(began, time.time(), said))
            due = max(due + EVERY_S, time.monotonic())
            self.ends.wait(due - time.monotonic())

    def failed(self) -> list[Request]:
        return [request for request in list(self.requests) if request.said is None]

    def pages(self) -> set[str]:
        return {request.said for request in list(self.requests) if request.said is not None}

    def serving(self, task: dict) -> Span:
        """From the first answer of the task, or from when it counts as healthy, until it is asked to stop."""
        first = next((request.ended for request in self.requests if request.said is not None), math.inf)
        stopping = task["stoppingAt"].timestamp() if "stoppingAt" in task else math.inf
        return min(first, task["startedAt"].timestamp() + HEALTHY_AFTER_S), stopping

    def broken(self, task: dict) -> list[Request]:
        """Requests that failed although the task was to answer: made and lost while it served."""
        begin, end = self.serving(task)
        return [request for request in self.failed() if request.began >= begin and request.ended < end]


class Clients(threading.Thread):
    """A client for each server that `servers` names, from when it is named until it is not; named anew every 20 ms."""

    def __init__(self, servers: Callable[[], dict[Hashable, tuple[str, int]]]):
        super().__init__(daemon=True)
        self.servers = servers
        self.of: dict[Hashable, Client] = {}
        self.ends = threading.Event()
        self.trouble: Exception | None = None

    def run(self) -> None:
        try:
            while not self.ends.wait(EVERY_S):
                named = self.servers()
                for key in named.keys() - self.of.keys():
                    client = Client(*named[key])
                    client.start()
                    self.of[key] = client
                for key in self.of.keys() - named.keys():
                    self.of[key].ends.set()
        except Exception as error:
            self.trouble = error

    def __enter__(self) -> "Clients":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ends.set()
        self.join()
        for client in self.of.values():
            client.ends.set()
            client.join()
        if self.trouble:
            raise self.trouble

    def each_asked(self, times: int) -> bool:
        """Whether there are clients, and each that still asks did so this often."""
        asking = [client for client in list(self.of.values()) if not client.ends.is_set()]
        return bool(asking) and all(len(client.requests) >= times for client in asking)


def fewest(spans: list[Span], of: Span) -> int:
    """How many of the spans hold at once, at the moment within `of` at which the fewest do."""
    moments = [of[0], *(end for _, end in spans if of[0] <= end < of[1])]
    return min(sum(begin <= moment < end for begin, end in spans) for moment in moments)
