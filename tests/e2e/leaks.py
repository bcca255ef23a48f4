"""What one Longshore has outside its data directory: processes, mounts, namespaces, cgroups, links, tables.

Only what carries its tag or names its data directory counts, so that tests can run side by side
and whatever else the machine does is nobody's leak.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path


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
    return {str(path) for path in (data / "run" / "net" / "ns").glob("*")}


def _cgroups(tag: str) -> set[str]:
    found = set()
    for root, directories, _ in os.walk("/sys/fs/cgroup"):
        found.update(os.path.join(root, name) for name in directories if tag in name)
    return found


def _links(tag: str) -> set[str]:
    out = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    names = (line.split(":")[1].strip().split("@")[0] for line in out.splitlines())
    return {name for name in names if tag in name}


def _tables(tag: str) -> set[str]:
    out = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
    return {line for line in out.splitlines() if tag in line}
