"""Task definitions of the kinds that real stacks have, registered by the AWS CLI and run for real."""

import json
import urllib.request
from pathlib import Path

import pytest
from harness import eventually

DIRECTORY = Path(__file__).parent / "definitions"
READ_ONLY = {"taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities", "registeredAt", "registeredBy"}


def registered(longshore, name):
    answer = longshore.aws("ecs", "register-task-definition", "--cli-input-json", f"file://{DIRECTORY / name}.json")
    return answer["taskDefinition"]


def run(longshore, name, status="RUNNING"):
    arn = longshore.start(registered(longshore, name)["taskDefinitionArn"])[0]
    return longshore.wait(arn, status)


def container(task, name):
    return next(c for c in task["containers"] if c["name"] == name)


def get(task, name, path="/"):
    port = next(b["hostPort"] for b in container(task, name)["networkBindings"] if b["protocol"] == "tcp")

    def answer():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return answer.read().decode()
        except OSError:  # it runs, and does not listen yet
            return None
    return eventually(answer, f"{name} to answer")


def lines(longshore, group, stream):
    def found():
        try:
            events = longshore.logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)["events"]
        except longshore.logs.exceptions.ResourceNotFoundException:
            return []
        return [event["message"] for event in events]
    return eventually(found, f"lines in {group} {stream}")


@pytest.mark.parametrize("name", sorted(path.stem for path in DIRECTORY.glob("*.json")))
def test_what_is_described_can_be_registered_again_with_the_same_result(longshore, name):
    first = registered(longshore, name)
    again = longshore.ecs.register_task_definition(**{k: v for k, v in longshore.ecs.describe_task_definition(
        taskDefinition=first["taskDefinitionArn"])["taskDefinition"].items() if k not in READ_ONLY})["taskDefinition"]
    kept = lambda definition: json.loads(json.dumps({k: v for k, v in definition.items() if k not in READ_ONLY}))
    assert kept(again) == kept(first)
    asked = json.loads((DIRECTORY / f"{name}.json").read_text())
    assert [c["name"] for c in first["containerDefinitions"]] == [c["name"] for c in asked["containerDefinitions"]]


def test_a_web_application_with_a_log_router_and_a_sidecar(longshore):
    task = run(longshore, "web")
    id_ = task["taskArn"].rsplit("/")[-1]
    assert lines(longshore, "/ecs/storefront", f"web/web/{id_}") == ["serving"]
    assert get(task, "web") == get(task, "web", "/index.html") == "Hello from production\n"
    # The router reads what the web server writes to their common volume, and forwards it.
    forwarded = [f"storefront {what}" for what in ("url:/", "response:200", "url:/index.html", "response:200")]
    routed = lambda: lines(longshore, "/ecs/storefront/access", f"router/log-router/{id_}")
    eventually(lambda: len(routed()) >= len(forwarded), "the router to have forwarded all")
    assert routed() == forwarded
    longshore.aws("ecs", "stop-task", "--task", task["taskArn"])
    stopped = longshore.wait(task["taskArn"], "STOPPED")
    ends = {c["name"]: (c.get("exitCode"), c.get("reason")) for c in stopped["containers"]}
    assert ends == {name: (0, None) for name in ("web", "log-router", "sidecar")}, longshore.tail()


def test_a_batch_job_after_its_preparation(longshore):
    task = run(longshore, "batch", "STOPPED")
    ends = {c["name"]: (c.get("exitCode"), c.get("reason")) for c in task["containers"]}
    assert (task["stopCode"], ends) == ("EssentialContainerExited", {"report": (3, None), "prepare": (0, None)}), longshore.tail()
    assert lines(longshore, "/batch", f"nightly/report/{task['taskArn'].rsplit('/')[-1]}") == ["12 rows"]
    assert (task["cpu"], task["memory"]) == ("256", "256")


def test_an_api_that_waits_for_a_migration_and_a_healthy_cache(longshore):
    task = run(longshore, "migrate")
    assert container(task, "migrate")["exitCode"] == 0
    assert container(task, "cache")["healthStatus"] == "HEALTHY"
    assert "Hello" in get(task, "api")


def test_an_agent_that_watches_its_host(longshore):
    task = run(longshore, "monitor")
    init = Path("/proc/1/comm").read_text().strip()
    assert lines(longshore, "/monitor", f"m/monitor/{task['taskArn'].rsplit('/')[-1]}") == [f"sees {init}"]


def test_an_application_with_a_tracing_daemon(longshore):
    task = run(longshore, "tracing")
    assert "Hello" in get(task, "app")
    binding = container(task, "daemon")["networkBindings"][0]
    assert (binding["containerPort"], binding["protocol"]) == (2000, "udp")
