"""Requests that are malformed, too large or of another VPC: EC2's own error, and nothing left of them."""

from __future__ import annotations

from ec2 import refused


def port(number: int, **peer) -> dict:
    return {"IpProtocol": "tcp", "FromPort": number, "ToPort": number, **(peer or {"IpRanges": [{"CidrIp": "10.0.0.0/8"}]})}


def test_rules_that_cannot_be_leave_no_rule(ec2):
    mine, other = (ec2.create_vpc(CidrBlock=f"10.5{n}.0.0/16")["Vpc"]["VpcId"] for n in range(2))
    group, foreign = (ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc)["GroupId"] for vpc in (mine, other))
    shown = lambda: ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    before = shown()
    good = port(1)
    for permissions, code in (
        ([port(n % 65536, IpRanges=[{"CidrIp": f"10.{n // 256}.{n % 256}.0/24"}]) for n in range(10_000)], "RulesPerSecurityGroupLimitExceeded"),
        ([good, port(2, UserIdGroupPairs=[{"GroupId": foreign}])], "InvalidGroup.NotFound"),
        ([good, port(2, UserIdGroupPairs=[{"GroupId": "sg-0"}])], "InvalidGroup.NotFound"),
        ([good, port(2, UserIdGroupPairs=[{"GroupId": "../x"}])], "InvalidGroupId.Malformed"),
        ([good, port(2, IpRanges=[{"CidrIp": "10.0.0.0/33"}])], "InvalidParameterValue"),
        ([good, port(2, IpRanges=[{"CidrIp": "x" * 5000}])], "InvalidParameterValue"),
        ([good, port(2, PrefixListIds=[{"PrefixListId": "pl-0"}])], "InvalidPrefixListID.NotFound"),
        ([good, port(70_000)], "InvalidParameterValue"), ([good, port(-2)], "InvalidParameterValue"),
        ([good, {**good, "FromPort": 9, "ToPort": 8}], "InvalidParameterValue"),
        ([good, {"IpProtocol": "quic", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}], "InvalidParameterValue"),
        ([good, good], "InvalidPermission.Duplicate"),
    ):
        for call in (ec2.authorize_security_group_ingress, ec2.authorize_security_group_egress):
            assert refused(call, GroupId=group, IpPermissions=permissions)[0] == code, permissions[-1]
    assert shown() == before
    sixty = [port(n) for n in range(60)]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=sixty)
    assert refused(ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=[port(60)])[0] == "RulesPerSecurityGroupLimitExceeded"
    # The other family has its own sixty.
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[port(1, Ipv6Ranges=[{"CidrIpv6": "::/0"}])])
    for id in (group, foreign):
        ec2.delete_security_group(GroupId=id)
    for vpc in (mine, other):
        ec2.delete_vpc(VpcId=vpc)
