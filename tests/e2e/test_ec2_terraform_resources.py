"""The calls that Terraform's AWS provider makes for further resources of a VPC, each made, read, changed in place and destroyed:
from what its documentation and source say, as in test_ec2_terraform.py."""

from __future__ import annotations

import ipaddress
import uuid

import pytest
from ec2 import filters, refused
from test_ec2_terraform import one, tags


@pytest.fixture
def subnet(ec2, vpc):
    id = ec2.create_subnet(VpcId=vpc, CidrBlock="10.41.1.0/24", AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"]
    yield id
    ec2.delete_subnet(SubnetId=id)


def token() -> str:
    return f"terraform-{uuid.uuid4()}"


def entry_of(ec2, acl: str, egress: bool, number: int) -> dict | None:
    """The provider's finder: by three parts, two of which are filters; then it looks through the entries."""
    wanted = filters(**{"entry.egress": str(egress).lower(), "entry.rule-number": str(number)})
    found = ec2.describe_network_acls(NetworkAclIds=[acl], Filters=wanted)["NetworkAcls"]
    if not found:
        return None
    entries = [e for e in one(found)["Entries"] if (e["Egress"], e["RuleNumber"]) == (egress, number)]
    return entries[0] if entries else None


@pytest.mark.parametrize("rule, more", (
    ({"Protocol": "6", "RuleAction": "allow", "CidrBlock": "10.0.0.0/8"}, {"PortRange": {"From": 80, "To": 81}}),
    ({"Protocol": "-1", "RuleAction": "deny", "CidrBlock": "0.0.0.0/0"}, {"PortRange": {"From": 0, "To": 0}}),
    ({"Protocol": "58", "RuleAction": "allow", "Ipv6CidrBlock": "::/0"}, {"IcmpTypeCode": {"Type": 128, "Code": -1}, "PortRange": {"From": 0, "To": 0}}),
))
def test_aws_network_acl_rule(ec2, vpc, rule, more):
    acl = ec2.create_network_acl(VpcId=vpc, ClientToken=token(), TagSpecifications=tags("rules", "network-acl"))["NetworkAcl"]["NetworkAclId"]
    assert entry_of(ec2, acl, False, 150) is None, "what is not there is to be made"
    ec2.create_network_acl_entry(NetworkAclId=acl, Egress=False, RuleNumber=150, **rule, **more)
    found = entry_of(ec2, acl, False, 150)
    assert {name: found.get(name) for name in rule} == rule
    if rule["Protocol"] == "6":
        assert found["PortRange"] == more["PortRange"]
    if rule["Protocol"] == "58":
        assert found["IcmpTypeCode"] == more["IcmpTypeCode"]
    assert entry_of(ec2, acl, True, 150) is None
    ec2.delete_network_acl_entry(NetworkAclId=acl, Egress=False, RuleNumber=150)
    assert entry_of(ec2, acl, False, 150) is None
    assert refused(ec2.delete_network_acl_entry, NetworkAclId=acl, Egress=False, RuleNumber=150)[0] == "InvalidNetworkAclEntry.NotFound"
    ec2.delete_network_acl(NetworkAclId=acl)


def test_aws_subnet_gets_another_range_of_ipv6_in_place(ec2, vpc, subnet):
    given = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
    first, second = list(ipaddress.ip_network(given).subnets(new_prefix=64))[:2]

    def association(id: str) -> dict | None:
        found = ec2.describe_subnets(Filters=filters(**{"ipv6-cidr-block-association.association-id": id}))["Subnets"]
        if not found:
            return None
        return one([a for a in one(found)["Ipv6CidrBlockAssociationSet"] if a["AssociationId"] == id])

    def associate(range) -> str:
        made = ec2.associate_subnet_cidr_block(SubnetId=subnet, Ipv6CidrBlock=str(range))["Ipv6CidrBlockAssociation"]
        found = association(made["AssociationId"])
        assert (found["Ipv6CidrBlock"], found["Ipv6CidrBlockState"]["State"]) == (str(range), "associated")
        return made["AssociationId"]

    def assign(is_on: bool) -> None:
        ec2.modify_subnet_attribute(SubnetId=subnet, AssignIpv6AddressOnCreation={"Value": is_on})
        assert one(ec2.describe_subnets(SubnetIds=[subnet])["Subnets"])["AssignIpv6AddressOnCreation"] is is_on

    old = associate(first)
    assign(True)
    # The change: off, gone, there again, on.
    assign(False)
    ec2.disassociate_subnet_cidr_block(AssociationId=old)
    left = association(old)
    assert left is None or left["Ipv6CidrBlockState"]["State"] == "disassociated"
    new = associate(second)
    assign(True)
    held = one(ec2.describe_subnets(SubnetIds=[subnet])["Subnets"])["Ipv6CidrBlockAssociationSet"]
    assert [(a["AssociationId"], a["Ipv6CidrBlock"]) for a in held if a["Ipv6CidrBlockState"]["State"] == "associated"] == [(new, str(second))]
    # The data source of subnets asks by zone in this spelling.
    by_zone = ec2.describe_subnets(Filters=filters(availabilityZoneId="use1-az1", vpc_id=vpc, state="available"))["Subnets"]
    assert [s["SubnetId"] for s in by_zone] == [subnet]


def test_aws_vpc_endpoint_of_both_kinds(ec2, vpc, subnet):
    find = lambda id: one(ec2.describe_vpc_endpoints(VpcEndpointIds=[id])["VpcEndpoints"])
    table = ec2.create_route_table(VpcId=vpc, ClientToken=token())["RouteTable"]["RouteTableId"]
    group = ec2.create_security_group(GroupName="endpoints", Description="Managed by Terraform", VpcId=vpc)["GroupId"]
    service = "com.amazonaws.us-east-1."
    gateway = ec2.create_vpc_endpoint(
        ClientToken=token(), PrivateDnsEnabled=False, ServiceName=service + "s3", VpcEndpointType="Gateway", VpcId=vpc,
        TagSpecifications=tags("s3", "vpc-endpoint"))["VpcEndpoint"]["VpcEndpointId"]
    interface = ec2.create_vpc_endpoint(
        ClientToken=token(), PrivateDnsEnabled=True, ServiceName=service + "logs", VpcEndpointType="Interface", VpcId=vpc, IpAddressType="ipv4",
        DnsOptions={"DnsRecordIpType": "ipv4"}, SecurityGroupIds=[group], SubnetIds=[subnet],
        TagSpecifications=tags("logs", "vpc-endpoint"))["VpcEndpoint"]["VpcEndpointId"]
    assert {find(gateway)["State"], find(interface)["State"]} == {"available"}
    # A read of a gateway endpoint: the list that routes to it name.
    s3 = one(ec2.describe_prefix_lists(Filters=filters(prefix_list_name=service + "s3"))["PrefixLists"])
    assert s3["PrefixListId"].startswith("pl-") and find(gateway)["RouteTableIds"] == []
    read = find(interface)
    assert (read["SubnetIds"], [g["GroupId"] for g in read["Groups"]], read["PrivateDnsEnabled"]) == ([subnet], [group], True)
    assert (read["IpAddressType"], read["DnsOptions"]["DnsRecordIpType"], read["OwnerId"]) == ("ipv4", "ipv4", ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["OwnerId"])
    # aws_vpc_endpoint_route_table_association, and changes in place.
    ec2.modify_vpc_endpoint(VpcEndpointId=gateway, AddRouteTableIds=[table])
    assert find(gateway)["RouteTableIds"] == [table]
    policy = '{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*"}]}'
    ec2.modify_vpc_endpoint(VpcEndpointId=gateway, PolicyDocument=policy)
    assert find(gateway)["PolicyDocument"] == policy
    ec2.modify_vpc_endpoint(VpcEndpointId=interface, PrivateDnsEnabled=False)
    ec2.modify_vpc_endpoint(VpcEndpointId=interface, RemoveSubnetIds=[subnet])
    assert (find(interface)["SubnetIds"], find(interface)["PrivateDnsEnabled"]) == ([], False)
    ec2.modify_vpc_endpoint(VpcEndpointId=gateway, RemoveRouteTableIds=[table])
    for id in (gateway, interface):
        assert ec2.delete_vpc_endpoints(VpcEndpointIds=[id])["Unsuccessful"] == []
        assert refused(ec2.describe_vpc_endpoints, VpcEndpointIds=[id])[0] == "InvalidVpcEndpointId.NotFound"
    ec2.delete_route_table(RouteTableId=table)
    ec2.delete_security_group(GroupId=group)


def test_names_of_endpoints_that_are_not_made_are_refused(ec2, vpc):
    before = len(ec2.describe_vpc_endpoints()["VpcEndpoints"])
    asked = {"VpcId": vpc, "ServiceName": "com.amazonaws.us-east-1.s3"}
    for options in (
        {"DnsRecordIpType": "dualstack"}, {"DnsRecordIpType": "ipv6"}, {"PrivateDnsOnlyForInboundResolverEndpoint": True},
        {"PrivateDnsPreference": "ALL_DOMAINS"}, {"PrivateDnsSpecifiedDomains": ["example.com"]},
    ):
        assert refused(ec2.create_vpc_endpoint, **asked, DnsOptions=options) == (
            "UnsupportedOperation", "The functionality you requested is not available: Longshore does not serve the parameter DnsOptions."), options
    assert len(ec2.describe_vpc_endpoints()["VpcEndpoints"]) == before
    made = ec2.create_vpc_endpoint(**asked, DnsOptions={"DnsRecordIpType": "service-defined", "PrivateDnsOnlyForInboundResolverEndpoint": False})
    id = made["VpcEndpoint"]["VpcEndpointId"]
    assert refused(ec2.modify_vpc_endpoint, VpcEndpointId=id, DnsOptions={"DnsRecordIpType": "dualstack"})[0] == "UnsupportedOperation"
    ec2.modify_vpc_endpoint(VpcEndpointId=id, DnsOptions={"DnsRecordIpType": "ipv4"})
    ec2.delete_vpc_endpoints(VpcEndpointIds=[id])


def test_aws_network_interface(ec2, vpc, subnet):
    groups = [ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"] for name in ("first", "second")]
    read = lambda: one(ec2.describe_network_interfaces(NetworkInterfaceIds=[id])["NetworkInterfaces"])
    id = ec2.create_network_interface(
        ClientToken=token(), SubnetId=subnet, Description="before", Groups=groups[:1],
        PrivateIpAddresses=[{"Primary": True, "PrivateIpAddress": "10.41.1.50"}], TagSpecifications=tags("eni", "network-interface"),
    )["NetworkInterface"]["NetworkInterfaceId"]
    assert (read()["Status"], read()["PrivateIpAddress"], read()["SourceDestCheck"]) == ("available", "10.41.1.50", True)
    ec2.modify_network_interface_attribute(NetworkInterfaceId=id, SourceDestCheck={"Value": False})
    ec2.modify_network_interface_attribute(NetworkInterfaceId=id, Groups=groups)
    ec2.modify_network_interface_attribute(NetworkInterfaceId=id, Description={"Value": "after"})
    assert (read()["SourceDestCheck"], read()["Description"]) == (False, "after")
    assert sorted(g["GroupId"] for g in read()["Groups"]) == sorted(groups)
    # The same by the call that tells one attribute.
    attribute = lambda name: ec2.describe_network_interface_attribute(NetworkInterfaceId=id, Attribute=name)
    assert attribute("description")["Description"] == {"Value": "after"}
    assert attribute("sourceDestCheck")["SourceDestCheck"] == {"Value": False}
    assert [(g["GroupId"], g["GroupName"]) for g in attribute("groupSet")["Groups"]] == sorted(zip(groups, ("first", "second")))
    assert "Attachment" not in attribute("attachment") and attribute("groupSet")["NetworkInterfaceId"] == id
    assert refused(ec2.describe_network_interface_attribute, NetworkInterfaceId=id, Attribute="colour")[0] == "InvalidParameterValue"
    ec2.modify_network_interface_attribute(NetworkInterfaceId=id, Groups=groups[1:])
    assert [g["GroupId"] for g in attribute("groupSet")["Groups"]] == groups[1:]
    ec2.delete_security_group(GroupId=groups[0])
    for wrong in (["sg-0123456789abcdef0"], ["nonsense"]):
        refused(ec2.modify_network_interface_attribute, NetworkInterfaceId=id, Groups=wrong)
    assert [g["GroupId"] for g in read()["Groups"]] == groups[1:]
    # private_ips and private_ips_count.
    ec2.assign_private_ip_addresses(NetworkInterfaceId=id, PrivateIpAddresses=["10.41.1.51"])
    ec2.assign_private_ip_addresses(NetworkInterfaceId=id, SecondaryPrivateIpAddressCount=1)
    assert len(read()["PrivateIpAddresses"]) == 3
    ec2.unassign_private_ip_addresses(NetworkInterfaceId=id, PrivateIpAddresses=["10.41.1.51"])
    assert "10.41.1.51" not in [a["PrivateIpAddress"] for a in read()["PrivateIpAddresses"]]
    ec2.delete_network_interface(NetworkInterfaceId=id)
    assert refused(ec2.describe_network_interfaces, NetworkInterfaceIds=[id])[0] == "InvalidNetworkInterfaceID.NotFound"
    ec2.delete_security_group(GroupId=groups[1])


def test_aws_vpc_security_group_ingress_rule(ec2, vpc):
    group, other = (ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"] for name in ("own", "other"))
    made = ec2.authorize_security_group_ingress(
        GroupId=group, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "https"}]}],
        TagSpecifications=tags("rule", "security-group-rule"))
    id = one(made["SecurityGroupRules"])["SecurityGroupRuleId"]
    read = lambda: one(ec2.describe_security_group_rules(SecurityGroupRuleIds=[id])["SecurityGroupRules"])
    assert (read()["GroupId"], read()["IsEgress"], read()["CidrIpv4"], read()["Description"]) == (group, False, "10.0.0.0/8", "https")
    assert {tag["Key"] for tag in read()["Tags"]} == {"Name", "Terraform"}
    ec2.modify_security_group_rules(GroupId=group, SecurityGroupRules=[{
        "SecurityGroupRuleId": id, "SecurityGroupRule": {"IpProtocol": "tcp", "FromPort": 8443, "ToPort": 8444, "ReferencedGroupId": other}}])
    assert (read()["FromPort"], read()["ToPort"], read()["ReferencedGroupInfo"]["GroupId"], read().get("CidrIpv4")) == (8443, 8444, other, None)
    assert {tag["Key"] for tag in read()["Tags"]} == {"Name", "Terraform"}, "a change in place keeps the tags"
    ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=[id])
    assert refused(ec2.describe_security_group_rules, SecurityGroupRuleIds=[id])[0] == "InvalidSecurityGroupRuleId.NotFound"
    for one_group in (group, other):
        ec2.delete_security_group(GroupId=one_group)


def test_aws_main_route_table_association(ec2, vpc, subnet):
    def main() -> tuple[str, str]:
        found = one(ec2.describe_route_tables(Filters=filters(**{"association.main": "true", "vpc-id": vpc}))["RouteTables"])
        return found["RouteTableId"], one([a for a in found["Associations"] if a["Main"]])["RouteTableAssociationId"]

    def by_id(id: str) -> dict:
        found = one(ec2.describe_route_tables(Filters=filters(**{"association.route-table-association-id": id}))["RouteTables"])
        return one([a for a in found["Associations"] if a["RouteTableAssociationId"] == id])

    table = ec2.create_route_table(VpcId=vpc, ClientToken=token())["RouteTable"]["RouteTableId"]
    original, before = main()
    made = ec2.replace_route_table_association(AssociationId=before, RouteTableId=table)
    assert made["AssociationState"]["State"] == "associated"
    id = made["NewAssociationId"]
    assert (by_id(id)["Main"], by_id(id)["RouteTableId"], by_id(id)["AssociationState"]["State"]) == (True, table, "associated")
    assert main() == (table, id) and "SubnetId" not in by_id(id)
    assert ec2.describe_route_tables(Filters=filters(**{"association.route-table-association-id": before}))["RouteTables"] == []
    # What is the main one stays; the one before may go, but for this test it is needed again.
    assert refused(ec2.delete_route_table, RouteTableId=table)[0] == "DependencyViolation"
    assert refused(ec2.disassociate_route_table, AssociationId=id)[0] == "InvalidParameterValue"
    back = ec2.replace_route_table_association(AssociationId=id, RouteTableId=original)["NewAssociationId"]
    assert main() == (original, back)
    # aws_route_table_association: a change of its table replaces the association, and it is the subnet's still.
    own = ec2.associate_route_table(RouteTableId=original, SubnetId=subnet)["AssociationId"]
    moved = ec2.replace_route_table_association(AssociationId=own, RouteTableId=table)["NewAssociationId"]
    assert (by_id(moved)["SubnetId"], by_id(moved)["RouteTableId"], by_id(moved)["Main"]) == (subnet, table, False)
    assert refused(ec2.replace_route_table_association, AssociationId=own, RouteTableId=table)[0] == "InvalidAssociationID.NotFound"
    ec2.disassociate_route_table(AssociationId=moved)
    ec2.delete_route_table(RouteTableId=table)


def test_aws_route_is_led_another_way_in_place(ec2, vpc, subnet):
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    gateway = ec2.create_egress_only_internet_gateway(VpcId=vpc, ClientToken=token())["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"]
    eni = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    route = lambda: one([r for r in one(ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"])["Routes"] if r.get("DestinationIpv6CidrBlock") == "::/0"])
    assert refused(ec2.replace_route, RouteTableId=table, DestinationIpv6CidrBlock="::/0", NetworkInterfaceId=eni)[0] == "InvalidRoute.NotFound"
    ec2.create_route(RouteTableId=table, DestinationIpv6CidrBlock="::/0", EgressOnlyInternetGatewayId=gateway)
    ec2.replace_route(RouteTableId=table, DestinationIpv6CidrBlock="::/0", NetworkInterfaceId=eni)
    assert (route()["NetworkInterfaceId"], route().get("EgressOnlyInternetGatewayId"), route()["State"], route()["Origin"]) == (eni, None, "active", "CreateRoute")
    assert refused(ec2.replace_route, RouteTableId=table, DestinationIpv6CidrBlock="::/0", NetworkInterfaceId="eni-0")[0] == "InvalidNetworkInterfaceID.NotFound"
    ec2.replace_route(RouteTableId=table, DestinationIpv6CidrBlock="::/0", EgressOnlyInternetGatewayId=gateway)
    assert (route()["EgressOnlyInternetGatewayId"], route().get("NetworkInterfaceId")) == (gateway, None)
    ec2.delete_network_interface(NetworkInterfaceId=eni)
    ec2.delete_route_table(RouteTableId=table)
    ec2.delete_egress_only_internet_gateway(EgressOnlyInternetGatewayId=gateway)
    # The provider's check that it is gone: an empty answer, not an error.
    assert ec2.describe_egress_only_internet_gateways(EgressOnlyInternetGatewayIds=[gateway])["EgressOnlyInternetGateways"] == []


def test_aws_launch_template(ec2):
    data = {
        "ImageId": "ami-0abcdef1234567890", "InstanceType": "t3.small", "EbsOptimized": False, "UserData": "IyEvYmluL3NoCg==",
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 20, "VolumeType": "gp3", "DeleteOnTermination": True}}],
        "IamInstanceProfile": {"Name": "web"}, "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 2},
        "NetworkInterfaces": [{"AssociatePublicIpAddress": True, "DeviceIndex": 0, "Groups": ["sg-0123456789abcdef0"]}],
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]}]}

    def read(id: str) -> tuple[dict, dict]:
        """The finder of the template, then of its latest version by number."""
        found = one(ec2.describe_launch_templates(LaunchTemplateIds=[id])["LaunchTemplates"])
        latest = str(found["LatestVersionNumber"])
        return found, one(ec2.describe_launch_template_versions(LaunchTemplateId=id, Versions=[latest])["LaunchTemplateVersions"])

    id = ec2.create_launch_template(
        ClientToken=token(), LaunchTemplateName="terraform-2026112900000000000000000001", LaunchTemplateData=data,
        TagSpecifications=tags("web", "launch-template"))["LaunchTemplate"]["LaunchTemplateId"]
    found, version = read(id)
    assert (found["DefaultVersionNumber"], found["LatestVersionNumber"], version["LaunchTemplateData"]) == (1, 1, data)
    assert {tag["Key"] for tag in found["Tags"]} == {"Name", "Terraform"}
    # A change makes a version; with update_default_version it becomes the default one.
    made = ec2.create_launch_template_version(
        ClientToken=token(), LaunchTemplateId=id, VersionDescription="larger", LaunchTemplateData=data | {"InstanceType": "t3.large"})
    number = made["LaunchTemplateVersion"]["VersionNumber"]
    ec2.modify_launch_template(LaunchTemplateId=id, DefaultVersion=str(number))
    ec2.delete_tags(Resources=[id], Tags=[{"Key": "Terraform", "Value": "true"}])
    ec2.create_tags(Resources=[id], Tags=[{"Key": "Name", "Value": "larger"}])
    found, version = read(id)
    assert (found["DefaultVersionNumber"], found["LatestVersionNumber"], found["Tags"]) == (2, 2, [{"Key": "Name", "Value": "larger"}])
    assert (version["VersionDescription"], version["LaunchTemplateData"]["InstanceType"]) == ("larger", "t3.large")
    # The data source, by name or by tags.
    by_name = ec2.describe_launch_templates(LaunchTemplateNames=[found["LaunchTemplateName"]])["LaunchTemplates"]
    assert one(by_name) == found == one(ec2.describe_launch_templates(Filters=filters(**{"tag:Name": "larger"}))["LaunchTemplates"])
    ec2.delete_launch_template(LaunchTemplateId=id)
    assert refused(ec2.describe_launch_templates, LaunchTemplateIds=[id])[0] == "InvalidLaunchTemplateId.NotFound"
    assert refused(ec2.delete_launch_template, LaunchTemplateId=id)[0] == "InvalidLaunchTemplateId.NotFound"


def test_a_request_that_comes_again_with_its_token_makes_nothing_twice(ec2, vpc, subnet):
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    endpoint = {"VpcId": vpc, "ServiceName": "com.amazonaws.us-east-1.s3", "RouteTableIds": [table]}
    prefixes = {"PrefixListName": "again", "AddressFamily": "IPv4", "MaxEntries": 2}
    made = []
    for call, shape, id, asked, other in (
        (ec2.create_route_table, "RouteTable", "RouteTableId", {"VpcId": vpc}, {"TagSpecifications": tags("other", "route-table")}),
        (ec2.create_network_acl, "NetworkAcl", "NetworkAclId", {"VpcId": vpc}, {"TagSpecifications": tags("other", "network-acl")}),
        (ec2.create_network_interface, "NetworkInterface", "NetworkInterfaceId", {"SubnetId": subnet}, {"Description": "other"}),
        (ec2.create_egress_only_internet_gateway, "EgressOnlyInternetGateway", "EgressOnlyInternetGatewayId", {"VpcId": vpc},
         {"TagSpecifications": tags("other", "egress-only-internet-gateway")}),
        (ec2.create_vpc_endpoint, "VpcEndpoint", "VpcEndpointId", endpoint, {"PrivateDnsEnabled": True}),
        (ec2.create_nat_gateway, "NatGateway", "NatGatewayId", {"SubnetId": subnet, "ConnectivityType": "private"}, {"PrivateIpAddress": "10.41.1.9"}),
        (ec2.create_managed_prefix_list, "PrefixList", "PrefixListId", prefixes, {"MaxEntries": 3}),
    ):
        # The kinds have tokens of their own: the same one serves all.
        first = call(**asked, ClientToken=f"again-{vpc}")[shape][id]
        assert call(**asked, ClientToken=f"again-{vpc}")[shape][id] == first, call
        assert refused(call, **{**asked, **other}, ClientToken=f"again-{vpc}") == (
            "IdempotentParameterMismatch",
            "Arguments on this idempotent request are inconsistent with arguments used in previous request(s)."), call
        made.append(first)
    shown = ec2.describe_route_tables(Filters=filters(vpc_id=vpc))["RouteTables"]
    assert len(shown) == 3, "the main one, the one above, and one for the token"
    assert len(ec2.describe_network_acls(Filters=filters(vpc_id=vpc))["NetworkAcls"]) == 2
    assert len(ec2.describe_vpc_endpoints(Filters=filters(vpc_id=vpc))["VpcEndpoints"]) == 1
    again, acl, eni, gateway, vpce, nat, prefix_list = made
    ec2.delete_managed_prefix_list(PrefixListId=prefix_list)
    ec2.delete_nat_gateway(NatGatewayId=nat)
    ec2.delete_vpc_endpoints(VpcEndpointIds=[vpce])
    ec2.delete_egress_only_internet_gateway(EgressOnlyInternetGatewayId=gateway)
    ec2.delete_network_interface(NetworkInterfaceId=eni)
    ec2.delete_network_acl(NetworkAclId=acl)
    for one_table in (again, table):
        ec2.delete_route_table(RouteTableId=one_table)
