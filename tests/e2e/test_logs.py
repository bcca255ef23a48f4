"""awslogs and the Logs API: live, complete, searched."""

import os
import re
import signal
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


def test_a_datetime_format_begins_events(longshore):
    log = options("/dated", awslogs_create_group="true", awslogs_datetime_format="%Y-%m-%d %H:%M:%S")
    script = "echo '2024-01-01 10:00:00 first'; echo 'at 2024'; echo '2024-01-02 11:30:59 second'"
    task = longshore.run_to_end({"name": "app", "command": ["sh", "-c", script], "logConfiguration": log})
    stream = f"web/app/{task['taskArn'].rsplit('/', 1)[1]}"
    messages = lambda: [e["message"] for e in events(longshore, "/dated", stream)]
    eventually(lambda: len(messages()) >= 2, "two events")
    assert messages() == ["2024-01-01 10:00:00 first\nat 2024", "2024-01-02 11:30:59 second"]


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


def numbers(longshore, group, stream):
    """The numbers that arrived; each line is whole, or it is none that was written."""
    messages = [e["message"] for e in events(longshore, group, stream)]
    assert all(re.fullmatch(r"line [0-9]{7}", m) for m in messages), [m for m in messages if not re.fullmatch(r"line [0-9]{7}", m)][:5]
    return [int(m.split()[1]) for m in messages]


def said_lost(longshore, stream):
    """How many lines the agent's log says that a stream lost in all; `None` before its end."""
    said = [line for line in (longshore.data / "log" / "agent.log").read_text().splitlines()
            if "did not fit max-buffer-size" in line and stream in line and "ended=true" in line]
    return int(re.search(r"lines=([0-9]+)", said[-1])[1]) if said else None


# 13 bytes each: 2.6 MB in all, five times the buffer and more than a pipe holds besides.
OVERFLOW_LINES = 200_000
COUNT = f"awk 'BEGIN {{ for (i = 1; i <= {OVERFLOW_LINES}; i++) printf \"line %07d\\n\", i }}'"
OVERFLOW = f"trap 'exit 0' TERM; until [ -e /out/go ]; do usleep 10000; done; {COUNT}; touch /out/done; while :; do usleep 50000; done"


def start_overflowing(longshore, tmp_path):
    longshore.logs.create_log_group(logGroupName="/lossy")
    arn = longshore.start(longshore.register(
        "lossy", {"name": "app", "command": ["sh", "-c", OVERFLOW],
                  "mountPoints": [{"sourceVolume": "out", "containerPath": "/out"}],
                  "logConfiguration": options("/lossy", mode="non-blocking", max_buffer_size="512k")},
        volumes=[{"name": "out", "host": {"sourcePath": str(tmp_path)}}]))[0]
    longshore.wait(arn, "RUNNING")
    return arn


def check_loss(longshore, arn):
    """Stops the task; what arrived and what is reported lost make the whole, and what fits is not lost."""
    longshore.ecs.stop_task(task=arn)
    longshore.wait(arn, "STOPPED", 60)
    stream = f"web/app/{arn.rsplit('/', 1)[1]}"
    lost = eventually(lambda: said_lost(longshore, stream), "the report of what was lost")
    arrived = numbers(longshore, "/lossy", stream)
    assert arrived == sorted(set(arrived)), "doubled or out of order"
    assert len(arrived) + lost == OVERFLOW_LINES
    assert lost > 0
    # Nothing less than the buffer was kept, from the first line on.
    assert arrived[:512 * 1024 // 13] == list(range(1, 512 * 1024 // 13 + 1))


def test_a_non_blocking_container_goes_on_without_a_server_and_loses_only_what_overflows(fresh, tmp_path):
    arn = start_overflowing(fresh, tmp_path)
    server = fresh.pid("server")
    os.kill(server, signal.SIGSTOP)
    try:
        (tmp_path / "go").touch()
        eventually((tmp_path / "done").exists, "the container to have written everything")
    finally:
        os.kill(server, signal.SIGCONT)
    check_loss(fresh, arn)


def test_a_non_blocking_container_goes_on_without_an_agent_and_loses_only_what_overflows(fresh, tmp_path):
    arn = start_overflowing(fresh, tmp_path)
    fresh.kill("up")
    # Nobody starts it again.
    fresh.kill("agent")
    (tmp_path / "go").touch()
    eventually((tmp_path / "done").exists, "the container to have written everything")
    fresh.up()
    check_loss(fresh, arn)


def rss_mib(pid):
    return int(re.search(r"VmRSS:\s+([0-9]+)", open(f"/proc/{pid}/status").read())[1]) / 1024


# The agent holds of a stream a batch: as events, as JSON and as a request, about 1 MiB each. The server
# holds its block cache (8 MiB), two keyspaces' write buffers, each with one being flushed (4 MiB each), and
# the pages under way (1 MiB each, a few times as values and JSON). What is written, 25 MB as bytes and
# half as much again as events, is beyond both bounds: whoever kept it would be found.
FOLLOW_LINES, FOLLOW_SECONDS = 100_000, 10
FOLLOW_BYTES = 250
GROWTH_MIB = {"agent": 12, "server": 32}


def test_a_stream_of_ten_thousand_lines_a_second_is_followed_whole_with_flat_memory(fresh):
    group = "/ecs/follow"
    fresh.logs.create_log_group(logGroupName=group)
    # A tenth of a second's lines at a time; the pad makes them 2.5 MB a second.
    pad = "x" * (FOLLOW_BYTES - 9)
    tenth = f"awk -v n=$i 'BEGIN {{ for (i = 1; i <= 1000; i++) printf \"%07d {pad}\\n\", n * 1000 + i }}'"
    script = f"i=0; while [ $i -lt {FOLLOW_SECONDS * 10} ]; do {tenth}; i=$((i+1)); usleep 90000; done"
    arn = fresh.start(fresh.register("follow", {"name": "app", "command": ["sh", "-c", script],
                                                "logConfiguration": options(group, mode="blocking")}))[0]
    stream = f"web/app/{arn.rsplit('/', 1)[1]}"
    fresh.wait(arn, "RUNNING")
    pids = {role: fresh.pid(role) for role in ("server", "agent")}
    number = lambda event: int(event["message"][:7])
    followed, filtered, token, memory, live = [], {}, None, [], 0

    def filter_on():
        """The way of `aws logs tail`: from the last event's time on, what was seen before left out."""
        since = max(filtered.values(), default=0)
        pages = fresh.logs.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since)
        filtered.update((number(event), event["timestamp"]) for page in pages for event in page["events"])

    deadline = time.monotonic() + 120
    while len(followed) < FOLLOW_LINES:
        assert time.monotonic() < deadline, (len(followed), fresh.tail())
        page = fresh.logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True,
                                         **({"nextToken": token} if token else {}))
        token = page["nextForwardToken"]
        followed += map(number, page["events"])
        filter_on()
        if fresh.describe(arn)["lastStatus"] == "RUNNING":
            live = len(followed)
        memory.append({role: rss_mib(pid) for role, pid in pids.items()})
    assert followed == list(range(1, FOLLOW_LINES + 1))
    assert live > 0, "read after the end only"
    growth = {role: max(sample[role] for sample in memory) - memory[0][role] for role in pids}
    assert all(growth[role] < GROWTH_MIB[role] for role in pids), (growth, memory[::5])
    filter_on()
    assert sorted(filtered) == followed
