"""A cluster of five hosts with attributes of their own: every strategy and every constraint."""

from collections import Counter

import pytest
from botocore.exceptions import ClientError
from harness import eventually

NAP = {"name": "app", "command": ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"], "memory": 32, "cpu": 16}
# Rack and zone of each host.
HOSTS = [("r1", "us-east-1a"), ("r1", "us-east-1a"), ("r1", "us-east-1b"), ("r2", "us-east-1b"), ("r2", "us-east-1c")]


class Cluster:
    def __init__(self, site):
        self.api = site.server()
        self.hosts = [
            site.joined("--zone", zone, "--attribute", f"rack={rack}", "--attribute", f"number={number}")
            for number, (rack, zone) in enumerate(HOSTS)]
        self.number = {host.arn: number for number, host in enumerate(self.hosts)}
        self.definition = self.api.register("nap", NAP, networkMode="none")

    def run(self, count, **members):
        """Tasks started so, run to RUNNING: how many on each host; and the failures' reasons."""
        answer = self.api.ecs.run_task(taskDefinition=self.definition, count=count, **members)
        arns = [task["taskArn"] for task in answer["tasks"]]
        placed = Counter()
        for arn in arns:
            placed[self.number[self.api.wait(arn, "RUNNING")["containerInstanceArn"]]] += 1
        return placed, sorted({failure["reason"] for failure in answer["failures"]})

    def clear(self):
        arns = self.api.ecs.list_tasks()["taskArns"]
        for arn in arns:
            self.api.ecs.stop_task(task=arn)
        for arn in arns:
            self.api.wait(arn, "STOPPED")


def by(placed, key):
    totals = Counter()
    for number, count in placed.items():
        totals[HOSTS[number][key]] += count
    return totals


def test_five_hosts_are_placed_on_by_every_strategy_and_constraint(site):
    cluster = Cluster(site)
    spread = lambda field: [{"type": "spread", "field": field}]
    member_of = lambda expression: [{"type": "memberOf", "expression": expression}]
    distinct = [{"type": "distinctInstance"}]

    placed, _ = cluster.run(10, placementStrategy=spread("instanceId"))
    assert placed == {0: 2, 1: 2, 2: 2, 3: 2, 4: 2}
    cluster.clear()
    placed, _ = cluster.run(9, placementStrategy=spread("attribute:ecs.availability-zone"))
    assert by(placed, 1) == {"us-east-1a": 3, "us-east-1b": 3, "us-east-1c": 3}
    cluster.clear()
    placed, _ = cluster.run(8, placementStrategy=spread("attribute:rack") + spread("host"))
    assert by(placed, 0) == {"r1": 4, "r2": 4} and placed[3] == placed[4] == 2, placed
    cluster.clear()
    for field in ("memory", "cpu"):
        placed, _ = cluster.run(6, placementStrategy=[{"type": "binpack", "field": field}])
        assert len(placed) == 1, placed
        # The fullest takes the next, too.
        again, _ = cluster.run(2, placementStrategy=[{"type": "binpack", "field": field}])
        assert set(again) == set(placed)
        cluster.clear()
    placed, _ = cluster.run(5, placementStrategy=[{"type": "random"}])
    assert sum(placed.values()) == 5
    cluster.clear()
    placed, _ = cluster.run(6, placementStrategy=spread("attribute:ecs.availability-zone") + [{"type": "binpack", "field": "memory"}])
    assert by(placed, 1) == {"us-east-1a": 2, "us-east-1b": 2, "us-east-1c": 2} and len(placed) == 3, placed
    cluster.clear()

    placed, failures = cluster.run(7, placementConstraints=distinct)
    assert placed == {0: 1, 1: 1, 2: 1, 3: 1, 4: 1}
    assert failures and all("distinctInstance" in reason or "DISTINCT" in reason.upper() for reason in failures), failures
    cluster.clear()
    for expression, hosts in [
        ("attribute:rack == r2", {3, 4}),
        ("attribute:ecs.availability-zone in [us-east-1a, us-east-1c] and not(attribute:number == 0)", {1, 4}),
        ("attribute:rack =~ ^r1$ and attribute:ecs.availability-zone != us-east-1a", {2}),
        ("attribute:rack exists and attribute:number >= 3", {3, 4}),
    ]:
        placed, failures = cluster.run(6, placementConstraints=member_of(expression))
        assert set(placed) <= hosts and sum(placed.values()) == 6 and not failures, (expression, placed, failures)
        listed = cluster.api.ecs.list_container_instances(filter=expression)["containerInstanceArns"]
        assert {cluster.number[arn] for arn in listed} == hosts, expression
        cluster.clear()
    placed, failures = cluster.run(1, placementConstraints=member_of("attribute:rack == r9"))
    assert not placed and failures, failures
    with pytest.raises(ClientError) as refused:
        cluster.run(1, placementConstraints=member_of("attribute:rack =="))
    assert refused.value.response["Error"]["Code"] == "InvalidParameterException"

    # What drains or is away takes nothing; a task can still be put on a host by name.
    first, second = cluster.hosts[:2]
    cluster.api.ecs.update_container_instances_state(containerInstances=[first.arn], status="DRAINING")
    second.kill()
    eventually(lambda: not second.connected(), "the host to be away")
    placed, _ = cluster.run(6, placementStrategy=spread("instanceId"))
    assert placed == {2: 2, 3: 2, 4: 2}
    second.start()
    eventually(second.connected, "the host to be back")
    started = cluster.api.ecs.start_task(taskDefinition=cluster.definition, containerInstances=[second.arn])
    assert started["failures"] == []
    cluster.api.wait(started["tasks"][0]["taskArn"], "RUNNING")
    cluster.clear()
