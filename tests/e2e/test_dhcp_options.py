"""A VPC's set of DHCP options, as its tasks find it: whom they ask for names, and where."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import connect
import pytest
import vpc
from botocore.exceptions import ClientError
from test_metadata import environment, fetch

# A name server that knows one name, which leads to the address that it is started with.
SERVER = """
import socket, sys
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.bind(("0.0.0.0", 53))
print("ready", flush=True)
known = b"".join(bytes([len(part)]) + part.encode() for part in sys.argv[1].split(".")) + b"\\0"
while True:
    query, peer = one.recvfrom(4096)
    end = query.index(b"\\0", 12) + 1
    is_known = query[12:end].lower() == known
    is_address = query[end:end + 2] == b"\\0\\1"
    head = query[:2] + (b"\\x85\\x80" if is_known else b"\\x85\\x83") + b"\\0\\1\\0" + bytes([is_known and is_address]) + b"\\0" * 4
    answer = b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\x3c\\0\\4" + socket.inet_aton(sys.argv[2]) if is_known and is_address else b""
    one.sendto(head + query[12:end + 4] + answer, peer)
"""
LOOK_UP = """
import socket, sys
try:
    print(socket.getaddrinfo(sys.argv[1], 80, socket.AF_INET, socket.SOCK_STREAM)[0][4][0])
except socket.gaierror as error:
    assert error.errno in (socket.EAI_NONAME, socket.EAI_AGAIN), error
    print("-")
"""


def started(longshore, subnet: str, family: str) -> dict:
    definition = connect.sleeper(longshore, family)
    task, = longshore.start(definition, networkConfiguration=vpc.network(subnet))
    return longshore.wait(task, "RUNNING")


def resolv_conf(longshore, task: dict) -> str:
    return Path(f"/proc/{connect.pid(longshore.data, task)}/root/etc/resolv.conf").read_text()


def looked_up(longshore, task: dict, name: str) -> str:
    """By the C library, in the task's network and with its `resolv.conf`."""
    into = ["nsenter", f"--net={vpc.namespace(longshore.data, task)}", "unshare", "--mount", "--propagation", "slave", "sh", "-c"]
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(resolv_conf(longshore, task))
        file.flush()
        script = f'mount --bind "{file.name}" /etc/resolv.conf && exec "$@"'
        done = subprocess.run([*into, script, "sh", sys.executable, "-c", LOOK_UP, name], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def options(ec2, **values: list[str]) -> str:
    configurations = [{"Key": key.replace("_", "-"), "Values": of} for key, of in values.items()]
    return ec2.create_dhcp_options(DhcpConfigurations=configurations)["DhcpOptions"]["DhcpOptionsId"]


def test_tasks_ask_whom_the_options_of_their_vpc_name_and_look_where_these_say(longshore):
    ec2 = vpc.ec2(longshore)
    id = ec2.create_vpc(CidrBlock="10.46.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=id, CidrBlock="10.46.1.0/24", AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"]
    before = ec2.describe_vpcs(VpcIds=[id])["Vpcs"][0]["DhcpOptionsId"]
    first = started(longshore, subnet, "dhcp-first")
    assert resolv_conf(longshore, first) == "search ec2.internal\nnameserver 10.46.0.2\n"
    # A name server in a task: the VPC's group lets its tasks talk.
    command = ["nsenter", f"--net={vpc.namespace(longshore.data, first)}", sys.executable, "-c", SERVER, "db.corp.example", "10.46.1.77"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout.readline() == "ready\n"
        own = options(ec2, domain_name=["lab.example corp.example"], domain_name_servers=[vpc.address(first)], ntp_servers=["192.0.2.1"])
        ec2.associate_dhcp_options(DhcpOptionsId=own, VpcId=id)
        second = started(longshore, subnet, "dhcp-second")
        assert resolv_conf(longshore, second) == f"search lab.example corp.example\nnameserver {vpc.address(first)}\n"
        assert looked_up(longshore, second, "db") == looked_up(longshore, second, "db.corp.example") == "10.46.1.77"
        assert looked_up(longshore, second, "other.corp.example") == "-"
        # The metadata endpoint says the same; who ran before keeps what it had.
        uri = environment(longshore, second["taskArn"])["ECS_CONTAINER_METADATA_URI_V4"]
        network, = fetch(longshore, second["taskArn"], uri)["Networks"]
        assert (network["DomainNameServers"], network["DomainNameSearchList"]) == ([vpc.address(first)], ["lab.example", "corp.example"])
        assert resolv_conf(longshore, first) == "search ec2.internal\nnameserver 10.46.0.2\n"
    finally:
        server.kill()
        server.wait()
    # AWS's resolver by its name, with another domain; without its support it is named all the same, and says nothing.
    mixed = options(ec2, domain_name=["corp.example"], domain_name_servers=["AmazonProvidedDNS"])
    ec2.associate_dhcp_options(DhcpOptionsId=mixed, VpcId=id)
    ec2.modify_vpc_attribute(VpcId=id, EnableDnsHostnames={"Value": True})
    third = started(longshore, subnet, "dhcp-third")
    assert resolv_conf(longshore, third) == "search corp.example\nnameserver 10.46.0.2\n"
    name = vpc.details(second)["privateDnsName"]
    assert looked_up(longshore, third, name) == vpc.address(second)
    ec2.modify_vpc_attribute(VpcId=id, EnableDnsSupport={"Value": False})
    fourth = started(longshore, subnet, "dhcp-fourth")
    assert resolv_conf(longshore, fourth) == resolv_conf(longshore, third)
    assert looked_up(longshore, fourth, name) == "-"
    # No options: nobody is named.
    ec2.associate_dhcp_options(DhcpOptionsId="default", VpcId=id)
    fifth = started(longshore, subnet, "dhcp-fifth")
    assert resolv_conf(longshore, fifth) == ""
    ec2.associate_dhcp_options(DhcpOptionsId=before, VpcId=id)
    for set in (own, mixed):
        ec2.delete_dhcp_options(DhcpOptionsId=set)
    for task in (first, second, third, fourth, fifth):
        longshore.ecs.stop_task(task=task["taskArn"])
        longshore.wait(task["taskArn"], "STOPPED")


@pytest.mark.parametrize("servers, text", [
    (["ns.example"], "Value (ns.example) for parameter domain-name-servers is invalid. Expecting an IP address or AmazonProvidedDNS."),
    ([f"192.0.2.{last}" for last in range(5)], "At most 4 domain name servers can be specified."),
])
def test_a_name_server_is_an_address(longshore, servers, text):
    ec2 = vpc.ec2(longshore)
    before = len(ec2.describe_dhcp_options()["DhcpOptions"])
    with pytest.raises(ClientError) as error:
        options(ec2, domain_name_servers=servers)
    assert (error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]) == ("InvalidParameterValue", text)
    assert len(ec2.describe_dhcp_options()["DhcpOptions"]) == before
