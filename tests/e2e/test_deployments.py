"""Deployments with stages, hooks and pinned images, for real: blue beside green, and back."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Callable, Iterator

import images
import leaks
import pytest
from botocore.exceptions import ClientError
from harness import Longshore, eventually
from registries import DockerRegistry
from test_services import NAP, Service

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:"


class HookServer:
    """Answers hooks as `says` tells for what they were told; keeps what they were told."""

    def __init__(self) -> None:
        self.told: list[dict] = []
        self.says: Callable[[dict], tuple[int, object]] = lambda _: (200, {"hookStatus": "SUCCEEDED"})
        # Paths that were called beside the hook's own.
        self.astray: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server.astray.append(self.path)
                body = b'{"hookStatus": "SUCCEEDED"}'
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path != "/hook":
                    return self.do_GET()
                server.told.append(told)
                status, said = server.says(told)
                body = json.dumps(said).encode()
                self.send_response(status)
                if status == 307:
                    self.send_header("Location", server.url.replace("/hook", "/astray"))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/hook"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture(scope="module")
def hook_server() -> Iterator[HookServer]:
    server = HookServer()
    yield server
    server.close()


@pytest.fixture
def hook(hook_server: HookServer) -> HookServer:
    hook_server.told.clear()
    return hook_server


@pytest.fixture(scope="module")
def longshore(busybox: Path, hook_server: HookServer) -> Iterator[Longshore]:
    directory = Path(tempfile.mkdtemp(prefix="ls-e2e-"))
    instance = Longshore(directory)
    instance.data.mkdir()
    (instance.data / "longshore.toml").write_text(
        f'[[target]]\nname = "ask"\nurl = "{hook_server.url}"\n\n'
        '[[target]]\nname = "check"\ntask = "check"\n')
    try:
        instance.up().load_image(busybox)
        yield instance
    finally:
        instance.down()
        left = leaks.present(instance.data)
        shutil.rmtree(directory, ignore_errors=True)
        assert not left, f"left behind after `longshore down`: {left}"


def blue(longshore: Longshore, **members) -> tuple[Service, set[str]]:
    """A service that is steady, and its tasks."""
    service = Service(longshore, longshore.register("stages", NAP), desired=2, **members)
    service.stable()
    return service, arns(service)


def arns(service: Service) -> set[str]:
    return {task["taskArn"] for task in service.tasks() if task["lastStatus"] == "RUNNING"}


def green(service: Service, **configuration) -> None:
    """Deploys another revision so."""
    definition = service.api.register("stages", NAP | {"environment": [{"name": "COLOUR", "value": "green"}]})
    service.update(taskDefinition=definition, deploymentConfiguration=configuration)


def newest(service: Service) -> dict:
    listed = service.api.ecs.list_service_deployments(service=service.name, cluster="default")
    arn = listed["serviceDeployments"][0]["serviceDeploymentArn"]
    answer = service.api.ecs.describe_service_deployments(serviceDeploymentArns=[arn])
    assert answer["failures"] == [], answer
    return answer["serviceDeployments"][0]


def ends(service: Service, status: str) -> dict:
    last: dict = {}

    def reached() -> bool:
        nonlocal last
        last = newest(service)
        return last["status"] == status

    try:
        eventually(reached, f"{service.name}'s deployment to be {status}", 60)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{last}\n{service.describe()}\n{service.api.tail()}") from None
    return last


def at_hook(service: Service, stage: str) -> dict:
    """The hook that is open at this stage."""
    def found() -> dict | None:
        shown = newest(service)
        hooks = [h for h in shown.get("lifecycleHookDetails", []) if h["status"] in ("AWAITING_ACTION", "IN_PROGRESS")]
        return hooks[0] if shown.get("lifecycleStage") == stage and hooks else None

    return eventually(found, f"a hook at {stage}; {newest(service)}", 60)


def lambda_hook(name: str, *stages: str) -> dict:
    return {"hookTargetArn": FUNCTION + name, "lifecycleStages": list(stages)}


def test_a_paused_deployment_keeps_both_until_it_is_continued(longshore):
    service, before = blue(longshore)
    green(service, strategy="BLUE_GREEN", bakeTimeInMinutes=0,
          lifecycleHooks=[{"targetType": "PAUSE", "lifecycleStages": ["POST_SCALE_UP"]}])
    paused = at_hook(service, "POST_SCALE_UP")
    assert paused["status"] == "AWAITING_ACTION" and paused["timeoutAction"] == "ROLLBACK" and "targetArn" not in paused
    assert len(arns(service)) == 4 and before < arns(service)
    longshore.kill("server")
    eventually(longshore.ready, "the server to be back")
    assert at_hook(service, "POST_SCALE_UP") == paused
    arn = newest(service)["serviceDeploymentArn"]
    longshore.ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId=paused["hookId"], action="CONTINUE")
    service.stable()
    done = newest(service)
    assert (done["status"], done["lifecycleStage"]) == ("SUCCESSFUL", "CLEAN_UP")
    assert done["targetServiceRevision"]["requestedProductionTrafficWeight"] == 100.0
    assert [h["status"] for h in done["lifecycleHookDetails"]] == ["SUCCEEDED"]
    assert not before & arns(service)
    with pytest.raises(ClientError, match="no paused lifecycle hook"):
        longshore.ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId=paused["hookId"])
    service.delete()


def test_a_hook_that_fails_returns_to_the_same_blue_tasks(longshore, hook):
    answers = iter([(503, {}), (200, {"hookStatus": "FAILED"})])
    hook.says = lambda _: next(answers)
    service, before = blue(longshore)
    green(service, strategy="BLUE_GREEN", bakeTimeInMinutes=10, lifecycleHooks=[lambda_hook("ask", "POST_SCALE_UP")])
    done = ends(service, "ROLLBACK_SUCCESSFUL")
    service.stable()
    assert arns(service) == before, "blue was never touched"
    assert done["statusReason"] == "Service deployment rolled back because a lifecycle hook failed at POST_SCALE_UP."
    assert [h["status"] for h in done["lifecycleHookDetails"]] == ["FAILED"]
    assert done["rollback"]["serviceRevisionArn"] == done["sourceServiceRevisions"][0]["arn"]
    first, second = hook.told
    assert first == second, "a target that is out of order is asked again"
    assert first["resourceArn"] == done["serviceDeploymentArn"]
    assert first["serviceArn"] == service.created["serviceArn"]
    assert first["lifecycleStage"] == "POST_SCALE_UP"
    assert first["targetServiceRevisionArn"] == done["targetServiceRevision"]["arn"]
    blue_arn = done["sourceServiceRevisions"][0]["arn"]
    assert first["productionTrafficWeights"] == {blue_arn: 100.0, first["targetServiceRevisionArn"]: 0.0}
    service.delete()


def test_a_hooks_redirect_is_not_followed(longshore, hook):
    """The second URL would say that all is well: it is never asked, and the deployment goes back."""
    service, before = blue(longshore)
    hook.says = lambda _: (307, {})
    try:
        green(service, strategy="BLUE_GREEN", bakeTimeInMinutes=0, lifecycleHooks=[lambda_hook("ask", "PRE_SCALE_UP")])
        ends(service, "ROLLBACK_SUCCESSFUL")
    finally:
        hook.says = lambda _: (200, {"hookStatus": "SUCCEEDED"})
    assert hook.told and hook.astray == []
    assert arns(service) == before
    service.delete()


def test_a_canary_asks_before_each_step(longshore, hook):
    details = {"suite": ["smoke", None, 1.5], "deep": {"limit": 3}}

    def says(_: dict) -> tuple[int, object]:
        if len(hook.told) == 1:
            return 200, {"hookStatus": "IN_PROGRESS", "callBackDelay": 1, "hookDetails": {"asked": 1}}
        return 200, {"hookStatus": "SUCCEEDED"}

    hook.says = says
    service, before = blue(longshore)
    green(service, strategy="CANARY", canaryConfiguration={"canaryPercent": 12.5, "canaryBakeTimeInMinutes": 0},
          lifecycleHooks=[lambda_hook("ask", "PRE_PRODUCTION_TRAFFIC_SHIFT") | {"hookDetails": details}])
    done = ends(service, "SUCCESSFUL")
    service.stable()
    weights = [told["productionTrafficWeights"][told["targetServiceRevisionArn"]] for told in hook.told]
    assert weights == [0.0, 0.0, 12.5]
    # An answer's details replace the service's until the hook is over.
    assert [told["hookDetails"] for told in hook.told] == [details, {"asked": 1}, details]
    held, = service.describe()["deploymentConfiguration"]["lifecycleHooks"]
    assert held["hookDetails"] == details
    assert hook.told[0]["executionId"] == hook.told[1]["executionId"] != hook.told[2]["executionId"]
    assert done["deploymentConfiguration"]["canaryConfiguration"] == {"canaryPercent": 12.5, "canaryBakeTimeInMinutes": 0}
    assert not before & arns(service)
    service.delete()


@pytest.mark.parametrize("code, status", [(0, "SUCCESSFUL"), (3, "ROLLBACK_SUCCESSFUL")])
def test_the_exit_code_of_a_task_decides(longshore, code, status):
    command = ["sh", "-c", f'case "$LONGSHORE_HOOK" in *PRE_SCALE_UP*) exit {code};; esac; exit 9']
    longshore.register("check", {"name": "check", "command": command})
    service, before = blue(longshore)
    green(service, strategy="BLUE_GREEN", bakeTimeInMinutes=0, lifecycleHooks=[lambda_hook("check", "PRE_SCALE_UP")])
    done = ends(service, status)
    service.stable()
    assert bool(before & arns(service)) == (code != 0)
    hook_id = done["lifecycleHookDetails"][0]["hookId"]
    stopped = longshore.ecs.list_tasks(startedBy=hook_id, desiredStatus="STOPPED")["taskArns"]
    assert [longshore.describe(arn)["containers"][0]["exitCode"] for arn in stopped] == [code]
    service.delete()


def test_a_target_that_nobody_declared_is_refused_by_name(longshore):
    definition = longshore.register("stages", NAP)
    configuration = {"strategy": "BLUE_GREEN", "lifecycleHooks": [lambda_hook("unknown", "PRE_SCALE_UP")]}
    with pytest.raises(ClientError, match="'unknown' is not declared") as refused:
        Service(longshore, definition, deploymentConfiguration=configuration)
    assert refused.value.response["Error"]["Code"] == "InvalidParameterException"
    configuration["lifecycleHooks"][0]["hookTargetArn"] = "http://127.0.0.1:1/"
    with pytest.raises(ClientError, match="Invalid hookTargetArn"):
        Service(longshore, definition, deploymentConfiguration=configuration)


@pytest.mark.parametrize("kind, status", [("ROLLBACK", "ROLLBACK_SUCCESSFUL"), ("ABORT", "STOPPED")])
def test_a_deployment_is_stopped(longshore, kind, status):
    service, before = blue(longshore)
    green(service, strategy="BLUE_GREEN", bakeTimeInMinutes=30)
    eventually(lambda: newest(service).get("lifecycleStage") == "BAKE_TIME", "the bake time", 60)
    both = arns(service)
    assert len(both) == 4
    arn = newest(service)["serviceDeploymentArn"]
    longshore.ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType=kind)
    ends(service, status)
    if kind == "ROLLBACK":
        service.stable()
        assert arns(service) == before
    else:
        assert arns(service) == both, "tasks are left as they are"
        deployments = service.describe()["deployments"]
        assert [one["rolloutState"] for one in deployments] == ["FAILED", "COMPLETED"]
    service.delete()


def test_a_service_runs_the_image_that_its_first_task_resolved(longshore, tmp_path):
    registry = DockerRegistry(tmp_path)
    try:
        def push(text: str) -> None:
            layers = [images.busybox_layer(), images.layer({"version": (text.encode(), 0o644)})]
            registry.push(images.save(tmp_path / f"{text}.tar", "moving:1", layers), "moving:1")

        push("old")
        image = f"{registry.host}/moving:1"
        container = NAP | {"image": image}
        pinned = Service(longshore, longshore.register("pinned", container), desired=1)
        free = Service(longshore, longshore.register("free", container | {"versionConsistency": "disabled"}), desired=1)
        pinned.stable(), free.stable()
        old = pinned.tasks()[0]["containers"][0]["imageDigest"]
        revision = newest(pinned)["targetServiceRevision"]["arn"]
        shown = longshore.ecs.describe_service_revisions(serviceRevisionArns=[revision])["serviceRevisions"][0]
        assert shown["containerImages"] == [{"containerName": "app", "image": image, "imageDigest": old}]

        push("new")
        for service in (pinned, free):
            longshore.ecs.stop_task(task=service.tasks()[0]["taskArn"])
        pinned.stable(), free.stable()

        def digest(service: Service) -> str:
            running = eventually(lambda: [t for t in service.tasks() if t["lastStatus"] == "RUNNING"], "a task")
            return running[0]["containers"][0]["imageDigest"]

        assert digest(pinned) == old, "the tag moved, the service did not"
        assert digest(free) != old, "who asks for the tag gets it"
        pinned.update(forceNewDeployment=True)
        pinned.stable()
        assert digest(pinned) == digest(free)
        pinned.delete(), free.delete()
    finally:
        registry.close()


def test_the_clis_deploy_is_told_that_codedeploy_is_not_served(longshore, tmp_path):
    service, before = blue(longshore)
    (tmp_path / "task.json").write_text(json.dumps({"family": "stages", "containerDefinitions": [NAP]}))
    (tmp_path / "spec.json").write_text(json.dumps({"version": 0.0, "Resources": [{"TargetService": {
        "Type": "AWS::ECS::Service",
        "Properties": {"TaskDefinition": "", "LoadBalancerInfo": {"ContainerName": "app", "ContainerPort": 80}}}}]}))
    refused = longshore.aws(
        "ecs", "deploy", "--service", service.name, "--task-definition", str(tmp_path / "task.json"),
        "--codedeploy-appspec", str(tmp_path / "spec.json"), check=False)
    assert refused.returncode != 0 and "UnknownOperationException" in refused.stderr, refused.stderr
    assert arns(service) == before
    service.delete()
