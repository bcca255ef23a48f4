"""The Logs API as clients see it: tokens at both ends, searches by page, rejected events, AWS's own errors."""

import time

import pytest
from botocore.exceptions import ClientError
from test_logs import events


def test_both_tokens_repeat_at_their_ends_and_pages_are_bounded(longshore):
    logs = longshore.logs
    logs.create_log_group(logGroupName="/ends")
    logs.create_log_stream(logGroupName="/ends", logStreamName="s")
    empty = logs.get_log_events(logGroupName="/ends", logStreamName="s")
    assert empty["events"] == [] and empty["nextForwardToken"] and empty["nextBackwardToken"]
    now = int(time.time() * 1000)
    put = lambda first, count: logs.put_log_events(logGroupName="/ends", logStreamName="s", sequenceToken="ignored", logEvents=[
        {"timestamp": now + i, "message": f"m{i}"} for i in range(first, first + count)])
    answer = put(0, 10)
    assert answer["nextSequenceToken"] and "rejectedLogEventsInfo" not in answer
    read = lambda **more: logs.get_log_events(logGroupName="/ends", logStreamName="s", **more)
    texts = lambda page: [e["message"] for e in page["events"]]
    assert texts(read(nextToken=empty["nextForwardToken"])) == [f"m{i}" for i in range(10)]
    tail = read(limit=3)  # the latest, in ascending order, without startFromHead
    assert texts(tail) == ["m7", "m8", "m9"]
    end = read(nextToken=tail["nextForwardToken"])
    assert end["events"] == [] and end["nextForwardToken"] == tail["nextForwardToken"]
    put(10, 2)
    assert texts(read(nextToken=end["nextForwardToken"])) == ["m10", "m11"]
    token, shown = tail["nextBackwardToken"], []
    while True:
        page = read(nextToken=token, limit=4)
        shown = texts(page) + shown
        if page["nextBackwardToken"] == token:
            break
        token = page["nextBackwardToken"]
    assert shown == [f"m{i}" for i in range(7)] and page["events"] == []
    assert texts(read(nextToken=page["nextForwardToken"], limit=2)) == ["m0", "m1"]
    assert texts(read(startTime=now + 2, endTime=now + 5, startFromHead=True)) == ["m2", "m3", "m4"]
    with pytest.raises(ClientError) as refused:
        read(nextToken="garbage")
    assert refused.value.response["Error"]["Code"] == "InvalidParameterException"
    logs.create_log_stream(logGroupName="/ends", logStreamName="large")
    for part in range(2):
        logs.put_log_events(logGroupName="/ends", logStreamName="large", logEvents=[
            {"timestamp": now, "message": f"{part}{i}".ljust(200_000, "x")} for i in range(4)])
    page = logs.get_log_events(logGroupName="/ends", logStreamName="large", startFromHead=True)
    assert len(page["events"]) == 5, "one MB a page"


def test_searches_interleave_streams_and_page(longshore):
    logs = longshore.logs
    logs.create_log_group(logGroupName="/mixed")
    now = int(time.time() * 1000)
    for at, stream in enumerate(("a/1", "a/2", "b/1")):
        logs.create_log_stream(logGroupName="/mixed", logStreamName=stream)
        logs.put_log_events(logGroupName="/mixed", logStreamName=stream, logEvents=[
            {"timestamp": now + 3 * i + at, "message": f"{3 * i + at}"} for i in range(5)])
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName="/mixed", PaginationConfig={"PageSize": 4})
    found = [e for page in pages for e in page["events"]]
    assert [e["message"] for e in found] == [str(i) for i in range(15)]
    assert len({e["eventId"] for e in found}) == 15
    search = lambda **more: [int(e["message"]) for e in logs.filter_log_events(logGroupName="/mixed", **more)["events"]]
    assert search(logStreamNamePrefix="a/") == [i for i in range(15) if i % 3 != 2]
    assert search(logStreamNames=["b/1"]) == [2, 5, 8, 11, 14]
    assert search(startTime=now + 3, endTime=now + 6) == [3, 4, 5, 6], "endTime is included here"
    with pytest.raises(ClientError) as refused:
        search(logStreamNamePrefix="a", logStreamNames=["b/1"])
    assert refused.value.response["Error"]["Code"] == "InvalidParameterException"
    logs.put_log_events(logGroupName="/mixed", logStreamName="a/1", logEvents=[{"timestamp": now + 100, "message": "100"}])
    by_time = logs.describe_log_streams(logGroupName="/mixed", orderBy="LastEventTime", descending=True)["logStreams"]
    assert [s["logStreamName"] for s in by_time] == ["a/1", "b/1", "a/2"]
    assert by_time[0]["lastEventTimestamp"] == now + 100 and by_time[0]["firstEventTimestamp"] == now
    with pytest.raises(ClientError) as refused:
        logs.describe_log_streams(logGroupName="/mixed", orderBy="LastEventTime", logStreamNamePrefix="a")
    assert refused.value.response["Error"] == {
        "Code": "InvalidParameterException", "Message": "Cannot order by LastEventTime with a logStreamNamePrefix."}
    named = logs.get_paginator("describe_log_streams").paginate(logGroupName="/mixed", PaginationConfig={"PageSize": 1})
    assert [s["logStreamName"] for page in named for s in page["logStreams"]] == ["a/1", "a/2", "b/1"]


HOUR_MS = 3600 * 1000


def test_events_out_of_their_time_are_reported_and_the_rest_is_kept(longshore):
    logs = longshore.logs
    logs.create_log_group(logGroupName="/window")
    logs.create_log_stream(logGroupName="/window", logStreamName="s")
    now = int(time.time() * 1000)
    put = lambda *hours: logs.put_log_events(logGroupName="/window", logStreamName="s", logEvents=[
        {"timestamp": now + h * HOUR_MS, "message": str(h)} for h in hours])["rejectedLogEventsInfo"]
    assert put(-1, 0, 3) == {"tooNewLogEventStartIndex": 2}
    assert put(-24 * 15, -24 * 15 + 1) == {"tooOldLogEventEndIndex": 2}
    logs.put_retention_policy(logGroupName="/window", retentionInDays=3)
    assert put(-24 * 3 - 2, -24 * 3 + 2) == {"expiredLogEventEndIndex": 1}
    assert [e["message"] for e in events(longshore, "/window", "s")] == ["-70", "-1", "0"]


@pytest.mark.parametrize("call, expected", [
    (lambda logs: logs.create_log_group(logGroupName="a b"), ("InvalidParameterException", None)),
    (lambda logs: logs.create_log_group(logGroupName="a" * 513), ("InvalidParameterException", None)),
    (lambda logs: logs.create_log_group(logGroupName="/refused"), ("ResourceAlreadyExistsException", "The specified log group already exists")),
    (lambda logs: logs.create_log_stream(logGroupName="/refused", logStreamName="a:b"), ("InvalidParameterException", None)),
    (lambda logs: logs.create_log_stream(logGroupName="/refused", logStreamName="a*b"), ("InvalidParameterException", None)),
    (lambda logs: logs.create_log_stream(logGroupName="/refused", logStreamName="s"), ("ResourceAlreadyExistsException", "The specified log stream already exists")),
    (lambda logs: logs.create_log_stream(logGroupName="/none", logStreamName="s"), ("ResourceNotFoundException", "The specified log group does not exist.")),
    (lambda logs: logs.delete_log_group(logGroupName="/none"), ("ResourceNotFoundException", "The specified log group does not exist.")),
    (lambda logs: logs.get_log_events(logGroupName="/none", logStreamName="s"), ("ResourceNotFoundException", "The specified log group does not exist.")),
    (lambda logs: logs.get_log_events(logGroupName="/refused", logStreamName="none"), ("ResourceNotFoundException", "The specified log stream does not exist.")),
    (lambda logs: logs.get_log_events(logGroupName="/refused", logStreamName="s", limit=10_001), ("InvalidParameterException", None)),
    (lambda logs: logs.filter_log_events(logGroupName="/none"), ("ResourceNotFoundException", "The specified log group does not exist.")),
    (lambda logs: logs.filter_log_events(logGroupName="/refused", filterPattern="{ $.a ="), ("InvalidParameterException", "Invalid filter pattern")),
    (lambda logs: logs.describe_log_streams(logGroupName="/refused", limit=51), ("InvalidParameterException", None)),
    (lambda logs: logs.put_retention_policy(logGroupName="/refused", retentionInDays=2), ("InvalidParameterException", None)),
    (lambda logs: logs.put_retention_policy(logGroupName="/none", retentionInDays=7), ("ResourceNotFoundException", "The specified log group does not exist.")),
    (lambda logs: logs.put_log_events(logGroupName="/refused", logStreamName="s", logEvents=[
        {"timestamp": int(time.time() * 1000), "message": "x" * 1_048_551}]), ("InvalidParameterException", None)),
    (lambda logs: logs.put_log_events(logGroupName="/refused", logStreamName="s", logEvents=[
        {"timestamp": 1, "message": "a"}, {"timestamp": 1 + 25 * HOUR_MS, "message": "b"}]),
     ("InvalidParameterException", "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")),
])
def test_each_refusal_of_logs_is_in_the_words_of_aws(longshore, call, expected):
    logs = longshore.logs
    if not logs.describe_log_groups(logGroupNamePrefix="/refused")["logGroups"]:
        logs.create_log_group(logGroupName="/refused")
        logs.create_log_stream(logGroupName="/refused", logStreamName="s")
    with pytest.raises(ClientError) as refused:
        call(logs)
    error = refused.value.response["Error"]
    assert error["Code"] == expected[0] and expected[1] in (None, error["Message"]), error
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert events(longshore, "/refused", "s") == []
