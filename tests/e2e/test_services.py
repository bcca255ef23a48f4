"""Services: a desired count, kept through crashes, deployments, drains and kills."""

from __future__ import annotations

import http.client
import os
import signal
import threading
import time
import uuid
from collections import Counter
from pathlib import Path

import pytest
from harness import eventually

HELLO = {"name": "app", "image": "longshore/hello", "memory": 32, "portMappings": [{"containerPort": 80}]}
NAP = {"name": "app", "command": ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"], "memory": 32, "cpu": 16}
HALF = {"minimumHealthyPercent": 50, "maximumPercent": 100}


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


def answers(address: str, port: int) -> bool:
    connection = http.client.HTTPConnection(address, port, timeout=2)
    try:
        connection.request("GET", "/", headers={"Connection": "close"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


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
        good = {arn for arn, port in before.items() if answers("127.0.0.1", port)}
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


def test_a_service_is_updated_without_ever_serving_less(longshore):
    definition = longshore.register("web", HELLO, networkMode="bridge")
    service = Service(longshore, definition, enableECSManagedTags=True, propagateTags="SERVICE",
                      tags=[{"key": "team", "value": "web"}])
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

    newer = longshore.register("web", HELLO | {"environment": [{"name": "N", "value": "2"}]}, networkMode="bridge")
    with Watch(lambda: serving(service)) as watch:
        time.sleep(0.1)
        answer = service.update(taskDefinition=newer)
        assert [d["status"] for d in answer["deployments"]] == ["PRIMARY", "ACTIVE"]
        second = service.stable()
    assert len(watch.seen) > 20 and min(watch.seen) >= 3, Counter(watch.seen)
    assert {task["taskDefinitionArn"] for task in service.tasks()} == {newer}
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
    assert whole["deploymentCircuitBreaker"] == {"status": "TRIGGERED", "failureCount": 3, "threshold": 3}, whole
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


def test_draining_and_daemons_over_three_hosts(site):
    api = site.server("--timing", "fast")
    hosts = [site.joined() for _ in range(3)]
    nap = api.register("nap", NAP, networkMode="none")
    replicas = Service(api, nap, 3)
    daemon = Service(api, nap, None, schedulingStrategy="DAEMON")
    assert replicas.stable()["runningCount"] == 3
    assert daemon.stable()["desiredCount"] == 3
    where = lambda service: Counter(task["containerInstanceArn"] for task in service.tasks())
    assert set(where(replicas).values()) == {1} and set(where(daemon).values()) == {1}

    with Watch(lambda: sum(t["lastStatus"] == "RUNNING" for t in replicas.tasks())) as watch:
        api.ecs.update_container_instances_state(containerInstances=[hosts[0].arn], status="DRAINING")
        left = lambda: hosts[0].arn not in where(replicas) and hosts[0].arn not in where(daemon)
        eventually(left, "the drained host to be left")
    assert min(watch.seen) >= 3, watch.seen
    assert replicas.stable()["runningCount"] == 3
    assert daemon.stable()["desiredCount"] == 2
    api.ecs.update_container_instances_state(containerInstances=[hosts[0].arn], status="ACTIVE")
    eventually(lambda: where(daemon)[hosts[0].arn] == 1, "the daemon to be on it again")
    later = site.joined()
    eventually(lambda: where(daemon)[later.arn] == 1, "the daemon to be on a new host")


def test_a_static_port_on_three_hosts_is_updated_host_by_host(site):
    api = site.server("--timing", "fast")
    hosts = [site.joined() for _ in range(3)]
    web = HELLO | {"portMappings": [{"containerPort": 80, "hostPort": 8080}]}
    service = Service(api, api.register("web", web, networkMode="bridge"), 3, deploymentConfiguration=HALF)
    service.stable()
    serve = lambda: sum(answers(host.address, 8080) for host in hosts)
    assert serve() == 3
    newer = api.register("web", web | {"environment": [{"name": "N", "value": "2"}]}, networkMode="bridge")
    with Watch(serve) as watch:
        service.update(taskDefinition=newer)
        service.stable()
    assert min(watch.seen) >= 2, Counter(watch.seen)
    assert {task["taskDefinitionArn"] for task in service.tasks()} == {newer}


def test_a_lost_host_is_replaced_and_stops_what_was_replaced(site):
    api = site.server("--timing", "fast", "--host-lost-after", "5s")
    hosts = [site.joined() for _ in range(3)]
    mark = uuid.uuid4().hex
    marked = NAP | {"environment": [{"name": "MARK", "value": mark}]}
    service = Service(api, api.register("marked", marked, networkMode="none"), 3)
    service.stable()
    site.lan.plug(hosts[0].cable, "down")
    elsewhere = lambda: {t["containerInstanceArn"] for t in service.tasks() if t["lastStatus"] == "RUNNING"} == {hosts[1].arn, hosts[2].arn} and service.describe()["runningCount"] == 3
    eventually(elsewhere, "the lost task to be replaced", 90)
    stopped = [t for t in service.tasks("STOPPED") if t["containerInstanceArn"] == hosts[0].arn]
    assert stopped[0]["stopCode"] == "TerminationNotice", stopped
    assert len(processes(mark)) == 4, "the host that was cut off still runs its own"
    site.lan.plug(hosts[0].cable, "up")
    eventually(lambda: len(processes(mark)) == 3, "the returning host to stop it", 60)
    assert service.stable()["runningCount"] == 3
