"""Real packets against what the EC2 API was told: random groups as a plain evaluator reads them, NAT gateways,
network ACLs, two families, public addresses and sizes of packets between hosts."""

from __future__ import annotations

import contextlib
import ipaddress
import random
import socket
import subprocess
import sys
import threading
import time

import packets
import pytest
import vpc
from harness import eventually

ZONE = "us-east-1a"
ANYWHERE = {4: "0.0.0.0/0", 6: "::/0"}


def made(longshore, cidr: str, *subnets: str, ipv6: bool = False) -> tuple[str, list[str]]:
    """A VPC with subnets of one zone; with addresses of both families if wanted."""
    ec2 = vpc.ec2(longshore)
    id = ec2.create_vpc(CidrBlock=cidr, AmazonProvidedIpv6CidrBlock=ipv6)["Vpc"]["VpcId"]
    six = []
    if ipv6:
        [given] = ec2.describe_vpcs(VpcIds=[id])["Vpcs"][0]["Ipv6CidrBlockAssociationSet"]
        six = list(ipaddress.ip_network(given["Ipv6CidrBlock"]).subnets(new_prefix=64))
    ids = []
    for at, range in enumerate(subnets):
        more = {"Ipv6CidrBlock": str(six[at])} if ipv6 else {}
        ids.append(ec2.create_subnet(VpcId=id, CidrBlock=range, AvailabilityZone=ZONE, **more)["Subnet"]["SubnetId"])
        if ipv6:
            ec2.modify_subnet_attribute(SubnetId=ids[-1], AssignIpv6AddressOnCreation={"Value": True})
    return id, ids


def started(longshore, family: str, *networks: dict, **members) -> list[dict]:
    definition = vpc.hello(longshore, family)
    arns = [longshore.start(definition, networkConfiguration=network, **members)[0] for network in networks]
    return [longshore.wait(arn, "RUNNING") for arn in arns]


def stopped(longshore, tasks: list[dict]) -> None:
    for task in tasks:
        longshore.ecs.stop_task(task=task["taskArn"])
    for task in tasks:
        longshore.wait(task["taskArn"], "STOPPED")


class Rule:
    """One rule of one group, as it is asked for and as it is to be understood."""

    def __init__(self, dice: random.Random, groups: list[str], ranges: list[str]):
        self.group = dice.choice(groups)
        self.egress = dice.random() < 0.4
        self.protocol = dice.choice(["tcp", "tcp", "udp", "udp", "icmp", "icmpv6", "-1"])
        first, last = sorted(dice.choices(packets.PORTS, k=2))
        self.ports = (first, last)
        self.peer = dice.choice(groups) if dice.random() < 0.5 else dice.choice(ranges)

    def permission(self) -> dict:
        of = {"IpProtocol": self.protocol}
        if self.protocol in ("tcp", "udp"):
            of |= {"FromPort": self.ports[0], "ToPort": self.ports[1]}
        elif self.protocol != "-1":
            of |= {"FromPort": -1, "ToPort": -1}
        if self.peer.startswith("sg-"):
            return of | {"UserIdGroupPairs": [{"GroupId": self.peer}]}
        if ":" in self.peer:
            return of | {"Ipv6Ranges": [{"CidrIpv6": self.peer}]}
        return of | {"IpRanges": [{"CidrIp": self.peer}]}

    def call(self, ec2, verb: str) -> None:
        direction = "egress" if self.egress else "ingress"
        getattr(ec2, f"{verb}_security_group_{direction}")(GroupId=self.group, IpPermissions=[self.permission()])

    def key(self) -> tuple:
        ports = self.ports if self.protocol in ("tcp", "udp") else ()
        return (self.group, self.egress, self.protocol, ports, self.peer)

    def allows(self, own: "Member", other: "Member", family: int, protocol: str, port: int) -> bool:
        if self.group not in own.groups:
            return False
        if self.peer.startswith("sg-"):
            is_peer = self.peer in other.groups
        else:
            is_peer = ipaddress.ip_address(other.address[family]) in ipaddress.ip_network(self.peer)
        if protocol == "icmp":
            is_it = self.protocol == {4: "icmp", 6: "icmpv6"}[family]
        else:
            is_it = self.protocol == protocol and self.ports[0] <= port <= self.ports[1]
        return is_peer and (is_it or self.protocol == "-1")


class Member:
    def __init__(self, task: dict, groups: tuple[str, ...]):
        self.groups = groups
        self.address = {ipaddress.ip_address(a).version: a for a in packets.addresses(task)}


def expected(rules: list[Rule], members: list[Member]) -> dict:
    """What a packet meets: some rule of the sender's groups, and some rule of the receiver's."""
    found = {}
    for here, sender in enumerate(members):
        for there, receiver in enumerate(members):
            if here == there:
                continue
            for family in (4, 6):
                for protocol, port in (*(("tcp", p) for p in packets.PORTS), *(("udp", p) for p in packets.PORTS), ("icmp", 0)):
                    leaves = any(r.egress and r.allows(sender, receiver, family, protocol, port) for r in rules)
                    enters = any(not r.egress and r.allows(receiver, sender, family, protocol, port) for r in rules)
                    found[here, there, family, protocol, port] = leaves and enters
    return found


def difference(wanted: dict, seen: dict) -> dict:
    return {key: (wanted[key], seen[key]) for key in wanted if wanted[key] != seen[key]}


@pytest.mark.parametrize("seed", [1, 2])
def test_packets_pass_as_a_plain_reading_of_the_groups_says(longshore, seed):
    dice, ec2 = random.Random(seed), vpc.ec2(longshore)
    id, subnets = made(longshore, f"10.{60 + seed}.0.0/16", f"10.{60 + seed}.1.0/24", f"10.{60 + seed}.2.0/24", ipv6=True)
    groups = [vpc.group(longshore, f"random-{seed}-{at}", id) for at in range(4)]
    # Some groups let nothing out but what a rule says; the others keep the rules that each group begins with.
    closed = groups[:2]
    for group in closed:
        # Both families have one.
        for rule in ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]:
            ec2.revoke_security_group_egress(GroupId=group, SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]])
    of = [tuple(dice.sample(groups, dice.randint(1, 2))) for _ in range(4)]
    tasks = started(longshore, f"random-{seed}", *(
        vpc.network(subnets[at % 2], groups=own) for at, own in enumerate(of)))
    members = [Member(task, own) for task, own in zip(tasks, of)]
    rules = []
    for group in groups[2:]:
        for rule in ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]:
            kept = Rule(dice, groups, ["0.0.0.0/0"])
            kept.group, kept.egress, kept.protocol = group, True, "-1"
            kept.peer = rule.get("CidrIpv4") or rule["CidrIpv6"]
            rules.append(kept)
    ranges = [
        *ANYWHERE.values(), f"10.{60 + seed}.1.0/24",
        *(f"{m.address[4]}/32" for m in members[:2]), *(f"{m.address[6]}/128" for m in members[:2])]
    passing = 0
    with packets.Servers(longshore.data, tasks):
        for _ in range(4):
            for _ in range(8):
                new = Rule(dice, groups, ranges)
                if new.key() not in [rule.key() for rule in rules]:
                    new.call(ec2, "authorize")
                    rules.append(new)
            for old in dice.sample(rules, min(3, len(rules))):
                old.call(ec2, "revoke")
                rules.remove(old)
            wanted = expected(rules, members)
            passing += sum(wanted.values())
            # What changed may be on its way for a moment; then it holds, and stays.
            wrong = lambda: difference(wanted, packets.who_reaches_whom(longshore.data, tasks))
            for _ in range(5):
                if not wrong():
                    break
            found = wrong()
            assert not found, (found, [rule.key() for rule in rules], of)
    assert passing > 20, "rules that let nothing pass prove little"
    stopped(longshore, tasks)


@pytest.fixture
def outside():
    """An address of this machine that is of no VPC, with a server that says who asks."""
    address = f"198.51.100.{random.randrange(2, 250)}/32"
    subprocess.run(["ip", "address", "add", address, "dev", "lo"], check=True)
    try:
        yield address.split("/")[0]
    finally:
        subprocess.run(["ip", "address", "delete", address, "dev", "lo"], check=True)


@contextlib.contextmanager
def server_here(address: str):
    """On this machine, one that answers TCP with the source it saw."""
    listener = socket.create_server((address, 0))
    listener.settimeout(0.2)
    is_over = threading.Event()

    def serve() -> None:
        while not is_over.is_set():
            with contextlib.suppress(TimeoutError):
                accepted, peer = listener.accept()
                accepted.sendall(peer[0].encode())
                accepted.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        is_over.set()
        thread.join()
        listener.close()


def seen_from(longshore, task: dict, address: str, port: int) -> str | None:
    [answer] = packets.answers(packets.asked(vpc.namespace(longshore.data, task), [(address, "tcp", port)]))
    return answer


def routed_out(ec2, id: str, subnet: str, **via: str) -> None:
    table = ec2.create_route_table(VpcId=id)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **via)
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)


def test_what_leaves_has_the_public_address_or_that_of_the_nat_gateway_or_does_not_leave(longshore, outside):
    ec2 = vpc.ec2(longshore)
    id, (public, private, shut) = made(longshore, "10.64.0.0/16", "10.64.1.0/24", "10.64.2.0/24", "10.64.3.0/24")
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=id)
    routed_out(ec2, id, public, GatewayId=gateway)
    elastic = ec2.allocate_address(Domain="vpc")
    nat = ec2.create_nat_gateway(SubnetId=public, AllocationId=elastic["AllocationId"])["NatGateway"]["NatGatewayId"]
    ec2.get_waiter("nat_gateway_available").wait(NatGatewayIds=[nat])
    routed_out(ec2, id, private, NatGatewayId=nat)
    definition = longshore.ecs.register_task_definition(
        family="leaving", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
        containerDefinitions=[{"name": "app", "image": "longshore/hello"}])["taskDefinition"]["taskDefinitionArn"]

    def on(subnet: str, is_public: bool) -> dict:
        arn, = longshore.start(definition, launchType="FARGATE", networkConfiguration=vpc.network(subnet, public=is_public))
        return longshore.wait(arn, "RUNNING")

    tasks = [on(public, True), on(public, False), on(private, False), on(shut, False)]
    interface = ec2.describe_network_interfaces(NetworkInterfaceIds=[vpc.details(tasks[0])["networkInterfaceId"]])
    own = interface["NetworkInterfaces"][0]["Association"]["PublicIp"]
    with server_here(outside) as port:
        assert seen_from(longshore, tasks[0], outside, port) == own
        # Without a public address the internet gateway is of no use, as on AWS.
        assert seen_from(longshore, tasks[1], outside, port) is None
        assert seen_from(longshore, tasks[2], outside, port) == elastic["PublicIp"]
        assert seen_from(longshore, tasks[3], outside, port) is None
        # Nobody comes in through the NAT gateway.
        ec2.delete_nat_gateway(NatGatewayId=nat)
        eventually(lambda: seen_from(longshore, tasks[2], outside, port) is None, "the route to be a blackhole")
    stopped(longshore, tasks)


def test_another_main_table_holds_for_who_has_none_and_a_replaced_route_leads_the_other_way(longshore, outside):
    ec2 = vpc.ec2(longshore)
    id, (public, follower, bound) = made(longshore, "10.67.0.0/16", "10.67.1.0/24", "10.67.2.0/24", "10.67.3.0/24")
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=id)
    routed_out(ec2, id, public, GatewayId=gateway)
    elastic = ec2.allocate_address(Domain="vpc")
    nat = ec2.create_nat_gateway(SubnetId=public, AllocationId=elastic["AllocationId"])["NatGateway"]["NatGatewayId"]
    of_main = [{"Name": "vpc-id", "Values": [id]}, {"Name": "association.main", "Values": ["true"]}]
    [main] = ec2.describe_route_tables(Filters=of_main)["RouteTables"]
    [association] = [a["RouteTableAssociationId"] for a in main["Associations"] if a["Main"]]
    # One subnet has the first main table as its own, and keeps it; the other has none.
    ec2.associate_route_table(RouteTableId=main["RouteTableId"], SubnetId=bound)
    other = ec2.create_route_table(VpcId=id)["RouteTable"]["RouteTableId"]
    everywhere = {"RouteTableId": other, "DestinationCidrBlock": "0.0.0.0/0"}
    ec2.create_route(**everywhere, NatGatewayId=nat)
    tasks = started(longshore, "main-table", vpc.network(follower), vpc.network(bound))
    with server_here(outside) as port:
        seen = lambda task=tasks[0]: seen_from(longshore, task, outside, port)
        assert seen() is None
        moved = ec2.replace_route_table_association(AssociationId=association, RouteTableId=other)["NewAssociationId"]
        eventually(lambda: seen() == elastic["PublicIp"], "the other main table to lead out")
        assert seen(tasks[1]) is None
        ec2.replace_route(**everywhere, GatewayId=gateway)
        eventually(lambda: seen() is None, "the internet gateway to be of no use to who has no public address")
        ec2.replace_route(**everywhere, NatGatewayId=nat)
        eventually(lambda: seen() == elastic["PublicIp"], "the NAT gateway to be led to again")
        ec2.replace_route_table_association(AssociationId=moved, RouteTableId=main["RouteTableId"])
        eventually(lambda: seen() is None, "the first main table to hold again")
    stopped(longshore, tasks)
    ec2.delete_nat_gateway(NatGatewayId=nat)


def test_a_network_acl_knows_no_flows_and_holds_in_both_directions(longshore):
    ec2 = vpc.ec2(longshore)
    id, subnets = made(longshore, "10.65.0.0/16", "10.65.1.0/24", "10.65.2.0/24")
    everyone = vpc.group(longshore, "acl", id)
    ec2.authorize_security_group_ingress(
        GroupId=everyone, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
    tasks = started(longshore, "acl", *(vpc.network(subnet, groups=(everyone,)) for subnet in (subnets[0], subnets[1], subnets[1])))
    client, server, neighbour = tasks
    acl = ec2.create_network_acl(VpcId=id)["NetworkAcl"]["NetworkAclId"]

    def entry(number: int, egress: bool, action: str, ports: tuple[int, int] | None) -> None:
        more = {"PortRange": {"From": ports[0], "To": ports[1]}} if ports else {}
        ec2.create_network_acl_entry(
            NetworkAclId=acl, RuleNumber=number, Egress=egress, RuleAction=action, CidrBlock="0.0.0.0/0",
            Protocol="6" if ports else "-1", **more)

    first, second = packets.PORTS
    reach = lambda port, task=client: seen_from(longshore, task, vpc.address(server), port) is not None
    with packets.Servers(longshore.data, [server]):
        assert reach(first) and reach(second)
        [found] = ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [subnets[1]]}])["NetworkAcls"]
        [association] = [a for a in found["Associations"] if a["SubnetId"] == subnets[1]]
        ec2.replace_network_acl_association(AssociationId=association["NetworkAclAssociationId"], NetworkAclId=acl)
        eventually(lambda: not reach(first), "an ACL without entries to let nothing in")
        # Within a subnet it has no say.
        assert reach(first, neighbour)
        entry(100, False, "allow", (first, first))
        time.sleep(0.3)
        # The question comes in; the answer, to a port of the client's choice, does not go out.
        assert not reach(first)
        entry(100, True, "allow", (1024, 65535))
        eventually(lambda: reach(first), "the answer to go out")
        assert not reach(second)
        entry(90, False, "deny", (first, first))
        eventually(lambda: not reach(first), "the lower number to win")
        ec2.delete_network_acl_entry(NetworkAclId=acl, RuleNumber=90, Egress=False)
        eventually(lambda: reach(first), "the entry to be gone")
        entry(80, True, "deny", None)
        eventually(lambda: not reach(first), "an answer to be denied although its flow stands")
    stopped(longshore, tasks)


def on_host(server, host, definition: str, network: dict) -> dict:
    answer = server.ecs.start_task(taskDefinition=definition, containerInstances=[host.arn], networkConfiguration=network)
    assert answer["failures"] == [], answer
    return server.wait(answer["tasks"][0]["taskArn"], "RUNNING")


def test_a_public_address_is_reached_through_every_host_of_its_vpc(site, lan):
    server = site.server()
    near = site.host(f"--address={lan.net}.2").join()
    far = site.host(f"--address={lan.net}.3", "--fargate")
    far.start("--server", server.url, "--token", server.token())
    ec2, subnet = vpc.ec2(server), vpc.default_subnet(server)
    own = vpc.group(server, "entry", subnet["VpcId"])
    here = vpc.tcp(80, cidr=f"{lan.address}/32")
    ec2.authorize_security_group_ingress(GroupId=own, IpPermissions=here)
    definition = server.ecs.register_task_definition(
        family="entry", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
        containerDefinitions=[{"name": "app", "image": "longshore/hello"}])["taskDefinition"]["taskDefinitionArn"]
    network = vpc.network(subnet["SubnetId"], groups=(own,), public=True)
    run = lambda: server.ecs.run_task(taskDefinition=definition, launchType="FARGATE", networkConfiguration=network)["tasks"]
    [waiting] = eventually(run, "the host to lend capacity")
    shown = server.wait(waiting["taskArn"], "RUNNING")
    # The nearer host has an interface of the VPC, and so a router.
    neighbour = on_host(server, near, vpc.hello(server, "neighbour"), vpc.network(subnet["SubnetId"]))
    interface = ec2.describe_network_interfaces(NetworkInterfaceIds=[vpc.details(shown)["networkInterfaceId"]])
    public = interface["NetworkInterfaces"][0]["Association"]["PublicIp"]

    def page() -> bool:
        url = f"http://{public}/"
        done = subprocess.run(["curl", "-s", "-o", "/dev/null", "-m", "1", "-w", "%{http_code}", url], capture_output=True, text=True)
        return done.stdout == "200"

    for entry in (near, far, near):
        subprocess.run(["ip", "route", "replace", f"{public}/32", "via", entry.address], check=True)
        try:
            eventually(page, f"the page to come through {entry.address}")
            assert all(page() for _ in range(10)), "the answers go back the way the questions came"
            # The groups see who really asks.
            ec2.revoke_security_group_ingress(GroupId=own, IpPermissions=here)
            eventually(lambda: not page(), "the rule to be gone")
            ec2.authorize_security_group_ingress(GroupId=own, IpPermissions=here)
        finally:
            subprocess.run(["ip", "route", "delete", f"{public}/32"], check=True)
    # What the task asks itself leaves by its own host.
    with server_here(lan.address) as port:
        [seen] = packets.answers(packets.asked(vpc.namespace(far.data, shown), [(lan.address, "tcp", port)]))
        assert seen == far.address
    stopped(server, [shown, neighbour])


TAKE = """
import socket, sys
listener = socket.create_server(("0.0.0.0", 7001))
print("ready", flush=True)
accepted, _ = listener.accept()
count = 0
while data := accepted.recv(65536):
    count += len(data)
accepted.sendall(str(count).encode())
"""

GIVE = """
import socket, sys
connection = socket.create_connection((sys.argv[1], 7001), timeout=20)
connection.sendall(bytes(int(sys.argv[2])))
connection.shutdown(socket.SHUT_WR)
print(connection.recv(64).decode())
"""


FIT = """
import socket, sys, time
IP_MTU_DISCOVER, IP_PMTUDISC_DO, IP_MTU = 10, 2, 14
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
one.connect((sys.argv[1], 7001))
fits = lambda: one.getsockopt(socket.IPPROTO_IP, IP_MTU)
print(fits())
for _ in range(50):
    try:
        one.send(bytes(1472))
    except OSError:
        pass
    if fits() < 1500:
        break
    time.sleep(0.1)
print(fits())
"""


def sent(giver: tuple, taker: tuple, size: int) -> int:
    """How much of so many bytes arrives, over TCP, from one task to another; each with its host."""
    inside = lambda host, task, *command: ["nsenter", f"--net={vpc.namespace(host.data, task)}", sys.executable, "-c", *command]
    listening = subprocess.Popen(inside(*taker, TAKE), stdout=subprocess.PIPE, text=True)
    try:
        assert listening.stdout.readline() == "ready\n"
        done = subprocess.run(
            inside(*giver, GIVE, vpc.address(taker[1]), str(size)), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return int(done.stdout)
    finally:
        listening.kill()
        listening.wait()


def mtu(host, task: dict) -> str:
    shown = vpc.within(host.data, task, "ip", "-o", "link", "show", "eth0").stdout
    return shown.split(" mtu ")[1].split()[0]


def test_who_sends_more_than_fits_between_hosts_is_told_and_tcp_flows(site, lan):
    server = site.server()
    near = site.host().join()
    ec2, subnet = vpc.ec2(server), vpc.default_subnet(server)
    everyone = vpc.group(server, "sizes", subnet["VpcId"])
    ec2.authorize_security_group_ingress(
        GroupId=everyone, IpPermissions=[{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": everyone}]}])
    definition, network = vpc.hello(server, "sizes"), vpc.network(subnet["SubnetId"], groups=(everyone,))
    # Of the time when there was one host, and no tunnel.
    old = on_host(server, near, definition, network)
    assert mtu(near, old) == "1500"
    near.kill()
    near.start(f"--address={near.address}")
    eventually(near.connected, "the host to be back")
    far = site.host(f"--address={lan.net}.3").join()
    there = on_host(server, far, definition, network)
    new = on_host(server, near, definition, network)
    assert (mtu(far, there), mtu(near, new)) == ("1450", "1450")
    vpc.comes_to_reach(near.data, old, vpc.address(there), 80)
    # A datagram that may not be cut: whoever sent it learns what fits.
    learnt = vpc.within(near.data, old, sys.executable, "-c", FIT, vpc.address(there)).stdout
    assert learnt.split() == ["1500", "1450"]
    for giver, taker in (((near, old), (far, there)), ((far, there), (near, old)), ((near, new), (far, there))):
        assert sent(giver, taker, 3_000_000) == 3_000_000
    stopped(server, [old, there, new])
