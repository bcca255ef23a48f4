"""Instance metadata at 169.254.169.254: for processes of the host where it is asked for, for tasks where it is allowed."""

import json
import subprocess
import sys

import leaks
import pytest
import vpc
from harness import eventually
from test_eni_quota import configured
from test_metadata import SLEEP, ask, started, stopped

BASE = "http://169.254.169.254/latest/"
TOKEN, TTL = "X-aws-ec2-metadata-token", "X-aws-ec2-metadata-token-ttl-seconds"


def host(path, *options):
    """Status and body, as a process of the host gets them; (0, "") where nobody answers."""
    done = subprocess.run(["curl", "-sS", "-m", "3", "-w", "\n%{http_code}", *options, BASE + path], capture_output=True, text=True)
    body, _, status = done.stdout.rpartition("\n")
    return int(status or 0), body


def address():
    out = subprocess.run(["ip", "-o", "-4", "address", "show", "dev", "lo"], capture_output=True, text=True, check=True).stdout
    return "169.254.169.254/32" in out


def tasks(longshore):
    network = vpc.network(vpc.default_subnet(longshore)["SubnetId"])
    return [started(longshore, longshore.register("bridged", SLEEP, networkMode="bridge")),
            started(longshore, longshore.register("in-vpc", SLEEP, networkMode="awsvpc"), networkConfiguration=network)]


@pytest.fixture
def told(fresh):
    configured(fresh, '[agent]\ninstance_metadata = true\ninstance_type = "c5.large"\n')
    return fresh


def test_processes_of_the_host_learn_of_the_instance(told):
    arn, = told.ecs.list_container_instances()["containerInstanceArns"]
    instance, = told.ecs.describe_container_instances(containerInstances=[arn])["containerInstances"]
    own = lambda: host("meta-data/instance-id") == (200, instance["ec2InstanceId"])
    eventually(own, "the instance's id")
    for path, expected in [("meta-data/placement/region", "us-east-1"), ("meta-data/placement/availability-zone", "us-east-1a"),
                           ("meta-data/instance-type", "c5.large"), ("meta-data/placement/", "availability-zone\nregion")]:
        assert host(path) == (200, expected), path
    document = json.loads(host("dynamic/instance-identity/document")[1])
    assert {name: document[name] for name in ("accountId", "instanceId", "region", "availabilityZone", "instanceType")} == {
        "accountId": "000000000000", "instanceId": instance["ec2InstanceId"], "region": "us-east-1",
        "availabilityZone": "us-east-1a", "instanceType": "c5.large"}
    out = subprocess.run(["ip", "-j", "route", "get", "192.0.2.1"], capture_output=True, text=True).stdout
    way, = json.loads(out) if out else [{}]
    if "prefsrc" in way:
        assert host("meta-data/local-ipv4") == (200, way["prefsrc"])
        mac = open(f"/sys/class/net/{way['dev']}/address").read().strip()
        assert host("meta-data/mac") == (200, mac)
        assert host(f"meta-data/network/interfaces/macs/{mac}/local-ipv4s") == (200, way["prefsrc"])
    for path in ("user-data", "meta-data/iam/security-credentials/", "meta-data/nothing"):
        assert host(path)[0] == 404, path
    # Version 2.
    status, token = host("api/token", "-X", "PUT", "-H", f"{TTL}: 60")
    assert status == 200 and len(token) == 56
    assert host("meta-data/placement/region", "-H", f"{TOKEN}: {token}") == (200, "us-east-1")
    assert host("meta-data/placement/region", "-H", f"{TOKEN}: {token}x")[0] == 401
    for options, expected in [((), 400), (("-H", f"{TTL}: 21601"), 400), (("-H", f"{TTL}: 60", "-H", "X-Forwarded-For: 10.0.0.1"), 403)]:
        assert host("api/token", "-X", "PUT", *options)[0] == expected, options
    assert host("meta-data/mac", "-X", "POST")[0] == 405
    # The SDK's own way through all of that.
    sdk = ("from botocore.utils import InstanceMetadataRegionFetcher\n"
           "print(InstanceMetadataRegionFetcher().retrieve_region())")
    done = subprocess.run([sys.executable, "-c", sdk], capture_output=True, text=True, timeout=30)
    assert done.stdout.strip() == "us-east-1", done.stderr
    # Tasks learn nothing of it, wherever they are.
    both = tasks(told)
    for arn in both:
        assert ask(told, arn, BASE + "meta-data/instance-id", "-m", "2") == (0, "")
    stopped(told, *both)
    # It goes with the setting, and comes back for the end of all.
    assert address()
    configured(told, "")
    eventually(lambda: not address(), "the address to be gone")
    configured(told, "[agent]\ninstance_metadata = true\n")
    eventually(lambda: host("meta-data/placement/region")[0] == 200, "an answer")
    told.kill("agent")
    told.down()
    assert not address() and not leaks.present(told.data)
    told.up()


def test_tasks_learn_of_it_where_they_may_and_the_host_not_for_that(fresh):
    configured(fresh, "[agent]\ninstance_metadata_for_tasks = true\n")
    arn, = fresh.ecs.list_container_instances()["containerInstanceArns"]
    instance, = fresh.ecs.describe_container_instances(containerInstances=[arn])["containerInstances"]
    both = tasks(fresh)
    for arn in both:
        assert ask(fresh, arn, BASE + "meta-data/instance-id") == (200, instance["ec2InstanceId"])
        # What is told to tasks of themselves stays where it is.
        assert ask(fresh, arn, "http://169.254.169.254/v4/0")[0] == 404
        assert ask(fresh, arn, "http://169.254.170.2/latest/meta-data/instance-id")[0] == 404
    # One that has no instance learns of none.
    fargate = fresh.register("lent", {"name": "app", "command": ["sleep", "1000"]}, networkMode="awsvpc", cpu="256", memory="512",
                             requiresCompatibilities=["FARGATE"])
    lent = started(fresh, fargate, launchType="FARGATE", networkConfiguration=vpc.network(vpc.default_subnet(fresh)["SubnetId"]))
    assert ask(fresh, lent, BASE + "meta-data/instance-id") == (404, "")
    assert not address()
    stopped(fresh, *both, lent)


def test_one_of_two_has_the_address_and_the_other_says_so(told, longshore):
    assert address()
    configured(longshore, "[agent]\ninstance_metadata = true\n")
    log = longshore.data / "log" / "agent.log"
    eventually(lambda: "169.254.169.254 is an address of this host already" in log.read_text(), "a word about it")
    arn, = told.ecs.list_container_instances()["containerInstanceArns"]
    instance, = told.ecs.describe_container_instances(containerInstances=[arn])["containerInstances"]
    assert host("meta-data/instance-id") == (200, instance["ec2InstanceId"])
    configured(longshore, "")
    assert address()
