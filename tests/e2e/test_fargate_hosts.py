"""AWS's getting-started guide for Fargate, typed with the AWS CLI: a service on three machines that nobody sees."""

import json
import subprocess
from collections import Counter

from harness import eventually

CONTAINER = [{"name": "fargate-app", "image": "longshore/hello", "essential": True,
              "portMappings": [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}]}]


def page(host, address):
    """What curl on that machine gets."""
    command = host.within("curl", "--silent", "--max-time", "2", f"http://{address}/")
    return subprocess.run(command, capture_output=True, text=True).stdout


def network(server):
    """Two subnets in two zones with a way to the internet, two groups; their ids."""
    aws = server.aws
    vpc = aws("ec2", "create-vpc", "--cidr-block", "10.77.0.0/16")["Vpc"]["VpcId"]
    gateway = aws("ec2", "create-internet-gateway")["InternetGateway"]["InternetGatewayId"]
    aws("ec2", "attach-internet-gateway", "--internet-gateway-id", gateway, "--vpc-id", vpc)
    table = aws("ec2", "describe-route-tables", "--filters", f"Name=vpc-id,Values={vpc}")["RouteTables"][0]["RouteTableId"]
    aws("ec2", "create-route", "--route-table-id", table, "--destination-cidr-block", "0.0.0.0/0", "--gateway-id", gateway)
    subnets = [
        aws("ec2", "create-subnet", "--vpc-id", vpc, "--cidr-block", f"10.77.{number}.0/24",
            "--availability-zone", f"us-east-1{zone}")["Subnet"]["SubnetId"]
        for number, zone in enumerate("ab")]
    groups = [
        aws("ec2", "create-security-group", "--group-name", name, "--description", name, "--vpc-id", vpc)["GroupId"]
        for name in ("web", "inside")]
    aws("ec2", "authorize-security-group-ingress", "--group-id", groups[0], "--protocol", "tcp", "--port", "80", "--cidr", "0.0.0.0/0")
    return subnets, groups


def test_the_getting_started_guide_on_three_machines(site, lan):
    server = site.server()
    aws = server.aws
    hosts = [site.host("--fargate", f"--address={lan.net}.{number}", f"--zone=us-east-1{zone}")
             for number, zone in ((2, "a"), (3, "b"), (4, "b"))]
    for host in hosts:
        host.start("--server", server.url, "--token", server.token())
    aws("ecs", "create-cluster", "--cluster-name", "fargate-cluster")
    subnets, groups = network(server)
    aws("ecs", "register-task-definition", "--family", "sample-fargate", "--network-mode", "awsvpc",
        "--requires-compatibilities", "FARGATE", "--cpu", "256", "--memory", "512",
        "--container-definitions", json.dumps(CONTAINER))
    configuration = f"awsvpcConfiguration={{subnets=[{','.join(subnets)}],securityGroups=[{','.join(groups)}],assignPublicIp=ENABLED}}"
    aws("ecs", "create-service", "--cluster", "fargate-cluster", "--service-name", "fargate-service",
        "--task-definition", "sample-fargate:1", "--desired-count", "4", "--launch-type", "FARGATE",
        "--network-configuration", configuration)
    aws("ecs", "wait", "services-stable", "--cluster", "fargate-cluster", "--services", "fargate-service")
    tasks = aws("ecs", "list-tasks", "--cluster", "fargate-cluster", "--service", "fargate-service")["taskArns"]
    tasks = aws("ecs", "describe-tasks", "--cluster", "fargate-cluster", "--tasks", *tasks)["tasks"]
    assert Counter(task["availabilityZone"] for task in tasks) == {"us-east-1a": 2, "us-east-1b": 2}
    assert all(task["lastStatus"] == "RUNNING" and "containerInstanceArn" not in task for task in tasks)
    # Nobody sees the machines.
    assert aws("ecs", "list-container-instances", "--cluster", "fargate-cluster")["containerInstanceArns"] == []
    assert aws("ecs", "list-clusters")["clusterArns"] == [tasks[0]["clusterArn"]]
    # The machines of zone b have one task each.
    assert [len(tasks_of(host)) for host in hosts] == [2, 1, 1]
    details = [{one["name"]: one["value"] for one in task["attachments"][0]["details"]} for task in tasks]
    ids = [one["networkInterfaceId"] for one in details]
    interfaces = aws("ec2", "describe-network-interfaces", "--network-interface-ids", *ids)["NetworkInterfaces"]
    # Each public address answers, on the machine that has the task as on the others.
    private = {task["taskArn"].rsplit("/", 1)[1]: one["privateIPv4Address"] for task, one in zip(tasks, details)}
    machine = {private[task]: host for host in hosts for task in tasks_of(host)}
    assert sorted(machine) == sorted(interface["PrivateIpAddress"] for interface in interfaces)
    for interface in interfaces:
        address, own = interface["Association"]["PublicIp"], machine[interface["PrivateIpAddress"]]
        for host in (own, *(host for host in hosts if host is not own)):
            eventually(lambda: "Longshore" in page(host, address), f"{address} to answer on {host.namespace}; its task is on {own.namespace}")
    aws("ecs", "update-service", "--cluster", "fargate-cluster", "--service", "fargate-service", "--desired-count", "0")
    aws("ecs", "delete-service", "--cluster", "fargate-cluster", "--service", "fargate-service")
    eventually(lambda: not aws("ec2", "describe-network-interfaces", "--network-interface-ids", *ids, check=False).stdout.strip(),
        "the interfaces to be gone")


def tasks_of(host):
    done = subprocess.run(host.within("ls", str(host.data / "agent" / "tasks")), capture_output=True, text=True)
    return done.stdout.split()
