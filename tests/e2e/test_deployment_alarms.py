"""CloudWatch alarms that end a deployment, for real: set while a rolling update is under way."""

from __future__ import annotations

import time

import pytest
from harness import Longshore, eventually
from test_services import NAP, Service, Watch

FAILED = "ECS deployment failed: alarm(s) detected."


@pytest.fixture
def alarm(longshore: Longshore):
    """An alarm that is OK and looks back ten seconds."""
    cloudwatch = longshore.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="errors", Namespace="app", MetricName="errors", Statistic="Sum", Period=10, EvaluationPeriods=1,
        Threshold=1, ComparisonOperator="GreaterThanThreshold", TreatMissingData="ignore")
    state = lambda value: cloudwatch.set_alarm_state(AlarmName="errors", StateValue=value, StateReason="test")
    state("OK")
    yield state
    cloudwatch.delete_alarms(AlarmNames=["errors"])


def watching(**members) -> dict:
    return {"alarms": {"alarmNames": ["errors"], "enable": True, "rollback": True} | members}


def steady(longshore: Longshore, **members) -> Service:
    service = Service(longshore, longshore.register("watched", NAP, networkMode="none"), 2,
                      deploymentConfiguration=watching(**members))
    service.stable()
    return service


def update(service: Service) -> str:
    """Deploys another revision; its deployment's id."""
    changed = NAP | {"environment": [{"name": "TURN", "value": str(time.monotonic_ns())}]}
    definition = service.api.register("watched", changed, networkMode="none")
    return service.update(taskDefinition=definition)["deployments"][0]["id"]


def running(service: Service) -> int:
    return sum(task["lastStatus"] == "RUNNING" for task in service.tasks())


def of_update(service: Service, deployment: str) -> list[dict]:
    return [task for task in service.tasks() if task["startedBy"] == deployment and task["lastStatus"] == "RUNNING"]


def newest(service: Service) -> dict:
    listed = service.api.ecs.list_service_deployments(service=service.name, cluster="default")
    arn = listed["serviceDeployments"][0]["serviceDeploymentArn"]
    return service.api.ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0]


def test_an_alarm_during_an_update_brings_the_old_revision_back(longshore, alarm):
    log = longshore.client("logs")
    log.create_log_group(logGroupName="/failed")
    longshore.events.put_rule(Name="failed", EventPattern=(
        '{"detail-type": ["ECS Deployment State Change"], "detail": {"eventName": ["SERVICE_DEPLOYMENT_FAILED"]}}'))
    longshore.events.put_targets(Rule="failed", Targets=[
        {"Id": "log", "Arn": "arn:aws:logs:us-east-1:000000000000:log-group:/failed"}])
    service = steady(longshore)
    before = service.describe()["taskDefinition"]
    assert newest(service)["alarms"] == {"status": "MONITORING_COMPLETE", "alarmNames": ["errors"]}
    with Watch(lambda: running(service)) as watch:
        failed = update(service)
        eventually(lambda: of_update(service, failed), "a task of the update to run")
        assert newest(service)["alarms"]["status"] == "MONITORING"
        alarm("ALARM")
        after = service.stable()
    assert min(watch.seen) >= 2, "never below the minimum"
    assert after["taskDefinition"] == before
    assert not of_update(service, failed)
    deployment = newest(service)
    assert (deployment["status"], deployment["rollback"]["reason"]) == ("ROLLBACK_SUCCESSFUL", FAILED)
    assert deployment["alarms"] == {
        "status": "TRIGGERED", "alarmNames": ["errors"], "triggeredAlarmNames": ["errors"]}
    told = f"(service {service.name}) (deployment {failed}) deployment failed: alarm detected."
    assert told in service.events()
    logged = lambda: any(FAILED in event["message"] and failed in event["message"]
                         for event in log.filter_log_events(logGroupName="/failed")["events"])
    eventually(logged, "the failure to be told to the rule's target")
    service.delete()


def test_an_alarm_in_the_bake_time_counts_and_one_after_it_does_not(longshore, alarm):
    service = steady(longshore, rollback=False)
    failed = update(service)
    baking = lambda: len(service.describe()["deployments"]) == 1 and newest(service).get("lifecycleStage") == "BAKE_TIME"
    eventually(baking, "the update to bake")
    alarm("ALARM")
    ended = lambda: service.describe()["deployments"][0]["rolloutState"] == "FAILED"
    eventually(ended, "the update to fail")
    primary = service.describe()["deployments"][0]
    assert (primary["id"], primary["rolloutStateReason"]) == (failed, FAILED)
    assert (newest(service)["status"], newest(service)["statusReason"]) == ("STOPPED", FAILED)
    # One that begins while the alarm rings watches none, and does not bake.
    update(service)
    assert newest(service)["alarms"] == {"status": "DISABLED", "alarmNames": ["errors"]}
    service.stable()
    alarm("OK")
    completed = update(service)
    service.stable()
    alarm("ALARM")
    time.sleep(1)
    primary = service.describe()["deployments"][0]
    assert (primary["id"], primary["rolloutState"]) == (completed, "COMPLETED")
    service.delete()


def test_alarms_that_are_not_enabled_end_nothing_and_the_waiters_end(longshore, alarm):
    service = steady(longshore, enable=False)
    old = [task["taskArn"] for task in service.tasks()]
    update(service)
    alarm("ALARM")
    longshore.aws("ecs", "wait", "services-stable", "--services", service.name)
    after = service.stable()
    new = [task["taskArn"] for task in service.tasks()]
    assert after["deployments"][0]["rolloutState"] == "COMPLETED" and not set(old) & set(new)
    assert newest(service)["alarms"] == {"status": "DISABLED"}
    longshore.aws("ecs", "wait", "tasks-running", "--tasks", *new)
    longshore.aws("ecs", "wait", "tasks-stopped", "--tasks", *old)
    longshore.ecs.delete_service(service=service.name, force=True)
    longshore.aws("ecs", "wait", "services-inactive", "--services", service.name)
    longshore.aws("ecs", "wait", "tasks-stopped", "--tasks", *new)


def test_what_alarms_may_be_is_checked(longshore):
    definition = longshore.register("watched", NAP, networkMode="none")
    refused = longshore.aws(
        "ecs", "create-service", "--service-name", "refused", "--task-definition", definition,
        "--deployment-configuration", "alarms={alarmNames=[],enable=true,rollback=true}", check=False)
    assert "InvalidParameterException" in refused.stderr and "alarmNames cannot be empty" in refused.stderr
    refused = longshore.aws(
        "ecs", "create-service", "--service-name", "refused", "--deployment-controller", "type=EXTERNAL",
        "--deployment-configuration", "alarms={alarmNames=[errors],enable=true,rollback=true}", check=False)
    assert "can only be enabled with ECS deployment controller" in refused.stderr
