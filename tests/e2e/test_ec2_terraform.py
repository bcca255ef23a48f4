"""The calls that Terraform's AWS provider makes for the usual VPC module: two public and two private subnets, an internet
gateway, one NAT gateway, the default group, ACL and route table adopted. From what the provider's documentation and source
say: which Describe call finds what by which filters, what is polled after each change, which attributes are set one by one."""

from __future__ import annotations

from ec2 import filters, refused

ZONES = ("us-east-1a", "us-east-1b")
EVERYTHING = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


def tags(name: str, kind: str) -> list[dict]:
    return [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": name}, {"Key": "Terraform", "Value": "true"}]}]


def one(found: list) -> dict:
    """The provider's own rule: a finder that finds several is an error."""
    assert len(found) == 1, found
    return found[0]


class Provider:
    """What the provider does with each kind of resource."""

    def __init__(self, ec2):
        self.ec2 = ec2

    # aws_vpc
    def create_vpc(self) -> str:
        id = self.ec2.create_vpc(
            CidrBlock="10.40.0.0/16", InstanceTenancy="default", AmazonProvidedIpv6CidrBlock=False,
            TagSpecifications=tags("main", "vpc"))["Vpc"]["VpcId"]
        assert one(self.ec2.describe_vpcs(VpcIds=[id])["Vpcs"])["State"] == "available"
        self.ec2.modify_vpc_attribute(VpcId=id, EnableDnsHostnames={"Value": True})
        assert self.attribute(id, "enableDnsHostnames") is True
        return id

    def attribute(self, vpc: str, name: str) -> bool:
        answer = self.ec2.describe_vpc_attribute(VpcId=vpc, Attribute=name)
        return answer[name[0].upper() + name[1:]]["Value"]

    def read_vpc(self, id: str) -> dict:
        vpc = one(self.ec2.describe_vpcs(VpcIds=[id])["Vpcs"])
        attributes = [self.attribute(id, name) for name in ("enableDnsHostnames", "enableDnsSupport", "enableNetworkAddressUsageMetrics")]
        acl = one(self.ec2.describe_network_acls(Filters=filters(default="true", vpc_id=id))["NetworkAcls"])
        table = one(self.ec2.describe_route_tables(Filters=filters(**{"association.main": "true", "vpc-id": id}))["RouteTables"])
        group = one(self.ec2.describe_security_groups(Filters=filters(group_name="default", vpc_id=id))["SecurityGroups"])
        return {
            "cidr": vpc["CidrBlock"], "tenancy": vpc["InstanceTenancy"], "dhcp": vpc["DhcpOptionsId"], "owner": vpc["OwnerId"], "tags": vpc["Tags"],
            "attributes": attributes, "acl": acl["NetworkAclId"], "table": table["RouteTableId"], "group": group["GroupId"]}

    # aws_subnet
    def create_subnet(self, vpc: str, range: str, zone: str, name: str, public: bool) -> str:
        id = self.ec2.create_subnet(
            VpcId=vpc, CidrBlock=range, AvailabilityZone=zone, TagSpecifications=tags(name, "subnet"))["Subnet"]["SubnetId"]
        assert self.read_subnet(id)["State"] == "available"
        if public:
            self.ec2.modify_subnet_attribute(SubnetId=id, MapPublicIpOnLaunch={"Value": True})
            assert self.read_subnet(id)["MapPublicIpOnLaunch"]
        # Set one by one where they differ from what a new subnet has; each is waited for.
        self.ec2.modify_subnet_attribute(SubnetId=id, PrivateDnsHostnameTypeOnLaunch="ip-name")
        assert self.read_subnet(id)["PrivateDnsNameOptionsOnLaunch"]["HostnameType"] == "ip-name"
        return id

    def read_subnet(self, id: str) -> dict:
        return one(self.ec2.describe_subnets(SubnetIds=[id])["Subnets"])

    def delete_subnet(self, id: str):
        # What Lambda may have left behind is looked for first.
        lingering = self.ec2.describe_network_interfaces(Filters=filters(subnet_id=id, description="AWS Lambda VPC ENI*"))
        assert lingering["NetworkInterfaces"] == []
        self.ec2.delete_subnet(SubnetId=id)
        assert refused(self.ec2.describe_subnets, SubnetIds=[id])[0] == "InvalidSubnetID.NotFound"

    # aws_internet_gateway
    def create_gateway(self, vpc: str) -> str:
        id = self.ec2.create_internet_gateway(TagSpecifications=tags("main", "internet-gateway"))["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=id, VpcId=vpc)
        attachment = one(self.read_gateway(id)["Attachments"])
        assert (attachment["VpcId"], attachment["State"]) == (vpc, "available")
        return id

    def read_gateway(self, id: str) -> dict:
        return one(self.ec2.describe_internet_gateways(InternetGatewayIds=[id])["InternetGateways"])

    # aws_eip
    def create_address(self) -> str:
        id = self.ec2.allocate_address(Domain="vpc", TagSpecifications=tags("nat", "elastic-ip"))["AllocationId"]
        self.read_address(id)
        return id

    def read_address(self, id: str) -> dict:
        self.ec2.describe_addresses_attribute(AllocationIds=[id], Attribute="domain-name")
        return one(self.ec2.describe_addresses(AllocationIds=[id])["Addresses"])

    # aws_nat_gateway
    def read_nat(self, id: str) -> dict:
        return one(self.ec2.describe_nat_gateways(NatGatewayIds=[id])["NatGateways"])

    # aws_route_table, aws_route, aws_route_table_association
    def create_table(self, vpc: str, name: str) -> str:
        id = self.ec2.create_route_table(VpcId=vpc, TagSpecifications=tags(name, "route-table"))["RouteTable"]["RouteTableId"]
        assert self.read_table(id)["PropagatingVgws"] == []
        return id

    def read_table(self, id: str) -> dict:
        return one(self.ec2.describe_route_tables(RouteTableIds=[id])["RouteTables"])

    def default_route(self, table: str) -> dict:
        return one([route for route in self.read_table(table)["Routes"] if route.get("DestinationCidrBlock") == "0.0.0.0/0"])

    def associate(self, table: str, subnet: str) -> str:
        id = self.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"]
        assert self.read_association(id) == (table, subnet)
        return id

    def read_association(self, id: str) -> tuple[str, str]:
        wanted = filters(**{"association.route-table-association-id": id})
        table = one(self.ec2.describe_route_tables(Filters=wanted)["RouteTables"])
        association = one([a for a in table["Associations"] if a["RouteTableAssociationId"] == id])
        assert association["AssociationState"]["State"] == "associated"
        return table["RouteTableId"], association["SubnetId"]

    # aws_default_route_table, aws_default_security_group, aws_default_network_acl
    def adopt(self, vpc: str, subnets: list[str]):
        own = self.read_vpc(vpc)
        for route in self.read_table(own["table"])["Routes"]:
            assert route["GatewayId"] == "local", "a new main table has nothing that the provider would remove"
        group = one(self.ec2.describe_security_groups(Filters=filters(group_name="default", vpc_id=vpc))["SecurityGroups"])
        self.ec2.revoke_security_group_ingress(GroupId=own["group"], IpPermissions=group["IpPermissions"])
        self.ec2.revoke_security_group_egress(GroupId=own["group"], IpPermissions=group["IpPermissionsEgress"])
        acl = one(self.ec2.describe_network_acls(NetworkAclIds=[own["acl"]])["NetworkAcls"])
        for entry in acl["Entries"]:
            if entry["RuleNumber"] < 32767:
                self.ec2.delete_network_acl_entry(NetworkAclId=own["acl"], RuleNumber=entry["RuleNumber"], Egress=entry["Egress"])
        for egress in (False, True):
            rule = {"NetworkAclId": own["acl"], "Egress": egress, "Protocol": "-1", "RuleAction": "allow", "PortRange": {"From": 0, "To": 0}}
            self.ec2.create_network_acl_entry(**rule, RuleNumber=100, CidrBlock="0.0.0.0/0")
            self.ec2.create_network_acl_entry(**rule, RuleNumber=101, Ipv6CidrBlock="::/0")
        for subnet in subnets:
            holds = one(self.ec2.describe_network_acls(Filters=filters(**{"association.subnet-id": subnet}))["NetworkAcls"])
            assert holds["NetworkAclId"] == own["acl"]
        for id in (own["table"], own["group"], own["acl"]):
            self.ec2.create_tags(Resources=[id], Tags=[{"Key": "Name", "Value": "main-default"}])


class Module:
    """The module's resources in the order of their dependencies."""

    def __init__(self, ec2):
        self.ec2, self.provider = ec2, Provider(ec2)

    def apply(self):
        ec2, p = self.ec2, self.provider
        self.vpc = p.create_vpc()
        self.public = [p.create_subnet(self.vpc, f"10.40.10{n}.0/24", zone, f"public-{zone}", True) for n, zone in enumerate(ZONES)]
        self.private = [p.create_subnet(self.vpc, f"10.40.{n}.0/24", zone, f"private-{zone}", False) for n, zone in enumerate(ZONES)]
        p.adopt(self.vpc, self.public + self.private)
        self.gateway, self.address = p.create_gateway(self.vpc), p.create_address()
        self.tables = {kind: p.create_table(self.vpc, kind) for kind in ("public", "private")}
        self.associations = [p.associate(self.tables[kind], subnet)
                             for kind, subnets in (("public", self.public), ("private", self.private)) for subnet in subnets]
        ec2.create_route(RouteTableId=self.tables["public"], DestinationCidrBlock="0.0.0.0/0", GatewayId=self.gateway)
        self.nat = ec2.create_nat_gateway(
            ConnectivityType="public", AllocationId=self.address, SubnetId=self.public[0], ClientToken="terraform-1",
            TagSpecifications=tags("nat", "natgateway"))["NatGateway"]["NatGatewayId"]
        assert p.read_nat(self.nat)["State"] == "available"
        ec2.create_route(RouteTableId=self.tables["private"], DestinationCidrBlock="0.0.0.0/0", NatGatewayId=self.nat)
        self.group = ec2.create_security_group(
            GroupName="web-20260101", Description="Managed by Terraform", VpcId=self.vpc, TagSpecifications=tags("web", "security-group"))["GroupId"]
        ec2.revoke_security_group_egress(GroupId=self.group, IpPermissions=[EVERYTHING])
        ec2.authorize_security_group_egress(GroupId=self.group, IpPermissions=[EVERYTHING])
        ec2.authorize_security_group_ingress(GroupId=self.group, IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "web"}]} for port in (80, 443)])

    def read(self) -> dict:
        """A refresh: everything that a plan compares with what is wanted."""
        p = self.provider
        subnets = [p.read_subnet(id) for id in self.public + self.private]
        pages = self.ec2.get_paginator("describe_security_group_rules").paginate(
            Filters=filters(group_id=self.group), PaginationConfig={"PageSize": 1000})
        rules = [rule for page in pages for rule in page["SecurityGroupRules"]]
        nat = p.read_nat(self.nat)
        group = one(self.ec2.describe_security_groups(GroupIds=[self.group])["SecurityGroups"])
        acl = one(self.ec2.describe_network_acls(NetworkAclIds=[p.read_vpc(self.vpc)["acl"]])["NetworkAcls"])
        return {
            "vpc": p.read_vpc(self.vpc),
            "subnets": [(s["CidrBlock"], s["AvailabilityZone"], s["MapPublicIpOnLaunch"], s["AssignIpv6AddressOnCreation"], s["EnableDns64"], s["Tags"]) for s in subnets],
            "gateway": p.read_gateway(self.gateway), "nat": nat, "address": p.read_address(self.address)["PublicIp"],
            "tables": [p.read_table(id) for id in self.tables.values()],
            "routes": {kind: p.default_route(id) for kind, id in self.tables.items()},
            "associations": [p.read_association(id) for id in self.associations],
            "rules": sorted((r["IsEgress"], r["FromPort"], r["CidrIpv4"]) for r in rules), "group": group,
            "entries": [(e["RuleNumber"], e["Egress"], e["RuleAction"]) for e in acl["Entries"]], "covered": len(acl["Associations"])}

    def destroy(self):
        ec2, p = self.ec2, self.provider
        ec2.revoke_security_group_ingress(GroupId=self.group, IpPermissions=p.ec2.describe_security_groups(GroupIds=[self.group])["SecurityGroups"][0]["IpPermissions"])
        ec2.delete_security_group(GroupId=self.group)
        assert refused(ec2.describe_security_groups, GroupIds=[self.group])[0] == "InvalidGroup.NotFound"
        for table in self.tables.values():
            ec2.delete_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0")
            assert [route["GatewayId"] for route in p.read_table(table)["Routes"]] == ["local"]
        association = p.read_address(self.address)["AssociationId"]
        for id in self.associations:
            ec2.disassociate_route_table(AssociationId=id)
            assert ec2.describe_route_tables(Filters=filters(**{"association.route-table-association-id": id}))["RouteTables"] == []
        ec2.delete_nat_gateway(NatGatewayId=self.nat)
        assert p.read_nat(self.nat)["State"] == "deleted"
        # From what it read before the gateway went; both answers mean to the provider that it is done.
        assert refused(ec2.disassociate_address, AssociationId=association)[0] == "InvalidAssociationID.NotFound"
        ec2.release_address(AllocationId=self.address)
        assert refused(ec2.describe_addresses, AllocationIds=[self.address])[0] == "InvalidAllocationID.NotFound"
        for table in self.tables.values():
            ec2.delete_route_table(RouteTableId=table)
            assert refused(ec2.describe_route_tables, RouteTableIds=[table])[0] == "InvalidRouteTableID.NotFound"
        ec2.detach_internet_gateway(InternetGatewayId=self.gateway, VpcId=self.vpc)
        assert p.read_gateway(self.gateway)["Attachments"] == []
        ec2.delete_internet_gateway(InternetGatewayId=self.gateway)
        assert refused(ec2.describe_internet_gateways, InternetGatewayIds=[self.gateway])[0] == "InvalidInternetGatewayID.NotFound"
        for subnet in self.public + self.private:
            p.delete_subnet(subnet)
        ec2.delete_vpc(VpcId=self.vpc)
        assert refused(ec2.describe_vpcs, VpcIds=[self.vpc])[0] == "InvalidVpcID.NotFound"


def test_the_usual_vpc_module_is_created_refreshed_without_a_difference_and_destroyed(ec2):
    before = {kind: len(call()[kind]) for kind, call in (
        ("Vpcs", ec2.describe_vpcs), ("Subnets", ec2.describe_subnets), ("RouteTables", ec2.describe_route_tables),
        ("NetworkInterfaces", ec2.describe_network_interfaces), ("Addresses", ec2.describe_addresses), ("Tags", ec2.describe_tags))}
    module = Module(ec2)
    module.apply()
    found = module.read()
    assert module.read() == found, "a second refresh sees what the first saw"
    assert found["vpc"]["attributes"] == [True, True, False]
    assert [subnet[2] for subnet in found["subnets"]] == [True, True, False, False]
    assert (found["routes"]["public"]["GatewayId"], found["routes"]["private"]["NatGatewayId"]) == (module.gateway, module.nat)
    assert {route["State"] for route in found["routes"].values()} == {"active"}
    assert found["rules"] == [(False, 80, "0.0.0.0/0"), (False, 443, "0.0.0.0/0"), (True, -1, "0.0.0.0/0")]
    assert found["covered"] == 4 and {(100, False, "allow"), (101, False, "allow"), (101, True, "allow")} <= set(found["entries"])
    assert found["nat"]["NatGatewayAddresses"][0]["PublicIp"] == found["address"]
    module.destroy()
    after = {kind: len(call()[kind]) for kind, call in (
        ("Vpcs", ec2.describe_vpcs), ("Subnets", ec2.describe_subnets), ("RouteTables", ec2.describe_route_tables),
        ("NetworkInterfaces", ec2.describe_network_interfaces), ("Addresses", ec2.describe_addresses))}
    assert after == {kind: count for kind, count in before.items() if kind != "Tags"}
    # The gateway that was deleted is still shown, with its tags.
    assert {tag["ResourceId"] for tag in ec2.describe_tags(Filters=filters(key="Terraform"))["Tags"]} == {module.nat}
