"""The launch type FARGATE: tasks on a host that nobody sees, without a way to it."""

import ipaddress
import json
import resource
import subprocess
from pathlib import Path

import connect
import images
import pytest
import vpc
from botocore.exceptions import ClientError, EndpointConnectionError
from harness import eventually


def define(longshore, family, command=None, **fields):
    container = {"name": "app", "image": "busybox:test", "stopTimeout": 2,
                 "command": command or ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"]}
    container.update(fields.pop("container", {}))
    answer = longshore.ecs.register_task_definition(
        family=family, networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
        containerDefinitions=[container], **fields)
    return answer["taskDefinition"]["taskDefinitionArn"]


def run(longshore, definition, count=1, **fields):
    subnet = vpc.default_subnet(longshore)["SubnetId"]
    answer = longshore.ecs.run_task(
        taskDefinition=definition, launchType="FARGATE", count=count,
        networkConfiguration=vpc.network(subnet, public=True), **fields)
    assert answer["failures"] == []
    return answer["tasks"]


def running(longshore, definition, **fields):
    task, = run(longshore, definition, **fields)
    return longshore.wait(task["taskArn"], "RUNNING")


def stop(longshore, *tasks):
    for task in tasks:
        longshore.ecs.stop_task(task=task["taskArn"])
    return [longshore.wait(task["taskArn"], "STOPPED") for task in tasks]


def test_a_task_shows_its_platform_and_no_host(longshore):
    definition = define(longshore, "shown", ephemeralStorage={"sizeInGiB": 30})
    task = running(longshore, definition)
    assert (task["launchType"], task["platformVersion"], task["platformFamily"]) == ("FARGATE", "1.4.0", "Linux")
    assert (task["cpu"], task["memory"], task["availabilityZone"]) == ("256", "512", "us-east-1a")
    assert task["ephemeralStorage"] == task["fargateEphemeralStorage"] == {"sizeInGiB": 30}
    assert "containerInstanceArn" not in task
    container, = task["containers"]
    assert container["runtimeId"].split("-")[0] == task["taskArn"].rsplit("/", 1)[1]
    assert container["networkInterfaces"][0]["privateIpv4Address"] == vpc.address(task)
    # One host is registered twice; one instance is seen, with nothing on it.
    instances = longshore.ecs.list_container_instances()["containerInstanceArns"]
    instance, = longshore.ecs.describe_container_instances(containerInstances=instances)["containerInstances"]
    assert instance["runningTasksCount"] == 0
    assert [arn.rsplit("/", 1)[1] for arn in longshore.ecs.list_clusters()["clusterArns"]] == ["default"]
    with pytest.raises(ClientError) as error:
        longshore.ecs.list_container_instances(cluster="aws:fargate")
    assert error.value.response["Error"]["Code"] == "ClusterNotFoundException"
    cluster, = longshore.ecs.describe_clusters(include=["STATISTICS"])["clusters"]
    counts = {one["name"]: one["value"] for one in cluster["statistics"]}
    assert (counts["runningFargateTasksCount"], counts["runningEC2TasksCount"]) == ("1", "0")
    done, = stop(longshore, task)
    assert done["containers"][0]["exitCode"] == 0


def test_its_interface_is_shown_whole_as_ecs_made_it(longshore):
    task = running(longshore, define(longshore, "whole"), enableECSManagedTags=True, tags=[{"key": "of", "value": "the task"}])
    attachment, = (one for one in task["attachments"] if one["type"] == "ElasticNetworkInterface")
    seen, subnet, ec2 = vpc.details(task), vpc.default_subnet(longshore), vpc.ec2(longshore)
    account = task["taskArn"].split(":")[4]
    found, = ec2.describe_network_interfaces(NetworkInterfaceIds=[seen["networkInterfaceId"]])["NetworkInterfaces"]
    default, = ec2.describe_security_groups(Filters=[
        {"Name": "vpc-id", "Values": [subnet["VpcId"]]}, {"Name": "group-name", "Values": ["default"]}])["SecurityGroups"]
    # Of what nobody can know before, the form.
    assert found["Attachment"].pop("AttachmentId").startswith("eni-attach-")
    assert task["createdAt"].timestamp() - 1 < found["Attachment"].pop("AttachTime").timestamp() <= task["startedAt"].timestamp()
    public = found["Association"]["PublicIp"]
    assert ipaddress.ip_address(public) in ipaddress.ip_network("100.64.0.0/10")
    association = {"IpOwnerId": "amazon", "PublicDnsName": f"ec2-{public.replace('.', '-')}.compute-1.amazonaws.com", "PublicIp": public}
    name = seen["privateDnsName"]
    assert name == f"ip-{vpc.address(task).replace('.', '-')}.ec2.internal"
    assert found == {
        "Association": association,
        "Attachment": {"DeleteOnTermination": False, "DeviceIndex": 1, "InstanceOwnerId": account, "NetworkCardIndex": 0, "Status": "attached"},
        "AvailabilityZone": "us-east-1a", "AvailabilityZoneId": subnet["AvailabilityZoneId"],
        "Description": f"arn:aws:ecs:us-east-1:{account}:attachment/{attachment['id']}",
        "Groups": [{"GroupId": default["GroupId"], "GroupName": "default"}],
        "InterfaceType": "interface", "Ipv6Addresses": [], "MacAddress": seen["macAddress"], "NetworkInterfaceId": seen["networkInterfaceId"],
        "Operator": {"Managed": False}, "OwnerId": account, "PrivateDnsName": name, "PrivateIpAddress": vpc.address(task),
        "PrivateIpAddresses": [{"Association": association, "Primary": True, "PrivateDnsName": name, "PrivateIpAddress": vpc.address(task)}],
        "PublicDnsName": association["PublicDnsName"],
        "RequesterId": account, "RequesterManaged": True, "SourceDestCheck": True, "Status": "in-use", "SubnetId": subnet["SubnetId"],
        "TagSet": [{"Key": "aws:ecs:clusterName", "Value": "default"}], "VpcId": subnet["VpcId"]}
    # It is ECS's: nobody else detaches it, deletes it, changes it or gives it another address.
    elastic, eni = ec2.allocate_address(Domain="vpc")["AllocationId"], seen["networkInterfaceId"]
    for call, arguments in (
            (ec2.delete_network_interface, {}), (ec2.modify_network_interface_attribute, {"SourceDestCheck": {"Value": False}}),
            (ec2.associate_address, {"AllocationId": elastic})):
        with pytest.raises(ClientError) as error:
            call(NetworkInterfaceId=eni, **arguments)
        assert error.value.response["Error"]["Code"] == "OperationNotPermitted"
    again, = ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"]
    assert again["Association"] == association and again["SourceDestCheck"]
    ec2.release_address(AllocationId=elastic)
    stop(longshore, task)
    # Without managed tags it has none.
    bare = running(longshore, define(longshore, "untagged"), tags=[{"key": "of", "value": "the task"}])
    found, = ec2.describe_network_interfaces(NetworkInterfaceIds=[vpc.details(bare)["networkInterfaceId"]])["NetworkInterfaces"]
    assert found["TagSet"] == []
    stop(longshore, bare)


def test_the_clusters_default_strategy_decides_where_nothing_else_does(longshore):
    ecs, definition = longshore.ecs, define(longshore, "by-default")
    network = vpc.network(vpc.default_subnet(longshore)["SubnetId"], public=True)
    ecs.create_cluster(
        clusterName="spot", capacityProviders=["FARGATE", "FARGATE_SPOT"],
        defaultCapacityProviderStrategy=[{"capacityProvider": "FARGATE", "base": 1, "weight": 0}, {"capacityProvider": "FARGATE_SPOT", "weight": 1}])
    answer = ecs.run_task(cluster="spot", taskDefinition=definition, count=3, networkConfiguration=network)
    assert answer["failures"] == []
    assert sorted(task["capacityProviderName"] for task in answer["tasks"]) == ["FARGATE", "FARGATE_SPOT", "FARGATE_SPOT"]
    assert {task["launchType"] for task in answer["tasks"]} == {"FARGATE"}
    service = ecs.create_service(
        cluster="spot", serviceName="web", taskDefinition=definition, desiredCount=1, networkConfiguration=network,
        capacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT", "weight": 1}])["service"]
    assert "launchType" not in service
    assert service["capacityProviderStrategy"] == [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}]
    ecs.get_waiter("services_stable").wait(cluster="spot", services=["web"], WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    arn, = ecs.list_tasks(cluster="spot", serviceName="web")["taskArns"]
    found, = ecs.describe_tasks(cluster="spot", tasks=[arn])["tasks"]
    assert (found["capacityProviderName"], found["launchType"], found["lastStatus"]) == ("FARGATE_SPOT", "FARGATE", "RUNNING")
    # Another strategy, by a deployment that has to be forced.
    other = {"cluster": "spot", "service": "web", "capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}]}
    with pytest.raises(ecs.exceptions.InvalidParameterException, match="you must force a new deployment"):
        ecs.update_service(**other)
    service = ecs.update_service(**other, forceNewDeployment=True)["service"]
    assert service["capacityProviderStrategy"] == [{"capacityProvider": "FARGATE", "weight": 1, "base": 0}]
    ecs.get_waiter("services_stable").wait(cluster="spot", services=["web"], WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    next, = ecs.list_tasks(cluster="spot", serviceName="web")["taskArns"]
    found, = ecs.describe_tasks(cluster="spot", tasks=[next])["tasks"]
    assert (found["capacityProviderName"], found["lastStatus"]) == ("FARGATE", "RUNNING") and next != arn
    ecs.delete_service(cluster="spot", service="web", force=True)
    arns = [arn, next, *(task["taskArn"] for task in answer["tasks"])]
    for task in answer["tasks"]:
        ecs.stop_task(cluster="spot", task=task["taskArn"])
    ecs.get_waiter("tasks_stopped").wait(cluster="spot", tasks=arns, WaiterConfig={"Delay": 1, "MaxAttempts": 120})


def test_a_task_set_goes_by_its_own_strategy(longshore):
    ecs, definition = longshore.ecs, define(longshore, "set-by-strategy")
    ecs.create_cluster(clusterName="sets", capacityProviders=["FARGATE", "FARGATE_SPOT"])
    of = {"cluster": "sets", "service": "ext"}
    ecs.create_service(cluster="sets", serviceName="ext", desiredCount=1, deploymentController={"type": "EXTERNAL"})
    made = ecs.create_task_set(
        **of, taskDefinition=definition, scale={"value": 100, "unit": "PERCENT"},
        networkConfiguration=vpc.network(vpc.default_subnet(longshore)["SubnetId"], public=True),
        capacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT", "weight": 1}])["taskSet"]
    assert "launchType" not in made
    assert made["capacityProviderStrategy"] == [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}]
    eventually(lambda: ecs.list_tasks(cluster="sets", serviceName="ext")["taskArns"], "the task set's task to be there")
    tasks = ecs.list_tasks(cluster="sets", serviceName="ext")["taskArns"]
    ecs.get_waiter("tasks_running").wait(cluster="sets", tasks=tasks, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    found, = ecs.describe_tasks(cluster="sets", tasks=tasks)["tasks"]
    assert (found["capacityProviderName"], found["launchType"]) == ("FARGATE_SPOT", "FARGATE")
    ecs.delete_task_set(**of, taskSet=made["taskSetArn"], force=True)
    ecs.delete_service(**of, force=True)
    ecs.get_waiter("tasks_stopped").wait(cluster="sets", tasks=tasks, WaiterConfig={"Delay": 1, "MaxAttempts": 120})


def test_a_task_that_cannot_pull_says_why_as_its_container_does(longshore):
    task, = run(longshore, define(longshore, "unpullable", container={"image": "127.0.0.1:1/none:1"}))
    task = longshore.wait(task["taskArn"], "STOPPED")
    container, = task["containers"]
    assert task["stopCode"] == "TaskFailedToStart" and "exitCode" not in container, task
    assert container["reason"].startswith("CannotPull")
    assert task["stoppedReason"] == container["reason"]


def metadata(pid):
    """What the endpoint says of the task, asked from the network of a process of it."""
    environment = Path(f"/proc/{pid}/environ").read_text().split("\0")
    uri, = (pair.partition("=")[2] for pair in environment if pair.startswith("ECS_CONTAINER_METADATA_URI_V4="))
    done = subprocess.run(["nsenter", f"--net=/proc/{pid}/ns/net", "curl", "-sS", uri + "/task"], capture_output=True, text=True)
    return json.loads(done.stdout)


def test_the_metadata_endpoint_tells_the_tasks_own_cluster_and_zone(longshore):
    cluster = longshore.ecs.create_cluster(clusterName="elsewhere")["cluster"]["clusterArn"]
    subnet = vpc.default_subnet(longshore, "us-east-1b")["SubnetId"]
    answer = longshore.ecs.run_task(
        cluster="elsewhere", taskDefinition=define(longshore, "elsewhere"), launchType="FARGATE", networkConfiguration=vpc.network(subnet, public=True))
    task, = answer["tasks"]
    described = lambda: longshore.ecs.describe_tasks(cluster="elsewhere", tasks=[task["taskArn"]])["tasks"][0]
    eventually(lambda: described()["lastStatus"] == "RUNNING", "the task to run")
    told = metadata(connect.pid(longshore.data, described()))
    assert (told["Cluster"], told["TaskARN"], told["LaunchType"]) == (cluster, task["taskArn"], "FARGATE")
    assert (told["AvailabilityZone"], told["AvailabilityZoneID"]) == (described()["availabilityZone"], "use1-az2") == ("us-east-1b", "use1-az2")
    container, = told["Containers"]
    assert container["Labels"]["com.amazonaws.ecs.cluster"] == cluster and container["Snapshotter"] == "overlayfs"
    longshore.ecs.stop_task(cluster="elsewhere", task=task["taskArn"])
    eventually(lambda: described()["lastStatus"] == "STOPPED", "the task to stop")
    longshore.ecs.delete_cluster(cluster="elsewhere")


def test_the_metadata_endpoint_tells_how_full_the_disk_is(longshore):
    script = "dd if=/dev/zero of=/big bs=1M count=64 2>/dev/null; trap 'exit 0' TERM; while :; do sleep 0.1; done"
    task = running(longshore, define(longshore, "disk", ["sh", "-c", script]))
    first = connect.pid(longshore.data, task)
    disk = lambda: metadata(first)["EphemeralStorageMetrics"]

    # What an empty file system takes for itself is in it.
    eventually(lambda: disk()["Utilized"] >= 64, "64 MiB to be taken")
    assert disk()["Utilized"] < 1024 and disk()["Reserved"] == 20 * 1024
    stop(longshore, task)


# Each line prints its name only where what it tries succeeds.
ESCAPES = """
(echo 1 > /proc/sys/kernel/panic) 2>/dev/null && echo proc
(echo 1 > /sys/kernel/mm/ksm/run) 2>/dev/null && echo sys
(echo b > /proc/sysrq-trigger) 2>/dev/null && echo sysrq
mkdir -p /tmp/m; mount -t tmpfs none /tmp/m 2>/dev/null && echo mount
mount -o remount,rw /sys 2>/dev/null && echo remount
mknod /tmp/kmsg c 1 11 2>/dev/null && head -c 1 /tmp/kmsg >/dev/null 2>&1 && echo kmsg
mknod /tmp/disk b 254 0 2>/dev/null && head -c 1 /tmp/disk >/dev/null 2>&1 && echo disk
chroot /proc/1/root true 2>/dev/null && [ "$(readlink /proc/1/ns/pid)" != "$(readlink /proc/self/ns/pid)" ] && echo chroot
nsenter -t 1 -n true 2>/dev/null && echo setns
unshare -n true 2>/dev/null && echo unshare
unshare -r true 2>/dev/null && echo userns
ip link add v0 type dummy 2>/dev/null && echo link
ip route add 192.0.2.0/24 dev lo 2>/dev/null && echo route
hostname other 2>/dev/null && echo hostname
grep -q '^NoNewPrivs:.1' /proc/self/status || echo privileges
grep -q '^Seccomp:.2' /proc/self/status || echo unfiltered
[ "$AWS_EXECUTION_ENV $AWS_REGION" = "AWS_ECS_FARGATE us-east-1" ] || echo environment
echo tried
"""


def test_nothing_of_the_host_can_be_had(longshore):
    task = running(longshore, define(longshore, "escape", ["sh", "-c", ESCAPES + "\nexec sleep 600"]))
    said = eventually(lambda: (text := output(longshore, task)).endswith("tried\n") and text, "all to be tried")
    assert said == "tried\n"
    stop(longshore, task)


def output(longshore, task):
    container = longshore.data / "agent" / "tasks" / task["taskArn"].rsplit("/", 1)[1] / "containers" / "app"
    log = container / "log.json"
    text = log.read_text() if log.exists() else ""
    # The last line may be half written.
    return "".join(json.loads(line)["log"] for line in text.splitlines(keepends=True) if line.endswith("\n"))


def limit(task, *names):
    """What the task's group says, of a kernel with the one hierarchy or with one for each controller."""
    id_ = task["taskArn"].rsplit("/", 1)[1]
    found = [path for name in names for path in Path("/sys/fs/cgroup").glob(f"**/*{id_}/{name}")]
    return found[0].read_text().split()


def test_its_limits_are_its_size(longshore):
    task = running(longshore, define(longshore, "limited"))
    assert limit(task, "memory.max", "memory.limit_in_bytes") == [str(512 << 20)]
    assert limit(task, "pids.max") == ["16384"]
    quota = limit(task, "cpu.max", "cpu.cfs_quota_us")
    period = quota[1:] or limit(task, "cpu.cfs_period_us")
    assert int(quota[0]) * 4 == int(period[0])
    limits = Path(f"/proc/{connect.pid(longshore.data, task)}/limits").read_text().splitlines()
    files, = (line.split()[3:5] for line in limits if line.startswith("Max open files"))
    # Without CAP_SYS_RESOURCE nobody is given more than this machine gives us.
    effective, = (line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff:"))
    most = 65535 if int(effective, 16) >> 24 & 1 else min(65535, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    assert files == [str(most), str(most)]
    stop(longshore, task)


def test_what_is_asked_wrongly_is_refused_as_aws_does(longshore):
    definition = define(longshore, "wrong")
    network = vpc.network(vpc.default_subnet(longshore)["SubnetId"])
    for fields, code in [
        ({"launchType": "EC2"}, "InvalidParameterException"),
        ({"launchType": "FARGATE", "platformVersion": "0.1"}, "PlatformUnknownException"),
        ({"launchType": "FARGATE", "placementStrategy": [{"type": "random"}]}, "InvalidParameterException"),
        ({"launchType": "FARGATE", "overrides": {"cpu": "300"}}, "InvalidParameterException"),
    ]:
        with pytest.raises(ClientError) as error:
            longshore.ecs.run_task(taskDefinition=definition, networkConfiguration=network, **fields)
        assert error.value.response["Error"]["Code"] == code, fields


def test_a_service_is_rolled_over_and_outlives_agent_and_server(fresh):
    first = define(fresh, "web")
    network = vpc.network(vpc.default_subnet(fresh)["SubnetId"], public=True)
    fresh.ecs.create_service(
        serviceName="web", taskDefinition=first, desiredCount=2, launchType="FARGATE", networkConfiguration=network)

    def of(definition):
        service, = fresh.ecs.describe_services(services=["web"])["services"]
        arns = fresh.ecs.list_tasks(serviceName="web", launchType="FARGATE")["taskArns"]
        tasks = fresh.ecs.describe_tasks(tasks=arns)["tasks"] if arns else []
        right = [t for t in tasks if t["taskDefinitionArn"] == definition and t["lastStatus"] == "RUNNING"]
        settled = len(service["deployments"]) == 1 and service["runningCount"] == 2
        return settled and len(right) == len(tasks) == 2 and {t["taskArn"] for t in tasks}

    before = eventually(lambda: of(first), "two tasks to run")
    # Both are killed; neither's end is the tasks' end.
    for role in ("agent", "server"):
        fresh.kill(role)
    assert eventually(lambda: answered(lambda: of(first)), "the tasks to be known again") == before
    second = define(fresh, "web", container={"environment": [{"name": "A", "value": "1"}]})
    fresh.ecs.update_service(service="web", taskDefinition=second)
    after = eventually(lambda: of(second), "two new tasks to run", 60)
    assert not before & after
    fresh.ecs.delete_service(service="web", force=True)


def answered(ask):
    try:
        return ask()
    except Exception:  # noqa: BLE001 - a server that is being started refuses connections
        return None


# As AWS's guide has it: the shell of the entry point gets one argument, with another shell and quotes of both kinds in it.
GUIDE = {
    "name": "fargate-app", "image": "public.ecr.aws/docker/library/httpd:latest", "essential": True,
    "portMappings": [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}], "entryPoint": ["sh", "-c"],
    "command": [
        "/bin/sh -c \"echo '<html> <head> <title>Amazon ECS Sample App</title> <style>body {margin-top: 40px; background-color: #333;} </style> </head><body> "
        "<div style=color:white;text-align:center> <h1>Amazon ECS Sample App</h1> <h2>Congratulations!</h2> "
        "<p>Your application is now running on a container in Amazon ECS.</p> </div></body></html>' >  /usr/local/apache2/htdocs/index.html && httpd-foreground\""]}


def httpd(path):
    """Stands in for Docker's official image of httpd: its paths, its program's name, its working directory."""
    start = b"#!/bin/sh\nexec busybox httpd -f -p 80 -h /usr/local/apache2/htdocs\n"
    own = images.layer({"usr/local/bin/httpd-foreground": (start, 0o755), "usr/local/apache2/htdocs/index.html": (b"It works!\n", 0o644)})
    config = {"Cmd": ["httpd-foreground"], "WorkingDir": "/usr/local/apache2", "ExposedPorts": {"80/tcp": {}}, "StopSignal": "SIGWINCH",
              "Env": ["PATH=/usr/local/apache2/bin:/usr/local/bin:/bin", "HTTPD_PREFIX=/usr/local/apache2"]}
    return images.save(path, GUIDE["image"], [images.busybox_layer(), own], config)


def test_the_container_of_the_getting_started_guide_serves_its_page(longshore, tmp_path):
    longshore.load_image(httpd(tmp_path / "httpd.tar"))
    subnet = vpc.default_subnet(longshore)
    web = vpc.group(longshore, "guide", subnet["VpcId"])
    vpc.ec2(longshore).authorize_security_group_ingress(GroupId=web, IpPermissions=vpc.tcp(80, cidr="0.0.0.0/0"))
    definition = longshore.ecs.register_task_definition(
        family="sample-fargate", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
        containerDefinitions=[GUIDE])["taskDefinition"]["taskDefinitionArn"]
    longshore.ecs.create_service(
        serviceName="fargate-service", taskDefinition=definition, desiredCount=1, launchType="FARGATE",
        networkConfiguration=vpc.network(subnet["SubnetId"], groups=(web,), public=True))
    longshore.ecs.get_waiter("services_stable").wait(
        cluster="default", services=["fargate-service"], WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    arn, = longshore.ecs.list_tasks(serviceName="fargate-service")["taskArns"]
    task = longshore.describe(arn)
    eni, = vpc.ec2(longshore).describe_network_interfaces(NetworkInterfaceIds=[vpc.details(task)["networkInterfaceId"]])["NetworkInterfaces"]
    page = lambda: subprocess.run(
        ["curl", "-s", "-m", "2", f"http://{eni['Association']['PublicIp']}/"], capture_output=True, text=True).stdout
    eventually(lambda: "<h1>Amazon ECS Sample App</h1> <h2>Congratulations!</h2>" in page(), "the page of the guide")
    longshore.ecs.delete_service(service="fargate-service", force=True)
    # The shell of the entry point does not hear the signal: SIGKILL comes after the 30 s of the default stopTimeout.
    longshore.wait(arn, "STOPPED", 60)


def answers(longshore):
    try:
        return longshore.ecs.list_clusters()["clusterArns"]
    except EndpointConnectionError:
        return None


def test_a_machine_whose_instance_was_deregistered_goes_on_to_be_told_of_its_networks(fresh):
    definition = define(fresh, "told")
    first = running(fresh, definition)
    instance, = fresh.ecs.list_container_instances()["containerInstanceArns"]
    fresh.ecs.deregister_container_instance(containerInstance=instance, force=True)
    # By that registration it is refused when it connects anew.
    fresh.kill("server")
    eventually(lambda: answers(fresh), "the server to be back")
    second = running(fresh, definition)
    assert vpc.address(first) != vpc.address(second)
    stop(fresh, first, second)
