"""The documented examples of the installed AWS CLI: each command is run here, and every member that an example's
output shows is in our answer, with a value of the same kind."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import awscli
import leaks
import pytest
import vpc
from harness import BINARY, SLOWNESS, eventually
from registries import DockerRegistry

EXAMPLES = Path(awscli.__file__).parent / "examples" / "ecs"
# What an example shows of things that are not built yet, or that only other agents have: the beginning of a member's
# path, at any depth.
NOT_HERE = {
    "capacityProvider": "capacity providers",
    "cluster.attachments": "capacity providers",
    "clusters.attachments": "capacity providers",
    "versionInfo.agentHash": "an agent's own",
    "versionInfo.dockerVersion": "an agent's own",
}


def is_not_here(path):
    return any(f".{known}" in f".{path.replace('[]', '')}" for known in NOT_HERE)


def outputs(command):
    """The JSON outputs that the examples of a command show."""
    text = (EXAMPLES / f"{command}.rst").read_text()
    for block in re.split(r"Output::\s*\n", text)[1:]:
        lines = []
        for line in block.splitlines():
            if line.strip() and not line.startswith((" ", "\t")):
                break
            lines.append(line)
        try:
            yield json.loads("\n".join(lines))
        except json.JSONDecodeError:
            yield json.loads(repaired(lines))


def repaired(lines):
    """Not all examples are JSON as they are printed: a comma is missing or too many, or the outermost braces are."""
    text = "\n".join(line for line in lines if line.strip().strip("."))
    text = text if text.lstrip().startswith("{") else "{" + text
    text = re.sub(r'(["\d\]}]|true|false|null)(\s*\n\s*")', r"\1,\2", text)
    text = re.sub(r",(\s*[}\]])", r"\1", text)
    return text + "}" * (text.count("{") - text.count("}"))


def kinds(value, path=""):
    """The kind of every member at any depth, by its path."""
    if isinstance(value, dict):
        found = {path: "object"} if path else {}
        for name, member in value.items():
            found |= kinds(member, f"{path}.{name}" if path else name)
        return found
    if isinstance(value, list):
        found = {path: "list"}
        for item in value:
            found |= kinds(item, f"{path}[]")
        return found
    if re.search(r"(At|Date)$", path):
        return {path: "time"}  # older examples print seconds
    return {path: "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value).__name__}


@pytest.fixture(scope="module")
def image(busybox, tmp_path_factory):
    """One that has to be pulled."""
    registry = DockerRegistry(tmp_path_factory.mktemp("registry"))
    registry.push(busybox, "shown/busybox:1")
    yield f"{registry.host}/shown/busybox:1"
    registry.close()


@pytest.fixture(scope="module")
def second(longshore):
    """Another host, the only one of the cluster `away`: it is there to be taken away."""
    # Short: unix sockets lie below it.
    data = Path(tempfile.mkdtemp(prefix="ls-2nd-"))
    longshore.ecs.create_cluster(clusterName="away")
    token = longshore.run("server", "token").stdout.strip()
    with (data / "agent.log").open("wb") as log:
        agent = subprocess.Popen(
            [str(BINARY), "agent", "--data", str(data), "--server", longshore.url, "--token", token, "--cluster", "away"],
            stdout=log, stderr=log, cwd="/", env={k: v for k, v in os.environ.items() if not k.startswith("AWS_")})
    try:
        yield
    finally:
        subprocess.run([str(BINARY), "down", "--data", str(data)], check=True, capture_output=True, timeout=120 * SLOWNESS)
        agent.wait(timeout=30 * SLOWNESS)
        left = leaks.present(data)
        shutil.rmtree(data, ignore_errors=True)
        assert not left, left


def joined(longshore):
    """The instances of the cluster `away` that are connected."""
    arns = longshore.ecs.list_container_instances(cluster="away")["containerInstanceArns"]
    found = longshore.ecs.describe_container_instances(cluster="away", containerInstances=arns)["containerInstances"] if arns else []
    return [one["containerInstanceArn"] for one in found if one["agentConnected"]]


@pytest.fixture(scope="module")
def answers(longshore, second, image, tmp_path_factory):
    """Each command of the examples that is served, run by the real CLI; its answers by its name."""
    web = {
        "family": "shown", "networkMode": "bridge", "taskRoleArn": "arn:aws:iam::000000000000:role/task", "cpu": "128", "memory": "64",
        "volumes": [{"name": "v", "host": {"sourcePath": "/tmp"}}],
        "placementConstraints": [{"type": "memberOf", "expression": "attribute:ecs.os-type == linux"}],
        "tags": [{"key": "team", "value": "a"}], "executionRoleArn": "arn:aws:iam::000000000000:role/exec", "requiresCompatibilities": ["EC2"],
        "containerDefinitions": [{
            "name": "app", "image": image, "command": ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"],
            "cpu": 10, "memory": 32, "portMappings": [{"containerPort": 80, "hostPort": 0}], "environment": [{"name": "A", "value": "b"}],
            "mountPoints": [{"sourceVolume": "v", "containerPath": "/v", "readOnly": True}], "links": ["side"],
            "logConfiguration": {"logDriver": "awslogs", "options": {
                "awslogs-group": "/shown", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "s", "awslogs-create-group": "true"}},
        }, {"name": "side", "image": "busybox:test", "memory": 16, "entryPoint": ["sh", "-c"], "command": ["trap 'exit 0' TERM; while :; do sleep 0.1; done"]}]}
    file = tmp_path_factory.mktemp("cli") / "web.json"
    file.write_text(json.dumps(web))
    own = {"family": "own", "networkMode": "awsvpc", "cpu": "256", "memory": "512", "requiresCompatibilities": ["EC2", "FARGATE"],
           "containerDefinitions": [web["containerDefinitions"][1]]}
    (file.parent / "own.json").write_text(json.dumps(own))
    network = json.dumps(vpc.network(vpc.default_subnet(longshore)["SubnetId"], public=True))
    inside = json.dumps(vpc.network(vpc.default_subnet(longshore)["SubnetId"]))
    found = {}

    def aws(command, *arguments):
        answer = longshore.aws("ecs", command, *arguments)
        found.setdefault(command, []).append(answer)
        return answer

    register = lambda: aws("register-task-definition", "--cli-input-json", f"file://{file}")["taskDefinition"]["taskDefinitionArn"]
    definition = register()
    aws("create-cluster", "--cluster-name", "other", "--tags", "key=k,value=v", "--settings", "name=containerInsights,value=enabled")
    aws("update-cluster-settings", "--cluster", "other", "--settings", "name=containerInsights,value=disabled")
    aws("update-cluster", "--cluster", "other", "--settings", "name=containerInsights,value=enabled", "--service-connect-defaults", "namespace=shown")
    aws("describe-clusters", "--clusters", "other", "nobody", "--include", "TAGS", "SETTINGS", "STATISTICS", "CONFIGURATIONS", "ATTACHMENTS")
    aws("list-clusters")
    instance = aws("list-container-instances")["containerInstanceArns"][0]
    aws("describe-container-instances", "--container-instances", instance, "--include", "TAGS")
    target = ("--attributes", f"name=stack,value=production,targetId={instance}")
    aws("put-attributes", *target)
    aws("list-attributes", "--target-type", "container-instance", "--attribute-name", "stack")
    aws("delete-attributes", *target)
    aws("put-account-setting", "--name", "serviceLongArnFormat", "--value", "enabled")
    aws("put-account-setting-default", "--name", "serviceLongArnFormat", "--value", "enabled")
    aws("list-account-settings", "--effective-settings")
    aws("list-account-settings")
    aws("delete-account-setting", "--name", "serviceLongArnFormat")
    run = aws("run-task", "--task-definition", definition, "--started-by", "me", "--enable-ecs-managed-tags", "--propagate-tags", "TASK_DEFINITION")
    task = run["tasks"][0]["taskArn"]
    longshore.wait(task, "RUNNING")
    aws("start-task", "--task-definition", definition, "--container-instances", instance, "--started-by", "me")
    aws("describe-tasks", "--tasks", task, "--include", "TAGS")
    aws("list-tasks")
    aws("get-task-protection", "--cluster", "default", "--tasks", task)
    aws("update-task-protection", "--cluster", "default", "--tasks", task, "--protection-enabled")
    aws("tag-resource", "--resource-arn", task, "--tags", "key=k,value=v")
    aws("list-tags-for-resource", "--resource-arn", task)
    aws("untag-resource", "--resource-arn", task, "--tag-keys", "k")
    aws("stop-task", "--task", task, "--reason", "enough")
    longshore.wait(task, "STOPPED")
    aws("stop-task", "--task", task)
    # With an interface, on our host and without one to be seen.
    aws("register-task-definition", "--cli-input-json", f"file://{file.parent / 'own.json'}")
    on_host = aws("start-task", "--task-definition", "own", "--container-instances", instance, "--network-configuration", inside)
    fargate = aws("run-task", "--task-definition", "own", "--launch-type", "FARGATE", "--network-configuration", network)
    of_own = [answer["tasks"][0]["taskArn"] for answer in (on_host, fargate)]
    for arn in of_own:
        longshore.wait(arn, "RUNNING")
    aws("describe-tasks", "--tasks", *of_own)
    for arn in of_own:
        aws("stop-task", "--task", arn)
        longshore.wait(arn, "STOPPED")
    aws("describe-task-definition", "--task-definition", definition, "--include", "TAGS")
    aws("list-task-definitions")
    aws("list-task-definition-families")
    aws("update-container-instances-state", "--container-instances", instance, "--status", "DRAINING")
    aws("update-container-instances-state", "--container-instances", instance, "--status", "ACTIVE")
    aws("deregister-task-definition", "--task-definition", definition)
    aws("delete-task-definitions", "--task-definition", definition)
    taken, = eventually(lambda: joined(longshore), "the second host to join")
    gone = aws("deregister-container-instance", "--cluster", "away", "--container-instance", taken, "--force")["containerInstance"]
    assert (gone["containerInstanceArn"], gone["status"]) == (taken, "INACTIVE")
    assert longshore.ecs.list_container_instances(cluster="away")["containerInstanceArns"] == []
    aws("delete-cluster", "--cluster", "other")
    return found


SERVED = sorted(
    path.stem for path in EXAMPLES.glob("*.rst")
    if "Output::" in path.read_text() and not any(word in path.stem for word in (
        "service", "task-set", "capacity-provider", "execute-command", "put-account-settings",
        # Our agent does not update itself: test_operations.py has it.
        "update-container-agent")))


@pytest.mark.parametrize("command", SERVED)
def test_an_answer_has_what_the_examples_show(answers, command):
    ours = {}
    for answer in answers[command]:
        ours |= kinds(answer or {})
    missing, other, shown = {}, {}, list(outputs(command))
    assert shown
    for output in shown:
        for path, kind in kinds(output).items():
            if is_not_here(path):
                continue
            if path not in ours:
                # What holds nothing here shows nothing of its items.
                if not any(path.startswith(f"{empty}[]") for empty, k in ours.items() if k == "list" and f"{empty}[]" not in ours):
                    missing[path] = kind
            elif ours[path] != kind:
                other[path] = (kind, ours[path])
    assert not missing and not other, json.dumps([missing, other])


def test_nothing_is_left_out_that_no_example_shows():
    shown = [path for command in SERVED for output in outputs(command) for path in kinds(output)]
    assert [known for known in NOT_HERE if not any(f".{known}" in f".{path.replace('[]', '')}" for path in shown)] == []
