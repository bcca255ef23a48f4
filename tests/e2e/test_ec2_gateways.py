"""NAT gateways, egress-only gateways and network ACLs, through EC2's API."""

from __future__ import annotations

import pytest
from ec2 import filters, named, refused
from harness import eventually
from vpc import default_subnet, hello, network


@pytest.fixture
def vpc(ec2):
    """A VPC with a subnet, an attached gateway and a route to it; only the VPC's own things are removed."""
    id = ec2.create_vpc(CidrBlock="10.9.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    yield {"id": id, "gateway": gateway, "subnet": ec2.create_subnet(VpcId=id, CidrBlock="10.9.0.0/24")["Subnet"]["SubnetId"]}
    [subnet] = [one["SubnetId"] for one in ec2.describe_subnets(Filters=filters(vpc_id=id))["Subnets"]]
    ec2.delete_subnet(SubnetId=subnet)
    if ec2.describe_internet_gateways(InternetGatewayIds=[gateway])["InternetGateways"][0]["Attachments"]:
        ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=id)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)
    ec2.delete_vpc(VpcId=id)


def shown(ec2, nat: str) -> dict:
    return ec2.describe_nat_gateways(NatGatewayIds=[nat])["NatGateways"][0]


def test_a_nat_gateway_has_an_interface_and_an_elastic_address_and_leads_out_while_it_is(ec2, vpc):
    address = ec2.allocate_address(Domain="vpc")
    allocation = address["AllocationId"]
    early = ec2.create_nat_gateway(SubnetId=vpc["subnet"], AllocationId=allocation)["NatGateway"]
    assert early["State"] == "pending"
    failed = shown(ec2, early["NatGatewayId"])
    assert (failed["State"], failed["FailureCode"], failed["FailureMessage"]) == (
        "failed", "Gateway.NotAttached", f"Network {vpc['id']} has no Internet gateway attached")
    ec2.attach_internet_gateway(InternetGatewayId=vpc["gateway"], VpcId=vpc["id"])
    asked = {"SubnetId": vpc["subnet"], "AllocationId": allocation, "ClientToken": "once",
             "TagSpecifications": named("out", "natgateway")}
    nat = ec2.create_nat_gateway(**asked)["NatGateway"]["NatGatewayId"]
    assert ec2.create_nat_gateway(**asked)["NatGateway"]["NatGatewayId"] == nat
    ec2.get_waiter("nat_gateway_available").wait(NatGatewayIds=[nat])
    [found] = ec2.describe_nat_gateways(Filter=[*filters(vpc_id=vpc["id"], state="available"), {"Name": "tag:Name", "Values": ["out"]}])["NatGateways"]
    [own] = found["NatGatewayAddresses"]
    assert (found["NatGatewayId"], found["ConnectivityType"], own["AllocationId"], own["PublicIp"], own["IsPrimary"]) == (
        nat, "public", allocation, address["PublicIp"], True)
    [interface] = ec2.describe_network_interfaces(NetworkInterfaceIds=[own["NetworkInterfaceId"]])["NetworkInterfaces"]
    assert (interface["InterfaceType"], interface["PrivateIpAddress"], interface["RequesterManaged"], interface["Status"]) == (
        "nat_gateway", own["PrivateIp"], True, "in-use")
    assert interface["Description"] == f"Interface for NAT Gateway {nat}" and interface["Association"]["PublicIp"] == address["PublicIp"]
    again = ec2.create_nat_gateway(SubnetId=vpc["subnet"], AllocationId=allocation)["NatGateway"]["NatGatewayId"]
    assert shown(ec2, again)["FailureCode"] == "Resource.AlreadyAssociated"
    # What it uses is nobody else's.
    for call, arguments, code in (
        (ec2.disassociate_address, {"AssociationId": own["AssociationId"]}, "AuthFailure"),
        (ec2.release_address, {"AllocationId": allocation}, "InvalidIPAddress.InUse"),
        (ec2.delete_network_interface, {"NetworkInterfaceId": own["NetworkInterfaceId"]}, "OperationNotPermitted"),
        (ec2.delete_subnet, {"SubnetId": vpc["subnet"]}, "DependencyViolation"),
        (ec2.detach_internet_gateway, {"InternetGatewayId": vpc["gateway"], "VpcId": vpc["id"]}, "DependencyViolation"),
    ):
        assert refused(call, **arguments)[0] == code, call
    table = ec2.create_route_table(VpcId=vpc["id"])["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
    route = lambda: ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"][-1]
    assert (route()["NatGatewayId"], route()["State"]) == (nat, "active")
    assert ec2.delete_nat_gateway(NatGatewayId=nat)["NatGatewayId"] == nat
    ec2.get_waiter("nat_gateway_deleted").wait(NatGatewayIds=[nat])
    assert route()["State"] == "blackhole"
    assert refused(ec2.create_route, RouteTableId=table, DestinationCidrBlock="10.0.0.0/8", NatGatewayId=nat) == (
        "InvalidNatGatewayID.NotFound", f"The natGateway ID '{nat}' does not exist")
    ec2.delete_route_table(RouteTableId=table)
    ec2.release_address(AllocationId=allocation)


def test_an_address_is_given_again_when_the_hosts_translate_it_no_more(longshore, ec2):
    subnet = default_subnet(longshore)
    task, = longshore.start(hello(longshore, "beside-nat"), networkConfiguration=network(subnet["SubnetId"]))
    longshore.wait(task, "RUNNING")
    one = ec2.allocate_address(Domain="vpc")
    nat = ec2.create_nat_gateway(AllocationId=one["AllocationId"], SubnetId=subnet["SubnetId"])["NatGateway"]["NatGatewayId"]
    ec2.delete_nat_gateway(NatGatewayId=nat)
    ec2.release_address(AllocationId=one["AllocationId"])
    assert refused(ec2.describe_addresses, AllocationIds=[one["AllocationId"]])[0] == "InvalidAllocationID.NotFound"

    def given_again() -> bool:
        next = ec2.allocate_address(Domain="vpc")
        ec2.release_address(AllocationId=next["AllocationId"])
        return next["PublicIp"] == one["PublicIp"]

    # The host confirms that it has applied what it was told; the lowest free address is the next one given.
    eventually(given_again, f"{one['PublicIp']} to be free")
    longshore.ecs.stop_task(task=task)
    longshore.wait(task, "STOPPED")


def test_a_private_nat_gateway_and_what_is_refused(ec2, vpc):
    subnet = {"SubnetId": vpc["subnet"]}
    nat = ec2.create_nat_gateway(ConnectivityType="private", PrivateIpAddress="10.9.0.77", **subnet)["NatGateway"]
    [own] = shown(ec2, nat["NatGatewayId"])["NatGatewayAddresses"]
    assert own["PrivateIp"] == "10.9.0.77" and "PublicIp" not in own
    before = len(ec2.describe_nat_gateways(Filter=filters(vpc_id=vpc["id"]))["NatGateways"])
    for arguments, code in (
        ({}, "MissingParameter"),
        ({"AllocationId": "eipalloc-0"}, "InvalidAllocationID.NotFound"),
        ({"AllocationId": "nonsense"}, "InvalidAllocationID.Malformed"),
        ({"ConnectivityType": "secret"}, "InvalidParameterValue"),
        ({"ConnectivityType": "private", "PrivateIpAddress": "10.9.0.77"}, "InvalidIPAddress.InUse"),
        ({"ConnectivityType": "private", "PrivateIpAddress": "10.8.0.7"}, "InvalidParameterValue"),
        ({"ConnectivityType": "private", "SecondaryPrivateIpAddressCount": 2}, "UnsupportedOperation"),
    ):
        assert refused(ec2.create_nat_gateway, **subnet, **arguments)[0] == code, arguments
    assert refused(ec2.create_nat_gateway, SubnetId="subnet-0", ConnectivityType="private")[0] == "InvalidSubnetID.NotFound"
    assert refused(ec2.describe_nat_gateways, NatGatewayIds=["nat-0"])[0] == "NatGatewayNotFound"
    assert refused(ec2.delete_nat_gateway, NatGatewayId="nat-0")[0] == "NatGatewayNotFound"
    assert len(ec2.describe_nat_gateways(Filter=filters(vpc_id=vpc["id"]))["NatGateways"]) == before
    ec2.delete_nat_gateway(NatGatewayId=nat["NatGatewayId"])
    assert ec2.describe_subnets(SubnetIds=[vpc["subnet"]])["Subnets"][0]["AvailableIpAddressCount"] == 251


def test_an_egress_only_gateway(ec2, vpc):
    made = ec2.create_egress_only_internet_gateway(
        VpcId=vpc["id"], TagSpecifications=named("six", "egress-only-internet-gateway"))["EgressOnlyInternetGateway"]
    gateway = made["EgressOnlyInternetGatewayId"]
    assert made["Attachments"] == [{"State": "attached", "VpcId": vpc["id"]}]
    [found] = ec2.describe_egress_only_internet_gateways(EgressOnlyInternetGatewayIds=[gateway])["EgressOnlyInternetGateways"]
    assert found == made
    table = ec2.create_route_table(VpcId=vpc["id"])["RouteTable"]["RouteTableId"]
    six = {"RouteTableId": table, "DestinationIpv6CidrBlock": "::/0"}
    ec2.create_route(EgressOnlyInternetGatewayId=gateway, **six)
    assert refused(ec2.create_route, RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", EgressOnlyInternetGatewayId=gateway)[0] == "InvalidParameterValue"
    assert refused(ec2.delete_vpc, VpcId=vpc["id"])[0] == "DependencyViolation"
    ec2.delete_egress_only_internet_gateway(EgressOnlyInternetGatewayId=gateway)
    assert ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"][-1]["State"] == "blackhole"
    # Others' calls refuse an id that is gone; this one leaves it out.
    assert ec2.describe_egress_only_internet_gateways(EgressOnlyInternetGatewayIds=[gateway])["EgressOnlyInternetGateways"] == []
    assert refused(ec2.describe_egress_only_internet_gateways, EgressOnlyInternetGatewayIds=["vpc-1"])[0] == "InvalidEgressOnlyInternetGatewayId.Malformed"
    assert refused(ec2.delete_egress_only_internet_gateway, EgressOnlyInternetGatewayId=gateway)[0] == "InvalidGatewayID.NotFound"
    ec2.delete_route_table(RouteTableId=table)


def test_a_network_acl_from_its_making_to_its_end(ec2, vpc):
    acl = ec2.create_network_acl(VpcId=vpc["id"], TagSpecifications=named("strict", "network-acl"))["NetworkAcl"]
    id = acl["NetworkAclId"]
    assert not acl["IsDefault"] and acl["Associations"] == []
    assert {entry["RuleAction"] for entry in acl["Entries"]} == {"deny"}
    http = {"NetworkAclId": id, "RuleNumber": 100, "Protocol": "6", "RuleAction": "allow", "Egress": False,
            "CidrBlock": "10.0.0.0/8", "PortRange": {"From": 80, "To": 81}}
    ec2.create_network_acl_entry(**http)
    ec2.create_network_acl_entry(**{**http, "RuleNumber": 90, "Protocol": "icmp", "IcmpTypeCode": {"Type": 8, "Code": -1}})
    ec2.create_network_acl_entry(**{**http, "Egress": True})
    assert refused(ec2.create_network_acl_entry, **http) == (
        "NetworkAclEntryAlreadyExists", "The network acl entry identified by 100 already exists.")
    ec2.replace_network_acl_entry(**{**http, "RuleAction": "deny"})
    entries = lambda: [
        (entry["RuleNumber"], entry["Egress"], entry["RuleAction"], entry["Protocol"])
        for entry in ec2.describe_network_acls(NetworkAclIds=[id])["NetworkAcls"][0]["Entries"] if entry["RuleNumber"] < 32767]
    before = entries()
    assert before == [(90, False, "allow", "1"), (100, False, "deny", "6"), (100, True, "allow", "6")]
    for change, code in (
        ({"RuleNumber": 0}, "InvalidParameterValue"), ({"RuleNumber": 32767}, "InvalidParameterValue"),
        ({"RuleNumber": -1}, "InvalidParameterValue"), ({"RuleNumber": 1, "CidrBlock": "10.0.0.0/33"}, "InvalidParameterValue"),
        ({"RuleNumber": 1, "Protocol": "300"}, "InvalidParameterValue"), ({"RuleNumber": 1, "RuleAction": "maybe"}, "InvalidParameterValue"),
        ({"RuleNumber": 1, "PortRange": {"From": 9, "To": 8}}, "InvalidParameterValue"),
        ({"RuleNumber": 1, "PortRange": {"From": 0, "To": 65536}}, "InvalidParameterValue"),
        ({"RuleNumber": 1, "PortRange": {}}, "MissingParameter"),
        ({"RuleNumber": 1, "Ipv6CidrBlock": "::/0"}, "InvalidParameterCombination"),
        ({"RuleNumber": 1, "Protocol": "1"}, "MissingParameter"),
        ({"NetworkAclId": "acl-0"}, "InvalidNetworkAclID.NotFound"), ({"NetworkAclId": "x"}, "InvalidNetworkAclId.Malformed"),
    ):
        assert refused(ec2.create_network_acl_entry, **{**http, **change})[0] == code, change
    assert refused(ec2.replace_network_acl_entry, **{**http, "RuleNumber": 7})[0] == "InvalidNetworkAclEntry.NotFound"
    assert refused(ec2.delete_network_acl_entry, NetworkAclId=id, RuleNumber=7, Egress=True)[0] == "InvalidNetworkAclEntry.NotFound"
    assert entries() == before
    for number in range(200, 217):
        ec2.create_network_acl_entry(**{**http, "RuleNumber": number})
    assert refused(ec2.create_network_acl_entry, **{**http, "RuleNumber": 300})[0] == "NetworkAclEntryLimitExceeded"
    [default] = ec2.describe_network_acls(Filters=filters(vpc_id=vpc["id"], default="true"))["NetworkAcls"]
    [own] = default["Associations"]
    made = ec2.replace_network_acl_association(AssociationId=own["NetworkAclAssociationId"], NetworkAclId=id)["NewAssociationId"]
    [found] = ec2.describe_network_acls(Filters=filters(**{"association.subnet-id": vpc["subnet"]}))["NetworkAcls"]
    assert (found["NetworkAclId"], found["Associations"][0]["NetworkAclAssociationId"]) == (id, made)
    assert refused(ec2.delete_network_acl, NetworkAclId=id)[0] == "DependencyViolation"
    assert refused(ec2.delete_network_acl, NetworkAclId=default["NetworkAclId"])[0] == "InvalidParameterValue"
    [other] = ec2.describe_network_acls(Filters=filters(default="true", vpc_id=ec2.describe_vpcs(Filters=filters(is_default="true"))["Vpcs"][0]["VpcId"]))["NetworkAcls"]
    assert refused(ec2.replace_network_acl_association, AssociationId=made, NetworkAclId=other["NetworkAclId"])[0] == "InvalidParameterValue"
    assert refused(ec2.replace_network_acl_association, AssociationId="aclassoc-0", NetworkAclId=id)[0] == "InvalidAssociationID.NotFound"
    ec2.replace_network_acl_association(AssociationId=made, NetworkAclId=default["NetworkAclId"])
    assert refused(ec2.delete_vpc, VpcId=vpc["id"])[0] == "DependencyViolation"
    ec2.delete_network_acl(NetworkAclId=id)
    assert refused(ec2.describe_network_acls, NetworkAclIds=[id])[0] == "InvalidNetworkAclID.NotFound"


def test_a_prefix_list_its_versions_and_who_names_it(ec2, vpc):
    made = ec2.create_managed_prefix_list(
        PrefixListName="office", AddressFamily="IPv4", MaxEntries=3, TagSpecifications=named("o", "prefix-list"),
        Entries=[{"Cidr": "10.7.0.0/16", "Description": "one"}])["PrefixList"]
    id = made["PrefixListId"]
    assert (made["State"], made["Version"], made["MaxEntries"]) == ("create-in-progress", 1, 3)
    describe = lambda: ec2.describe_managed_prefix_lists(PrefixListIds=[id])["PrefixLists"][0]
    assert describe()["State"] == "create-complete" and describe()["PrefixListArn"].endswith(f":prefix-list/{id}")
    entries = lambda **of: [entry["Cidr"] for entry in ec2.get_managed_prefix_list_entries(PrefixListId=id, **of)["Entries"]]
    ec2.modify_managed_prefix_list(PrefixListId=id, CurrentVersion=1, AddEntries=[{"Cidr": "10.6.0.0/16"}])
    assert entries() == ["10.6.0.0/16", "10.7.0.0/16"] and entries(TargetVersion=1) == ["10.7.0.0/16"]
    modify = lambda **of: refused(ec2.modify_managed_prefix_list, **{"PrefixListId": id, "CurrentVersion": 2, **of})
    assert modify(CurrentVersion=1, AddEntries=[{"Cidr": "10.5.0.0/16"}]) == (
        "PrefixListVersionMismatch", "The prefix list has the incorrect version number.")
    for change, code in (
        ({"AddEntries": [{"Cidr": f"10.{n}.0.0/16"} for n in range(2)]}, "PrefixListMaxEntriesExceeded"),
        ({"AddEntries": [{"Cidr": "fd00::/8"}]}, "InvalidParameterValue"), ({"AddEntries": [{"Cidr": "x"}]}, "InvalidParameterValue"),
        ({"AddEntries": [{"Cidr": f"10.0.{n}.0/24"} for n in range(101)]}, "RequestLimitExceeded"),
        ({"RemoveEntries": [{"Cidr": "10.1.0.0/16"}]}, "InvalidPrefixListModification"),
        ({"MaxEntries": 1}, "InvalidParameterValue"), ({"MaxEntries": 0}, "InvalidParameterValue"),
        ({"PrefixListId": "pl-0"}, "InvalidPrefixListID.NotFound"), ({"PrefixListId": "pl-63a5400a"}, "OperationNotPermitted"),
        ({"PrefixListName": "com.amazonaws.mine"}, "InvalidParameterValue"),
    ):
        assert modify(**change)[0] == code, change
    assert entries() == ["10.6.0.0/16", "10.7.0.0/16"] and describe()["Version"] == 2
    group = ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc["id"])["GroupId"]
    by_list = [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "PrefixListIds": [{"PrefixListId": id}]}]
    [rule] = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=by_list)["SecurityGroupRules"]
    assert rule["PrefixListId"] == id
    assert refused(ec2.delete_managed_prefix_list, PrefixListId=id)[0] == "DependencyViolation"
    # A list counts for as many rules as it may have entries.
    ports = [{"IpProtocol": "tcp", "FromPort": n, "ToPort": n, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]} for n in range(1, 59)]
    assert refused(ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=ports)[0] == "RulesPerSecurityGroupLimitExceeded"
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=ports[:57])
    ec2.delete_security_group(GroupId=group)
    ec2.delete_managed_prefix_list(PrefixListId=id)
    assert refused(ec2.describe_managed_prefix_lists, PrefixListIds=[id])[0] == "InvalidPrefixListID.NotFound"
    [s3] = ec2.describe_prefix_lists(Filters=filters(prefix_list_name="com.amazonaws.us-east-1.s3"))["PrefixLists"]
    [same] = ec2.describe_managed_prefix_lists(Filters=filters(owner_id="AWS", prefix_list_id=s3["PrefixListId"]))["PrefixLists"]
    assert same["PrefixListName"] == "com.amazonaws.us-east-1.s3"


def test_endpoints_of_both_kinds(ec2, vpc):
    [service] = ec2.describe_vpc_endpoint_services(Filters=filters(service_name="com.amazonaws.us-east-1.s3", service_type="Gateway"))["ServiceDetails"]
    assert service["Owner"] == "amazon" and service["ServiceType"] == [{"ServiceType": "Gateway"}]
    table = ec2.create_route_table(VpcId=vpc["id"])["RouteTable"]["RouteTableId"]
    made = ec2.create_vpc_endpoint(VpcId=vpc["id"], ServiceName=service["ServiceName"], RouteTableIds=[table])["VpcEndpoint"]
    gateway = made["VpcEndpointId"]
    assert (made["State"], made["VpcEndpointType"], made["RouteTableIds"]) == ("available", "Gateway", [table])
    routes = lambda: ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
    assert (routes()[-1]["DestinationPrefixListId"], routes()[-1]["GatewayId"], routes()[-1]["State"]) == ("pl-63a5400a", gateway, "active")
    assert refused(ec2.delete_route, RouteTableId=table, DestinationPrefixListId="pl-63a5400a")[0] == "InvalidParameterValue"
    assert refused(ec2.create_vpc_endpoint, VpcId=vpc["id"], ServiceName=service["ServiceName"], RouteTableIds=[table])[0] == "RouteAlreadyExists"
    assert refused(ec2.create_vpc_endpoint, VpcId=vpc["id"], ServiceName="com.amazonaws.us-east-1.nothing")[0] == "InvalidServiceName"
    assert refused(ec2.modify_vpc_endpoint, VpcEndpointId=gateway, AddSubnetIds=[vpc["subnet"]])[0] == "InvalidParameter"
    ec2.modify_vpc_endpoint(VpcEndpointId=gateway, RemoveRouteTableIds=[table])
    assert len(routes()) == 2
    group = ec2.create_security_group(GroupName="e", Description="d", VpcId=vpc["id"])["GroupId"]
    logs = ec2.create_vpc_endpoint(
        VpcId=vpc["id"], ServiceName="com.amazonaws.us-east-1.logs", VpcEndpointType="Interface", SubnetIds=[vpc["subnet"]],
        SecurityGroupIds=[group], TagSpecifications=named("logs", "vpc-endpoint"))["VpcEndpoint"]["VpcEndpointId"]
    [found] = ec2.describe_vpc_endpoints(Filters=[*filters(vpc_id=vpc["id"]), {"Name": "tag:Name", "Values": ["logs"]}])["VpcEndpoints"]
    assert (found["VpcEndpointId"], found["State"], found["SubnetIds"]) == (logs, "available", [vpc["subnet"]])
    [eni] = ec2.describe_network_interfaces(NetworkInterfaceIds=found["NetworkInterfaceIds"])["NetworkInterfaces"]
    assert (eni["InterfaceType"], eni["Groups"][0]["GroupId"], eni["Description"]) == ("vpc_endpoint", group, f"VPC Endpoint Interface {logs}")
    assert refused(ec2.delete_security_group, GroupId=group)[0] == "DependencyViolation"
    assert refused(ec2.delete_vpc, VpcId=vpc["id"])[0] == "DependencyViolation"
    left = ec2.delete_vpc_endpoints(VpcEndpointIds=[gateway, logs, "vpce-0"])["Unsuccessful"]
    assert [(one["ResourceId"], one["Error"]["Code"]) for one in left] == [("vpce-0", "InvalidVpcEndpoint.NotFound")]
    assert refused(ec2.describe_vpc_endpoints, VpcEndpointIds=[logs])[0] == "InvalidVpcEndpointId.NotFound"
    assert ec2.describe_network_interfaces(Filters=filters(vpc_id=vpc["id"]))["NetworkInterfaces"] == []
    ec2.delete_security_group(GroupId=group)
    ec2.delete_route_table(RouteTableId=table)
