"""`longshore agent --encrypt`: where the kernel has WireGuard two hosts' tasks talk and the wire shows nothing of it; elsewhere the
agent says why it does not start. In the test guest LONGSHORE_TEST_WIREGUARD says that the first is to be seen.
"""

import os
import subprocess

import vpc
from harness import SLOWNESS, eventually

HAS_WIREGUARD = os.environ.get("LONGSHORE_TEST_WIREGUARD") == "1"

LISTEN = """
import socket, sys, time
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
wire.bind((sys.argv[1], 0)); wire.settimeout(0.2)
print("ready", flush=True)
seen, until = set(), time.monotonic() + float(sys.argv[2])
while time.monotonic() < until:
    try:
        frame = wire.recv(65535)
    except TimeoutError:
        continue
    if frame[12:14] != b"\\x08\\x00":
        continue
    ip = frame[14:]; body = ip[(ip[0] & 15) * 4:]
    if ip[9] == 17:
        seen.add(f"udp {int.from_bytes(body[2:4], 'big')}")
    if b"HTTP/1.1" in body:
        seen.add("a page")
print(" ".join(sorted(seen)).replace("udp ", "udp"))
"""


def refused(host):
    """What an agent says that cannot encrypt."""
    host.start("--server", host.server.url, "--token", host.server.token())
    assert host.process.wait(timeout=30 * SLOWNESS) != 0
    return host.log()


def heard(host, device, seconds, act):
    """What passes a device of a host while something is done."""
    listener = subprocess.Popen(
        host.within("python3", "-c", LISTEN, device, str(seconds)), stdout=subprocess.PIPE, text=True)
    assert listener.stdout.readline() == "ready\n"
    act()
    return set(listener.communicate(timeout=seconds * 10)[0].split())


def test_hosts_encrypt_or_say_why_not(site, lan):
    server = site.server()
    if not HAS_WIREGUARD:
        host = site.host("--encrypt", f"--address={lan.net}.2")
        said = refused(host)
        assert "WireGuard" in said and host.instances() == [], said
        return
    hosts = [site.host("--encrypt", f"--address={lan.net}.{number}").join() for number in (2, 3)]
    subnet = vpc.default_subnet(server)
    group = vpc.group(server, "inside", subnet["VpcId"])
    vpc.ec2(server).authorize_security_group_ingress(GroupId=group, IpPermissions=vpc.tcp(80, group=group))
    definition = vpc.hello(server, "secret")
    tasks = []
    for host in hosts:
        started = server.ecs.start_task(
            taskDefinition=definition, containerInstances=[host.arn],
            networkConfiguration=vpc.network(subnet["SubnetId"], groups=(group,)))
        tasks.append(server.wait(started["tasks"][0]["taskArn"], "RUNNING"))
    reach = lambda: vpc.reaches(hosts[0].data, tasks[0], vpc.address(tasks[1]), 80, patience_s=5 * SLOWNESS)
    eventually(reach, "a task of the other host to be reached")
    wire = hosts[0].cable.removesuffix("p")
    passed = heard(hosts[0], wire, 3 * SLOWNESS, lambda: [reach() for _ in range(3)])
    assert passed and not passed & {"udp4789", "page"}, passed
    # The agent comes back: the key and the tunnel are the same, and the tasks still talk.
    hosts[0].kill()
    assert reach()
    hosts[0].start()
    eventually(hosts[0].connected, "the host to be back")
    eventually(reach, "a task of the other host to be reached again")
    for task in tasks:
        server.ecs.stop_task(task=task["taskArn"])
        server.wait(task["taskArn"], "STOPPED")
