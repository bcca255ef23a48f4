"""The documented CloudWatch examples of the installed AWS CLI, for every operation that is served: typed as they stand,
against the alarms that they name. Each is done, or refused with the error that AWS would give for it."""

from __future__ import annotations

import contextlib
import io
import json
import os

import pytest
from awscli.clidriver import create_clidriver
from cli_examples import commands, served

EXAMPLES = [(name, arguments) for name in served("cloudwatch") for arguments in commands("cloudwatch", name)]
# What is refused, by what its command says: a sample of 2013, and four days by the minute.
REFUSED = {
    ("put-metric-data", "file://"): "must specify a time within the past two weeks",
    ("get-metric-statistics", "--period 60"): "which exceeds the limit of 1,440",
}
FILES = {
    "metric.json": [{"MetricName": "New Posts", "Timestamp": "Wednesday, June 12, 2013 8:28:20 PM", "Value": 0.50, "Unit": "Count"}],
    "file.json": [{"Id": "m3", "Expression": "(m1+m2)/300", "Label": "Avg Total IOPS"}] + [
        {"Id": f"m{at}", "ReturnData": False, "MetricStat": {
            "Metric": {"Namespace": "AWS/EC2", "MetricName": name, "Dimensions": [{"Name": "InstanceId", "Value": "i-abcdef"}]},
            "Period": 300, "Stat": "Sum", "Unit": "Count"}}
        for at, name in ((1, "EBSReadOps"), (2, "EBSWriteOps"))],
}
ALARMS = ("myalarm", "demo", "CPUUtilizationTooHigh", "MemUsageTooHigh")


@pytest.fixture(scope="module")
def aws(longshore, tmp_path_factory):
    """The CLI within this process, in a directory that has the files of the examples."""
    directory = tmp_path_factory.mktemp("examples")
    for name, content in FILES.items():
        (directory / name).write_text(json.dumps(content))
    mine = {**longshore.environment(), "AWS_PAGER": "", "AWS_DEFAULT_OUTPUT": "json"}
    others = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("AWS_") and name != "AWS_DATA_PATH"}
    os.environ.update(mine)

    def run(*arguments: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.chdir(directory), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = create_clidriver().main(list(arguments))
        return code, out.getvalue(), err.getvalue()

    yield run
    for name in mine:
        del os.environ[name]
    os.environ.update(others)


@pytest.mark.parametrize("name, arguments", EXAMPLES, ids=[f"{name}-{at}" for at, (name, _) in enumerate(EXAMPLES)])
def test_an_example_is_done_or_refused_as_aws_would(longshore, aws, name, arguments):
    of = longshore.client("cloudwatch")
    for alarm in ALARMS:
        of.put_metric_alarm(
            AlarmName=alarm, Namespace="AWS/EC2", MetricName="CPUUtilization", Statistic="Average", Period=300, EvaluationPeriods=2,
            Threshold=70, ComparisonOperator="GreaterThanThreshold", Dimensions=[{"Name": "InstanceId", "Value": "i-0c986c72"}])
    typed = [one.replace("123456789012", "000000000000") for one in arguments]
    code, said, complaint = aws("cloudwatch", name, *typed)
    line = " ".join(typed)
    refused = [why for (of_name, part), why in REFUSED.items() if of_name == name and part in line]
    assert (code == 0) == (not refused), (typed, complaint)
    assert all(why in complaint for why in refused), complaint
    if name == "describe-alarms":
        assert [one["AlarmName"] for one in json.loads(said)["MetricAlarms"]] == ["myalarm"]
    if name == "describe-alarms-for-metric":
        assert {one["AlarmName"] for one in json.loads(said)["MetricAlarms"]} == set(ALARMS)
    if name == "get-metric-data":
        assert all(one["StatusCode"] == "Complete" for one in json.loads(said)["MetricDataResults"])
