"""Ranges, addresses and attachments that come to what is there already: IPv6 ranges of subnets, further addresses of
interfaces, default subnets, versions of prefix lists."""

from __future__ import annotations

import ipaddress

import pytest
from ec2 import filters, refused


@pytest.fixture
def vpc(ec2):
    id = ec2.create_vpc(CidrBlock="10.11.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]["VpcId"]
    [six] = ec2.describe_vpcs(VpcIds=[id])["Vpcs"][0]["Ipv6CidrBlockAssociationSet"]
    ranges = [str(one) for one in list(ipaddress.ip_network(six["Ipv6CidrBlock"]).subnets(new_prefix=64))[:3]]
    subnet = ec2.create_subnet(VpcId=id, CidrBlock="10.11.1.0/28")["Subnet"]["SubnetId"]
    yield {"id": id, "ranges": ranges, "subnet": subnet}
    for interface in ec2.describe_network_interfaces(Filters=filters(vpc_id=id))["NetworkInterfaces"]:
        ec2.delete_network_interface(NetworkInterfaceId=interface["NetworkInterfaceId"])
    for one in ec2.describe_subnets(Filters=filters(vpc_id=id))["Subnets"]:
        ec2.delete_subnet(SubnetId=one["SubnetId"])
    ec2.delete_vpc(VpcId=id)


def test_a_subnet_gets_an_ipv6_range_and_gives_it_back_when_nothing_has_it(ec2, vpc):
    subnet, (first, second, _) = vpc["subnet"], vpc["ranges"]
    shown = lambda: ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["Ipv6CidrBlockAssociationSet"]
    for arguments, code in (
        ({"Ipv6CidrBlock": "fd99::/64"}, "InvalidSubnet.Range"),
        ({"Ipv6CidrBlock": first.replace("/64", "/72")}, "InvalidParameterValue"),
        ({"Ipv6CidrBlock": "nonsense"}, "InvalidParameterValue"),
        ({}, "MissingParameter"),
        ({"Ipv6CidrBlock": first, "Ipv6NetmaskLength": 64}, "UnsupportedOperation"),
    ):
        assert refused(ec2.associate_subnet_cidr_block, SubnetId=subnet, **arguments)[0] == code, arguments
    assert refused(ec2.associate_subnet_cidr_block, SubnetId="subnet-0", Ipv6CidrBlock=first)[0] == "InvalidSubnetID.NotFound"
    assert shown() == []
    made = ec2.associate_subnet_cidr_block(SubnetId=subnet, Ipv6CidrBlock=first)["Ipv6CidrBlockAssociation"]
    assert (made["Ipv6CidrBlock"], made["Ipv6CidrBlockState"]["State"]) == (first, "associating")
    [now] = shown()
    assert (now["AssociationId"], now["Ipv6CidrBlockState"]["State"]) == (made["AssociationId"], "associated")
    assert refused(ec2.associate_subnet_cidr_block, SubnetId=subnet, Ipv6CidrBlock=second)[0] == "CidrLimitExceeded"
    other = ec2.create_subnet(VpcId=vpc["id"], CidrBlock="10.11.2.0/28")["Subnet"]["SubnetId"]
    assert refused(ec2.associate_subnet_cidr_block, SubnetId=other, Ipv6CidrBlock=first)[0] == "InvalidSubnet.Conflict"
    own = {"AssociationId": made["AssociationId"]}
    ec2.modify_subnet_attribute(SubnetId=subnet, AssignIpv6AddressOnCreation={"Value": True})
    assert refused(ec2.disassociate_subnet_cidr_block, **own) == (
        "InvalidCidrBlock.InUse", f"The subnet IPv6 CIDR block with association ID {made['AssociationId']} may not be disassociated, "
        "because its subnet has assign-ipv6-address-on-creation set to true.")
    interface = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]
    assert len(interface["Ipv6Addresses"]) == 1
    ec2.modify_subnet_attribute(SubnetId=subnet, AssignIpv6AddressOnCreation={"Value": False})
    assert refused(ec2.disassociate_subnet_cidr_block, **own)[0] == "InvalidCidrBlock.InUse"
    ec2.delete_network_interface(NetworkInterfaceId=interface["NetworkInterfaceId"])
    gone = ec2.disassociate_subnet_cidr_block(**own)
    assert (gone["SubnetId"], gone["Ipv6CidrBlockAssociation"]["Ipv6CidrBlockState"]["State"]) == (subnet, "disassociating")
    assert shown() == []
    assert refused(ec2.disassociate_subnet_cidr_block, **own)[0] == "InvalidSubnetCidrBlockAssociationID.NotFound"


def test_interfaces_of_users_get_further_addresses_and_lose_them(ec2, vpc):
    subnet = vpc["subnet"]
    ec2.associate_subnet_cidr_block(SubnetId=subnet, Ipv6CidrBlock=vpc["ranges"][0])
    made = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]
    own = {"NetworkInterfaceId": made["NetworkInterfaceId"]}
    shown = lambda: ec2.describe_network_interfaces(NetworkInterfaceIds=[made["NetworkInterfaceId"]])["NetworkInterfaces"][0]
    addresses = lambda: [one["PrivateIpAddress"] for one in shown()["PrivateIpAddresses"]]
    free = lambda: ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["AvailableIpAddressCount"]
    assert free() == 10
    given = ec2.assign_private_ip_addresses(PrivateIpAddresses=["10.11.1.9"], **own)
    assert given["AssignedPrivateIpAddresses"] == [{"PrivateIpAddress": "10.11.1.9"}]
    ec2.assign_private_ip_addresses(SecondaryPrivateIpAddressCount=2, **own)
    assert addresses() == [made["PrivateIpAddress"], "10.11.1.9", "10.11.1.5", "10.11.1.6"] and free() == 7
    for arguments, code in (
        ({}, "MissingParameter"),
        ({"PrivateIpAddresses": ["10.11.1.9"]}, "InvalidIPAddress.InUse"),
        ({"PrivateIpAddresses": ["10.11.1.8", "10.11.1.9"]}, "InvalidIPAddress.InUse"),
        ({"PrivateIpAddresses": ["10.11.9.9"]}, "InvalidParameterValue"),
        ({"PrivateIpAddresses": ["10.11.1.8"], "SecondaryPrivateIpAddressCount": 1}, "InvalidParameterCombination"),
        ({"SecondaryPrivateIpAddressCount": 8}, "InsufficientFreeAddressesInSubnet"),
        ({"SecondaryPrivateIpAddressCount": 60}, "PrivateIpAddressLimitExceeded"),
        ({"Ipv4PrefixCount": 1}, "UnsupportedOperation"),
    ):
        assert refused(ec2.assign_private_ip_addresses, **own, **arguments)[0] == code, arguments
    # A request that was refused gave nothing.
    assert len(addresses()) == 4 and free() == 7
    assert refused(ec2.unassign_private_ip_addresses, PrivateIpAddresses=[made["PrivateIpAddress"]], **own)[0] == "InvalidParameterValue"
    assert refused(ec2.unassign_private_ip_addresses, PrivateIpAddresses=["10.11.1.9", "10.11.1.8"], **own) == (
        "InvalidParameterValue", f"Some of [10.11.1.9, 10.11.1.8] are not assigned to interface {made['NetworkInterfaceId']}")
    ec2.unassign_private_ip_addresses(PrivateIpAddresses=["10.11.1.9", "10.11.1.5"], **own)
    assert addresses() == [made["PrivateIpAddress"], "10.11.1.6"] and free() == 9
    six = lambda: [one["Ipv6Address"] for one in shown()["Ipv6Addresses"]]
    named = vpc["ranges"][0].replace("/64", "77")
    assert ec2.assign_ipv6_addresses(Ipv6Addresses=[named], **own)["AssignedIpv6Addresses"] == [named]
    more = ec2.assign_ipv6_addresses(Ipv6AddressCount=2, **own)["AssignedIpv6Addresses"]
    assert sorted(six()) == sorted([named, *more])
    assert refused(ec2.assign_ipv6_addresses, Ipv6Addresses=[named], **own)[0] == "InvalidIPAddress.InUse"
    assert refused(ec2.unassign_ipv6_addresses, Ipv6Addresses=["fd99::1"], **own)[0] == "InvalidParameterValue"
    assert ec2.unassign_ipv6_addresses(Ipv6Addresses=more, **own)["UnassignedIpv6Addresses"] == more
    assert six() == [named]
    assert refused(ec2.attach_network_interface, InstanceId="i-0123456789abcdef0", DeviceIndex=1, **own) == (
        "InvalidInstanceID.NotFound", "The instance ID 'i-0123456789abcdef0' does not exist")
    assert refused(ec2.attach_network_interface, InstanceId="nonsense", DeviceIndex=1, **own)[0] == "InvalidInstanceID.Malformed"
    assert refused(ec2.detach_network_interface, AttachmentId="eni-attach-0")[0] == "InvalidAttachmentID.NotFound"


def test_what_a_service_has_made_is_the_services(ec2, vpc):
    nat = ec2.create_nat_gateway(SubnetId=vpc["subnet"], ConnectivityType="private")["NatGateway"]["NatGatewayId"]
    [own] = ec2.describe_nat_gateways(NatGatewayIds=[nat])["NatGateways"][0]["NatGatewayAddresses"]
    interface = {"NetworkInterfaceId": own["NetworkInterfaceId"]}
    [shown] = ec2.describe_network_interfaces(NetworkInterfaceIds=[own["NetworkInterfaceId"]])["NetworkInterfaces"]
    for call, arguments in (
        (ec2.detach_network_interface, {"AttachmentId": shown["Attachment"]["AttachmentId"]}),
        (ec2.attach_network_interface, {"InstanceId": "i-0", "DeviceIndex": 1, **interface}),
        (ec2.assign_private_ip_addresses, {"SecondaryPrivateIpAddressCount": 1, **interface}),
        (ec2.unassign_private_ip_addresses, {"PrivateIpAddresses": [own["PrivateIp"]], **interface}),
        (ec2.assign_ipv6_addresses, {"Ipv6AddressCount": 1, **interface}),
    ):
        assert refused(call, **arguments)[0] == "OperationNotPermitted", call
    ec2.delete_nat_gateway(NatGatewayId=nat)


def test_a_default_subnet_comes_back_where_there_is_none(ec2):
    zones = {"AvailabilityZone": "us-east-1c"}
    [old] = ec2.describe_subnets(Filters=filters(availability_zone="us-east-1c", default_for_az="true"))["Subnets"]
    assert refused(ec2.create_default_subnet, **zones) == (
        "DefaultSubnetAlreadyExistsInAvailabilityZone", f"'{old['SubnetId']}' is already the default subnet in us-east-1c.")
    assert refused(ec2.create_default_subnet)[0] == "MissingParameter"
    assert refused(ec2.create_default_subnet, AvailabilityZone="us-east-1x")[0] == "InvalidParameterValue"
    ec2.delete_subnet(SubnetId=old["SubnetId"])
    new = ec2.create_default_subnet(**zones)["Subnet"]
    assert (new["CidrBlock"], new["DefaultForAz"], new["MapPublicIpOnLaunch"]) == (old["CidrBlock"], True, True)
    assert new["VpcId"] == old["VpcId"] and new["SubnetId"] != old["SubnetId"]


def test_a_prefix_list_goes_back_to_an_earlier_version(ec2):
    made = ec2.create_managed_prefix_list(
        PrefixListName="back", MaxEntries=3, AddressFamily="IPv4", Entries=[{"Cidr": "10.0.0.0/16"}])["PrefixList"]
    own = {"PrefixListId": made["PrefixListId"]}
    ec2.modify_managed_prefix_list(CurrentVersion=1, AddEntries=[{"Cidr": "10.1.0.0/16"}], **own)
    back = lambda previous, current: {"PreviousVersion": previous, "CurrentVersion": current, **own}
    assert refused(ec2.restore_managed_prefix_list_version, **back(1, 1))[0] == "PrefixListVersionMismatch"
    for previous in (0, 3):
        assert refused(ec2.restore_managed_prefix_list_version, **back(previous, 2))[0] == "PrefixListVersionNotFound"
    answer = ec2.restore_managed_prefix_list_version(**back(1, 2))["PrefixList"]
    assert (answer["Version"], answer["State"]) == (3, "restore-in-progress")
    assert [one["Cidr"] for one in ec2.get_managed_prefix_list_entries(**own)["Entries"]] == ["10.0.0.0/16"]
    [shown] = ec2.describe_managed_prefix_lists(PrefixListIds=[made["PrefixListId"]])["PrefixLists"]
    assert (shown["Version"], shown["State"]) == (3, "restore-complete")
    ec2.delete_managed_prefix_list(**own)


def test_groups_let_ipv6_out_as_they_were_made_or_when_their_vpc_gets_its_first_range(ec2):
    id = ec2.create_vpc(CidrBlock="10.12.0.0/16")["Vpc"]["VpcId"]
    group = lambda name: ec2.create_security_group(GroupName=name, Description="d", VpcId=id)["GroupId"]
    untouched, changed = group("untouched"), group("changed")
    ec2.revoke_security_group_egress(GroupId=changed, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
    def out(one: str) -> list[str]:
        rules = ec2.describe_security_group_rules(Filters=filters(group_id=one))["SecurityGroupRules"]
        return sorted(rule.get("CidrIpv4") or rule["CidrIpv6"] for rule in rules if rule["IsEgress"])
    assert (out(untouched), out(changed)) == (["0.0.0.0/0"], [])
    ec2.associate_vpc_cidr_block(VpcId=id, AmazonProvidedIpv6CidrBlock=True)
    both = ["0.0.0.0/0", "::/0"]
    assert (out(untouched), out(changed), out(group("new"))) == (both, [], both)
