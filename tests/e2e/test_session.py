"""The session of the README, typed as a person would."""

import json
import urllib.request

from harness import eventually


def test_the_session_of_the_readme(longshore, tmp_path):
    web = tmp_path / "web.json"
    log = {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/web", "awslogs-region": "us-east-1",
                                               "awslogs-stream-prefix": "web", "awslogs-create-group": "true"}}
    web.write_text(json.dumps({
        "family": "web",
        "networkMode": "bridge",
        "containerDefinitions": [
            {"name": "app", "image": "longshore/hello", "memory": 64, "portMappings": [{"containerPort": 80}],
             "environment": [{"name": "COLOUR", "value": "blue"}], "logConfiguration": log},
            {"name": "side", "image": "busybox:test", "memory": 16, "essential": False,
             "command": ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"], "logConfiguration": log},
        ],
    }))
    longshore.aws("ecs", "register-task-definition", "--cli-input-json", f"file://{web}")
    ran = longshore.aws("ecs", "run-task", "--cluster", "default", "--task-definition", "web", "--count", "3")
    arns = [task["taskArn"] for task in ran["tasks"]]
    assert len(arns) == 3 and ran["failures"] == []
    longshore.aws("ecs", "wait", "tasks-running", "--cluster", "default", "--tasks", *arns)
    for arn in arns:
        task = longshore.aws("ecs", "describe-tasks", "--tasks", arn)["tasks"][0]
        container = next(c for c in task["containers"] if c["name"] == "app")
        port = container["networkBindings"][0]["hostPort"]

        def page():
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                return answer.read().decode()

        assert container["runtimeId"][:12] in eventually(page, "the page")
    stream = f"web/app/{arns[0].rsplit('/', 1)[1]}"

    def lines():
        answer = longshore.aws("logs", "get-log-events", "--log-group-name", "/ecs/web", "--log-stream-name", stream)
        return [e["message"] for e in answer["events"]]

    assert eventually(lambda: any("GET /" in line for line in lines()), "the request's line in the log")
    shown = longshore.run("ps").stdout
    assert all(arn.rsplit("/", 1)[1][:12] in shown for arn in arns)
    assert "GET /" in longshore.run("logs", arns[0].rsplit("/", 1)[1], "app").stdout
    for arn in arns:
        stopped = longshore.aws("ecs", "stop-task", "--task", arn, "--reason", "end of session")["task"]
        assert stopped["stopCode"] == "UserInitiated"
    for arn in arns:
        task = longshore.wait(arn, "STOPPED")
        assert task["stoppedReason"] == "end of session"
        assert {c["name"]: c["exitCode"] for c in task["containers"]} == {"app": 0, "side": 0}
    record = longshore.run("state", "get", "ecs.tasks").stdout
    assert arns[0].rsplit("/", 1)[1] in record
