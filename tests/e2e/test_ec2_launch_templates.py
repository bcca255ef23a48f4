"""EC2's launch templates against the real program: boto3 and the AWS CLI."""

from __future__ import annotations

import datetime
import json
import re

import pytest
from cli_examples import EXAMPLES
from harness import Longshore, eventually
from test_ec2 import filters, refused
from test_kills import kill

WHEN = datetime.datetime(2031, 2, 3, 4, 5, 6, tzinfo=datetime.timezone.utc)
# One of each of these: never both at once.
EITHER = ({"InstanceType", "AllowedInstanceTypes"}, {"InstanceRequirements", "ExcludedInstanceTypes"})


@pytest.fixture(scope="module")
def ec2(longshore: Longshore):
    return longshore.client("ec2")


@pytest.fixture
def template(ec2):
    """Of one version; its id. A test removes what it makes besides."""
    made = ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"InstanceType": "c5.large"})["LaunchTemplate"]
    yield made["LaunchTemplateId"]
    ec2.delete_launch_template(LaunchTemplateId=made["LaunchTemplateId"])


def filled(shape, without: set[str], depth: int = 0):
    """A value with every member that the model has, but for some at the top and in what is chosen there."""
    if shape.type_name == "structure":
        members = {name: member for name, member in shape.members.items() if name not in without}
        return {name: filled(member, without, depth + 1) for name, member in members.items()}
    if shape.type_name == "list":
        return [filled(shape.member, without, depth + 1) for _ in range(2)]
    scalars = {"boolean": depth % 2 == 0, "integer": 7, "long": 7, "double": 1.5, "timestamp": WHEN}
    if shape.type_name in scalars:
        return scalars[shape.type_name]
    return shape.enum[-1] if getattr(shape, "enum", None) else f"{shape.name}/<{depth}>&é"


@pytest.mark.parametrize("left_out", EITHER)
def test_every_member_is_shown_as_it_was_given(ec2, left_out):
    shape = ec2.meta.service_model.shape_for("RequestLaunchTemplateData")
    given = filled(shape, left_out)
    assert len(given) == len(shape.members) - 1
    made = ec2.create_launch_template(LaunchTemplateName="everything", LaunchTemplateData=given)["LaunchTemplate"]
    [version] = ec2.describe_launch_template_versions(LaunchTemplateId=made["LaunchTemplateId"])["LaunchTemplateVersions"]
    shown = version["LaunchTemplateData"]
    assert shown["Operator"].pop("Managed") is True
    assert shown == given
    # The same once more through a source version.
    answer = ec2.create_launch_template_version(
        LaunchTemplateName="everything", SourceVersion="1", LaunchTemplateData={"KeyName": "another"})["LaunchTemplateVersion"]
    assert answer["LaunchTemplateData"].pop("KeyName") == "another"
    for device in given["BlockDeviceMappings"]:
        del device["Ebs"]["SnapshotId"]
    answer["LaunchTemplateData"]["Operator"].pop("Managed")
    assert answer["LaunchTemplateData"] == {name: value for name, value in given.items() if name != "KeyName"}
    ec2.delete_launch_template(LaunchTemplateName="everything")


def test_a_template_lives_through_its_versions(ec2, template):
    [shown] = ec2.describe_launch_templates(LaunchTemplateIds=[template])["LaunchTemplates"]
    assert re.fullmatch(r"lt-[0-9a-f]{17}", template) and shown["LaunchTemplateName"] == "web"
    assert (shown["DefaultVersionNumber"], shown["LatestVersionNumber"]) == (1, 1)
    assert shown["CreatedBy"] == "arn:aws:iam::000000000000:root" and shown["Tags"] == []
    new = ec2.create_launch_template_version(
        LaunchTemplateName="web", SourceVersion="$Latest", VersionDescription="with an image", LaunchTemplateData={"ImageId": "ami-0abcdef1234567890"})
    new = new["LaunchTemplateVersion"]
    assert new["LaunchTemplateData"] == {"InstanceType": "c5.large", "ImageId": "ami-0abcdef1234567890"}
    assert (new["VersionNumber"], new["DefaultVersion"], new["VersionDescription"]) == (2, False, "with an image")
    pages = ec2.get_paginator("describe_launch_template_versions").paginate(LaunchTemplateId=template, PaginationConfig={"PageSize": 1})
    assert [[one["VersionNumber"] for one in page["LaunchTemplateVersions"]] for page in pages] == [[2], [1]]
    modified = ec2.modify_launch_template(LaunchTemplateId=template, DefaultVersion="2")["LaunchTemplate"]
    assert (modified["DefaultVersionNumber"], modified["LatestVersionNumber"]) == (2, 2)
    done = ec2.delete_launch_template_versions(LaunchTemplateId=template, Versions=["1", "2", "3"])
    own = {"LaunchTemplateId": template, "LaunchTemplateName": "web"}
    assert done["SuccessfullyDeletedLaunchTemplateVersions"] == [own | {"VersionNumber": 1}]
    left = done["UnsuccessfullyDeletedLaunchTemplateVersions"]
    assert [(one["VersionNumber"], one["ResponseError"]["Code"]) for one in left] == [(2, "unexpectedError"), (3, "launchTemplateVersionDoesNotExist")]
    assert refused(ec2.describe_launch_template_versions, LaunchTemplateName="web", Versions=["1"]) == (
        "InvalidLaunchTemplateId.VersionNotFound", f"Could not find the specified version 1 for the launch template with ID {template}.")


def test_templates_are_tagged_and_found(ec2, template):
    tags = [{"Key": "Name", "Value": "data"}]
    made = ec2.create_launch_template(
        LaunchTemplateName="data", LaunchTemplateData={"InstanceType": "r5.large"},
        TagSpecifications=[{"ResourceType": "launch-template", "Tags": tags}])["LaunchTemplate"]
    assert made["Tags"] == tags
    names = lambda **asked: [one["LaunchTemplateName"] for one in ec2.describe_launch_templates(**asked)["LaunchTemplates"]]
    assert names(Filters=filters(**{"tag:Name": "data"})) == ["data"] == names(Filters=filters(launch_template_name="d*"))
    ec2.create_tags(Resources=[template], Tags=[{"Key": "Name", "Value": "web"}])
    assert sorted(names(Filters=filters(tag_key="Name"))) == ["data", "web"] == sorted(names(LaunchTemplateNames=["web", "data"]))
    [tag] = ec2.describe_tags(Filters=filters(resource_type="launch-template", value="web"))["Tags"]
    assert (tag["ResourceId"], tag["Key"]) == (template, "Name")
    found = ec2.describe_launch_template_versions(Versions=["$Latest"], Filters=filters(instance_type="r5.*"))["LaunchTemplateVersions"]
    assert [one["LaunchTemplateName"] for one in found] == ["data"]
    ec2.delete_tags(Resources=[template])
    assert ec2.delete_launch_template(LaunchTemplateName="data")["LaunchTemplate"]["Tags"] == tags
    assert ec2.describe_tags(Filters=filters(resource_type="launch-template"))["Tags"] == []


def test_what_is_refused_is_refused_in_awss_words(ec2, template):
    data = {"InstanceType": "c5.large"}
    assert refused(ec2.create_launch_template, LaunchTemplateName="web", LaunchTemplateData=data) == (
        "InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use.")
    assert refused(ec2.create_launch_template, LaunchTemplateName="a web", LaunchTemplateData=data)[0] == "InvalidLaunchTemplateName.MalformedException"
    assert refused(ec2.create_launch_template, LaunchTemplateName="more", LaunchTemplateData={})[0] == "MissingParameter"
    long = {"UserData": "A" * 21_848}
    assert refused(ec2.create_launch_template_version, LaunchTemplateId=template, LaunchTemplateData=long) == (
        "InvalidUserData.Malformed", "User data is limited to 16384 bytes.")
    assert refused(ec2.describe_launch_templates, LaunchTemplateNames=["web", "none"]) == (
        "InvalidLaunchTemplateName.NotFoundException", "At least one of the launch templates specified in the request does not exist.")
    assert refused(ec2.describe_launch_template_versions, LaunchTemplateName="none") == (
        "InvalidLaunchTemplateName.NotFoundException", "The specified launch template, with template name none, does not exist.")
    unknown = "lt-07ff4bb0369cd679c"
    assert refused(ec2.describe_launch_template_versions, LaunchTemplateId=unknown) == (
        "InvalidLaunchTemplateId.NotFound", f"The specified launch template, with template ID {unknown}, does not exist.")
    code, said = refused(ec2.describe_launch_template_versions)
    assert code == "MissingParameter" and said.startswith("To describe the launch template data for all your launch templates, for ‘--versions’")
    assert refused(ec2.modify_launch_template, LaunchTemplateId=template, LaunchTemplateName="web", DefaultVersion="1") == (
        "InvalidParameterCombination", "Either provide launch template ID or launch template name to modify the template.")
    assert refused(ec2.modify_launch_template, LaunchTemplateName="web", DefaultVersion="2") == (
        "InvalidLaunchTemplateId.VersionNotFound", "The launch template version 2 is not found for the specified launch template.")
    assert refused(ec2.create_launch_template, LaunchTemplateName="dry", LaunchTemplateData=data, DryRun=True)[0] == "DryRunOperation"
    assert refused(ec2.delete_launch_template, LaunchTemplateId=template, DryRun=True)[0] == "DryRunOperation"
    assert [one["LaunchTemplateName"] for one in ec2.describe_launch_templates()["LaunchTemplates"]] == ["web"]


def test_the_clis_example_with_a_file_makes_what_its_file_says(longshore, ec2, tmp_path):
    text = (EXAMPLES / "ec2" / "create-launch-template.rst").read_text()
    block = re.search(r"Contents of ``config\.json``::\n\n(.*?)\n\nOutput::", text, re.DOTALL).group(1)
    config = tmp_path / "config.json"
    config.write_text(block)
    name = "TemplateForEncryption"
    for version in (1, 2):
        made = longshore.aws("ec2", "create-launch-template", "--launch-template-name", name,
                             "--launch-template-data", f"file://{config}", version=version)["LaunchTemplate"]
        assert (made["LaunchTemplateName"], made["LatestVersionNumber"], made["DefaultVersionNumber"]) == (name, 1, 1)
        shown = longshore.aws("ec2", "describe-launch-template-versions", "--launch-template-name", name, version=version)
        [one] = shown["LaunchTemplateVersions"]
        assert one["LaunchTemplateData"] == json.loads(block)
        longshore.aws("ec2", "delete-launch-template", "--launch-template-id", made["LaunchTemplateId"], version=version)


def test_templates_are_there_after_the_server_is_killed(fresh):
    spot = {"MarketType": "spot", "SpotOptions": {"ValidUntil": WHEN}}
    look = lambda: fresh.client("ec2").describe_launch_template_versions(LaunchTemplateName="kept")["LaunchTemplateVersions"]
    fresh.client("ec2").create_launch_template(LaunchTemplateName="kept", LaunchTemplateData={"InstanceMarketOptions": spot})
    before = look()
    assert before[0]["LaunchTemplateData"] == {"InstanceMarketOptions": spot}
    kill(fresh, "server")
    eventually(fresh.ready, "the server to be back")
    assert look() == before
