"""EventBridge: what ECS emits reaches rules' targets, and rules run tasks by schedule."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import threading
import uuid
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Iterator

import leaks
import pytest
from botocore.exceptions import ClientError
from harness import Longshore, eventually

PREFIX = "arn:aws:events:us-east-1:000000000000:api-destination"
ROLE = "arn:aws:iam::000000000000:role/ecsEventsRole"
CLUSTER = "arn:aws:ecs:us-east-1:000000000000:cluster/default"
NAP = {"name": "app", "command": ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"]}


class Listener:
    """An HTTP endpoint on loopback that keeps what it takes; it can be told to fail."""

    def __init__(self) -> None:
        self.taken: list[dict] = []
        self.calls: list[tuple[str, dict[str, str]]] = []
        self.refused = 0
        self.failing = False
        # Where calls are sent on to, and what called there: nobody is to.
        self.elsewhere = ""
        self.led_astray: list[str] = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                listener.led_astray.append(self.path)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def do_POST(self) -> None:
                event = json.loads(self.rfile.read(int(self.headers["content-length"])))
                if self.path == "/astray":
                    return self.do_GET()
                assert self.headers["content-type"].startswith("application/json")
                if listener.failing:
                    listener.refused += 1
                else:
                    listener.taken.append(event)
                    listener.calls.append((self.path, dict(self.headers.items())))
                if listener.elsewhere:
                    # 307 asks for the same POST again, with its body.
                    self.send_response(307)
                    self.send_header("location", listener.elsewhere)
                else:
                    self.send_response(500 if listener.failing else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def of(self, task: str) -> list[dict]:
        return [event for event in list(self.taken) if event["resources"] == [task]]


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


@pytest.fixture(scope="module")
def longshore(busybox: Path, listener: Listener) -> Iterator[Longshore]:
    """One whose operator declared the listener as the target `hook`."""
    directory = Path(tempfile.mkdtemp(prefix="ls-e2e-"))
    instance = Longshore(directory)
    instance.data.mkdir()
    (instance.data / "longshore.toml").write_text(
        f'[[target]]\nname = "hook"\nurl = "{listener.url}"\n'
        f'[[target]]\nname = "paths"\nurl = "{listener.url}/*/x/*?key=1"\n')
    try:
        instance.up().load_image(busybox)
        yield instance
    finally:
        instance.down()
        left = leaks.present(instance.data)
        shutil.rmtree(directory, ignore_errors=True)
        assert not left, f"left behind after `longshore down`: {left}"


def name(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def drop(longshore: Longshore, rule: str) -> None:
    targets = longshore.events.list_targets_by_rule(Rule=rule)["Targets"]
    if targets:
        longshore.events.remove_targets(Rule=rule, Ids=[target["Id"] for target in targets])
    longshore.events.delete_rule(Name=rule)


def listen(longshore: Longshore, pattern: dict, **target: object) -> str:
    rule = name("rule")
    longshore.events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
    answer = longshore.events.put_targets(Rule=rule, Targets=[{"Id": "t"} | target])
    assert answer["FailedEntryCount"] == 0, answer
    return rule


def logged(longshore: Longshore, group: str) -> list[dict]:
    pages = longshore.logs.get_paginator("filter_log_events").paginate(logGroupName=group)
    return [json.loads(event["message"]) for page in pages for event in page["events"]]


def test_a_log_group_sees_every_state_of_a_task_with_the_version_of_the_api(longshore: Longshore) -> None:
    group = name("/events")
    longshore.logs.create_log_group(logGroupName=group)
    arn = longshore.logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["arn"]
    rule = listen(longshore, {"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"],
                              "detail": {"group": ["family:told"]}}, Arn=arn)
    task = longshore.start(longshore.register("told", NAP))[0]
    running = longshore.wait(task, "RUNNING")
    longshore.ecs.stop_task(task=task, reason="enough")
    stopped = longshore.wait(task, "STOPPED")
    # One event for each version, the first being what RunTask answered, the last what is described now.
    versions = list(range(1, stopped["version"] + 1))
    eventually(lambda: len(logged(longshore, group)) >= len(versions), f"{len(versions)} events in {group}")
    events = sorted(logged(longshore, group), key=lambda event: event["detail"]["version"])
    assert [event["detail"]["version"] for event in events] == versions
    assert {event["resources"][0] for event in events} == {task}
    statuses = list(dict.fromkeys(event["detail"]["lastStatus"] for event in events))
    assert statuses == ["PENDING", "RUNNING", "STOPPED"], events
    of_running = next(event for event in events if event["detail"]["version"] == running["version"])
    assert of_running["detail"]["lastStatus"] == "RUNNING"
    assert of_running["detail"]["containers"][0]["runtimeId"] == running["containers"][0]["runtimeId"]
    last = events[-1]["detail"]
    assert (last["stoppedReason"], last["containers"][0]["exitCode"]) == ("enough", 0)
    at = datetime.strptime(last["stoppedAt"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    assert abs(at - stopped["stoppedAt"]) < timedelta(milliseconds=2)
    drop(longshore, rule)


def test_a_rule_hears_that_a_task_took_room_of_an_instance_and_gave_it_back(longshore: Longshore) -> None:
    group = name("/rooms")
    longshore.logs.create_log_group(logGroupName=group)
    rule = listen(longshore, {"detail-type": ["ECS Container Instance State Change"]},
                  Arn=f"arn:aws:logs:us-east-1:000000000000:log-group:{group}")
    task = longshore.start(longshore.register("roomy", NAP | {"memory": 77}))[0]
    instance = longshore.wait(task, "RUNNING")["containerInstanceArn"]
    longshore.ecs.stop_task(task=task)
    longshore.wait(task, "STOPPED")

    def left() -> list[int]:
        """MiB, in the order of the events, without what repeats."""
        events = [event["detail"] for event in logged(longshore, group) if event["resources"] == [instance]]
        memory = lambda detail: next(r["integerValue"] for r in detail["remainingResources"] if r["name"] == "MEMORY")
        return [memory(detail) for detail in sorted(events, key=lambda detail: detail["updatedAt"])]

    steps = lambda: [after - before for before, after in zip(left(), left()[1:])]
    eventually(lambda: 77 in steps(), "the room to be free again, after it was taken")
    drop(longshore, rule)


def test_patterns_choose_and_inputs_shape(longshore: Longshore) -> None:
    group = name("/chosen")
    longshore.logs.create_log_group(logGroupName=group)
    arn = f"arn:aws:logs:us-east-1:000000000000:log-group:{group}"
    failed = {"source": ["aws.ecs"], "detail": {"lastStatus": ["STOPPED"], "containers": {"exitCode": [{"anything-but": 0}]}}}
    shape = {"InputPathsMap": {"code": "$.detail.containers[0].exitCode", "task": "$.detail.taskArn"},
             "InputTemplate": '{"code": <code>, "text": "task <task> failed"}'}
    rule = listen(longshore, failed, Arn=arn, InputTransformer=shape)
    good = longshore.run_to_end({"name": "app", "command": ["true"]})
    bad = longshore.run_to_end({"name": "app", "command": ["sh", "-c", "exit 3"]})
    eventually(lambda: logged(longshore, group), "the failed task's event")
    assert logged(longshore, group) == [{"code": 3, "text": f"task {bad['taskArn']} failed"}], good
    event = {"id": "1", "account": "000000000000", "source": "aws.ecs", "time": "2024-01-01T00:00:00Z",
             "region": "us-east-1", "resources": [], "detail-type": "t",
             "detail": {"lastStatus": "STOPPED", "containers": [{"exitCode": 1}]}}
    matches = longshore.events.test_event_pattern(EventPattern=json.dumps(failed), Event=json.dumps(event))
    assert matches["Result"] is True
    drop(longshore, rule)


def test_an_endpoint_gets_events_through_failures_and_a_killed_server(longshore: Longshore, listener: Listener) -> None:
    rule = listen(longshore, {"detail-type": ["ECS Task State Change"]}, Arn=f"{PREFIX}/hook")
    task = longshore.start(longshore.register("posted", NAP))[0]
    longshore.wait(task, "RUNNING")
    eventually(lambda: any(e["detail"]["lastStatus"] == "RUNNING" for e in listener.of(task)), "the RUNNING event")
    listener.failing = True
    longshore.ecs.stop_task(task=task)
    stopped = longshore.wait(task, "STOPPED")
    eventually(lambda: listener.refused > 0, "a try that fails")
    longshore.kill("server")
    eventually(longshore.ready, "the server to be back")
    refused = listener.refused
    eventually(lambda: listener.refused > refused, "a try by the new server")
    listener.failing = False
    versions = set(range(1, stopped["version"] + 1))
    eventually(lambda: {e["detail"]["version"] for e in listener.of(task)} >= versions, "every version of the task")
    assert {e["detail"]["version"] for e in listener.of(task)} == versions
    drop(longshore, rule)


def test_a_schedule_runs_a_task(longshore: Longshore) -> None:
    definition = longshore.register("nightly", {"name": "app", "command": ["sh", "-c", "test \"$WHO\" = cron"]})
    at = datetime.now(timezone.utc) + timedelta(seconds=62)
    rule = name("nightly")
    longshore.events.put_rule(Name=rule, ScheduleExpression=f"cron({at.minute} {at.hour} {at.day} {at.month} ? {at.year})")
    overrides = {"containerOverrides": [{"name": "app", "environment": [{"name": "WHO", "value": "cron"}]}]}
    longshore.events.put_targets(Rule=rule, Targets=[{
        "Id": "t", "Arn": CLUSTER, "RoleArn": ROLE, "Input": json.dumps(overrides),
        "EcsParameters": {"TaskDefinitionArn": definition, "TaskCount": 1},
    }])
    started_by = f"events-rule/{rule}"
    find = lambda: longshore.ecs.list_tasks(startedBy=started_by, desiredStatus="STOPPED")["taskArns"]
    # A restart before its time neither loses nor doubles it.
    longshore.kill("server")
    eventually(longshore.ready, "the server to be back")
    arns = eventually(find, "the scheduled task", 150)
    task = longshore.wait(arns[0], "STOPPED")
    assert (task["startedBy"], task["group"]) == (started_by, "family:nightly")
    assert task["containers"][0]["exitCode"] == 0, task
    assert task["createdAt"] >= at.replace(second=0, microsecond=0)
    assert len(find()) == 1
    drop(longshore, rule)


def test_what_nobody_declared_is_refused(longshore: Longshore) -> None:
    rule = name("refused")
    longshore.events.put_rule(Name=rule, EventPattern='{"source":["x"]}')
    for arn, words in (
        (f"{PREFIX}/undeclared", "is not declared in longshore.toml"),
        ("http://127.0.0.1:1/", "Provided Arn is not in correct format."),
        ("arn:aws:lambda:us-east-1:000000000000:function:f", "delivers to log groups"),
    ):
        with pytest.raises(ClientError, match="ValidationException") as refused:
            longshore.events.put_targets(Rule=rule, Targets=[{"Id": "t", "Arn": arn}])
        assert words in str(refused.value)
    with pytest.raises(longshore.events.exceptions.InvalidEventPatternException):
        longshore.events.put_rule(Name=name("x"), EventPattern='{"source": "x"}')
    with pytest.raises(longshore.events.exceptions.ResourceNotFoundException, match="Rule gone does not exist on EventBus default."):
        longshore.events.describe_rule(Name="gone")
    with pytest.raises(ClientError, match="ValidationException"):
        longshore.events.put_rule(Name="a b", ScheduleExpression="rate(1 hour)")
    described = longshore.aws("events", "describe-rule", "--name", rule)
    assert described["State"] == "ENABLED"
    drop(longshore, rule)


def test_users_publish_events_of_their_own(longshore: Longshore, listener: Listener) -> None:
    rule = listen(longshore, {"source": ["shop"]}, Arn=f"{PREFIX}/hook", InputPath="$.detail")
    order = name("order")
    answer = longshore.events.put_events(Entries=[{"Source": "shop", "DetailType": "order", "Detail": json.dumps({"resources": [order]})}])
    assert answer["FailedEntryCount"] == 0
    eventually(lambda: listener.of(order), "the order")
    drop(longshore, rule)


def test_a_redirect_is_not_followed(longshore: Longshore, listener: Listener) -> None:
    rule = listen(longshore, {"source": ["astray"]}, Arn=f"{PREFIX}/hook", InputPath="$.detail")
    put = lambda order: longshore.events.put_events(Entries=[
        {"Source": "astray", "DetailType": "order", "Detail": json.dumps({"resources": [order]})}])
    first, second = name("order"), name("order")
    listener.elsewhere = listener.url.replace("/hook", "/astray")
    try:
        put(first)
        eventually(lambda: listener.of(first), "the call that is sent on")
    finally:
        listener.elsewhere = ""
    # What comes next is delivered: the first was given up, and no call is still under way.
    put(second)
    eventually(lambda: listener.of(second), "the event after it")
    assert listener.led_astray == [] and len(listener.of(first)) == 1
    drop(longshore, rule)


def test_a_task_of_a_rule_waits_for_room(longshore: Longshore) -> None:
    """Where no instance has room the delivery is tried again, until one has."""
    instance = longshore.ecs.list_container_instances()["containerInstanceArns"][0]
    described = longshore.ecs.describe_container_instances(containerInstances=[instance])["containerInstances"][0]
    free = next(r["integerValue"] for r in described["remainingResources"] if r["name"] == "CPU")
    filler = longshore.start(longshore.register("filler", NAP | {"cpu": free - 64}))[0]
    longshore.wait(filler, "RUNNING")
    definition = longshore.register("late", {"name": "app", "command": ["true"], "cpu": 128})
    source = name("full")
    rule = listen(longshore, {"source": [source]}, Arn=CLUSTER, RoleArn=ROLE,
                  EcsParameters={"TaskDefinitionArn": definition, "TaskCount": 1})
    longshore.events.put_events(Entries=[{"Source": source, "DetailType": "t", "Detail": "{}"}])

    def failures() -> int:
        rows = map(json.loads, longshore.run("state", "get", "events.deliveries").stdout.splitlines())
        return max((row["record"]["failures"] for row in rows if rule in row["key"]), default=0)

    eventually(lambda: failures() >= 2, "two tries without room")
    ran = lambda: longshore.ecs.list_tasks(startedBy=f"events-rule/{rule}", desiredStatus="STOPPED")["taskArns"]
    assert not ran() and not longshore.ecs.list_tasks(startedBy=f"events-rule/{rule}")["taskArns"]
    longshore.ecs.stop_task(task=filler)
    task = eventually(ran, "the task to run once there is room", 60)
    assert longshore.describe(task[0])["containers"][0]["exitCode"] == 0
    assert failures() == 0 and len(ran()) == 1
    drop(longshore, rule)


def test_the_history_can_be_followed(longshore: Longshore) -> None:
    follow = subprocess.Popen(longshore.command("events", "--follow", "--json", "--type", "task"),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines: list[str] = []
    reader = threading.Thread(target=lambda: [lines.append(line) for line in follow.stdout], daemon=True)
    reader.start()
    try:
        task = longshore.run_to_end({"name": "app", "command": ["true"]})
        of_task = lambda: [e for e in map(json.loads, list(lines)) if e["resources"] == [task["taskArn"]]]
        eventually(lambda: any(e["detail"]["lastStatus"] == "STOPPED" for e in of_task()), "the followed STOPPED event")
        assert [e["detail"]["version"] for e in of_task()] == list(range(1, task["version"] + 1))
    finally:
        follow.kill()
        follow.wait()
    shown = longshore.run("events", "--cluster", "default").stdout
    id = task["taskArn"].rsplit("/", 1)[1]
    assert f"task {id} STOPPED (desired STOPPED) version {task['version']} group family:once" in shown
    assert "instance " in shown
    # The task took resources of its instance and freed them: two changes more, each told once.
    instance = task["containerInstanceArn"]
    def versions() -> list[int]:
        told = [json.loads(line) for line in longshore.run("events", "--json").stdout.splitlines()]
        return [event["detail"]["version"] for event in told if event["resources"] == [instance]]

    def described() -> int:
        found = longshore.ecs.describe_container_instances(containerInstances=[instance])
        return found["containerInstances"][0]["version"]

    last = described()
    eventually(lambda: last in versions(), f"version {last} of {instance} to be told")
    told = versions()
    assert len(told) >= 2 and told == sorted(set(told)), told
    assert longshore.run("events", "--cluster", "elsewhere").stdout == ""


def test_all_four_types_can_be_followed(longshore: Longshore) -> None:
    follow = [subprocess.Popen(longshore.command("events", "--follow", *form), stdout=subprocess.PIPE, text=True)
              for form in ((), ("--json",))]
    told: list[list[str]] = [[], []]
    for process, lines in zip(follow, told):
        threading.Thread(target=lambda p=process, to=lines: [to.append(line.rstrip()) for line in p.stdout], daemon=True).start()
    service = name("followed")
    try:
        definition = longshore.register("followed", NAP)
        made = longshore.ecs.create_service(serviceName=service, taskDefinition=definition, desiredCount=1)["service"]
        steady = lambda: "steady state" in longshore.ecs.describe_services(services=[service])["services"][0]["events"][0]["message"]
        eventually(lambda: longshore.ecs.list_tasks(serviceName=service)["taskArns"] and steady(), f"{service} to be steady")
        [task] = longshore.ecs.list_tasks(serviceName=service)["taskArns"]
        instance = longshore.describe(task)["containerInstanceArn"]
        deployment = made["deployments"][0]["id"]
        events = lambda of, kind: [e for e in map(json.loads, list(told[1])) if e["resources"] == [of] and e["detail-type"] == kind]
        details = lambda of, kind: [event["detail"] for event in events(of, kind)]

        # What each type has to say of this service, in the order in which it came to be.
        actions = lambda: [(d["eventType"], d["eventName"]) for d in details(made["serviceArn"], "ECS Service Action")]
        eventually(lambda: ("INFO", "SERVICE_STEADY_STATE") in actions(), "the Service Action events")
        deployments = lambda: [(d["eventName"], d["deploymentId"]) for d in details(made["serviceArn"], "ECS Deployment State Change")]
        eventually(lambda: len(deployments()) == 2, "the Deployment State Change events")
        assert deployments() == [("SERVICE_DEPLOYMENT_IN_PROGRESS", deployment), ("SERVICE_DEPLOYMENT_COMPLETED", deployment)]
        states = lambda: list(dict.fromkeys(d["lastStatus"] for d in details(task, "ECS Task State Change")))
        eventually(lambda: states() == ["PENDING", "RUNNING"], "the Task State Change events")
        # The agent goes and comes back, and the task goes on.
        instances = lambda: details(instance, "ECS Container Instance State Change")
        known = longshore.ecs.describe_container_instances(containerInstances=[instance])["containerInstances"][0]["version"]
        longshore.kill("agent")
        connected = lambda: list(dict.fromkeys(d["agentConnected"] for d in instances() if d["version"] > known))
        eventually(lambda: connected() == [False, True], "the Container Instance State Change events")
        versions = [d["version"] for d in instances()]
        assert versions == sorted(set(versions))

        # The same without --json: a line each.
        id, seat = task.rsplit("/", 1)[1], instance.rsplit("/", 1)[1]
        for words in (f" task {id} RUNNING (desired RUNNING) version ", f" instance {seat} ACTIVE (agent away) version ",
                      f" instance {seat} ACTIVE (agent connected) version ", f" service {service} INFO SERVICE_DEPLOYMENT_COMPLETED: ",
                      f" service {service} INFO SERVICE_STEADY_STATE"):
            eventually(lambda: any(words in line for line in list(told[0])), f"a line that has {words!r}")
    finally:
        for process in follow:
            process.kill()
            process.wait()
        longshore.ecs.delete_service(service=service, force=True)
        eventually(lambda: not longshore.ecs.list_tasks(serviceName=service)["taskArns"], f"{service} to be gone")


def test_a_target_adds_headers_query_and_path_to_a_call(longshore: Longshore, listener: Listener) -> None:
    source = name("app")
    parameters = {
        "PathParameterValues": ["blue", "a/b?c"], "QueryStringParameters": {"to": "ops & dev"},
        "HeaderParameters": {"X-Team": "ops", "Host": "elsewhere.test"}}
    rule = listen(longshore, {"source": [source]}, Arn=f"{PREFIX}/paths", HttpParameters=parameters)
    shown = longshore.events.list_targets_by_rule(Rule=rule)["Targets"][0]["HttpParameters"]
    assert shown == parameters
    longshore.events.put_events(Entries=[{"Source": source, "DetailType": "t", "Detail": "{}"}])
    path = "/hook/blue/x/a%2Fb%3Fc?key=1&to=ops%20%26%20dev"
    called = lambda: [headers for at, headers in list(listener.calls) if at == path]
    eventually(called, "the call")
    headers = {key.lower(): value for key, value in called()[0].items()}
    assert headers["x-team"] == "ops" and headers["host"].startswith("127.0.0.1:")
    drop(longshore, rule)


def test_parameters_that_cannot_be_used_are_refused(longshore: Longshore) -> None:
    rule = name("rule")
    longshore.events.put_rule(Name=rule, ScheduleExpression="rate(1 day)")
    group = "arn:aws:logs:us-east-1:000000000000:log-group:/x"
    queue = {"DeadLetterConfig": {"Arn": "arn:aws:sqs:us-east-1:000000000000:dead"}}
    for target, expected in [
        ({"Arn": f"{PREFIX}/paths", "HttpParameters": {"PathParameterValues": ["one"]}}, "one value for each of the 2 path wildcards"),
        ({"Arn": group, "HttpParameters": {"HeaderParameters": {"A": "b"}}}, "Parameter HttpParameters is not supported"),
        ({"Arn": f"{PREFIX}/hook"} | queue, "Parameter DeadLetterConfig is not supported for target: t. This Longshore serves no SQS queue."),
    ]:
        with pytest.raises(ClientError) as refused:
            longshore.events.put_targets(Rule=rule, Targets=[{"Id": "t"} | target])
        assert refused.value.response["Error"]["Code"] == "ValidationException"
        assert expected in str(refused.value)
    drop(longshore, rule)
