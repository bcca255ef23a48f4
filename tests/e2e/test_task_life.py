"""The life of a task's containers: their order, their health, their further runs, and why they end."""

import re
import time
from pathlib import Path

import pytest
from harness import eventually
from points import Life
from test_logs import events, options

TRAP = "trap 'exit 0' TERM; while :; do sleep 0.05; done"
# As the public agent writes two containers in a reason.
PAIR = r"\[{on}\(busybox:test\) \({known}->RUNNING\){exit}\] for target \[{target}\(busybox:test\) \(NONE->RUNNING\)\]"


def containers(task: dict) -> dict:
    return {c["name"]: c for c in task["containers"]}


def out(path: Path) -> dict:
    """A volume of the host at /out, for every container of a task."""
    path.chmod(0o777)
    return {"volumes": [{"name": "out", "host": {"sourcePath": str(path)}}]}


def script(name: str, line: str, **more) -> dict:
    return {"name": name, "command": ["sh", "-c", line], "mountPoints": [{"sourceVolume": "out", "containerPath": "/out"}]} | more


def on(name: str, condition: str) -> dict:
    return {"dependsOn": [{"containerName": name, "condition": condition}]}


def uptime(path: Path) -> float:
    return float(path.read_text().split()[0])


# -- dependsOn ------------------------------------------------------------------------------------


@pytest.mark.parametrize("condition, first, code", [
    ("COMPLETE", "sleep 1; echo made > /out/file; exit 4", 4),
    ("SUCCESS", "sleep 1; echo made > /out/file; exit 0", 0),
])
def test_a_container_starts_when_another_has_ended(longshore, tmp_path, condition, first, code):
    task = longshore.run_to_end(
        script("app", "cat /out/file > /out/seen", **on("init", condition)),
        script("init", first, essential=False),
        **out(tmp_path),
    )
    assert (tmp_path / "seen").read_text() == "made\n"
    found = containers(task)
    assert (found["init"]["exitCode"], found["app"]["exitCode"]) == (code, 0)
    assert task["stopCode"] == "EssentialContainerExited"


def test_start_order_and_its_reverse_at_the_stop(longshore, tmp_path):
    line = "cat /proc/uptime > /out/{0}.start; trap 'cat /proc/uptime > /out/{0}.stop; exit 0' TERM; while :; do sleep 0.05; done"
    arn = longshore.start(longshore.register(
        "order",
        script("front", line.format("front"), **on("back", "START")),
        script("back", line.format("back"), **on("base", "START")),
        script("base", line.format("base")),
        **out(tmp_path),
    ))[0]
    longshore.wait(arn, "RUNNING")
    eventually(lambda: len(list(tmp_path.glob("*.start"))) == 3, "all to have started")
    longshore.ecs.stop_task(task=arn)
    task = longshore.wait(arn, "STOPPED")
    assert {c["exitCode"] for c in task["containers"]} == {0}
    started = [uptime(tmp_path / f"{name}.start") for name in ("base", "back", "front")]
    stopped = [uptime(tmp_path / f"{name}.stop") for name in ("front", "back", "base")]
    assert started == sorted(started) and stopped == sorted(stopped)


def test_a_dependency_that_fails_ends_the_task_and_says_so(longshore, tmp_path):
    task = longshore.run_to_end(
        script("app", "touch /out/never", **on("init", "SUCCESS")),
        script("init", "exit 3", essential=False),
        **out(tmp_path),
    )
    found = containers(task)
    pair = PAIR.format(on="init", known="STOPPED", exit=" - Exit: 3", target="app")
    words = f"CannotStartContainerError: dependency graph: failed to resolve container ordering dependency {pair} as dependency did not exit successfully."
    assert re.fullmatch(words, found["app"]["reason"]), found["app"]
    assert (found["app"]["exitCode"], found["init"]["exitCode"]) == (143, 3)
    assert "runtimeId" not in found["app"] and not (tmp_path / "never").exists()
    assert "startedAt" not in task and task["stopCode"] == "EssentialContainerExited"


def test_a_dependency_that_never_starts_ends_who_waits_for_it(longshore, tmp_path):
    task = longshore.run_to_end(
        script("app", "touch /out/never", **on("init", "COMPLETE")),
        script("init", "true", essential=False, image="127.0.0.1:1/none:1"),
        **out(tmp_path),
    )
    found = containers(task)
    assert found["app"]["reason"].endswith("for target [app(busybox:test) (NONE->RUNNING)] because dependency will never start")
    assert found["init"]["reason"].startswith("CannotPull") and "exitCode" not in found["init"]
    assert task["stopCode"] == "TaskFailedToStart" and task["stoppedReason"] == "Task failed to start"


@pytest.mark.parametrize("condition", ["SUCCESS", "HEALTHY"])
def test_a_start_timeout_ends_the_waiting(longshore, tmp_path, condition):
    check = {"command": ["CMD", "false"], "interval": 5, "timeout": 2}
    task = longshore.run_to_end(
        script("app", "touch /out/never", **on("init", condition)),
        script("init", TRAP, essential=False, startTimeout=2, stopTimeout=2, healthCheck=check),
        **out(tmp_path),
    )
    found = containers(task)
    pair = PAIR.format(on="init", known="RUNNING", exit="", target="app")
    words = f"CannotStartContainerError: dependency graph: container ordering dependency {pair} has timed out."
    assert re.fullmatch(words, found["app"]["reason"]), found["app"]
    assert found["app"]["exitCode"] == 143 and found["init"]["exitCode"] == 0


# -- healthCheck ----------------------------------------------------------------------------------


def health(task: dict) -> tuple:
    return task["healthStatus"], {c["name"]: c["healthStatus"] for c in task["containers"]}


def test_health_is_shown_as_it_changes_and_an_unhealthy_task_goes_on(longshore, tmp_path):
    """The check sees the container's environment, user and files, and counts failures as Docker does."""
    check = {"command": ["CMD-SHELL", "id -u > /out/user; [ \"$WORD\" = yes ] && [ -e /out/fine ]"],
             "interval": 5, "timeout": 2, "retries": 1}
    arn = longshore.start(longshore.register(
        "health",
        script("app", TRAP, user="app", environment=[{"name": "WORD", "value": "yes"}], healthCheck=check),
        script("side", TRAP, essential=False, healthCheck={"command": ["CMD", "sleep", "60"], "interval": 5, "timeout": 2, "retries": 1}),
        **out(tmp_path),
    ))[0]
    (tmp_path / "fine").touch()
    task = longshore.wait(arn, "RUNNING")
    assert health(task) == ("UNKNOWN", {"app": "UNKNOWN", "side": "UNKNOWN"})
    # Side's check exceeds its timeout; it is not essential, so the task is healthy without it.
    eventually(lambda: health(longshore.describe(arn)) == ("HEALTHY", {"app": "HEALTHY", "side": "UNHEALTHY"}), "the checks", 20)
    assert (tmp_path / "user").read_text() == "1000\n"
    (tmp_path / "fine").unlink()
    eventually(lambda: health(longshore.describe(arn))[0] == "UNHEALTHY", "the app to be unhealthy", 20)
    task = longshore.describe(arn)
    assert (task["lastStatus"], task["desiredStatus"]) == ("RUNNING", "RUNNING")
    longshore.ecs.stop_task(task=arn)
    assert longshore.wait(arn, "STOPPED")["stopCode"] == "UserInitiated"


def test_a_container_waits_for_anothers_health_and_a_killed_agent_knows_it(fresh, tmp_path):
    arn = fresh.start(fresh.register(
        "healthy",
        script("app", f"cat /out/fine > /out/seen; {TRAP}", **on("base", "HEALTHY")),
        script("base", TRAP, healthCheck={"command": ["CMD", "test", "-e", "/out/fine"], "interval": 5, "timeout": 2, "startPeriod": 60}),
        **out(tmp_path),
    ))[0]
    base = lambda: containers(fresh.describe(arn))["base"]["lastStatus"] == "RUNNING"
    eventually(base, "the base to run")
    fresh.kill("agent")
    (tmp_path / "fine").write_text("yes\n")
    fresh.wait(arn, "RUNNING")
    eventually(lambda: (tmp_path / "seen").exists(), "the app to run")
    # The public agent tells health beside the task's status: it may come a moment later.
    known = ("UNKNOWN", {"base": "HEALTHY", "app": "UNKNOWN"})
    eventually(lambda: health(fresh.describe(arn)) == known, "the base's health to be known")
    fresh.kill("server")
    eventually(fresh.ready, "the server to be back")
    assert health(fresh.describe(arn))[1]["base"] == "HEALTHY"


# -- restartPolicy --------------------------------------------------------------------------------

PERIOD_S = 60  # The shortest that AWS takes: each of these runs lasts longer.
RUNS = "echo run >> /out/runs; n=$(wc -l < /out/runs); cat /kept 2>/dev/null; echo kept$n >> /kept; echo line $n; printf 'unended'; "


def runs(path: Path) -> int:
    return len((path / "runs").read_text().splitlines()) if (path / "runs").exists() else 0


def restarting(name: str, line: str, **more) -> dict:
    policy = {"enabled": True, "restartAttemptPeriod": PERIOD_S, "ignoredExitCodes": [7]}
    return script(name, RUNS + line, restartPolicy=policy, **more)


def test_further_runs_keep_task_files_network_and_log_stream_whoever_is_killed(fresh, tmp_path):
    """All at once, since each run has to last a minute."""
    fresh.logs.create_log_group(logGroupName="/r")
    log = {"logConfiguration": options("/r", mode="blocking")}
    lasts = f"sleep {PERIOD_S + 1}; exit 3"
    again = f"[ $n -gt 1 ] || {{ {lasts}; }}; {TRAP}"

    def start(name: str, line: str):
        path = tmp_path / name
        path.mkdir()
        container = restarting("app", line, portMappings=[{"containerPort": 80}], **log)
        arn = fresh.start(fresh.register(name, container, networkMode="bridge", **out(path)))[0]
        return Life(fresh, arn), path

    follows, ignored, early = start("follows", again), start("ignored", f"sleep {PERIOD_S + 1}; exit 7"), start("early", "exit 3")
    before = fresh.wait(follows[0].arn, "RUNNING")

    # Too early, and an ignored code: the container's end is the task's.
    task = fresh.wait(early[0].arn, "STOPPED")
    assert (task["containers"][0]["exitCode"], runs(early[1])) == (3, 1)

    # The agent is away when the run ends, and killed again between its end and the next start.
    time.sleep(PERIOD_S - 10)
    fresh.kill("agent")
    eventually(fresh.ready, "the agent to be back")
    state = lambda: next(iter(follows[0]._state().get("containers", [{}])), {})
    deadline = time.monotonic() + 60
    while not (isinstance(state().get("run"), dict) and "Restarting" in state()["run"]) and not state().get("restarts"):
        assert time.monotonic() < deadline, state()
    fresh.kill("agent")
    eventually(lambda: runs(follows[1]) == 2, "the second run", 60)
    eventually(fresh.ready, "the agent to be back")

    after = fresh.describe(follows[0].arn)
    assert after["lastStatus"] == "RUNNING" and "stopCode" not in after
    kept = ("runtimeId", "networkBindings", "lastStatus", "containerArn")
    assert [after["containers"][0][key] for key in kept] == [before["containers"][0][key] for key in kept]
    assert "exitCode" not in after["containers"][0]
    written = ["line 1", "unended", "kept1", "line 2"]
    messages = lambda: [e["message"] for e in events(fresh, "/r", f"web/app/{follows[0].id}")]
    eventually(lambda: messages() == written, "both runs' lines in one stream")

    task = fresh.wait(ignored[0].arn, "STOPPED", 60)
    assert (task["containers"][0]["exitCode"], runs(ignored[1])) == (7, 1)

    fresh.ecs.stop_task(task=follows[0].arn)
    task = fresh.wait(follows[0].arn, "STOPPED")
    assert (task["containers"][0]["exitCode"], task["stopCode"], runs(follows[1])) == (0, "UserInitiated", 2)
