"""`longshore sim` from the command line: a seed gives the same run each time, another seed another."""

import json
import subprocess

from harness import BINARY, SLOWNESS


def simulated(seed: int) -> dict:
    done = subprocess.run(
        [str(BINARY), "sim", "--seed", str(seed), "--hours", "1", "--json"], capture_output=True, text=True, timeout=300 * SLOWNESS)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["violations"] == [] and (found["seed"], found["seeds"], found["hours"]) == (seed, 1, 1)
    # It did what it is for.
    assert found["events"] > 1000 and found["tasks"] > 0 and found["messages_lost"] + found["messages_repeated"] > 0, found
    del found["seconds"]
    return found


def test_a_seed_gives_the_same_run_twice_and_another_gives_another():
    first = simulated(11)
    assert simulated(11) == first
    assert simulated(12)["trace"] != first["trace"]


def test_a_seed_of_many_is_the_seed_alone():
    """The trace of a row of seeds is that of each, put together: what fails in a row is found again alone."""
    done = subprocess.run(
        [str(BINARY), "sim", "--seed", "11", "--seeds", "2", "--hours", "1", "--json"], capture_output=True, text=True, timeout=300 * SLOWNESS)
    both = int(json.loads(done.stdout)["trace"], 16)
    assert both == int(simulated(11)["trace"], 16) ^ int(simulated(12)["trace"], 16)
