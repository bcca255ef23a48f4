"""EC2's networking API against the real program: boto3 and the AWS CLI."""

from __future__ import annotations

import json

import boto3
import pytest
from ec2 import filters, named, refused


def test_a_region_has_a_default_vpc_with_a_subnet_in_each_zone(ec2):
    [vpc] = ec2.describe_vpcs(Filters=filters(is_default="true"))["Vpcs"]
    assert (vpc["CidrBlock"], vpc["State"], vpc["IsDefault"]) == ("172.31.0.0/16", "available", True)
    assert vpc["CidrBlockAssociationSet"][0]["CidrBlockState"] == {"State": "associated"}
    subnets = ec2.describe_subnets(Filters=filters(vpc_id=vpc["VpcId"]))["Subnets"]
    zones = {zone["ZoneName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]}
    assert {subnet["AvailabilityZone"] for subnet in subnets} == zones and len(zones) == 3
    for subnet in subnets:
        assert subnet["DefaultForAz"] and subnet["MapPublicIpOnLaunch"]
        assert subnet["AvailableIpAddressCount"] == 4091 and subnet["CidrBlock"].endswith("/20")
    [group] = ec2.describe_security_groups(Filters=filters(vpc_id=vpc["VpcId"]))["SecurityGroups"]
    assert group["GroupName"] == "default"
    assert group["IpPermissions"][0]["UserIdGroupPairs"][0]["GroupId"] == group["GroupId"]
    assert group["IpPermissionsEgress"][0]["IpRanges"] == [{"CidrIp": "0.0.0.0/0"}]
    assert "us-east-1" in [region["RegionName"] for region in ec2.describe_regions()["Regions"]]
    attributes = ec2.describe_account_attributes(AttributeNames=["default-vpc"])["AccountAttributes"]
    assert attributes[0]["AttributeValues"] == [{"AttributeValue": vpc["VpcId"]}]
    assert refused(ec2.create_default_vpc)[0] == "DefaultVpcAlreadyExists"


@pytest.fixture
def vpc(ec2):
    """A VPC of a test's own; the test removes what it puts into it."""
    made = ec2.create_vpc(CidrBlock="10.1.0.7/16", TagSpecifications=named("own", "vpc"))["Vpc"]
    assert (made["State"], made["CidrBlock"]) == ("pending", "10.1.0.0/16")
    yield made["VpcId"]
    ec2.delete_vpc(VpcId=made["VpcId"])
    expected = ("InvalidVpcID.NotFound", f"The vpc ID '{made['VpcId']}' does not exist")
    assert refused(ec2.describe_vpcs, VpcIds=[made["VpcId"]]) == expected
    left = ec2.describe_security_groups(Filters=filters(vpc_id=made["VpcId"]))["SecurityGroups"]
    assert left == [] and ec2.describe_tags(Filters=filters(resource_id=made["VpcId"]))["Tags"] == []


def test_a_vpc_with_its_subnets_as_terraform_makes_and_reads_them(ec2, vpc):
    ec2.get_waiter("vpc_available").wait(VpcIds=[vpc])
    for name, attribute in (("enableDnsHostnames", "EnableDnsHostnames"), ("enableDnsSupport", "EnableDnsSupport")):
        for value in (True, False):
            ec2.modify_vpc_attribute(VpcId=vpc, **{attribute: {"Value": value}})
            assert ec2.describe_vpc_attribute(VpcId=vpc, Attribute=name)[attribute] == {"Value": value}
    subnets = []
    for index, zone in enumerate(("us-east-1a", "us-east-1b")):
        subnet = ec2.create_subnet(
            VpcId=vpc, CidrBlock=f"10.1.{index}.0/24", AvailabilityZone=zone,
            TagSpecifications=named(f"s{index}", "subnet"))["Subnet"]
        assert subnet["AvailableIpAddressCount"] == 251 and not subnet["MapPublicIpOnLaunch"]
        ec2.modify_subnet_attribute(SubnetId=subnet["SubnetId"], MapPublicIpOnLaunch={"Value": True})
        subnets.append(subnet["SubnetId"])
    found = ec2.describe_subnets(SubnetIds=subnets)["Subnets"]
    assert all(subnet["MapPublicIpOnLaunch"] for subnet in found)
    assert refused(ec2.create_subnet, VpcId=vpc, CidrBlock="10.1.1.0/28") == (
        "InvalidSubnet.Conflict", "The CIDR '10.1.1.0/28' conflicts with another subnet")
    assert refused(ec2.create_subnet, VpcId=vpc, CidrBlock="10.2.0.0/24") == (
        "InvalidSubnet.Range", "The CIDR '10.2.0.0/24' is invalid.")
    assert refused(ec2.create_subnet, VpcId=vpc, CidrBlock="10.1.9.0/24", AvailabilityZone="us-east-1z")[0] == "InvalidParameterValue"
    assert refused(ec2.delete_vpc, VpcId=vpc) == (
        "DependencyViolation", f"The vpc '{vpc}' has dependencies and cannot be deleted.")
    more = ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="10.7.0.0/16")["CidrBlockAssociation"]
    ec2.disassociate_vpc_cidr_block(AssociationId=more["AssociationId"])
    for subnet in subnets:
        ec2.delete_subnet(SubnetId=subnet)
    assert refused(ec2.delete_subnet, SubnetId=subnets[0])[0] == "InvalidSubnetID.NotFound"


def test_rules_of_both_generations_of_the_api(ec2, vpc):
    make = lambda name: ec2.create_security_group(GroupName=name, Description="d", VpcId=vpc)["GroupId"]
    web, data = make("web"), make("data")
    assert refused(ec2.create_security_group, GroupName="web", Description="d", VpcId=vpc) == (
        "InvalidGroup.Duplicate", f"The security group 'web' already exists for VPC '{vpc}'")
    http = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "all"}]}
    [rule] = ec2.authorize_security_group_ingress(GroupId=web, IpPermissions=[http])["SecurityGroupRules"]
    assert rule["SecurityGroupRuleId"].startswith("sgr-") and rule["CidrIpv4"] == "0.0.0.0/0"
    assert refused(ec2.authorize_security_group_ingress, GroupId=web, IpPermissions=[http]) == (
        "InvalidPermission.Duplicate",
        'the specified rule "peer: 0.0.0.0/0, TCP, from port: 80, to port: 80, ALLOW" already exists')
    by_group = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [{"GroupId": web}]}
    ec2.authorize_security_group_ingress(GroupId=data, IpPermissions=[by_group])
    assert refused(ec2.delete_security_group, GroupId=web) == (
        "DependencyViolation", f"resource {web} has a dependent object")
    ec2.modify_security_group_rules(GroupId=web, SecurityGroupRules=[{
        "SecurityGroupRuleId": rule["SecurityGroupRuleId"],
        "SecurityGroupRule": {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIpv4": "10.0.0.0/8"}}])
    rules = ec2.describe_security_group_rules(Filters=filters(group_id=web))["SecurityGroupRules"]
    [ingress] = [one for one in rules if not one["IsEgress"]]
    assert (ingress["FromPort"], ingress["CidrIpv4"]) == (443, "10.0.0.0/8")
    ec2.update_security_group_rule_descriptions_ingress(GroupId=web, SecurityGroupRuleDescriptions=[
        {"SecurityGroupRuleId": rule["SecurityGroupRuleId"], "Description": "tls"}])
    [group] = ec2.describe_security_groups(GroupIds=[web])["SecurityGroups"]
    assert group["IpPermissions"][0]["IpRanges"] == [{"CidrIp": "10.0.0.0/8", "Description": "tls"}]
    # As Terraform's provider does with every new group.
    ec2.revoke_security_group_egress(GroupId=web, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
    ec2.revoke_security_group_ingress(GroupId=web, SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]])
    assert refused(ec2.revoke_security_group_ingress, GroupId=web, IpPermissions=[http]) == (
        "InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
    many = [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]} for port in range(1, 900)]
    assert refused(ec2.authorize_security_group_ingress, GroupId=web, IpPermissions=many)[0] == "RulesPerSecurityGroupLimitExceeded"
    assert ec2.describe_security_group_rules(Filters=filters(group_id=web))["SecurityGroupRules"] == []
    for group in (data, web):
        ec2.delete_security_group(GroupId=group)
    [default] = ec2.describe_security_groups(Filters=filters(vpc_id=vpc))["SecurityGroups"]
    assert refused(ec2.delete_security_group, GroupId=default["GroupId"])[0] == "CannotDelete"


def test_interfaces_of_users(ec2, vpc):
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.0.0/28")["Subnet"]["SubnetId"]
    first = ec2.create_network_interface(SubnetId=subnet, Description="mine")["NetworkInterface"]
    assert first["PrivateIpAddress"] == "10.1.0.4" and first["PrivateDnsName"] == "ip-10-1-0-4.ec2.internal"
    assert first["MacAddress"].startswith("02:") and not first["RequesterManaged"]
    create = lambda address: ec2.create_network_interface(SubnetId=subnet, PrivateIpAddress=address)
    for address, code in (("10.1.0.4", "InvalidIPAddress.InUse"), ("10.1.0.3", "InvalidParameterValue"), ("10.9.0.1", "InvalidParameterValue")):
        assert refused(create, address=address)[0] == code, address
    eni = first["NetworkInterfaceId"]
    ec2.modify_network_interface_attribute(NetworkInterfaceId=eni, SourceDestCheck={"Value": False})
    [found] = ec2.describe_network_interfaces(Filters=[{"Name": "addresses.private-ip-address", "Values": ["10.1.0.4"]}, {"Name": "vpc-id", "Values": [vpc]}])["NetworkInterfaces"]
    assert (found["NetworkInterfaceId"], found["SourceDestCheck"], found["Status"]) == (eni, False, "available")
    others = [ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"] for _ in range(10)]
    assert refused(ec2.create_network_interface, SubnetId=subnet) == (
        "InsufficientFreeAddressesInSubnet",
        "The specified subnet does not have enough free addresses to satisfy the request.")
    assert refused(ec2.delete_subnet, SubnetId=subnet)[0] == "DependencyViolation"
    for one in [eni, *others]:
        ec2.delete_network_interface(NetworkInterfaceId=one)
    assert refused(ec2.delete_network_interface, NetworkInterfaceId=eni) == (
        "InvalidNetworkInterfaceID.NotFound", f"The networkInterface ID '{eni}' does not exist")
    ec2.delete_subnet(SubnetId=subnet)


def test_filters_pages_and_tags(ec2, vpc):
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.1.{index}.0/24", TagSpecifications=named(f"page-{index}", "subnet"))["Subnet"]["SubnetId"]
        for index in range(7)]
    wanted = [{"Name": "tag:Name", "Values": ["page-?", "nothing"]}, {"Name": "vpc-id", "Values": [vpc]}]
    pages = list(ec2.get_paginator("describe_subnets").paginate(Filters=wanted, PaginationConfig={"PageSize": 5}))
    assert [len(page["Subnets"]) for page in pages] == [5, 2]
    assert {subnet["SubnetId"] for page in pages for subnet in page["Subnets"]} == set(subnets)
    assert refused(ec2.describe_subnets, Filters=filters(colour="red")) == ("InvalidParameterValue", "The filter 'colour' is invalid")
    assert refused(ec2.describe_subnets, MaxResults=1001)[0] == "InvalidParameterValue"
    assert refused(ec2.describe_subnets, NextToken="nonsense")[0] == "InvalidNextToken"
    ec2.create_tags(Resources=subnets[:2], Tags=[{"Key": "team", "Value": "a"}])
    assert len(ec2.describe_subnets(Filters=[{"Name": "tag-key", "Values": ["team"]}])["Subnets"]) == 2
    ec2.delete_tags(Resources=subnets[:1], Tags=[{"Key": "team", "Value": "other"}])
    ec2.delete_tags(Resources=subnets[1:2], Tags=[{"Key": "team"}])
    tags = ec2.describe_tags(Filters=filters(key="team", resource_type="subnet"))["Tags"]
    assert tags == [{"Key": "team", "ResourceId": subnets[0], "ResourceType": "subnet", "Value": "a"}]
    assert refused(ec2.create_tags, Resources=["vpc-0123456789abcdef0"], Tags=[{"Key": "a", "Value": "b"}])[0] == "InvalidID"
    assert refused(ec2.create_tags, Resources=subnets[:1], Tags=[{"Key": "aws:a", "Value": "b"}])[0] == "InvalidParameterValue"
    for subnet in subnets:
        ec2.delete_subnet(SubnetId=subnet)


def test_a_dry_run_checks_and_changes_nothing(ec2):
    before = len(ec2.describe_vpcs()["Vpcs"])
    expected = ("DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
    assert refused(ec2.create_vpc, CidrBlock="10.3.0.0/16", DryRun=True) == expected
    assert refused(ec2.describe_vpcs, DryRun=True) == expected
    assert refused(ec2.create_vpc, CidrBlock="10.3.0.0/8", DryRun=True) == ("InvalidVpc.Range", "The CIDR '10.0.0.0/8' is invalid.")
    assert len(ec2.describe_vpcs()["Vpcs"]) == before


def test_what_is_not_served_or_not_signed_is_refused_in_ec2s_form(longshore, ec2):
    assert refused(ec2.describe_instances) == (
        "InvalidAction", "The action DescribeInstances is not valid for this web service.")
    stored = json.loads((longshore.data / "keys" / "root.json").read_text())
    wrong = boto3.client(
        "ec2", endpoint_url=longshore.url, region_name="us-east-1",
        aws_access_key_id=stored["access_key_id"], aws_secret_access_key="wrong" * 8)
    assert refused(wrong.describe_vpcs) == (
        "AuthFailure", "AWS was not able to validate the provided access credentials")


def test_the_command_line_speaks_it_too(longshore):
    vpc = longshore.aws("ec2", "create-vpc", "--cidr-block", "10.4.0.0/24", "--tag-specification", "ResourceType=vpc,Tags=[{Key=Name,Value=MyVpc}]")["Vpc"]
    assert vpc["Tags"] == [{"Key": "Name", "Value": "MyVpc"}]
    id = vpc["VpcId"]
    subnet = longshore.aws("ec2", "create-subnet", "--vpc-id", id, "--cidr-block", "10.4.0.0/25")["Subnet"]["SubnetId"]
    group = longshore.aws("ec2", "create-security-group", "--group-name", "g", "--description", "My group", "--vpc-id", id)["GroupId"]
    longshore.aws("ec2", "authorize-security-group-ingress", "--group-id", group, "--protocol", "tcp", "--port", "22", "--cidr", "203.0.113.0/24")
    shown = longshore.aws("ec2", "describe-security-groups", "--group-ids", group)["SecurityGroups"][0]
    assert shown["IpPermissions"][0]["FromPort"] == 22
    longshore.aws("ec2", "revoke-security-group-ingress", "--group-id", group, "--protocol", "tcp", "--port", "22", "--cidr", "203.0.113.0/24")
    longshore.aws("ec2", "delete-security-group", "--group-id", group)
    longshore.aws("ec2", "delete-subnet", "--subnet-id", subnet)
    longshore.aws("ec2", "delete-vpc", "--vpc-id", id)


def test_gateways_routes_and_elastic_addresses(ec2, vpc):
    main = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}, {"Name": "association.main", "Values": ["true"]}])["RouteTables"]
    [local] = main[0]["Routes"]
    assert (local["GatewayId"], local["DestinationCidrBlock"], local["State"]) == ("local", "10.1.0.0/16", "active")
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.0.0/24")["Subnet"]["SubnetId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    table = ec2.create_route_table(VpcId=vpc, TagSpecifications=named("public", "route-table"))["RouteTable"]["RouteTableId"]
    everywhere = {"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0"}
    assert refused(ec2.create_route, GatewayId=gateway, **everywhere)[0] == "InvalidParameterValue"
    eni = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    address = ec2.allocate_address(Domain="vpc", TagSpecifications=named("nat", "elastic-ip"))
    assert refused(ec2.associate_address, AllocationId=address["AllocationId"], NetworkInterfaceId=eni) == (
        "Gateway.NotAttached", f"Network {vpc} is not attached to any internet gateway")
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.create_route(GatewayId=gateway, **everywhere)
    assert refused(ec2.create_route, GatewayId=gateway, **everywhere) == (
        "RouteAlreadyExists", "The route identified by 0.0.0.0/0 already exists.")
    association = ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"]
    [found] = ec2.describe_route_tables(Filters=filters(**{"association.subnet-id": subnet}))["RouteTables"]
    assert [route["Origin"] for route in found["Routes"]] == ["CreateRouteTable", "CreateRoute"]
    assert refused(ec2.delete_route_table, RouteTableId=table)[0] == "DependencyViolation"
    association = ec2.associate_address(AllocationId=address["AllocationId"], NetworkInterfaceId=eni)["AssociationId"]
    [shown] = ec2.describe_addresses(AllocationIds=[address["AllocationId"]])["Addresses"]
    assert (shown["NetworkInterfaceId"], shown["AssociationId"]) == (eni, association)
    [interface] = ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"]
    assert interface["Association"]["PublicIp"] == address["PublicIp"]
    assert refused(ec2.release_address, AllocationId=address["AllocationId"])[0] == "InvalidIPAddress.InUse"
    assert refused(ec2.detach_internet_gateway, InternetGatewayId=gateway, VpcId=vpc)[0] == "DependencyViolation"
    ec2.disassociate_address(AssociationId=association)
    ec2.release_address(AllocationId=address["AllocationId"])
    assert refused(ec2.describe_addresses, AllocationIds=[address["AllocationId"]])[0] == "InvalidAllocationID.NotFound"
    ec2.delete_network_interface(NetworkInterfaceId=eni)
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    [found] = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
    assert found["Routes"][1]["State"] == "blackhole"
    ec2.delete_route(**everywhere)
    assert refused(ec2.delete_route, **everywhere)[0] == "InvalidRoute.NotFound"
    own = found["Associations"][0]["RouteTableAssociationId"]
    ec2.disassociate_route_table(AssociationId=own)
    ec2.delete_route_table(RouteTableId=table)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)
    ec2.delete_subnet(SubnetId=subnet)


def test_the_default_acl_and_sets_of_dhcp_options(ec2, vpc):
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.0.0/24")["Subnet"]["SubnetId"]
    [acl] = ec2.describe_network_acls(Filters=filters(vpc_id=vpc, default="true"))["NetworkAcls"]
    assert [association["SubnetId"] for association in acl["Associations"]] == [subnet]
    rules = {(entry["RuleNumber"], entry["Egress"], entry["RuleAction"]) for entry in acl["Entries"]}
    assert rules == {(n, way, what) for n, what in ((100, "allow"), (32767, "deny")) for way in (True, False)}
    options = ec2.create_dhcp_options(DhcpConfigurations=[{"Key": "domain-name", "Values": ["example.internal"]}])["DhcpOptions"]["DhcpOptionsId"]
    ec2.associate_dhcp_options(DhcpOptionsId=options, VpcId=vpc)
    assert ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["DhcpOptionsId"] == options
    assert refused(ec2.delete_dhcp_options, DhcpOptionsId=options)[0] == "DependencyViolation"
    ec2.associate_dhcp_options(DhcpOptionsId="default", VpcId=vpc)
    ec2.delete_dhcp_options(DhcpOptionsId=options)
    assert refused(ec2.describe_dhcp_options, DhcpOptionsIds=[options])[0] == "InvalidDhcpOptionID.NotFound"
    ec2.delete_subnet(SubnetId=subnet)
