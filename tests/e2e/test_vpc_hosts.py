"""Hosts of one VPC that are cut off: whose addresses are given again, and when."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
import vpc
from botocore.exceptions import ClientError
from harness import eventually
from hosts import Server, ip

# Of a /28, after the five that are the subnet's own.
ADDRESSES = 11


class Subnet:
    """Of a VPC of its own, and small enough to be filled."""

    def __init__(self, server):
        self.server, self.ec2 = server, vpc.ec2(server)
        made = self.ec2.create_vpc(CidrBlock="10.79.0.0/16")["Vpc"]["VpcId"]
        self.id = self.ec2.create_subnet(VpcId=made, CidrBlock="10.79.1.0/28", AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"]
        self.definition = vpc.hello(server, "spread")
        self.fillers: list[dict] = []

    def on(self, host):
        """A task on this host."""
        answer = self.server.ecs.start_task(
            taskDefinition=self.definition, containerInstances=[host.arn], networkConfiguration=vpc.network(self.id))
        assert answer["failures"] == [], answer
        return self.server.wait(answer["tasks"][0]["taskArn"], "RUNNING")

    def fill(self):
        """Takes every address that can be had; those that it got."""
        before = len(self.fillers)
        while True:
            try:
                self.fillers.append(self.ec2.create_network_interface(SubnetId=self.id)["NetworkInterface"])
            except ClientError as error:
                assert error.response["Error"]["Code"] == "InsufficientFreeAddressesInSubnet"
                return [filler["PrivateIpAddress"] for filler in self.fillers[before:]]

    def free(self):
        """Gives the address back that came last."""
        self.ec2.delete_network_interface(NetworkInterfaceId=self.fillers.pop()["NetworkInterfaceId"])

    def has(self, task):
        """Whether the task's interface is there."""
        ids = [{"Name": "network-interface-id", "Values": [vpc.details(task)["networkInterfaceId"]]}]
        return bool(self.ec2.describe_network_interfaces(Filters=ids)["NetworkInterfaces"])

    def cut_off(self, host, task):
        """Pulls the host's cable until its task is given up; the address must still be nobody else's."""
        host.lan.plug(host.cable, "down")
        given_up = self.server.wait(task["taskArn"], "STOPPED", 90)
        assert given_up["attachments"][0]["status"] != "DELETED"
        assert vpc.reaches(host.data, task, vpc.address(task), 80), "what is given up still runs there"
        assert vpc.address(task) not in self.fill()
        assert self.has(task)
        refused = self.server.ecs.run_task(taskDefinition=self.definition, networkConfiguration=vpc.network(self.id))
        # Of each host its own reason: the others have no address for it.
        assert {failure["reason"] for failure in refused["failures"]} == {"AGENT", "RESOURCE:ENI"} and not refused["tasks"]


@pytest.fixture
def three(site, lan):
    """A server, three hosts of one VPC, and a subnet."""
    server = site.server("--host-lost-after", "2s")
    hosts = [site.host(f"--address={lan.net}.{number}").join() for number in (2, 3, 4)]
    return Subnet(server), hosts


def carries(host):
    """Whether the host reaches the server."""
    asked = host.within("curl", "-s", "-k", "-m", "1", "-o", "/dev/null", host.server.url)
    return subprocess.run(asked).returncode == 0


def all_talk(hosts, tasks):
    for here, mine in zip(hosts, tasks):
        for other in tasks:
            vpc.comes_to_reach(here.data, mine, vpc.address(other), 80)


def test_a_host_that_is_cut_off_frees_its_addresses_when_it_is_back_and_has_confirmed(three):
    subnet, hosts = three
    tasks = [subnet.on(host) for host in hosts]
    near, far, lost = tasks
    all_talk(hosts, tasks)
    subnet.cut_off(hosts[2], lost)
    assert len(subnet.fillers) == ADDRESSES - len(tasks)
    # The others talk on, in new connections too.
    all_talk(hosts[:2], tasks[:2])
    assert not vpc.reaches(hosts[0].data, near, vpc.address(lost), 80)
    hosts[2].lan.plug(hosts[2].cable, "up")
    eventually(lambda: not subnet.has(lost), "the interface to be gone", 60)
    assert subnet.server.describe(lost["taskArn"])["attachments"][0]["status"] == "DELETED"
    assert not vpc.namespace(hosts[2].data, lost).exists(), "freed before the host let it go"
    assert subnet.fill() == [vpc.address(lost)]
    # The address is another task's now, on another host, and each of the three talks to it.
    subnet.free()
    again = subnet.on(hosts[1])
    assert vpc.address(again) == vpc.address(lost)
    subnet.free()
    back = subnet.on(hosts[2])
    all_talk([hosts[0], hosts[1], hosts[1], hosts[2]], [near, far, again, back])
    for task in (near, far, again, back):
        subnet.server.ecs.stop_task(task=task["taskArn"])
        subnet.server.wait(task["taskArn"], "STOPPED")
        assert not subnet.has(task)


def test_a_host_that_is_deregistered_by_force_frees_its_addresses_and_its_tasks_reach_nobody(three):
    subnet, hosts = three
    server = subnet.server
    tasks = [subnet.on(host) for host in hosts]
    near, far, lost = tasks
    all_talk(hosts, tasks)
    subnet.cut_off(hosts[2], lost)
    with pytest.raises(ClientError):
        server.ecs.deregister_container_instance(containerInstance=hosts[2].arn)
    assert subnet.has(lost)
    server.ecs.deregister_container_instance(containerInstance=hosts[2].arn, force=True)
    eventually(lambda: not subnet.has(lost), "the interface to be gone")
    heir = subnet.on(hosts[0])
    assert vpc.address(heir) == vpc.address(lost)
    all_talk([hosts[0], hosts[1], hosts[0]], [near, far, heir])
    # The host is back on the wire with a container that nobody stopped: it is no host of the VPC any more.
    hosts[2].lan.plug(hosts[2].cable, "up")
    eventually(lambda: carries(hosts[2]), "the wire to carry again")
    assert vpc.reaches(hosts[2].data, lost, vpc.address(lost), 80)
    vpc.stays_out(hosts[2].data, lost, vpc.address(near), 80)
    vpc.stays_out(hosts[2].data, lost, vpc.address(far), 80)
    all_talk([hosts[0], hosts[1], hosts[0]], [near, far, heir])
    for task in (near, far, heir):
        server.ecs.stop_task(task=task["taskArn"])
        server.wait(task["taskArn"], "STOPPED")


class Elsewhere(Server):
    """A server in a namespace of the LAN, which has routes of its own."""

    def __init__(self, directory, lan):
        super().__init__(directory, lan)
        self.namespace, self.address, _ = lan.host()
        self.url = f"https://{self.address}:{self.port}"

    def command(self, *arguments):
        return ["nsenter", f"--net=/run/netns/{self.namespace}", *super().command(*arguments)]

    def route(self, to):
        ip("-n", self.namespace, "route", "add", to, "via", self.lan.address)

    def said(self):
        return self.output.read_text()


@pytest.fixture
def elsewhere(lan):
    # Short: unix sockets lie below it.
    directory = Path(tempfile.mkdtemp(prefix="ls-pool-"))
    server = Elsewhere(directory, lan)
    yield server
    if server.supervisor:
        server.stop()
    shutil.rmtree(directory)


def test_public_addresses_are_of_a_range_to_which_no_route_of_the_machine_leads(elsewhere):
    server = elsewhere
    for to in ("100.64.0.0/16", "100.65.7.0/24", "198.51.100.0/24"):
        server.route(to)
    server.up()
    first = server.client("ec2").allocate_address(Domain="vpc")["PublicIp"]
    assert first == "100.66.0.1"
    assert "100.66.0.0/16" in server.said() and "cannot be reached" not in server.said(), server.said()
    server.stop()
    # Once chosen it stays, whatever routes come; and they are told.
    server.route("100.66.8.0/24")
    server.up()
    assert server.client("ec2").allocate_address(Domain="vpc")["PublicIp"] == "100.66.0.2"
    assert "100.66.8.0/24" in server.said() and "cannot be reached" in server.said(), server.said()
