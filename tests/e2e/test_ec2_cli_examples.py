"""The documented EC2 examples of the installed AWS CLI, for every operation that is served: typed as they stand,
with made ids in place of theirs. Each is done, or refused with the error that AWS would give for it."""

from __future__ import annotations

import contextlib
import io
import ipaddress
import os
import re
from functools import cached_property

import pytest
from awscli.clidriver import create_clidriver
from cli_examples import commands, served

EXAMPLES = [(name, arguments) for name in served("ec2") for arguments in commands("ec2", name)]
ZONE = "us-east-1a"
UNSERVED = "UnsupportedOperation"
# What is refused, by what its command says: AWS's error for what is not there, or that it is not served.
REFUSED = {
    ("allocate-address", "--public-ipv4-pool"): UNSERVED,
    ("allocate-address", "--ipam-pool-id"): UNSERVED,
    ("associate-address", "--instance-id"): "InvalidInstanceID.NotFound",
    ("attach-network-interface", ""): "InvalidInstanceID.NotFound",
    ("create-default-subnet", ""): "DefaultSubnetAlreadyExistsInAvailabilityZone",
    ("create-default-vpc", ""): "DefaultVpcAlreadyExists",
    ("create-network-interface", "efa"): UNSERVED,
    ("create-network-interface", "--connection-tracking-specification"): UNSERVED,
    ("create-route", "pcx-"): UNSERVED,
    ("create-subnet", "--ipv6-native"): UNSERVED,
    ("create-tags", ""): "InvalidID",
    ("create-vpc", "--ipv4-ipam-pool-id"): UNSERVED,
    ("create-vpc-endpoint", "GatewayLoadBalancer"): UNSERVED,
    ("create-vpc-endpoint", "ServiceNetwork"): UNSERVED,
    ("create-vpc-endpoint", "Resource "): UNSERVED,
    ("delete-tags", ""): "InvalidID",
    ("detach-network-interface", ""): "OperationNotPermitted",
    ("modify-network-interface-attribute", "--attachment"): UNSERVED,
    ("replace-route", "vgw-"): "InvalidGatewayID.NotFound",
    # Its file is in the documentation; test_ec2_launch_templates.py makes it.
    ("create-launch-template", "file://config.json"): "Unable to load paramfile file://config.json",
    # The CLI itself does not take these as they are written.
    ("authorize-security-group-ingress", "Description=RDP access"): "Error parsing parameter",
    ("revoke-security-group-egress", "[{IpProtocol"): "Error parsing parameter",
}


class World:
    """A VPC, and in it one of everything that an example names, as its operation needs it."""

    def __init__(self, ec2, name: str):
        self.ec2, self.name = ec2, name
        self.made: dict[str, list[str]] = {}

    @cached_property
    def vpc(self) -> str:
        return self.ec2.create_vpc(CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]["VpcId"]

    @cached_property
    def six(self) -> list[str]:
        [six] = self.ec2.describe_vpcs(VpcIds=[self.vpc])["Vpcs"][0]["Ipv6CidrBlockAssociationSet"]
        return [str(one) for one in list(ipaddress.ip_network(six["Ipv6CidrBlock"]).subnets(new_prefix=64))[:3]]

    @cached_property
    def subnets(self) -> list[dict]:
        of_six = {} if self.name == "associate-subnet-cidr-block" else {"Ipv6CidrBlock": self.six[0]}
        return [
            self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"10.0.6{at}.0/24", AvailabilityZone=zone, **more)["Subnet"]
            for at, (zone, more) in enumerate(((ZONE, of_six), ("us-east-1b", {})))]

    @cached_property
    def groups(self) -> list[str]:
        """The first has what the examples revoke, modify and describe."""
        made = [self.ec2.create_security_group(GroupName=f"group-{at}", Description="d", VpcId=self.vpc)["GroupId"] for at in range(3)]
        if self.name.startswith("authorize-"):
            return made
        tcp = lambda port, **peer: {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **peer}
        lists = [{"PrefixListId": self.ids("pl")[0]}]
        self.ec2.authorize_security_group_egress(GroupId=made[0], IpPermissions=[
            tcp(80, IpRanges=[{"CidrIp": "203.0.113.0/24"}]), tcp(443, UserIdGroupPairs=[{"GroupId": made[1]}])])
        self.ec2.authorize_security_group_ingress(GroupId=made[0], IpPermissions=[
            tcp(22, IpRanges=[{"CidrIp": "203.0.0.0/16"}], PrefixListIds=lists),
            {"IpProtocol": "icmp", "FromPort": 3, "ToPort": 4, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
        return made

    @cached_property
    def interfaces(self) -> list[str]:
        make = lambda: self.ec2.create_network_interface(
            SubnetId=self.subnets[0]["SubnetId"], PrivateIpAddress="10.0.60.85", SecondaryPrivateIpAddressCount=1, Ipv6AddressCount=1)
        interface = make()["NetworkInterface"]["NetworkInterfaceId"]
        if self.name == "associate-address":
            assert self.gateways
        if self.name == "unassign-private-ip-addresses":
            self.ec2.assign_private_ip_addresses(NetworkInterfaceId=interface, PrivateIpAddresses=["10.0.60.82"])
        if self.name == "unassign-ipv6-addresses":
            self.ec2.assign_ipv6_addresses(NetworkInterfaceId=interface, Ipv6Addresses=[f"{self.six[0][:-4]}3304:8879:34cf:4071"])
        return [interface]

    @cached_property
    def gateways(self) -> list[str]:
        made = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        if self.name not in ("attach-internet-gateway", "delete-internet-gateway"):
            self.ec2.attach_internet_gateway(InternetGatewayId=made, VpcId=self.vpc)
        return [made]

    @cached_property
    def tables(self) -> list[str]:
        made = self.ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        if self.name in ("delete-route", "replace-route"):
            self.ec2.create_route(RouteTableId=made, DestinationCidrBlock="0.0.0.0/0", GatewayId=self.gateways[0])
        return [made]

    @cached_property
    def acls(self) -> list[str]:
        made = self.ec2.create_network_acl(VpcId=self.vpc)["NetworkAcl"]["NetworkAclId"]
        if self.name in ("delete-network-acl-entry", "replace-network-acl-entry"):
            self.ec2.create_network_acl_entry(
                NetworkAclId=made, RuleNumber=100, Egress=False, Protocol="-1", RuleAction="deny", CidrBlock="0.0.0.0/0")
        return [made]

    @cached_property
    def elastic(self) -> dict:
        made = self.ec2.allocate_address(Domain="vpc")
        if self.name == "disassociate-address":
            assert self.gateways
            made |= self.ec2.associate_address(AllocationId=made["AllocationId"], NetworkInterfaceId=self.interfaces[0])
        return made

    @cached_property
    def lists(self) -> list[str]:
        made = self.ec2.create_managed_prefix_list(
            PrefixListName="l", MaxEntries=10, AddressFamily="IPv4", Entries=[{"Cidr": "10.0.0.0/16"}])["PrefixList"]["PrefixListId"]
        if self.name == "restore-managed-prefix-list-version":
            self.ec2.modify_managed_prefix_list(PrefixListId=made, CurrentVersion=1, AddEntries=[{"Cidr": "10.3.0.0/16"}])
        return [made]

    @cached_property
    def nats(self) -> list[str]:
        return [self.ec2.create_nat_gateway(SubnetId=self.subnets[1]["SubnetId"], ConnectivityType="private")["NatGateway"]["NatGatewayId"]]

    @cached_property
    def templates(self) -> list[str]:
        """Of two versions, the second of which is the default one where the first is deleted."""
        made = self.ec2.create_launch_template(
            LaunchTemplateName=f"of-{self.name}", LaunchTemplateData={"InstanceType": "t2.micro"})["LaunchTemplate"]["LaunchTemplateId"]
        self.ec2.create_launch_template_version(LaunchTemplateId=made, LaunchTemplateData={"InstanceType": "t2.small"})
        if self.name == "delete-launch-template-versions":
            self.ec2.modify_launch_template(LaunchTemplateId=made, DefaultVersion="2")
        return [made]

    def attachment(self) -> str:
        """Of what a service attached."""
        [own] = self.ec2.describe_nat_gateways(NatGatewayIds=self.nats)["NatGateways"][0]["NatGatewayAddresses"]
        [found] = self.ec2.describe_network_interfaces(NetworkInterfaceIds=[own["NetworkInterfaceId"]])["NetworkInterfaces"]
        return found["Attachment"]["AttachmentId"]

    def of_acl(self) -> str:
        subnet = self.subnets[0]["SubnetId"]
        [acl] = self.ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])["NetworkAcls"]
        return next(one["NetworkAclAssociationId"] for one in acl["Associations"] if one["SubnetId"] == subnet)

    def rule(self) -> str:
        """One that comes in, from a range: what an example makes of it is not there yet."""
        asked = [{"Name": "group-id", "Values": [self.groups[0]]}]
        rules = self.ec2.describe_security_group_rules(Filters=asked)["SecurityGroupRules"]
        return next(one["SecurityGroupRuleId"] for one in rules if one.get("CidrIpv4") == "203.0.0.0/16")

    def endpoints(self) -> list[str]:
        with_subnets = {"VpcEndpointType": "Interface", "SubnetIds": [self.subnets[1]["SubnetId"]]}
        kinds = [("s3", {}), ("dynamodb", {})]
        if self.name == "modify-vpc-endpoint" and "vpce-0fe5b17a0707d6fa5" in self.asked:
            kinds = [("ecs", with_subnets)]
        return [
            self.ec2.create_vpc_endpoint(VpcId=self.vpc, ServiceName=f"com.amazonaws.us-east-1.{of}", **more)["VpcEndpoint"]["VpcEndpointId"]
            for of, more in kinds]

    def of_vpc(self) -> list[str]:
        """A second range."""
        return [self.ec2.associate_vpc_cidr_block(VpcId=self.vpc, CidrBlock="10.9.0.0/16")["CidrBlockAssociation"]["AssociationId"]]

    MAKERS = {
        "vpc-cidr-assoc": of_vpc,
        "subnet-cidr-assoc": lambda w: [w.subnets[0]["Ipv6CidrBlockAssociationSet"][0]["AssociationId"]],
        "eni-attach": lambda w: [w.attachment()],
        "eipalloc": lambda w: [w.elastic["AllocationId"]],
        "eipassoc": lambda w: [w.elastic["AssociationId"]],
        "rtbassoc": lambda w: [
            w.ec2.associate_route_table(RouteTableId=w.tables[0], SubnetId=w.subnets[1]["SubnetId"])["AssociationId"]],
        "aclassoc": lambda w: [w.of_acl()],
        "vpce": endpoints,
        "dopt": lambda w: [
            w.ec2.create_dhcp_options(DhcpConfigurations=[{"Key": "domain-name", "Values": ["a.b"]}])["DhcpOptions"]["DhcpOptionsId"]],
        "eigw": lambda w: [
            w.ec2.create_egress_only_internet_gateway(VpcId=w.vpc)["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"]],
        "vpc": lambda w: [w.vpc],
        "subnet": lambda w: [one["SubnetId"] for one in w.subnets],
        "igw": lambda w: w.gateways,
        "lt": lambda w: w.templates,
        "rtb": lambda w: w.tables,
        "acl": lambda w: w.acls,
        "sgr": lambda w: [w.rule()],
        "sg": lambda w: w.groups,
        "eni": lambda w: w.interfaces,
        "pl": lambda w: w.lists,
        "nat": lambda w: w.nats,
    }

    def ids(self, kind: str) -> list[str]:
        if kind not in self.made:
            self.made[kind] = self.MAKERS[kind](self)
        return self.made[kind]

    def typed(self, arguments: list[str]) -> list[str]:
        """The command with what is here: ids by their kind, the first that it names for the first that there is."""
        self.asked = " ".join(arguments)
        seen: dict[str, dict[str, str]] = {}

        def own(match: re.Match) -> str:
            kind, whole = match.group(1), match.group(0)
            known, made = seen.setdefault(kind, {}), self.ids(kind)
            return known.setdefault(whole, made[min(len(known), len(made) - 1)])

        kinds = "|".join(sorted(self.MAKERS, key=len, reverse=True))
        texts = [
            (rf"\b({kinds})-(?!cidr-assoc|attach)[0-9a-zA-Z]*\d[0-9a-zA-Z]*\b", own),
            (r"198\.51\.100\.0|203\.0\.110\.25", lambda _: self.elastic["PublicIp"]),
            (r"us-east-2a", lambda _: ZONE),
            # Addresses of the subnet, and a range of the VPC's.
            (r"\b10\.0\.[08]\.(\d\d)\b(?!/)", lambda m: f"10.0.60.{m.group(1)}"),
            (r"(2001:db8:1234:1a00|2600:1f16:[0-9a-f]+:[0-9a-f]+)::/64", lambda _: self.six[2]),
            (r"2001:db8:1234:1a00:", lambda _: self.six[0].removesuffix(":/64")),
        ]
        for pattern, made in texts:
            arguments = [re.sub(pattern, made, one) for one in arguments]
        return arguments


@pytest.fixture(scope="module")
def aws(longshore):
    """The CLI within this process: its exit code, and what it printed."""
    mine = {**longshore.environment(), "AWS_PAGER": "", "AWS_DEFAULT_OUTPUT": "json"}
    others = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("AWS_") and name != "AWS_DATA_PATH"}
    os.environ.update(mine)

    def run(*arguments: str) -> tuple[int, str]:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = create_clidriver().main(list(arguments))
        return code, err.getvalue()

    yield run
    for name in mine:
        del os.environ[name]
    os.environ.update(others)


@pytest.fixture(scope="module")
def named_group(longshore):
    """Of the default VPC: examples name it by its name alone."""
    ec2 = longshore.client("ec2")
    group = ec2.create_security_group(GroupName="mySecurityGroup", Description="d")["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="203.0.113.0/24")
    ec2.create_security_group(GroupName="MySecurityGroup-to-delete", Description="d")
    return group


@pytest.mark.parametrize("name, arguments", EXAMPLES, ids=[f"{name}-{at}" for at, (name, _) in enumerate(EXAMPLES)])
def test_an_example_is_done_or_refused_as_aws_would(longshore, aws, named_group, name, arguments):
    world = World(longshore.client("ec2"), name)
    typed = world.typed(arguments)
    if name == "delete-security-group" and "--group-name" in typed:
        typed[1] = "MySecurityGroup-to-delete"
    code, said = aws("ec2", name, *typed)
    line = f"{' '.join(typed)} "
    refused = [why for (of, part), why in REFUSED.items() if of == name and part in line]
    assert (code == 0) == (not refused), (typed, said)
    assert all(why in said for why in refused), said
