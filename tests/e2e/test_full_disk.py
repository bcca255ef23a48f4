"""A data directory on a disk that runs full: what is being pulled stops with AWS's reason, all else goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Iterator

import images
import leaks
import pytest
from botocore.exceptions import ClientError
from harness import Longshore, eventually
from registries import DockerRegistry

DISK_MIB = 256
MIB = 1 << 20
STAY = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"]


class Filler:
    """A file that takes all of a disk but for so much."""

    def __init__(self, disk: Path):
        self.disk, self.path = disk, disk / "filler"

    def free(self) -> int:
        state = os.statvfs(self.disk)
        return state.f_bavail * state.f_frsize

    def leave(self, size: int) -> None:
        with self.path.open("ab") as file:
            while (excess := self.free() - size) > 0:
                try:
                    os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), excess)
                except OSError:  # somebody else was quicker
                    continue

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    """Images that are too much for what will be left of the disk: to keep as they come, and unpacked."""
    place = tmp_path_factory.mktemp("registry")
    server = DockerRegistry(place)
    for name, content in {"as-it-comes": os.urandom(48 * MIB), "unpacked": bytes(96 * MIB)}.items():
        layers = [images.busybox_layer(), images.layer({"big": (content, 0o644)})]
        server.push(images.save(place / f"{name}.tar", f"{name}:1", layers), f"{name}:1")
    yield server
    server.close()


@pytest.fixture
def small(busybox: Path) -> Iterator[Longshore]:
    """A Longshore of one test's own whose data directory is a small disk."""
    directory = Path(tempfile.mkdtemp(prefix="ls-full-"))
    longshore = Longshore(directory)
    longshore.data.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "ls-full", str(longshore.data)], check=True)
    try:
        longshore.up().load_image(busybox)
        yield longshore
    finally:
        Filler(longshore.data).remove()
        longshore.down()
        subprocess.run(["umount", str(longshore.data)], check=True)
        left = leaks.present(longshore.data)
        shutil.rmtree(directory, ignore_errors=True)
        assert not left, left


@pytest.mark.parametrize("image", ["as-it-comes", "unpacked"])
def test_a_pull_that_fills_the_disk_stops_its_task_alone(small, registry, image):
    stays = small.start(small.register("stays", {"name": "app", "command": STAY}))[0]
    small.wait(stays, "RUNNING")
    disk = Filler(small.data)
    disk.leave(32 * MIB)
    pulls = small.register("pulls", {"name": "app", "image": f"{registry.host}/{image}:1", "command": ["sh", "-c", "wc -c </big"]})
    task = small.wait(small.start(pulls)[0], "STOPPED")
    assert task["stopCode"] == "TaskFailedToStart", task
    reason = task["containers"][0]["reason"]
    assert reason.startswith("CannotPullContainerError: ") and reason.endswith("no space left on device"), reason
    assert "exitCode" not in task["containers"][0]
    # What the pull took is free again: reads, writes and tasks of images that are here go on.
    assert small.describe(stays)["lastStatus"] == "RUNNING"
    assert small.run_to_end({"name": "app", "command": ["true"]})["containers"][0]["exitCode"] == 0
    disk.remove()
    task = small.wait(small.start(pulls)[0], "STOPPED")
    assert task["containers"][0].get("exitCode") == 0, task
    small.ecs.stop_task(task=stays)
    small.wait(stays, "STOPPED")


def made(longshore: Longshore, cluster: str) -> bool:
    """Whether a cluster could be kept; where not, the server says so by 503 and nothing else."""
    try:
        longshore.ecs.create_cluster(clusterName=cluster, tags=[{"key": "k", "value": "v" * 250}])
        return True
    except ClientError as error:
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 503, error
        return False


def test_a_disk_without_any_room_stops_nothing_that_runs_and_is_got_over(small):
    stays = small.start(small.register("stays", {"name": "app", "command": STAY}))[0]
    small.wait(stays, "RUNNING")
    disk = Filler(small.data)
    pids = {role: small.pid(role) for role in ("server", "agent")}
    disk.leave(0)
    kept = 0
    for number in range(50):
        kept += made(small, f"full-{number}")
        assert small.describe(stays)["lastStatus"] == "RUNNING"
    # What was refused was not done, and the log of it took no process down.
    assert kept < 50 and len(small.ecs.list_clusters()["clusterArns"]) == kept + 1
    assert {role: small.pid(role) for role in pids} == pids
    disk.remove()
    # The store is opened again after a pause of its own.
    eventually(lambda: made(small, "after"), "room for a cluster")
    assert small.run_to_end({"name": "app", "command": ["true"]})["containers"][0]["exitCode"] == 0
    assert small.describe(stays)["lastStatus"] == "RUNNING"
    small.ecs.stop_task(task=stays)
    small.wait(stays, "STOPPED")
