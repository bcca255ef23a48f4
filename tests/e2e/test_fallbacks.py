"""Kernel calls that an older kernel lacks, taken away one by one: a task runs all the same."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import leaks
import pytest
from harness import Longshore, eventually

UNKNOWN = "exit status unknown (shim lost)"
TRAP = "trap 'exit 5' TERM; echo up >/out/up; while :; do sleep 0.05; done"


@pytest.fixture
def lacking(busybox, request):
    """A Longshore whose agent does without what the test's parameter names."""
    directory = Path(tempfile.mkdtemp(prefix="ls-e2e-"))
    instance = Longshore(directory)
    instance.data.mkdir()
    (instance.data / "longshore.toml").write_text(f"[agent]\nwithout = {json.dumps(request.param)}\n")
    try:
        instance.up().load_image(busybox)
        yield instance
    finally:
        instance.down()
        left = leaks.present(instance.data)
        shutil.rmtree(directory, ignore_errors=True)
        assert not left, f"left behind after `longshore down`: {left}"


@pytest.mark.parametrize("lacking", [["lowerdir-plus"], ["layer-fd"], ["lowerdir-plus", "layer-fd", "pidfd-info-exit"]],
                         indirect=True, ids="+".join)
def test_a_task_runs_without_the_call(lacking, tmp_path):
    task = lacking.run_to_end(
        {"name": "app", "command": ["sh", "-c", "echo new > /made && cat /made > /out/made; exit 6"],
         "mountPoints": [{"sourceVolume": "out", "containerPath": "/out"}]},
        networkMode="bridge", volumes=[{"name": "out", "host": {"sourcePath": str(tmp_path)}}],
    )
    assert task["containers"][0]["exitCode"] == 6, task
    assert (tmp_path / "made").read_text() == "new\n"


def lose_the_shim(longshore, tmp_path):
    """A running task whose shim is killed, then stopped; as it is described at its end."""
    arn = longshore.start(longshore.register(
        "lost",
        {"name": "app", "command": ["sh", "-c", TRAP], "mountPoints": [{"sourceVolume": "out", "containerPath": "/out"}]},
        volumes=[{"name": "out", "host": {"sourcePath": str(tmp_path)}}],
    ))[0]
    longshore.wait(arn, "RUNNING")
    eventually((tmp_path / "up").exists, "the program to have set its trap")
    states = [json.loads(path.read_text()) for path in longshore.data.rglob("state.json")]
    shims = [state["shim_pid"] for state in states if "shim_pid" in state]
    assert len(shims) == 1, states
    os.kill(shims[0], signal.SIGKILL)
    assert longshore.describe(arn)["lastStatus"] == "RUNNING"
    longshore.ecs.stop_task(task=arn)
    return longshore.wait(arn, "STOPPED")


@pytest.mark.parametrize("lacking", [["pidfd-info-exit"]], indirect=True, ids="+".join)
def test_a_lost_shim_without_exit_information_gives_stopped_with_a_reason_and_no_code(lacking, tmp_path):
    container = lose_the_shim(lacking, tmp_path)["containers"][0]
    assert container["lastStatus"] == "STOPPED"
    assert "exitCode" not in container
    assert container["reason"] == UNKNOWN


def test_a_lost_shim_still_gives_the_exact_exit_code(fresh, tmp_path):
    container = lose_the_shim(fresh, tmp_path)["containers"][0]
    release = tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])
    # Linux 6.15 is the first that tells it to others than the parent.
    expected = (5, None) if release >= (6, 15) else (None, UNKNOWN)
    assert (container.get("exitCode"), container.get("reason")) == expected, container


def test_an_unknown_name_is_refused(tmp_path):
    longshore = Longshore(tmp_path)
    longshore.data.mkdir()
    (longshore.data / "longshore.toml").write_text('[agent]\nwithout = ["flying"]\n')
    refused = subprocess.run(longshore.command("agent"), capture_output=True, text=True, timeout=60)
    assert refused.returncode != 0
    assert "longshore.toml" in refused.stderr and "flying" in refused.stderr and "lowerdir-plus" in refused.stderr
