"""GPUs through the Container Device Interface, with device nodes that stand for cards."""

import json
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Iterator

import leaks
import pytest
from harness import Longshore, eventually
from test_kills import kill

WAIT = "trap 'exit 0' TERM; while :; do sleep 0.05; done"
# A card, and one that has two names: the UUID is the one that lasts.
CARDS = ["GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", "1"]


class Cards:
    """Two nodes that no container may open by default, and a specification of them."""

    def __init__(self, place: Path):
        self.dir, self.file = place / "cdi", place / "cdi" / "vendor.json"
        self.dir.mkdir()
        for number, minor in ((0, 200), (1, 229)):
            os.mknod(place / f"card{number}", stat.S_IFCHR | 0o666, os.makedev(10, minor))
        library = place / "lib.so"
        library.write_text("driver\n")
        nodes = [{"path": f"/dev/card{n}", "hostPath": str(place / f"card{n}"), "fileMode": 0o640, "gid": 44} for n in (0, 1)]
        device = lambda name, *nodes: {"name": name, "containerEdits": {"deviceNodes": list(nodes)}}
        self.specification = {
            "cdiVersion": "0.6.0", "kind": "nvidia.com/gpu",
            "devices": [device("0", nodes[0]), device(CARDS[0], nodes[0]), device("1", nodes[1]), device("all", *nodes)],
            "containerEdits": {
                "env": ["NVIDIA_VISIBLE_DEVICES=void", "DRIVER=present"],
                "mounts": [{"hostPath": str(library), "containerPath": "/opt/lib.so", "options": ["ro", "nosuid", "nodev", "rbind"]}]},
        }
        self.file.write_text(json.dumps(self.specification))


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    # Short: unix sockets lie below it.
    directory = Path(tempfile.mkdtemp(prefix="ls-gpu-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
def cards(place) -> Cards:
    return Cards(place)


@pytest.fixture(scope="module")
def longshore(place, cards, busybox) -> Iterator[Longshore]:
    instance = Longshore(place)
    instance.data.mkdir()
    (instance.data / "longshore.toml").write_text(f'[agent]\ncdi_dirs = ["{place}/none", "{cards.dir}"]\n')
    try:
        instance.up().load_image(busybox)
        yield instance
    finally:
        instance.down()
        left = leaks.present(instance.data)
        assert not left, f"left behind after `longshore down`: {left}"


def gpu(name, count, command, **fields):
    needs = [{"type": "GPU", "value": str(count)}] if count else []
    return {"name": name, "command": ["sh", "-c", command], "resourceRequirements": needs, "stopTimeout": 2} | fields


def resource(longshore, kind):
    arns = longshore.ecs.list_container_instances()["containerInstanceArns"]
    instance = longshore.ecs.describe_container_instances(containerInstances=arns)["containerInstances"][0]
    found = [r for r in instance[kind] if r["name"] == "GPU"]
    return found[0]["stringSetValue"] if found else None


def refusal(longshore, definition):
    """Why no host takes a task of it, once an agent is there to be asked."""
    def reasons():
        answer = longshore.ecs.run_task(taskDefinition=definition)
        assert answer["tasks"] == [], answer
        found = [failure["reason"] for failure in answer["failures"]]
        return found if found != ["AGENT"] else None

    return eventually(reasons, "an agent to be connected")


def test_a_host_offers_each_card_once(longshore):
    assert resource(longshore, "registeredResources") == CARDS
    assert resource(longshore, "remainingResources") == CARDS


def test_a_container_has_its_cards_and_no_other(longshore, place):
    out = place / "out"
    out.mkdir(mode=0o777)
    look = ("for n in 0 1; do stat -c '%n %F %a %g' /dev/card$n 2> /dev/null && (: < /dev/card$n) && echo read; done;"
            " cat /opt/lib.so 2> /dev/null; (: > /opt/lib.so) 2> /dev/null || echo refused;"
            " grep -o ' /opt/lib.so [a-z,]*' /proc/self/mountinfo; echo $NVIDIA_VISIBLE_DEVICES $DRIVER")
    mount = {"mountPoints": [{"sourceVolume": "out", "containerPath": "/out"}]}
    environment = {"environment": [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}, {"name": "DRIVER", "value": "none"}]}
    task = longshore.run_to_end(
        gpu("app", 1, f"{{ {look}; }} > /out/app 2>&1", **mount, **environment,
            dependsOn=[{"containerName": "second", "condition": "SUCCESS"}]),
        gpu("second", 0, f"{{ {look}; }} > /out/second 2>&1", **mount, essential=False,
            dependsOn=[{"containerName": "third", "condition": "SUCCESS"}]),
        gpu("third", 1, f"{{ {look}; }} > /out/third 2>&1", **mount, essential=False),
        networkMode="none", volumes=[{"name": "out", "host": {"sourcePath": str(out)}}])
    ids = {container["name"]: container.get("gpuIds") for container in task["containers"]}
    assert ids == {"app": CARDS[:1], "second": None, "third": CARDS[1:]}, task
    for name, number in (("app", 0), ("third", 1)):
        lines = (out / name).read_text().splitlines()
        assert lines[:4] == [f"/dev/card{number} character special file 640 44", "read", "driver", "refused"], lines
        assert {"ro", "nosuid", "nodev"} <= set(lines[4].split()[1].split(","))
        assert lines[5] == f"{CARDS[number]} present"
    assert (out / "second").read_text() == "refused\n\n"


def test_a_container_of_two_cards(longshore, place):
    out = place / "both"
    out.mkdir(mode=0o777)
    task = longshore.run_to_end(
        gpu("app", 2, "{ ls /dev/card0 /dev/card1; echo $NVIDIA_VISIBLE_DEVICES; } > /out/seen",
            mountPoints=[{"sourceVolume": "out", "containerPath": "/out"}]),
        networkMode="none", volumes=[{"name": "out", "host": {"sourcePath": str(out)}}])
    assert task["containers"][0]["gpuIds"] == CARDS
    assert (out / "seen").read_text().split() == ["/dev/card0", "/dev/card1", ",".join(CARDS)]


def test_cards_are_given_once_and_come_back(longshore):
    definition = longshore.register("card", gpu("app", 1, WAIT), networkMode="none")
    arns = longshore.start(definition, count=2)
    tasks = [longshore.wait(arn, "RUNNING") for arn in arns]
    assert sorted(task["containers"][0]["gpuIds"][0] for task in tasks) == sorted(CARDS)
    assert resource(longshore, "remainingResources") == []
    assert refusal(longshore, definition) == ["RESOURCE:GPU"]
    # The cards stay given when the agent that gave them is gone.
    kill(longshore, "agent")
    assert refusal(longshore, definition) == ["RESOURCE:GPU"]
    longshore.ecs.stop_task(task=arns[0])
    freed = longshore.wait(arns[0], "STOPPED")["containers"][0]["gpuIds"]
    third = longshore.start(definition)[0]
    assert longshore.wait(third, "RUNNING")["containers"][0]["gpuIds"] == freed
    for arn in (arns[1], third):
        longshore.ecs.stop_task(task=arn)
        longshore.wait(arn, "STOPPED")


def test_more_cards_than_the_host_has(longshore):
    definition = longshore.register("three", gpu("app", 3, "true"), networkMode="none")
    assert refusal(longshore, definition) == ["RESOURCE:GPU"]


def test_a_card_that_is_gone_meanwhile(longshore, cards):
    cards.file.write_text(json.dumps(cards.specification | {"devices": []}))
    try:
        task = longshore.run_to_end(gpu("app", 1, "true"), networkMode="none")
    finally:
        cards.file.write_text(json.dumps(cards.specification))
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["containers"][0]["reason"] == (
        "CannotCreateContainerError: Error response from daemon: CDI device injection failed: "
        f"unresolvable CDI devices nvidia.com/gpu={CARDS[0]}")


@pytest.mark.parametrize("edits", [None, {"hooks": [{"hookName": "createContainer", "path": "/bin/true"}]}],
                         ids=["no specification", "hooks"])
def test_a_host_without_cards_that_can_be_had(longshore, cards, edits):
    """What a container would lack is not offered in the first place."""
    if edits is None:
        cards.file.unlink()
    else:
        cards.file.write_text(json.dumps(cards.specification | {"containerEdits": edits}))
    try:
        kill(longshore, "agent")
        eventually(lambda: longshore.ready() and resource(longshore, "registeredResources") is None, "the host to be without")
        definition = longshore.register("none", gpu("app", 1, "true"), networkMode="none")
        assert refusal(longshore, definition) == ["RESOURCE:GPU"]
        log = (longshore.data / "log" / "agent.log").read_text()
        assert edits is None or "is left out: hooks cannot be had here" in log
    finally:
        cards.file.write_text(json.dumps(cards.specification))
        kill(longshore, "agent")
        eventually(lambda: longshore.ready() and resource(longshore, "registeredResources") == CARDS, "the cards to be back")
