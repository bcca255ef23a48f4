"""awslogs and the Logs API: live, complete, searched."""

import time
import uuid

import pytest
from botocore.exceptions import ClientError
from harness import eventually


def options(group, **more):
    base = {"awslogs-group": group, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "web"}
    return {"logDriver": "awslogs", "options": base | {k.replace("_", "-"): v for k, v in more.items()}}


def events(longshore, group, stream):
    """Every event of a stream, page by page."""
    found, token = [], None
    while True:
        page = longshore.logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True,
                                             **({"nextToken": token} if token else {}))
        found += page["events"]
        if page["nextForwardToken"] == token:
            return found
        token = page["nextForwardToken"]


def test_a_running_tasks_lines_are_read_live(longshore):
    longshore.logs.create_log_group(logGroupName="/ecs/live")
    arn = longshore.start(longshore.register("live", {
        "name": "app", "command": ["sh", "-c", "trap 'exit 0' TERM; i=0; while :; do i=$((i+1)); echo line $i; echo err $i >&2; sleep 0.05; done"],
        "logConfiguration": options("/ecs/live")}))[0]
    longshore.wait(arn, "RUNNING")
    stream = f"web/app/{arn.rsplit('/', 1)[1]}"
    read = lambda: [e["message"] for e in events(longshore, "/ecs/live", stream)]
    eventually(lambda: stream in [s["logStreamName"] for s in longshore.logs.describe_log_streams(logGroupName="/ecs/live")["logStreams"]], "the stream")
    messages = eventually(lambda: (m := read()) and len(m) > 10 and m, "ten lines")
    assert [m for m in messages if m.startswith("line")][:3] == ["line 1", "line 2", "line 3"]
    assert "err 1" in messages
    answer = longshore.aws("logs", "get-log-events", "--log-group-name", "/ecs/live", "--log-stream-name", stream)
    assert answer["events"]
    tail = longshore.aws("logs", "tail", "/ecs/live", "--since", "1h", version=2, check=False)
    assert tail.returncode == 0 and "line 1" in tail.stdout, tail.stderr
    longshore.ecs.stop_task(task=arn)
    longshore.wait(arn, "STOPPED")


def test_no_line_is_lost_at_ten_thousand_lines_a_second(longshore):
    lines = 50_000
    longshore.logs.create_log_group(logGroupName="/ecs/fast")
    arn = longshore.start(longshore.register("fast", {
        "name": "app", "command": ["seq", "1", str(lines)], "memory": 64,
        "logConfiguration": options("/ecs/fast", mode="blocking")}))[0]
    longshore.wait(arn, "STOPPED", 60)
    stream = f"web/app/{arn.rsplit('/', 1)[1]}"
    complete = lambda: len(events(longshore, "/ecs/fast", stream)) >= lines
    eventually(complete, "all lines", 60)
    assert [e["message"] for e in events(longshore, "/ecs/fast", stream)] == [str(i) for i in range(1, lines + 1)]


def test_create_group_multiline_and_a_missing_group(longshore):
    group = f"/ecs/{uuid.uuid4()}"
    script = "echo '2024-01-01 first'; echo ' more'; echo '2024-01-02 second'"
    log = options(group, awslogs_create_group="true", awslogs_multiline_pattern="^[0-9]{4}")
    task = longshore.run_to_end({"name": "app", "command": ["sh", "-c", script], "logConfiguration": log})
    stream = f"web/app/{task['taskArn'].rsplit('/', 1)[1]}"
    messages = eventually(lambda: [e["message"] for e in events(longshore, group, stream)] or None, "events")
    messages = eventually(lambda: (m := [e["message"] for e in events(longshore, group, stream)]) and len(m) == 2 and m, "two events")
    assert messages == ["2024-01-01 first\n more", "2024-01-02 second"]
    failed = longshore.run_to_end({"name": "app", "command": ["true"], "logConfiguration": options("/ecs/none")})
    assert failed["stopCode"] == "TaskFailedToStart"
    assert "The specified log group does not exist" in failed["containers"][0]["reason"]


def test_groups_streams_events_and_their_errors(longshore):
    logs = longshore.logs
    logs.create_log_group(logGroupName="/api")
    with pytest.raises(ClientError) as refused:
        logs.create_log_group(logGroupName="/api")
    assert refused.value.response["Error"]["Code"] == "ResourceAlreadyExistsException"
    logs.create_log_stream(logGroupName="/api", logStreamName="s")
    now = int(time.time() * 1000)
    batch = [{"timestamp": now + i, "message": m} for i, m in enumerate(
        ["GET /a 200", "GET /b 500 error", '{"level": "error", "code": 500}', '{"level": "info", "code": 200}'])]
    logs.put_log_events(logGroupName="/api", logStreamName="s", logEvents=batch)
    search = lambda pattern: [e["message"] for e in logs.filter_log_events(logGroupName="/api", filterPattern=pattern)["events"]]
    assert search("error -level") == ["GET /b 500 error"]
    assert search('"GET /a"') == ["GET /a 200"]
    assert len(search("?GET ?info")) == 3
    assert search('{ $.level = "error" && $.code >= 500 }') == [batch[2]["message"]]
    first = logs.get_log_events(logGroupName="/api", logStreamName="s", startFromHead=True, limit=1)
    assert [e["message"] for e in first["events"]] == ["GET /a 200"]
    last = logs.get_log_events(logGroupName="/api", logStreamName="s", limit=1)
    assert [e["message"] for e in last["events"]] == [batch[3]["message"]]
    before = logs.get_log_events(logGroupName="/api", logStreamName="s", limit=2, nextToken=last["nextBackwardToken"])
    assert [e["message"] for e in before["events"]] == [batch[1]["message"], batch[2]["message"]]
    logs.put_retention_policy(logGroupName="/api", retentionInDays=7)
    group = logs.describe_log_groups(logGroupNamePrefix="/api")["logGroups"][0]
    assert group["retentionInDays"] == 7 and group["arn"].endswith(":log-group:/api:*") and group["storedBytes"] > 0
    logs.delete_retention_policy(logGroupName="/api")
    with pytest.raises(ClientError) as refused:
        logs.put_log_events(logGroupName="/api", logStreamName="none", logEvents=batch)
    assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"
    with pytest.raises(ClientError) as refused:
        logs.put_log_events(logGroupName="/api", logStreamName="s", logEvents=batch[::-1])
    assert refused.value.response["Error"]["Code"] == "InvalidParameterException"
    logs.delete_log_stream(logGroupName="/api", logStreamName="s")
    logs.create_log_stream(logGroupName="/api", logStreamName="s")
    assert events(longshore, "/api", "s") == []
    logs.delete_log_group(logGroupName="/api")
    assert logs.describe_log_groups(logGroupNamePrefix="/api")["logGroups"] == []
