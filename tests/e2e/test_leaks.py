"""The look for what is left behind sees each kind of it, and nothing of others."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import leaks
import pytest
from harness import eventually

SLEEP = [sys.executable, "-c", "import signal; signal.pause()"]


def run(*command):
    subprocess.run(command, check=True, capture_output=True, text=True)


@contextmanager
def made(make, undo):
    run(*make)
    try:
        yield
    finally:
        run(*undo)


@contextmanager
def process(*more, **options):
    child = subprocess.Popen([*SLEEP, *more], **options)
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def link(data):
    name = f"v{leaks.tag(data)}0001"
    return made(["ip", "link", "add", name, "type", "veth", "peer", f"p{leaks.tag(data)}"], ["ip", "link", "delete", name])


def table(data):
    name = f"longshore_{leaks.tag(data)}"
    return made(["nft", "add", "table", "ip", name], ["nft", "delete", "table", "ip", name])


def mount(data):
    (data / "m").mkdir()
    return made(["mount", "-t", "tmpfs", "none", str(data / "m")], ["umount", str(data / "m")])


def namespace(data):
    path = data / "run" / "net" / "ns" / "1"
    path.parent.mkdir(parents=True)
    return made(["touch", str(path)], ["rm", str(path)])


def cgroup_directory(data):
    """In the hierarchy of v2, or in the one of `pids`."""
    root = Path("/sys/fs/cgroup")
    return (root if (root / "cgroup.controllers").exists() else root / "pids") / f"longshore-{leaks.tag(data)}"


def cgroup(data):
    return made(["mkdir", str(cgroup_directory(data))], ["rmdir", str(cgroup_directory(data))])


@contextmanager
def process_in_cgroup(data):
    with cgroup(data):
        with process() as child:
            (cgroup_directory(data) / "cgroup.procs").write_text(str(child.pid))
            yield


@pytest.mark.parametrize("kind, leak", [
    ("links", link), ("nftables", table), ("mounts", mount), ("namespaces", namespace), ("cgroups", cgroup),
    ("processes", lambda data: process(f"--data={data}")),
    ("processes", lambda data: process(env={"WHERE": str(data)})),
    ("processes", lambda data: process(cwd=data)),
    ("processes", process_in_cgroup),
], ids=["link", "table", "mount", "namespace", "cgroup", "command line", "environment", "working directory", "process in cgroup"])
def test_each_kind_is_seen_and_only_by_whom_it_belongs_to(tmp_path, kind, leak):
    data, neighbour = tmp_path / "data", tmp_path / "data2"
    data.mkdir()
    neighbour.mkdir()
    assert leaks.present(data) == {}
    with leak(data):
        # A child has its own command line and directory a moment after it is forked.
        assert eventually(lambda: leaks.present(data).get(kind), f"the leak of {kind} to be seen")
        assert leaks.present(neighbour) == {}
    assert leaks.present(data) == {}


def test_a_running_longshore_is_seen_whole(longshore):
    arn = longshore.start(longshore.register("seen", {"name": "app", "command": ["sleep", "1000"], "stopTimeout": 2}, networkMode="bridge"))[0]
    longshore.wait(arn, "RUNNING")
    found = leaks.present(longshore.data)
    assert set(found) == {"processes", "mounts", "namespaces", "cgroups", "links", "nftables"}
    text = "\n".join(found["processes"])
    for expected in ("longshore up", " server ", " agent ", "longshore-zygote", "sleep 1000"):
        assert expected in text, text
    assert not any(line.startswith(f"{os.getpid()} ") for line in found["processes"])
