"""Cloud Map, and services whose tasks are registered in it: found while they run, gone before they are killed."""

import json
import os
import signal

import boto3
import connect
import names
import pytest
import vpc
from botocore.config import Config
from botocore.exceptions import ClientError
from harness import eventually
from test_packets import made, started, stopped

STEADY_S = 60


def cloud_map(longshore):
    # As `longshore env` has it for the environment: DiscoverInstances is served at the one address, without a prefix.
    key = json.loads((longshore.data / "keys" / "root.json").read_text())
    return boto3.client(
        "servicediscovery", endpoint_url=longshore.url, region_name="us-east-1", aws_access_key_id=key["access_key_id"],
        aws_secret_access_key=key["secret_access_key"], config=Config(inject_host_prefix=False))


def namespace(longshore, name, of=None):
    of = of or vpc.default_subnet(longshore)["VpcId"]
    asked = cloud_map(longshore).create_private_dns_namespace(Name=name, Vpc=of)
    done = cloud_map(longshore).get_operation(OperationId=asked["OperationId"])["Operation"]
    assert done["Status"] == "SUCCESS"
    return done["Targets"]["NAMESPACE"]


def registry(longshore, of, name, *types):
    records = [{"Type": one, "TTL": 10} for one in types]
    return cloud_map(longshore).create_service(
        Name=name, NamespaceId=of, DnsConfig={"DnsRecords": records},
        HealthCheckCustomConfig={"FailureThreshold": 1})["Service"]


def found(longshore, domain, name):
    answer = cloud_map(longshore).discover_instances(NamespaceName=domain, ServiceName=name)
    return {one["InstanceId"]: one["Attributes"] for one in answer["Instances"]}


def test_tasks_of_a_service_are_found_while_they_run_and_not_once_they_are_to_stop(longshore):
    of = namespace(longshore, "tasks.local")
    web = registry(longshore, of, "web", "A")
    definition = vpc.hello(longshore, "discovered")
    subnet = vpc.default_subnet(longshore)["SubnetId"]
    created = longshore.ecs.create_service(
        serviceName="web", taskDefinition=definition, desiredCount=2, networkConfiguration=vpc.network(subnet),
        serviceRegistries=[{"registryArn": web["Arn"]}])["service"]
    assert created["serviceRegistries"] == [{"registryArn": web["Arn"]}]
    eventually(lambda: len(found(longshore, "tasks.local", "web")) == 2, "both tasks to be found", STEADY_S)
    tasks = longshore.ecs.list_tasks(serviceName="web")["taskArns"]
    shown = longshore.ecs.describe_tasks(tasks=tasks)["tasks"]
    known = found(longshore, "tasks.local", "web")
    assert known.keys() == {task["taskArn"].rsplit("/", 1)[1] for task in shown}
    for task in shown:
        attributes = known[task["taskArn"].rsplit("/", 1)[1]]
        assert attributes["AWS_INSTANCE_IPV4"] == vpc.address(task)
        assert attributes["ECS_SERVICE_NAME"] == "web"
        assert attributes["ECS_TASK_DEFINITION_FAMILY"] == "discovered"
        assert attributes["AVAILABILITY_ZONE"] == task["availabilityZone"]
    # The answer of StopTask comes after the commit in which the name went; the task may still run then.
    gone = tasks[0].rsplit("/", 1)[1]
    longshore.ecs.stop_task(task=tasks[0])
    assert gone not in found(longshore, "tasks.local", "web")
    eventually(lambda: len(found(longshore, "tasks.local", "web")) == 2, "another task to be found", STEADY_S)
    with pytest.raises(ClientError) as error:
        cloud_map(longshore).delete_service(Id=web["Id"])
    assert error.value.response["Error"]["Code"] == "ResourceInUse"
    longshore.ecs.update_service(service="web", desiredCount=0)
    eventually(lambda: not found(longshore, "tasks.local", "web"), "nothing to be found", STEADY_S)
    longshore.ecs.delete_service(service="web", force=True)
    cloud_map(longshore).delete_service(Id=web["Id"])
    cloud_map(longshore).delete_namespace(Id=of)


def test_a_bridge_task_is_found_at_the_port_of_its_host(longshore):
    of = namespace(longshore, "ports.local")
    api = registry(longshore, of, "api", "SRV")
    hello = {"name": "app", "image": "longshore/hello", "memory": 32, "portMappings": [{"containerPort": 80}]}
    definition = longshore.register("ported", hello, networkMode="bridge")
    registries = [{"registryArn": api["Arn"], "containerName": "app", "containerPort": 80}]
    with pytest.raises(ClientError) as error:
        longshore.ecs.create_service(
            serviceName="api", taskDefinition=definition, serviceRegistries=[{"registryArn": api["Arn"]}])
    assert "'host' or 'bridge'" in error.value.response["Error"]["Message"]
    longshore.ecs.create_service(
        serviceName="api", taskDefinition=definition, desiredCount=1, serviceRegistries=registries)
    eventually(lambda: found(longshore, "ports.local", "api"), "the task to be found", STEADY_S)
    task, = longshore.ecs.describe_tasks(tasks=longshore.ecs.list_tasks(serviceName="api")["taskArns"])["tasks"]
    bound = task["containers"][0]["networkBindings"][0]["hostPort"]
    attributes, = found(longshore, "ports.local", "api").values()
    assert attributes["AWS_INSTANCE_PORT"] == str(bound)
    longshore.ecs.delete_service(service="api", force=True)
    eventually(lambda: not found(longshore, "ports.local", "api"), "nothing to be found", STEADY_S)


# A program that will not end when it is asked to.
STUBBORN = {"name": "app", "image": "busybox:test", "memory": 16, "stopTimeout": 60,
            "portMappings": [{"containerPort": 80}],
            "command": ["sh", "-c", "trap : TERM; while :; do sleep 0.1; done"]}


def service(longshore, name, definition, subnet, registry, count=1):
    """A service whose tasks are in the registry; those that run, once all are found in it."""
    longshore.ecs.create_service(
        serviceName=name, taskDefinition=definition, desiredCount=count, networkConfiguration=vpc.network(subnet),
        serviceRegistries=[registry])
    eventually(lambda: len(found(longshore, "names.local", name)) == count, "the tasks to be found", STEADY_S)
    return connect.tasks(longshore, name)


def kill_what_is_left(longshore, task):
    """SIGKILL, of a container that would take its stopTimeout."""
    os.kill(connect.pid(longshore.data, task), signal.SIGKILL)
    longshore.wait(task["taskArn"], "STOPPED")


def test_a_task_resolves_other_tasks_by_every_type_of_record_and_none_that_is_to_stop(longshore):
    """A, AAAA and SRV of Cloud Map, by the VPC's resolver; a name is gone while its container still lives."""
    vpc_id, [subnet] = made(longshore, "10.83.0.0/16", "10.83.1.0/24", ipv6=True)
    of = namespace(longshore, "names.local", vpc_id)
    web, api = registry(longshore, of, "web", "A", "AAAA"), registry(longshore, of, "api", "SRV")
    asker, = started(longshore, "asker", vpc.network(subnet))

    def asked(name, kind):
        """The answers at both addresses of the resolver."""
        return [names.ask(longshore.data, asker, server, f"{name}.names.local", kind) for server in ("10.83.0.2", "169.254.169.253")]

    both_say = lambda name, kind, code, values: asked(name, kind) == [(code, sorted(values))] * 2
    answers = lambda name, kind, *wanted: eventually(
        lambda: both_say(name, kind, 0, wanted), f"{kind} of {name} to be {wanted}", STEADY_S)
    # A service without an instance has its name and no address; what is no service has no name.
    answers("web", "A")
    answers("api", "SRV")
    assert both_say("other", "A", names.NXDOMAIN, [])
    stubborn = longshore.register("stubborn", STUBBORN, networkMode="awsvpc")
    first, second = service(longshore, "web", stubborn, subnet, {"registryArn": web["Arn"]}, count=2)
    four, six = vpc.address, lambda task: vpc.details(task)["ipv6Address"]
    answers("web", "A", four(first), four(second))
    answers("web", "AAAA", six(first), six(second))
    assert both_say("web", "SRV", 0, [])
    only, = service(
        longshore, "api", vpc.hello(longshore, "served", 8080), subnet,
        {"registryArn": api["Arn"], "containerName": "app", "containerPort": 8080})
    # SRV leads to a name of the instance's own, and that to its addresses.
    target = f"{only['taskArn'].rsplit('/', 1)[1]}.api"
    answers("api", "SRV", (1, 1, 8080, f"{target}.names.local"))
    answers(target, "A", four(only))
    answers(target, "AAAA", six(only))
    assert vpc.reaches(longshore.data, asker, four(only), 8080)
    # One is asked to stop, which it does not heed: no name leads there, and it still lives.
    longshore.ecs.stop_task(task=first["taskArn"])
    gone = lambda kind, address: eventually(
        lambda: all(address not in values for _, values in asked("web", kind)), f"{address} not to be answered")
    gone("A", four(first))
    gone("AAAA", six(first))
    os.kill(connect.pid(longshore.data, first), 0)
    assert longshore.describe(first["taskArn"])["lastStatus"] in ("RUNNING", "DEACTIVATING", "STOPPING")
    assert all(four(second) in values for _, values in asked("web", "A"))
    kill_what_is_left(longshore, first)
    # Another takes its place and is answered; none is answered when none is wanted.
    both = lambda: [task for task in connect.tasks(longshore, "web") if task["taskArn"] != first["taskArn"]]
    tasks = eventually(lambda: len(both()) == 2 and both(), "another task to run", STEADY_S)
    answers("web", "A", *map(four, tasks))
    for name in ("web", "api"):
        longshore.ecs.update_service(service=name, desiredCount=0)
    answers("web", "A")
    answers("web", "AAAA")
    answers("api", "SRV")
    eventually(lambda: both_say(target, "A", names.NXDOMAIN, []), "the instance's own name to be gone")
    for task in tasks:
        kill_what_is_left(longshore, task)
    for name in ("web", "api"):
        longshore.ecs.delete_service(service=name, force=True)
    stopped(longshore, [asker])


def test_the_documented_commands_of_cloud_map(longshore):
    """Those of the AWS CLI's own examples."""
    def aws(*arguments):
        return longshore.aws("servicediscovery", *arguments)

    made = aws("create-http-namespace", "--name", "example.com", "--creator-request-id", "example-request-id")
    done = aws("get-operation", "--operation-id", made["OperationId"])["Operation"]
    assert done["Type"] == "CREATE_NAMESPACE"
    of = done["Targets"]["NAMESPACE"]
    service = aws("create-service", "--name", "myservice", "--namespace-id", of)["Service"]
    aws("register-instance", "--service-id", service["Id"], "--instance-id", "myservice-53",
        "--attributes", "AWS_INSTANCE_IPV4=172.2.1.3,AWS_INSTANCE_PORT=808")
    answer = aws("discover-instances", "--namespace-name", "example.com", "--service-name", "myservice",
                 "--max-results", "10", "--health-status", "ALL")
    assert answer["Instances"] == [{
        "InstanceId": "myservice-53", "NamespaceName": "example.com", "ServiceName": "myservice",
        "HealthStatus": "UNKNOWN",
        "Attributes": {"AWS_INSTANCE_IPV4": "172.2.1.3", "AWS_INSTANCE_PORT": "808"}}]
    assert answer["InstancesRevision"] > 0
    assert aws("list-instances", "--service-id", service["Arn"])["Instances"][0]["Id"] == "myservice-53"
    assert aws("get-instance", "--service-id", service["Id"], "--instance-id", "myservice-53")["Instance"]
    filters = f"Name=NAMESPACE_ID,Values={of},Condition=EQ"
    assert [one["Id"] for one in aws("list-services", "--filters", filters)["Services"]] == [service["Id"]]
    aws("tag-resource", "--resource-arn", service["Arn"], "--tags", "Key=Department,Value=Engineering")
    assert aws("list-tags-for-resource", "--resource-arn", service["Arn"])["Tags"] == [
        {"Key": "Department", "Value": "Engineering"}]
    aws("deregister-instance", "--service-id", service["Id"], "--instance-id", "myservice-53")
    longshore.aws("servicediscovery", "delete-service", "--id", service["Id"])
    aws("delete-namespace", "--id", of)
