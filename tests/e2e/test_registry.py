"""Images pulled from a registry on loopback."""

import subprocess
from pathlib import Path

import images
import pytest
from harness import eventually, free_port


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    directory = tmp_path_factory.mktemp("registry")
    port = free_port()
    configuration = directory / "config.yml"
    configuration.write_text(
        f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {directory}/data\nhttp:\n  addr: 127.0.0.1:{port}\n")
    server = subprocess.Popen(["docker-registry", "serve", str(configuration)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    archive = images.save(directory / "image.tar", "pulled:1", [images.busybox_layer(), images.layer({"marker": (b"second layer\n", 0o644)})])
    policy = directory / "policy.json"
    policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')

    def push():
        return subprocess.run(["skopeo", "--policy", str(policy), "copy", "--dest-tls-verify=false", f"docker-archive:{archive}",
                               f"docker://127.0.0.1:{port}/team/pulled:1"], capture_output=True).returncode == 0

    eventually(push, "the registry to take an image")
    yield f"127.0.0.1:{port}"
    server.terminate()
    server.wait(timeout=10)


def test_a_pulled_image_runs_and_its_digest_is_shown(longshore, registry):
    task = longshore.run_to_end({"name": "app", "image": f"{registry}/team/pulled:1", "command": ["cat", "/marker"]})
    container = task["containers"][0]
    assert container["exitCode"] == 0, task
    assert container["imageDigest"].startswith("sha256:")
    assert task["pullStartedAt"] <= task["pullStoppedAt"]
    by_digest = longshore.run_to_end({"name": "app", "image": f"{registry}/team/pulled@{container['imageDigest']}", "command": ["cat", "/marker"]})
    assert by_digest["containers"][0]["exitCode"] == 0


def test_a_missing_tag_says_so(longshore, registry):
    task = longshore.run_to_end({"name": "app", "image": f"{registry}/team/pulled:none", "command": ["true"]})
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["containers"][0]["reason"].startswith("CannotPull"), task
    assert "manifest unknown" in task["containers"][0]["reason"] or "not found" in task["containers"][0]["reason"]
