"""One Longshore of a test's own: the real binary, a data directory and a port of its own."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from public_protocol import PublicProtocol

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("LONGSHORE_BIN", ROOT / "target" / "release" / "longshore"))
AWS_V1 = ROOT / ".venv" / "bin" / "aws"
AWS_V2 = Path("/usr/bin/aws")
# With "1" each agent that is started by `up` reaches its server through a proxy that takes out of payloads what is not of
# the public agent's protocol: the same tests, by that alone.
BY_PUBLIC_PROTOCOL = os.environ.get("LONGSHORE_TEST_PUBLIC_PROTOCOL") == "1"
# How much slower than a usual machine this one is; for emulated ones.
SLOWNESS = float(os.environ.get("LONGSHORE_TEST_PATIENCE", "1"))
PATIENCE_S = 30


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def eventually(check: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
    """Returns the first true answer of `check`; fails, saying what was waited for."""
    patience_s *= SLOWNESS
    deadline = time.monotonic() + patience_s
    while True:
        value = check()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {patience_s} s for {what}"
        time.sleep(0.02)


class Longshore:
    def __init__(self, directory: Path):
        self.data = directory / "data"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.output = directory / "up.log"
        self.supervisor: subprocess.Popen | None = None
        self._clients: dict[str, Any] = {}
        self.between: PublicProtocol | None = None
        self.has_started = False

    # -- life ------------------------------------------------------------------------------

    def command(self, *arguments: str) -> list[str]:
        return [str(BINARY), *arguments, "--data", str(self.data)]

    def up(self) -> "Longshore":
        if BY_PUBLIC_PROTOCOL and not self.between:
            self._stand_between()
        with self.output.open("ab") as log:
            self.supervisor = subprocess.Popen(
                self.command("up", "--listen", f"127.0.0.1:{self.port}"), stdout=log, stderr=log, cwd="/",
                env={k: v for k, v in os.environ.items() if not k.startswith("AWS_")},
            )
        eventually(self.ready, f"longshore to be up; {self.output}:\n{self.output.read_text()[-2000:]}")
        return self

    def _stand_between(self) -> None:
        """Tells the agent that it joined, with the key that this machine's own agent has, a server at the proxy's address."""
        from public_protocol import PublicProtocol  # which knows us, too

        self.between = PublicProtocol(self.port)
        keys = self.data / "keys"
        keys.mkdir(mode=0o700, parents=True, exist_ok=True)
        joined = {"url": self.between.url, "region": "us-east-1", "account": "000000000000", "host": "local"}
        (keys / "joined.json").write_text(json.dumps(joined))

    def ready(self) -> bool:
        assert self.supervisor is None or self.supervisor.poll() is None, self.tail()
        try:
            instances = self.ecs.list_container_instances()["containerInstanceArns"]
            if not instances:
                return False
            described = self.ecs.describe_container_instances(containerInstances=instances)
            return all(i["agentConnected"] for i in described["containerInstances"])
        except Exception:  # not listening yet, no key file yet
            self._clients.clear()
            return False

    def run(self, *arguments: str, check: bool = True, **options: Any) -> subprocess.CompletedProcess:
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=120 * SLOWNESS, **options)
        assert not check or done.returncode == 0, f"{arguments}: {done.stderr}\n{self.tail()}"
        return done

    def down(self, *flags: str) -> None:
        self.run("down", *flags)
        if self.supervisor:
            self.supervisor.wait(timeout=30 * SLOWNESS)
            self.supervisor = None
        if self.between and not flags:
            self.between.close()
            assert self.between.tasks or not self.has_started, "the tasks came another way"
            assert self.between.removed <= {"longshore"}, self.between.removed

    def pid(self, role: str) -> int:
        """Of the process that has the role; 0 while one takes it."""
        return int((self.data / "run" / f"{role}.lock").read_text() or 0)

    def kill(self, role: str) -> int:
        """kill -9 of one role; returns the pid that was killed. One that was killed before may still stand in its file."""
        def killed() -> int:
            if pid := self.pid(role):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    return 0
            return pid

        pid = eventually(killed, f"a process that is {role}")
        if role == "up" and self.supervisor:
            self.supervisor.wait(timeout=10 * SLOWNESS)
            self.supervisor = None
        return pid

    def tail(self) -> str:
        text = self.output.read_text()[-2000:] if self.output.exists() else ""
        for role in ("server", "agent"):
            log = self.data / "log" / f"{role}.log"
            if log.exists():
                text += f"\n--- {role}.log\n{log.read_text()[-4000:]}"
        return text

    # -- clients ---------------------------------------------------------------------------

    def environment(self) -> dict[str, str]:
        exports = {}
        for line in self.run("env").stdout.splitlines():
            assert line.startswith("export "), line
            name, value = shlex.split(line)[1].split("=", 1)
            exports[name] = value
        return exports

    def client(self, service: str) -> Any:
        if service not in self._clients:
            key = json.loads((self.data / "keys" / "root.json").read_text())
            self._clients[service] = boto3.client(
                service, endpoint_url=self.url, region_name="us-east-1",
                aws_access_key_id=key["access_key_id"], aws_secret_access_key=key["secret_access_key"],
                config=Config(retries={"max_attempts": 2}, read_timeout=60 * SLOWNESS, connect_timeout=5 * SLOWNESS),
            )
        return self._clients[service]

    @property
    def ecs(self) -> Any:
        return self.client("ecs")

    @property
    def logs(self) -> Any:
        return self.client("logs")

    @property
    def events(self) -> Any:
        return self.client("events")

    def aws(self, *arguments: str, check: bool = True, version: int = 1) -> Any:
        """The real AWS CLI; its JSON answer, or the finished process where check is off."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        environment |= self.environment() | {"AWS_PAGER": "", "AWS_DEFAULT_OUTPUT": "json"}
        program = [str(AWS_V1)] if version == 1 else [str(AWS_V2), "--endpoint-url", self.url]
        done = subprocess.run([*program, *arguments], capture_output=True, text=True, env=environment, timeout=300 * SLOWNESS)
        if not check:
            return done
        assert done.returncode == 0, f"aws {' '.join(arguments)}: {done.stderr}\n{self.tail()}"
        return json.loads(done.stdout) if done.stdout.strip() else None

    # -- shorthand -------------------------------------------------------------------------

    def load_image(self, path: Path) -> None:
        self.run("image", "load", str(path))

    def register(self, family: str, *containers: dict, **members: Any) -> str:
        """Members that are `None` are left out: of a container, that its task alone bounds its memory."""
        definition = {"networkMode": "host"} | members
        defaults = {"image": "busybox:test", "memory": 64}
        answer = self.ecs.register_task_definition(
            family=family, containerDefinitions=[
                {name: value for name, value in (defaults | c).items() if value is not None} for c in containers], **definition
        )
        return answer["taskDefinition"]["taskDefinitionArn"]

    def start(self, definition: str, count: int = 1, **members: Any) -> list[str]:
        answer = self.ecs.run_task(taskDefinition=definition, count=count, **members)
        assert answer["failures"] == [], answer
        self.has_started = True
        return [task["taskArn"] for task in answer["tasks"]]

    def describe(self, arn: str) -> dict:
        answer = self.ecs.describe_tasks(tasks=[arn])
        assert answer["failures"] == [], answer
        return answer["tasks"][0]

    def wait(self, arn: str, status: str, patience_s: float = PATIENCE_S) -> dict:
        last: dict = {}

        def reached() -> dict | None:
            nonlocal last
            last = self.describe(arn)
            return last if last["lastStatus"] == status else None

        try:
            return eventually(reached, f"{arn} to be {status}", patience_s)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{json.dumps(last, indent=1, default=str)}\n{self.tail()}") from None

    def run_to_end(self, *containers: dict, **members: Any) -> dict:
        """Registers, runs and waits for STOPPED."""
        arn = self.start(self.register("once", *containers, **members))[0]
        return self.wait(arn, "STOPPED")
