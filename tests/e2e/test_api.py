"""The API as clients see it: presence of members, failures, pages, tags, and AWS's own errors."""

import json
import urllib.error
import urllib.request

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from harness import eventually


def code(error) -> tuple[str, str]:
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def raw(longshore, target, body: bytes, sign=True, headers=None, region="us-east-1", service="ecs", secret=None, key=None, tamper=None):
    """One request by hand: (status, JSON answer, headers)."""
    stored = json.loads((longshore.data / "keys" / "root.json").read_text())
    request = AWSRequest("POST", longshore.url + "/", data=body, headers={
        "X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"} | (headers or {}))
    if sign:
        credentials = Credentials(key or stored["access_key_id"], secret or stored["secret_access_key"])
        SigV4Auth(credentials, service, region).add_auth(request)
    prepared = request.prepare()
    data = tamper(body) if tamper else body
    http = urllib.request.Request(prepared.url, data=data, headers=dict(prepared.headers), method="POST")
    try:
        with urllib.request.urlopen(http, timeout=30) as answer:
            return answer.status, json.loads(answer.read() or b"{}"), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"{}"), error.headers


ECS = "AmazonEC2ContainerServiceV20141113"


@pytest.mark.parametrize("options, expected", [
    (dict(sign=False), (400, "MissingAuthenticationTokenException")),
    (dict(key="AKIAUNKNOWNUNKNOWN00"), (400, "UnrecognizedClientException")),
    (dict(secret="wrong" * 8), (400, "InvalidSignatureException")),
    (dict(tamper=lambda body: b"[]"), (400, "InvalidSignatureException")),
    (dict(region="eu-west-9"), (400, "InvalidSignatureException")),
    (dict(service="s3"), (400, "InvalidSignatureException")),
    (dict(headers={"Authorization": "AWS4-HMAC-SHA256 nonsense"}, sign=False), (400, "IncompleteSignatureException")),
])
def test_a_request_that_is_not_well_signed_is_refused(longshore, options, expected):
    status, answer, headers = raw(longshore, f"{ECS}.ListClusters", b"{}", **options)
    assert (status, answer["__type"].split("#")[-1]) == expected
    assert headers["x-amzn-RequestId"]


@pytest.mark.parametrize("target, body, expected", [
    (f"{ECS}.NoSuchOperation", b"{}", "UnknownOperationException"),
    (f"{ECS}.CreateDaemon", b"{}", "UnknownOperationException"),
    ("NoSuchService.Operation", b"{}", "UnknownOperationException"),
    (f"{ECS}.ListClusters", b"{", "SerializationException"),
    (f"{ECS}.ListClusters", b"[]", "SerializationException"),
    (f"{ECS}.ListClusters", b'{"maxResults": "ten"}', "SerializationException"),
    (f"{ECS}.ListClusters", b'{"maxResults": 0}', "InvalidParameterException"),
    (f"{ECS}.ListClusters", b'{"maxResults": 101}', "InvalidParameterException"),
    (f"{ECS}.ListClusters", b'{"nextToken": "garbage"}', "InvalidParameterException"),
    (f"{ECS}.DescribeTaskDefinition", b'{"taskDefinition": "none"}', "ClientException"),
    (f"{ECS}.RunTask", b'{"taskDefinition": "none", "cluster": "none"}', "ClusterNotFoundException"),
])
def test_bad_input_gets_the_error_of_aws(longshore, target, body, expected):
    status, answer, _ = raw(longshore, target, body)
    assert (status, answer["__type"].split("#")[-1]) == (400, expected), answer


def test_unknown_members_are_ignored_and_an_empty_body_is_an_empty_object(longshore):
    assert raw(longshore, f"{ECS}.ListClusters", b'{"futureMember": {"a": [1]}}')[0] == 200
    assert raw(longshore, f"{ECS}.ListClusters", b"")[0] == 200


def test_who_am_i(longshore):
    identity = longshore.client("sts").get_caller_identity()
    assert (identity["Account"], identity["Arn"]) == ("000000000000", "arn:aws:iam::000000000000:root")
    assert longshore.aws("sts", "get-caller-identity", version=2)["Account"] == "000000000000"


def test_clusters(longshore):
    ecs = longshore.ecs
    created = ecs.create_cluster(clusterName="blue", tags=[{"key": "team", "value": "a"}])["cluster"]
    assert created["clusterArn"] == "arn:aws:ecs:us-east-1:000000000000:cluster/blue" and created["status"] == "ACTIVE"
    assert ecs.create_cluster(clusterName="blue")["cluster"]["clusterArn"] == created["clusterArn"]
    assert created["clusterArn"] in ecs.list_clusters()["clusterArns"]
    described = ecs.describe_clusters(clusters=["blue", "none"], include=["TAGS", "SETTINGS", "STATISTICS"])
    assert described["clusters"][0]["tags"] == [{"key": "team", "value": "a"}]
    assert described["failures"] == [{"arn": "arn:aws:ecs:us-east-1:000000000000:cluster/none", "reason": "MISSING"}]
    bare = ecs.describe_clusters(clusters=["blue"])["clusters"][0]
    for member in ("settings", "statistics", "tags", "capacityProviders", "defaultCapacityProviderStrategy"):
        assert bare[member] == [], member
    assert "attachments" not in bare and "configuration" not in bare
    full = ecs.describe_clusters(clusters=[created["clusterArn"]], include=["ATTACHMENTS", "CONFIGURATIONS", "SETTINGS", "STATISTICS", "TAGS"])
    full = full["clusters"][0]
    assert full["attachments"] == [] and full["settings"] == [{"name": "containerInsights", "value": "disabled"}]
    assert {"name": "runningEC2TasksCount", "value": "0"} in full["statistics"]
    with pytest.raises(ClientError) as refused:
        ecs.describe_clusters(include=["EVERYTHING"])
    assert code(refused)[0] == "InvalidParameterException"
    updated = ecs.update_cluster_settings(cluster="blue", settings=[{"name": "containerInsights", "value": "enabled"}])
    assert {"name": "containerInsights", "value": "enabled"} in updated["cluster"]["settings"]
    with pytest.raises(ClientError) as refused:
        ecs.run_task(cluster="blue", taskDefinition=longshore.register("lonely", {"name": "app"}))
    assert code(refused) == ("InvalidParameterException", "No Container Instances were found in your cluster.")
    assert ecs.delete_cluster(cluster="blue")["cluster"]["status"] == "INACTIVE"
    assert created["clusterArn"] not in ecs.list_clusters()["clusterArns"]
    assert ecs.describe_clusters(clusters=["blue"])["clusters"][0]["status"] == "INACTIVE"
    for call in (ecs.delete_cluster, ecs.update_cluster):
        with pytest.raises(ClientError) as refused:
            call(cluster="blue")
        assert code(refused) == ("ClusterNotFoundException", "Cluster not found.")
    again = ecs.create_cluster(clusterName="blue")["cluster"]
    assert again["status"] == "ACTIVE" and again["tags"] == []
    assert ecs.delete_cluster(cluster=again["clusterArn"])["cluster"]["status"] == "INACTIVE"
    with pytest.raises(ClientError) as refused:
        ecs.delete_cluster(cluster="default")
    assert code(refused)[0] == "ClusterContainsContainerInstancesException"


def test_task_definitions(longshore):
    ecs = longshore.ecs
    arns = [longshore.register("versions", {"name": "app", "cpu": 10}, networkMode="bridge") for _ in range(3)]
    assert arns[2].endswith("task-definition/versions:3")
    found = ecs.describe_task_definition(taskDefinition="versions", include=["TAGS"])
    definition = found["taskDefinition"]
    assert definition["revision"] == 3 and found["tags"] == []
    container = definition["containerDefinitions"][0]
    for member in ("environment", "mountPoints", "volumesFrom", "portMappings"):
        assert container[member] == []
    assert container["essential"] is True and "links" not in container
    assert definition["volumes"] == [] and definition["placementConstraints"] == []
    assert ecs.deregister_task_definition(taskDefinition="versions:3")["taskDefinition"]["status"] == "INACTIVE"
    assert ecs.describe_task_definition(taskDefinition="versions")["taskDefinition"]["revision"] == 2
    with pytest.raises(ClientError) as refused:
        ecs.run_task(taskDefinition="versions:3")
    assert code(refused) == ("ClientException", "TaskDefinition is inactive")
    pages = ecs.get_paginator("list_task_definitions").paginate(familyPrefix="versions", PaginationConfig={"PageSize": 1})
    assert [arn for page in pages for arn in page["taskDefinitionArns"]] == arns[:2]
    assert "versions" in ecs.list_task_definition_families()["families"]
    answer = ecs.delete_task_definitions(taskDefinitions=["versions:3", "versions:1"])
    assert [d["status"] for d in answer["taskDefinitions"]] == ["DELETE_IN_PROGRESS"]
    assert len(answer["failures"]) == 1
    with pytest.raises(ClientError) as refused:
        ecs.describe_task_definition(taskDefinition="nothing")
    assert code(refused) == ("ClientException", "Unable to describe task definition.")


def test_deleted_task_definitions_go(longshore):
    ecs = longshore.ecs
    arn = longshore.register("doomed", {"name": "app"})
    other = longshore.register("doomed", {"name": "app"})
    for _ in range(2):
        assert ecs.deregister_task_definition(taskDefinition=arn)["taskDefinition"]["status"] == "INACTIVE"
    assert ecs.list_task_definitions(familyPrefix="doomed", status="INACTIVE")["taskDefinitionArns"] == [arn]
    answer = ecs.delete_task_definitions(taskDefinitions=[arn, other, "doomed", "doomed:99"])
    deleted = answer["taskDefinitions"][0]
    assert deleted["status"] == "DELETE_IN_PROGRESS" and deleted["deleteRequestedAt"] and deleted["deregisteredAt"]
    assert [f["arn"] for f in answer["failures"]] == [other, "doomed", "doomed:99"]
    assert answer["failures"][0]["reason"] == ("The specified task definition is still in ACTIVE status. "
                                               "Please deregister the target and try again.")

    def gone() -> bool:
        try:
            ecs.describe_task_definition(taskDefinition=arn)
            return False
        except ClientError as error:
            assert error.response["Error"]["Message"] == "Unable to describe task definition."
            return True

    eventually(gone, "the deleted revision to go")
    assert ecs.list_task_definitions(familyPrefix="doomed", status="DELETE_IN_PROGRESS")["taskDefinitionArns"] == []
    assert ecs.describe_task_definition(taskDefinition="doomed")["taskDefinition"]["taskDefinitionArn"] == other
    assert longshore.register("doomed", {"name": "app"}).endswith(":3")


@pytest.mark.parametrize("call, expected", [
    (lambda ecs: ecs.delete_task_definitions(taskDefinitions=[]), ("InvalidParameterException", "size of TaskDefinition references list must be greater than 0")),
    (lambda ecs: ecs.delete_task_definitions(taskDefinitions=["a:1"] * 11), ("InvalidParameterException", "Size of TaskDefinition references list cannot exceed 10")),
    (lambda ecs: ecs.deregister_task_definition(taskDefinition="versions"), ("ClientException", "Revision is missing.")),
    (lambda ecs: ecs.deregister_task_definition(taskDefinition="versions:foo"), ("InvalidParameterException", "Invalid revision number. Number: foo")),
    (lambda ecs: ecs.deregister_task_definition(taskDefinition="no-such:1"), ("ClientException", "The specified task definition does not exist. Specify a valid account, family, revision and try again.")),
    (lambda ecs: ecs.list_task_definitions(status="GONE"), ("InvalidParameterException", None)),
    (lambda ecs: ecs.list_task_definition_families(status="GONE"), ("InvalidParameterException", None)),
    (lambda ecs: ecs.create_cluster(clusterName="a" * 256), ("InvalidParameterException", None)),
    (lambda ecs: ecs.create_cluster(clusterName="a b"), ("InvalidParameterException", None)),
    (lambda ecs: ecs.describe_tasks(tasks=[]), ("InvalidParameterException", "Tasks cannot be empty.")),
    (lambda ecs: ecs.describe_tasks(tasks=["0" * 32] * 101), ("InvalidParameterException", None)),
    (lambda ecs: ecs.describe_container_instances(containerInstances=[]), (None, "Container Instances cannot be empty.")),
    (lambda ecs: ecs.list_tasks(cluster="no-such"), ("ClusterNotFoundException", "Cluster not found.")),
    (lambda ecs: ecs.list_tasks(serviceName="no-such"), ("ServiceNotFoundException", "Service not found.")),
    (lambda ecs: ecs.list_tasks(startedBy="a", family="b"), ("InvalidParameterException", None)),
    (lambda ecs: ecs.list_container_instances(cluster="no-such"), ("ClusterNotFoundException", "Cluster not found.")),
    (lambda ecs: ecs.stop_task(task="0" * 31), ("InvalidParameterException", None)),
    (lambda ecs: ecs.run_task(taskDefinition="no-such"), ("ClientException", "TaskDefinition not found.")),
    (lambda ecs: ecs.tag_resource(resourceArn="nonsense", tags=[{"key": "a", "value": "b"}]), ("InvalidParameterException", None)),
    (lambda ecs: ecs.list_tags_for_resource(resourceArn="arn:aws:ecs:us-east-1:000000000000:cluster/no-such"), (None, None)),
    (lambda ecs: ecs.deregister_container_instance(containerInstance="0" * 32), ("InvalidParameterException", None)),
])
def test_each_refusal_is_in_the_words_of_aws(longshore, call, expected):
    with pytest.raises(ClientError) as refused:
        call(longshore.ecs)
    found = code(refused)
    for part, wanted in zip(found, expected):
        assert wanted is None or part == wanted, found
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_pages_survive_inserts(longshore):
    ecs = longshore.ecs
    for name in ("page-b", "page-d", "page-f"):
        ecs.create_cluster(clusterName=name)
    shown, token = [], None
    for inserted in (["page-a", "page-c"], ["page-g"], [], []):  # the first page ends behind page-b
        answer = ecs.list_clusters(maxResults=2, **({"nextToken": token} if token else {}))
        shown += [arn.rsplit("/", 1)[1] for arn in answer["clusterArns"]]
        token = answer.get("nextToken")
        for name in inserted:
            ecs.create_cluster(clusterName=name)
        if not token:
            break
    assert [name for name in shown if name.startswith("page")] == ["page-b", "page-c", "page-d", "page-f", "page-g"]
    assert not token and len(shown) == len(set(shown))
    with pytest.raises(ClientError) as refused:
        ecs.list_task_definitions(nextToken=ecs.list_clusters(maxResults=1)["nextToken"])
    assert code(refused)[0] == "InvalidParameterException"
    for name in "abcdfg":
        ecs.delete_cluster(cluster=f"page-{name}")


def test_listings_of_task_definitions(longshore):
    ecs = longshore.ecs
    for family in ("sort-a", "sort-ab", "sort-b"):
        for _ in range(2 if family == "sort-a" else 1):
            longshore.register(family, {"name": "app"})
    named = lambda **filters: [a.rsplit("/", 1)[1] for a in ecs.list_task_definitions(**filters)["taskDefinitionArns"]]  # noqa: E731
    assert named(familyPrefix="sort-a") == ["sort-a:1", "sort-a:2"]
    assert named(familyPrefix="sort-a", sort="DESC") == ["sort-a:2", "sort-a:1"]
    assert named(familyPrefix="sort") == []
    assert [n for n in named() if n.startswith("sort")] == ["sort-a:1", "sort-a:2", "sort-ab:1", "sort-b:1"]
    assert ecs.list_task_definition_families(familyPrefix="sort-a")["families"] == ["sort-a", "sort-ab"]
    ecs.deregister_task_definition(taskDefinition="sort-ab:1")
    assert ecs.list_task_definition_families(familyPrefix="sort-a", status="ACTIVE")["families"] == ["sort-a"]
    assert ecs.list_task_definition_families(familyPrefix="sort-a", status="INACTIVE")["families"] == ["sort-ab"]
    assert ecs.list_task_definition_families(familyPrefix="sort-a", status="ALL")["families"] == ["sort-a", "sort-ab"]


def test_tags_merge_and_go(longshore):
    ecs = longshore.ecs
    arn = ecs.register_task_definition(family="tagged", containerDefinitions=[{"name": "a", "image": "i", "memory": 8}],
                                       tags=[{"key": "a", "value": "1"}])["taskDefinition"]["taskDefinitionArn"]
    ecs.tag_resource(resourceArn=arn, tags=[{"key": "b", "value": "2"}])
    ecs.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert ecs.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "b", "value": "2"}]
    with pytest.raises(ClientError) as refused:
        ecs.tag_resource(resourceArn=arn, tags=[{"key": "aws:x", "value": "2"}])
    assert code(refused)[0] == "InvalidParameterException"


def test_tasks_of_the_api(longshore):
    ecs = longshore.ecs
    definition = longshore.register("listed", {"name": "app", "command": ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"]})
    answer = ecs.run_task(taskDefinition="listed", startedBy="me", clientToken="token-1", count=2,
                          overrides={"containerOverrides": [{"name": "app", "environment": [{"name": "A", "value": "b"}]}]})
    arns = sorted(t["taskArn"] for t in answer["tasks"])
    task = answer["tasks"][0]
    assert task["lastStatus"] == "PENDING" and task["desiredStatus"] == "RUNNING" and task["version"] == 1
    assert task["group"] == "family:listed" and task["taskDefinitionArn"] == definition
    assert task["containers"][0]["networkInterfaces"] == [] and "exitCode" not in task["containers"][0]
    again = ecs.run_task(taskDefinition="listed", startedBy="me", clientToken="token-1", count=2,
                         overrides={"containerOverrides": [{"name": "app", "environment": [{"name": "A", "value": "b"}]}]})
    assert sorted(t["taskArn"] for t in again["tasks"]) == arns
    with pytest.raises(ClientError) as refused:
        ecs.run_task(taskDefinition="listed", startedBy="me", clientToken="token-1", count=1)
    assert code(refused)[0] == "ConflictException"
    assert sorted(ecs.list_tasks(startedBy="me")["taskArns"]) == arns
    assert sorted(ecs.list_tasks(family="listed")["taskArns"]) == arns
    missing = ecs.describe_tasks(tasks=["0" * 32])
    assert missing["tasks"] == [] and missing["failures"][0]["reason"] == "MISSING"
    with pytest.raises(ClientError) as refused:
        ecs.stop_task(task="0" * 32)
    assert code(refused) == ("InvalidParameterException", "The referenced task was not found.")
    for arn in arns:
        longshore.wait(arn, "RUNNING")
        ecs.stop_task(task=arn)
    for arn in arns:
        longshore.wait(arn, "STOPPED")
    assert ecs.list_tasks(family="listed")["taskArns"] == []
    assert sorted(ecs.list_tasks(family="listed", desiredStatus="STOPPED")["taskArns"]) == arns
    with pytest.raises(ClientError) as refused:
        ecs.run_task(taskDefinition="listed", count=11)
    assert code(refused)[0] == "InvalidParameterException"


def test_container_instances(longshore):
    ecs = longshore.ecs
    arns = ecs.list_container_instances()["containerInstanceArns"]
    instance = ecs.describe_container_instances(containerInstances=arns)["containerInstances"][0]
    assert instance["status"] == "ACTIVE" and instance["agentConnected"]
    resources = {r["name"]: r for r in instance["registeredResources"]}
    assert resources["CPU"]["integerValue"] % 1024 == 0 and "22" in resources["PORTS"]["stringSetValue"]
    definition = longshore.register("placed", {"name": "app", "command": ["true"]})
    started = ecs.start_task(taskDefinition=definition, containerInstances=arns)
    assert started["failures"] == [] and started["tasks"][0]["containerInstanceArn"] == arns[0]
    longshore.wait(started["tasks"][0]["taskArn"], "STOPPED")
    too_big = longshore.register("huge", {"name": "app", "memory": 10_000_000})
    refused = ecs.run_task(taskDefinition=too_big)
    assert [(f["arn"], f["reason"]) for f in refused["failures"]] == [(arns[0], "RESOURCE:MEMORY")]


# What answers hold, member by member, in each state of a task. Rule: recorded answers of AWS.

TASK_ALWAYS = {
    "attachments", "attributes", "availabilityZone", "clusterArn", "containerInstanceArn", "containers", "cpu", "createdAt",
    "desiredStatus", "enableExecuteCommand", "group", "healthStatus", "inferenceAccelerators", "lastStatus", "launchType",
    "memory", "overrides", "tags", "taskArn", "taskDefinitionArn", "version",
}
CONTAINER_ALWAYS = {"containerArn", "cpu", "healthStatus", "image", "lastStatus", "memory", "name", "networkBindings", "networkInterfaces", "taskArn"}
# No pull times and no imageDigest: the image was loaded on the host, and nothing is pulled from a registry.
REACHED = {"connectivity", "connectivityAt", "startedAt"}
STOPPING = {"stopCode", "stoppedReason", "stoppingAt"}
STARTED = {"runtimeId"}
SLEEPER = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"]


def test_the_members_of_a_task_in_each_state(longshore):
    ecs = longshore.ecs
    definition = longshore.register("members", {"name": "app", "command": SLEEPER})
    pending = ecs.run_task(taskDefinition=definition)["tasks"][0]
    assert set(pending) == TASK_ALWAYS and pending["lastStatus"] == "PENDING" and pending["tags"] == []
    assert set(pending["containers"][0]) == CONTAINER_ALWAYS
    assert pending["overrides"] == {"containerOverrides": [{"name": "app"}], "inferenceAcceleratorOverrides": []}
    assert (pending["cpu"], pending["memory"], pending["containers"][0]["cpu"]) == ("0", "64", "0")
    running = longshore.wait(pending["taskArn"], "RUNNING")
    assert set(running) == TASK_ALWAYS | REACHED and running["connectivity"] == "CONNECTED"
    assert set(running["containers"][0]) == CONTAINER_ALWAYS | STARTED
    asked = ecs.stop_task(task=pending["taskArn"], reason="enough of it")["task"]
    assert (asked["lastStatus"], asked["desiredStatus"]) == ("RUNNING", "STOPPED")
    assert set(asked) == TASK_ALWAYS | REACHED | STOPPING
    assert (asked["stopCode"], asked["stoppedReason"]) == ("UserInitiated", "enough of it")
    stopped = longshore.wait(pending["taskArn"], "STOPPED")
    assert set(stopped) == TASK_ALWAYS | REACHED | STOPPING | {"executionStoppedAt", "stoppedAt"}
    assert set(stopped["containers"][0]) == CONTAINER_ALWAYS | STARTED | {"exitCode"}
    again = ecs.stop_task(task=pending["taskArn"], reason="other words")["task"]
    assert (again["lastStatus"], again["stoppedReason"], again["version"]) == ("STOPPED", "enough of it", stopped["version"])
    never = longshore.run_to_end({"name": "app", "image": "127.0.0.1:1/none:1"})
    ended = TASK_ALWAYS | REACHED | STOPPING | {"stoppedAt"}
    assert set(never) - {"pullStartedAt", "pullStoppedAt", "executionStoppedAt"} == ended - {"startedAt"}
    assert never["stopCode"] == "TaskFailedToStart"
    assert set(never["containers"][0]) == CONTAINER_ALWAYS | {"reason"}


def test_the_members_of_a_container_instance(longshore):
    ecs = longshore.ecs
    arns = ecs.list_container_instances()["containerInstanceArns"]
    described = ecs.describe_container_instances(containerInstances=[*arns, "0" * 32])
    assert described["failures"] == [{"arn": arns[0].rsplit("/", 1)[0] + "/" + "0" * 32, "reason": "MISSING"}]
    always = {"containerInstanceArn", "ec2InstanceId", "version", "versionInfo", "remainingResources", "registeredResources", "status",
              "agentConnected", "runningTasksCount", "pendingTasksCount", "attributes", "registeredAt", "attachments", "tags"}
    instance = described["containerInstances"][0]
    assert set(instance) == always and instance["attachments"] == [] and instance["tags"] == []
    for resources in (instance["registeredResources"], instance["remainingResources"]):
        assert [r["name"] for r in resources] == ["CPU", "MEMORY", "PORTS", "PORTS_UDP"]
        numbers = {"name", "type", "doubleValue", "longValue", "integerValue"}
        assert [set(r) for r in resources] == [numbers, numbers, numbers | {"stringSetValue"}, numbers | {"stringSetValue"}]
    assert all(set(a) in ({"name"}, {"name", "value"}) for a in instance["attributes"])
    with_health = ecs.describe_container_instances(containerInstances=arns, include=["TAGS", "CONTAINER_INSTANCE_HEALTH"])
    assert set(with_health["containerInstances"][0]) == always | {"healthStatus"}
    assert ecs.list_container_instances(status="DRAINING")["containerInstanceArns"] == []
    assert ecs.list_container_instances(status="ACTIVE")["containerInstanceArns"] == arns


def test_a_run_with_everything_overridden_and_tagged(longshore):
    ecs = longshore.ecs
    definition = ecs.register_task_definition(
        family="overridden", networkMode="host", tags=[{"key": "team", "value": "web"}, {"key": "tier", "value": "1"}],
        containerDefinitions=[{"name": "app", "image": "busybox:test", "memory": 64, "command": ["false"],
                               "environment": [{"name": "A", "value": "old"}, {"name": "B", "value": "kept"}]}])
    overrides = {
        "cpu": "256", "memory": "128", "taskRoleArn": "arn:aws:iam::000000000000:role/task",
        "containerOverrides": [{"name": "app", "cpu": 100, "memory": 96, "memoryReservation": 32,
                                "command": ["sh", "-c", 'test "$A$B" = newkept'], "environment": [{"name": "A", "value": "new"}]}]}
    task = ecs.run_task(
        taskDefinition=definition["taskDefinition"]["taskDefinitionArn"], overrides=overrides, group="batch", startedBy="ci/job_7-a",
        tags=[{"key": "tier", "value": "2"}], propagateTags="TASK_DEFINITION", enableECSManagedTags=True,
        launchType="EC2", referenceId="order-1")["tasks"][0]
    assert task["overrides"] == overrides | {"inferenceAcceleratorOverrides": []}
    assert (task["cpu"], task["memory"], task["group"], task["startedBy"]) == ("256", "128", "batch", "ci/job_7-a")
    container = task["containers"][0]
    assert (container["cpu"], container["memory"], container["memoryReservation"]) == ("100", "96", "32")
    tags = {t["key"]: t["value"] for t in task["tags"]}
    assert tags == {"team": "web", "tier": "2", "aws:ecs:clusterName": "default"}
    assert longshore.wait(task["taskArn"], "STOPPED")["containers"][0]["exitCode"] == 0
    described = ecs.describe_tasks(tasks=[task["taskArn"], task["taskArn"].rsplit("/", 1)[1]], include=["TAGS"])
    assert len(described["tasks"]) == 1 and {t["key"] for t in described["tasks"][0]["tags"]} == set(tags)
    with pytest.raises(ClientError) as refused:
        ecs.describe_tasks(cluster="none", tasks=[task["taskArn"]])
    assert code(refused) == ("ClusterNotFoundException", "Cluster not found.")
    ecs.create_cluster(clusterName="elsewhere")
    other = ecs.describe_tasks(cluster="elsewhere", tasks=[task["taskArn"]])
    assert other["tasks"] == [] and [f["reason"] for f in other["failures"]] == ["MISSING"]
    ecs.delete_cluster(cluster="elsewhere")
    for filters, shown in [(dict(launchType="EC2"), True), (dict(launchType="FARGATE"), False), (dict(family="other"), False),
                           (dict(family="overridden"), True), (dict(startedBy="ci/job_7-a"), True),
                           (dict(containerInstance=task["containerInstanceArn"]), True), (dict(containerInstance="0" * 32), False)]:
        listed = ecs.list_tasks(desiredStatus="STOPPED", **filters)["taskArns"]
        assert (task["taskArn"] in listed) == shown, filters
        assert task["taskArn"] not in ecs.list_tasks(**filters)["taskArns"]


LONG = "a" * 129


@pytest.mark.parametrize("members, expected", [
    (dict(count=0), ("InvalidParameterException", None)),
    (dict(cluster="none"), ("ClusterNotFoundException", "Cluster not found.")),
    (dict(taskDefinition="refusals:99"), ("ClientException", "TaskDefinition not found.")),
    (dict(startedBy=LONG), ("InvalidParameterException", None)),
    (dict(startedBy="a b"), ("InvalidParameterException", None)),
    (dict(group="service:web"), ("InvalidParameterException", None)),
    (dict(launchType="FARGATE"), ("InvalidParameterException", "Task definition does not support launch_type FARGATE")),
    (dict(launchType="EXTERNAL"), ("ClientException", "Longshore does not yet support launchType")),
    (dict(launchType="ec2"), ("InvalidParameterException", None)),
    (dict(capacityProviderStrategy=[{"capacityProvider": "a", "weight": 1}]), (
        "InvalidParameterException",
        "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster. "
        "Associate the capacity provider with the cluster or specify a valid capacity provider and try again.")),
    (dict(launchType="EC2", capacityProviderStrategy=[{"capacityProvider": "a"}]),
     ("InvalidParameterException", "Specify either Launch Type or Capacity Provider Strategy, but not both.")),
    (dict(placementConstraints=[{"type": "memberOf", "expression": "attribute:a =="}]), ("InvalidParameterException", None)),
    (dict(placementStrategy=[{"type": "newest"}]), ("InvalidParameterException", None)),
    (dict(networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-1"]}}),
     ("InvalidParameterException", "Network Configuration is not valid for the given `networkMode` of this task definition.")),
    (dict(overrides={"containerOverrides": [{"name": "web"}]}),
     ("InvalidParameterException", "Override for container named web is not a container in the TaskDefinition.")),
    (dict(propagateTags="SERVICE"), ("InvalidParameterException", None)),
    (dict(clientToken="a" * 65), ("InvalidParameterException", None)),
    (dict(tags=[{"key": f"k{i}", "value": "v"} for i in range(51)]), ("InvalidParameterException", None)),
    (dict(tags=[{"key": LONG, "value": "v"}]), ("InvalidParameterException", None)),
    (dict(tags=[{"key": "k", "value": "v" * 257}]), ("InvalidParameterException", None)),
    (dict(tags=[{"key": "aws:k", "value": "v"}]), ("InvalidParameterException", None)),
])
def test_a_run_that_is_refused_starts_nothing(longshore, members, expected):
    ecs = longshore.ecs
    longshore.register("refusals", {"name": "app", "command": ["true"]})
    with pytest.raises(ClientError) as refused:
        ecs.run_task(**{"taskDefinition": "refusals"} | members)
    found = code(refused)
    assert found[0] == expected[0] and expected[1] in (None, found[1]), found
    for status in ("RUNNING", "STOPPED"):
        assert ecs.list_tasks(family="refusals", desiredStatus=status)["taskArns"] == []


def test_an_instance_with_tasks_is_not_deregistered_unless_forced_and_tasks_are_listed_by_page(longshore):
    ecs = longshore.ecs
    instance = ecs.list_container_instances()["containerInstanceArns"][0]
    arns = longshore.start(longshore.register("busy", {"name": "app", "command": SLEEPER}), count=3)
    with pytest.raises(ClientError) as refused:
        ecs.deregister_container_instance(containerInstance=instance)
    assert code(refused) == ("InvalidParameterException", "Found running tasks on the instance.")
    for filters in (dict(family="busy"), dict(containerInstance=instance)):
        pages = ecs.get_paginator("list_tasks").paginate(**filters, PaginationConfig={"PageSize": 1})
        shown = [arn for page in pages for arn in page["taskArns"]]
        assert shown == sorted(arns), filters
    cluster = ecs.describe_clusters(include=["STATISTICS"])["clusters"][0]
    assert cluster["runningTasksCount"] + cluster["pendingTasksCount"] == 3
    with pytest.raises(ClientError) as refused:
        ecs.stop_task(task=arns[0], reason="r" * 1025)
    assert code(refused)[0] == "InvalidParameterException"
    for arn in arns:
        ecs.stop_task(task=arn)
    for arn in arns:
        longshore.wait(arn, "STOPPED")
    cluster = ecs.describe_clusters()["clusters"][0]
    assert (cluster["runningTasksCount"], cluster["pendingTasksCount"], cluster["statistics"]) == (0, 0, [])
