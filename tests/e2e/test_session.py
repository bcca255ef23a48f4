"""The sessions of the README, typed as a person would."""

import json
import os
import pty
import re
import select
import subprocess
import urllib.request

from harness import AWS_V1, BINARY, ROOT, SLOWNESS, eventually


def test_the_session_of_the_readme(longshore, tmp_path):
    web = tmp_path / "web.json"
    log = {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/web", "awslogs-region": "us-east-1",
                                               "awslogs-stream-prefix": "web", "awslogs-create-group": "true"}}
    web.write_text(json.dumps({
        "family": "web",
        "networkMode": "bridge",
        "containerDefinitions": [
            {"name": "app", "image": "longshore/hello", "memory": 64, "portMappings": [{"containerPort": 80}],
             "environment": [{"name": "COLOUR", "value": "blue"}], "logConfiguration": log},
            {"name": "side", "image": "busybox:test", "memory": 16, "essential": False,
             "command": ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"], "logConfiguration": log},
        ],
    }))
    longshore.aws("ecs", "register-task-definition", "--cli-input-json", f"file://{web}")
    ran = longshore.aws("ecs", "run-task", "--cluster", "default", "--task-definition", "web", "--count", "3")
    arns = [task["taskArn"] for task in ran["tasks"]]
    assert len(arns) == 3 and ran["failures"] == []
    longshore.aws("ecs", "wait", "tasks-running", "--cluster", "default", "--tasks", *arns)
    for arn in arns:
        task = longshore.aws("ecs", "describe-tasks", "--tasks", arn)["tasks"][0]
        container = next(c for c in task["containers"] if c["name"] == "app")
        port = container["networkBindings"][0]["hostPort"]

        def page():
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                return answer.read().decode()

        assert container["runtimeId"][:12] in eventually(page, "the page")
    stream = f"web/app/{arns[0].rsplit('/', 1)[1]}"

    def lines():
        answer = longshore.aws("logs", "get-log-events", "--log-group-name", "/ecs/web", "--log-stream-name", stream)
        return [e["message"] for e in answer["events"]]

    assert eventually(lambda: any("GET /" in line for line in lines()), "the request's line in the log")
    shown = longshore.run("ps").stdout
    assert all(arn.rsplit("/", 1)[1][:12] in shown for arn in arns)
    assert "GET /" in longshore.run("logs", arns[0].rsplit("/", 1)[1], "app").stdout
    for arn in arns:
        stopped = longshore.aws("ecs", "stop-task", "--task", arn, "--reason", "end of session")["task"]
        assert stopped["stopCode"] == "UserInitiated"
    for arn in arns:
        task = longshore.wait(arn, "STOPPED")
        assert task["stoppedReason"] == "end of session"
        assert {c["name"]: c["exitCode"] for c in task["containers"]} == {"app": 0, "side": 0}
    record = longshore.run("state", "get", "ecs.tasks").stdout
    assert arns[0].rsplit("/", 1)[1] in record


def block(title):
    """The lines of the shell under a title of the README."""
    text = (ROOT / "README.md").read_text().split(f"\n## {title}\n")[1]
    return re.search(r"```sh\n(.*?)```", text, re.S)[1].splitlines()


class Shell:
    """A shell in a terminal, as a person has it: what is typed goes in, what it shows is kept."""

    def __init__(self, longshore, directory):
        commands = directory / "bin"
        commands.mkdir()
        for name, program in (("aws", AWS_V1), ("longshore", BINARY)):
            (commands / name).symlink_to(program)
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "LONGSHORE_"))}
        environment |= {"PATH": f"{commands}:{os.environ['PATH']}", "LONGSHORE_DATA": str(longshore.data), "AWS_PAGER": "",
                        "TERM": "xterm", "PS1": "", "PS2": "", "HOME": str(directory)}
        self.us, them = pty.openpty()
        self.child = subprocess.Popen(["bash", "--norc", "--noprofile", "--noediting"], stdin=them, stdout=them, stderr=them, cwd=directory,
                                      env=environment, start_new_session=True)
        os.close(them)
        self.type("stty -echo")

    def read(self):
        """What was shown meanwhile; nothing where nothing was."""
        return os.read(self.us, 65536).decode(errors="replace") if select.select([self.us], [], [], 0.1)[0] else ""

    def until(self, mark, patience_s=60):
        shown = ""

        def found():
            nonlocal shown
            shown += self.read()
            return mark in shown

        try:
            eventually(found, f"{mark!r}", patience_s)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{shown}") from None
        return shown

    def type(self, *lines, patience_s=60):
        """Types the lines of one command; its output, once it has ended well."""
        text = "".join(f"{line}\n" for line in lines)
        # In two parts, so that the echo of what is typed is not taken for the answer.
        os.write(self.us, f"{text}printf 'end%s:%s\\n' ed $?\n".encode())
        shown = self.until("ended:", patience_s)
        while not re.search(r"ended:\d+\r\n", shown):
            shown += self.read()
        assert shown.endswith("ended:0\r\n"), (lines, shown)
        return shown.removesuffix("ended:0\r\n").replace("\r\n", "\n")

    def close(self):
        self.child.kill()
        self.child.wait()
        os.close(self.us)


def test_the_service_of_the_readme_in_ten_lines(longshore, tmp_path):
    definition = block("A first task in ten lines")
    [last] = [at for at, line in enumerate(definition) if line.startswith("aws ecs register-task-definition ")]
    lines = block("A service in ten lines")
    assert len(lines) == 10
    service = lambda: longshore.ecs.describe_services(services=["web"])["services"][0]
    running = lambda: {task["taskDefinitionArn"].rsplit("/", 1)[1] for task in longshore.ecs.describe_tasks(
        tasks=longshore.ecs.list_tasks(serviceName="web")["taskArns"])["tasks"]}
    shell = Shell(longshore, tmp_path)
    try:
        shell.type(*definition[:last])
        revision = json.loads(shell.type(definition[last]))["taskDefinition"]["revision"]
        created, waited, events, registered, updated, top, scaled, listed, why, deleted = lines
        assert json.loads(shell.type(created))["service"]["desiredCount"] == 3
        shell.type(waited, patience_s=300)
        assert service()["runningCount"] == 3
        is_steady = "(service web) has reached a steady state."
        eventually(lambda: is_steady in json.loads(shell.type(events)), "the steady state among the events")
        newer = json.loads(shell.type(registered))["taskDefinition"]
        assert newer["revision"] == revision + 1 and newer["containerDefinitions"][0]["memory"] == 96
        assert json.loads(shell.type(updated))["service"]["taskDefinition"] == newer["taskDefinitionArn"]

        # A person looks until the roll-out is over, and quits; the shell is as it was.
        os.write(shell.us, f"{top}\n".encode())
        eventually(lambda: shell.read() is not None and service()["deployments"][0]["rolloutState"] == "COMPLETED", "the roll-out", 60)
        assert running() == {f"web:{revision + 1}"}
        os.write(shell.us, b"q")
        shell.until("\x1b[?1049l")
        shell.type("true")

        assert json.loads(shell.type(scaled))["service"]["desiredCount"] == 5
        eventually(lambda: service()["runningCount"] == 5, "five tasks")
        deployments = json.loads(shell.type(listed))["serviceDeployments"]
        assert [one["status"] for one in deployments] == ["SUCCESSFUL", "SUCCESSFUL"]
        told = shell.type(why)
        assert re.search(r"^event +\S+ \(service web\) has started 2 tasks: ", told, re.M), told
        assert json.loads(shell.type(deleted))["service"]["status"] == "DRAINING"
        eventually(lambda: service()["status"] == "INACTIVE" and not longshore.ecs.list_tasks(serviceName="web")["taskArns"], "it to be gone")
    finally:
        shell.close()


def test_the_fargate_service_of_the_readme_answers_at_both_its_public_addresses(longshore):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= longshore.environment() | {"AWS_PAGER": "", "PATH": f"{AWS_V1.parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-e", "-u", "-o", "pipefail", "-c", "\n".join(block("A Fargate service in a VPC"))],
        capture_output=True, text=True, env=environment, timeout=600 * SLOWNESS)
    assert done.returncode == 0, f"{done.stderr}\n{longshore.tail()}"
    ec2 = longshore.client("ec2")
    interfaces = ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert len(interfaces) == 2
    hosts = set()
    for interface in interfaces:
        address = interface["Association"]["PublicIp"]
        page = subprocess.run(["curl", "-sS", "-m", "5", f"http://{address}/"], capture_output=True, text=True).stdout
        # It has the address in it, as the request's own; the README's lines got the same.
        assert page.startswith("Hello from Longshore!") and address in page and page in done.stdout
        hosts.update(re.findall("^host: (.+)$", page, re.MULTILINE))
    assert len(hosts) == 2, "each answers for itself"
    longshore.ecs.delete_service(service="fargate-service", force=True)
    eventually(lambda: not ec2.describe_network_interfaces()["NetworkInterfaces"], "the interfaces to be gone")
