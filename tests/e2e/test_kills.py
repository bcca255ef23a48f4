"""kill -9 of each process at points of a task's life: containers go on, the result is the same."""

import time

import pytest
from harness import eventually
from test_logs import events, options

COUNT = "i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo $i; usleep 10000; done; exit 5"


@pytest.mark.parametrize("role", ["agent", "server", "up"])
@pytest.mark.parametrize("delay", [0.0, 0.02, 0.2, 1.0])
def test_a_kill_changes_neither_the_result_nor_the_log(fresh, role, delay):
    fresh.logs.create_log_group(logGroupName="/k")
    definition = fresh.register("k", {"name": "app", "command": ["sh", "-c", COUNT],
                                      "logConfiguration": options("/k", mode="blocking")}, networkMode="bridge")
    arn = fresh.start(definition)[0]
    time.sleep(delay)
    fresh.kill(role)
    if role == "up":
        fresh.up()
    eventually(fresh.ready, "longshore to be back")
    task = fresh.wait(arn, "STOPPED", 60)
    assert task["containers"][0]["exitCode"] == 5
    assert (task["stopCode"], task["stoppedReason"]) == ("EssentialContainerExited", "Essential container in task exited")
    stream = f"web/app/{arn.rsplit('/', 1)[1]}"
    eventually(lambda: len(events(fresh, "/k", stream)) >= 400, "every line")
    assert [e["message"] for e in events(fresh, "/k", stream)] == [str(i) for i in range(1, 401)]


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
