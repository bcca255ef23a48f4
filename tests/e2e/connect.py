"""Service Connect as tests need it: services that expose a port, clients that call it from inside their container."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import vpc
from harness import Longshore, eventually

STEADY_S = 60


def exposed(port_name: str, dns_name: str | None, port: int, **members: Any) -> dict:
    alias = {"port": port} | ({"dnsName": dns_name} if dns_name else {})
    return {"portName": port_name, "clientAliases": [alias]} | members


def configuration(namespace: str, *services: dict) -> dict:
    of = {"enabled": True, "namespace": namespace}
    return of | ({"services": list(services)} if services else {})


def server(longshore: Any, family: str, port: int = 80, protocol: str | None = "http", mode: str = "awsvpc") -> str:
    """A definition of the built-in web server, its port named `web`."""
    mapping = {"name": "web", "containerPort": port} | ({"appProtocol": protocol} if protocol else {})
    container = {
        "name": "app", "image": "longshore/hello", "memory": 32, "stopTimeout": 2,
        "environment": [{"name": "PORT", "value": str(port)}], "portMappings": [mapping]}
    answer = longshore.ecs.register_task_definition(family=family, networkMode=mode, containerDefinitions=[container])
    return answer["taskDefinition"]["taskDefinitionArn"]


def sleeper(longshore: Any, family: str, *ports: dict, mode: str = "awsvpc") -> str:
    """A definition whose container does nothing; a test's own programs serve and call in its namespaces."""
    container = {
        "name": "app", "image": "busybox:test", "memory": 32, "stopTimeout": 1,
        "command": ["sh", "-c", "exec sleep 1000000"], "portMappings": list(ports)}
    answer = longshore.ecs.register_task_definition(family=family, networkMode=mode, containerDefinitions=[container])
    return answer["taskDefinition"]["taskDefinitionArn"]


def create(longshore: Longshore, name: str, definition: str, connect: dict, count: int = 1, **members: Any) -> dict:
    if "networkConfiguration" not in members and members.pop("mode", "awsvpc") == "awsvpc":
        subnet = vpc.default_subnet(longshore)["SubnetId"]
        members["networkConfiguration"] = vpc.network(subnet)
    return longshore.ecs.create_service(
        serviceName=name, taskDefinition=definition, desiredCount=count, serviceConnectConfiguration=connect,
        **members)["service"]


def tasks(longshore: Longshore, service: str, status: str = "RUNNING") -> list[dict]:
    arns = longshore.ecs.list_tasks(serviceName=service)["taskArns"]
    all_of = longshore.ecs.describe_tasks(tasks=arns)["tasks"] if arns else []
    return [task for task in all_of if task["lastStatus"] == status]


def running(longshore: Longshore, service: str, count: int = 1) -> list[dict]:
    found = lambda: (lambda now: now if len(now) == count else None)(tasks(longshore, service))
    try:
        return eventually(found, f"{count} tasks of {service} to run", STEADY_S)
    except AssertionError as error:
        events = longshore.ecs.describe_services(services=[service])["services"][0]["events"][:5]
        raise AssertionError(f"{error}\n{[e['message'] for e in events]}\n{longshore.tail()}") from None


def steady(longshore: Longshore, *services: str) -> None:
    def is_steady() -> bool:
        shown = longshore.ecs.describe_services(services=list(services))["services"]
        return all(len(one["deployments"]) == 1 and one["runningCount"] == one["desiredCount"] for one in shown)

    eventually(is_steady, f"{services} to be steady", STEADY_S)


def remove(longshore: Longshore, *services: str) -> None:
    for name in services:
        longshore.ecs.delete_service(service=name, force=True)
    gone = lambda: all(
        one["status"] == "INACTIVE" for one in longshore.ecs.describe_services(services=list(services))["services"])
    eventually(gone, f"{services} to be gone", STEADY_S)


def pid(data: Any, task: dict, name: str = "app") -> int:
    """Of the container's first process."""
    path = data / "agent" / "tasks" / task["taskArn"].rsplit("/", 1)[1] / "containers" / name / "state.json"
    return json.loads(path.read_text())["pid"]


def within(data: Any, task: dict, *command: str, name: str = "app", **options: Any) -> subprocess.CompletedProcess:
    """Runs a program of this machine in a container's network, with the container's own `/etc/hosts`."""
    first = pid(data, task, name)
    with tempfile.NamedTemporaryFile("w") as hosts:
        hosts.write(Path(f"/proc/{first}/root/etc/hosts").read_text())
        hosts.flush()
        into = ["nsenter", f"--net=/proc/{first}/ns/net", "unshare", "--mount", "--propagation", "slave", "sh", "-c"]
        script = f'mount --bind "{hosts.name}" /etc/hosts && exec "$@"'
        return subprocess.run([*into, script, "sh", *command], capture_output=True, text=True, **options)


def curl(data: Any, task: dict, url: str, *flags: str, name: str = "app") -> tuple[int, str]:
    """Status and body; 0 where there is no answer."""
    done = within(data, task, "curl", "-s", "-m", "20", "-w", "\n%{http_code}", *flags, url, name=name)
    body, _, status = done.stdout.rpartition("\n")
    return int(status or 0), body


def hosts(data: Any, task: dict) -> str:
    return Path(f"/proc/{pid(data, task)}/root/etc/hosts").read_text()


def proxy(data: Any) -> int:
    """The process id of this data directory's proxy; 0 where there is none."""
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):  # gone, or no process
            continue
        if command[0] == b"longshore-proxy" and os.fsencode(data) in command:
            return int(entry.name)
    return 0
