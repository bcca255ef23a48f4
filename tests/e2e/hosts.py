"""Several hosts on this machine: a server, and agents in network namespaces of their own, on one LAN."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import leaks
from harness import BINARY, SLOWNESS, Longshore, eventually


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


class Lan:
    """A bridge in a namespace of its own, with this machine as its first neighbour."""

    def __init__(self) -> None:
        self.tag = f"{random.randrange(16**5):05x}"
        self.switch = f"ls-{self.tag}-sw"
        self.net = f"10.{random.randrange(200, 250)}.{random.randrange(256)}"
        self.address = f"{self.net}.1"
        self.hosts: list[str] = []
        ip("netns", "add", self.switch)
        ip("-n", self.switch, "link", "add", "br0", "type", "bridge")
        ip("-n", self.switch, "link", "set", "br0", "up")
        self._cable(None, f"l{self.tag}r", self.address)

    def _cable(self, namespace: str | None, name: str, address: str) -> None:
        ip("link", "add", name, "type", "veth", "peer", "name", f"{name}p")
        ip("link", "set", f"{name}p", "netns", self.switch)
        ip("-n", self.switch, "link", "set", f"{name}p", "master", "br0")
        ip("-n", self.switch, "link", "set", f"{name}p", "up")
        inside = ["-n", namespace] if namespace else []
        if namespace:
            ip("link", "set", name, "netns", namespace)
        ip(*inside, "address", "add", f"{address}/24", "dev", name)
        ip(*inside, "link", "set", name, "up")

    def host(self) -> tuple[str, str, str]:
        """A new namespace on the LAN: its name, its address, and the switch's end of its cable."""
        number = len(self.hosts) + 2
        name, link = f"ls-{self.tag}-h{number}", f"l{self.tag}{number}"
        ip("netns", "add", name)
        ip("-n", name, "link", "set", "lo", "up")
        self.hosts.append(name)
        address = f"{self.net}.{number}"
        self._cable(name, link, address)
        return name, address, f"{link}p"

    def plug(self, end: str, state: str) -> None:
        """Pulls a cable (`down`) or plugs it in again (`up`)."""
        ip("-n", self.switch, "link", "set", end, state)

    def remove(self) -> None:
        for name in [*self.hosts, self.switch]:
            ip("netns", "delete", name)


class LoopbackServer(Longshore):
    """`longshore server` alone, for this machine, over plain HTTP."""

    def __init__(self, directory: Path, *flags: str, address: str = "127.0.0.1"):
        super().__init__(directory)
        self.address, self.flags = address, flags

    def up(self) -> "LoopbackServer":
        with self.output.open("ab") as log:
            self.supervisor = subprocess.Popen(
                self.command("server", "--listen", f"{self.address}:{self.port}", *self.flags),
                stdout=log, stderr=log, cwd="/", env={k: v for k, v in os.environ.items() if not k.startswith("AWS_")})
        eventually(self.ready, "the server to answer")
        return self

    def ready(self) -> bool:
        assert self.supervisor is None or self.supervisor.poll() is None, self.tail()
        try:
            self.ecs.list_clusters()
            return True
        except Exception:  # not listening yet, no key file yet
            self._clients.clear()
            return False

    def token(self, *flags: str) -> str:
        return self.run("server", "token", *flags).stdout.strip()

    def stop(self) -> None:
        assert self.supervisor
        self.supervisor.terminate()
        self.supervisor.wait(timeout=30 * SLOWNESS)
        self.supervisor = None


class Server(LoopbackServer):
    """`longshore server` alone, on the LAN."""

    def __init__(self, directory: Path, lan: Lan, *flags: str):
        super().__init__(directory, *flags, address=lan.address)
        self.lan = lan
        self.url = f"https://{lan.address}:{self.port}"

    def up(self) -> "Server":
        super().up()
        return self

    @property
    def ca(self) -> Path:
        return self.data / "keys" / "ca.pem"

    def client(self, service: str) -> Any:
        os.environ["AWS_CA_BUNDLE"] = str(self.ca)
        try:
            return super().client(service)
        finally:
            del os.environ["AWS_CA_BUNDLE"]

    def instance(self, host: "Host") -> dict:
        """The container instance of a host that has joined."""
        answer = self.ecs.describe_container_instances(
            cluster=host.cluster, containerInstances=[host.arn], include=["TAGS"])
        return answer["containerInstances"][0]


class Host:
    """`longshore agent` in a namespace of the LAN."""

    def __init__(self, directory: Path, lan: Lan, server: Server, cluster: str = "default", *flags: str):
        self.data = directory / f"host{len(lan.hosts)}"
        self.lan, self.server, self.cluster, self.flags = lan, server, cluster, flags
        self.namespace, self.address, self.cable = lan.host()
        self.output = directory / f"{self.namespace}.log"
        self.process: subprocess.Popen | None = None
        self.arn = ""

    def within(self, *command: str) -> list[str]:
        return ["nsenter", f"--net=/run/netns/{self.namespace}", *command]

    def start(self, *flags: str) -> "Host":
        """Starts the agent process; the caller waits for what it expects."""
        with self.output.open("ab") as log:
            self.process = subprocess.Popen(
                self.within(str(BINARY), "agent", "--data", str(self.data), "--cluster", self.cluster, *self.flags, *flags),
                stdout=log, stderr=log, cwd="/")
        return self

    def join(self) -> "Host":
        known = set(self.instances())
        self.start("--server", self.server.url, "--token", self.server.token())
        fresh = lambda: [arn for arn in self.instances() if arn not in known]
        try:
            self.arn = eventually(fresh, "the host to join")[0]
            eventually(self.connected, "the host to be connected")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()}") from None
        return self

    def instances(self) -> list[str]:
        try:
            return self.server.ecs.list_container_instances(cluster=self.cluster)["containerInstanceArns"]
        except self.server.ecs.exceptions.ClusterNotFoundException:
            return []  # it is not there yet; the first registration makes the default one

    def connected(self) -> bool:
        return self.server.instance(self)["agentConnected"]

    def load_image(self, path: Path) -> None:
        done = subprocess.run(
            self.within(str(BINARY), "image", "load", str(path), "--data", str(self.data)), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def signal(self, number: signal.Signals) -> None:
        assert self.process
        self.process.send_signal(number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        assert self.process
        self.process.wait(timeout=10 * SLOWNESS)
        self.process = None

    def down(self) -> None:
        done = subprocess.run(
            self.within(str(BINARY), "down", "--data", str(self.data)), capture_output=True, text=True, timeout=120 * SLOWNESS)
        assert done.returncode == 0, f"{done.stderr}\n{self.log()}"
        if self.process:
            self.process.wait(timeout=30 * SLOWNESS)
        left = leaks.present(self.data)
        assert not left, f"left behind after `longshore down`: {left}"

    def log(self) -> str:
        return self.output.read_text()[-4000:] if self.output.exists() else ""


class Site:
    """A server and whatever hosts a test makes."""

    def __init__(self, lan: Lan, image: Path):
        self.lan, self.image = lan, image
        # Short: unix sockets lie below it.
        self.directory = Path(tempfile.mkdtemp(prefix="ls-site-"))
        self.hosts: list[Host] = []
        self.api: Server | None = None

    def server(self, *flags: str) -> Server:
        self.api = Server(self.directory, self.lan, *flags).up()
        return self.api

    def host(self, *flags: str, cluster: str = "default") -> Host:
        assert self.api
        host = Host(self.directory, self.lan, self.api, cluster, *flags)
        self.hosts.append(host)
        return host

    def joined(self, *flags: str) -> Host:
        host = self.host(*flags).join()
        host.load_image(self.image)
        return host

    def remove(self) -> None:
        """Takes everything down; fails if anything is left."""
        for host in self.hosts:
            if host.process:
                host.signal(signal.SIGCONT)
            host.down()
        if self.api:
            self.api.down()
            left = leaks.present(self.api.data)
            assert not left, f"left behind after `longshore down`: {left}"
        shutil.rmtree(self.directory, ignore_errors=True)
