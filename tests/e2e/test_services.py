"""Services: a desired count, kept through crashes, deployments, drains and kills."""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid
from collections import Counter
from pathlib import Path

import images
import pytest
from clients import Clients, ask, fewest
from harness import eventually

HELLO = {"name": "app", "image": "longshore/hello", "memory": 32, "portMappings": [{"containerPort": 80}]}
NAP = {"name": "app", "command": ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"], "memory": 32, "cpu": 16}


class Service:
    """A service of a test's own, with what is read of it again and again."""

    def __init__(self, api, definition: str, desired: int | None = 3, name: str = "", **members):
        self.api, self.name = api, name or f"s-{uuid.uuid4().hex[:8]}"
        if desired is not None:
            members["desiredCount"] = desired
        self.created = api.ecs.create_service(serviceName=self.name, taskDefinition=definition, **members)["service"]

    def describe(self) -> dict:
        answer = self.api.ecs.describe_services(services=[self.name])
        assert answer["failures"] == [], answer
        return answer["services"][0]

    def events(self) -> list[str]:
        return [event["message"] for event in self.describe()["events"]]

    def update(self, **members) -> dict:
        return self.api.ecs.update_service(service=self.name, **members)["service"]

    def tasks(self, desired: str = "RUNNING") -> list[dict]:
        arns = self.api.ecs.list_tasks(serviceName=self.name, desiredStatus=desired)["taskArns"]
        return self.api.ecs.describe_tasks(tasks=arns)["tasks"] if arns else []

    def stable(self, patience_s: float = 60) -> dict:
        """Waits for what the waiter `services-stable` waits for, and for the steady state to be told."""
        last: dict = {}

        def reached() -> bool:
            nonlocal last
            last = self.describe()
            return (len(last["deployments"]) == 1 and last["runningCount"] == last["desiredCount"]
                    and last["deployments"][0]["rolloutState"] == "COMPLETED"
                    and last["events"] and "has reached a steady state" in last["events"][0]["message"])

        try:
            eventually(reached, f"{self.name} to be stable", patience_s)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{last}\n{self.api.tail()}") from None
        return last

    def delete(self) -> None:
        self.api.ecs.delete_service(service=self.name, force=True)
        gone = lambda: self.describe()["status"] == "INACTIVE" and not self.tasks()
        eventually(gone, f"{self.name} to be gone")


class Watch(threading.Thread):
    """Asks every 20 ms how many answer, and keeps the least."""

    def __init__(self, count):
        super().__init__(daemon=True)
        self.count, self.seen, self.ends = count, [], threading.Event()

    def run(self) -> None:
        while not self.ends.is_set():
            self.seen.append(self.count())
            time.sleep(0.02)

    def __enter__(self) -> "Watch":
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self.ends.set()
        self.join()


def ports(service: Service) -> dict[str, int]:
    """The host port of each task that is RUNNING and is to stay so."""
    found = {}
    for task in service.tasks():
        bindings = task["containers"][0]["networkBindings"]
        if task["lastStatus"] == "RUNNING" and bindings:
            found[task["taskArn"]] = bindings[0]["hostPort"]
    return found


def serving(service: Service) -> int:
    """How many tasks answer; one that was stopped between being read and being asked is read again."""
    for _ in range(3):
        before = ports(service)
        good = {arn for arn, port in before.items() if ask("127.0.0.1", port) is not None}
        if good == set(before) or set(ports(service)) == set(before):
            break
    return len(good)


def processes(mark: str) -> list[int]:
    """Containers' first processes with this in their environment, without what these wait for."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if not entry.name.isdigit() or (entry / "comm").read_text().strip() == "sleep":
                continue
            if f"MARK={mark}\0".encode() in (entry / "environ").read_bytes() + b"\0":
                found.append(int(entry.name))
        except OSError:
            pass  # ended meanwhile
    return found


def web_image(directory: Path, tag: str) -> str:
    """A saved image whose web server says its tag."""
    command = ["sh", "-c", "trap 'exit 0' TERM; busybox httpd -f -p 80 -h /www & wait"]
    layers = [images.busybox_layer(), images.layer({"www/index.html": (tag.encode(), 0o644)})]
    images.save(directory / f"{tag}.tar", f"e2e/web:{tag}", layers, {"Cmd": command, "Env": ["PATH=/bin"]})
    return str(directory / f"{tag}.tar")


def pages_of_processes() -> Counter[str]:
    """By what its root file system has to say: how many processes there are of each tag of `web_image`."""
    found: Counter[str] = Counter()
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cmdline").read_bytes().startswith(b"busybox\0httpd"):
                found[(entry / "root/www/index.html").read_text()] += 1
        except OSError:
            pass  # ended meanwhile, or another's
    return found


def test_an_image_is_updated_without_a_failed_request(longshore, tmp_path):
    old, new = (f"{tag}-{uuid.uuid4().hex[:8]}" for tag in ("old", "new"))
    for tag in (old, new):
        longshore.run("image", "load", web_image(tmp_path, tag))
    register = lambda tag: longshore.register("web", HELLO | {"image": f"e2e/web:{tag}"}, networkMode="bridge")
    older = register(old)
    service = Service(longshore, older, enableECSManagedTags=True, propagateTags="SERVICE", tags=[{"key": "team", "value": "web"}])
    assert service.created["status"] == "ACTIVE" and service.created["runningCount"] == 0
    first = service.stable()
    primary = first["deployments"][0]
    events = service.events()
    assert events[0] == f"(service {service.name}) has reached a steady state."
    assert events[1] == f"(service {service.name}) (deployment {primary['id']}) deployment completed."
    assert events[2].startswith(f"(service {service.name}) has started 3 tasks: (task "), events
    tasks = service.tasks()
    assert {task["startedBy"] for task in tasks} == {primary["id"]}
    assert {task["group"] for task in tasks} == {f"service:{service.name}"}
    tags = longshore.ecs.list_tags_for_resource(resourceArn=tasks[0]["taskArn"])["tags"]
    assert {tag["key"]: tag["value"] for tag in tags} == {
        "team": "web", "aws:ecs:clusterName": "default", "aws:ecs:serviceName": service.name}

    newer = register(new)
    with Clients(lambda: {arn: ("127.0.0.1", port) for arn, port in ports(service).items()}) as clients:
        eventually(lambda: len(clients.of) == 3 and clients.each_asked(20), "three clients to ask")
        begun = time.time()
        answer = service.update(taskDefinition=newer)
        assert [d["status"] for d in answer["deployments"]] == ["PRIMARY", "ACTIVE"]
        second = service.stable()
        eventually(lambda: clients.each_asked(50), "the new tasks to be asked")
        over = time.time()
    every = longshore.ecs.describe_tasks(tasks=list(clients.of))["tasks"]
    known = {task["taskArn"]: (clients.of[task["taskArn"]], task) for task in every}
    assert len(known) == 6
    broken = {arn: (lost[:3], client.serving(task)) for arn, (client, task) in known.items() if (lost := client.broken(task))}
    assert not broken, f"requests failed at tasks that were to answer: {broken}"
    spans = [client.serving(task) for client, task in known.values()]
    assert fewest(spans, (begun, over)) == 3, spans

    # The old image is gone, from the records and from the machine; each task served its own to its end.
    pages = {arn: clients.of[arn].pages() for arn in clients.of}
    now = service.tasks()
    assert {task["taskDefinitionArn"] for task in now} == {newer}
    assert {task["containers"][0]["image"] for task in now} == {f"e2e/web:{new}"}
    assert pages == {task["taskArn"]: {old} for task in tasks} | {task["taskArn"]: {new} for task in now}
    eventually(lambda: pages_of_processes()[new] == 3, "one web server for each task")
    assert pages_of_processes()[old] == 0
    assert [d["taskDefinition"] for d in second["deployments"]] == [newer]
    assert second["deployments"][0]["id"] != primary["id"]
    stopped = {task["taskArn"]: task for task in service.tasks("STOPPED")}
    reason = f"Scaling activity initiated by (deployment {second['deployments'][0]['id']})"
    for task in tasks:
        ended = stopped[task["taskArn"]]
        assert (ended["stopCode"], ended["stoppedReason"]) == ("ServiceSchedulerInitiated", reason)
    deployments = longshore.ecs.list_service_deployments(service=service.name)["serviceDeployments"]
    assert [d["status"] for d in deployments] == ["SUCCESSFUL", "SUCCESSFUL"]
    service.delete()


def test_a_broken_image_trips_the_breaker_and_rolls_back(longshore):
    good = longshore.register("brittle", NAP, networkMode="none")
    service = Service(longshore, good, deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}})
    service.stable()
    broken = longshore.register("brittle", NAP | {"image": "nowhere.invalid/none:1"}, networkMode="none")
    with Watch(lambda: service.describe()["runningCount"]) as watch:
        failed = service.update(taskDefinition=broken)["deployments"][0]["id"]
        rolled = lambda: service.describe()["deployments"][0]["id"] != failed
        eventually(rolled, "the rollback", 60)
        assert service.stable()["taskDefinition"] == good
    assert min(watch.seen) >= 3, Counter(watch.seen)
    events = service.events()
    assert f"(service {service.name}) (deployment {failed}) deployment failed: tasks failed to start." in events, events
    newest = longshore.ecs.list_service_deployments(service=service.name)["serviceDeployments"][0]
    assert newest["status"] == "ROLLBACK_SUCCESSFUL"
    whole = longshore.ecs.describe_service_deployments(serviceDeploymentArns=[newest["serviceDeploymentArn"]])["serviceDeployments"][0]
    breaker = whole["deploymentCircuitBreaker"]
    assert (breaker["status"], breaker["threshold"]) == ("TRIGGERED", 3), whole
    # Tasks that were on their way when the third failed may be counted with it.
    assert breaker["failureCount"] >= 3, whole
    assert whole["rollback"]["serviceRevisionArn"] != whole["targetServiceRevision"]["arn"]
    service.delete()


def test_without_rollback_the_deployment_is_failed(longshore):
    broken = longshore.register("hopeless", NAP | {"image": "nowhere.invalid/none:1"}, networkMode="none")
    service = Service(longshore, broken, 2, deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": False}})
    state = lambda: service.describe()["deployments"][0]
    eventually(lambda: state()["rolloutState"] == "FAILED", "the deployment to fail", 60)
    assert state()["rolloutStateReason"] == "ECS deployment circuit breaker: tasks failed to start."
    service.delete()


def test_crashes_are_replaced_at_once_and_crash_loops_slow_down(longshore):
    mark = uuid.uuid4().hex
    marked = NAP | {"environment": [{"name": "MARK", "value": mark}]}
    service = Service(longshore, longshore.register("marked", marked, networkMode="none"), 3)
    service.stable()
    before = {task["taskArn"] for task in service.tasks()}
    for pid in processes(mark):
        os.kill(pid, signal.SIGKILL)
    running = lambda: [t for t in service.tasks() if t["lastStatus"] == "RUNNING" and t["taskArn"] not in before]
    eventually(lambda: len(running()) == 3, "three new tasks")
    service.stable()
    service.delete()

    looping = longshore.register("looping", NAP | {"command": ["sh", "-c", "exit 1"]}, networkMode="none")
    service = Service(longshore, looping, 1)
    impaired = f"(service {service.name}) is unable to consistently start tasks successfully."
    eventually(lambda: any(e.startswith(impaired) for e in service.events()), "the impairment to be told")
    time.sleep(3)
    assert len(service.tasks("STOPPED")) < 12, "not as fast as they end"
    service.delete()


def test_scaling_and_its_waiters(longshore):
    service = Service(longshore, longshore.register("scaled", NAP, networkMode="none"), 1, name="scaled")
    longshore.aws("ecs", "wait", "services-stable", "--services", "scaled")
    primary = service.describe()["deployments"][0]["id"]
    service.update(desiredCount=5)
    assert service.stable()["runningCount"] == 5
    service.update(desiredCount=2)
    after = service.stable()
    assert (after["runningCount"], after["deployments"][0]["id"]) == (2, primary)
    longshore.aws("ecs", "wait", "tasks-running", "--tasks", *[task["taskArn"] for task in service.tasks()])
    refused = longshore.aws("ecs", "delete-service", "--service", "scaled", check=False)
    assert "The service cannot be stopped while it is scaled above 0." in refused.stderr
    service.update(desiredCount=0)
    service.stable()
    assert longshore.aws("ecs", "delete-service", "--service", "scaled")["service"]["status"] == "DRAINING"
    longshore.aws("ecs", "wait", "services-inactive", "--services", "scaled")
    again = Service(longshore, "scaled", 1, name="scaled")
    assert again.stable()["runningCount"] == 1
    again.delete()


def test_what_does_not_run_is_scaled_in_before_what_is_newer(longshore, tmp_path):
    # A task that begins while the gate is shut waits for ever.
    script = "trap 'exit 0' TERM; test -e /gate/open && exit 0; touch /gate/shut; while :; do sleep 0.1; done"
    gate = {"name": "gate", "essential": False, "command": ["sh", "-c", script], "memory": 16,
            "mountPoints": [{"sourceVolume": "gate", "containerPath": "/gate"}]}
    gated = NAP | {"dependsOn": [{"containerName": "gate", "condition": "SUCCESS"}]}
    definition = longshore.register("gated", gated, gate, networkMode="none",
                                    volumes=[{"name": "gate", "host": {"sourcePath": str(tmp_path)}}])
    (tmp_path / "open").touch()
    service = Service(longshore, definition, 2)
    service.stable()
    first = {task["taskArn"] for task in service.tasks()}
    (tmp_path / "open").unlink()
    service.update(desiredCount=3)
    waits = lambda: [t for t in service.tasks() if [c["lastStatus"] for c in t["containers"] if c["name"] == "gate"] == ["RUNNING"]]
    [pending] = eventually(waits, "the third to wait at the gate")
    eventually((tmp_path / "shut").exists, "it to have found the gate shut")
    assert pending["lastStatus"] == "PENDING"
    (tmp_path / "open").touch()
    service.update(desiredCount=4)
    eventually(lambda: service.describe()["runningCount"] == 3, "the fourth to run")
    [newest] = [t["taskArn"] for t in service.tasks() if t["taskArn"] not in first | {pending["taskArn"]}]
    service.update(desiredCount=3)
    assert service.stable()["runningCount"] == 3
    assert {task["taskArn"] for task in service.tasks()} == first | {newest}
    assert longshore.describe(pending["taskArn"])["lastStatus"] == "STOPPED"
    service.delete()


def test_an_external_services_task_sets_run_side_by_side(longshore):
    """Two task sets with real containers: each keeps its share, says why it cannot, and one takes over from the other."""
    ecs, name, mark = longshore.ecs, f"ext-{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
    blue = longshore.register("sets", NAP, networkMode="none")
    green = longshore.register("sets", NAP | {"environment": [{"name": "MARK", "value": mark}]}, networkMode="none")
    ecs.create_service(serviceName=name, desiredCount=2, deploymentController={"type": "EXTERNAL"})
    of = {"cluster": "default", "service": name}
    create = lambda definition, share: ecs.create_task_set(
        **of, taskDefinition=definition, scale={"value": share, "unit": "PERCENT"})["taskSet"]
    sets = lambda: {s["id"]: s for s in ecs.describe_task_sets(**of)["taskSets"]}
    told = lambda: [e["message"] for e in ecs.describe_services(services=[name])["services"][0]["events"]]

    def running(task_set: dict) -> list[str]:
        arns = ecs.list_tasks(startedBy=task_set["id"])["taskArns"]
        tasks = ecs.describe_tasks(tasks=arns)["tasks"] if arns else []
        return [t["taskArn"] for t in tasks if t["lastStatus"] == "RUNNING" and t["desiredStatus"] == "RUNNING"]

    def steady(task_set: dict, count: int) -> None:
        is_steady = lambda: (found := sets()[task_set["id"]])["stabilityStatus"] == "STEADY_STATE" and found["runningCount"] == count
        eventually(is_steady, f"{count} tasks of {task_set['id']}; {sets()}; {told()}", 120)

    first = create(blue, 100.0)
    steady(first, 2)
    assert f"(service {name}, taskSet {first['id']}) updated state to STEADY_STATE." in told()
    assert sets()[first["id"]]["status"] == "ACTIVE"
    assert ecs.update_service_primary_task_set(**of, primaryTaskSet=first["id"])["taskSet"]["status"] == "PRIMARY"

    second = create(green, 50.0)
    steady(second, 1)
    assert (len(running(first)), len(running(second)), len(processes(mark))) == (2, 1, 1)
    before = running(second)
    os.kill(processes(mark)[0], signal.SIGKILL)
    eventually(lambda: running(second) and running(second) != before, "another task of the second set")
    ecs.update_task_set(**of, taskSet=second["id"], scale={"value": 100.0, "unit": "PERCENT"})
    steady(second, 2)
    assert len(processes(mark)) == 2
    ecs.update_service_primary_task_set(**of, primaryTaskSet=second["id"])
    assert {s["id"]: s["status"] for s in sets().values()} == {first["id"]: "ACTIVE", second["id"]: "PRIMARY"}

    kept = running(first)
    assert ecs.update_task_protection(cluster="default", tasks=kept, protectionEnabled=True)["failures"] == []
    ecs.update_task_set(**of, taskSet=first["id"], scale={"value": 0.0, "unit": "PERCENT"})
    why = (f"(service {name}) was unable to reach steady state because (taskSet {first['id']}) was unable to scale in due to "
           "(reason 2 tasks under protection)")
    eventually(lambda: why in told(), f"why it does not scale in; {told()}")
    assert sorted(running(first)) == sorted(kept)
    ecs.update_task_protection(cluster="default", tasks=kept, protectionEnabled=False)
    eventually(lambda: not running(first), "the first set to scale in", 60)
    ecs.delete_task_set(**of, taskSet=first["id"])
    eventually(lambda: list(sets()) == [second["id"]], "the first set to be gone", 60)
    assert len(running(second)) == 2
    ecs.delete_service(service=name, force=True)
    gone = lambda: ecs.describe_services(services=[name])["services"][0]["status"] == "INACTIVE" and not processes(mark)
    eventually(gone, "the service to be gone with its containers", 60)


def test_a_task_without_room_says_what_is_lacking(longshore):
    big = longshore.register("big", NAP | {"memory": 4_000_000}, networkMode="none")
    service = Service(longshore, big, 1)
    lacking = f"(service {service.name}) was unable to place a task because no container instance met all of its requirements. The closest matching (container-instance "
    told = lambda: [e for e in service.events() if e.startswith(lacking) and "has insufficient memory available." in e]
    eventually(told, "the lack of room to be told")
    time.sleep(3)
    assert len(told()) == 1, "told once"
    service.update(taskDefinition=longshore.register("big", NAP, networkMode="none"))
    service.stable()
    service.delete()


def test_a_daemon_has_the_room_of_an_instance_before_others(fresh):
    """One instance with room for one of two tasks: the DAEMON's goes there, though the other service waited longer."""
    instance = fresh.ecs.list_container_instances()["containerInstanceArns"][0]
    described = fresh.ecs.describe_container_instances(containerInstances=[instance])["containerInstances"][0]
    cpu = next(r["integerValue"] for r in described["registeredResources"] if r["name"] == "CPU")
    big = fresh.register("big", NAP | {"cpu": cpu * 6 // 10}, networkMode="none")
    state = lambda status: fresh.ecs.update_container_instances_state(containerInstances=[instance], status=status)
    assert state("DRAINING")["failures"] == []
    # By name, and by how long it has waited, the other service comes first.
    other = Service(fresh, big, 1, name="a-other")
    eventually(lambda: any("was unable to place a task" in e for e in other.events()), "the other to wait for room")
    daemon = Service(fresh, big, None, name="z-daemon", schedulingStrategy="DAEMON")
    assert not daemon.tasks() and not other.tasks()
    assert state("ACTIVE")["failures"] == []
    running = lambda service: [t for t in service.tasks() if t["lastStatus"] == "RUNNING"]
    eventually(lambda: running(daemon), f"the daemon's task; {other.events()}")
    assert not other.tasks()
    daemon.delete()
    eventually(lambda: running(other), "the other's task in its place", 60)
    other.delete()


def test_unhealthy_tasks_are_replaced(longshore, tmp_path):
    # Only the first container falls sick.
    check = {"command": ["CMD-SHELL", "! test -e /tmp/first || ! test -e /state/sick"], "interval": 5, "timeout": 2, "retries": 1}
    script = "test -e /state/once || touch /state/once /tmp/first; " + NAP["command"][2]
    checked = NAP | {"command": ["sh", "-c", script], "healthCheck": check,
                     "mountPoints": [{"sourceVolume": "state", "containerPath": "/state"}]}
    definition = longshore.register("checked", checked, networkMode="none",
                                    volumes=[{"name": "state", "host": {"sourcePath": str(tmp_path)}}])
    service = Service(longshore, definition, 1)
    service.stable()
    first = service.tasks()[0]["taskArn"]
    (tmp_path / "sick").touch()
    eventually(lambda: longshore.describe(first)["healthStatus"] == "UNHEALTHY", "it to be unhealthy")
    others = lambda: [t for t in service.tasks() if t["taskArn"] != first]
    eventually(others, "its replacement to be started first")
    ended = lambda: longshore.describe(first)["lastStatus"] == "STOPPED"
    eventually(ended, "it to be stopped", 60)
    assert longshore.describe(first)["stoppedReason"] == "Task failed container health checks"
    assert f"(service {service.name}) (task {first.rsplit('/')[-1]}) failed container health checks." in service.events()
    service.stable()
    service.delete()


@pytest.mark.parametrize("roles", [["agent"], ["server"], ["up"], ["agent", "server", "up"]])
def test_kills_leave_three_tasks(fresh, roles):
    mark = uuid.uuid4().hex
    web = HELLO | {"environment": [{"name": "MARK", "value": mark}]}
    service = Service(fresh, fresh.register("web", web, networkMode="bridge"), 3)
    service.stable()
    for turn in range(2):
        before = {task["taskArn"] for task in service.tasks()}
        killed = processes(mark)[:1 + turn * 2]
        for role in roles:
            fresh.kill(role)
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        if "up" in roles:
            fresh.up()
        eventually(fresh.ready, "longshore to be back")
        replaced = lambda: len(before - {task["taskArn"] for task in service.tasks()}) == len(killed)
        eventually(lambda: replaced() and serving(service) == 3, f"three tasks again after {roles}", 60)
        after = service.stable()
        assert after["runningCount"] == 3
    eventually(lambda: len(processes(mark)) == 3, "no container but those of the three")
    service.delete()
    eventually(lambda: not processes(mark), "nothing to be left")
