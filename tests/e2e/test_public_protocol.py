"""Our agent needs nothing but the public protocol: through a proxy that takes out all else, tasks fare the same."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import urllib.request
from pathlib import Path
from typing import Any, Iterator

import leaks
import pytest
from harness import BINARY, SLOWNESS, Longshore, eventually
from hosts import LoopbackServer
from public_protocol import PublicProtocol, only_public

STAY = ["sh", "-c", "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done"]


class Apart(LoopbackServer):
    """A server, and an agent with a data directory of its own that reaches it through the proxy alone."""

    def __init__(self, directory: Path):
        super().__init__(directory, "--timing", "fast")
        self.host_data, self.agent_output = directory / "host", directory / "agent.log"
        self.agent: subprocess.Popen | None = None

    def begin(self) -> "Apart":
        super().up()
        self.proxy = PublicProtocol(self.port)
        with self.agent_output.open("ab") as log:
            self.agent = subprocess.Popen(
                [str(BINARY), "agent", "--data", str(self.host_data), "--server", self.proxy.url, "--token", self.token()],
                stdout=log, stderr=log, cwd="/", env={k: v for k, v in os.environ.items() if not k.startswith("AWS_")})
        eventually(lambda: Longshore.ready(self), "the agent to be connected")
        return self

    def load_image(self, path: Path) -> None:
        subprocess.run([str(BINARY), "image", "load", str(path), "--data", str(self.host_data)], check=True, capture_output=True)

    def tail(self) -> str:
        return super().tail() + self.agent_output.read_text()[-4000:]

    def end(self) -> None:
        if self.agent:
            subprocess.run([str(BINARY), "down", "--data", str(self.host_data)], check=True, capture_output=True, timeout=120 * SLOWNESS)
            self.agent.send_signal(signal.SIGTERM)
            self.agent.wait(timeout=30 * SLOWNESS)
            self.proxy.close()
        self.down()
        left = [leaks.present(self.data), leaks.present(self.host_data)]
        assert left == [{}, {}], left


@pytest.fixture(scope="module")
def apart(busybox: Path) -> Iterator[Apart]:
    directory = Path(tempfile.mkdtemp(prefix="ls-pub-"))
    apart = Apart(directory)
    try:
        apart.begin().load_image(busybox)
        yield apart
    finally:
        apart.end()
        shutil.rmtree(directory, ignore_errors=True)


def fate(task: dict) -> dict[str, Any]:
    """What of a task's end must not depend on the way."""
    of_container = ("name", "lastStatus", "exitCode", "reason", "healthStatus")
    return {name: task.get(name) for name in ("lastStatus", "desiredStatus", "stopCode", "stoppedReason", "healthStatus")} | {
        "containers": [{name: c.get(name) for name in of_container} for c in task["containers"]],
        "times": sorted(name for name in task if name.endswith("At"))}


def lines(longshore: Longshore, arn: str, name: str) -> list[str]:
    stream = f"t/{name}/{arn.rsplit('/', 1)[1]}"
    return [event["message"] for event in longshore.logs.get_log_events(logGroupName="g", logStreamName=stream, startFromHead=True)["events"]]


LOGS = {"logDriver": "awslogs", "options": {
    "awslogs-group": "g", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "t", "awslogs-create-group": "true", "mode": "blocking"}}


def ends_itself(longshore: Longshore, mode: str) -> Any:
    """Two containers in order, a volume between them, a code and a log at the end."""
    mount = {"mountPoints": [{"sourceVolume": "v", "containerPath": "/v"}]}
    definition = longshore.register(
        "ends", {"name": "first", "essential": False, "command": ["sh", "-c", "echo $WORD >/v/said"], "environment": [{"name": "WORD", "value": "a"}]} | mount,
        {"name": "last", "command": ["sh", "-c", "cat /v/said; exit 4"], "dependsOn": [{"containerName": "first", "condition": "SUCCESS"}],
         "logConfiguration": LOGS} | mount, networkMode=mode, volumes=[{"name": "v"}])
    override = {"containerOverrides": [{"name": "first", "environment": [{"name": "WORD", "value": f"over {mode}"}]}]}
    arn = longshore.start(definition, overrides=override)[0]
    return fate(longshore.wait(arn, "STOPPED")), lines(longshore, arn, "last")


def is_stopped(longshore: Longshore, mode: str) -> Any:
    """Healthy, then stopped by a user."""
    definition = longshore.register("stays", {
        "name": "app", "command": STAY, "logConfiguration": LOGS, "healthCheck": {"command": ["CMD", "true"], "interval": 5}}, networkMode=mode)
    arn = longshore.start(definition)[0]
    eventually(lambda: longshore.describe(arn)["healthStatus"] == "HEALTHY", "the task to be healthy")
    longshore.ecs.stop_task(task=arn, reason="enough")
    return fate(longshore.wait(arn, "STOPPED")), lines(longshore, arn, "app")


def cannot_start(longshore: Longshore, mode: str) -> Any:
    """No such program."""
    return fate(longshore.run_to_end({"name": "app", "command": ["/no/such"]}, networkMode=mode))


@pytest.mark.parametrize("mode", ["host", "bridge", "none"])
@pytest.mark.parametrize("life", [ends_itself, is_stopped, cannot_start])
def test_a_task_fares_the_same_by_the_public_protocol_alone(longshore, apart, life, mode):
    seen = len(apart.proxy.tasks)
    without = life(apart, mode)
    assert len(apart.proxy.tasks) > seen, "it came another way"
    assert without == life(longshore, mode)


def test_a_port_of_a_bridge_task_is_reached(apart):
    serve = ["sh", "-c", "while :; do printf 'HTTP/1.0 200 OK\\r\\n\\r\\nhere' | nc -l -p 80; done"]
    arn = apart.start(apart.register("serves", {"name": "app", "command": serve, "stopTimeout": 2, "portMappings": [{"containerPort": 80}]}, networkMode="bridge"))[0]
    port = apart.wait(arn, "RUNNING")["containers"][0]["networkBindings"][0]["hostPort"]

    def answer() -> bytes | None:
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=2).read()
        except OSError:  # between two of its listeners
            return None

    assert eventually(answer, "the task to answer") == b"here"
    apart.ecs.stop_task(task=arn)
    apart.wait(arn, "STOPPED")


def test_nothing_of_ours_but_one_member_is_in_a_payload(apart):
    apart.run_to_end({"name": "app", "command": ["true"]})
    assert apart.proxy.tasks and apart.proxy.removed <= {"longshore"}, apart.proxy.removed


def test_the_filter_takes_out_what_is_not_public():
    task = {"arn": "a", "longshore": {"traceId": "t"}, "containers": [{"name": "c", "image": "i", "ours": 1}]}
    assert only_public(task) == ({"arn": "a", "containers": [{"name": "c", "image": "i"}]}, {"longshore", "containers.ours"})
    assert only_public({"arn": "a", "desiredStatus": "STOPPED"}) == ({"arn": "a", "desiredStatus": "STOPPED"}, set())
