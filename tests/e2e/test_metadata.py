"""What containers find at link-local addresses, asked from inside the networks of real tasks."""

import ipaddress
import json
import socket
import subprocess
import sys
import threading

import vpc
from harness import eventually
from test_kills import kill

SLEEP = {"name": "app", "command": ["sleep", "1000"], "stopTimeout": 2}
NAMES = ("ECS_CONTAINER_METADATA_URI", "ECS_CONTAINER_METADATA_URI_V4", "ECS_AGENT_URI")


def pid(longshore, arn, name="app"):
    path = longshore.data / "agent" / "tasks" / arn.rsplit("/", 1)[1] / "containers" / name / "state.json"
    return json.loads(path.read_text())["pid"]


def environment(longshore, arn, name="app"):
    with open(f"/proc/{pid(longshore, arn, name)}/environ") as file:
        return dict(pair.split("=", 1) for pair in file.read().split("\0") if "=" in pair)


def ask(longshore, arn, url, *options, name="app"):
    """Status and body, as a program in the container's network gets them."""
    done = subprocess.run(
        ["nsenter", f"--net=/proc/{pid(longshore, arn, name)}/ns/net",
         "curl", "-sS", "-m", "5", "-w", "\n%{http_code}", *options, url], capture_output=True, text=True)
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


def fetch(longshore, arn, url, **more):
    status, body = ask(longshore, arn, url, **more)
    assert status == 200, body
    return json.loads(body)


def started(longshore, definition, **members):
    arn, = longshore.start(definition, **members)
    longshore.wait(arn, "RUNNING")
    return arn


def stopped(longshore, *arns):
    for arn in arns:
        longshore.ecs.stop_task(task=arn)
    for arn in arns:
        longshore.wait(arn, "STOPPED")


def bridge(longshore, family="meta-bridge", **members):
    return longshore.register(family, SLEEP | members, networkMode="bridge")


def test_a_container_on_the_bridge_learns_of_itself_and_its_task(longshore):
    arn = started(longshore, bridge(longshore, portMappings=[{"containerPort": 8080}]))
    seen = environment(longshore, arn)
    assert [seen[name].rsplit("/", 1)[0] for name in NAMES] == [
        f"http://169.254.170.2/{path}" for path in ("v3", "v4", "api")]
    assert (seen["AWS_REGION"], seen["AWS_DEFAULT_REGION"]) == ("us-east-1", "us-east-1")
    known = longshore.describe(arn)["containers"][0]
    own = fetch(longshore, arn, seen["ECS_CONTAINER_METADATA_URI_V4"])
    assert (own["DockerId"], own["Name"], own["ContainerARN"]) == (known["runtimeId"], "app", known["containerArn"])
    assert own["DockerName"].startswith("ecs-meta-bridge-1-app-")
    assert own["Image"] == "busybox:test" and own["ImageID"].startswith("sha256:")
    assert (own["DesiredStatus"], own["KnownStatus"], own["Type"]) == ("RUNNING", "RUNNING", "NORMAL")
    assert own["Labels"]["com.amazonaws.ecs.task-arn"] == arn
    port, = own["Ports"]
    host_port = known["networkBindings"][0]["hostPort"]
    assert port == {"ContainerPort": 8080, "Protocol": "tcp", "HostPort": host_port, "HostIp": "0.0.0.0"}
    network, = own["Networks"]
    inside = subprocess.run(["nsenter", f"--net=/proc/{pid(longshore, arn)}/ns/net", "hostname", "-I"],
                            capture_output=True, text=True).stdout.split()
    assert (network["NetworkMode"], network["IPv4Addresses"]) == ("bridge", inside)
    task = fetch(longshore, arn, seen["ECS_CONTAINER_METADATA_URI_V4"] + "/task")
    assert (task["TaskARN"], task["Family"], task["Revision"], task["Cluster"]) == (arn, "meta-bridge", "1", "default")
    assert (task["LaunchType"], task["AvailabilityZone"], task["KnownStatus"]) == ("EC2", "us-east-1a", "RUNNING")
    assert task["AvailabilityZoneID"] == "use1-az1" and "Snapshotter" not in own
    assert task["Containers"] == [own]
    old = fetch(longshore, arn, seen["ECS_CONTAINER_METADATA_URI"])
    assert old["DockerId"] == own["DockerId"] and "ContainerARN" not in old and "LogDriver" not in old
    # A task on the bridge shares its address with nobody, and yet version 2 is for interfaces alone.
    assert ask(longshore, arn, "http://169.254.170.2/v2/metadata")[0] == 400
    status, body = ask(longshore, arn, "http://169.254.170.2/v4/0/task")
    assert status == 404 and json.loads(body).startswith("V4 task metadata handler: unable to get task arn")
    assert ask(longshore, arn, "http://169.254.170.2//v4/./0")[0] == 301
    stopped(longshore, arn)


def test_nobody_else_may_ask_in_a_containers_name(longshore):
    definition = bridge(longshore)
    victim, other = started(longshore, definition), started(longshore, definition)
    uri = environment(longshore, victim)["ECS_CONTAINER_METADATA_URI_V4"]
    assert ask(longshore, victim, uri)[0] == 200
    assert ask(longshore, other, uri)[0] == 404
    # Nor may a process of the host, whichever way it goes.
    path = uri.removeprefix("http://169.254.170.2")
    port = json.loads((longshore.data / "agent" / "agent.json").read_text())["endpoint_port"]
    for url, status in ((uri, "000"), (f"http://127.0.0.1:{port}{path}", "404")):
        done = subprocess.run(["curl", "-s", "-m", "2", "-o", "/dev/null", "-w", "%{http_code}", url],
                              capture_output=True, text=True)
        assert done.stdout == status
    stopped(longshore, victim, other)


def test_port_80_of_the_host_does_not_get_the_calls_of_others(longshore):
    liar = bridge(longshore, "liar", portMappings=[{"containerPort": 80, "hostPort": 80}],
                  command=["sh", "-c", "while :; do printf 'HTTP/1.0 200 OK\\r\\n\\r\\nlie' | nc -l -p 80; done"])
    liar = started(longshore, liar)
    arn = started(longshore, bridge(longshore))
    uri = environment(longshore, arn)["ECS_CONTAINER_METADATA_URI_V4"]
    assert fetch(longshore, arn, uri)["Name"] == "app"
    stopped(longshore, liar, arn)


def test_a_container_of_the_host_asks_on_loopback_and_one_without_a_network_not_at_all(longshore):
    arn = started(longshore, longshore.register("meta-host", SLEEP))
    seen = environment(longshore, arn)
    assert seen["ECS_CONTAINER_METADATA_URI_V4"].startswith("http://127.0.0.1:")
    own = fetch(longshore, arn, seen["ECS_CONTAINER_METADATA_URI_V4"])
    assert own["Networks"] == [{"NetworkMode": "host", "IPv4Addresses": [""]}]
    none = started(longshore, longshore.register("meta-none", SLEEP, networkMode="none"))
    assert not set(NAMES) & set(environment(longshore, none))
    stopped(longshore, arn, none)


def test_a_task_with_an_interface_is_told_of_it(longshore):
    subnet = vpc.default_subnet(longshore)
    definition = longshore.register("meta-vpc", SLEEP, SLEEP | {"name": "side"}, networkMode="awsvpc")
    arn, other = (started(longshore, definition, networkConfiguration=vpc.network(subnet["SubnetId"])) for _ in "12")
    uri = environment(longshore, arn)["ECS_CONTAINER_METADATA_URI_V4"]
    task = fetch(longshore, arn, uri + "/task")
    details = vpc.details(longshore.describe(arn))
    assert task["VPCID"] == subnet["VpcId"]
    for container in task["Containers"]:
        assert container["Networks"] == [{
            "NetworkMode": "awsvpc", "IPv4Addresses": [details["privateIPv4Address"]], "AttachmentIndex": 0,
            "MACAddress": details["macAddress"], "IPv4SubnetCIDRBlock": subnet["CidrBlock"],
            "DomainNameServers": ["172.31.0.2"], "DomainNameSearchList": ["ec2.internal"],
            "PrivateDNSName": details["privateDnsName"],
            "SubnetGatewayIpv4Address": subnet["CidrBlock"].replace(".0/", ".1/")}]
    assert fetch(longshore, arn, "http://169.254.170.2/v2/metadata")["TaskARN"] == arn
    assert fetch(longshore, other, "http://169.254.170.2/v2/metadata")["TaskARN"] == other
    docker_id = task["Containers"][1]["DockerId"]
    assert fetch(longshore, arn, f"http://169.254.170.2/v2/metadata/{docker_id}")["Name"] == "side"
    assert ask(longshore, other, f"http://169.254.170.2/v2/metadata/{docker_id}")[0] == 400
    assert ask(longshore, other, uri)[0] == 404
    stopped(longshore, arn, other)


def test_a_task_with_addresses_of_both_families_is_told_of_both(longshore):
    ec2 = longshore.client("ec2")
    id = ec2.create_vpc(CidrBlock="10.68.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]["VpcId"]
    given = ec2.describe_vpcs(VpcIds=[id])["Vpcs"][0]["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
    six = str(list(ipaddress.ip_network(given).subnets(new_prefix=64))[3])
    subnet = ec2.create_subnet(VpcId=id, CidrBlock="10.68.1.0/24", Ipv6CidrBlock=six, AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"]
    ec2.modify_subnet_attribute(SubnetId=subnet, AssignIpv6AddressOnCreation={"Value": True})
    definition = longshore.register("meta-six", SLEEP, networkMode="awsvpc")
    arn = started(longshore, definition, networkConfiguration=vpc.network(subnet))
    [network] = fetch(longshore, arn, environment(longshore, arn)["ECS_CONTAINER_METADATA_URI_V4"])["Networks"]
    assert network["IPv6Addresses"] == [vpc.details(longshore.describe(arn))["ipv6Address"]]
    assert ipaddress.ip_address(network["IPv6Addresses"][0]) in ipaddress.ip_network(network["IPv6SubnetCIDRBlock"])
    assert (network["IPv4SubnetCIDRBlock"], network["IPv6SubnetCIDRBlock"]) == ("10.68.1.0/24", six)
    # It is the gateway that the task's own routes name.
    routes = vpc.within(longshore.data, longshore.describe(arn), "ip", "-6", "route", "show", "default").stdout
    assert f"default via {network['SubnetGatewayIpv6Address'].partition('/')[0]} " in routes, routes
    stopped(longshore, arn)
    eventually(lambda: not ec2.describe_network_interfaces(Filters=[{"Name": "vpc-id", "Values": [id]}])["NetworkInterfaces"], "its interface to be gone")
    ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=id)


def test_what_a_health_check_ended_with_is_told(longshore):
    check = {"command": ["CMD-SHELL", "echo ill; exit 7"], "interval": 5, "retries": 1, "timeout": 5}
    arn = started(longshore, bridge(longshore, "meta-ill", healthCheck=check))
    uri = environment(longshore, arn)["ECS_CONTAINER_METADATA_URI_V4"]

    def ill():
        health = fetch(longshore, arn, uri)["Health"]
        return health if health["status"] == "UNHEALTHY" else None

    health = eventually(ill, "the check to fail")
    assert (health["exitCode"], health["output"]) == (7, "ill\n")
    stopped(longshore, arn)


def test_what_a_task_uses_and_its_tags(longshore):
    definition = bridge(longshore, command=["sh", "-c", "while :; do :; done"])
    arn = started(longshore, definition, tags=[{"key": "team", "value": "a"}])
    uri = environment(longshore, arn)["ECS_CONTAINER_METADATA_URI_V4"]
    first = fetch(longshore, arn, uri + "/stats")
    docker_id = longshore.describe(arn)["containers"][0]["runtimeId"]
    assert first["id"] == docker_id and first["memory_stats"]["usage"] > 0 and first["pids_stats"]["current"] >= 1
    assert first["memory_stats"]["limit"] == 64 << 20 and "eth0" in first["networks"]
    total = lambda stats: stats["cpu_stats"]["cpu_usage"]["total_usage"]

    def grown():
        whole = fetch(longshore, arn, uri + "/task/stats")
        assert list(whole) == [docker_id]
        return total(whole[docker_id]) > total(first) and whole[docker_id]

    later = eventually(grown, "the container to have used its processor")
    assert later["precpu_stats"]["cpu_usage"]["total_usage"] >= total(first) and later["preread"] >= first["read"]
    # Each question comes to the container's own interface.
    received = lambda: fetch(longshore, arn, uri + "/stats").get("network_rate_stats", {}).get("rx_bytes_per_sec", 0) > 0
    eventually(received, "what the container receives to be counted")
    tagged = fetch(longshore, arn, uri + "/taskWithTags")
    assert "Errors" not in tagged and tagged["TaskTags"] == {"team": "a"}, tagged
    # No role, no right to ask.
    agent = environment(longshore, arn)["ECS_AGENT_URI"] + "/task-protection/v1/state"
    status, body = ask(longshore, arn, agent, "-X", "PUT", "-d", '{"ProtectionEnabled":true}')
    assert (status, json.loads(body)["error"]["Code"]) == (403, "AccessDeniedException")
    status, body = ask(longshore, arn, agent, "-X", "PUT", "-d", '{"Protect":true}')
    assert (status, json.loads(body)["error"]["Code"]) == (400, "InvalidParameterException")
    stopped(longshore, arn)


RESOLVE = '''
import socket, struct, sys
server, name, kind, way = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
query = struct.pack(">6H", 4711, 0x100, 1, 0, 0, 0) + labels + b"\\0" + struct.pack(">2H", kind, 1)
if way == "udp":
    asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asked.settimeout(5)
    asked.connect((server, 53))
    asked.send(query)
    answer = asked.recv(4096)
else:
    asked = socket.create_connection((server, 53), timeout=5)
    asked.sendall(struct.pack(">H", len(query)) + query)
    stream = asked.makefile("rb")
    answer = stream.read(struct.unpack(">H", stream.read(2))[0])
number, flags, _, count = struct.unpack(">4H", answer[:8])
assert number == 4711
print(flags & 15, count, socket.inet_ntoa(answer[-4:]) if kind == 1 and count else "-")
'''


def resolve(longshore, task, name, server="172.31.0.2", kind=1, way="udp"):
    done = vpc.within(longshore.data, task, sys.executable, "-c", RESOLVE, server, name, str(kind), way)
    assert done.returncode == 0, done.stderr
    return tuple(done.stdout.split())


class Upstream:
    """A resolver of this machine that knows one name."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                query, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            head = query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0"
            self.socket.sendto(head + query[12:] + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc6\x33\x64\7", peer)


def test_the_resolver_of_a_vpc(fresh):
    upstream = Upstream()
    (fresh.data / "longshore.toml").write_text(f'[agent]\nresolvers = ["{upstream.address}"]\n')
    kill(fresh, "agent")
    eventually(fresh.ready, "the agent to be back")
    subnet = vpc.default_subnet(fresh)
    definition, network = fresh.register("names", SLEEP, networkMode="awsvpc"), vpc.network(subnet["SubnetId"])
    run = lambda: fresh.ecs.run_task(taskDefinition=definition, networkConfiguration=network)["tasks"]
    arns = [eventually(run, "an agent to run a task")[0]["taskArn"] for _ in "12"]
    one, other = (fresh.wait(arn, "RUNNING") for arn in arns)
    name = vpc.details(other)["privateDnsName"]
    for server in ("172.31.0.2", "169.254.169.253"):
        for way in ("udp", "tcp"):
            assert resolve(fresh, one, name, server, way=way) == ("0", "1", vpc.address(other))
    assert resolve(fresh, one, name, kind=28) == ("0", "0", "-")
    assert resolve(fresh, one, "ip-172-31-255-1.ec2.internal") == ("3", "0", "-")
    assert resolve(fresh, one, "outside.example") == ("0", "1", "198.51.100.7")
    # What a container's own library makes of it.
    inside = subprocess.run(["nsenter", f"--target={pid(fresh, arns[0])}", "--mount", "--net", "cat", "/etc/resolv.conf"],
                            capture_output=True, text=True).stdout
    assert "nameserver 172.31.0.2" in inside and "search ec2.internal" in inside
    stopped(fresh, *arns)
    upstream.socket.close()


def test_a_restarted_agent_answers_where_it_did(fresh):
    subnet = vpc.default_subnet(fresh)
    network = vpc.network(subnet["SubnetId"])
    tasks = [started(fresh, bridge(fresh)), started(fresh, fresh.register("meta-host", SLEEP)),
             started(fresh, fresh.register("meta-vpc", SLEEP, networkMode="awsvpc"), networkConfiguration=network)]
    uris = {arn: environment(fresh, arn)["ECS_CONTAINER_METADATA_URI_V4"] for arn in tasks}
    before = {arn: fetch(fresh, arn, uri) for arn, uri in uris.items()}
    kill(fresh, "agent")

    def answers(arn):
        try:
            return fetch(fresh, arn, uris[arn]) == before[arn]
        except (AssertionError, ValueError):
            return False

    for arn in tasks:
        eventually(lambda: answers(arn), f"{uris[arn]} to be answered as before")
    stopped(fresh, *tasks)


def test_a_container_that_asks_too_often_is_told_so(longshore):
    arn = started(longshore, bridge(longshore))
    uri = environment(longshore, arn)["ECS_CONTAINER_METADATA_URI_V4"]
    done = subprocess.run(
        ["nsenter", f"--net=/proc/{pid(longshore, arn)}/ns/net", "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}\n",
         f"{uri}?[1-200]"], capture_output=True, text=True)
    codes = done.stdout.split()
    assert codes[:60] == ["200"] * 60 and "429" in codes
    stopped(longshore, arn)


def test_every_answer_tells_the_limit_which_the_operator_may_set(fresh):
    def told():
        arn = started(fresh, bridge(fresh))
        uri = environment(fresh, arn)["ECS_CONTAINER_METADATA_URI_V4"]
        done = subprocess.run(
            ["nsenter", f"--net=/proc/{pid(fresh, arn)}/ns/net", "curl", "-s", "-o", "/dev/null", "-w",
             "%{http_code} %header{x-rate-limit-limit} %header{x-rate-limit-duration}\\n", f"{uri}/task?[1-200]"], capture_output=True, text=True)
        stopped(fresh, arn)
        return [tuple(line.split()) for line in done.stdout.splitlines()]

    answers = told()
    assert {answer[1:] for answer in answers} == {("40.00", "1")}
    assert {answer[0] for answer in answers[:60]} == {"200"}
    (fresh.data / "longshore.toml").write_text('[agent]\ntask_metadata_rps_limit = "1,3"\n')
    kill(fresh, "agent")
    eventually(fresh.ready, "the agent to be back")
    answers = told()
    assert {answer[1:] for answer in answers} == {("1.00", "1")}
    codes = [answer[0] for answer in answers]
    assert codes[:3] == ["200"] * 3 and set(codes) == {"200", "429"} and codes.count("200") < 60
