"""`longshore bench`: each one runs, small, in a directory of its own, and leaves nothing."""

import glob
import json
import re
import subprocess
import tempfile

import pytest
from harness import BINARY, ROOT

SMALL = {
    "launch": (["--samples", "2", "--count", "3"], {"start, bridge": "p50_ms", "rate, host": "per_second", "memory, idle": "rss_mib"}),
    "api": (["--seconds", "1", "--connections", "4"], {"read: DescribeTasks": "per_second", "write: RegisterTaskDefinition": "per_second"}),
    "state": (["--tasks", "500", "--samples", "1"], {"server with 500 task records": "p50_ms"}),
    "placement": (
        ["--instances", "50", "--tasks", "500", "--committed", "200", "--strategy", "spread"],
        {"pure: 50 instances, spread": "per_second", "committed: 50 instances": "per_second"},
    ),
    "services": (
        ["--services", "20", "--tasks", "3", "--samples", "3", "--converge", "30"],
        {"quiet tick, 20 services": "p50_ms", "one change, 10 services": "p50_ms", "1 of 10 hosts lost": "virtual_s"},
    ),
    "pull": (["--layers", "2", "--mib", "1"], {"pull, verify, unpack": "mib_per_s"}),
    "logs": (["--lines", "2000"], {"at once: written, then readable": "per_second"}),
    "health": (
        ["--containers", "4", "--interval", "5", "--seconds", "6"],
        {"with checks": "own_percent", "the checks' own cost": "checks_per_s", "without checks": "n"},
    ),
    "replace": (["--tasks", "2", "--count", "3"], {"kill -9 to RUNNING again, bridge": "p50_ms", "kill -9 to RUNNING again, host": "p50_ms"}),
    "deploy": (
        ["--tasks", "4"],
        {"none, by ten (0 to 100 percent)": "work_ms", "host, all at once (100 to 200 percent)": "total_ms"},
    ),
    "connect": (
        ["--rounds", "1", "--seconds", "1", "--connections", "2"],
        {"straight": "gbit_per_s", "http": "req_per_s", "tcp": "conn_per_s", "memory, proxy": "rss_mib"},
    ),
    "interfaces": (
        ["--tasks", "6", "--calls", "5"],
        {"6 tasks started": "per_second", "calls between random pairs, all answered": "n", "stopped": "gone_s"},
    ),
    "network": (
        ["--rounds", "1", "--members", "10", "--interfaces", "4"],
        {
            **dict.fromkeys(("one host: interfaces", "one host: tracking alone", "one host: veth and bridge"), "conn_per_s"),
            **dict.fromkeys(("two hosts: interfaces", "two hosts: tracking alone", "two hosts: VXLAN without rules"), "gbit_per_s"),
            "10 members, 10 rules": "revoke_p50_ms", "calls, 10 members": "leave_p50_ms",
            "4 interfaces, then 4 at once": "detach_per_s",
        },
    ),
}


@pytest.mark.parametrize("name", SMALL)
def test_a_bench_measures_and_leaves_nothing(name):
    options, expected = SMALL[name]
    done = subprocess.run([str(BINARY), "bench", name, "--json", *options], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["bench"] == name
    for row, figure in expected.items():
        assert report["rows"][row][figure] > 0, report
    if name == "interfaces":
        assert report["rows"]["left, of 6 addresses"] == {"interfaces": 0, "namespaces": 0, "devices": 0}
    assert not glob.glob(f"{tempfile.gettempdir()}/longshore-bench-*")


def test_make_bench_runs_every_bench():
    done = subprocess.run([str(BINARY), "bench", "--help"], capture_output=True, text=True, check=True)
    offered = re.findall(r"^  ([a-z]+) ", done.stdout.split("Commands:")[1].split("Options:")[0], re.M)
    listed = subprocess.run(["make", "-C", str(ROOT), "-n", "bench"], capture_output=True, text=True, check=True)
    [loop] = re.findall(r"for what in ([a-z ]+);.* bench \$what", listed.stdout)
    assert sorted(loop.split()) == sorted(set(offered) - {"help"}) == sorted(SMALL)


def test_a_bench_of_a_running_longshore_leaves_it_running(longshore):
    done = longshore.run("bench", "api", "--json", "--seconds", "1", "--connections", "2")
    assert json.loads(done.stdout)["rows"]["read: ListClusters"]["n"] > 0
    assert longshore.ready()
    refused = longshore.run("bench", "state", check=False)
    assert refused.returncode != 0 and "takes no --data" in refused.stderr
