"""Images of files, and which images stay: load, list, remove, and removal of the unused."""

import json
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import images
import leaks
import pytest
import registries
from harness import Longshore, eventually
from registries import PASSWORD, USER, DockerRegistry

STAY = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"]


def layers_with(text):
    return [images.busybox_layer(), images.layer({"marker": (text.encode(), 0o644)})]


def oci(archive, target):
    """The archive as skopeo makes an OCI layout of it."""
    policy = archive.parent / "policy.json"
    policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    done = subprocess.run(["skopeo", "--policy", str(policy), "copy", f"docker-archive:{archive}", target],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def made(kind, directory):
    """An archive of this kind; what it is to be loaded as is KIND:1."""
    name, layers = f"{kind}:1", layers_with(kind)
    path = directory / f"{kind}.tar"
    if kind == "docker-old":
        return images.save(path, name, layers)
    if kind == "docker-gzip":
        return images.save(path, name, layers, compress=True)
    if kind == "docker-zstd":
        packed = directory / f"{kind}.tar.zst"
        packed.write_bytes(images.zstd(images.save(path, name, layers).read_bytes()))
        return packed
    if kind == "docker-new":
        return images.save_new(path, name, layers)
    plain = images.save(directory / "plain.tar", name, layers)
    layout = directory / "layout" / kind
    layout.parent.mkdir()
    oci(plain, f"oci:{layout}:1")
    if kind == "oci-dir":
        return layout
    with tarfile.open(path, "w:gz" if kind == "oci-gzip" else "w") as tar:
        tar.add(layout, ".")
    return path


@pytest.mark.parametrize("kind", ["docker-old", "docker-gzip", "docker-zstd", "docker-new", "oci-dir", "oci-tar", "oci-gzip"])
def test_an_archive_is_loaded_and_runs(longshore, tmp_path, kind):
    assert longshore.run("image", "load", str(made(kind, tmp_path))).stdout == f"Loaded image: {kind}:1\n"
    task = longshore.run_to_end({"name": "app", "image": f"{kind}:1", "command": ["grep", "-q", kind, "/marker"]})
    assert task["containers"][0].get("exitCode") == 0, task
    assert "imageDigest" not in task["containers"][0] and "pullStartedAt" not in task


def bad(directory):
    """Archives that must be refused, with a part of the reason."""
    layers, name = layers_with("bad"), "bad:1"
    whole = images.save(directory / "whole.tar", name, layers).read_bytes()
    packed = images.save(directory / "packed.tar.gz", name, layers, compress=True).read_bytes()
    good = images.blobs_of(name, layers)
    second = f"blobs/sha256/{images.digest(layers[1])[7:]}"
    manifest = json.loads(good["manifest.json"])
    foreign = images.config(layers, "s390x")

    def members(**changed):
        return images._tar(directory / f"{len(list(directory.iterdir()))}.tar", good | changed)

    escape = images.layer({"../../escaped": (b"x", 0o644)})
    yield "text", b"this is no archive " * 100, "archive is damaged"
    yield "empty", b"", "neither manifest.json nor index.json"
    yield "cut", whole[: len(whole) // 2], "archive is damaged"
    yield "cut gzip", packed[: len(packed) // 2], "invalid image archive"
    yield "other bytes", members(**{second: layers[1].replace(b"bad", b"BAD")}).read_bytes(), "verification failed for digest"
    yield "no layer", images._tar(directory / "nolayer.tar", {k: v for k, v in good.items() if k != second}).read_bytes(), "is missing"
    yield "no JSON", members(**{"manifest.json": b"[{"}).read_bytes(), "manifest.json"
    yield "no name", members(**{"manifest.json": json.dumps([manifest[0] | {"RepoTags": ["BAD:!"]}]).encode()}).read_bytes(), "invalid reference format"
    yield "other machine", members(**{manifest[0]["Config"]: foreign}).read_bytes(), "no matching manifest for linux/amd64"
    yield "escape", images.save(directory / "escape.tar", name, [layers[0], escape]).read_bytes(), "leaves the layer"


def stored(longshore):
    root = longshore.data / "images"
    index = json.loads((root / "index.json").read_text())
    del index["format"]
    return {p.name for p in (root / "l").iterdir()}, {p.name for p in (root / "tmp").iterdir()}, index


def test_bad_archives_are_refused_and_leave_nothing(longshore, tmp_path):
    before = stored(longshore)
    file = tmp_path / "file"
    for what, content, expected in bad(tmp_path):
        file.write_bytes(content)
        done = longshore.run("image", "load", str(file), check=False)
        assert done.returncode != 0 and expected in done.stderr, (what, done.stderr)
        assert stored(longshore) == before, what
    missing = longshore.run("image", "load", str(tmp_path / "none"), check=False)
    assert missing.returncode != 0 and "none" in missing.stderr
    assert not (longshore.data / "escaped").exists() and not (longshore.data / "images" / "escaped").exists()


def listed(longshore):
    """`longshore image list`, a row (by its columns) for each name."""
    head, *rows = [re.split(r"\s{2,}", line) for line in longshore.run("image", "list").stdout.splitlines()]
    assert head == ["NAME", "DIGEST", "SIZE", "CREATED", "HERE SINCE", "FROM", "IN USE"]
    return {row[0]: dict(zip(head, row, strict=True)) for row in rows}


def test_images_are_listed_and_one_in_use_is_not_removed(longshore, tmp_path):
    longshore.load_image(images.save_new(tmp_path / "listed.tar", "listed:1", layers_with("listed")))
    row = listed(longshore)["listed:1"]
    assert row["DIGEST"].startswith("sha256:") and len(row["DIGEST"]) == 71
    assert row["CREATED"] == "2024-05-06T07:08:09" and row["HERE SINCE"].startswith("20")
    assert row["SIZE"].endswith("B") and (row["FROM"], row["IN USE"]) == ("loaded", "-")
    assert listed(longshore)["longshore/hello:latest"]["FROM"] == "built in"
    task = longshore.start(longshore.register("listed", {"name": "app", "image": "listed:1", "command": STAY}))[0]
    container = longshore.wait(task, "RUNNING")["containers"][0]["runtimeId"]
    assert listed(longshore)["listed:1"]["IN USE"] == "1 container"
    refused = longshore.run("image", "remove", "listed:1", check=False)
    assert refused.returncode != 0 and f"image listed:1 is in use by container {container[:12]}" in refused.stderr
    # A killed agent forgets no user.
    pid = longshore.kill("agent")
    eventually(lambda: longshore.pid("agent") != pid and longshore.ready(), "a new agent")
    assert longshore.run("image", "remove", "listed:1", check=False).returncode != 0
    longshore.ecs.stop_task(task=task)
    longshore.wait(task, "STOPPED")
    eventually(lambda: listed(longshore)["listed:1"]["IN USE"] == "-", "the image to be free")
    assert longshore.run("image", "remove", "listed:1").stdout == "Untagged: listed:1\n"
    assert "listed:1" not in listed(longshore)
    gone = longshore.run("image", "remove", "listed:1", check=False)
    assert gone.returncode != 0 and "No such image: listed:1" in gone.stderr


@pytest.fixture
def cleaning(busybox, monkeypatch, tmp_path):
    """One that removes unused images soon, and has its user at a registry from the agent's variables."""
    (tmp_path / "htpasswd").write_text(registries.HTPASSWD)
    registry = DockerRegistry(tmp_path, f"auth:\n  htpasswd:\n    realm: tests\n    path: {tmp_path}/htpasswd\n")
    monkeypatch.setenv("ECS_ENGINE_AUTH_TYPE", "docker")
    monkeypatch.setenv("ECS_ENGINE_AUTH_DATA", json.dumps({f"http://{registry.host}": {"username": USER, "password": PASSWORD}}))
    directory = Path(tempfile.mkdtemp(prefix="ls-e2e-"))
    instance = Longshore(directory)
    instance.data.mkdir()
    (instance.data / "longshore.toml").write_text(
        '[agent]\nimage_cleanup_interval = "200ms"\nimage_minimum_cleanup_age = "1ms"\nimages_deleted_per_cycle = 1\n')
    try:
        instance.up().load_image(busybox)
        yield instance, registry
    finally:
        instance.down()
        registry.close()
        left = leaks.present(instance.data)
        shutil.rmtree(directory, ignore_errors=True)
        assert not left, left


def test_unused_pulled_images_leave_the_disk_and_used_ones_stay(cleaning, tmp_path):
    longshore, registry = cleaning
    for name in ("kept", "gone"):
        registry.push(images.save(tmp_path / f"{name}.tar", f"{name}:1", layers_with(name)), f"{name}:1", f"{USER}:{PASSWORD}")
    kept, gone = f"{registry.host}/kept:1", f"{registry.host}/gone:1"
    task = longshore.start(longshore.register("kept", {"name": "app", "image": kept, "command": STAY}))[0]
    longshore.wait(task, "RUNNING")
    ended = longshore.run_to_end({"name": "app", "image": gone, "command": ["grep", "-q", "gone", "/marker"]})
    assert ended["containers"][0].get("exitCode") == 0, ended
    marker = {name: images.digest(layers_with(name)[1])[7:23] for name in ("kept", "gone")}
    layers = longshore.data / "images" / "l"
    eventually(lambda: not (layers / marker["gone"]).exists(), "the unused image's layer to leave the disk")
    assert (layers / marker["kept"] / "marker").read_text() == "kept"
    names = listed(longshore)
    assert kept in names and gone not in names
    # What was loaded or built in was not pulled: it stays without a user.
    assert names["busybox:test"]["IN USE"] == names["longshore/hello:latest"]["IN USE"] == "-"
    longshore.ecs.stop_task(task=task)
    longshore.wait(task, "STOPPED")
    eventually(lambda: not (layers / marker["kept"]).exists(), "the other image's layer to leave the disk")
    assert set(listed(longshore)) == {"busybox:test", "longshore/hello:latest"}
    assert {p.name for p in (longshore.data / "images" / "used").iterdir()} <= {
        d["DIGEST"][7:] for d in listed(longshore).values()}
    # Gone is not lost: it is pulled again.
    again = longshore.run_to_end({"name": "app", "image": gone, "command": ["grep", "-q", "gone", "/marker"]})
    assert again["containers"][0].get("exitCode") == 0, again
