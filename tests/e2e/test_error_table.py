"""What the real AWS CLI is told about a request that breaks a rule: one server, one row a rule.

The CLI's own checks are off, so that a row without a required member reaches the server, too.
"""

from __future__ import annotations

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Callable

import pytest
from harness import AWS_V1, SLOWNESS, Longshore

CLIENT, PARAMETER = "ClientException", "InvalidParameterException"
LONG = "a" * 256
ECR = "000000000000.dkr.ecr.us-east-1.amazonaws.com/web"
ROLE = "arn:aws:iam::000000000000:role/exec"
SECRET = "arn:aws:secretsmanager:us-east-1:000000000000:secret:db-AbCdEf"
AWSLOGS = {"awslogs-region": "us-east-1", "awslogs-group": "g", "awslogs-stream-prefix": "p"}
TROUBLESHOOTING = "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."
VALID_SIZES = "See the Amazon ECS documentation for the valid values."
FARGATE_NOT = "Fargate compatible task definitions do not support"
DEPENDENCY_ESSENTIAL = "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container"


def container(**members: Any) -> dict:
    return {"name": "x", "image": "busybox", "memory": 64} | members


def task(*containers: dict, **members: Any) -> dict:
    return {"family": "wrong", "containerDefinitions": list(containers) or [container()]} | members


def fargate(*containers: dict, **members: Any) -> dict:
    wanted = {"networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512"}
    return task(*containers, **(wanted | members))


def one(**members: Any) -> dict:
    return task(container(**members))


def in_mode(mode: str, **members: Any) -> dict:
    return task(container(**members), networkMode=mode)


def ports(mode: str, *mappings: dict) -> dict:
    return in_mode(mode, portMappings=list(mappings))


def volume(**members: Any) -> dict:
    mount = [{"sourceVolume": "v", "containerPath": "/v"}]
    return task(container(mountPoints=mount), volumes=[{"name": "v"} | members])


def after(condition: str, target: str = "y", **other: Any) -> dict:
    return task(container(dependsOn=[{"containerName": target, "condition": condition}]), container(name="y", **other))


def health(**members: Any) -> dict:
    return one(healthCheck={"command": ["CMD", "true"]} | members)


def linux(of: Callable[..., dict], **parameters: Any) -> dict:
    return of(container(linuxParameters=parameters))


def log(driver: str, of: Callable[..., dict] = task, role: str | None = ROLE, **options: str) -> dict:
    logging = {"logDriver": driver, "options": options}
    return of(container(logConfiguration=logging), **({"executionRoleArn": role} if role else {}))


REGISTER: list[tuple[dict, str, str]] = [
    # The task.
    (task(family=None), CLIENT, "Family should not be null or empty."),
    (task(family="a b"), CLIENT, "Family contains invalid characters."),
    (task(family=LONG), CLIENT, "Family cannot be longer than 255 characters."),
    ({"family": "wrong"}, CLIENT, "Container list cannot be empty."),
    (task(*[container(name=f"c{n}") for n in range(11)]), CLIENT, "Too many containers."),
    (task(container(), container()), CLIENT, "Container names must be unique within a task definition"),
    (one(essential=False), CLIENT, "Task definition doesn't have any essential container"),
    (task(tags=[]), CLIENT, "Tags can not be empty."),
    (task(tags=[{"key": "aws:team", "value": "a"}]), PARAMETER, "Tag keys cannot start with aws:."),
    (one(command=["a" * 66_000]), CLIENT, "Actual length: '66254'. Max allowed length is '65536' bytes."),
    (task(cpu="64"), CLIENT, f"Invalid 'cpu' setting for task. {TROUBLESHOOTING}"),
    (task(memory="1 TB"), CLIENT, f"Invalid 'memory' setting for task. {TROUBLESHOOTING}"),
    (task(networkMode="nat"), CLIENT, "Network mode should be one of [bridge,host,awsvpc,none]"),
    (task(pidMode="none"), CLIENT, "pidMode should be one of [host,task]"),
    (task(ipcMode="pod"), CLIENT, "ipcMode should be one of [host,task,none]"),
    (task(taskRoleArn="arn:aws:s3:::bucket"), CLIENT, "Role is not valid"),
    (task(inferenceAccelerators=[{"deviceName": "d", "deviceType": "t"}]), CLIENT, "Unsupported field 'inferenceAccelerators'."),
    (task(requiresCompatibilities=["ECS"]), CLIENT, "Compatibility should be one of [EC2,FARGATE,EXTERNAL,MANAGED_INSTANCES]"),
    (task(requiresCompatibilities=["EC2"], ephemeralStorage={"sizeInGiB": 30}), CLIENT, "Tasks using the EC2 launch type do not support EphemeralStorage."),
    (task(runtimePlatform={"cpuArchitecture": "arm64"}), CLIENT, "cpuArchitecture should be one of [X86_64,ARM64]"),
    (task(placementConstraints=[{"type": "distinctInstance"}]), CLIENT, "Placement constraint type should be one of [memberOf]"),
    (task(placementConstraints=[{"type": "memberOf", "expression": "attribute:a is x"}]), CLIENT, "Invalid expression 'attribute:a is x': expected an operator at character 12."),
    # Names, images, sizes of containers.
    (one(name=""), CLIENT, "Container.name should not be null or empty."),
    (one(name="a.b"), CLIENT, "Container.name contains invalid characters."),
    (one(image=None), CLIENT, "Container.image should not be null or empty."),
    (one(image="$NAME:$TAG"), CLIENT, "Container.image contains invalid characters."),
    (one(memory=None), CLIENT, "Invalid setting for container 'x'. At least one of 'memory' or 'memoryReservation' must be specified."),
    (one(memory=5), CLIENT, "Invalid setting for container 'x'. 'memory' must be at least 6 MiB."),
    (one(memoryReservation=128), CLIENT, "Invalid setting for container 'x'. 'memory' must be greater than or equal to 'memoryReservation'."),
    (task(memory="32"), CLIENT, "The 'memory' setting for container 'x' is greater than for the task."),
    (task(container(cpu=300), cpu="256"), CLIENT, "The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'."),
    (one(versionConsistency="on"), CLIENT, "versionConsistency should be one of [enabled,disabled]"),
    (one(environment=[{"name": "", "value": "1"}]), CLIENT, "Environment variable name cannot be null or empty."),
    (one(resourceRequirements=[{"type": "GPU", "value": "0"}]), CLIENT, "Invalid value '0' for resource type 'GPU'."),
    # Networks and ports.
    (ports("bridge", {"containerPort": 0}), CLIENT, "Invalid 'containerPort' setting for container 'x'."),
    (ports("bridge", {"containerPort": 80, "hostPort": 70_000}), CLIENT, "Invalid 'hostPort' setting for container 'x'."),
    (ports("awsvpc", {"containerPort": 80, "hostPort": 81}), CLIENT, "When networkMode=awsvpc, the host ports and container ports in port mappings must match."),
    (ports("host", {"containerPort": 80, "hostPort": 81}), CLIENT, "When networkMode=host, the host ports and container ports in port mappings must match."),
    (ports("none", {"containerPort": 80}), CLIENT, "Port mappings are not supported with networkMode none"),
    (ports("bridge", {"containerPort": 80, "hostPort": 8080}, {"containerPort": 81, "hostPort": 8080}), CLIENT, "TCP host port '8080' is mapped multiple times in task."),
    (ports("bridge", {"containerPortRange": "90-80"}), CLIENT, "Invalid 'containerPortRange' setting for container 'x'."),
    (ports("bridge", {"containerPortRange": "80-90", "containerPort": 80}), CLIENT, "Invalid port mapping for container 'x', cannot specify both single port and port range."),
    (ports("awsvpc", {"containerPortRange": "8080-8090"}, {"containerPortRange": "8085-8095"}), CLIENT, "TCP container port '8085' is used multiple times in task when networkMode=awsvpc."),
    (ports("awsvpc", {"containerPort": 80, "name": "web"}, {"containerPort": 81, "name": "web"}), CLIENT, "When networkMode=awsvpc, port mapping name is already used"),
    (ports("bridge", {"containerPort": 80, "protocol": "sctp"}), CLIENT, "Port mapping protocol should be one of [tcp,udp]"),
    (in_mode("awsvpc", links=["x"]), CLIENT, "Links are not supported when networkMode=awsvpc."),
    (in_mode("bridge", links=["db"]), CLIENT, "Invalid 'links' setting. Unknown container: 'db'."),
    (in_mode("awsvpc", hostname="h"), CLIENT, "hostname is not supported on container when networkMode=awsvpc."),
    (in_mode("awsvpc", extraHosts=[{"hostname": "a", "ipAddress": "10.0.0.1"}]), CLIENT, "Extra hosts are not supported on container when networkMode=awsvpc."),
    (in_mode("awsvpc", dnsServers=["10.0.0.2"]), CLIENT, "DNS servers are not supported on container when networkMode=awsvpc."),
    (in_mode("awsvpc", disableNetworking=True), CLIENT, "Disable Networking is not supported on container when networkMode=awsvpc."),
    (task(proxyConfiguration={"containerName": "x"}), CLIENT, "APPMESH proxy configuration is only supported in networkMode=awsvpc"),
    (task(networkMode="awsvpc", proxyConfiguration={"containerName": "envoy"}), CLIENT, "Proxy container [envoy] does not exist."),
    (task(networkMode="awsvpc", proxyConfiguration={"containerName": "x"}), CLIENT, "Ingress port not found"),
    # Volumes.
    (one(mountPoints=[{"sourceVolume": "v", "containerPath": "/v"}]), CLIENT, "Unknown volume 'v'."),
    (one(volumesFrom=[{"sourceContainer": "y"}]), CLIENT, "Invalid 'volumesFrom' setting. Unknown container: 'y'."),
    (task(volumes=[{"name": "v"}, {"name": "v"}]), CLIENT, "Volume name 'v' is duplicated."),
    (task(volumes=[{"name": "a/b"}]), CLIENT, "Volume.name contains invalid characters."),
    (task(volumes=[{"name": "v", "configuredAtLaunch": True}]), CLIENT, "Volumes [v] are not referenced by any of the containers"),
    (volume(host={}, dockerVolumeConfiguration={}), CLIENT, "Volume 'v' can have only one kind of configuration."),
    (volume(dockerVolumeConfiguration={"scope": "host"}), CLIENT, "Docker volume scope should be one of [task,shared]"),
    (volume(efsVolumeConfiguration={"fileSystemId": "fs-1", "authorizationConfig": {"iam": "ENABLED"}}), CLIENT, "EFS IAM authorization requires TransitEncryption to be enabled."),
    (volume(efsVolumeConfiguration={"fileSystemId": "fs-1", "transitEncryptionPort": 2049}), CLIENT, "TransitEncryptionPort requires that TransitEncryption is enabled."),
    (volume(efsVolumeConfiguration={"fileSystemId": "fs-1", "rootDirectory": "/a", "authorizationConfig": {"accessPointId": "fsap-1"}}), CLIENT,
     'When using an EFS access point, the root directory must either be set to "/" or be omitted.'),
    # Order and health.
    (after("START", target="z"), CLIENT, "Cannot depend on container + 'z' because it does not exist"),
    (after("READY"), CLIENT, "Container dependency condition should be one of [START,COMPLETE,SUCCESS,HEALTHY]"),
    (after("SUCCESS"), CLIENT, DEPENDENCY_ESSENTIAL),
    (after("HEALTHY"), CLIENT, "A dependency container with HEALTHY condition must have health check configured"),
    (after("START", dependsOn=[{"containerName": "x", "condition": "START"}]), CLIENT, "Cycle found in dependency graph."),
    (health(interval=301), CLIENT, "Health check interval must be less than or equal to the maximum allowed value 300 for container 'x'"),
    (health(timeout=1), CLIENT, "Health check timeout must be greater than or equal to the minimum allowed value 2 for container 'x'"),
    (health(retries=11), CLIENT, "Health check retries must be less than or equal to the maximum allowed value 10 for container 'x'"),
    (health(startPeriod=301), CLIENT, "Health check startPeriod must be less than or equal to the maximum allowed value 300 for container 'x'"),
    (one(restartPolicy={"enabled": True, "restartAttemptPeriod": 59}), CLIENT, "The 'restartAttemptPeriod' setting for container 'x' must be between 60 and 1800."),
    # Kernel.
    (one(ulimits=[{"name": "nofile", "softLimit": 2, "hardLimit": 1}]), CLIENT, "Soft limit exceeds hard limit for ulimit nofile"),
    (linux(task, swappiness=101), CLIENT, "swappiness must be between 0 and 100."),
    (linux(task, devices=[{"hostPath": "/dev/fuse", "permissions": ["rw"]}]), CLIENT, "Device permission should be one of [read,write,mknod]"),
    (in_mode("host", systemControls=[{"namespace": "net.core.somaxconn", "value": "1"}]), CLIENT,
     "SystemControl namespace 'net.core.somaxconn' is not supported when networkMode=host."),
    (one(systemControls=[{"namespace": "vm.swappiness", "value": "1"}]), CLIENT, "SystemControl namespace 'vm.swappiness' is not supported."),
    # Logs and secrets.
    (log("loki"), CLIENT, "loki is not a valid log driver. Must be one of [json-file,syslog,journald,gelf,fluentd,awslogs,splunk,awsfirelens,none]"),
    (log("awslogs"), CLIENT, "Log driver awslogs requires options: awslogs-region, awslogs-group"),
    (log("awslogs", **{"awslogs-region": "r"}), CLIENT, "Log driver awslogs requires options: awslogs-group"),
    (log("awsfirelens"), CLIENT,
     "When awsfirelens log driver is specified in log configuration, a firelens configuration object must be configured in one of the containers."),
    (one(secrets=[{"name": "A", "valueFrom": SECRET}]), CLIENT, "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'."),
    (one(secrets=[{"name": "A", "valueFrom": "db:password::"}]), CLIENT, "The Systems Manager parameter name specified for secret A is invalid."),
    (one(secrets=[{"name": "A", "valueFrom": SECRET}], environment=[{"name": "A", "value": "1"}]), CLIENT,
     "The secret name must be unique and not shared with any new or existing environment variables set on the container, such as 'A'."),
    (one(environmentFiles=[{"type": "s3", "value": "s3://bucket/app.env"}]), CLIENT, "Invalid arn syntax."),
    (one(environmentFiles=[{"type": "s3", "value": "arn:aws:s3:::b/a.env"}] * 11), CLIENT,
     "The maximum number of environment files was exceeded. Specify ten or less and try again."),
    # Fargate.
    (fargate(networkMode="bridge"), CLIENT, "Fargate only supports network mode ‘awsvpc’."),
    (fargate(cpu=None), CLIENT, "Fargate requires that 'cpu' be defined at the task level."),
    (fargate(memory=None), CLIENT, "Fargate requires that 'memory' be defined at the task level."),
    (fargate(memory="8 GB"), CLIENT, f"No Fargate configuration exists for given values: 256 CPU, 8192 memory. {VALID_SIZES}"),
    (fargate(pidMode="host"), CLIENT, "Tasks using the Fargate launch type do not support pidMode 'host'. The supported value for pidMode is 'task'."),
    (fargate(ipcMode="task"), CLIENT, f"{FARGATE_NOT} ipcMode"),
    (fargate(ephemeralStorage={"sizeInGiB": 20}), CLIENT, "EphemeralStorage size should be at least 21"),
    (fargate(ephemeralStorage={"sizeInGiB": 201}), CLIENT, "EphemeralStorage size should be at most 200"),
    (fargate(volumes=[{"name": "v", "host": {"sourcePath": "/data"}}]), CLIENT, f"{FARGATE_NOT} sourcePath"),
    (fargate(volumes=[{"name": "v", "dockerVolumeConfiguration": {}}]), CLIENT, f"{FARGATE_NOT} dockerVolumeConfiguration"),
    (fargate(placementConstraints=[{"type": "memberOf", "expression": "attribute:a exists"}]), CLIENT, f"{FARGATE_NOT} constraints"),
    (fargate(container(privileged=True)), CLIENT, "Fargate requires that the ‘privileged’ setting be ‘false’ at the container level."),
    (fargate(container(resourceRequirements=[{"type": "GPU", "value": "1"}])), CLIENT, "Tasks using the Fargate launch type do not support GPU resource requirements."),
    (fargate(container(image=ECR)), CLIENT, "Fargate requires task definition to have execution role ARN to support ECR images."),
    (linux(fargate, maxSwap=1), CLIENT, f"{FARGATE_NOT} maxSwap"),
    (linux(fargate, sharedMemorySize=1), CLIENT, f"{FARGATE_NOT} sharedMemorySize"),
    (linux(fargate, capabilities={"add": ["NET_ADMIN"]}), CLIENT, "NET_ADMIN is not allowed on Fargate."),
    (log("json-file", of=fargate), CLIENT, "json-file is not a valid log driver. Must be one of [awslogs,splunk,awsfirelens]"),
    (log("awslogs", of=fargate, role=None, **AWSLOGS), CLIENT, "Fargate requires task definition to have execution role ARN to support log driver awslogs."),
    (log("awslogs", of=fargate, **{k: v for k, v in AWSLOGS.items() if "prefix" not in k}), CLIENT,
     "Fargate requires log configuration options to include awslogs-stream-prefix to support log driver awslogs."),
]


def run(**members: Any) -> dict:
    return {"taskDefinition": "right"} | members


def override(**members: Any) -> dict:
    return run(overrides={"containerOverrides": [{"name": "x"} | members]})


# Of RunTask, and of StartTask in the same words.
LAUNCH: list[tuple[dict, str, str]] = [
    ({}, CLIENT, "TaskDefinition can not be blank."),
    (run(taskDefinition="nope"), CLIENT, "TaskDefinition not found."),
    (run(cluster="nope"), "ClusterNotFoundException", "Cluster not found."),
    (run(group="service:web"), PARAMETER, "The group name cannot start with service: or family:."),
    (run(startedBy="a b"), PARAMETER, "startedBy contains invalid characters."),
    (run(referenceId="a" * 1025), PARAMETER, "referenceId longer than 1024."),
    (run(tags=[{"key": "", "value": "a"}]), PARAMETER, "Tag keys must be between 1 and 128 characters long."),
    (run(propagateTags="SERVICE"), PARAMETER, "propagateTags should be one of [TASK_DEFINITION,NONE] for a task."),
    (run(networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-1"]}}), PARAMETER,
     "Network Configuration is not valid for the given `networkMode` of this task definition."),
    (run(taskDefinition="own-interface"), PARAMETER, "Network Configuration must be provided when networkMode 'awsvpc' is specified."),
    (run(taskDefinition="gone:1"), CLIENT, "TaskDefinition is inactive"),
    (override(name="db"), PARAMETER, "Override for container named db is not a container in the TaskDefinition."),
    (override(command=["a" * 8192]), PARAMETER, "Container Overrides length must be at most 8192"),
    (override(memory=1024), PARAMETER, "The 'memory' setting for container 'x' is greater than for the task."),
    (override(memory=5), PARAMETER, "Invalid setting for container 'x'. 'memory' must be at least 6 MiB."),
    (override(memoryReservation=128), PARAMETER, "Invalid setting for container 'x'. 'memory' must be greater than or equal to 'memoryReservation'."),
    (override(cpu=512), PARAMETER, "The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'."),
    (override(environment=[{"value": "1"}]), PARAMETER, "Environment variable name cannot be null or empty."),
    (override(environmentFiles=[{"type": "s3", "value": "app.env"}]), PARAMETER, "Invalid arn syntax."),
    (override(resourceRequirements=[{"type": "GPU", "value": "none"}]), PARAMETER, "Invalid value 'none' for resource type 'GPU'."),
    (run(overrides={"cpu": "lots"}), PARAMETER, f"Invalid 'cpu' setting for task. {TROUBLESHOOTING}"),
    (run(overrides={"memory": "32"}), PARAMETER, "The 'memory' setting for container 'x' is greater than for the task."),
    (run(overrides={"taskRoleArn": "arn:aws:s3:::bucket"}), CLIENT, "Role is not valid"),
    (run(overrides={"ephemeralStorage": {"sizeInGiB": 20}}), PARAMETER, "EphemeralStorage size should be at least 21"),
    (run(overrides={"ephemeralStorage": {"sizeInGiB": 30}}), PARAMETER, "Tasks using the EC2 launch type do not support EphemeralStorage."),
]
RUN: list[tuple[dict, str, str]] = [
    (run(count=0), PARAMETER, "Count cannot be less than 1."),
    (run(count=11), PARAMETER, "Count cannot be more than 10."),
    (run(launchType="EC2", capacityProviderStrategy=[{"capacityProvider": "a"}]), PARAMETER,
     "Specify either Launch Type or Capacity Provider Strategy, but not both."),
    (run(launchType="ec2"), PARAMETER, "launchType should be one of [EC2,FARGATE,EXTERNAL,MANAGED_INSTANCES]"),
    (run(platformVersion="1.4.0"), PARAMETER, "The platform version must be null when specifying an EC2 launch type."),
    (run(startedBy="a" * 129), PARAMETER, "startedBy longer than 128."),
    (run(clientToken="a" * 65), PARAMETER, "Client token must be 1 to 64 printable ASCII characters."),
]
START: list[tuple[dict, str, str]] = [
    (run(containerInstances=[]), PARAMETER, "Container Instances cannot be empty."),
    (run(containerInstances=["i"] * 11), PARAMETER, "Container Instances cannot be more than 10."),
    (run(containerInstances=["i"], startedBy="a" * 37), PARAMETER, "startedBy longer than 36."),
]


# Operation, request, code, message.
TABLE: list[tuple[str, dict, str, str]] = [
    *[("RegisterTaskDefinition", *row) for row in REGISTER],
    *[("RunTask", *row) for row in [*LAUNCH, *RUN]],
    *[("StartTask", {"containerInstances": ["i"]} | row[0], *row[1:]) for row in LAUNCH[:8]],
    *[("StartTask", *row) for row in START],
]


@pytest.fixture(scope="module")
def cli(longshore: Longshore, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, dict], str]:
    """Runs one operation with the real CLI; gives what it says."""
    config: Path = tmp_path_factory.mktemp("cli") / "config"
    config.write_text("[default]\nparameter_validation = false\n")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    environment |= longshore.environment()
    environment |= {"AWS_CONFIG_FILE": str(config), "AWS_PAGER": "", "AWS_MAX_ATTEMPTS": "1", "PYTHONUTF8": "1"}

    def call(operation: str, request: dict) -> str:
        command = "".join(f"-{c.lower()}" if c.isupper() else c for c in operation).lstrip("-")
        with NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(request, file)
            file.flush()
            done = subprocess.run(
                [str(AWS_V1), "ecs", command, "--cli-input-json", f"file://{file.name}"],
                capture_output=True, text=True, encoding="utf-8", env=environment, timeout=60 * SLOWNESS,
            )
        return done.stderr.strip() if done.returncode else f"it was accepted: {done.stdout}"

    return call


@pytest.fixture(scope="module")
def definitions(longshore: Longshore) -> None:
    """What the rows of RunTask and StartTask name."""
    longshore.register("right", {"name": "x"}, cpu="256", memory="512")
    longshore.register("own-interface", {"name": "x"}, networkMode="awsvpc")
    longshore.ecs.deregister_task_definition(taskDefinition=longshore.register("gone", {"name": "x"}))


@pytest.fixture(scope="module")
def said(cli, definitions, request) -> dict[int, str]:
    """What the CLI says to every row of this run: some at a time, for it is slow to start."""
    calls = [item.callspec.params for item in request.session.items if item.module is request.module and hasattr(item, "callspec")]
    selected = [call["row"] for call in calls]
    with ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:
        return dict(zip(selected, pool.map(lambda row: cli(*TABLE[row][:2]), selected)))


@pytest.mark.parametrize("row", range(len(TABLE)), ids=[f"{n}-{row[0]}-{row[3][:40]}" for n, row in enumerate(TABLE)])
def test_a_broken_rule_is_told_in_the_words_of_aws(said, row) -> None:
    operation, _, code, message = TABLE[row]
    assert said[row] == f"An error occurred ({code}) when calling the {operation} operation: {message}"


def test_a_client_token_used_for_something_else_is_a_conflict(cli, definitions, longshore) -> None:
    started = longshore.start("right", clientToken="job-1")
    assert longshore.start("right", clientToken="job-1") == started
    said = cli("RunTask", run(clientToken="job-1", count=2))
    assert said.startswith("An error occurred (ConflictException) when calling the RunTask operation: ")
    longshore.ecs.stop_task(task=started[0])
    longshore.wait(started[0], "STOPPED")
