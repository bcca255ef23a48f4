"""Machines that join a server over TLS, and hosts that are lost."""

import hashlib
import os
import signal
import ssl
import stat
import subprocess
import time

import leaks
import pytest
from harness import AWS_V1, BINARY, eventually
from hosts import Server

SLEEP = {"name": "app", "command": ["sh", "-c", "while :; do sleep 0.1; done"], "memory": 16, "stopTimeout": 2}


def test_a_machine_joins_over_tls_and_runs_a_task(site, lan):
    server = site.server()
    host = site.joined("--zone", "us-east-1c", "--attribute", "rack=r1", "--attribute", "disk=ssd", "--address", "192.0.2.7")
    instance = server.instance(host)
    attributes = {a["name"]: a.get("value") for a in instance["attributes"]}
    assert attributes["ecs.availability-zone"] == "us-east-1c"
    assert (attributes["rack"], attributes["disk"], attributes["longshore.address"]) == ("r1", "ssd", "192.0.2.7")
    for secret in ("host.json", "joined.json", "join-nonce"):
        assert stat.S_IMODE((host.data / "keys" / secret).stat().st_mode) == 0o600, secret
    task = server.start(server.register("sleep", SLEEP))[0]
    assert server.wait(task, "RUNNING")["containerInstanceArn"] == host.arn
    # A restart needs neither the server's address nor a token.
    host.kill()
    eventually(lambda: not host.connected(), "the host to be away")
    host.start()
    eventually(host.connected, "the host to be back")
    server.ecs.stop_task(task=task, reason="enough")
    assert server.wait(task, "STOPPED")["stoppedReason"] == "enough"


def test_a_machine_joins_the_cluster_that_it_names(site):
    server = site.server()
    elsewhere, host = site.joined(), site.host(cluster="blue")
    # No host's joining makes a cluster, but for the default one: it waits.
    host.start("--server", server.url, "--token", server.token())
    eventually(lambda: "ClusterNotFoundException: Cluster not found." in host.log(), "the host to miss its cluster")
    server.ecs.create_cluster(clusterName="blue")
    host.arn, = eventually(host.instances, "the host to join")
    eventually(host.connected, "the host to be connected")
    host.load_image(site.image)
    assert host.arn.split(":container-instance/")[1].split("/")[0] == "blue"
    assert host.instances() == [host.arn] and elsewhere.instances() == [elsewhere.arn]
    counts = {c["clusterName"]: c["registeredContainerInstancesCount"] for c in server.ecs.describe_clusters(clusters=["blue", "default"])["clusters"]}
    assert counts == {"blue": 1, "default": 1}
    definition = server.register("sleep", SLEEP)
    task = server.start(definition, cluster="blue")[0]
    described = lambda: server.ecs.describe_tasks(cluster="blue", tasks=[task])["tasks"][0]
    eventually(lambda: described()["lastStatus"] == "RUNNING", "the task to run")
    assert described()["containerInstanceArn"] == host.arn and described()["clusterArn"].endswith(":cluster/blue")
    assert server.ecs.list_tasks()["taskArns"] == []
    # A later agent is the same instance of the same cluster.
    host.kill()
    eventually(lambda: not host.connected(), "the host to be away")
    host.start()
    eventually(host.connected, "the host to be back")
    assert host.instances() == [host.arn] and elsewhere.instances() == [elsewhere.arn]
    server.ecs.stop_task(cluster="blue", task=task)
    eventually(lambda: described()["lastStatus"] == "STOPPED", "the task to be stopped")


def test_the_stock_cli_trusts_what_env_exports(site):
    server = site.server("--tls-names", "longshore.example")
    exports = server.environment()
    assert exports["AWS_CA_BUNDLE"] == str(server.ca) and exports["AWS_ENDPOINT_URL"] == server.url
    assert server.aws("ecs", "list-clusters") == {"clusterArns": []}
    environment = {**os.environ, **exports}
    del environment["AWS_CA_BUNDLE"]
    refused = subprocess.run([str(AWS_V1), "ecs", "list-clusters"], env=environment, capture_output=True, text=True)
    assert refused.returncode != 0 and "CERTIFICATE_VERIFY_FAILED" in refused.stderr
    assert "iam.access_keys" in server.run("state", "export").stdout


def test_a_certificate_of_the_operators_is_served_and_trusted(site, lan, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", certificate,
         "-days", "2", "-subj", "/CN=own", "-addext", f"subjectAltName=IP:{lan.address}", "-addext", "basicConstraints=CA:FALSE"],
        check=True, capture_output=True)
    Server.ca = property(lambda self: self.data / "keys" / ("anchor.pem" if "--tls-cert" in self.flags else "ca.pem"))
    server = site.server("--tls-cert", str(certificate), "--tls-key", str(key))
    assert server.environment()["AWS_CA_BUNDLE"].endswith("anchor.pem")
    host = site.host().join()
    assert server.instance(host)["status"] == "ACTIVE"


def test_a_token_is_good_once_and_for_this_server_alone(site, lan):
    server = site.server()
    first, second, third = site.host(), site.host(), site.host()
    token = server.token()
    first.start("--server", server.url, "--token", token)
    eventually(lambda: len(first.instances()) == 1, "the first host to join")

    def refused(host, token):
        done = subprocess.run(
            host.within(str(BINARY), "agent", "--data", str(host.data), "--server", server.url, "--token", token),
            capture_output=True, text=True, timeout=60)
        assert done.returncode != 0
        assert not (host.data / "keys" / "host.json").exists()
        return done.stderr

    assert "The join token is not valid." in refused(second, token)
    late = server.token("--expires", "1s")
    time.sleep(1.1)
    assert "The join token is not valid." in refused(second, late)
    # A server that cannot show the certificate that the token names is not told the token.
    fresh = server.token()
    id_and_secret, fingerprint = fresh.rsplit(".", 1)
    assert "certificate" in refused(third, f"{id_and_secret}.{'0' * len(fingerprint)}")
    assert "is not complete" in refused(third, "half")
    # It was never spent.
    third.start("--server", server.url, "--token", fresh)
    eventually(lambda: len(first.instances()) == 2, "the third host to join")
    state = server.run("state", "export").stdout
    assert token.split(".")[1] not in state


def test_a_token_says_by_what_certificate_the_server_is_known(site):
    server = site.server()
    printed = server.run("server", "token", "--expires", "5m")
    token = printed.stdout.strip()
    fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(server.ca.read_text())).hexdigest()
    openssl = subprocess.run(["openssl", "x509", "-in", server.ca, "-noout", "-fingerprint", "-sha256"], check=True, capture_output=True, text=True)
    assert openssl.stdout.strip().rpartition("=")[2].replace(":", "").lower() == fingerprint
    known_by, worth, command = printed.stderr.splitlines()
    assert known_by == f"CA fingerprint (SHA-256, part of the token): {fingerprint}"
    assert worth.startswith("Good once, for 5m.") and command == f"  longshore agent --server {server.url} --token {token}"
    assert token.rsplit(".", 1)[1] == fingerprint


def test_beyond_loopback_there_is_no_plain_http(site, lan):
    server = site.server()
    done = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://{lan.address}:{server.port}/healthz"],
                          capture_output=True, text=True)
    assert done.stdout == "000"
    host = site.host()
    done = subprocess.run(
        host.within(str(BINARY), "agent", "--data", str(host.data), "--server", f"http://{lan.address}:{server.port}", "--token", "a.b"),
        capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "https://" in done.stderr


def free(instance):
    """Whether nothing holds any of its memory."""
    remaining, registered = (
        next(r["integerValue"] for r in instance[kind] if r["name"] == "MEMORY")
        for kind in ("remainingResources", "registeredResources"))
    return remaining == registered


@pytest.mark.parametrize("how", ["killed", "frozen", "cut off"])
def test_a_lost_host_is_stopped_in_the_records_and_told_when_it_returns(site, lan, how):
    server = site.server("--host-lost-after", "2s")
    host = site.joined()
    task = server.start(server.register("sleep", SLEEP))[0]
    server.wait(task, "RUNNING")
    away = {"killed": host.kill, "frozen": lambda: host.signal(signal.SIGSTOP), "cut off": lambda: lan.plug(host.cable, "down")}
    back = {"killed": host.start, "frozen": lambda: host.signal(signal.SIGCONT), "cut off": lambda: lan.plug(host.cable, "up")}
    away[how]()
    stopped = server.wait(task, "STOPPED", patience_s=90)
    instance = server.instance(host)
    assert not instance["agentConnected"]
    assert not free(instance), "freed before the host confirmed"
    assert (stopped["stopCode"], stopped["desiredStatus"]) == ("TerminationNotice", "STOPPED")
    assert stopped["stoppedReason"] == f"Host EC2 (instance {instance['ec2InstanceId']}) terminated."
    refused = server.ecs.run_task(taskDefinition="sleep")
    assert [f["reason"] for f in refused["failures"]] == ["AGENT"]
    back[how]()

    def whole():
        instance = server.instance(host)
        return instance["agentConnected"] and free(instance)

    try:
        eventually(whole, "the host to confirm", patience_s=60)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{free(server.instance(host))} {server.describe(task)}\n{host.log()}\n{server.tail()}") from None
    assert not [line for line in leaks.present(host.data).get("processes", ()) if "sleep 0.1" in line]
    again = server.start("sleep")[0]
    server.wait(again, "RUNNING")
    assert server.describe(task)["stoppedReason"] == stopped["stoppedReason"]


def test_a_blip_restarts_nothing(site, lan):
    server = site.server()
    host = site.joined()
    task = server.start(server.register("sleep", SLEEP))[0]
    before = server.wait(task, "RUNNING")
    lan.plug(host.cable, "down")
    time.sleep(10)
    lan.plug(host.cable, "up")
    another = server.start("sleep")[0]
    server.wait(another, "RUNNING")
    after = server.describe(task)
    assert after["lastStatus"] == "RUNNING"
    assert after["containers"][0]["runtimeId"] == before["containers"][0]["runtimeId"]


def test_time_without_a_server_counts_against_no_host(site, lan):
    server = site.server("--host-lost-after", "3s")
    host = site.joined()
    task = server.start(server.register("sleep", SLEEP))[0]
    server.wait(task, "RUNNING")
    host.signal(signal.SIGSTOP)
    server.stop()
    time.sleep(5)
    host.signal(signal.SIGCONT)
    server.up()
    eventually(host.connected, "the host to be back")
    assert server.describe(task)["lastStatus"] == "RUNNING"
