"""Ranges of ports: `containerPortRange` on the bridge, seen from outside."""

import socket

import pytest
from harness import eventually
from test_kills import begin, kill

FIRST, LAST = 8000, 8004
# Two of the five ports answer, each with its own number.
SERVE = "".join(f"while :; do echo {port} | nc -l -p {port} > /dev/null; done & " for port in (FIRST + 1, LAST)) + "wait"


def heard(port):
    """What a connection to a port of this machine says; nothing where nobody answers."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.shutdown(socket.SHUT_WR)
            return connection.makefile().read().strip()
    except OSError:
        return ""


def run(longshore, **fields):
    container = {"name": "app", "command": ["sh", "-c", SERVE], "stopTimeout": 2,
                 "portMappings": [{"containerPortRange": f"{FIRST}-{LAST}"}, {"containerPort": 80}]} | fields
    arn = begin(longshore, longshore.register("range", container, networkMode="bridge")).arn
    return arn, longshore.wait(arn, "RUNNING")


def given(task):
    """The host's range, and the binding of the single port."""
    ranges, single = sorted(task["containers"][0]["networkBindings"], key=lambda b: "containerPort" in b)
    assert ranges | {"hostPortRange": ""} == {
        "bindIP": "0.0.0.0", "protocol": "tcp", "containerPortRange": f"{FIRST}-{LAST}", "hostPortRange": ""}
    first, last = map(int, ranges["hostPortRange"].split("-"))
    assert last - first == LAST - FIRST
    return first, single


def answers(first):
    return heard(first + 1) == str(FIRST + 1) and heard(first + LAST - FIRST) == str(LAST)


def test_a_range_is_as_long_on_the_host(longshore):
    tasks = [run(longshore) for _ in range(2)]
    ranges = [given(task)[0] for _, task in tasks]
    assert abs(ranges[0] - ranges[1]) > LAST - FIRST
    for (_, task), first in zip(tasks, ranges):
        eventually(lambda: answers(first), f"both ports to answer from {first} on")
        assert not first <= given(task)[1]["hostPort"] <= first + LAST - FIRST
    lines = longshore.run("ps").stdout
    assert f"{ranges[0]}-{ranges[0] + LAST - FIRST}->{FIRST}-{LAST}" in lines
    for arn, _ in tasks:
        longshore.ecs.stop_task(task=arn)
        longshore.wait(arn, "STOPPED")
    # Nobody holds them any more.
    for first in ranges:
        for port in range(first, first + LAST - FIRST + 1):
            with socket.socket() as own:
                eventually(lambda: own.bind(("0.0.0.0", port)) is None, f"{port} to be free")


def test_a_restarted_agent_keeps_the_range(longshore):
    arn, task = run(longshore)
    first, _ = given(task)
    eventually(lambda: answers(first), "both ports to answer")
    kill(longshore, "agent")
    # One that takes tasks has taken over what was there.
    other, task = run(longshore)
    assert abs(given(task)[0] - first) > LAST - FIRST
    assert given(longshore.describe(arn))[0] == first and answers(first)
    # It holds each port of the range, so that no other program takes one.
    for port in range(first, first + LAST - FIRST + 1):
        with socket.socket() as taker, pytest.raises(OSError):
            taker.bind(("0.0.0.0", port))
    for each in (arn, other):
        longshore.ecs.stop_task(task=each)
        longshore.wait(each, "STOPPED")


def test_more_ports_than_the_host_has(longshore):
    task = longshore.run_to_end(
        {"name": "app", "command": ["true"], "portMappings": [{"containerPortRange": "1-60000"}]}, networkMode="bridge")
    assert task["stopCode"] == "TaskFailedToStart"
    assert "60000 contiguous host ports are unavailable" in task["containers"][0]["reason"]
