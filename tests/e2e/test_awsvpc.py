"""Tasks with an interface of their own: real containers, real packets, groups as the EC2 API has them."""

import random
import subprocess
import sys
import time

import leaks
import pytest
import vpc
from botocore.exceptions import ClientError
from harness import eventually

SUBNET = "us-east-1a"


def started(longshore, definition, network, count=1):
    tasks = longshore.start(definition, count, networkConfiguration=network)
    return [longshore.wait(task, "RUNNING") for task in tasks]


def stopped(longshore, *tasks):
    for task in tasks:
        longshore.ecs.stop_task(task=task["taskArn"])
    return [longshore.wait(task["taskArn"], "STOPPED") for task in tasks]


class Talk:
    """One connection to a web server, from inside a task's network."""

    SCRIPT = '''
import http.client, sys
connection = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=2)
for _ in sys.stdin:
    connection.request("GET", "/")
    answer = connection.getresponse()
    answer.read()
    print(answer.status, flush=True)
'''

    def __init__(self, data, task, host, port):
        self.process = subprocess.Popen(
            ["nsenter", f"--net={vpc.namespace(data, task)}", sys.executable, "-c", self.SCRIPT, host, str(port)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def goes_on(self):
        print("", file=self.process.stdin, flush=True)
        return self.process.stdout.readline().strip() == "200"

    def end(self):
        self.process.stdin.close()
        assert self.process.wait(timeout=10) == 0


def test_a_task_shows_its_interface_and_the_ec2_api_the_same(longshore):
    subnet = vpc.default_subnet(longshore)
    task, = started(longshore, vpc.hello(longshore, "shown"), vpc.network(subnet["SubnetId"]))
    attachment, = task["attachments"]
    assert (attachment["type"], attachment["status"]) == ("ElasticNetworkInterface", "ATTACHED")
    seen = vpc.details(task)
    assert list(seen) == ["subnetId", "networkInterfaceId", "macAddress", "privateDnsName", "privateIPv4Address"]
    container, = task["containers"]
    assert container["networkInterfaces"] == [{"attachmentId": attachment["id"], "privateIpv4Address": vpc.address(task)}]
    assert container["networkBindings"] == []
    interface, = vpc.ec2(longshore).describe_network_interfaces(
        NetworkInterfaceIds=[seen["networkInterfaceId"]])["NetworkInterfaces"]
    assert interface["PrivateIpAddress"] == vpc.address(task)
    assert (interface["Status"], interface["RequesterManaged"], interface["MacAddress"]) == ("in-use", True, seen["macAddress"])
    assert interface["Description"].endswith(f"attachment/{attachment['id']}")
    assert [one["GroupName"] for one in interface["Groups"]] == ["default"]
    # It is ECS's: nobody else takes it away.
    with pytest.raises(ClientError):
        vpc.ec2(longshore).delete_network_interface(NetworkInterfaceId=seen["networkInterfaceId"])
    inside = vpc.within(longshore.data, task, "ip", "-br", "address", "show", "eth0").stdout
    assert f"{vpc.address(task)}/20" in inside
    done, = stopped(longshore, task)
    assert done["attachments"][0]["status"] == "DELETED"
    with pytest.raises(ClientError) as error:
        vpc.ec2(longshore).describe_network_interfaces(NetworkInterfaceIds=[seen["networkInterfaceId"]])
    assert error.value.response["Error"]["Code"] == "InvalidNetworkInterfaceID.NotFound"


def test_groups_decide_who_may_talk_while_they_talk(longshore):
    ec2, subnet = vpc.ec2(longshore), vpc.default_subnet(longshore)
    web, db = (vpc.group(longshore, name, subnet["VpcId"]) for name in ("web", "db"))
    ec2.authorize_security_group_ingress(GroupId=db, IpPermissions=vpc.tcp(5432, group=web))
    one = lambda family, port, group: started(
        longshore, vpc.hello(longshore, family, port), vpc.network(subnet["SubnetId"], groups=(group,)))[0]
    server, client, stranger = one("db", 5432, db), one("web", 80, web), one("stranger", 80, vpc.group(longshore, "none", subnet["VpcId"]))
    at, data = vpc.address(server), longshore.data
    vpc.comes_to_reach(data, client, at, 5432)
    vpc.stays_out(data, stranger, at, 5432)
    vpc.stays_out(data, client, at, 80)
    vpc.stays_out(data, server, vpc.address(client), 80)
    # A connection that stands outlives the rule that let it in.
    talk = Talk(data, client, at, 5432)
    assert talk.goes_on()
    here = f"{vpc.address(stranger)}/32"
    ec2.authorize_security_group_ingress(GroupId=db, IpPermissions=vpc.tcp(5432, cidr=here))
    vpc.comes_to_reach(data, stranger, at, 5432)
    ec2.revoke_security_group_ingress(GroupId=db, IpPermissions=vpc.tcp(5432, cidr=here))
    vpc.stays_out(data, stranger, at, 5432)
    assert vpc.reaches(data, client, at, 5432), "what was not touched goes on"
    ec2.revoke_security_group_ingress(GroupId=db, IpPermissions=vpc.tcp(5432, group=web))
    vpc.stays_out(data, client, at, 5432)
    assert talk.goes_on()
    talk.end()
    ec2.authorize_security_group_ingress(GroupId=db, IpPermissions=vpc.tcp(5432, group=web))
    vpc.comes_to_reach(data, client, at, 5432)
    # An egress rule taken away closes the other gate.
    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    ec2.revoke_security_group_egress(GroupId=web, IpPermissions=everything)
    vpc.stays_out(data, client, at, 5432)
    ec2.authorize_security_group_egress(GroupId=web, IpPermissions=vpc.tcp(5432, group=db))
    vpc.comes_to_reach(data, client, at, 5432)
    stopped(longshore, server, client, stranger)


def test_two_vpcs_with_the_same_range_live_side_by_side(longshore):
    ec2, tasks = vpc.ec2(longshore), []
    for name in ("red", "blue"):
        made = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=made, CidrBlock="10.77.1.0/28", AvailabilityZone=SUBNET)["Subnet"]["SubnetId"]
        # Eleven addresses each: some are the same in both.
        tasks.append(started(longshore, vpc.hello(longshore, name), vpc.network(subnet), count=8))
    red, blue = tasks
    both = {vpc.address(task) for task in red} & {vpc.address(task) for task in blue}
    assert len(both) >= 5
    for mine in tasks:
        assert vpc.reaches(longshore.data, mine[0], vpc.address(mine[1]), 80)
    only_red = {vpc.address(task) for task in red} - both
    for address in only_red:
        assert not vpc.reaches(longshore.data, blue[0], address, 80)
    stopped(longshore, *red, *blue)


def test_a_neighbour_cannot_be_impersonated(longshore):
    subnet = vpc.default_subnet(longshore)
    liar, victim, server = started(longshore, vpc.hello(longshore, "liar"), vpc.network(subnet["SubnetId"]), count=3)
    data = longshore.data
    assert vpc.reaches(data, liar, vpc.address(server), 80)
    # The container has no NET_ADMIN; whoever enters its namespace from the host has.
    spoof = f"ip address add {vpc.address(victim)}/32 dev eth0"
    assert vpc.within(data, liar, "sh", "-c", spoof).returncode == 0
    url = f"http://{vpc.address(server)}/"
    done = vpc.within(data, liar, "curl", "-s", "-m", "1", "--interface", vpc.address(victim), url)
    assert done.returncode != 0
    assert vpc.reaches(data, victim, vpc.address(server), 80)
    stopped(longshore, liar, victim, server)


def test_a_service_rolls_over_with_fresh_interfaces(longshore):
    subnet = vpc.default_subnet(longshore)
    first, second = (vpc.hello(longshore, "rolled", port) for port in (8080, 8081))
    longshore.ecs.create_service(
        serviceName="rolled", taskDefinition=first, desiredCount=2, networkConfiguration=vpc.network(subnet["SubnetId"]))
    steady = lambda: longshore.ecs.describe_services(services=["rolled"])["services"][0]
    is_done = lambda: (lambda s: len(s["deployments"]) == 1 and s["runningCount"] == 2 and s["deployments"][0]["rolloutState"] == "COMPLETED")(steady())
    eventually(is_done, "the service to be steady", 60)
    shown = steady()["networkConfiguration"]["awsvpcConfiguration"]
    assert shown == {"subnets": [subnet["SubnetId"]], "securityGroups": [], "assignPublicIp": "DISABLED"}
    of = lambda: longshore.ecs.describe_tasks(tasks=longshore.ecs.list_tasks(serviceName="rolled")["taskArns"])["tasks"]
    before = {vpc.details(task)["networkInterfaceId"] for task in of()}
    longshore.ecs.update_service(service="rolled", taskDefinition=second)
    eventually(is_done, "the update to be done", 60)
    tasks = of()
    assert before.isdisjoint(vpc.details(task)["networkInterfaceId"] for task in tasks)
    assert vpc.reaches(longshore.data, tasks[0], vpc.address(tasks[1]), 8081)
    longshore.ecs.delete_service(service="rolled", force=True)
    interfaces = lambda: vpc.ec2(longshore).describe_network_interfaces()["NetworkInterfaces"]
    eventually(lambda: not interfaces(), "the interfaces to be gone")


@pytest.mark.parametrize("change, text", [
    (dict(subnets=[]), "subnets can not be empty."),
    (dict(subnets=["subnet-0"]), "Error retrieving subnet information for [subnet-0]: The subnet ID 'subnet-0' does not exist (ErrorCode: InvalidSubnetID.NotFound)"),
    (dict(securityGroups=["sg-0"]), "Error retrieving security group information for [sg-0]: The security group 'sg-0' does not exist (ErrorCode: InvalidGroup.NotFound)"),
    (dict(securityGroups=["other"]), "Security Groups and Subnets must belong to the same VPC."),
    (dict(assignPublicIp="ENABLED"), "Assign public IP is not supported for this launch type."),
])
def test_what_cannot_be_has_awss_words_and_leaves_nothing(longshore, change, text):
    ec2, subnet = vpc.ec2(longshore), vpc.default_subnet(longshore)
    if change.get("securityGroups") == ["other"]:
        other = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        change = dict(securityGroups=[vpc.group(longshore, "other", other)])
    configuration = {"awsvpcConfiguration": {"subnets": [subnet["SubnetId"]], **change}}
    count = lambda: len(ec2.describe_network_interfaces()["NetworkInterfaces"])
    before = count()
    with pytest.raises(ClientError) as error:
        longshore.ecs.run_task(taskDefinition=vpc.hello(longshore, "bad"), networkConfiguration=configuration)
    assert error.value.response["Error"]["Code"] == "InvalidParameterException"
    assert error.value.response["Error"]["Message"] == text
    assert count() == before


def test_a_full_subnet_places_no_more_and_says_so(longshore):
    ec2 = vpc.ec2(longshore)
    made = ec2.create_vpc(CidrBlock="10.78.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=made, CidrBlock="10.78.1.0/28", AvailabilityZone=SUBNET)["Subnet"]["SubnetId"]
    definition, network = vpc.hello(longshore, "full"), vpc.network(subnet)
    tasks = [*started(longshore, definition, network, 10), *started(longshore, definition, network, 1)]
    assert len({vpc.address(task) for task in tasks}) == 11
    answer = longshore.ecs.run_task(taskDefinition=definition, networkConfiguration=network)
    assert answer["tasks"] == [] and answer["failures"][0]["reason"] == "RESOURCE:ENI"
    stopped(longshore, tasks[0])
    again, = started(longshore, definition, network)
    assert vpc.address(again) == vpc.address(tasks[0])
    stopped(longshore, again, *tasks[1:])


def kept(data):
    """What the router of the one VPC holds, and what this machine holds for it."""
    router, = (data / "run" / "net" / "vpc" / "routers").iterdir()
    tag = leaks.tag(data)
    machine = leaks.held("/proc/self/ns/net")
    # The machine has links, routes and tables of others, too.
    return leaks.held(router), {kind: [row for row in rows if tag in row] for kind, rows in machine.items()}


def same(before, data):
    """What is other than before: nothing, once all is done."""
    now = kept(data)
    return [
        (kind, sorted(set(was[kind]) ^ set(is_[kind]))) for was, is_ in zip(before, now) for kind in was if was[kind] != is_[kind]]


def test_kills_while_interfaces_come_and_go_leave_nothing(fresh):
    subnet, definition = vpc.default_subnet(fresh), vpc.hello(fresh, "killed")
    network, dice = vpc.network(subnet["SubnetId"]), random.Random(7)
    instance, = fresh.ecs.list_container_instances()["containerInstanceArns"]
    of = lambda: fresh.ecs.describe_container_instances(containerInstances=[instance])["containerInstances"][0]
    # Its interface keeps the VPC's router, with which each round is compared.
    keeper, = started(fresh, definition, network)
    before = kept(fresh.data)
    assert all(rows for kind, rows in before[0].items() if kind != "neighbours"), before
    for role in ("agent", "server", "agent", "server"):
        eventually(lambda: of()["agentConnected"], "the agent to be back")
        tasks = fresh.start(definition, 5, networkConfiguration=network)
        time.sleep(dice.random() * 0.05)
        fresh.kill(role)
        eventually(fresh.ready, "the server to answer")
        running = [fresh.wait(task, "RUNNING", 60) for task in tasks]
        assert vpc.reaches(fresh.data, running[0], vpc.address(running[1]), 80)
        assert same(before, fresh.data), "five interfaces are seen"
        for task in tasks:
            fresh.ecs.stop_task(task=task)
        time.sleep(dice.random() * 0.05)
        fresh.kill(role)
        eventually(fresh.ready, "the server to answer")
        for task in tasks:
            fresh.wait(task, "STOPPED", 60)
        try:
            eventually(lambda: not same(before, fresh.data), "links, routes and rules to be as before")
        except AssertionError as error:
            raise AssertionError(f"{error}: {same(before, fresh.data)}") from None
    stopped(fresh, keeper)
    assert vpc.ec2(fresh).describe_network_interfaces()["NetworkInterfaces"] == []
    namespaces = fresh.data / "run" / "net" / "vpc" / "ns"
    eventually(lambda: not list(namespaces.iterdir()), "the namespaces to be gone")


def test_a_connection_survives_its_agent(fresh):
    subnet = vpc.default_subnet(fresh)
    server, client = started(fresh, vpc.hello(fresh, "kept"), vpc.network(subnet["SubnetId"]), count=2)
    fresh.kill("agent")
    assert vpc.reaches(fresh.data, client, vpc.address(server), 80), "without an agent"
    eventually(lambda: fresh.describe(server["taskArn"])["connectivity"] == "CONNECTED", "the agent to be back")
    for _ in range(20):
        assert vpc.reaches(fresh.data, client, vpc.address(server), 80)
        time.sleep(0.05)


def test_three_hosts_are_one_vpc(site, lan):
    server = site.server()
    hosts = [site.host(f"--address={lan.net}.{number}").join() for number in (2, 3, 4)]
    ec2, subnet = vpc.ec2(server), vpc.default_subnet(server)
    inside, outside = (vpc.group(server, name, subnet["VpcId"]) for name in ("inside", "outside"))
    ec2.authorize_security_group_ingress(GroupId=inside, IpPermissions=vpc.tcp(80, group=inside))
    definition = vpc.hello(server, "spread")

    def on(host, group):
        answer = server.ecs.start_task(
            taskDefinition=definition, containerInstances=[host.arn],
            networkConfiguration=vpc.network(subnet["SubnetId"], groups=(group,)))
        assert answer["failures"] == [], answer
        return server.wait(answer["tasks"][0]["taskArn"], "RUNNING")

    tasks = [on(host, inside) for host in hosts]
    stranger = on(hosts[1], outside)
    for here, mine in zip(hosts, tasks):
        for other in tasks:
            vpc.comes_to_reach(here.data, mine, vpc.address(other), 80)
    vpc.stays_out(hosts[1].data, stranger, vpc.address(tasks[0]), 80)
    vpc.stays_out(hosts[1].data, stranger, vpc.address(tasks[1]), 80)
    # The rule changes for all hosts at once.
    ec2.authorize_security_group_ingress(GroupId=inside, IpPermissions=vpc.tcp(80, group=outside))
    vpc.comes_to_reach(hosts[1].data, stranger, vpc.address(tasks[2]), 80)
    # A whole page of 64 KiB and more passes the tunnel: path MTU is right end to end.
    mtu = vpc.within(hosts[0].data, tasks[0], "ip", "link", "show", "eth0").stdout
    assert "mtu 1450" in mtu, mtu
    # A host whose agent is gone goes on. One that is cut off: test_vpc_hosts.
    hosts[2].kill()
    assert vpc.reaches(hosts[0].data, tasks[0], vpc.address(tasks[2]), 80)
    hosts[2].start()
    eventually(hosts[2].connected, "the host to be back")
    vpc.comes_to_reach(hosts[2].data, tasks[2], vpc.address(tasks[0]), 80)
    for task in (*tasks, stranger):
        server.ecs.stop_task(task=task["taskArn"])
        server.wait(task["taskArn"], "STOPPED")
    assert ec2.describe_network_interfaces()["NetworkInterfaces"] == []
