"""Service Connect on the real binary: services reach each other by name, whatever becomes of the tasks behind."""

import collections
import json
import subprocess
import sys
import threading
from contextlib import contextmanager

import connect
import pytest
import vpc
from botocore.exceptions import ClientError
from harness import eventually

# A server of a test's own, run in a task's network: answers what the path says, and who it is.
SERVER = """
import sys, http.server, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self):
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        parts = self.path.strip("/").split("/")
        if parts[0] == "sleep":
            time.sleep(float(parts[1]))
        code = int(parts[1]) if parts[0] == "status" and (len(parts) < 3 or parts[2] == sys.argv[2]) else 200
        text = sys.argv[2].encode() + b" " + self.command.encode() + b" " + body
        self.send_response(code)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    do_GET = do_POST = do_PUT = answer
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("", int(sys.argv[1])), Handler)
print("ready", flush=True)
server.serve_forever()
"""
# One that says how much it got, once the other side has ended.
COUNTER = """
import socket, sys
server = socket.create_server(("", int(sys.argv[1])))
print("ready", flush=True)
while True:
    client, _ = server.accept()
    with client:
        count = 0
        while data := client.recv(65536):
            count += len(data)
        client.sendall(str(count).encode())
"""


def namespace(longshore, name):
    """Made as the default of a cluster, as the API makes one."""
    made = longshore.ecs.create_cluster(clusterName=name, serviceConnectDefaults={"namespace": name})["cluster"]
    assert made["serviceConnectDefaults"]["namespace"].startswith("arn:aws:servicediscovery:")
    return made["serviceConnectDefaults"]["namespace"]


@contextmanager
def program(longshore, task, script, *arguments):
    """A Python program that serves in a task's network, until the block ends."""
    running = subprocess.Popen(
        ["nsenter", f"--net=/proc/{connect.pid(longshore.data, task)}/ns/net", sys.executable, "-c", script, *arguments],
        stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout.readline() == "ready\n"
        yield
    finally:
        running.kill()
        running.wait()


def port(number, protocol="http"):
    return {"name": "web", "containerPort": number} | ({"appProtocol": protocol} if protocol else {})


def answers(longshore, client, url, count=8):
    """How many times each text is answered."""
    got = [connect.curl(longshore.data, client, url) for _ in range(count)]
    assert {status for status, _ in got} == {200}, got
    return collections.Counter(body.split()[0] for _, body in got)


def test_a_client_reaches_a_service_by_its_alias_and_by_the_default_name(longshore):
    of = namespace(longshore, "shop")
    definition = connect.server(longshore, "shop-server")
    created = connect.create(
        longshore, "api", definition, connect.configuration(of, connect.exposed("web", "api", 8080)), 2)
    deployment = created["deployments"][0]
    assert deployment["serviceConnectConfiguration"]["services"][0]["portName"] == "web"
    resource, = deployment["serviceConnectResources"]
    assert resource["discoveryName"] == "web" and ":service/srv-" in resource["discoveryArn"]
    named = connect.exposed("web", None, 8081, discoveryName="plain")
    connect.create(longshore, "plain", definition, connect.configuration(of, named))
    connect.running(longshore, "api", 2)
    connect.running(longshore, "plain")
    connect.create(longshore, "client", connect.sleeper(longshore, "shop-client"), connect.configuration(of))
    client, = connect.running(longshore, "client")
    hosts = connect.hosts(longshore.data, client)
    assert "127.255.0.1\tapi\n" in hosts and "127.255.0.2\tplain.shop\n" in hosts
    assert connect.curl(longshore.data, client, "http://api:8080/")[0] == 200
    assert connect.curl(longshore.data, client, "http://plain.shop:8081/")[0] == 200
    services = longshore.ecs.list_services_by_namespace(namespace="shop")["serviceArns"]
    assert [arn.rsplit("/", 1)[1] for arn in services] == ["api", "client", "plain"]
    revision, = longshore.ecs.describe_service_revisions(
        serviceRevisionArns=[longshore.ecs.describe_services(services=["plain"])["services"][0]
                             ["currentServiceRevisions"][0]["arn"]])["serviceRevisions"]
    shown, = revision["serviceConnectConfiguration"]["services"]
    assert shown["clientAliases"] == [{"port": 8081, "dnsName": "plain.shop"}]
    attachment, = (one for one in connect.running(longshore, "plain")[0]["attachments"] if one["type"] == "Service Connect")
    assert attachment["status"] == "ATTACHED"
    connect.remove(longshore, "client", "api", "plain")
    assert longshore.ecs.list_services_by_namespace(namespace="shop")["serviceArns"] == []


def test_requests_take_turns_and_no_answer_is_lost_to_a_target_that_fails(longshore):
    of = namespace(longshore, "turns")
    definition = connect.sleeper(longshore, "turns", port(80))
    connect.create(longshore, "turns", definition, connect.configuration(of, connect.exposed("web", "turns", 80)), 2)
    one, two = connect.running(longshore, "turns", 2)
    connect.create(longshore, "turner", connect.sleeper(longshore, "turner"), connect.configuration(of))
    client, = connect.running(longshore, "turner")
    with program(longshore, one, SERVER, "80", "one"):
        # Nobody answers at the other: each time it is its turn, the first is asked instead.
        assert answers(longshore, client, "http://turns/", 3) == {"one": 3}
        posted = connect.curl(longshore.data, client, "http://turns/", "-d", "x=1")
        assert posted == (200, "one POST x=1")
    with program(longshore, one, SERVER, "80", "one"), program(longshore, two, SERVER, "80", "two"):
        assert answers(longshore, client, "http://turns/") == {"one": 4, "two": 4}
        for _ in range(4):
            status, body = connect.curl(longshore.data, client, "http://turns/status/503/one")
            assert (status, body.split()[0]) == (200, "two")
        assert connect.curl(longshore.data, client, "http://turns/status/503")[0] == 503
        assert connect.curl(longshore.data, client, "http://turns/status/404")[0] == 404
    known = json.loads(longshore.run("why", "turner", "--json").stdout)
    counted, = known["connect_on_this_host"]
    metrics = counted["metrics"]
    assert metrics["RequestCount"] == 18 and metrics["HTTPCode_Target_2XX_Count"] == 16, counted
    assert metrics["HTTPCode_Target_4XX_Count"] == metrics["HTTPCode_Target_5XX_Count"] == 1
    assert metrics["NewConnectionCount"] == 18 and metrics["ProcessedBytes"] > 18 * 100
    assert set(counted["targets"]) == {task["taskArn"].rsplit("/", 1)[1] for task in (one, two)}
    assert "turns:80, 2 targets" in longshore.run("why", "turner").stdout
    connect.remove(longshore, "turner", "turns")


def test_timeouts_and_absent_targets_have_their_own_answers(longshore):
    of = namespace(longshore, "slow")
    definition = connect.sleeper(longshore, "slow", port(80))
    limited = connect.exposed("web", "slow", 80, timeout={"perRequestTimeoutSeconds": 1, "idleTimeoutSeconds": 2})
    connect.create(longshore, "slow", definition, connect.configuration(of, limited))
    server, = connect.running(longshore, "slow")
    connect.create(longshore, "asker", connect.sleeper(longshore, "asker"), connect.configuration(of))
    client, = connect.running(longshore, "asker")
    with program(longshore, server, SERVER, "80", "one"):
        assert connect.curl(longshore.data, client, "http://slow/sleep/5")[0] == 504
        assert connect.curl(longshore.data, client, "http://slow/sleep/0.2")[0] == 200
        # A connection on which nothing passes is closed.
        silent = "import socket; s = socket.create_connection(('127.255.0.1', 80)); print(s.recv(1))"
        done = connect.within(longshore.data, client, sys.executable, "-c", silent, timeout=30)
        assert done.stdout == "b''\n", done
    longshore.ecs.update_service(service="slow", desiredCount=0)
    eventually(lambda: connect.curl(longshore.data, client, "http://slow/") == (503, "no healthy upstream"),
               "nobody to be left", connect.STEADY_S)
    connect.remove(longshore, "asker", "slow")


def test_a_rolling_update_of_the_server_costs_no_request(longshore):
    of = namespace(longshore, "rolling")
    first, second = connect.server(longshore, "rolling"), connect.server(longshore, "rolling")
    connect.create(longshore, "rolling", first, connect.configuration(of, connect.exposed("web", "rolling", 80)), 2)
    connect.running(longshore, "rolling", 2)
    connect.create(longshore, "roller", connect.sleeper(longshore, "roller"), connect.configuration(of))
    client, = connect.running(longshore, "roller")
    statuses, is_over = collections.Counter(), threading.Event()

    def ask():
        while not is_over.is_set():
            # Several requests of a connection, each by itself.
            done = connect.within(
                longshore.data, client, "curl", "-s", "-m", "20", "-w", "%{http_code}\\n",
                *["-o", "/dev/null", "http://rolling/"] * 20)
            statuses.update(done.stdout.split())

    askers = [threading.Thread(target=ask) for _ in range(2)]
    for asker in askers:
        asker.start()
    longshore.ecs.update_service(service="rolling", taskDefinition=second)
    try:
        connect.steady(longshore, "rolling")
    finally:
        is_over.set()
        for asker in askers:
            asker.join()
    shown = connect.running(longshore, "rolling", 2)
    assert {task["taskDefinitionArn"] for task in shown} == {second}
    assert set(statuses) == {"200"} and statuses["200"] > 100, statuses
    connect.remove(longshore, "roller", "rolling")


def test_a_client_that_is_not_deployed_anew_does_not_know_a_new_endpoint(longshore):
    of = namespace(longshore, "late")
    connect.create(longshore, "early", connect.sleeper(longshore, "early"), connect.configuration(of))
    before, = connect.running(longshore, "early")
    definition = connect.server(longshore, "late-server")
    connect.create(longshore, "late", definition, connect.configuration(of, connect.exposed("web", "late", 80)))
    connect.running(longshore, "late")
    assert "late" not in connect.hosts(longshore.data, before)
    assert "late:80, 1 target: newer than its deployment" in longshore.run("why", "early").stdout
    longshore.ecs.update_service(service="early", forceNewDeployment=True)
    connect.steady(longshore, "early")
    after, = connect.running(longshore, "early")
    assert after["taskArn"] != before["taskArn"]
    assert connect.curl(longshore.data, after, "http://late/")[0] == 200
    connect.remove(longshore, "early", "late")


def test_tcp_passes_both_ways_and_either_side_may_end_first(longshore):
    of = namespace(longshore, "bytes")
    definition = connect.sleeper(longshore, "bytes", port(7000, None))
    connect.create(longshore, "bytes", definition, connect.configuration(of, connect.exposed("web", "bytes", 7)))
    server, = connect.running(longshore, "bytes")
    connect.create(longshore, "sender", connect.sleeper(longshore, "sender"), connect.configuration(of))
    client, = connect.running(longshore, "sender")
    send = """
import socket
s = socket.create_connection(("bytes", 7))
for _ in range(64):
    s.sendall(b"." * 65536)
s.shutdown(socket.SHUT_WR)
print(s.recv(100).decode())
"""
    with program(longshore, server, COUNTER, "7000"):
        done = connect.within(longshore.data, client, sys.executable, "-c", send, timeout=60)
        assert done.stdout.strip() == str(64 * 65536), done
    connect.remove(longshore, "sender", "bytes")


def test_groups_hold_between_a_client_and_what_it_reaches_by_name(longshore):
    of = namespace(longshore, "guarded")
    subnet = vpc.default_subnet(longshore)
    inner, outer = (vpc.group(longshore, name, subnet["VpcId"]) for name in ("connect-in", "connect-out"))
    ec2 = vpc.ec2(longshore)
    definition = connect.server(longshore, "guarded")
    connect.create(
        longshore, "guarded", definition, connect.configuration(of, connect.exposed("web", "guarded", 8080)),
        networkConfiguration=vpc.network(subnet["SubnetId"], groups=(inner,)))
    connect.running(longshore, "guarded")
    connect.create(
        longshore, "guest", connect.sleeper(longshore, "guest"), connect.configuration(of),
        networkConfiguration=vpc.network(subnet["SubnetId"], groups=(outer,)))
    client, = connect.running(longshore, "guest")
    # The first packet is dropped, and so is each try.
    assert connect.curl(longshore.data, client, "http://guarded:8080/", "-m", "3")[0] == 0
    ec2.authorize_security_group_ingress(GroupId=inner, IpPermissions=vpc.tcp(80, group=outer))
    eventually(lambda: connect.curl(longshore.data, client, "http://guarded:8080/")[0] == 200, "the rule to hold")
    connect.remove(longshore, "guest", "guarded")
    for one in (inner, outer):
        eventually(lambda: deleted(ec2, one), "the group to be free")


def deleted(ec2, group):
    try:
        ec2.delete_security_group(GroupId=group)
        return True
    except ClientError:
        return False


def test_ingress_at_a_port_of_its_own_is_what_clients_and_groups_meet(longshore):
    of = namespace(longshore, "ingress")
    subnet = vpc.default_subnet(longshore)
    inner = vpc.group(longshore, "connect-ingress", subnet["VpcId"])
    vpc.ec2(longshore).authorize_security_group_ingress(
        GroupId=inner, IpPermissions=vpc.tcp(9000, cidr="172.31.0.0/16"))
    exposed = connect.exposed("web", "ingress", 80, ingressPortOverride=9000)
    definition = connect.server(longshore, "ingress")
    connect.create(
        longshore, "ingress", definition, connect.configuration(of, exposed),
        networkConfiguration=vpc.network(subnet["SubnetId"], groups=(inner,)))
    server, = connect.running(longshore, "ingress")
    connect.create(longshore, "caller", connect.sleeper(longshore, "caller"), connect.configuration(of))
    client, = connect.running(longshore, "caller")
    assert connect.curl(longshore.data, client, "http://ingress/")[0] == 200
    assert vpc.reaches(longshore.data, client, vpc.address(server), 9000)
    assert not vpc.reaches(longshore.data, client, vpc.address(server), 80)
    connect.remove(longshore, "caller", "ingress")
    eventually(lambda: deleted(vpc.ec2(longshore), inner), "the group to be free")


def test_on_the_bridge_each_container_has_the_names(longshore):
    of = namespace(longshore, "bridged")
    definition = connect.server(longshore, "bridged", mode="bridge")
    connect.create(
        longshore, "bridged", definition, connect.configuration(of, connect.exposed("web", "bridged", 80)), 2,
        mode="bridge")
    connect.running(longshore, "bridged", 2)
    client = connect.sleeper(longshore, "bridge-client", mode="bridge")
    connect.create(longshore, "bridge-client", client, connect.configuration(of), mode="bridge")
    client, = connect.running(longshore, "bridge-client")
    got = {connect.curl(longshore.data, client, "http://bridged/")[0] for _ in range(6)}
    assert got == {200}
    connect.remove(longshore, "bridge-client", "bridged")


def test_an_agent_that_is_killed_comes_back_with_the_names_and_the_targets(fresh):
    of = namespace(fresh, "killed")
    definition = connect.server(fresh, "killed")
    connect.create(fresh, "killed", definition, connect.configuration(of, connect.exposed("web", "killed", 80)))
    connect.running(fresh, "killed")
    connect.create(fresh, "survivor", connect.sleeper(fresh, "survivor"), connect.configuration(of))
    client, = connect.running(fresh, "survivor")
    assert connect.curl(fresh.data, client, "http://killed/")[0] == 200
    fresh.kill("agent")
    eventually(lambda: connect.curl(fresh.data, client, "http://killed/")[0] == 200, "the name to lead there again")
    # Both processes gone: what the agent knew is enough.
    fresh.kill("server")
    fresh.kill("agent")
    eventually(lambda: connect.curl(fresh.data, client, "http://killed/")[0] == 200, "the name to lead there again")
    eventually(fresh.ready, "longshore to be up")
    assert connect.running(fresh, "survivor")[0]["taskArn"] == client["taskArn"]
    connect.remove(fresh, "survivor", "killed")


def test_two_hosts_are_one_namespace(site, lan):
    server = site.server()
    server.ecs.create_cluster(clusterName="default", serviceConnectDefaults={"namespace": "wide"})
    hosts = [site.joined(f"--address={lan.net}.{number}") for number in (2, 3)]
    definition = connect.server(server, "wide")
    connect.create(server, "wide", definition, connect.configuration("wide", connect.exposed("web", "wide", 80)), 2)
    connect.running(server, "wide", 2)
    connect.create(server, "wide-client", connect.sleeper(server, "wide-client"), connect.configuration("wide"), 2)
    of_host = {host.arn: host for host in hosts}
    clients = connect.running(server, "wide-client", 2)
    assert {task["containerInstanceArn"] for task in clients} == set(of_host)
    for client in clients:
        data = of_host[client["containerInstanceArn"]].data
        pages = [connect.curl(data, client, "http://wide/")[1].splitlines() for _ in range(6)]
        served = {line for page in pages for line in page if line.startswith("host: ")}
        assert len(served) == 2, pages
    connect.remove(server, "wide-client", "wide")


@pytest.mark.parametrize("configuration, code, text", [
    ({"enabled": True, "namespace": "nowhere"}, "NamespaceNotFoundException", "Namespace not found."),
    ({"enabled": True, "namespace": "errors", "services": [{"portName": "none", "clientAliases": [{"port": 80}]}]},
     "InvalidParameterException", "port name 'none'"),
    ({"enabled": True, "namespace": "errors", "services": [
        {"portName": "web", "clientAliases": [{"port": 80}], "tls": {"issuerCertificateAuthority": {}}}]},
     "ClientException", "serviceConnectConfiguration.services.tls"),
    ({"enabled": True, "namespace": "errors", "services": [{"portName": "web", "clientAliases": []}]},
     "InvalidParameterException", "exactly one client alias"),
    ({"enabled": True}, "InvalidParameterException", "namespace must be specified"),
])
def test_what_cannot_be_is_refused(longshore, configuration, code, text):
    longshore.ecs.create_cluster(clusterName="errors", serviceConnectDefaults={"namespace": "errors"})
    definition = connect.server(longshore, "errors")
    with pytest.raises(ClientError) as error:
        connect.create(longshore, "refused", definition, configuration)
    assert error.value.response["Error"]["Code"] == code
    assert text in error.value.response["Error"]["Message"]
    assert longshore.ecs.describe_services(services=["refused"])["failures"]


def logged(of, driver, format, *services, **access):
    return connect.configuration(of, *services) | {
        "logConfiguration": driver, "accessLogConfiguration": {"format": format} | access}


def test_access_logs_say_who_asked_for_what(fresh):
    of = namespace(fresh, "logged")
    definition = connect.server(fresh, "logged")
    connect.create(fresh, "logged", definition, connect.configuration(of, connect.exposed("web", "logged", 80)))
    server, = connect.running(fresh, "logged")
    awslogs = {"logDriver": "awslogs", "options": {
        "awslogs-group": "/connect", "awslogs-region": "us-east-1", "awslogs-create-group": "true",
        "awslogs-stream-prefix": "shop"}}
    connect.create(fresh, "writer", connect.sleeper(fresh, "writer"), logged(of, awslogs, "TEXT"))
    connect.create(
        fresh, "json", connect.sleeper(fresh, "json"),
        logged(of, {"logDriver": "json-file"}, "JSON", includeQueryParameters="ENABLED"))
    (writer,), (json_writer,) = connect.running(fresh, "writer"), connect.running(fresh, "json")
    assert connect.curl(fresh.data, writer, "http://logged/one?token=hidden", "-A", "some agent")[0] == 404
    stream, = eventually(
        lambda: fresh.logs.describe_log_streams(logGroupName="/connect")["logStreams"], "the stream")
    task_id = writer["taskArn"].rsplit("/", 1)[1]
    prefix, container, of_task = stream["logStreamName"].split("/")
    assert (prefix, of_task) == ("shop", task_id) and container.startswith("ecs-service-connect-")

    def lines():
        events = fresh.logs.get_log_events(
            logGroupName="/connect", logStreamName=stream["logStreamName"], startFromHead=True)["events"]
        return [event["message"] for event in events]

    line, = eventually(lines, "the line")
    start, rest = line.split("] ", 1)
    assert start.startswith("[20") and rest.startswith('"GET /one HTTP/1.1" 404 0 '), line
    assert '"some agent" "-" "logged"' in line and line.endswith(f'"{vpc.address(server)}:80"'), line
    # What was asked while there was no agent is told by the next.
    before = fresh.kill("agent")
    assert connect.curl(fresh.data, writer, "http://logged/two")[0] == 404
    eventually(lambda: fresh.pid("agent") not in (0, before), "another agent")
    eventually(lambda: any("/two HTTP" in one for one in lines()), "the second line")
    assert len(lines()) == 2
    assert connect.curl(fresh.data, json_writer, "http://logged/three?token=seen")[0] == 404
    kept = fresh.data / "agent" / "tasks" / json_writer["taskArn"].rsplit("/", 1)[1] / "service-connect"
    file, = eventually(lambda: list(kept.iterdir()), "a file")
    known = json.loads(json.loads(eventually(file.read_text, "the line"))["log"])
    assert (known["path"], known["method"], known["response_code"]) == ("/three?token=seen", "GET", 404)
    assert known["upstream_host"] == f"{vpc.address(server)}:80" and known["bytes_sent"] > 0
    connect.remove(fresh, "writer", "json", "logged")


def test_tasks_on_fargate_have_names_too(longshore):
    of = namespace(longshore, "lent")
    longshore.ecs.register_task_definition(
        family="lent", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
        containerDefinitions=[{
            "name": "app", "image": "longshore/hello", "environment": [{"name": "PORT", "value": "80"}],
            "portMappings": [port(80)]}])
    subnet = vpc.default_subnet(longshore)["SubnetId"]
    connect.create(
        longshore, "lent", "lent", connect.configuration(of, connect.exposed("web", "lent", 80)), 2,
        launchType="FARGATE", networkConfiguration=vpc.network(subnet))
    tasks = connect.running(longshore, "lent", 2)
    # Each reaches both by the service's own name, though it listens at the same port itself.
    pages = [connect.curl(longshore.data, tasks[0], "http://lent/") for _ in range(4)]
    assert {status for status, _ in pages} == {200}
    assert len({line for _, page in pages for line in page.splitlines() if line.startswith("host: ")}) == 2
    connect.remove(longshore, "lent")
