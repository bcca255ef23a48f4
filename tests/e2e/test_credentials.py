"""Credentials of task roles: a real SDK in the networks of real tasks, and who does not get them."""

import base64
import hmac
import json
import re
import subprocess
import sys
import time

import boto3
import pytest
import vpc
from botocore.config import Config
from botocore.exceptions import ClientError
from harness import eventually
from test_metadata import SLEEP, ask, environment, fetch, pid, started, stopped

ROLE = "arn:aws:iam::000000000000:role/team/app"
RELATIVE, FULL = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"
SDK = '''
import boto3, json
from botocore.exceptions import ClientError
seen = boto3.client("sts").get_caller_identity()
try:
    boto3.client("ecs").list_clusters()
    seen["denied"] = None
except ClientError as error:
    seen["denied"] = error.response["Error"]
print(json.dumps(seen))
'''


def sdk(longshore, arn):
    """What a program with boto3 in the container's network gets, with the container's environment alone."""
    own = {name: value for name, value in environment(longshore, arn).items() if name.startswith("AWS_")}
    own |= {"HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true", "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
    done = subprocess.run(
        ["nsenter", f"--net=/proc/{pid(longshore, arn)}/ns/net", sys.executable, "-c", SDK],
        capture_output=True, text=True, env=own, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def definition(longshore, mode, family="credentials", **members):
    return longshore.register(f"{family}-{mode}", SLEEP | members.pop("container", {}), networkMode=mode,
                              **({"taskRoleArn": ROLE} | members))


def run(longshore, mode, **members):
    if mode == "fargate":
        members |= {"requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512", "family": "lent"}
    more = {"launchType": "FARGATE"} if mode == "fargate" else {}
    mode = "awsvpc" if mode == "fargate" else mode
    if mode == "awsvpc":
        more["networkConfiguration"] = vpc.network(vpc.default_subnet(longshore)["SubnetId"])
    return started(longshore, definition(longshore, mode, **members), **more)


def url(longshore, arn):
    seen = environment(longshore, arn)
    return seen.get(FULL) or "http://169.254.170.2" + seen[RELATIVE]


def signed(longshore, service, keys, **change):
    keys = keys | change
    return boto3.client(
        service, endpoint_url=longshore.url, region_name="us-east-1", aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"], aws_session_token=keys["Token"], config=Config(retries={"max_attempts": 0}))


def code(call):
    with pytest.raises(ClientError) as error:
        call()
    return error.value.response["Error"]["Code"]


@pytest.mark.parametrize("mode", ["bridge", "awsvpc", "host", "fargate"])
def test_an_sdk_in_a_container_is_its_tasks_role(longshore, mode):
    arn = run(longshore, mode)
    id = arn.rsplit("/", 1)[1]
    seen = environment(longshore, arn)
    assert (FULL in seen, RELATIVE in seen) == (mode == "host", mode != "host")
    assert seen["AWS_ENDPOINT_URL"] == (longshore.url if mode == "host" else "http://169.254.170.2:4566")
    who = sdk(longshore, arn)
    assert (who["Account"], who["Arn"]) == ("000000000000", f"arn:aws:sts::000000000000:assumed-role/app/{id}")
    assert re.fullmatch(f"AROA[A-Z2-7]{{17}}:{id}", who["UserId"])
    assert who["denied"] == {"Code": "AccessDeniedException", "Message": (
        f"User: {who['Arn']} is not authorized to perform: ecs:ListClusters on resource: * because no "
        "identity-based policy allows the ecs:ListClusters action")}
    keys = fetch(longshore, arn, url(longshore, arn))
    assert list(keys) == ["AccessKeyId", "Expiration", "RoleArn", "SecretAccessKey", "Token"] and keys["RoleArn"] == ROLE
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", keys["Expiration"])
    stopped(longshore, arn)


def test_who_has_no_role_or_no_network_is_told_of_none(longshore):
    none = run(longshore, "none")
    bare = started(longshore, longshore.register("bare", SLEEP, networkMode="bridge", executionRoleArn=ROLE))
    for arn in (none, bare):
        assert not {RELATIVE, FULL, "AWS_ENDPOINT_URL"} & set(environment(longshore, arn))
    own = run(longshore, "bridge", family="own", container={"environment": [{"name": "AWS_ENDPOINT_URL", "value": "http://mine"}]})
    assert environment(longshore, own)["AWS_ENDPOINT_URL"] == "http://mine"
    over = started(longshore, longshore.register("overridden", SLEEP, networkMode="bridge"), overrides={"taskRoleArn": "other"})
    assert sdk(longshore, over)["Arn"].startswith("arn:aws:sts::000000000000:assumed-role/other/")
    stopped(longshore, none, bare, own, over)


def test_a_role_of_another_account_is_not_valid(longshore):
    with pytest.raises(ClientError) as error:
        longshore.start(definition(longshore, "host", family="foreign", taskRoleArn="arn:aws:iam::111111111111:role/app"))
    assert error.value.response["Error"] == {"Code": "ClientException", "Message": "Role is not valid"}


@pytest.mark.parametrize("mode", ["bridge", "awsvpc"])
def test_a_strangers_credentials_are_nobodys(longshore, mode):
    victim, other = run(longshore, mode), run(longshore, mode)
    at = url(longshore, victim)
    assert ask(longshore, victim, at)[0] == 200
    id = at.rsplit("/", 1)[1]
    assert ask(longshore, victim, f"http://169.254.170.2/v1/credentials?id={id}")[0] == 200
    unknown = {"code": "InvalidIdInRequest", "message": "CredentialsV2Request: Credentials not found", "HTTPErrorCode": 400}
    for asker, path in ((other, at), (other, at[:-1] + "x"), (victim, at[:-1] + "x")):
        status, body = ask(longshore, asker, path)
        assert (status, json.loads(body)) == (400, unknown)
    for path in ("v2/credentials", "v2/credentials/", "v1/credentials", "v1/credentials?id="):
        status, body = ask(longshore, victim, f"http://169.254.170.2/{path}")
        assert (status, json.loads(body)["code"]) == (400, "NoIdInRequest"), path
    # Nor is it a process of the host's.
    port = json.loads((longshore.data / "agent" / "agent.json").read_text())["endpoint_port"]
    done = subprocess.run(["curl", "-s", f"http://127.0.0.1:{port}/v2/credentials/{id}"], capture_output=True, text=True)
    assert json.loads(done.stdout) == unknown
    stopped(longshore, victim, other)


def test_no_key_lies_on_disk_and_none_outlives_its_task(longshore):
    arn = run(longshore, "bridge", executionRoleArn="exec")
    keys = fetch(longshore, arn, url(longshore, arn))
    needles = [keys["SecretAccessKey"].encode(), keys["Token"].encode()]
    files = [path for part in ("agent", "state", "log") for path in (longshore.data / part).rglob("*")
             if path.is_file() and path.stat().st_size < 1 << 30]  # the disks of FARGATE tasks are sparse files
    assert any(path.name == "task.json" for path in files)
    for path in files:
        content = path.read_bytes()
        assert not any(needle in content for needle in needles), path
    sts, ecs = signed(longshore, "sts", keys), signed(longshore, "ecs", keys)
    assert sts.get_caller_identity()["Arn"].endswith(arn.rsplit("/", 1)[1])
    other = run(longshore, "bridge")
    foreign = fetch(longshore, other, url(longshore, other))["Token"]
    for change in ({"Token": None}, {"Token": foreign}, {"Token": "x"}, {"AccessKeyId": "ASIA" + "A" * 16}):
        assert code(signed(longshore, "sts", keys, **change).get_caller_identity) == "InvalidClientTokenId"
        assert code(signed(longshore, "ecs", keys, **change).list_clusters) == "UnrecognizedClientException"
    assert code(signed(longshore, "sts", keys, SecretAccessKey="x").get_caller_identity) == "SignatureDoesNotMatch"
    stopped(longshore, arn, other)
    assert code(sts.get_caller_identity) == "InvalidClientTokenId"
    assert code(ecs.list_clusters) == "UnrecognizedClientException"


def derived(longshore, arn, hours):
    """Credentials of a task as the server makes them, good until so many hours from now."""
    key = bytes.fromhex((longshore.data / "keys" / "sessions.key").read_text().strip())

    def mac(purpose, part):
        text = b"".join(len(one).to_bytes(8, "big") + one for one in (b"longshore session", purpose, part))
        return hmac.digest(key, text, "sha256")

    end = int(time.time() + hours * 3600) * 1000
    moments = (end - 6 * 3600 * 1000).to_bytes(8, "big") + end.to_bytes(8, "big")
    body = b"\1\1" + moments + ROLE.encode() + b"\0" + arn.encode()
    chance = mac(b"access key id", body)
    id = ((1 << 47) | (chance[0] & 0x7f)).to_bytes(6, "big") + chance[1:5]
    text = lambda data: base64.b64encode(data).decode()
    return {"AccessKeyId": "ASIA" + base64.b32encode(id).decode(), "SecretAccessKey": text(mac(b"secret", body)[:30]),
            "Token": text(body + mac(b"token", body))}


def test_what_has_expired_is_refused_in_each_protocols_words(longshore):
    arn = run(longshore, "host", family="expired")
    sts = lambda hours: signed(longshore, "sts", derived(longshore, arn, hours))
    assert sts(1).get_caller_identity()["Arn"].endswith(arn.rsplit("/", 1)[1]), "the test makes them as the server does"
    assert code(sts(-1).get_caller_identity) == "ExpiredToken"
    late = derived(longshore, arn, -1)
    assert code(signed(longshore, "ecs", late).list_clusters) == "ExpiredTokenException"
    assert code(signed(longshore, "ec2", late).describe_vpcs) == "RequestExpired"
    stopped(longshore, arn)
    assert code(sts(1).get_caller_identity) == "InvalidClientTokenId"


def test_a_task_protects_itself_and_no_other(longshore):
    longshore.ecs.create_service(serviceName="kept", taskDefinition=definition(longshore, "bridge"), desiredCount=2)
    running = lambda: [t for t in longshore.ecs.list_tasks(serviceName="kept")["taskArns"]
                       if longshore.describe(t)["lastStatus"] == "RUNNING"]
    one, other = eventually(lambda: len(running()) == 2 and running(), "the service's tasks to run")
    state = environment(longshore, one)["ECS_AGENT_URI"] + "/task-protection/v1/state"
    status, body = ask(longshore, one, state, "-X", "PUT", "-d", '{"ProtectionEnabled":true,"ExpiresInMinutes":5}')
    assert status == 200 and json.loads(body)["protection"]["ProtectionEnabled"], body
    assert fetch(longshore, one, state)["protection"]["TaskArn"] == one
    shown = {t["taskArn"]: t["protectionEnabled"] for t in longshore.ecs.get_task_protection(
        cluster="default", tasks=[one, other])["protectedTasks"]}
    assert shown == {one: True, other: False}
    ecs = signed(longshore, "ecs", fetch(longshore, one, url(longshore, one)))
    assert code(lambda: ecs.update_task_protection(cluster="default", tasks=[other], protectionEnabled=True)) == "AccessDeniedException"
    assert code(lambda: ecs.stop_task(task=one)) == "AccessDeniedException"
    longshore.ecs.update_task_protection(cluster="default", tasks=[one], protectionEnabled=False)
    longshore.ecs.delete_service(service="kept", force=True)


def test_a_task_of_fargate_protects_itself_in_its_own_cluster(longshore):
    longshore.ecs.create_cluster(clusterName="web")
    lent = definition(longshore, "awsvpc", family="lent", requiresCompatibilities=["FARGATE"], cpu="256", memory="512")
    longshore.ecs.create_service(
        cluster="web", serviceName="kept", taskDefinition=lent, desiredCount=1, launchType="FARGATE",
        networkConfiguration=vpc.network(vpc.default_subnet(longshore)["SubnetId"]))
    described = lambda: [longshore.ecs.describe_tasks(cluster="web", tasks=[arn])["tasks"][0]
                         for arn in longshore.ecs.list_tasks(cluster="web", serviceName="kept")["taskArns"]]
    running = lambda: [task["taskArn"] for task in described() if task["lastStatus"] == "RUNNING"]
    one, = eventually(running, "the service's task to run")
    state = environment(longshore, one)["ECS_AGENT_URI"] + "/task-protection/v1/state"
    status, body = ask(longshore, one, state, "-X", "PUT", "-d", '{"ProtectionEnabled":true}')
    assert status == 200 and json.loads(body)["protection"]["ProtectionEnabled"], body
    assert fetch(longshore, one, state)["protection"]["TaskArn"] == one
    longshore.ecs.update_task_protection(cluster="web", tasks=[one], protectionEnabled=False)
    longshore.ecs.delete_service(cluster="web", service="kept", force=True)
    stopped = lambda: longshore.ecs.describe_tasks(cluster="web", tasks=[one])["tasks"][0]["lastStatus"] == "STOPPED"
    eventually(stopped, "the task's end")
    longshore.ecs.delete_cluster(cluster="web")


def test_they_survive_the_end_of_agent_and_server(fresh):
    arn = run(fresh, "awsvpc")
    before = fetch(fresh, arn, url(fresh, arn))
    for role in ("agent", "server", "agent"):
        fresh.kill(role)
        again = lambda: ask(fresh, arn, url(fresh, arn))
        body = eventually(lambda: (lambda answer: answer[0] == 200 and answer[1])(again()), f"credentials after the {role}'s end")
        assert json.loads(body) == before
        eventually(fresh.ready, "the server to answer")
        assert sdk(fresh, arn)["Arn"].endswith(arn.rsplit("/", 1)[1])


def test_a_host_far_away_carries_calls_on_by_tls(site):
    server = site.server()
    host = site.joined()
    for mode in ("bridge", "awsvpc"):
        more = {"networkConfiguration": vpc.network(vpc.default_subnet(server)["SubnetId"])} if mode == "awsvpc" else {}
        answer = server.ecs.start_task(taskDefinition=definition(server, mode), containerInstances=[host.arn], **more)
        assert answer["failures"] == [], answer
        arn = answer["tasks"][0]["taskArn"]
        server.wait(arn, "RUNNING")
        assert sdk(host, arn)["Arn"] == f"arn:aws:sts::000000000000:assumed-role/app/{arn.rsplit('/', 1)[1]}"
        stopped(server, arn)


# Frames as they go on the wire: nothing of the kernel's says what they may have in them.
SPOOF = '''
import socket, struct, sys
way, mac_from, mac_to, source, target, count = sys.argv[1:7]
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind(("eth0", 0))
mac = lambda text: bytes.fromhex(text.replace(":", ""))

def checksum(data):
    data += b"\\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff

if way == "tcp4":
    a, b = socket.inet_aton(source), socket.inet_aton(target)
    segment = struct.pack(">HHIIBBHHH", 40000, 80, 1, 0, 5 << 4, 2, 1024, 0, 0)
    sum_ = checksum(a + b + struct.pack(">BBH", 0, 6, len(segment)) + segment)
    segment = segment[:16] + struct.pack(">H", sum_) + segment[18:]
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 1, 0, 64, 6, 0) + a + b
    packet, kind = head[:10] + struct.pack(">H", checksum(head)) + head[12:] + segment, 0x800
else:
    a, b = (socket.inet_pton(socket.AF_INET6, text) for text in (source, target))
    echo = struct.pack(">BBHHH", 128, 0, 0, 1, 1)
    sum_ = checksum(a + b + struct.pack(">II", len(echo), 58) + echo)
    echo = echo[:2] + struct.pack(">H", sum_) + echo[4:]
    packet, kind = struct.pack(">IHBB", 6 << 28, len(echo), 58, 64) + a + b + echo, 0x86dd
for _ in range(int(count)):
    raw.send(mac(mac_to) + mac(mac_from) + struct.pack(">H", kind) + packet)
'''


def dropped(longshore, vpc_id):
    """Packets that a VPC's router threw away since their sender has not that address."""
    router = longshore.data / "run" / "net" / "vpc" / "routers" / vpc_id
    out = subprocess.run(["nsenter", f"--net={router}", "nft", "-j", "list", "chain", "inet", "vpc", "antispoof"],
                         capture_output=True, text=True, check=True).stdout
    rules = [one["rule"]["expr"] for one in json.loads(out)["nftables"] if "rule" in one]
    last = {name: value for expression in rules[-1] for name, value in expression.items()}
    assert "drop" in last
    return last["counter"]["packets"]


def test_a_container_with_raw_sockets_gets_nothing_in_its_neighbours_name(longshore):
    ec2 = vpc.ec2(longshore)
    made = ec2.create_vpc(CidrBlock="10.55.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]
    vpc_id = made["VpcId"]
    six = ec2.describe_vpcs(VpcIds=[vpc_id])["Vpcs"][0]["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
    subnet = ec2.create_subnet(VpcId=vpc_id, CidrBlock="10.55.1.0/24", Ipv6CidrBlock=six.replace("/56", "/64"),
                               AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"]
    ec2.modify_subnet_attribute(SubnetId=subnet, AssignIpv6AddressOnCreation={"Value": True})
    network = vpc.network(subnet)
    tasks = [started(longshore, definition(longshore, "awsvpc"), networkConfiguration=network) for _ in "12"]
    liar, victim = (longshore.describe(arn) for arn in tasks)
    own, others = vpc.details(liar), vpc.details(victim)
    vpc.within(longshore.data, liar, "curl", "-s", "-m", "2", "http://169.254.170.2/")
    out = vpc.within(longshore.data, liar, "ip", "-j", "neigh", "show", "dev", "eth0").stdout
    gateway = next(one["lladdr"] for one in json.loads(out) if "lladdr" in one)
    # More than what a kernel says by itself of what a VPC does not have, such as its multicast groups.
    count, before = 20, dropped(longshore, vpc_id)

    def send(way, mac, source, target):
        nonlocal before
        done = vpc.within(longshore.data, liar, sys.executable, "-c", SPOOF, way, mac, gateway, source, target, str(count))
        assert done.returncode == 0, done.stderr
        lost, before = dropped(longshore, vpc_id) - before, dropped(longshore, vpc_id)
        return lost

    assert send("tcp4", own["macAddress"], own["privateIPv4Address"], "169.254.170.2") < count, "the test's own frame is well made"
    assert send("tcp4", own["macAddress"], others["privateIPv4Address"], "169.254.170.2") >= count
    assert send("tcp4", others["macAddress"], others["privateIPv4Address"], "169.254.170.2") >= count
    assert send("tcp4", others["macAddress"], own["privateIPv4Address"], "169.254.170.2") >= count
    assert send("icmp6", own["macAddress"], own["ipv6Address"], others["ipv6Address"]) < count
    assert send("icmp6", own["macAddress"], others["ipv6Address"], own["ipv6Address"]) >= count
    assert send("icmp6", others["macAddress"], others["ipv6Address"], own["ipv6Address"]) >= count
    # The neighbour's whole address and name of its credentials: what it gets with both is nothing.
    at = url(longshore, tasks[1])
    address = f"{others['privateIPv4Address']}/32"
    assert vpc.within(longshore.data, liar, "ip", "address", "add", address, "dev", "eth0").returncode == 0
    done = vpc.within(longshore.data, liar, "curl", "-s", "-m", "2", "--interface", others["privateIPv4Address"], at)
    assert (done.returncode, done.stdout) == (28, ""), "it waits for ever"
    assert dropped(longshore, vpc_id) > before
    status, body = ask(longshore, tasks[0], at)
    assert (status, json.loads(body)["code"]) == (400, "InvalidIdInRequest")
    assert ask(longshore, tasks[1], at)[0] == 200
    stopped(longshore, *tasks)


@pytest.fixture
def told(monkeypatch, request):
    """One whose server tells of every call, and by whom it is made."""
    monkeypatch.setenv("LONGSHORE_LOG", "info,control=debug")
    return request.getfixturevalue("fresh")


def test_a_tasks_lines_are_sent_by_its_execution_role(told):
    execution = "arn:aws:iam::000000000000:role/team/execution"

    def logging(group):
        options = {"awslogs-group": group, "awslogs-region": "us-east-1", "awslogs-create-group": "true",
                   "awslogs-stream-prefix": "by"}
        return {"container": {"command": ["sh", "-c", "while :; do echo line; sleep 0.2; done"],
                              "logConfiguration": {"logDriver": "awslogs", "options": options}}}

    def senders(group):
        """Who made the stream and wrote to it, as the server was asked."""
        streams = told.logs.describe_log_streams(logGroupName=group)["logStreams"]
        return [line for line in (told.data / "log" / "server.log").read_text().splitlines()
                if "PutLogEvents" in line or "CreateLogStream" in line] if streams else []

    def callers():
        return [re.search(r'caller="([^"]*)"', line).group(1) for line in senders("/by")]

    lent = run(told, "fargate", executionRoleArn=execution, **logging("/by"))
    role = f"arn:aws:sts::000000000000:assumed-role/execution/{lent.rsplit('/', 1)[1]}"
    eventually(lambda: callers().count(role) > 2, "lines to be sent")
    assert set(callers()) == {role}
    # The next agent is told the credentials, and sends with them.
    before = told.kill("agent")
    eventually(lambda: told.pid("agent") not in (0, before), "another agent")
    sent = len(callers())
    eventually(lambda: len(callers()) > sent + 1, "lines to be sent again")
    assert set(callers()) == {role}
    host = run(told, "bridge", **logging("/by"))
    eventually(lambda: set(callers()) > {role}, "the host's lines")
    assert not any("assumed-role" in caller for caller in set(callers()) - {role})
    stopped(told, lent, host)
