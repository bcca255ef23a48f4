"""The first real task: registered, run, described and stopped by the stock AWS CLI."""

import json


def test_a_task_in_host_mode_runs_and_stops_by_the_aws_cli(longshore, tmp_path):
    definition = tmp_path / "web.json"
    definition.write_text(json.dumps({
        "family": "thin",
        "networkMode": "host",
        "containerDefinitions": [
            # pid 1 of a namespace without a handler ignores SIGTERM: the trap makes it end.
            {"name": "app", "image": "busybox:test", "memory": 64,
             "command": ["sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.1; done"]},
        ],
    }))
    registered = longshore.aws("ecs", "register-task-definition", "--cli-input-json", f"file://{definition}")
    assert registered["taskDefinition"]["revision"] == 1
    answer = longshore.aws("ecs", "run-task", "--cluster", "default", "--task-definition", "thin")
    assert answer["failures"] == []
    arn = answer["tasks"][0]["taskArn"]
    longshore.aws("ecs", "wait", "tasks-running", "--cluster", "default", "--tasks", arn)
    task = longshore.aws("ecs", "describe-tasks", "--tasks", arn)["tasks"][0]
    assert task["lastStatus"] == "RUNNING"
    container = task["containers"][0]
    assert container["lastStatus"] == "RUNNING" and len(container["runtimeId"]) == 64
    stopped = longshore.aws("ecs", "stop-task", "--task", arn)["task"]
    assert (stopped["desiredStatus"], stopped["stopCode"]) == ("STOPPED", "UserInitiated")
    task = longshore.wait(arn, "STOPPED")
    assert task["stoppedReason"] == "Task stopped by user"
    assert task["containers"][0]["exitCode"] == 7
