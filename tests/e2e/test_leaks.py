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


def namespace(kind):
    def touched(data):
        path = data / "run" / "net" / kind / "1"
        path.parent.mkdir(parents=True)
        return made(["touch", str(path)], ["rm", str(path)])

    return touched


def elsewhere(*command):
    """The same in the namespace of a host."""
    @contextmanager
    def within(data):
        host = f"ls-{leaks.tag(data)}-h"
        named = [word.replace("TAG", leaks.tag(data)) for word in command]
        with made(["ip", "netns", "add", host], ["ip", "netns", "delete", host]):
            run("nsenter", f"--net=/run/netns/{host}", *named)
            yield

    return within


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
    ("links", link), ("nftables", table), ("mounts", mount), ("cgroups", cgroup),
    *(("namespaces", namespace(kind)) for kind in ("ns", "vpc/ns", "vpc/routers")),
    ("links", elsewhere("ip", "link", "add", "vTAG0001", "type", "veth", "peer", "p")),
    ("nftables", elsewhere("nft", "add", "table", "ip", "longshore_TAG")),
    ("processes", lambda data: process(f"--data={data}")),
    ("processes", lambda data: process(env={"WHERE": str(data)})),
    ("processes", lambda data: process(cwd=data)),
    ("processes", process_in_cgroup),
], ids=["link", "table", "mount", "cgroup", "container's namespace", "task's namespace", "router", "host's link", "host's table", "command line", "environment", "working directory", "process in cgroup"])
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


def test_what_a_namespace_holds_is_told_and_told_again_the_same():
    name = f"ls-held-{os.getpid()}"
    within = ["nsenter", f"--net=/run/netns/{name}"]
    at = Path("/run/netns") / name
    with made(["ip", "netns", "add", name], ["ip", "netns", "delete", name]):
        # The kernel's own addresses of IPv6 come after a while.
        run(*within, "sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6")
        run(*within, "ip", "link", "add", "d0", "type", "veth", "peer", "d0p")
        for link in ("d0", "d0p"):
            run(*within, "ip", "link", "set", link, "up")
        run(*within, "nft", "add", "table", "inet", "t")
        run(*within, "nft", "add", "set", "inet", "t", "s", "{ type ipv4_addr; }")
        run(*within, "nft", "add", "element", "inet", "t", "s", "{ 10.0.0.1, 10.0.0.2, 10.0.0.3 }")
        before = eventually(lambda: (first := leaks.held(at)) == leaks.held(at) and first, "the namespace to be quiet")
        for kind, do, undo in (
            ("addresses", "ip address add 10.1.0.1/32 dev d0", "ip address delete 10.1.0.1/32 dev d0"),
            ("routes", "ip route add 10.2.0.0/16 dev d0 table 7", "ip route delete 10.2.0.0/16 dev d0 table 7"),
            ("rules", "ip rule add from 10.3.0.1 table 7", "ip rule delete from 10.3.0.1 table 7"),
            ("neighbours", "ip neighbour add 10.4.0.1 lladdr 02:00:00:00:00:01 dev d0", "ip neighbour delete 10.4.0.1 dev d0"),
            ("tables", "nft add element inet t s { 10.0.0.4 }", "nft delete element inet t s { 10.0.0.4 }"),
            ("links", "ip link add d1 type veth peer d1p", "ip link delete d1"),
        ):
            run(*within, *do.split())
            other = [name for name, rows in leaks.held(at).items() if rows != before[name]]
            assert kind in other, (kind, other)
            run(*within, *undo.split())
            assert leaks.held(at) == before, kind
