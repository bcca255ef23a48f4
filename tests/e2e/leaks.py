"""What one Longshore has outside its data directory: processes, mounts, namespaces, cgroups, links, tables; and what a
namespace of its own holds.

Only what carries its tag or names its data directory counts, so that tests can run side by side
and whatever else the machine does is nobody's leak.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Callable


def tag(data: Path) -> str:
    """What names everything of this data directory: see `DataDir::tag`."""
    return hashlib.sha256(os.fsencode(data.resolve())).hexdigest()[:8]


def present(data: Path) -> dict[str, set[str]]:
    """All that is there of this data directory now; kinds of which there is nothing are left out."""
    data = data.resolve()
    found = {
        "processes": _processes(data),
        "mounts": _mounts(data),
        "namespaces": _namespaces(data),
        "cgroups": _cgroups(tag(data)),
        "links": _links(tag(data)),
        "nftables": _tables(tag(data)),
    }
    return {kind: names for kind, names in found.items() if names}


def _names(text: str, data: Path) -> bool:
    """Whether a path or a command line names the directory, and not a sibling of a longer name."""
    at = text.find(str(data))
    while at >= 0:
        if text[at + len(str(data)):][:1] in ("", "/", "\0", " ", ",", ":"):
            return True
        at = text.find(str(data), at + 1)
    return False


def _processes(data: Path) -> set[str]:
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            command = _process(entry, data)
            if command:
                found.add(f"{entry.name} {command}")
    return found


def _process(entry: Path, data: Path) -> str | None:
    """The command line of a process that is the directory's: by command line, environment, working
    directory, program or control group (shims and containers)."""
    def read(name: str) -> str:
        try:
            return (entry / name).read_bytes().decode(errors="replace")
        except OSError:  # gone, or a kernel thread
            return ""

    def link(name: str) -> str:
        try:
            return os.readlink(entry / name)
        except OSError:
            return ""

    state = read("stat").rpartition(")")[2].split()
    if not state or state[0] in "ZX":
        return None
    command = read("cmdline")
    places = (command, read("environ"), link("cwd"), link("exe"), link("root"))
    if f"/longshore-{tag(data)}" not in read("cgroup") and not any(_names(place, data) for place in places):
        return None
    return command.replace("\0", " ").strip() or read("comm").strip()


def _mounts(data: Path) -> set[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return {line for line in lines if _names(line, data)}


def _namespaces(data: Path) -> set[str]:
    """Of containers, of tasks with an interface, of the VPCs' routers: those hold links and tables of their own."""
    net = data / "run" / "net"
    return {str(path) for kind in ("ns", "vpc/ns", "vpc/routers") for path in (net / kind).glob("*")}


def _cgroups(tag: str) -> set[str]:
    found = set()
    for root, directories, _ in os.walk("/sys/fs/cgroup"):
        found.update(os.path.join(root, name) for name in directories if tag in name)
    return found


def _links(tag: str) -> set[str]:
    def names(out: str) -> set[str]:
        return {line.split(":")[1].strip().split("@")[0] for line in out.splitlines()}

    return _everywhere(tag, ["ip", "-o", "link"], names)


def _tables(tag: str) -> set[str]:
    return _everywhere(tag, ["nft", "list", "tables"], lambda out: set(out.splitlines()))


def _everywhere(tag: str, command: list[str], names: Callable[[str], set[str]]) -> set[str]:
    """What a command names with the tag, in the first namespace and in those of hosts on a LAN."""
    found = names(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    for namespace in Path("/run/netns").glob("*"):
        inside = subprocess.run(["nsenter", f"--net={namespace}", *command], capture_output=True, text=True)
        # One of another test's may go while it is looked at.
        assert inside.returncode == 0 or not namespace.exists(), inside.stderr
        found |= names(inside.stdout)
    return {name for name in found if tag in name}


def held(namespace: Path) -> dict[str, list[str]]:
    """All that a network namespace holds: links, addresses, routes, rules, neighbours and tables, each kind sorted and
    without what the kernel counts, or makes by itself when it is sure that no neighbour has an address."""
    def asked(*command: str) -> list:
        done = subprocess.run(["nsenter", f"--net={namespace}", *command], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout or "[]")

    def texts(rows: list) -> list[str]:
        return sorted(json.dumps(_plain(row), sort_keys=True) for row in rows)

    def is_own(route: dict) -> bool:
        return route["dst"].startswith("fe80:") and route.get("type") in ("local", "anycast")

    addresses = asked("ip", "-j", "address")
    routes = [*asked("ip", "-j", "-4", "route", "show", "table", "all"), *asked("ip", "-j", "-6", "route", "show", "table", "all")]
    return {
        "links": texts([link["ifname"] for link in addresses]),
        "addresses": texts([[link["ifname"], one["local"]] for link in addresses for one in link["addr_info"]]),
        "routes": texts([route for route in routes if not is_own(route)]),
        "rules": texts([*asked("ip", "-j", "-4", "rule"), *asked("ip", "-j", "-6", "rule")]),
        "neighbours": texts(asked("ip", "-j", "neighbour", "show", "nud", "permanent")),
        "forwarding": texts(asked("bridge", "-j", "fdb")),
        "tables": texts([row for row in asked("nft", "-j", "-s", "list", "ruleset")["nftables"] if "metainfo" not in row]),
    }


def _plain(value: object) -> object:
    """Without numbers that are new with each thing that is made; a set's elements in an order."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    plain = {name: _plain(one) for name, one in value.items() if name not in ("handle", "index", "ifindex")}
    if isinstance(plain.get("elem"), list):
        plain["elem"] = sorted(plain["elem"], key=lambda one: json.dumps(one, sort_keys=True))
    return plain
