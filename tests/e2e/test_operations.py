"""Attributes, account settings, draining, protection and what is not served, through boto3 and the AWS CLI."""

import pytest
from botocore.exceptions import ClientError
from test_api import ECS, SLEEPER, code, raw


@pytest.fixture
def instance(longshore):
    return longshore.ecs.list_container_instances()["containerInstanceArns"][0]


def stacks(longshore, **filters):
    pages = longshore.ecs.get_paginator("list_attributes").paginate(targetType="container-instance", **filters)
    return [a for page in pages for a in page["attributes"]]


def test_attributes_are_put_listed_and_deleted(longshore, instance):
    ecs = longshore.ecs
    given = {"name": "stack", "value": "production", "targetId": instance}
    assert ecs.put_attributes(attributes=[given])["attributes"] == [given]
    assert stacks(longshore, attributeName="stack", attributeValue="production") == [given]
    assert stacks(longshore, attributeName="stack", attributeValue="test") == []
    everything = ecs.describe_container_instances(containerInstances=[instance])["containerInstances"][0]["attributes"]
    assert {"name": "stack", "value": "production"} in everything
    listed = stacks(longshore, PaginationConfig={"PageSize": 3})
    assert [a["name"] for a in listed] == sorted(a["name"] for a in everything)
    assert {"name": "ecs.os-type", "value": "linux", "targetId": instance} in listed
    # As the CLI's documented examples have it.
    short = instance.rsplit("/", 1)[1]
    cli = longshore.aws("ecs", "put-attributes", "--attributes", f"name=stack,value=test,targetType=container-instance,targetId={short}")
    assert cli == {"attributes": [given | {"value": "test"}]}
    cli = longshore.aws("ecs", "list-attributes", "--target-type", "container-instance", "--attribute-name", "stack", "--cluster", "default")
    assert cli == {"attributes": [given | {"value": "test"}]}
    cli = longshore.aws("ecs", "delete-attributes", "--attributes", f"name=stack,targetId={instance}", version=2)
    assert cli == {"attributes": [given | {"value": "test"}]}
    assert stacks(longshore, attributeName="stack") == []


@pytest.mark.parametrize("attribute, expected", [
    (dict(name="ecs.os-type", value="x"), "InvalidParameterException"),
    (dict(name="a b"), "InvalidParameterException"),
    (dict(name="a", value=" b"), "InvalidParameterException"),
    (dict(name="a", targetId="0" * 32), "InvalidParameterException"),
    (dict(name="a", targetId="0" * 32, targetType="container-instance"), "TargetNotFoundException"),
    (dict(name="a", targetType="task"), "InvalidParameterException"),
])
def test_attributes_that_are_refused(longshore, instance, attribute, expected):
    for call in (longshore.ecs.put_attributes, longshore.ecs.delete_attributes):
        if call == longshore.ecs.delete_attributes and " b" in attribute.get("value", ""):
            continue  # a deletion does not look at the value
        with pytest.raises(ClientError) as refused:
            call(attributes=[{"targetId": instance} | attribute])
        assert code(refused)[0] == expected


def test_an_eleventh_attribute_is_too_many(longshore, instance):
    ecs = longshore.ecs
    names = [{"name": f"n{i}", "targetId": instance} for i in range(10)]
    ecs.put_attributes(attributes=names)
    with pytest.raises(ClientError) as refused:
        ecs.put_attributes(attributes=[{"name": "one-more", "targetId": instance}])
    assert code(refused)[0] == "AttributeLimitExceededException"
    assert len(ecs.delete_attributes(attributes=names)["attributes"]) == 10


ROOT = "arn:aws:iam::000000000000:root"


def test_account_settings(longshore):
    ecs = longshore.ecs
    assert ecs.list_account_settings()["settings"] == []
    pages = ecs.get_paginator("list_account_settings").paginate(effectiveSettings=True)
    settings = {s["name"]: s for page in pages for s in page["settings"]}
    assert len(settings) == 12 and all(s["principalArn"] == ROOT for s in settings.values())
    assert settings["taskLongArnFormat"]["value"] == "enabled"
    assert settings["guardDutyActivate"]["type"] == "aws_managed"
    cli = longshore.aws("ecs", "put-account-setting-default", "--name", "containerInsights", "--value", "enhanced")
    assert cli == {"setting": {"name": "containerInsights", "value": "enhanced", "principalArn": ROOT, "type": "user"}}
    assert ecs.create_cluster(clusterName="insight")["cluster"]["settings"] == [{"name": "containerInsights", "value": "enhanced"}]
    ecs.delete_cluster(cluster="insight")
    assert ecs.list_account_settings(name="containerInsights", value="enhanced")["settings"] == [cli["setting"]]
    assert ecs.list_account_settings(name="containerInsights", value="enabled")["settings"] == []
    deleted = longshore.aws("ecs", "delete-account-setting", "--name", "containerInsights")
    assert deleted == cli
    effective = ecs.list_account_settings(name="containerInsights", effectiveSettings=True)["settings"]
    assert [s["value"] for s in effective] == ["disabled"]


@pytest.mark.parametrize("name, value, expected", [
    ("serviceLongArnFormat", "disabled", "You can no longer disable Long Arn settings"),
    ("taskLongArnFormat", "ENABLED", "Invalid setting 'value'"),
    ("fargateTaskRetirementWaitPeriod", "3", "Invalid setting 'value'"),
    ("guardDutyActivate", "on", "Invalid setting 'value'"),
    ("unknown", "on", None),
])
def test_account_settings_that_are_refused(longshore, name, value, expected):
    for call in (longshore.ecs.put_account_setting, longshore.ecs.put_account_setting_default):
        with pytest.raises(ClientError) as refused:
            call(name=name, value=value)
        found = code(refused)
        assert found[0] == "InvalidParameterException" and (expected or "unknown should be one of [serviceLongArnFormat,") in found[1]


def test_the_default_mode_of_logs_is_a_setting(longshore):
    ecs, logs = longshore.ecs, longshore.logs
    options = {"awslogs-group": "modes", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "p", "awslogs-create-group": "true"}
    ecs.put_account_setting_default(name="defaultLogDriverMode", value="blocking")
    try:
        # In mode blocking a bound of the buffer has no meaning and is refused: seen from outside.
        options_with_bound = options | {"max-buffer-size": "1m"}
        log = {"logDriver": "awslogs", "options": options_with_bound}
        refused = longshore.run_to_end({"name": "app", "command": ["true"], "logConfiguration": log})
        assert "max-buffer-size option is only supported with 'mode=non-blocking'" in refused["containers"][0]["reason"]
        log = {"logDriver": "awslogs", "options": options}
        task = longshore.run_to_end({"name": "app", "command": ["echo", "hello"], "logConfiguration": log})
        assert task["containers"][0]["exitCode"] == 0
        stream = f"p/app/{task['taskArn'].rsplit('/', 1)[1]}"
        events = logs.get_log_events(logGroupName="modes", logStreamName=stream, startFromHead=True)["events"]
        assert [e["message"] for e in events] == ["hello"]
    finally:
        ecs.delete_account_setting(name="defaultLogDriverMode")
    log = {"logDriver": "awslogs", "options": options_with_bound}
    task = longshore.run_to_end({"name": "app", "command": ["true"], "logConfiguration": log})
    assert task["containers"][0]["exitCode"] == 0


def test_a_draining_instance_takes_no_task_and_keeps_those_it_has(longshore, instance):
    ecs = longshore.ecs
    definition = longshore.register("drained", {"name": "app", "command": SLEEPER})
    task = longshore.start(definition)[0]
    longshore.wait(task, "RUNNING")
    drained = longshore.aws("ecs", "update-container-instances-state", "--container-instances", instance, "0" * 32, "--status", "DRAINING")
    try:
        assert [i["status"] for i in drained["containerInstances"]] == ["DRAINING"]
        assert [f["reason"] for f in drained["failures"]] == ["MISSING"]
        assert ecs.list_container_instances(status="DRAINING")["containerInstanceArns"] == [instance]
        assert ecs.list_container_instances(status="ACTIVE")["containerInstanceArns"] == []
        assert ecs.list_container_instances()["containerInstanceArns"] == [instance]
        for answer, reason in (
                (ecs.run_task(taskDefinition=definition), "NO ACTIVE INSTANCES"),
                (ecs.start_task(taskDefinition=definition, containerInstances=[instance]), "INACTIVE")):
            assert answer["tasks"] == [] and [f["reason"] for f in answer["failures"]] == [reason]
        kept = longshore.describe(task)
        assert (kept["lastStatus"], kept["desiredStatus"]) == ("RUNNING", "RUNNING")
    finally:
        ecs.update_container_instances_state(containerInstances=[instance], status="ACTIVE")
    again = longshore.start(definition)[0]
    for arn in (task, again):
        longshore.wait(arn, "RUNNING")
        ecs.stop_task(task=arn)
        longshore.wait(arn, "STOPPED")


def test_the_agent_is_up_to_date(longshore, instance):
    with pytest.raises(ClientError) as refused:
        longshore.ecs.update_container_agent(containerInstance=instance)
    assert code(refused) == ("NoUpdateAvailableException", "There is no update available for your container agent.")


def test_tasks_of_no_service_cannot_be_protected(longshore):
    ecs = longshore.ecs
    task = longshore.start(longshore.register("alone", {"name": "app", "command": ["true"]}))[0]
    missing = task.rsplit("/", 1)[0] + "/" + "0" * 32
    wanted = [{"arn": task, "reason": "TASK_NOT_VALID"}, {"arn": missing, "reason": "MISSING"}]
    updated = ecs.update_task_protection(cluster="default", tasks=[task, missing], protectionEnabled=True, expiresInMinutes=5)
    assert (updated["protectedTasks"], updated["failures"]) == ([], wanted)
    cli = longshore.aws("ecs", "get-task-protection", "--cluster", "default", "--tasks", task, missing)
    assert cli == {"protectedTasks": [], "failures": wanted}
    for minutes in (0, 2881):
        with pytest.raises(ClientError) as refused:
            ecs.update_task_protection(cluster="default", tasks=[task], protectionEnabled=True, expiresInMinutes=minutes)
        assert code(refused)[0] == "InvalidParameterException"
    longshore.wait(task, "STOPPED")


def test_tags_of_everything_that_has_tags(longshore, instance):
    ecs = longshore.ecs
    cluster = ecs.create_cluster(clusterName="tags")["cluster"]["clusterArn"]
    definition = longshore.register("tagged-all", {"name": "app", "command": SLEEPER}, tags=[{"key": "d", "value": "1"}])
    run = ecs.run_task(taskDefinition=definition, tags=[{"key": f"k{i}", "value": "v"} for i in range(50)], enableECSManagedTags=True)
    task = run["tasks"][0]["taskArn"]
    assert len(run["tasks"][0]["tags"]) == 51  # the service's own does not count
    with pytest.raises(ClientError) as refused:
        ecs.untag_resource(resourceArn=task, tagKeys=["aws:ecs:clusterName"])
    assert code(refused)[0] == "InvalidParameterException"
    longshore.wait(task, "RUNNING")
    ecs.untag_resource(resourceArn=task, tagKeys=[f"k{i}" for i in range(50)])
    for arn in (cluster, definition, task, instance):
        ecs.tag_resource(resourceArn=arn, tags=[{"key": "team", "value": "web"}])
        assert {"key": "team", "value": "web"} in ecs.list_tags_for_resource(resourceArn=arn)["tags"], arn
    team = [{"key": "team", "value": "web"}]
    assert ecs.describe_clusters(clusters=[cluster], include=["TAGS"])["clusters"][0]["tags"] == team
    assert ecs.describe_container_instances(containerInstances=[instance], include=["TAGS"])["containerInstances"][0]["tags"] == team
    assert ecs.describe_task_definition(taskDefinition=definition, include=["TAGS"])["tags"] == [{"key": "d", "value": "1"}, *team]
    tags = ecs.describe_tasks(tasks=[task], include=["TAGS"])["tasks"][0]["tags"]
    assert tags == [{"key": "aws:ecs:clusterName", "value": "default"}, *team]
    assert ecs.describe_tasks(tasks=[task])["tasks"][0]["tags"] == []
    for describe in (lambda: ecs.describe_tasks(tasks=[task], include=["X"]), lambda: ecs.describe_clusters(include=["X"]),
                     lambda: ecs.describe_task_definition(taskDefinition=definition, include=["X"]),
                     lambda: ecs.describe_container_instances(containerInstances=[instance], include=["X"])):
        with pytest.raises(ClientError) as refused:
            describe()
        assert code(refused)[0] == "InvalidParameterException"
    ecs.stop_task(task=task)
    longshore.wait(task, "STOPPED")
    with pytest.raises(ClientError) as refused:
        ecs.tag_resource(resourceArn=task, tags=team)
    assert code(refused) == ("InvalidParameterException", "The specified task is inactive.")
    for arn in (cluster, definition, instance):
        ecs.untag_resource(resourceArn=arn, tagKeys=["team"])
    ecs.delete_cluster(cluster=cluster)


def test_every_operation_of_the_model_is_served_or_unknown(longshore):
    from harness import ROOT as REPOSITORY
    served = set()
    for part in (REPOSITORY / "docs" / "compatibility.md").read_text().split("### ecs:")[1].split("\n###")[0].split("\n\n"):
        if part.startswith("Served: "):
            served = set(part.removeprefix("Served: ").rstrip(".\n").split(", "))
    names = set(longshore.ecs.meta.service_model.operation_names)
    assert served and served < names
    for name in sorted(names):
        status, answer, _ = raw(longshore, f"{ECS}.{name}", b'{"cluster": "no-such", "clusterName": "a b", "name": "no-such"}')
        unknown = answer.get("__type", "").split("#")[-1] == "UnknownOperationException"
        assert unknown == (name not in served), (name, status, answer)


def test_stopped_tasks_are_kept_longer_where_asked(longshore):
    seen = longshore.run("doctor", "--stopped-tasks-visible", "24h", check=False).stdout
    assert "stopped task visible: 86400 s" in seen
    (longshore.data / "longshore.toml").write_text('stopped_tasks_visible = "2h"\n')
    try:
        assert "stopped task visible: 7200 s" in longshore.run("doctor", check=False).stdout
    finally:
        (longshore.data / "longshore.toml").unlink()
    refused = longshore.run("doctor", "--stopped-tasks-visible", "59m", check=False)
    assert refused.returncode != 0 and "use 1h or more" in refused.stderr
