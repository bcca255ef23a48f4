"""A machine with the public Amazon ECS agent, as far as a control plane can tell: what it sends (headers, framing,
queries, orders), what it accepts of what it is sent, and what it drops. It runs no container; a test says what
happened to them. Written from the agent's public source, release 1.105.1; it knows nothing of ours."""

from __future__ import annotations

import json
import time
import uuid
from contextlib import ExitStack
from typing import Any
from urllib.parse import quote, urlsplit

import wire
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from harness import PATIENCE_S, SLOWNESS, Longshore
from websockets.sync.client import ClientConnection, connect

VERSION, HASH = "1.105.1", "*a8b3e7d3"
DOCKER = "20.10.24+dfsg1"
USER_AGENT = f"Amazon ECS Agent - v{VERSION} ({HASH}) (linux; LINUX) (+http://aws.amazon.com/ecs/)"
PORTS = ["22", "2375", "2376", "51678", "51679"]
CAPABILITIES = """
    ecs.capability.private-registry-authentication.secretsmanager ecs.capability.secrets.ssm.environment-variables
    ecs.capability.secrets.ssm.bootstrap.log-driver ecs.capability.secrets.asm.environment-variables
    ecs.capability.secrets.asm.bootstrap.log-driver ecs.capability.ecr-endpoint ecs.capability.container-ordering
    ecs.capability.full-sync ecs.capability.env-files.s3 ecs.capability.network.container-port-range
    ecs.capability.container-restart-policy ecs.capability.firelens.fluentd ecs.capability.firelens.fluentbit
    ecs.capability.firelens.options.config.file ecs.capability.firelens.options.config.s3 ecs.capability.efs
    ecs.capability.ipv6-only ecs.capability.docker-plugin.local ecs.capability.execution-role-ecr-pull
    ecs.capability.container-health-check ecs.capability.task-cpu-mem-limit ecs.capability.increased-task-cpu-limit
    ecs.capability.pid-ipc-namespace-sharing ecs.capability.external
    com.amazonaws.ecs.capability.privileged-container com.amazonaws.ecs.capability.ecr-auth
    com.amazonaws.ecs.capability.task-iam-role com.amazonaws.ecs.capability.task-iam-role-network-host
    com.amazonaws.ecs.capability.apparmor com.amazonaws.ecs.capability.logging-driver.json-file
    com.amazonaws.ecs.capability.logging-driver.awslogs com.amazonaws.ecs.capability.logging-driver.none
    com.amazonaws.ecs.capability.logging-driver.awsfirelens""".split() + [
    f"com.amazonaws.ecs.capability.docker-remote-api.1.{minor}" for minor in (*range(17, 26), 28, 29, 30, 32)]
VALUES = {"ecs.os-type": "linux", "ecs.os-family": "LINUX", "ecs.os-type-detailed": "LINUX", "ecs.cpu-architecture": "x86_64"}

# What the agent's own message types have; it skips all else.
TASK_MEMBERS = set("""
    arn taskClusterArn family version desiredStatus overrides containers volumes roleCredentials executionRoleCredentials
    elasticNetworkInterfaces cpu memory associations pidMode ipcMode proxyConfiguration agentConfiguration launchType
    attachments networkMode serviceName group zone taskDefinitionAccountId enableFaultInjection
    trustedExecutionConfiguration""".split())
CONTAINER_MEMBERS = set("""
    name image command entryPoint cpu memory essential environment environmentFiles overrides portMappings links
    mountPoints volumesFrom dockerConfig healthCheckType registryAuthentication logsAuthStrategy secrets dependsOn
    startTimeout stopTimeout restartPolicy firelensConfiguration managedAgents containerArn credentialSpecs privileged
    linuxParameters networkInterfaceNames""".split())


def unreadable(task: dict) -> str | None:
    """Why the agent would refuse this task, and with it its whole payload."""
    for member in ("arn", "desiredStatus"):
        if not task.get(member):
            return f"no {member}"
    if task["desiredStatus"] == "STOPPED":
        return None
    for container in task["containers"]:
        if not container.get("name") or not container.get("image"):
            return "a container without name or image"
        if set(json.loads(container.get("overrides") or "{}")) - {"command"}:
            return f"overrides of {container['name']}"
        docker = container.get("dockerConfig") or {}
        config, _ = json.loads(docker.get("config") or "{}"), json.loads(docker.get("hostConfig") or "{}")
        if container.get("healthCheckType") == "docker" and not config.get("Healthcheck"):
            return f"no health check for {container['name']}"
    for volume in task.get("volumes") or []:
        if volume.get("type", "host") not in ("host", "docker", "efs"):
            return f"volume {volume}"
    return None


class Session:
    """One websocket; what came and was not asked for yet is kept, in its order."""

    def __init__(self, agent: "OfficialAgent", url: str):
        self.agent, self.url = agent, url
        self.heartbeats = 0
        request = AWSRequest("GET", url)
        agent.sign(request)
        headers = {name: request.headers[name] for name in ("Authorization", "X-Amz-Date")}
        self._life = ExitStack()
        self.socket: ClientConnection = self._life.enter_context(connect(
            url.replace("http", "ws", 1), additional_headers=headers, compression=None, user_agent_header=None,
            proxy=None, ping_interval=None, max_size=None, open_timeout=PATIENCE_S * SLOWNESS))

    def next(self, *kinds: str) -> tuple[str, dict]:
        """The next message of these types. Others are dropped, as the agent has no handler for them; a heartbeat is
        acknowledged on the way."""
        while True:
            frame = json.loads(self.socket.recv(timeout=PATIENCE_S * SLOWNESS))
            kind, message = frame["type"], frame["message"]
            if kind == "HeartbeatMessage":
                self.heartbeats += 1
                self.send("HeartbeatAckRequest", {"messageId": message["messageId"]})
            if kind in kinds:
                return kind, message

    def send(self, kind: str, message: dict) -> None:
        self.socket.send(json.dumps({"type": kind, "message": message}))

    def close(self) -> None:
        """As after half an hour."""
        self.socket.close(1000, "ConnectionExpired: Reconnect to continue")
        self._life.close()


class Acs(Session):
    def __init__(self, agent: "OfficialAgent", url: str):
        super().__init__(agent, url)
        self.manifest_id = ""

    def payload(self) -> dict:
        """The next payload; what the agent could not read fails. Not acknowledged yet."""
        return self._payload(self.next("PayloadMessage")[1])

    def _payload(self, payload: dict) -> dict:
        for member in ("clusterArn", "containerInstanceArn", "messageId"):
            assert payload[member], payload
        assert payload["containerInstanceArn"] == self.agent.arn
        for task in payload["tasks"]:
            assert not (why := unreadable(task)), (why, task)
        self.agent.latest = max(self.agent.latest, payload["seqNum"])
        return payload

    def until_manifest(self) -> tuple[list[dict], dict]:
        """The payloads up to the next manifest that counts, and it: one that is not newer than what the agent saw
        is dropped without a word."""
        payloads = []
        while True:
            kind, message = self.next("PayloadMessage", "TaskManifestMessage")
            if kind == "PayloadMessage":
                payloads.append(self._payload(message))
            elif message["timeline"] > self.agent.latest:
                self.agent.latest = message["timeline"]
                self.manifest_id = message["messageId"]
                return payloads, message

    def acknowledge(self, message: dict) -> None:
        self.send("AckRequest", {
            "cluster": message["clusterArn"], "containerInstance": message["containerInstanceArn"], "messageId": message["messageId"]})

    def verify_stops(self, manifest: dict, running: list[str]) -> list[str]:
        """What the agent does with a manifest: it asks whether to stop what it runs and is not listed as RUNNING."""
        wanted = {task["taskArn"] for task in manifest["tasks"] if task["desiredStatus"] == "RUNNING"}
        cluster = manifest["clusterArn"]
        strangers = [{"taskArn": arn, "taskClusterArn": cluster, "desiredStatus": "STOPPED"} for arn in running if arn not in wanted]
        return self.ask_to_stop(manifest["messageId"], strangers) if strangers else []

    def ask_to_stop(self, message_id: str, candidates: list[dict]) -> list[str]:
        self.send("TaskStopVerificationMessage", {"messageId": message_id, "stopCandidates": candidates})
        answer = self.next("TaskStopVerificationAck")[1]
        assert answer["messageId"] == self.manifest_id
        return [task["taskArn"] for task in answer["stopTasks"]]


class Tcs(Session):
    def send(self, kind: str, message: dict) -> None:
        """Not bare JSON: a signed head goes before it, as of an HTTP request."""
        body = json.dumps({"type": kind, "message": message})
        request = AWSRequest("GET", self.url, data=body.encode())
        self.agent.sign(request)
        head = {"Authorization": request.headers["Authorization"], "Host": urlsplit(self.url).netloc, "X-Amz-Date": request.headers["X-Amz-Date"]}
        self.socket.send("".join(f"{name}: {value}\r\n" for name, value in head.items()) + "\r\n" + body)

    def metadata(self, **more: Any) -> dict:
        return {"cluster": self.agent.cluster, "containerInstance": self.agent.arn, "messageId": str(uuid.uuid4()), "fin": True} | more

    def publish(self, kind: str, message: dict) -> None:
        """Publishes, and waits for the acknowledgement of its type."""
        self.send(f"Publish{kind}Request", message | {"timestamp": stamp()})
        self.next({"Metrics": "AckPublishMetric"}.get(kind, f"AckPublish{kind}"))


def stamp() -> float:
    """Epoch seconds with milliseconds."""
    return round(time.time(), 3)


class OfficialAgent:
    def __init__(self, longshore: Longshore, cluster: str):
        self.longshore, self.cluster = longshore, cluster
        self.arn = ""
        self.latest = -1
        self._connected_once = False

    # -- the API ---------------------------------------------------------------------------

    def sign(self, request: AWSRequest) -> None:
        SigV4Auth(wire.root(self.longshore), "ecs", "us-east-1").add_auth(request)

    def call(self, operation: str, **body: Any) -> Any:
        request = wire.ecs_request(self.longshore, operation, json.dumps(body).encode(), **{
            "User-Agent": USER_AGENT, "Amz-Sdk-Invocation-Id": str(uuid.uuid4()), "Amz-Sdk-Request": "attempt=1; max=3"})
        self.sign(request)
        answer = wire.send(request)
        assert answer.status == 200, answer
        return answer.json

    @staticmethod
    def attributes() -> list[dict]:
        return [{"name": name} for name in CAPABILITIES] + [{"name": n, "value": v} for n, v in VALUES.items()]

    def register(self, cpu: int = 4096, memory: int = 4096) -> dict:
        """Registers, again where it has an ARN. It ends for good where an attribute does not come back as it was."""
        again = {"containerInstanceArn": self.arn} if self.arn else {}
        whole = lambda name, value: {"name": name, "type": "INTEGER", "integerValue": value}
        ports = lambda name, held: {"name": name, "type": "STRINGSET", "stringSetValue": held}
        answer = self.call(
            "RegisterContainerInstance", cluster=self.cluster, attributes=self.attributes(), clientToken=str(uuid.uuid4()),
            instanceIdentityDocument="", instanceIdentityDocumentSignature="", platformDevices=[], tags=[],
            totalResources=[whole("CPU", cpu), whole("MEMORY", memory), ports("PORTS", PORTS), ports("PORTS_UDP", [])], **again)
        instance = answer["containerInstance"]
        echoed = {attribute["name"]: attribute.get("value", "") for attribute in instance["attributes"]}
        for sent in self.attributes():
            assert echoed.get(sent["name"]) == sent.get("value", ""), sent
        assert echoed["ecs.availability-zone"]
        self.arn = instance["containerInstanceArn"]
        return instance

    def submit(self, task: str, status: str, *containers: dict, reason: str = "", **times: float) -> None:
        answer = self.call("SubmitTaskStateChange", cluster=self.cluster, task=task, status=status, reason=reason,
                           containers=list(containers), **times)
        assert answer == {"acknowledgment": "ACCEPT"}

    # -- the sessions ----------------------------------------------------------------------

    def _url(self, endpoint: str, **query: str) -> str:
        found = self.call("DiscoverPollEndpoint", containerInstance=self.arn, cluster=self.cluster, zoneId="")
        assert urlsplit(found[endpoint]).scheme in ("http", "https"), found
        pairs = {"agentHash": HASH, "agentVersion": VERSION} | query
        return f"{found[endpoint]}/ws?" + "&".join(f"{name}={quote(pairs[name], safe='')}" for name in sorted(pairs))

    def acs(self) -> Acs:
        first, self._connected_once = not self._connected_once, True
        return Acs(self, self._url(
            "endpoint", clusterArn=self.cluster, containerInstanceArn=self.arn, dockerVersion=f"DockerVersion: {DOCKER}",
            protocolVersion="2", sendCredentials=str(first).lower(), seqNum="1"))

    def tcs(self) -> Tcs:
        return Tcs(self, self._url("telemetryEndpoint", cluster=self.cluster, containerInstance=self.arn, dockerVersion=DOCKER))


def container(name: str, status: str, **more: Any) -> dict:
    """One container's part of a report."""
    return {"containerName": name, "status": status} | more
