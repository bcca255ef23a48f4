"""What is left on the machine: namespaces, mounts, cgroups, links, nftables tables, processes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def snapshot(data: Path | None = None) -> dict[str, set[str]]:
    """Everything on this machine that a Longshore could leave behind."""
    return {
        "mounts": _mounts(),
        "cgroups": _cgroups(),
        "links": _links(),
        "nftables": _tables(),
        "processes": _processes(str(data) if data else None),
    }


def difference(before: dict[str, set[str]], after: dict[str, set[str]]) -> dict[str, set[str]]:
    return {kind: after[kind] - before[kind] for kind in after if after[kind] - before[kind]}


def _mounts() -> set[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return {" ".join(line.split()[3:5]) for line in lines if "longshore" in line or "/ls" in line or "nsfs" in line}


def _cgroups() -> set[str]:
    found = set()
    for root, directories, _ in os.walk("/sys/fs/cgroup"):
        found.update(os.path.join(root, name) for name in directories if "longshore" in name)
    return found


def _links() -> set[str]:
    out = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    return {line.split(":")[1].strip().split("@")[0] for line in out.splitlines()}


def _tables() -> set[str]:
    out = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
    return set(out.splitlines())


def _processes(data: str | None) -> set[str]:
    found = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            status = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        if status != "Z" and ("longshore" in command) and (data is None or data in command or "shim" in command or "zygote" in command):
            if "pytest" not in command and "cargo" not in command:
                found.add(f"{entry.name} {command.strip()}")
    return found
