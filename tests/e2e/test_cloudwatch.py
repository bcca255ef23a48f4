"""CloudWatch on the real binary: metrics and alarms in all three protocols, and what ECS itself measures."""

from __future__ import annotations

import datetime
import json
import uuid

import cloudwatch
import connect
import pytest
from botocore.exceptions import ClientError
from cloudwatch import PROTOCOLS, datapoints, minute, now
from harness import eventually

SECOND = datetime.timedelta(seconds=1)


@pytest.fixture(params=PROTOCOLS)
def client(longshore, request):
    return cloudwatch.client(longshore, request.param)


def refused(call, **arguments) -> str:
    with pytest.raises(ClientError) as error:
        call(**arguments)
    assert error.value.response["Error"]["Message"]
    return error.value.response["Error"]["Code"]


def alarm(name: str, **members) -> dict:
    return {
        "AlarmName": name, "Namespace": "tests", "MetricName": "m", "Statistic": "Maximum", "Period": 60, "EvaluationPeriods": 1,
        "Threshold": 5.0, "ComparisonOperator": "GreaterThanThreshold"} | members


# -- the three protocols -----------------------------------------------------------------------------


def test_samples_come_back_as_statistics(client):
    metric = {"MetricName": f"m-{uuid.uuid4()}", "Dimensions": [{"Name": "b", "Value": "u <&>"}, {"Name": "a", "Value": "1"}]}
    at = minute(2)
    client.put_metric_data(Namespace="tests", MetricData=[
        metric | {"Timestamp": at, "Value": 1.5},
        metric | {"Timestamp": at + 59 * SECOND, "Values": [2.0, 4.0], "Counts": [2.0, 1.0]},
        metric | {"Timestamp": minute(1), "Unit": "Bytes", "StatisticValues": {
            "SampleCount": 10, "Sum": 50, "Minimum": 1, "Maximum": 9}}])
    asked = {"Namespace": "tests", "StartTime": at, "EndTime": minute(), "Period": 60} | metric
    found = client.get_metric_statistics(Statistics=["Sum", "SampleCount", "Minimum", "Maximum", "Average"], **asked)
    first, second = sorted(found["Datapoints"], key=lambda one: one["Timestamp"])
    assert first == {"Timestamp": at, "Unit": "None", "Sum": 9.5, "SampleCount": 4.0, "Minimum": 1.5, "Maximum": 4.0, "Average": 2.375}
    assert (second["Unit"], second["Average"], second["Timestamp"]) == ("Bytes", 5.0, minute(1))
    found = client.get_metric_statistics(ExtendedStatistics=["p50", "p99.9"], **asked)
    assert [one["ExtendedStatistics"] for one in found["Datapoints"]] == [{"p50": 2.0, "p99.9": 4.0}]

    stat = {"Metric": {"Namespace": "tests"} | metric, "Period": 60, "Stat": "Sum"}
    data = client.get_metric_data(StartTime=at, EndTime=minute(), ScanBy="TimestampAscending", MetricDataQueries=[
        {"Id": "m1", "MetricStat": stat, "ReturnData": False}, {"Id": "e1", "Expression": "m1 * 2 + IF(m1 > 10, 1, 0)", "Label": "ü <&>"}])
    [result] = data["MetricDataResults"]
    assert (result["Id"], result["Label"], result["StatusCode"]) == ("e1", "ü <&>", "Complete")
    assert (result["Values"], result["Timestamps"]) == ([19.0, 101.0], [at, minute(1)])

    listed = client.list_metrics(Namespace="tests", MetricName=metric["MetricName"], Dimensions=[{"Name": "a"}], RecentlyActive="PT3H")
    assert listed["Metrics"] == [{
        "Namespace": "tests", "MetricName": metric["MetricName"], "Dimensions": sorted(metric["Dimensions"], key=lambda d: d["Name"])}]


def test_alarms_are_put_shown_set_and_deleted(client):
    name = f"alarm-{uuid.uuid4()}"
    topic = "arn:aws:sns:us-east-1:000000000000:t"
    client.put_metric_alarm(**alarm(name, AlarmActions=[topic], Tags=[{"Key": "k", "Value": "v"}]))
    [shown] = client.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    assert shown["StateValue"] == "INSUFFICIENT_DATA"
    assert (shown["Threshold"], shown["ActionsEnabled"], shown["AlarmActions"], shown["OKActions"]) == (5.0, True, [topic], [])
    assert abs(now() - shown["StateUpdatedTimestamp"]) < 60 * SECOND
    assert client.list_tags_for_resource(ResourceARN=shown["AlarmArn"])["Tags"] == [{"Key": "k", "Value": "v"}]
    client.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="said", StateReasonData=json.dumps({"a": 1}))
    history = client.describe_alarm_history(AlarmName=name)["AlarmHistoryItems"]
    assert [one["HistoryItemType"] for one in history] == ["Action", "StateUpdate", "ConfigurationUpdate"]
    assert history[1]["HistorySummary"] == "Alarm updated from INSUFFICIENT_DATA to ALARM"
    assert json.loads(history[1]["HistoryData"])["newState"]["stateReasonData"] == {"a": 1}
    client.delete_alarms(AlarmNames=[name])
    assert client.describe_alarms(AlarmNames=[name])["MetricAlarms"] == []


def test_refusals_carry_the_codes_of_aws(client):
    assert refused(client.set_alarm_state, AlarmName="none", StateValue="OK", StateReason="r") == "ResourceNotFound"
    with pytest.raises(client.exceptions.ResourceNotFound):
        client.delete_alarms(AlarmNames=["none"])
    assert refused(client.put_metric_alarm, **alarm("a", Period=45)) == "ValidationError"
    assert refused(client.put_metric_alarm, **alarm("a", ComparisonOperator="Sideways")) == "ValidationError"
    assert refused(client.put_metric_data, Namespace="AWS/ECS", MetricData=[{"MetricName": "m", "Value": 1}]) == "InvalidParameterValue"
    both = {"MetricName": "m", "Value": 1, "Values": [1.0]}
    assert refused(client.put_metric_data, Namespace="tests", MetricData=[both]) == "InvalidParameterCombination"
    assert refused(client.describe_alarms, NextToken="zz") == "InvalidNextToken"
    # One that AWS has and we do not.
    unknown = "InvalidAction" if client.meta.service_model.resolved_protocol == "query" else "UnknownOperationException"
    assert refused(client.list_dashboards) == unknown
    assert refused(client.list_tags_for_resource, ResourceARN="arn:aws:cloudwatch:us-east-1:000000000000:alarm:none") == "ResourceNotFoundException"


def test_large_requests_may_be_compressed(client):
    name = f"m-{uuid.uuid4()}"
    bodies = []
    client.meta.events.register("before-send.cloudwatch.PutMetricData", lambda request, **_: bodies.append(request.headers))
    datum = {"MetricName": name, "Timestamp": minute(1), "Value": 1.0, "Dimensions": [{"Name": "d", "Value": "x" * 200}]}
    client.put_metric_data(Namespace="tests", MetricData=[datum] * 500)
    assert bodies[0]["Content-Encoding"] in ("gzip", b"gzip")
    [found] = datapoints(client, "tests", name, {"d": "x" * 200}, "SampleCount")
    assert found["SampleCount"] == 500.0


@pytest.mark.parametrize("version", [1, 2])
def test_the_aws_cli_speaks_to_it(longshore, version):
    name = f"cli-{version}"
    longshore.aws("cloudwatch", "put-metric-data", "--namespace", "tests", "--metric-name", name, "--value", "3", "--unit", "Count", version=version)
    start, end = minute(1).isoformat(), (now() + 60 * SECOND).isoformat()
    found = longshore.aws(
        "cloudwatch", "get-metric-statistics", "--namespace", "tests", "--metric-name", name, "--start-time", start, "--end-time", end,
        "--period", "60", "--statistics", "Sum", version=version)
    assert [(one["Sum"], one["Unit"]) for one in found["Datapoints"]] == [(3.0, "Count")]
    longshore.aws(
        "cloudwatch", "put-metric-alarm", "--alarm-name", name, "--namespace", "tests", "--metric-name", name, "--statistic", "Sum", "--period",
        "60", "--evaluation-periods", "1", "--threshold", "1", "--comparison-operator", "LessThanThreshold", version=version)
    shown = longshore.aws("cloudwatch", "describe-alarms", "--alarm-names", name, version=version)
    assert shown["MetricAlarms"][0]["AlarmName"] == name
    done = longshore.aws("cloudwatch", "delete-alarms", "--alarm-names", "none", check=False, version=version)
    assert done.returncode != 0 and "ResourceNotFound" in done.stderr


# -- alarms ------------------------------------------------------------------------------------------


def test_an_alarm_follows_its_metric_tells_eventbridge_and_outlives_the_server(fresh):
    of = cloudwatch.client(fresh, "json")
    group = "/tests/alarms"
    fresh.logs.create_log_group(logGroupName=group)
    fresh.events.put_rule(Name="alarms", EventPattern=json.dumps({"source": ["aws.cloudwatch"]}))
    arn = f"arn:aws:logs:us-east-1:000000000000:log-group:{group}"
    fresh.events.put_targets(Rule="alarms", Targets=[{"Id": "t", "Arn": arn}])
    of.put_metric_alarm(**alarm("fast", Period=10, TreatMissingData="ignore"))

    def state() -> dict:
        return of.describe_alarms(AlarmNames=["fast"])["MetricAlarms"][0]

    def measured(value: float) -> dict:
        of.put_metric_data(Namespace="tests", MetricData=[{"MetricName": "m", "Value": value, "StorageResolution": 1}])
        return state()

    high = eventually(lambda: (lambda one: one if one["StateValue"] == "ALARM" else None)(measured(9.0)), "the alarm to be raised", 60)
    assert high["StateReason"].startswith("Threshold Crossed: 1 out of the last 1 datapoints [9.0 ("), high["StateReason"]
    assert json.loads(high["StateReasonData"])["recentDatapoints"] == [9.0]
    fresh.kill("server")
    eventually(fresh.ready, "the server to be there again")
    assert state()["StateTransitionedTimestamp"] == high["StateTransitionedTimestamp"]
    low = eventually(lambda: (lambda one: one if one["StateValue"] == "OK" else None)(measured(1.0)), "the alarm to end", 60)
    assert "was not greater than the threshold (5.0)" in low["StateReason"]
    kept = of.describe_alarm_history(AlarmName="fast", HistoryItemType="StateUpdate")["AlarmHistoryItems"]
    assert [one["HistorySummary"] for one in kept] == [
        "Alarm updated from ALARM to OK", "Alarm updated from INSUFFICIENT_DATA to ALARM"]

    def told() -> set[str]:
        events = fresh.logs.filter_log_events(logGroupName=group)["events"]
        details = [json.loads(one["message"]) for one in events]
        return {one["detail"]["state"]["value"] for one in details if one["detail-type"] == "CloudWatch Alarm State Change"}

    # At least once: the server was killed meanwhile.
    eventually(lambda: told() == {"ALARM", "OK"}, "EventBridge to deliver both")


def test_samples_outlive_the_server(fresh):
    of = cloudwatch.client(fresh, "json")
    of.put_metric_data(Namespace="tests", MetricData=[{"MetricName": "kept", "Value": 7.0, "Timestamp": minute(1)}])
    fresh.kill("server")
    eventually(fresh.ready, "the server to be there again")
    assert [one["Sum"] for one in datapoints(of, "tests", "kept", {}, "Sum")] == [7.0]


# -- what ECS measures -------------------------------------------------------------------------------


def test_a_service_that_burns_cpu_is_seen(longshore):
    of = cloudwatch.client(longshore, "json")
    burn = {"name": "app", "cpu": 128, "command": ["sh", "-c", "while :; do :; done"], "stopTimeout": 1}
    definition = longshore.register("burner", burn)
    longshore.ecs.create_service(serviceName="burner", taskDefinition=definition, desiredCount=2)
    cluster, service = {"ClusterName": "default"}, {"ClusterName": "default", "ServiceName": "burner"}
    try:
        def whole_minute() -> dict | None:
            found = datapoints(of, "AWS/ECS", "CPUUtilization", service, "Average", "SampleCount", "Maximum")
            return next((one for one in found if one["SampleCount"] == 2.0), None)

        found = eventually(whole_minute, "a minute with a sample of each task", 180)
        assert (found["Unit"], found["Timestamp"].second) == ("Percent", 0)
        assert found["Average"] > 50, found
        memory = datapoints(of, "AWS/ECS", "MemoryUtilization", service, "Average")
        assert memory and 0 < memory[-1]["Average"] < 100, memory
        reserved = datapoints(of, "AWS/ECS", "CPUReservation", cluster, "Average", "SampleCount")
        [instance] = longshore.ecs.list_container_instances()["containerInstanceArns"]
        described = longshore.ecs.describe_container_instances(containerInstances=[instance])["containerInstances"][0]
        cpu = next(one["integerValue"] for one in described["registeredResources"] if one["name"] == "CPU")
        assert reserved[-1]["Average"] == pytest.approx(100 * 256 / cpu), reserved
        assert datapoints(of, "AWS/ECS", "CPUUtilization", cluster, "Average")[-1]["Average"] > 0
        names = {one["MetricName"] for one in of.list_metrics(Namespace="AWS/ECS")["Metrics"]}
        assert {"CPUUtilization", "MemoryUtilization", "CPUReservation", "MemoryReservation"} <= names
    finally:
        longshore.ecs.delete_service(service="burner", force=True)


def test_requests_through_service_connect_are_counted(longshore):
    of = cloudwatch.client(longshore, "json")
    space = longshore.ecs.create_cluster(clusterName="counted", serviceConnectDefaults={"namespace": "counted"})["cluster"]
    space = space["serviceConnectDefaults"]["namespace"]
    served = connect.configuration(space, connect.exposed("web", "api", 80))
    connect.create(longshore, "api", connect.server(longshore, "counted-api"), served)
    connect.running(longshore, "api")
    connect.create(longshore, "caller", connect.sleeper(longshore, "counted-caller"), connect.configuration(space))
    [caller] = connect.running(longshore, "caller")
    left = ["caller", "api"]
    try:
        asked = 0

        def ask(times: int) -> None:
            nonlocal asked
            for _ in range(times):
                assert connect.curl(longshore.data, caller, "http://api/")[0] == 200
                asked += 1

        def counted() -> dict | None:
            ask(3)
            found = datapoints(of, "AWS/ECS", "RequestCount", {"DiscoveryName": "web"}, "Sum")
            return next((one for one in found if one["Sum"] >= 3), None)

        eventually(counted, "the requests to be counted", 240)
        whole = {"DiscoveryName": "web", "ClusterName": "default", "ServiceName": "caller"}
        assert datapoints(of, "AWS/ECS", "RequestCount", whole, "Sum")
        target = {"TargetDiscoveryName": "web"}
        assert sum(one["Sum"] for one in datapoints(of, "AWS/ECS", "HTTPCode_Target_2XX_Count", target, "Sum")) > 0
        assert datapoints(of, "AWS/ECS", "TargetResponseTime", target, "Average")[-1]["Average"] > 0
        # What a task asked for just before its end is told too, and nothing twice.
        ask(5)
        connect.remove(longshore, "caller")
        left.remove("caller")
        for name, dimensions in (("RequestCount", {"DiscoveryName": "web"}), ("HTTPCode_Target_2XX_Count", target)):
            total = lambda: sum(one["Sum"] for one in datapoints(of, "AWS/ECS", name, dimensions, "Sum", minutes=30))
            eventually(lambda: total() >= asked, f"all {asked} requests to be counted as {name}", 180)
            assert total() == asked
    finally:
        connect.remove(longshore, *left)
