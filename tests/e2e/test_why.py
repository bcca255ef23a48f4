"""`longshore why`: where a task went, what refused it, why it stopped and who asked, from the real binary."""

from __future__ import annotations

import json
import re
from typing import Iterator

import pytest
from botocore.exceptions import ClientError
from harness import Longshore, eventually

ROOT_ARN = "arn:aws:iam::000000000000:root"


def why(longshore: Longshore, of: str) -> dict:
    return json.loads(longshore.run("why", of, "--json").stdout)


def told(longshore: Longshore, of: str) -> str:
    return longshore.run("why", of).stdout


def request_id(answer: dict) -> str:
    return answer["ResponseMetadata"]["RequestId"]


def decisions(known: dict, kind: str) -> list[dict]:
    return [d for entry in known["entries"] for d in entry["decisions"] if d["kind"] == kind]


@pytest.fixture
def instance(longshore: Longshore) -> Iterator[str]:
    """The only container instance; active again afterwards."""
    arn = longshore.ecs.list_container_instances()["containerInstanceArns"][0]
    yield arn
    longshore.ecs.update_container_instances_state(containerInstances=[arn], status="ACTIVE")


def test_a_run_that_found_no_room_is_explained_by_its_request_id(longshore, instance):
    free = longshore.ecs.describe_container_instances(containerInstances=[instance])["containerInstances"][0]
    left = next(r["integerValue"] for r in free["remainingResources"] if r["name"] == "MEMORY")
    definition = longshore.register("why-large", {"name": "app", "memory": left + 1})
    answer = longshore.ecs.run_task(
        taskDefinition=definition, placementStrategy=[{"type": "binpack", "field": "memory"}],
        placementConstraints=[{"type": "memberOf", "expression": "attribute:ecs.os-type == linux"}],
    )
    assert [f["reason"] for f in answer["failures"]] == ["RESOURCE:MEMORY"]
    known = why(longshore, request_id(answer))
    assert known["kind"] == "request" and len(known["entries"]) == 1
    entry = known["entries"][0]
    assert (entry["operation"], entry["caller"], entry["refusal"]) == ("RunTask", ROOT_ARN, None)
    [placement] = entry["decisions"]
    assert placement["refused"] == {"RESOURCE:MEMORY": 1} and placement["placed"] == []
    assert placement["closest"] == [{
        "instance": instance.rsplit("/", 1)[1], "reason": "RESOURCE:MEMORY",
        "detail": f"needs {left + 1} MiB of memory, {left} are left",
    }]
    assert placement["strategy"] == ["binpack(memory)"]
    assert len(placement["constraints"]) == 1 and "ecs.os-type" in placement["constraints"][0]
    text = told(longshore, request_id(answer))
    assert "placed       0 of 1 tasks of why-large:1 on 1 container instances" in text
    assert f"needs {left + 1} MiB of memory, {left} are left" in text
    # The instance tells what it refused.
    assert placement in decisions(why(longshore, instance), "placement")


def test_a_call_that_was_refused_is_explained_by_its_request_id(longshore):
    with pytest.raises(ClientError) as refused:
        longshore.ecs.run_task(taskDefinition="why-none")
    entry = why(longshore, request_id(refused.value.response))["entries"][0]
    error = refused.value.response["Error"]
    assert entry["refusal"] == {"code": error["Code"], "message": error["Message"]}
    assert f"refused      {error['Code']}: {error['Message']}" in told(longshore, entry["request_id"])


def test_a_running_task_tells_where_it_went_and_one_asked_to_stop_who_asked(longshore, instance):
    definition = longshore.register("why-runs", {"name": "app", "command": ["sleep", "600"], "stopTimeout": 2})
    started = longshore.ecs.run_task(taskDefinition=definition, count=2, startedBy="me")
    arn, other = [task["taskArn"] for task in started["tasks"]]
    longshore.wait(arn, "RUNNING")
    known = why(longshore, arn)
    assert known["kind"] == "task" and known["log"]["is_complete"]
    task = known["task"]
    assert (task["arn"], task["last_status"], task["started_by"], task["stop"]) == (arn, "RUNNING", "me", None)
    assert task["instance"] == instance.rsplit("/", 1)[1]
    [entry] = known["entries"]
    assert (entry["request_id"], entry["caller"]) == (request_id(started), ROOT_ARN)
    [placement] = entry["decisions"]
    ids = [seat["task"] for seat in placement["placed"]]
    assert ids == [arn.rsplit("/", 1)[1], other.rsplit("/", 1)[1]]
    assert [seat["tasks_of_group"] for seat in placement["placed"]] == [0, 1]
    # The first digits will do.
    assert why(longshore, ids[0][:12])["task"] == task

    drained = longshore.ecs.update_container_instances_state(containerInstances=[instance], status="DRAINING")
    stopped = longshore.ecs.stop_task(task=arn, reason="nightly")
    again = longshore.ecs.stop_task(task=arn, reason="again")
    longshore.ecs.stop_task(task=other)
    longshore.wait(arn, "STOPPED")
    longshore.wait(other, "STOPPED")
    known = why(longshore, arn)
    assert known["task"]["stop"] == {"code": "UserInitiated", "reason": "nightly"}
    by_request = {entry["request_id"]: entry for entry in known["entries"]}
    assert by_request[request_id(stopped)]["decisions"][0]["is_first"] is True
    assert by_request[request_id(again)]["decisions"][0]["is_first"] is False
    assert by_request[request_id(drained)]["decisions"][0]["standing"] == "DRAINING"
    [confirmed] = [entry for entry in known["entries"] if entry["operation"] == "SubmitTaskStateChange"]
    assert confirmed["caller"] != ROOT_ARN and confirmed["decisions"][0]["kind"] == "stopped"
    text = told(longshore, arn)
    assert re.search(r"^stops +UserInitiated: nightly$", text, re.M), text
    assert f"StopTask by {ROOT_ARN}, request {request_id(stopped)}" in text
    assert re.search(r"^container +app: STOPPED, exit code \d+, essential", text, re.M), text


def test_a_task_that_ended_by_itself_tells_which_container_and_with_what_code(longshore):
    task = longshore.run_to_end({"name": "app", "command": ["sh", "-c", "exit 7"]})
    text = told(longshore, task["taskArn"])
    assert re.search(r"^stops +EssentialContainerExited: Essential container in task exited$", text, re.M), text
    assert re.search(r"^container +app: STOPPED, exit code 7, essential", text, re.M), text


def test_an_instance_tells_why_it_takes_no_task(longshore, instance):
    assert why(longshore, instance)["instance"]["takes_no_task_because"] == []
    assert re.search(r"^takes tasks +yes$", told(longshore, instance), re.M)
    drained = longshore.ecs.update_container_instances_state(containerInstances=[instance], status="DRAINING")
    known = why(longshore, instance)
    assert known["instance"]["takes_no_task_because"] == ["it is being drained"]
    assert known["entries"][-1]["request_id"] == request_id(drained)
    assert re.search(r"^takes tasks +no: it is being drained$", told(longshore, instance), re.M)


def test_what_is_not_known_is_said_with_how_far_the_log_reaches(longshore):
    done = longshore.run("why", "0123456789abcdef0123456789abcdef", check=False)
    assert done.returncode == 1 and "nothing is known of '0123456789abcdef0123456789abcdef'" in done.stderr
    assert re.search(r"The log reaches back to \d{4}-.*Z, 0 older entries fell out", done.stderr), done.stderr
    listed = request_id(longshore.ecs.list_tasks())
    assert longshore.run("why", listed, check=False).returncode == 1


def test_after_a_restart_the_records_still_tell_and_the_log_says_what_it_lost(fresh):
    task = fresh.run_to_end({"name": "app", "command": ["sh", "-c", "exit 3"]})
    assert why(fresh, task["taskArn"])["entries"] != []
    fresh.kill("server")
    eventually(fresh.ready, "the server to be back")
    known = why(fresh, task["taskArn"])
    assert known["log"]["is_complete"] is False and known["entries"] == []
    text = told(fresh, task["taskArn"])
    assert re.search(r"^container +app: STOPPED, exit code 3, essential", text, re.M), text
    assert re.search(r"^log +decisions before .* are known no more", text, re.M), text


def test_a_service_tells_what_it_waits_for(longshore, instance):
    free = longshore.ecs.describe_container_instances(containerInstances=[instance])["containerInstances"][0]
    left = next(r["integerValue"] for r in free["remainingResources"] if r["name"] == "MEMORY")
    large = longshore.register("why-service", {"name": "app", "memory": left + 1})
    small = longshore.register("why-service", {"name": "app", "image": "longshore/hello", "memory": 32}, networkMode="none")
    name = "why-service"
    service = longshore.ecs.create_service(serviceName=name, taskDefinition=large, desiredCount=2)["service"]
    try:
        waits = lambda: why(longshore, name)["service"]["waits_for"]
        eventually(lambda: [wait["kind"] for wait in waits()] == ["no-place"], "no place to be found")
        known = why(longshore, service["serviceArn"])
        assert known["kind"] == "service" and known["service"]["limits"] == {"minimum_healthy": 2, "maximum": 4}
        [wait] = known["service"]["waits_for"]
        assert wait["missing"] == 2 and wait["refused"] == {"RESOURCE:MEMORY": 1}
        assert wait["closest"][0]["instance"] == instance.rsplit("/", 1)[1]
        assert decisions(known, "placement")[-1]["group"] == f"service:{name}"
        text = told(longshore, f"default/{name}")
        assert re.search(r"^waits for +room: 2 tasks are missing, and no container instance takes one$", text, re.M), text
        assert f"needs {left + 1} MiB of memory, {left} are left" in text
        assert re.search(r"^event +\S+ \(service why-service\) was unable to place a task", text, re.M), text

        longshore.ecs.update_service(service=name, taskDefinition=small)
        eventually(lambda: why(longshore, name)["service"]["steady_since"], f"{name} to be steady")
        known = why(longshore, name)["service"]
        assert known["waits_for"] == [] and known["looks_again_at"]
        [deployment] = known["deployments"]
        assert (deployment["running"], deployment["state"]) == (2, "COMPLETED")
        assert known["events"][0][1] == f"(service {name}) has reached a steady state."
        assert re.search(r"^steady +since \S+Z$", told(longshore, name), re.M)
        # Somebody stops a task: who it was is told of the service too.
        victim = longshore.ecs.list_tasks(serviceName=name)["taskArns"][0]
        stopped = longshore.ecs.stop_task(task=victim, reason="look here")
        asked = [entry["request_id"] for entry in why(longshore, name)["entries"]]
        assert request_id(stopped) in asked
    finally:
        longshore.ecs.delete_service(service=name, force=True)
        gone = lambda: longshore.ecs.describe_services(services=[name])["services"][0]["status"] == "INACTIVE"
        eventually(lambda: gone() and not longshore.ecs.list_tasks(serviceName=name)["taskArns"], f"{name} to be gone")


def test_a_service_with_uneven_zones_tells_why_nothing_moves(site):
    api = site.server("--timing", "fast")
    site.joined("--zone", "us-east-1a")
    name, nap = "uneven", {"name": "app", "command": ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"], "stopTimeout": 2, "memory": 32}
    only = {"type": "memberOf", "expression": "attribute:ecs.availability-zone == us-east-1a"}
    api.ecs.create_service(
        serviceName=name, taskDefinition=api.register(name, nap, networkMode="none"), desiredCount=2, placementConstraints=[only])
    eventually(lambda: why(api, name)["service"]["steady_since"], f"{name} to be steady")
    assert why(api, name)["service"]["waits_for"] == []
    other = site.joined("--zone", "us-east-1b")

    def uneven(because: str) -> dict | None:
        found = [wait for wait in why(api, name)["service"]["waits_for"] if wait.get("why") == because]
        return found[0] if found else None

    wait = eventually(lambda: uneven("no-place"), "the zone to have been tried")
    assert wait["kind"] == "uneven" and wait["tasks_by_zone"] == {"us-east-1a": 2, "us-east-1b": 0}
    assert wait["lacking"] == ["us-east-1b"] and wait["tries"] >= 1 and wait["until"]
    assert [refusal["instance"] for refusal in wait["closest"]] == [other.arn.rsplit("/", 1)[1]]
    words = r"^waits for +even zones \(2 tasks in us-east-1a, 0 tasks in us-east-1b\): us-east-1b took no task in \d+ tries; the next is at "
    eventually(lambda: re.search(words, told(api, name), re.M), "it to be told in words")

    tasks = api.ecs.list_tasks(serviceName=name)["taskArns"]
    protect = lambda enabled: api.ecs.update_task_protection(cluster="default", tasks=tasks, protectionEnabled=enabled)
    protect(True)
    assert eventually(lambda: uneven("protected"), "protection to be in the way")["protected"] == 2
    protect(False)
    # With the constraint goes what was in the way: one task moves.
    api.ecs.update_service(service=name, placementConstraints=[])

    def zones() -> list[str]:
        found = api.ecs.describe_tasks(tasks=api.ecs.list_tasks(serviceName=name)["taskArns"])["tasks"]
        return sorted(task["availabilityZone"] for task in found)

    eventually(lambda: zones() == ["us-east-1a", "us-east-1b"] and why(api, name)["service"]["waits_for"] == [], "its zones to be even")
