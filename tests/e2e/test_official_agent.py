"""The server as the public Amazon ECS agent meets it: its registration, its sessions, its orders of events."""

from __future__ import annotations

import itertools
import json
import shutil
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any, Iterator
from urllib.parse import quote

import boto3
import leaks
import pytest
import wire
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError
from harness import eventually
from hosts import LoopbackServer
from official_agent import DOCKER, PORTS, VERSION, Acs, OfficialAgent, container, stamp

NAMES = (f"machines-{number}" for number in itertools.count())
DIGEST = "sha256:" + "ab" * 32
IDS = {"app": "1a" * 32, "side": "2b" * 32}
DEFINITION: dict[str, Any] = {
    "family": "web", "networkMode": "bridge", "memory": "256",
    "volumes": [{"name": "scratch"}],
    "containerDefinitions": [
        {"name": "app", "image": "nginx", "memory": 128, "portMappings": [{"containerPort": 80}],
         "environment": [{"name": "MODE", "value": "web"}], "logConfiguration": {"logDriver": "json-file"},
         "mountPoints": [{"sourceVolume": "scratch", "containerPath": "/scratch"}],
         "healthCheck": {"command": ["CMD", "true"], "interval": 10}},
        {"name": "side", "image": "busybox", "memory": 32, "essential": False, "dependsOn": [{"containerName": "app", "condition": "START"}]},
    ],
}


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    directory = Path(tempfile.mkdtemp(prefix="ls-agent-"))
    server = LoopbackServer(directory).up()
    try:
        server.ecs.register_task_definition(**DEFINITION)
        yield server
    finally:
        server.down()
        left = leaks.present(server.data)
        shutil.rmtree(directory, ignore_errors=True)
        assert not left, left


class Machine(OfficialAgent):
    """The agent, alone in a cluster, and what boto3 sees of its tasks."""

    def run(self, count: int = 1, **members: Any) -> list[str]:
        answer = self.longshore.ecs.run_task(cluster=self.cluster, taskDefinition="web", count=count, **members)
        assert answer["failures"] == [], answer
        return [task["taskArn"] for task in answer["tasks"]]

    def see(self, arn: str) -> dict:
        answer = self.longshore.ecs.describe_tasks(cluster=self.cluster, tasks=[arn])
        assert answer["failures"] == [], answer
        return answer["tasks"][0]

    def seen(self, arn: str, name: str = "app") -> dict:
        return next(c for c in self.see(arn)["containers"] if c["name"] == name)

    def stop(self, arn: str, reason: str = "enough") -> None:
        self.longshore.ecs.stop_task(cluster=self.cluster, task=arn, reason=reason)

    def instance(self) -> dict:
        answer = self.longshore.ecs.describe_container_instances(cluster=self.cluster, containerInstances=[self.arn])
        return answer["containerInstances"][0]

    def accept(self, acs: Acs, *arns: str) -> dict[str, dict]:
        """Takes payloads until all of these came, acknowledges them, and waits until that is known."""
        taken: dict[str, dict] = {}
        while not set(arns) <= set(taken):
            payload = acs.payload()
            taken |= {task["arn"]: task for task in payload["tasks"]}
            acs.acknowledge(payload)
        for arn in arns:
            eventually(lambda: self.see(arn).get("connectivity") == "CONNECTED", f"{arn} to be acknowledged")
        return taken

    def begun(self, acs: Acs) -> str:
        """A task that runs, both of its containers."""
        arn = self.run()[0]
        self.accept(acs, arn)
        self.submit(arn, "RUNNING", running("app"), running("side"))
        assert self.see(arn)["lastStatus"] == "RUNNING"
        return arn


def running(name: str, **more: Any) -> dict:
    return container(name, "RUNNING", runtimeId=IDS[name], **more)


def stopped(name: str, code: int, **more: Any) -> dict:
    return container(name, "STOPPED", runtimeId=IDS[name], exitCode=code, **more)


@pytest.fixture
def machine(server: LoopbackServer) -> Machine:
    cluster = next(NAMES)
    server.ecs.create_cluster(clusterName=cluster)
    machine = Machine(server, cluster)
    machine.register()
    return machine


@pytest.fixture
def acs(machine: Machine) -> Iterator[Acs]:
    acs = machine.acs()
    payloads, manifest = acs.until_manifest()
    assert payloads == [] and manifest["tasks"] == []
    acs.acknowledge(manifest)
    yield acs
    acs.close()


# -- registration --------------------------------------------------------------------------


def test_a_machine_registers_and_its_versions_come_with_its_session(machine):
    before = machine.instance()
    assert before["agentConnected"] is False and before["status"] == "ACTIVE"
    # The agent sends no versionInfo; its session tells.
    assert before["versionInfo"] == {}
    resources = {r["name"]: r for r in before["registeredResources"]}
    assert resources["CPU"]["integerValue"] == 4096 and resources["PORTS"]["stringSetValue"] == PORTS
    acs = machine.acs()
    acs.until_manifest()
    after = eventually(lambda: machine.instance()["agentConnected"] and machine.instance(), "the machine to be connected")
    assert after["versionInfo"] == {
        "agentVersion": VERSION, "agentHash": "*a8b3e7d3", "dockerVersion": f"DockerVersion: {DOCKER}"}
    acs.close()
    eventually(lambda: not machine.instance()["agentConnected"], "the machine to be away")


def test_a_machine_that_registers_again_is_the_same(machine, acs):
    arn, task = machine.arn, machine.begun(acs)
    again = machine.register(cpu=8192)
    assert again["containerInstanceArn"] == arn
    assert machine.see(task)["lastStatus"] == "RUNNING"
    answer = machine.longshore.ecs.list_container_instances(cluster=machine.cluster)
    assert answer["containerInstanceArns"] == [arn]
    assert {r["name"]: r for r in machine.instance()["registeredResources"]}["CPU"]["integerValue"] == 8192


def refusal(machine: Machine, **query: str) -> dict:
    """What an upgrade that is refused answers."""
    pairs = {"agentHash": "h", "agentVersion": VERSION, "clusterArn": machine.cluster, "protocolVersion": "2"} | query
    request = AWSRequest("GET", f"{machine.longshore.url}/ws?" + "&".join(f"{k}={quote(v, safe='')}" for k, v in sorted(pairs.items())))
    machine.sign(request)
    answer = wire.send(request)
    assert answer.status == 400, answer
    return answer.json


def test_an_upgrade_is_refused_in_the_agents_own_form(machine):
    stranger = machine.arn[:-32] + "0" * 32
    assert set(refusal(machine, containerInstanceArn=stranger)) == {"InvalidInstanceException"}
    assert set(refusal(machine)) == {"InvalidInstanceException"}
    machine.longshore.ecs.deregister_container_instance(cluster=machine.cluster, containerInstance=machine.arn)
    # The agent looks for this very word before it waits for an hour.
    assert set(refusal(machine, containerInstanceArn=machine.arn)) == {"InactiveInstanceException"}


# -- a task's life -------------------------------------------------------------------------


def test_a_payload_is_what_the_agent_can_read(machine, acs):
    arn = machine.run(overrides={"containerOverrides": [{"name": "app", "command": ["serve"], "environment": [{"name": "MODE", "value": "x"}]}]})[0]
    task = machine.accept(acs, arn)[arn]
    assert (task["family"], task["version"], task["desiredStatus"], task["networkMode"]) == ("web", "1", "RUNNING", "bridge")
    assert task["taskClusterArn"].endswith(f"cluster/{machine.cluster}") and task["memory"] == 256
    app, side = task["containers"]
    # Overrides are merged: the agent refuses a task with any but a command.
    assert app["overrides"] == "{}" and app["command"] == ["serve"]
    assert app["environment"] == {"MODE": "x", "AWS_EXECUTION_ENV": "AWS_ECS_EC2"}
    assert app["portMappings"] == [{"containerPort": 80, "hostPort": 0, "protocol": "tcp"}]
    assert app["healthCheckType"] == "docker" and "healthCheckType" not in side
    # Docker's own names, and nanoseconds.
    assert json.loads(app["dockerConfig"]["config"])["Healthcheck"] == {"Test": ["CMD", "true"], "Interval": 10 * 10**9, "Timeout": 5 * 10**9, "Retries": 3}
    assert json.loads(app["dockerConfig"]["hostConfig"])["LogConfig"]["Type"] == "json-file"
    assert side["essential"] is False and side["dependsOn"] == [{"containerName": "app", "condition": "START"}]
    assert task["volumes"] == [{"name": "scratch", "type": "host", "host": {}}]


def test_a_task_lives_in_the_agents_order(machine, acs):
    arn = machine.run()[0]
    assert machine.see(arn)["lastStatus"] in ("PROVISIONING", "PENDING")
    machine.accept(acs, arn)
    began = round(stamp() - 5, 3)
    # PENDING comes once, to tell the digest.
    machine.submit(arn, "PENDING", container("app", "PENDING", imageDigest=DIGEST), pullStartedAt=began)
    pending = machine.see(arn)
    assert pending["lastStatus"] == "PENDING" and machine.seen(arn)["imageDigest"] == DIGEST and "startedAt" not in pending
    binding = {"bindIP": "0.0.0.0", "containerPort": 80, "hostPort": 32768, "protocol": "tcp"}
    machine.submit(arn, "RUNNING", running("app", networkBindings=[binding]), running("side"), pullStartedAt=began, pullStoppedAt=began + 2)
    task = machine.see(arn)
    assert (task["lastStatus"], task["desiredStatus"], task["healthStatus"]) == ("RUNNING", "RUNNING", "UNKNOWN")
    assert machine.seen(arn)["networkBindings"] == [binding] and machine.seen(arn)["runtimeId"] == IDS["app"]
    # Mid-life: the essential container has ended while the other is being stopped.
    machine.submit(arn, "RUNNING", stopped("app", 3), executionStoppedAt=began + 4)
    task = machine.see(arn)
    assert (task["lastStatus"], task["desiredStatus"]) == ("RUNNING", "STOPPED")
    machine.submit(arn, "STOPPED", stopped("side", 137), pullStartedAt=began, pullStoppedAt=began + 2, executionStoppedAt=began + 4)
    task = machine.see(arn)
    assert (task["lastStatus"], task["stopCode"]) == ("STOPPED", "EssentialContainerExited")
    assert task["stoppedReason"] == "Essential container in task exited"
    assert [(c["name"], c["lastStatus"], c["exitCode"]) for c in task["containers"]] == [("app", "STOPPED", 3), ("side", "STOPPED", 137)]
    seconds = lambda at: at.timestamp()
    assert [seconds(task[k]) for k in ("pullStartedAt", "pullStoppedAt", "executionStoppedAt")] == [began, began + 2, began + 4]
    order = [task[k] for k in ("createdAt", "connectivityAt", "startedAt", "stoppingAt", "stoppedAt")]
    assert order == sorted(order) and all(isinstance(at, datetime) for at in order)
    instance = machine.instance()
    assert (instance["runningTasksCount"], instance["pendingTasksCount"]) == (0, 0)
    assert instance["remainingResources"] == instance["registeredResources"]


SLOW = [("STOPPED", [running("app"), running("side"), stopped("app", 1), stopped("side", 143)])]
ORDERS = {
    "containers before their task": [("PENDING", [running("app"), running("side")]), ("RUNNING", []), ("STOPPED", [stopped("app", 1), stopped("side", 143)])],
    "each report twice": [r for r in [("RUNNING", [running("app"), running("side")]), ("STOPPED", [stopped("app", 1), stopped("side", 143)])] for _ in range(2)],
    "STOPPED before RUNNING": [("STOPPED", [stopped("app", 1), stopped("side", 143)]), ("RUNNING", [running("app"), running("side")])],
    "a container's end before its start": [("RUNNING", [stopped("app", 1)]), ("RUNNING", [running("app")]), ("STOPPED", [stopped("side", 143)])],
    "all at once, after a slow ticker": SLOW,
    "the digest last": [*SLOW, ("PENDING", [container("app", "PENDING", imageDigest=DIGEST)])],
    "containers that are the agent's own": [("RUNNING", [container("~internal~ecs~pause", "RUNNING", runtimeId="3c" * 32), running("app")]), *SLOW],
    "a status of tomorrow": [("RESTING", [running("app")]), *SLOW],
}


@pytest.mark.parametrize("order", ORDERS)
def test_reports_in_an_odd_order_lead_to_the_same_end(machine, acs, order):
    arn = machine.run()[0]
    machine.accept(acs, arn)
    for status, containers in ORDERS[order]:
        machine.submit(arn, status, *containers)
    task = machine.see(arn)
    assert (task["lastStatus"], task["desiredStatus"]) == ("STOPPED", "STOPPED")
    told = {c["name"]: (c["lastStatus"], c["exitCode"], c["runtimeId"]) for c in task["containers"]}
    assert told == {"app": ("STOPPED", 1, IDS["app"]), "side": ("STOPPED", 143, IDS["side"])}
    assert machine.instance()["remainingResources"] == machine.instance()["registeredResources"]
    # A repetition of the last word changes nothing, not even the version.
    machine.submit(arn, "STOPPED", stopped("app", 1), stopped("side", 143))
    assert machine.see(arn) == task


def test_a_failed_start_has_the_containers_reason(machine, acs):
    arn = machine.run()[0]
    machine.accept(acs, arn)
    why = "CannotPullImageManifestError: Error response from daemon: no such host"
    machine.submit(arn, "STOPPED", container("app", "STOPPED", reason=why), container("side", "STOPPED"))
    task = machine.see(arn)
    assert task["stopCode"] == "TaskFailedToStart" and "exitCode" not in task["containers"][0]
    assert machine.seen(arn)["reason"] == why and "startedAt" not in task


def test_a_task_that_the_agent_cannot_read_is_sent_no_more(machine, acs):
    arn = machine.run()[0]
    payload = acs.payload()
    assert [task["arn"] for task in payload["tasks"]] == [arn]
    # No acknowledgement: it says so of the task alone (sic).
    machine.submit(arn, "STOPPED", reason="UnrecogniedTaskError: Error loading task - unknown volume type")
    task = machine.see(arn)
    assert task["lastStatus"] == "STOPPED" and "UnrecogniedTaskError" in task["stoppedReason"], task
    acs.close()
    again = machine.acs()
    payloads, manifest = again.until_manifest()
    assert payloads == [] and manifest["tasks"] == []
    again.close()


def test_a_word_about_a_task_that_nobody_knows_is_accepted(machine):
    # The agent would repeat an error for ever, and hold back what comes after it.
    machine.submit(machine.arn.replace("container-instance", "task")[:-32] + "0" * 32, "STOPPED")
    machine.submit("arn:aws:ecs:us-east-1:000000000000:task/elsewhere/" + "0" * 32, "RUNNING", running("app"))


# -- delivery ------------------------------------------------------------------------------


def test_what_is_acknowledged_comes_once_and_what_is_not_comes_again(machine, acs):
    known = machine.begun(acs)
    unknown = machine.run()[0]
    assert [task["arn"] for task in acs.payload()["tasks"]] == [unknown]
    acs.close()
    again = machine.acs()
    payloads, manifest = again.until_manifest()
    assert [task["arn"] for payload in payloads for task in payload["tasks"]] == [unknown]
    assert {(task["taskArn"], task["desiredStatus"]) for task in manifest["tasks"]} == {(known, "RUNNING"), (unknown, "RUNNING")}
    # Twice is once; and of an acknowledgement that nobody waits for, nothing becomes.
    for _ in range(2):
        again.acknowledge(payloads[0])
    again.acknowledge(payloads[0] | {"messageId": "of-another-life"})
    eventually(lambda: machine.see(unknown).get("connectivity") == "CONNECTED", "the acknowledgement to be known")
    third = machine.run()[0]
    assert [task["arn"] for task in again.payload()["tasks"]] == [third]
    again.close()


def test_tasks_come_in_payloads_whose_numbers_grow_over_sessions_and_servers(server, machine, acs):
    arns = machine.run(10) + machine.run(5)
    numbers, told = [], []
    while len(told) < len(arns):
        payload = acs.payload()
        assert 0 < len(payload["tasks"]) <= 10
        numbers.append(payload["seqNum"])
        told += [task["arn"] for task in payload["tasks"]]
        acs.acknowledge(payload)
    assert sorted(told) == sorted(arns)
    for restart in (False, True):
        acs.close()
        if restart:
            server.stop()
            server.up()
        acs = machine.acs()
        # `until_manifest` takes only a manifest that exceeds all that came before.
        _, manifest = acs.until_manifest()
        assert {task["taskArn"] for task in manifest["tasks"]} == set(arns)
        numbers.append(manifest["timeline"])
    assert numbers == sorted(set(numbers))
    acs.close()


def test_a_stop_comes_by_payload(machine, acs):
    arn = machine.begun(acs)
    machine.stop(arn)
    payload = acs.payload()
    assert [(task["arn"], task["desiredStatus"]) for task in payload["tasks"]] == [(arn, "STOPPED")]
    acs.acknowledge(payload)
    task = machine.see(arn)
    assert (task["lastStatus"], task["desiredStatus"]) == ("RUNNING", "STOPPED")
    machine.submit(arn, "STOPPED", stopped("app", 143), stopped("side", 143), executionStoppedAt=stamp())
    task = machine.see(arn)
    assert (task["lastStatus"], task["stopCode"], task["stoppedReason"]) == ("STOPPED", "UserInitiated", "enough")
    assert task["stoppingAt"] <= task["stoppedAt"]


def test_a_stop_before_the_task_came_is_all_that_comes(machine, acs):
    # Its payload is on the way, and lost with the session.
    arn = machine.run()[0]
    machine.stop(arn)
    acs.close()
    acs = machine.acs()
    payloads, _ = acs.until_manifest()
    assert [(task["arn"], task["desiredStatus"]) for payload in payloads for task in payload["tasks"]] == [(arn, "STOPPED")]
    assert [c["name"] for c in payloads[0]["tasks"][0]["containers"]] == ["app", "side"]
    # Taken as a new task that is to stop: all its containers STOPPED, without an id.
    machine.submit(arn, "STOPPED", container("app", "STOPPED"), container("side", "STOPPED"))
    task = machine.see(arn)
    assert (task["lastStatus"], task["stopCode"]) == ("STOPPED", "UserInitiated")
    acs.close()


def test_a_stop_that_was_lost_comes_by_manifest_and_what_runs_stays(machine, acs):
    lost, stays = machine.begun(acs), machine.begun(acs)
    machine.stop(lost)
    acs.acknowledge(acs.payload())
    acs.close()
    acs = machine.acs()
    _, manifest = acs.until_manifest()
    acs.acknowledge(manifest)
    stranger = lost[:-32] + "0" * 32
    assert sorted(acs.verify_stops(manifest, [lost, stays, stranger])) == sorted([lost, stranger])
    # Asked about what shall run (its manifest was older than a payload), the server says no.
    assert acs.ask_to_stop(manifest["messageId"], [{"taskArn": stays, "desiredStatus": "STOPPED"}]) == []
    machine.submit(lost, "STOPPED", stopped("app", 143), stopped("side", 143))
    assert machine.see(lost)["stopCode"] == "UserInitiated"
    assert machine.see(stays)["lastStatus"] == "RUNNING" and machine.see(stays)["desiredStatus"] == "RUNNING"
    acs.close()


def test_an_old_manifest_counts_for_nothing(machine, acs):
    task = machine.begun(acs)
    acs.close()
    first = machine.acs()
    _, old = first.until_manifest()
    first.close()
    acs = machine.acs()
    _, manifest = acs.until_manifest()
    candidate = {"taskArn": task, "taskClusterArn": manifest["clusterArn"], "desiredStatus": "STOPPED"}
    acs.acknowledge(old)
    acs.send("TaskStopVerificationMessage", {"messageId": old["messageId"], "stopCandidates": [candidate]})
    # The next answer is that to the next question: the old one got none.
    machine.stop(task)
    assert acs.ask_to_stop(manifest["messageId"], [candidate]) == [task]
    acs.close()


def test_a_session_stays_through_what_the_server_does_not_know(machine, acs):
    acs.send("SomethingOfTomorrow", {"messageId": "1"})
    acs.socket.send("not json")
    acs.send("NackRequest", {"cluster": machine.cluster, "containerInstance": machine.arn, "messageId": "1", "reason": "Updates are disabled"})
    acs.send("IAMRoleCredentialsAckRequest", {"messageId": "1", "credentialsId": "c", "expiration": "2030-01-01T00:00:00Z"})
    arn = machine.run()[0]
    machine.accept(acs, arn)


def test_a_new_session_of_the_same_machine_takes_the_old_ones_place(machine, acs):
    # The old one is half dead: it was not closed, and nobody reads it.
    second = machine.acs()
    second.until_manifest()
    arn = machine.run()[0]
    machine.accept(second, arn)
    assert machine.instance()["agentConnected"]
    second.close()
    eventually(lambda: not machine.instance()["agentConnected"], "the machine to be away")


def test_heartbeats_come_and_are_acknowledged(machine, acs):
    acs.next("HeartbeatMessage")
    arn = machine.run()[0]
    machine.accept(acs, arn)
    assert acs.heartbeats >= 1


# -- telemetry -----------------------------------------------------------------------------


def health(arn: str, *statuses: tuple[str, str]) -> dict:
    containers = [{"containerName": name, "healthStatus": status, "statusSince": stamp()} for name, status in statuses]
    return {"tasks": [{"taskArn": arn, "taskDefinitionFamily": "web", "taskDefinitionVersion": "1", "containers": containers}]}


def test_telemetry_is_acknowledged_and_health_reaches_the_task(machine, acs):
    tcs = machine.tcs()
    tcs.publish("Metrics", {"metadata": tcs.metadata(idle=True)})
    status = {"type": "ContainerRuntime", "status": "OK", "lastUpdated": stamp(), "lastStatusChange": stamp()}
    tcs.publish("InstanceStatus", {"metadata": {"cluster": machine.cluster, "containerInstance": machine.arn, "requestId": "r"}, "statuses": [status]})
    arn = machine.begun(acs)
    whole = {"min": 1.0, "max": 2.0, "sampleCount": 20, "sum": 30.0}
    bytes_ = {"min": 0, "max": 9, "sampleCount": 20, "sum": 100, "overflowMin": 0, "overflowMax": 0, "overflowSum": 0}
    metric = {"taskArn": arn, "taskDefinitionFamily": "web", "taskDefinitionVersion": "1", "containerMetrics": [
        {"containerName": "app", "cpuStatsSet": whole, "memoryStatsSet": whole, "restartStatsSet": {"restartCount": 1},
         "storageStatsSet": {"readSizeBytes": bytes_, "writeSizeBytes": bytes_},
         "networkStatsSet": {"rxBytes": bytes_, "txBytes": bytes_, "rxBytesPerSecond": whole, "txBytesPerSecond": whole}}]}
    tcs.publish("Metrics", {"metadata": tcs.metadata(idle=False), "taskMetrics": [metric]})
    for told in ("HEALTHY", "UNHEALTHY", "HEALTHY"):
        tcs.publish("Health", {"metadata": tcs.metadata()} | health(arn, ("app", told)))
        # Written down before it is acknowledged.
        assert (machine.seen(arn)["healthStatus"], machine.see(arn)["healthStatus"]) == (told, told)
    tcs.close()
    # Without a session what was said stays.
    assert machine.see(arn)["healthStatus"] == "HEALTHY"


def test_health_of_tasks_elsewhere_is_acknowledged_and_dropped(machine, acs):
    tcs = machine.tcs()
    arn = machine.begun(acs)
    tcs.publish("Health", {"metadata": tcs.metadata()} | health(arn[:-32] + "0" * 32, ("app", "UNHEALTHY")))
    tcs.publish("Health", {"metadata": tcs.metadata()} | health(arn, ("nobody", "UNHEALTHY")))
    assert machine.see(arn)["healthStatus"] == "UNKNOWN"
    tcs.close()


def test_credentials_come_with_a_task_and_again_with_each_session(server, machine, acs):
    server.ecs.register_task_definition(**DEFINITION | {"family": "roles", "taskRoleArn": "app", "executionRoleArn": "exec"})
    answer = server.ecs.run_task(cluster=machine.cluster, taskDefinition="roles")
    arn = answer["tasks"][0]["taskArn"]
    task = machine.accept(acs, arn)[arn]
    given = {"TaskApplication": task["roleCredentials"], "TaskExecution": task["executionRoleCredentials"]}
    for name, credentials in zip(("app", "exec"), given.values()):
        assert credentials["roleArn"] == f"arn:aws:iam::000000000000:role/{name}"
        assert {"credentialsId", "accessKeyId", "secretAccessKey", "sessionToken", "expiration"} < set(credentials)
    plain = machine.run()[0]
    taken = machine.accept(acs, plain)[plain]
    assert not taken.get("roleCredentials") and not taken.get("executionRoleCredentials")
    acs.close()
    # Of tasks that it knows; what it knows already may come again, and is the same.
    again = machine.acs()
    seen = {}
    while len(seen) < 2:
        message = again.next("IAMRoleCredentialsMessage")[1]
        assert message["messageId"] and message["taskArn"] == arn, message
        seen[message["roleType"]] = message["roleCredentials"]
        again.send("IAMRoleCredentialsAckRequest", {
            "messageId": message["messageId"], "expiration": message["roleCredentials"]["expiration"],
            "credentialsId": message["roleCredentials"]["credentialsId"]})
    assert seen == given
    again.acknowledge(again.until_manifest()[1])
    # The agent asks for a task in the name of its role, and of no other.
    for kind, code in (("TaskApplication", None), ("TaskExecution", "AccessDeniedException")):
        keys = seen[kind]
        ecs = boto3.client("ecs", endpoint_url=server.url, region_name="us-east-1", aws_access_key_id=keys["accessKeyId"],
                           aws_secret_access_key=keys["secretAccessKey"], aws_session_token=keys["sessionToken"])
        try:
            answer, refused = ecs.get_task_protection(cluster=machine.cluster, tasks=[arn]), None
            assert answer["failures"][0]["reason"] == "TASK_NOT_VALID", "it is no service's"
        except ClientError as error:
            refused = error.response["Error"]["Code"]
        assert refused == code
    again.close()
