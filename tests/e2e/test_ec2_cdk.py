"""The calls of the CDK's `Vpc.fromLookup`: what its VPC context provider asks, and what it makes of the answers. From what
the CDK's documentation and source say."""

from __future__ import annotations

from ec2 import filters, refused

ZONES = ("us-east-1a", "us-east-1b")
KINDS = ("Public", "Private", "Isolated")


def looked_up(ec2, **wanted) -> dict:
    """What the context provider writes into cdk.context.json: one VPC, its subnets by group, its VPN gateway."""
    found = ec2.describe_vpcs(Filters=filters(**wanted))["Vpcs"]
    assert len(found) == 1, found
    [vpc] = found
    of_vpc = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
    tables = ec2.describe_route_tables(Filters=of_vpc)["RouteTables"]
    [main] = [table for table in tables if any(one.get("Main") for one in table["Associations"])]

    def table_of(subnet: str) -> dict:
        own = [table for table in tables if any(one.get("SubnetId") == subnet for one in table["Associations"])]
        return own[0] if own else main

    def kind(subnet: dict) -> str:
        tags = {tag["Key"]: tag["Value"] for tag in subnet.get("Tags", [])}
        routes = table_of(subnet["SubnetId"])["Routes"]
        if "aws-cdk:subnet-type" in tags:
            return tags["aws-cdk:subnet-type"]
        if subnet["MapPublicIpOnLaunch"] or any(route.get("GatewayId", "").startswith("igw-") for route in routes):
            return "Public"
        if any(route.get("NatGatewayId") or route.get("TransitGatewayId") for route in routes):
            return "Private"
        return "Isolated"

    groups: dict[str, list[dict]] = {}
    for subnet in ec2.describe_subnets(Filters=of_vpc)["Subnets"]:
        of = {"subnet": subnet["SubnetId"], "zone": subnet["AvailabilityZone"], "cidr": subnet["CidrBlock"],
              "table": table_of(subnet["SubnetId"])["RouteTableId"]}
        groups.setdefault(kind(subnet), []).append(of)
    for subnets in groups.values():
        subnets.sort(key=lambda of: of["zone"])
    gateways = ec2.describe_vpn_gateways(Filters=filters(**{
        "attachment.vpc-id": vpc["VpcId"], "attachment.state": "attached", "state": "available"}))["VpnGateways"]
    return {"vpc": vpc["VpcId"], "cidr": vpc["CidrBlock"], "owner": vpc["OwnerId"], "groups": groups,
            "gateway": gateways[0]["VpnGatewayId"] if len(gateways) == 1 else None}


def test_a_vpc_is_found_by_its_tags_with_each_of_its_subnets_in_its_group(ec2):
    vpc = ec2.create_vpc(CidrBlock="10.45.0.0/16", TagSpecifications=[
        {"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": "looked-up"}]}])["Vpc"]["VpcId"]
    wanted: dict[str, list[dict]] = {}
    tables = {kind: ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"] for kind in KINDS}
    for at, kind in enumerate(KINDS):
        for number, zone in enumerate(ZONES):
            cidr = f"10.45.{at * 8 + number}.0/24"
            id = ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=zone)["Subnet"]["SubnetId"]
            ec2.associate_route_table(RouteTableId=tables[kind], SubnetId=id)
            wanted.setdefault(kind, []).append({"subnet": id, "zone": zone, "cidr": cidr, "table": tables[kind]})
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.create_route(RouteTableId=tables["Public"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(AllocationId=address, SubnetId=wanted["Public"][0]["subnet"])["NatGateway"]["NatGatewayId"]
    ec2.create_route(RouteTableId=tables["Private"], DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
    found = looked_up(ec2, **{"tag:Name": "looked-up", "is-default": "false"})
    assert (found["vpc"], found["cidr"], found["gateway"]) == (vpc, "10.45.0.0/16", None)
    assert found["groups"] == wanted
    # Vpc.fromLookup({ isDefault: true }): its subnets have the main table.
    default = looked_up(ec2, is_default="true")
    assert default["cidr"] == "172.31.0.0/16" and list(default["groups"]) == ["Public"]
    assert [of["zone"] for of in default["groups"]["Public"]] == ["us-east-1a", "us-east-1b", "us-east-1c"]


def test_there_are_no_virtual_private_gateways_and_asking_is_checked(ec2):
    assert ec2.describe_vpn_gateways()["VpnGateways"] == []
    every = {name: "x" for name in ("amazon-side-asn", "attachment.state", "attachment.vpc-id", "availability-zone", "state", "type",
                                    "vpn-gateway-id", "tag:Name", "tag-key")}
    assert ec2.describe_vpn_gateways(Filters=filters(**every))["VpnGateways"] == []
    assert refused(ec2.describe_vpn_gateways, Filters=filters(owner="x")) == (
        "InvalidParameterValue", "The filter 'owner' is invalid")
    assert refused(ec2.describe_vpn_gateways, VpnGatewayIds=["vgw-0123456789abcdef0"]) == (
        "InvalidVpnGatewayID.NotFound", "The vpnGateway ID 'vgw-0123456789abcdef0' does not exist")
    assert refused(ec2.describe_vpn_gateways, VpnGatewayIds=["x"])[0] == "InvalidVpnGatewayID.Malformed"
    assert refused(ec2.describe_vpn_gateways, DryRun=True)[0] == "DryRunOperation"
