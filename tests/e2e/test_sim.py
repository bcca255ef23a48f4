"""`longshore sim` from the command line: a seed gives the same run each time, another seed another."""

import json
import subprocess

from harness import BINARY, SLOWNESS


def run(seed: int, seeds: int = 1) -> dict:
    done = subprocess.run(
        [str(BINARY), "sim", "--seed", str(seed), "--seeds", str(seeds), "--hours", "1", "--json"],
        capture_output=True, text=True, timeout=300 * SLOWNESS)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["violations"] == [] and (found["seed"], found["seeds"], found["hours"]) == (seed, seeds, seeds)
    # It did what it is for.
    assert found["events"] > 1000 and found["tasks"] > 0 and found["messages_lost"] + found["messages_repeated"] > 0, found
    del found["seconds"]
    return found


def test_a_seed_gives_the_same_run_each_time_alone_and_among_others():
    """What fails in a row of seeds is found again alone: the row's trace is those of its seeds, put together."""
    first, other = run(11), run(12)
    assert run(11) == first
    assert other["trace"] != first["trace"]
    assert int(run(11, seeds=2)["trace"], 16) == int(first["trace"], 16) ^ int(other["trace"], 16)
