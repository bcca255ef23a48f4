"""kill -9 of each process at points of a task's life: containers go on, the result is the same."""

import json
import os
import random
import signal
import time
from pathlib import Path

import leaks
import pytest
from harness import eventually
from points import POINTS, STOP_POINTS, Life
from test_logs import events, options

LINES = 120
# In bursts, so that lines wait in the pipe, in the spool and in a batch at any moment.
COUNT = f"i=0; while [ $i -lt {LINES} ]; do i=$((i+1)); echo $i; [ $((i % 8)) -ne 0 ] || usleep 20000; done; exit 5"
TRAP = "trap 'echo stopping; exit 6' TERM; echo up; while :; do sleep 0.02; done"
ROLES = ["agent", "server", "up"]
WALK = [point for point in POINTS if point not in STOP_POINTS and point != "shim forked"]


@pytest.fixture(scope="module")
def definitions(longshore):
    """Bridge, a port, a `blocking` stream, one that goes first: everything that a task can leave behind."""
    longshore.logs.create_log_group(logGroupName="/k")
    define = lambda script: longshore.register(
        "walk", {"name": "app", "command": ["sh", "-c", script], "portMappings": [{"containerPort": 80}],
                 "dependsOn": [{"containerName": "first", "condition": "SUCCESS"}],
                 "logConfiguration": options("/k", mode="blocking")},
        {"name": "first", "essential": False, "memory": 32, "command": ["sh", "-c", "usleep 100000"]}, networkMode="bridge")
    return {script: define(script) for script in (COUNT, TRAP)}


def result(task):
    """What is recorded of a task's end, without what differs from one to the next."""
    container = task["containers"][0]
    # The port is one of a range.
    bindings = [binding | {"hostPort": binding["hostPort"] > 0} for binding in container["networkBindings"]]
    kept = ("name", "lastStatus", "exitCode", "reason", "healthStatus")
    return {
        "members": sorted(task), "members of the container": sorted(container), "bindings": bindings,
        "container": {key: container.get(key) for key in kept},
        **{key: task.get(key) for key in ("lastStatus", "desiredStatus", "stopCode", "stoppedReason")},
    }


def lines(longshore, life):
    return [event["message"] for event in events(longshore, "/k", f"web/app/{life.id}")]


def nothing_left(longshore, life):
    """Everything of the task is gone from the host, without a `down`."""
    def left():
        found = leaks.present(longshore.data)
        of_task = {kind: [name for name in names if life.id in name] for kind, names in found.items()}
        of_task["namespaces"] = found.get("namespaces")
        of_task["veths"] = [name for name in found.get("links", ()) if name.startswith("v")]
        of_task["records"] = [str(life.dir)] if life.dir.exists() else []
        of_task["processes"] = [line for line in found.get("processes", ()) if "sh -c" in line]
        return {kind: names for kind, names in of_task.items() if names}
    try:
        eventually(lambda: not left(), "the task to leave the host")
    except AssertionError as error:
        raise AssertionError(f"{error}: {left()}\n{longshore.tail()}") from None


def begin(longshore, definition):
    """A task of it; until the server has heard of a kill's end it refuses with AGENT, as AWS does."""
    start = lambda: longshore.ecs.run_task(taskDefinition=definition)["tasks"]
    return Life(longshore, eventually(start, "an agent to run a task")[0]["taskArn"])


def kill(longshore, role):
    killed = longshore.kill(role)
    if role != "up":
        # Written in place: for a moment it is empty.
        lock = longshore.data / "run" / f"{role}.lock"
        eventually(lambda: lock.read_text() not in ("", str(killed)), f"another {role}")
    if role == "up":
        longshore.up()


@pytest.fixture(scope="module")
def unkilled(longshore, definitions):
    """The results of the same tasks when nobody is killed."""
    counted = longshore.wait(longshore.start(definitions[COUNT])[0], "STOPPED")
    arn = longshore.start(definitions[TRAP])[0]
    longshore.wait(arn, "RUNNING")
    longshore.ecs.stop_task(task=arn)
    return {COUNT: result(counted), TRAP: result(longshore.wait(arn, "STOPPED"))}


def every_line(longshore, life, written):
    try:
        eventually(lambda: len(lines(longshore, life)) >= len(written), "every line")
    except AssertionError as error:
        there = lines(longshore, life)
        spool = {path.name: path.stat().st_size for path in (life.dir / "logs" / "app").glob("*")}
        raise AssertionError(f"{error}: {len(there)} of {len(written)}, without {sorted(set(written) - set(there), key=written.index)};"
                             f" {life.progress()}, spool {spool}, {life._state()}\n{longshore.tail()}") from None
    assert lines(longshore, life) == written


def check_end(longshore, life, expected, written):
    eventually(longshore.ready, "longshore to be back")
    assert result(longshore.wait(life.arn, "STOPPED")) == expected
    every_line(longshore, life, written)
    nothing_left(longshore, life)


# `up` comes last of a point's three: with it the waits between restarts begin anew.
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("point", WALK)
def test_a_kill_changes_neither_the_result_nor_the_log(longshore, definitions, unkilled, point, role):
    life = begin(longshore, definitions[COUNT])
    life.wait(point)
    kill(longshore, role)
    check_end(longshore, life, unkilled[COUNT], [str(i) for i in range(1, LINES + 1)])


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("point", STOP_POINTS)
def test_a_kill_while_a_task_is_being_stopped_changes_nothing(longshore, definitions, unkilled, point, role):
    life = begin(longshore, definitions[TRAP])
    longshore.wait(life.arn, "RUNNING")
    eventually(lambda: "up" in lines(longshore, life), "the trap to be set")
    longshore.ecs.stop_task(task=life.arn)
    life.wait(point)
    kill(longshore, role)
    check_end(longshore, life, unkilled[TRAP], ["up", "stopping"])


@pytest.mark.parametrize("point", ["shim forked", "container recorded", "started", "batch of lines acknowledged", "exit recorded"])
def test_a_killed_shim_costs_neither_a_line_nor_the_exit_code(longshore, definitions, unkilled, point):
    """The agent lives and holds the pipes; Linux from 6.15 on tells the code (see test_fallbacks.py for an older one)."""
    life = begin(longshore, definitions[COUNT])
    life.wait(point)
    shim = life.shim()
    if shim is None:
        assert point == "exit recorded", "no shim to kill"
    else:
        os.kill(shim, signal.SIGKILL)
    check_end(longshore, life, expected_without_shim(unkilled[COUNT], point), [str(i) for i in range(1, LINES + 1)])


def expected_without_shim(result, point):
    release = tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])
    if release >= (6, 15) or point in ("shim forked", "exit recorded"):
        return result
    members = sorted({*result["members of the container"], "reason"} - {"exitCode"})
    unknown = {"exitCode": None, "reason": "exit status unknown (shim lost)"}
    return result | {"container": result["container"] | unknown, "members of the container": members}


def test_a_killed_zygote_is_replaced_and_its_containers_go_on(longshore, definitions, unkilled):
    life = begin(longshore, definitions[COUNT])
    life.wait("started")
    # A shim has the command line of the zygote that it was forked from, and a name of its own.
    is_shim = lambda pid: Path(f"/proc/{pid}/comm").read_text().startswith("ls:")
    zygotes = [pid for line in leaks.present(longshore.data)["processes"]
               if line.endswith("longshore-zygote") and not is_shim(pid := int(line.split()[0]))]
    assert len(zygotes) == 1
    os.kill(zygotes[0], signal.SIGKILL)
    after = begin(longshore, definitions[COUNT])
    for each in (life, after):
        check_end(longshore, each, unkilled[COUNT], [str(i) for i in range(1, LINES + 1)])


def test_the_holder_of_a_tasks_namespaces_outlives_the_agent(longshore):
    wait = "while :; do sleep 0.05; done"
    # The code that the second ends with says whether it still sees what the first shares with it.
    # A process that ends between the listing and the reading is an error of the first grep's.
    found = "grep -l 'first-of-tw[o]' /proc/[0-9]*/cmdline | grep -q cmdline && [ $(cat /dev/shm/note) = shared ]"
    arn = longshore.start(longshore.register(
        "held", {"name": "app", "command": ["sh", "-c", f": first-of-two; trap 'exit 0' TERM; echo shared > /dev/shm/note; {wait}"]},
        {"name": "second", "command": ["sh", "-c", f"ask() {{ {found} && exit 3; exit 4; }}; trap ask TERM; {wait}"],
         "dependsOn": [{"containerName": "app", "condition": "START"}]}, pidMode="task", ipcMode="task"))[0]
    life = Life(longshore, arn)
    longshore.wait(arn, "RUNNING")
    holder = json.loads((life.dir / "containers" / "~holder" / "state.json").read_text())
    spaces = lambda: [os.readlink(f"/proc/{holder['pid']}/ns/{kind}") for kind in ("pid", "ipc")]
    before = spaces()
    kill(longshore, "agent")
    eventually(longshore.ready, "the agent to be back")
    assert spaces() == before and longshore.describe(arn)["lastStatus"] == "RUNNING"
    longshore.ecs.stop_task(task=arn)
    task = longshore.wait(arn, "STOPPED")
    codes = {container["name"]: container["exitCode"] for container in task["containers"]}
    assert codes == {"app": 0, "second": 3}
    nothing_left(longshore, life)
    assert not Path(f"/proc/{holder['pid']}").exists()


@pytest.mark.parametrize("mode", ["blocking", "non-blocking"])
def test_kills_at_any_moment_change_nothing(fresh, mode):
    """Twelve kills of a fixed draw, three in each of four lives, wherever they fall.

    A `non-blocking` stream that never overflows loses nothing either: the shim keeps it meanwhile.
    """
    draw = random.Random(20)
    fresh.logs.create_log_group(logGroupName="/k")
    count = COUNT.replace(str(LINES), "600")
    definition = fresh.register("any", {"name": "app", "command": ["sh", "-c", count],
                                        "logConfiguration": options("/k", mode=mode)}, networkMode="bridge")
    for _ in range(4):
        life = begin(fresh, definition)
        for role in draw.sample(ROLES, 3):
            time.sleep(draw.uniform(0, 0.5))
            kill(fresh, role)
            eventually(fresh.ready, "longshore to be back")
        task = fresh.wait(life.arn, "STOPPED")
        assert (task["containers"][0]["exitCode"], task["stopCode"]) == (5, "EssentialContainerExited")
        every_line(fresh, life, [str(i) for i in range(1, 601)])
        nothing_left(fresh, life)


def test_down_keep_leaves_containers_for_the_next_up(fresh):
    arn = fresh.start(fresh.register("keep", {"name": "app", "command": ["sh", "-c", "trap 'exit 6' TERM; while :; do sleep 0.1; done"]}))[0]
    runtime_id = fresh.wait(arn, "RUNNING")["containers"][0]["runtimeId"]
    fresh.down("--keep")
    fresh.up()
    task = fresh.describe(arn)
    assert task["lastStatus"] == "RUNNING" and task["containers"][0]["runtimeId"] == runtime_id
    fresh.ecs.stop_task(task=arn)
    assert fresh.wait(arn, "STOPPED")["containers"][0]["exitCode"] == 6


def test_down_stops_tasks_and_the_next_up_knows(fresh):
    arn = fresh.start(fresh.register("gone", {"name": "app", "stopTimeout": 2, "command": ["sh", "-c", "trap 'exit 6' TERM; while :; do sleep 0.1; done"]}, networkMode="bridge"))[0]
    fresh.wait(arn, "RUNNING")
    fresh.down()
    fresh.up()
    task = fresh.wait(arn, "STOPPED")
    assert task["containers"][0]["exitCode"] == 6


def test_an_acknowledged_write_survives_a_killed_server(fresh):
    arn = fresh.register("kept", {"name": "app"})
    fresh.kill("server")
    eventually(fresh.ready, "the server to be back")
    assert fresh.ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]["status"] == "ACTIVE"
