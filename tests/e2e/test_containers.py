"""What a container sees of its definition, looked at from inside, and how it ends."""

import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

SERVE = "while :; do printf 'HTTP/1.0 200 OK\\r\\n\\r\\nhello from %s\\n' \"$HOSTNAME\" | nc -l -p 80 >/dev/null; done"
TRAP = "trap 'exit 0' TERM; while :; do sleep 0.05; done"


def output(longshore, *containers, **members):
    """Runs a task to its end; what its first container wrote to a volume of the host."""
    return longshore.run_to_end(*containers, **members)


# What a first process of a namespace does not handle is not even delivered to it, its own signals included.
@pytest.mark.parametrize("command, code, linux", [
    (["true"], 0, {}),
    (["sh", "-c", "exit 3"], 3, {}),
    (["sh", "-c", "kill -SEGV $$; exit 5"], 5, {}),
    (["sh", "-c", "sh -c 'kill -SEGV $$'; exit $?"], 139, {}),
    (["sh", "-c", "sh -c 'kill -TERM $$'; exit $?"], 143, {}),
    (["sh", "-c", "sh -c 'kill -9 $$'; exit $?"], 137, {}),
    # Under an init process the program is not the first: the signal itself ends it.
    (["sh", "-c", "kill -SEGV $$; exit 5"], 139, {"initProcessEnabled": True}),
    (["sh", "-c", "kill -TERM $$; exit 5"], 143, {"initProcessEnabled": True}),
])
def test_exit_codes_are_exact(longshore, command, code, linux):
    task = longshore.run_to_end({"name": "app", "command": command, "linuxParameters": linux})
    assert task["containers"][0]["exitCode"] == code
    assert task["stopCode"] == "EssentialContainerExited"
    assert task["stoppedReason"] == "Essential container in task exited"
    assert task["startedAt"] <= task["stoppedAt"]


def test_a_program_that_does_not_handle_term_ends_by_it_at_a_stop(longshore):
    arn = longshore.start(longshore.register(
        "untrapped", {"name": "app", "command": ["sleep", "600"], "stopTimeout": 120, "linuxParameters": {"initProcessEnabled": True}}))[0]
    longshore.wait(arn, "RUNNING")
    longshore.ecs.stop_task(task=arn)
    task = longshore.wait(arn, "STOPPED")
    assert (task["containers"][0]["exitCode"], task["stopCode"]) == (143, "UserInitiated")


def test_environment_user_directory_and_arguments(longshore, tmp_path):
    tmp_path.chmod(0o777)
    longshore.run_to_end(
        {
            "name": "app",
            "entryPoint": ["sh", "-c"],
            "command": ["{ echo \"$GREETING\"; id -u; id -g; id -G; pwd; hostname; echo \"$AWS_EXECUTION_ENV\"; } > /out/result"],
            "environment": [{"name": "GREETING", "value": "héllo = 'world'"}],
            "user": "app",
            "workingDirectory": "/srv/dir",
            "mountPoints": [{"sourceVolume": "out", "containerPath": "/out"}],
        },
        networkMode="none",
        volumes=[{"name": "out", "host": {"sourcePath": str(tmp_path)}}],
    )
    lines = (tmp_path / "result").read_text().splitlines()
    assert lines[:3] == ["héllo = 'world'", "1000", "1000"]
    assert sorted(lines[3].split()) == ["1000", "2000"]
    assert lines[4] == "/srv/dir"
    assert len(lines[5]) == 12
    assert lines[6] == "AWS_ECS_EC2"


def test_confinement_is_that_of_docker(longshore, tmp_path):
    longshore.run_to_end(
        {
            "name": "app",
            "command": ["sh", "-c", "grep -E 'Cap(Eff|Bnd|Prm)|Seccomp:|NoNewPrivs' /proc/self/status > /out/status;"
                        " ls -A /proc/acpi /sys/firmware > /out/masked 2>&1; (echo 1 > /proc/sys/kernel/panic) 2> /out/readonly;"
                        " ls /dev > /out/dev; mount -t tmpfs x /tmp 2> /out/mount; cat /proc/1/comm > /out/pid1"],
            "mountPoints": [{"sourceVolume": "out", "containerPath": "/out"}],
        },
        volumes=[{"name": "out", "host": {"sourcePath": str(tmp_path)}}],
    )
    status = dict(line.split(":\t") for line in (tmp_path / "status").read_text().splitlines())
    assert status["CapEff"] == status["CapBnd"] == status["CapPrm"] == "00000000a80425fb"
    assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "0"
    assert "Read-only file system" in (tmp_path / "readonly").read_text()
    assert {"null", "zero", "full", "random", "urandom", "tty", "pts", "shm"} <= set((tmp_path / "dev").read_text().split())
    assert "sda" not in (tmp_path / "dev").read_text()
    assert "Operation not permitted" in (tmp_path / "mount").read_text() or "permission denied" in (tmp_path / "mount").read_text()
    assert (tmp_path / "pid1").read_text().strip() in ("sh", "busybox", "cat")


def test_limits_are_those_asked_for_and_oom_has_its_reason(longshore, tmp_path):
    task = longshore.run_to_end(
        {"name": "app", "memory": 32, "command": ["sh", "-c", "dd if=/dev/zero of=/dev/shm/x bs=1M count=60; tail /dev/zero"]},
    )
    container = task["containers"][0]
    assert container["exitCode"] == 137, container
    assert container["reason"] == "OutOfMemoryError: Container killed due to memory usage"
    assert task["stopCode"] == "EssentialContainerExited"


def test_read_only_root_and_task_volumes_shared_by_containers(longshore, tmp_path):
    mounts = [{"sourceVolume": "shared", "containerPath": "/shared"}]
    task = longshore.run_to_end(
        {"name": "writer", "essential": False, "mountPoints": mounts, "command": ["sh", "-c", "echo data > /shared/file; sleep 5"]},
        {"name": "reader", "readonlyRootFilesystem": True,
         "mountPoints": [{"sourceVolume": "shared", "containerPath": "/shared", "readOnly": True},
                         {"sourceVolume": "out", "containerPath": "/out"}],
         "command": ["sh", "-c", "while ! [ -s /shared/file ]; do usleep 10000; done; cat /shared/file > /out/read;"
                     " touch /x 2> /out/root; touch /shared/y 2> /out/volume; exit 0"]},
        volumes=[{"name": "shared"}, {"name": "out", "host": {"sourcePath": str(tmp_path)}}],
    )
    assert (tmp_path / "read").read_text() == "data\n"
    assert "Read-only" in (tmp_path / "root").read_text()
    assert "Read-only" in (tmp_path / "volume").read_text()
    assert {c["name"]: c["exitCode"] for c in task["containers"]}["reader"] == 0


def test_a_non_essential_exit_leaves_the_task_running(longshore):
    arn = longshore.start(longshore.register(
        "pair",
        {"name": "main", "command": ["sh", "-c", TRAP]},
        {"name": "side", "essential": False, "command": ["sh", "-c", "exit 4"]},
    ))[0]
    longshore.wait(arn, "RUNNING")

    def side_stopped():
        containers = {c["name"]: c for c in longshore.describe(arn)["containers"]}
        return containers["side"] if containers["side"]["lastStatus"] == "STOPPED" else None

    from harness import eventually
    assert eventually(side_stopped, "the side container to be STOPPED")["exitCode"] == 4
    assert longshore.describe(arn)["lastStatus"] == "RUNNING"
    longshore.ecs.stop_task(task=arn, reason="enough")
    task = longshore.wait(arn, "STOPPED")
    assert task["stoppedReason"] == "enough" and task["stopCode"] == "UserInitiated"


def test_sigkill_follows_when_the_stop_timeout_is_over(longshore):
    arn = longshore.start(longshore.register(
        "stubborn", {"name": "app", "stopTimeout": 2, "command": ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"]}))[0]
    longshore.wait(arn, "RUNNING")
    longshore.ecs.stop_task(task=arn)
    task = longshore.wait(arn, "STOPPED")
    assert task["containers"][0]["exitCode"] == 137
    lasted = (task["stoppedAt"] - task["stoppingAt"]).total_seconds()
    assert 1.9 <= lasted


@pytest.mark.parametrize("container, reason", [
    ({"image": "nowhere.invalid/none:1"}, "CannotPull"),
    ({"image": "127.0.0.1:1/none:1"}, "CannotPull"),
    ({"command": ["/no/such/program"]}, "CannotStartContainerError"),
    ({"command": ["no-such-program"]}, "CannotStartContainerError"),
])
def test_a_task_that_cannot_start_says_why(longshore, container, reason):
    task = longshore.run_to_end({"name": "app"} | container)
    assert task["stopCode"] == "TaskFailedToStart"
    found = task["containers"][0]
    assert found["reason"].startswith(reason), found
    assert "exitCode" not in found
    assert "startedAt" not in task


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def binding(task: dict, container: str = "app") -> int:
    found = next(c for c in task["containers"] if c["name"] == container)
    return found["networkBindings"][0]["hostPort"]


def test_bridge_ports_answer_on_loopback_and_are_freed(longshore):
    definition = longshore.register(
        "bridged",
        {"name": "app", "image": "longshore/hello", "memory": 32, "portMappings": [{"containerPort": 80}]},
        networkMode="bridge",
    )
    arns = longshore.start(definition, count=3)
    tasks = [longshore.wait(arn, "RUNNING") for arn in arns]
    ports = {binding(task) for task in tasks}
    assert len(ports) == 3
    for task in tasks:
        found = task["containers"][0]["networkBindings"][0]
        assert found["bindIP"] == "0.0.0.0" and found["containerPort"] == 80 and found["protocol"] == "tcp"
        from harness import eventually
        assert eventually(lambda: fetch(f"http://127.0.0.1:{found['hostPort']}/healthz"), "an answer")
    for arn in arns:
        longshore.ecs.stop_task(task=arn)
    for arn in arns:
        longshore.wait(arn, "STOPPED")
    for port in ports:
        with pytest.raises(OSError):
            fetch(f"http://127.0.0.1:{port}/healthz")


def test_a_static_port_is_taken_once(longshore):
    from harness import eventually, free_port
    port = free_port()
    definition = longshore.register(
        "static",
        {"name": "app", "image": "longshore/hello", "memory": 32, "portMappings": [{"containerPort": 80, "hostPort": port}]},
        networkMode="bridge",
    )
    arn = longshore.start(definition)[0]
    longshore.wait(arn, "RUNNING")
    assert eventually(lambda: fetch(f"http://127.0.0.1:{port}/healthz"), "an answer")
    refused = longshore.ecs.run_task(taskDefinition=definition)
    assert refused["tasks"] == []
    assert [f["reason"] for f in refused["failures"]] == ["RESOURCE:PORTS"]
    longshore.ecs.stop_task(task=arn)
    longshore.wait(arn, "STOPPED")
    again = longshore.start(definition)[0]
    longshore.wait(again, "RUNNING")
    longshore.ecs.stop_task(task=again)
    longshore.wait(again, "STOPPED")


def test_none_has_loopback_only(longshore, tmp_path):
    longshore.run_to_end(
        {"name": "app", "command": ["sh", "-c", "ip -o link > /out/links; ip route > /out/routes"],
         "mountPoints": [{"sourceVolume": "out", "containerPath": "/out"}]},
        networkMode="none", volumes=[{"name": "out", "host": {"sourcePath": str(tmp_path)}}],
    )
    # Kernels with tunnel modules built in show their fallback devices too, which are down.
    links = [line.split(": ")[1:3] for line in (tmp_path / "links").read_text().splitlines()]
    assert [name for name, flags in links if "UP" in flags.partition(">")[0].strip("<").split(",")] == ["lo"], links
    assert (tmp_path / "routes").read_text() == ""


def test_what_is_not_built_yet_is_refused_by_name_and_nothing_starts(longshore):
    from botocore.exceptions import ClientError
    for container, field in [
        ({"secrets": [{"name": "S", "valueFrom": "arn:aws:ssm:us-east-1:000000000000:parameter/x"}]}, "secrets"),
        ({"firelensConfiguration": {"type": "fluentbit"}}, "firelensConfiguration"),
    ]:
        extra = {"executionRoleArn": "arn:aws:iam::000000000000:role/exec"} if "secrets" in container else {}
        definition = longshore.register("later", {"name": "app", "command": ["true"]} | container, **extra)
        with pytest.raises(ClientError) as refused:
            longshore.ecs.run_task(taskDefinition=definition)
        assert refused.value.response["Error"]["Code"] == "ClientException"
        assert refused.value.response["Error"]["Message"] == f"Longshore does not yet support {field} (container app)"


def test_a_hundred_tasks_at_once(longshore):
    definition = longshore.register("crowd", {"name": "app", "memory": 8, "command": ["sh", "-c", TRAP]}, networkMode="bridge")
    with ThreadPoolExecutor(8) as pool:
        arns = [arn for started in pool.map(lambda _: longshore.start(definition, count=10), range(10)) for arn in started]
    assert len(set(arns)) == 100
    from harness import eventually

    def states(wanted):
        found = longshore.ecs.describe_tasks(tasks=arns)["tasks"]
        return [t["lastStatus"] for t in found] == [wanted] * 100

    eventually(lambda: states("RUNNING"), "a hundred tasks to run", 60)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda arn: longshore.ecs.stop_task(task=arn), arns))
    eventually(lambda: states("STOPPED"), "a hundred tasks to stop", 90)
    instance = longshore.ecs.list_container_instances()["containerInstanceArns"]
    described = longshore.ecs.describe_container_instances(containerInstances=instance)["containerInstances"][0]
    value = {r["name"]: r for r in described["remainingResources"]}
    total = {r["name"]: r for r in described["registeredResources"]}
    assert value["MEMORY"]["integerValue"] == total["MEMORY"]["integerValue"]
