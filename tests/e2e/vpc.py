"""VPCs as tests need them: made through the EC2 API, looked at from inside a task's namespace."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

from harness import Longshore, eventually


def ec2(longshore: Longshore) -> Any:
    return longshore.client("ec2")


def default_subnet(longshore: Longshore, zone: str = "us-east-1a") -> dict:
    filters = [{"Name": "default-for-az", "Values": ["true"]}, {"Name": "availability-zone", "Values": [zone]}]
    return ec2(longshore).describe_subnets(Filters=filters)["Subnets"][0]


def group(longshore: Longshore, name: str, vpc: str) -> str:
    return ec2(longshore).create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]


def tcp(port: int, *, group: str | None = None, cidr: str | None = None) -> list[dict]:
    """A permission as the API has it."""
    permission: dict[str, Any] = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port}
    if group:
        permission["UserIdGroupPairs"] = [{"GroupId": group}]
    if cidr:
        permission["IpRanges"] = [{"CidrIp": cidr}]
    return [permission]


def network(*subnets: str, groups: tuple[str, ...] = (), public: bool | None = None) -> dict:
    of: dict[str, Any] = {"subnets": list(subnets), "securityGroups": list(groups)}
    if public is not None:
        of["assignPublicIp"] = "ENABLED" if public else "DISABLED"
    return {"awsvpcConfiguration": of}


def hello(longshore: Longshore, family: str, port: int = 80) -> str:
    """A definition of the built-in web server on this port."""
    container = {
        "name": "app", "image": "longshore/hello", "memory": 32, "stopTimeout": 2,
        "environment": [{"name": "PORT", "value": str(port)}], "portMappings": [{"containerPort": port}]}
    answer = longshore.ecs.register_task_definition(family=family, networkMode="awsvpc", containerDefinitions=[container])
    return answer["taskDefinition"]["taskDefinitionArn"]


def details(task: dict) -> dict[str, str]:
    interface, = (one for one in task["attachments"] if one["type"] == "ElasticNetworkInterface")
    return {one["name"]: one["value"] for one in interface["details"]}


def address(task: dict) -> str:
    return details(task)["privateIPv4Address"]


def namespace(data: Path, task: dict) -> Path:
    return data / "run" / "net" / "vpc" / "ns" / task["taskArn"].rsplit("/", 1)[1]


def within(data: Path, task: dict, *command: str, **options: Any) -> subprocess.CompletedProcess:
    """Runs a program of this machine in a task's network."""
    return subprocess.run(
        ["nsenter", f"--net={namespace(data, task)}", *command], capture_output=True, text=True, **options)


def reaches(data: Path, task: dict, host: str, port: int, patience_s: float = 1) -> bool:
    """Whether the task gets a page from there."""
    url = f"http://{host}:{port}/"
    done = within(data, task, "curl", "-s", "-o", "/dev/null", "-m", str(patience_s), "-w", "%{http_code}", url)
    return done.stdout == "200"


def comes_to_reach(data: Path, task: dict, host: str, port: int) -> None:
    eventually(lambda: reaches(data, task, host, port), f"{host}:{port} to be reached")


def stays_out(data: Path, task: dict, host: str, port: int) -> None:
    """A packet that no rule allows is not answered at all: twice, since a change may be on its way."""
    time.sleep(0.2)
    for _ in range(2):
        assert not reaches(data, task, host, port), f"{host}:{port} must not be reached"
