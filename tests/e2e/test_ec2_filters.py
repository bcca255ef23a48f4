"""Filters of the EC2 API's Describe calls: every documented one is known, and finds what has what it asks for."""

from __future__ import annotations

import re

from botocore import xform_name
from cli_examples import served
from ec2 import filters, refused


def documented(model, operation: str) -> list[str]:
    """The names of a call's filters as AWS's documentation lists them, with the other spellings that it tells of."""
    members = model.operation_model(operation).input_shape.members
    shape = members.get("Filters") or members.get("Filter")
    text = shape.documentation if shape is not None else ""
    names = re.findall(r"<li>\s*<p>\s*<code>([^<]+)</code>", text)
    for also in re.findall(r"You can also use (.*?) as the filter name", text):
        names += re.findall(r"<code>([^<]+)</code>", also)
    return ["tag:Name" if name == "tag" else name for name in names]


def test_every_documented_filter_of_every_call_is_known(ec2):
    calls, asked = 0, 0
    for operation in ec2.meta.service_model.operation_names:
        if not operation.startswith("Describe") or xform_name(operation, "-") not in served("ec2"):
            continue
        names = documented(ec2.meta.service_model, operation)
        calls += bool(names)
        member = "Filter" if operation == "DescribeNatGateways" else "Filters"
        # This one alone is not answered without saying of what.
        more = {"Versions": ["$Latest"]} if operation == "DescribeLaunchTemplateVersions" else {}
        for name in names:
            answer = getattr(ec2, xform_name(operation))(**more, **{member: [{"Name": name, "Values": ["nothing has this value"]}]})
            found = [value for key, value in answer.items() if isinstance(value, list)]
            assert found and not any(found), f"{operation} by {name} finds {found}"
            asked += 1
    assert calls >= 20 and asked >= 197, (calls, asked)


def test_an_acl_is_found_by_its_entries(ec2, vpc):
    acl = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    ec2.create_network_acl_entry(
        NetworkAclId=acl, RuleNumber=201, Egress=False, Protocol="6", RuleAction="allow", CidrBlock="10.7.0.0/16", PortRange={"From": 22, "To": 25})
    ec2.create_network_acl_entry(
        NetworkAclId=acl, RuleNumber=202, Egress=True, Protocol="58", RuleAction="deny", Ipv6CidrBlock="2001:db8::/64", IcmpTypeCode={"Type": 128, "Code": 0})
    found = lambda **wanted: [one["NetworkAclId"] for one in ec2.describe_network_acls(
        NetworkAclIds=[acl], Filters=filters(**{name.replace("__", "."): value for name, value in wanted.items()}))["NetworkAcls"]]
    for name, there, not_there in (
        ("entry__cidr", "10.7.0.0/16", "10.7.0.0/17"), ("entry__ipv6_cidr", "2001:db8::/64", "2001:db8::/65"),
        ("entry__egress", "true", "yes"), ("entry__rule_number", "201", "203"), ("entry__rule_action", "deny", "drop"),
        ("entry__protocol", "6", "17"), ("entry__protocol", "tcp", "udp"), ("entry__protocol", "58", "icmp"), ("entry__protocol", "-1", "all"),
        ("entry__port_range__from", "22", "23"), ("entry__port_range__to", "25", "24"),
        ("entry__icmp__type", "128", "129"), ("entry__icmp__code", "0", "1"),
        # The entries that every ACL ends with are its own too.
        ("entry__rule_number", "32767", "32766"), ("entry__rule_number", "32768", "32769"),
    ):
        assert (found(**{name: there}), found(**{name: not_there})) == ([acl], []), name
    # Each is about any of the entries: there is none of 201 for what goes out, yet the ACL is found.
    assert found(entry__egress="true", entry__rule_number="201") == [acl]
    ec2.delete_network_acl(NetworkAclId=acl)


def test_a_subnet_is_found_by_its_ranges_and_options(ec2, vpc):
    six = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"].replace("::/56", "::/64")
    made = ec2.create_subnet(VpcId=vpc, CidrBlock="10.41.1.0/24", Ipv6CidrBlock=six, AvailabilityZone="us-east-1b")["Subnet"]
    plain = ec2.create_subnet(VpcId=vpc, CidrBlock="10.41.2.0/24", AvailabilityZone="us-east-1c")["Subnet"]
    own = made["SubnetId"]
    ec2.modify_subnet_attribute(SubnetId=own, EnableDns64={"Value": True})
    ec2.modify_subnet_attribute(SubnetId=own, EnableResourceNameDnsARecordOnLaunch={"Value": True})
    ec2.modify_subnet_attribute(SubnetId=own, EnableResourceNameDnsAAAARecordOnLaunch={"Value": True})
    ec2.modify_subnet_attribute(SubnetId=own, PrivateDnsHostnameTypeOnLaunch="resource-name")
    found = lambda name, value: [one["SubnetId"] for one in ec2.describe_subnets(
        Filters=filters(vpc_id=vpc) + [{"Name": name, "Values": [value]}])["Subnets"]]
    options = "private-dns-name-options-on-launch."
    for name, value in (
        ("ipv6-cidr-block-association.association-id", made["Ipv6CidrBlockAssociationSet"][0]["AssociationId"]),
        ("ipv6-cidr-block-association.state", "associated"), ("ipv6-cidr-block-association.ipv6-cidr-block", six),
        ("availabilityZoneId", "use1-az2"), ("enable-dns64", "true"), (options + "hostname-type", "resource-name"),
        (options + "enable-resource-name-dns-a-record", "true"), (options + "enable-resource-name-dns-aaaa-record", "true"),
    ):
        assert found(name, value) == [own], name
    assert set(found("ipv6-native", "false")) == {own, plain["SubnetId"]} and found("ipv6-native", "true") == []
    for subnet in (made, plain):
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])


def test_route_tables_are_found_by_what_their_routes_lead_to(ec2, vpc):
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    gateway = ec2.create_egress_only_internet_gateway(VpcId=vpc)["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"]
    ec2.create_route(RouteTableId=table, DestinationIpv6CidrBlock="::/0", EgressOnlyInternetGatewayId=gateway)
    endpoint = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3", RouteTableIds=[table])["VpcEndpoint"]["VpcEndpointId"]
    [s3] = ec2.describe_prefix_lists(Filters=filters(prefix_list_name="com.amazonaws.us-east-1.s3"))["PrefixLists"]
    for name, value in (
        ("route.egress-only-internet-gateway-id", gateway), ("route.destination-prefix-list-id", s3["PrefixListId"]),
        ("route.gateway-id", endpoint), ("route.destination-ipv6-cidr-block", "::/0"), ("route.origin", "CreateRoute"),
    ):
        [found] = ec2.describe_route_tables(Filters=filters(vpc_id=vpc) + [{"Name": name, "Values": [value]}])["RouteTables"]
        assert found["RouteTableId"] == table, name
    ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])
    ec2.delete_route_table(RouteTableId=table)
    ec2.delete_egress_only_internet_gateway(EgressOnlyInternetGatewayId=gateway)


def test_groups_are_found_by_the_groups_that_their_rules_name(ec2, vpc):
    front, back = (ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"] for name in ("front", "back"))
    for direction in (ec2.authorize_security_group_ingress, ec2.authorize_security_group_egress):
        direction(GroupId=back, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 81, "UserIdGroupPairs": [{"GroupId": front}]}])
    account = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["OwnerId"]
    found = lambda name, value: [one["GroupId"] for one in ec2.describe_security_groups(
        GroupIds=[front, back], Filters=[{"Name": name, "Values": [value]}])["SecurityGroups"]]
    for side in ("ip-permission.", "egress.ip-permission."):
        for name, there, not_there in (
            ("group-name", "front", "back"), ("group-id", front, back), ("user-id", account, "111122223333"), ("to-port", "81", "80")):
            assert (found(side + name, there), found(side + name, not_there)) == ([back], []), side + name
    for group in (back, front):
        ec2.delete_security_group(GroupId=group)


def test_interfaces_are_found_by_their_public_addresses(ec2, vpc):
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.41.1.0/24")["Subnet"]["SubnetId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    eni = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    address = ec2.allocate_address(Domain="vpc")
    association = ec2.associate_address(AllocationId=address["AllocationId"], NetworkInterfaceId=eni)["AssociationId"]
    [shown] = ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"]
    owner = shown["OwnerId"]
    for name, value in (
        ("association.ip-owner-id", owner), ("addresses.association.owner-id", owner),
        ("association.public-dns-name", shown["Association"]["PublicDnsName"]), ("operator.managed", "false"),
    ):
        found = ec2.describe_network_interfaces(Filters=filters(vpc_id=vpc) + [{"Name": name, "Values": [value]}])["NetworkInterfaces"]
        assert [one["NetworkInterfaceId"] for one in found] == [eni], name
    by_owner = ec2.describe_addresses(AllocationIds=[address["AllocationId"]], Filters=filters(network_interface_owner_id=owner))["Addresses"]
    assert [one["PublicIp"] for one in by_owner] == [address["PublicIp"]]
    assert refused(ec2.describe_network_interfaces, Filters=filters(colour="red"))[0] == "InvalidParameterValue"
    ec2.disassociate_address(AssociationId=association)
    ec2.release_address(AllocationId=address["AllocationId"])
    ec2.delete_network_interface(NetworkInterfaceId=eni)
    ec2.delete_subnet(SubnetId=subnet)
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)
