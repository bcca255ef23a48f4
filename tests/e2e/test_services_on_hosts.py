"""Services over several hosts: drained, added, lost and returned ones, and which tasks go first."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from clients import HEALTHY_AFTER_S, Clients, ask
from harness import eventually
from test_services import HELLO, NAP, Service, Watch

HALF = {"minimumHealthyPercent": 50, "maximumPercent": 100}


def where(service: Service) -> Counter[str]:
    return Counter(task["containerInstanceArn"] for task in service.tasks())


def test_draining_and_daemons_over_three_hosts(site):
    api = site.server("--timing", "fast")
    hosts = [site.joined() for _ in range(3)]
    nap = api.register("nap", NAP, networkMode="none")
    replicas = Service(api, nap, 3)
    daemon = Service(api, nap, None, schedulingStrategy="DAEMON")
    assert replicas.stable()["runningCount"] == 3
    assert daemon.stable()["desiredCount"] == 3
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
    hosts = {host.arn: host for host in [site.joined() for _ in range(3)]}
    web = HELLO | {"portMappings": [{"containerPort": 80, "hostPort": 8080}]}
    service = Service(api, api.register("web", web, networkMode="bridge"), 3, deploymentConfiguration=HALF)
    service.stable()
    old = {task["containerInstanceArn"]: task["taskArn"] for task in service.tasks()}
    assert old.keys() == hosts.keys()
    newer = api.register("web", web | {"environment": [{"name": "N", "value": "2"}]}, networkMode="bridge")
    with Clients(lambda: {arn: (host.address, 8080) for arn, host in hosts.items()}) as clients:
        eventually(lambda: len(clients.of) == 3 and clients.each_asked(20), "three clients to ask")
        assert not any(client.failed() for client in clients.of.values())
        service.update(taskDefinition=newer)
        service.stable()
        asked = max(len(client.requests) for client in clients.of.values())
        eventually(lambda: clients.each_asked(asked + 20), "the new tasks to be asked")
    new = {task["containerInstanceArn"]: task for task in service.tasks()}
    assert new.keys() == hosts.keys() and {task["taskDefinitionArn"] for task in new.values()} == {newer}

    # No host failed but from when its old task was asked to stop until its new one counted, and no two did at once.
    span = lambda arn: (api.describe(old[arn])["stoppingAt"].timestamp(), new[arn]["startedAt"].timestamp() + HEALTHY_AFTER_S)
    replaced = {arn: span(arn) for arn in hosts}
    astray = {arn: [r for r in clients.of[arn].failed() if not r.meets(replaced[arn])] for arn in hosts}
    assert not any(astray.values()), (astray, replaced)
    first, second, third = sorted(replaced.values())
    assert first[1] <= second[0] and second[1] <= third[0], replaced
    for arn, client in clients.of.items():
        assert client.requests[0].said is not None and client.requests[-1].said is not None, arn


# Says in a file of the test's, which all see, when it starts and when it is over; the latter takes its time.
TELLS = ("echo starts $HOSTNAME >> /told/log; trap 'usleep 1500000; echo ends $HOSTNAME >> /told/log; exit 0' TERM; "
         "while :; do sleep 0.1; done")


class Told:
    """What containers said of themselves, in order, of services whose tasks are known to the API."""

    def __init__(self, directory: Path, services: list[Service]):
        by_id = {}
        for service in services:
            for task in service.tasks() + service.tasks("STOPPED"):
                if "runtimeId" in task["containers"][0]:
                    by_id[task["containers"][0]["runtimeId"][:12]] = (service, task)
        lines = [line.split() for line in (directory / "log").read_text().splitlines()]
        assert {id for _, id in lines} <= by_id.keys(), "every container is some task's"
        self.lines = [(word, *by_id[id]) for word, id in lines]

    def most(self, service: Service) -> int:
        """How many of its containers ran at once at most, on whatever host."""
        running = most = 0
        for word, of, _ in self.lines:
            if of is service:
                running += {"starts": 1, "ends": -1}[word]
                most = max(most, running)
        return most

    def on(self, instance: str) -> list[tuple[str, str]]:
        """What began and ended there: the word and the task."""
        return [(word, task["taskArn"]) for word, _, task in self.lines if task["containerInstanceArn"] == instance]


def test_a_lost_host_stops_what_was_replaced_before_it_starts_anything(site, tmp_path):
    api = site.server("--timing", "fast", "--host-lost-after", "5s")
    hosts = [site.joined() for _ in range(3)]
    lost = hosts[0].arn
    tells = NAP | {"command": ["sh", "-c", TELLS], "mountPoints": [{"sourceVolume": "told", "containerPath": "/told"}]}
    definition = api.register("tells", tells, networkMode="none", volumes=[{"name": "told", "host": {"sourcePath": str(tmp_path)}}])
    replicas = Service(api, definition, 3, deploymentConfiguration=HALF)
    apart = Service(api, definition, 3, deploymentConfiguration=HALF, placementConstraints=[{"type": "distinctInstance"}])
    daemon = Service(api, definition, None, schedulingStrategy="DAEMON")
    services = [replicas, apart, daemon]
    for service in services:
        service.stable()
        assert where(service) == {host.arn: 1 for host in hosts}
    orphans = {task["taskArn"] for service in services for task in service.tasks() if task["containerInstanceArn"] == lost}
    wanted = lambda service: len(api.ecs.list_tasks(serviceName=service.name)["taskArns"])
    with Watch(lambda: max(map(wanted, services))) as watch:
        site.lan.plug(hosts[0].cable, "down")
        eventually(lambda: all(lost not in where(service) for service in services), "the host to be lost", 90)
        # One has room elsewhere; one may not have two on a host; one belongs on each host that there is.
        eventually(lambda: replicas.describe()["runningCount"] == 3, "the lost task to be replaced")
        assert apart.describe()["runningCount"] == 2
        assert daemon.describe()["desiredCount"] == 2
        stopped = [task for service in services for task in service.tasks("STOPPED") if task["containerInstanceArn"] == lost]
        assert {task["taskArn"] for task in stopped} == orphans
        assert {task["stopCode"] for task in stopped} == {"TerminationNotice"}
        told = Told(tmp_path, services)
        assert [word for word, _ in told.on(lost)] == ["starts"] * 3, "the host that was cut off runs on"
        assert told.most(replicas) == 4
        site.lan.plug(hosts[0].cable, "up")
        back = lambda: all(where(service)[lost] == 1 for service in (apart, daemon))
        eventually(back, "the host to take tasks again", 60)
        for service in services:
            assert service.stable()["runningCount"] == 3
    assert max(watch.seen) == 3, f"100 percent of three were exceeded: {Counter(watch.seen)}"

    told = Told(tmp_path, services)
    on_host = told.on(lost)
    assert [word for word, _ in on_host] == ["starts"] * 3 + ["ends"] * 3 + ["starts"] * 2, on_host
    assert {arn for _, arn in on_host[:3]} == {arn for _, arn in on_host[3:6]} == orphans
    assert {arn for _, arn in on_host[6:]}.isdisjoint(orphans)
    # On machines, too, there never were more, but for the one that nobody could reach.
    assert [told.most(service) for service in services] == [4, 3, 3]


def zones(tasks: list[dict]) -> Counter[str]:
    return Counter(task["availabilityZone"] for task in tasks)


def test_scaling_in_takes_the_newest_of_the_fullest_zone_and_no_protected_one(site):
    api = site.server("--timing", "fast")
    for zone in ("us-east-1a", "us-east-1b"):
        site.joined("--zone", zone)
    service = Service(api, api.register("nap", NAP, networkMode="none"), 1)
    service.stable()
    for count in range(2, 7):
        service.update(desiredCount=count)
        service.stable()
        assert max(zones(service.tasks()).values()) - min(zones(service.tasks()).values()) <= 1, "spread over zones"

    def scaled_in(to: int) -> tuple[list[dict], dict]:
        """The tasks before, and the one that went."""
        before = service.tasks()
        service.update(desiredCount=to)
        service.stable()
        kept = {task["taskArn"] for task in service.tasks()}
        [gone] = [task for task in before if task["taskArn"] not in kept]
        assert api.describe(gone["taskArn"])["stoppedReason"].startswith("Scaling activity initiated by (deployment ecs-svc/")
        return before, gone

    newest = lambda tasks: max(tasks, key=lambda task: task["createdAt"])
    before, gone = scaled_in(5)
    assert gone["taskArn"] == newest(before)["taskArn"], "of two zones that are as full the newest of all"
    before, gone = scaled_in(4)
    assert zones(before)[gone["availabilityZone"]] == 3, "of the zone that has more"
    assert gone["taskArn"] == newest([t for t in before if t["availabilityZone"] == gone["availabilityZone"]])["taskArn"]
    assert set(zones(service.tasks()).values()) == {2}
    shielded = newest(service.tasks())["taskArn"]
    api.ecs.update_task_protection(cluster="default", tasks=[shielded], protectionEnabled=True, expiresInMinutes=5)
    before, gone = scaled_in(3)
    assert gone["taskArn"] == newest([task for task in before if task["taskArn"] != shielded])["taskArn"]
    api.ecs.update_task_protection(cluster="default", tasks=[shielded], protectionEnabled=False)
    before, gone = scaled_in(2)
    assert zones(before)[gone["availabilityZone"]] == 2 and set(zones(service.tasks()).values()) == {1}


def test_a_daemon_comes_and_goes_with_what_its_constraint_asks_of_hosts(site):
    api = site.server("--timing", "fast")
    ecs = api.ecs
    web, other = site.joined("--attribute", "role=web"), site.joined("--attribute", "role=db")
    nap = api.register("nap", NAP, networkMode="none")
    daemon = Service(api, nap, None, schedulingStrategy="DAEMON",
                     placementConstraints=[{"type": "memberOf", "expression": "attribute:role == web"}])
    assert daemon.stable()["desiredCount"] == 1
    assert where(daemon) == {web.arn: 1}
    role = lambda host, value: {"name": "role", "value": value, "targetId": host.arn}
    ecs.put_attributes(attributes=[role(other, "web")])
    eventually(lambda: where(daemon) == {web.arn: 1, other.arn: 1}, "the daemon to be on what matches now")
    assert daemon.stable()["desiredCount"] == 2
    [task] = [task for task in daemon.tasks() if task["containerInstanceArn"] == web.arn]
    ecs.put_attributes(attributes=[role(web, "db")])
    eventually(lambda: api.describe(task["taskArn"])["lastStatus"] == "STOPPED", "the daemon to leave what does not match")
    told = f"(task {task['taskArn'].rsplit('/', 1)[1]})"
    violated = lambda: [e for e in daemon.events() if "no longer meets the placement constraints" in e]
    assert violated() == [f"(service {daemon.name}) stopped {told} because its container instance no longer meets the placement constraints."]
    assert daemon.stable()["desiredCount"] == 1 and where(daemon) == {other.arn: 1}
    third = site.joined("--attribute", "role=web")
    eventually(lambda: where(daemon) == {other.arn: 1, third.arn: 1}, "the daemon to be on a new host")
    ecs.deregister_container_instance(containerInstance=third.arn, force=True)
    eventually(lambda: where(daemon) == {other.arn: 1}, "the daemon to go with its host")
    assert daemon.stable()["desiredCount"] == 1
