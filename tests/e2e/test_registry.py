"""Images pulled from registries on loopback: users, broken connections, wrong bytes, TLS."""

import base64
import gzip
import json
import os
import shutil
import tempfile
from pathlib import Path

import images
import leaks
import pytest
import registries
from harness import SLOWNESS, Longshore, eventually
from registries import PASSWORD, USER, DockerRegistry, Fault, Listener, Proxy, TokenServer, is_blob, is_manifest

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("registry")


@pytest.fixture(scope="module")
def archive(place):
    """Two layers of busybox and a marker."""
    return images.save(place / "image.tar", "pulled:1", [images.busybox_layer(), images.layer({"marker": (b"second layer\n", 0o644)})])


@pytest.fixture(scope="module")
def registry(place, archive):
    server = DockerRegistry(place)
    server.push(archive, "team/pulled:1")
    yield server
    server.close()


@pytest.fixture
def proxy(registry):
    server = Proxy(registry)
    yield server
    server.close()


@pytest.fixture(scope="module")
def tls(place):
    return registries.authority(place)


@pytest.fixture(scope="module")
def docker_config(place):
    return place / "config.json"


@pytest.fixture(scope="module")
def longshore(tls, docker_config):
    directory = Path(tempfile.mkdtemp(prefix="ls-e2e-"))
    instance = Longshore(directory)
    instance.data.mkdir()
    docker_config.write_text("{}")
    (instance.data / "longshore.toml").write_text(
        f'[agent]\nregistry_ca_file = "{tls[0]}"\ndocker_config = "{docker_config}"\n')
    try:
        yield instance.up()
    finally:
        instance.down()
        left = leaks.present(instance.data)
        shutil.rmtree(directory, ignore_errors=True)
        assert not left, left


def log_in(docker_config: Path, host: str, password: str) -> None:
    """What `docker login` leaves."""
    auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
    docker_config.write_text(json.dumps({"auths": {host: {"auth": auth}}}))


def run(longshore, image, *command):
    return longshore.run_to_end({"name": "app", "image": image, "command": list(command) or ["true"]})


def runs(longshore, image, *command):
    task = run(longshore, image, *command)
    assert task["containers"][0].get("exitCode") == 0, task
    return task


def reason(longshore, image):
    """Of a task that must not start."""
    task = run(longshore, image)
    container = task["containers"][0]
    assert task["stopCode"] == "TaskFailedToStart" and "exitCode" not in container, task
    return container["reason"]


def own_image(registry, place, name):
    """An image whose second layer no other test has; its repository."""
    layers = [images.busybox_layer(), images.layer({"marker": (name.encode(), 0o644), "noise": (os.urandom(400_000), 0o644)})]
    registry.push(images.save(place / f"{name}.tar", f"{name}:1", layers), f"own/{name}:1")
    return f"own/{name}:1"


def stored(longshore):
    """Layers and unfinished work on disk, and names."""
    root = longshore.data / "images"
    index = json.loads((root / "index.json").read_text())
    return {p.name for p in (root / "l").iterdir()}, {p.name for p in (root / "tmp").iterdir()}, set(index["names"])


def test_a_pulled_image_runs_and_its_digest_is_shown(longshore, registry):
    task = runs(longshore, f"{registry.host}/team/pulled:1", "cat", "/marker")
    container = task["containers"][0]
    assert container["imageDigest"].startswith("sha256:")
    assert task["pullStartedAt"] <= task["pullStoppedAt"]
    runs(longshore, f"{registry.host}/team/pulled@{container['imageDigest']}", "cat", "/marker")


def test_a_missing_tag_says_so(longshore, registry):
    assert reason(longshore, f"{registry.host}/team/pulled:none") == (
        f"CannotPullContainerError: Error response from daemon: manifest for {registry.host}/team/pulled:none "
        "not found: manifest unknown: manifest unknown")


# -- users --------------------------------------------------------------------------------------


def refused_without_a_user_and_pulled_with_one(longshore, docker_config, server, archive):
    server.push(archive, "secret/app:1", f"{USER}:{PASSWORD}")
    image = f"{server.host}/secret/app:1"
    for password in (None, "wrong"):
        docker_config.write_text("{}")
        if password:
            log_in(docker_config, server.host, password)
        text = reason(longshore, image)
        assert text.startswith("CannotPullContainerError: Error response from daemon: "), text
        assert "wrong" not in text and PASSWORD not in text
        yield password, text
    log_in(docker_config, server.host, PASSWORD)
    runs(longshore, image, "cat", "/marker")
    docker_config.write_text("{}")


def test_basic_authentication(longshore, place, docker_config, archive):
    (place / "htpasswd").write_text(registries.HTPASSWD)
    server = DockerRegistry(place, f"auth:\n  htpasswd:\n    realm: tests\n    path: {place}/htpasswd\n")
    try:
        for password, text in refused_without_a_user_and_pulled_with_one(longshore, docker_config, server, archive):
            expected = "pull access denied for" if password else "no basic auth credentials"
            assert expected in text, text
            assert password is None or "may require 'docker login'" in text, text
    finally:
        server.close()


def test_token_authentication(longshore, place, docker_config, archive):
    tokens = TokenServer(place)
    server = DockerRegistry(place, tokens.configuration)
    try:
        for password, text in refused_without_a_user_and_pulled_with_one(longshore, docker_config, server, archive):
            expected = "unauthorized: incorrect username or password" if password else "pull access denied for"
            assert expected in text, text
        assert "repository:secret/app:pull" in tokens.scopes
    finally:
        server.close()
        tokens.close()


# -- connections --------------------------------------------------------------------------------


def test_a_blob_that_breaks_off_is_resumed_where_it_broke(longshore, registry, proxy, place):
    name = own_image(registry, place, "resumed")
    proxy.faults = [Fault(is_blob, times=3, cut_after=150_000)]
    runs(longshore, f"{proxy.host}/{name}", "grep", "-q", "resumed", "/marker")
    of_layers: dict[str, list] = {}
    for request in proxy.of(is_blob):
        of_layers.setdefault(request.path, []).append(request)
    resumed = [requests for requests in of_layers.values() if len(requests) > 1]
    assert resumed, of_layers
    for requests in resumed:
        at = 0
        for request in requests:
            assert request.range == (f"bytes={at}-" if at else None) and request.status == (206 if at else 200)
            at += request.sent
        assert at == size_of(registry, requests[0].path), "every byte came once"


def size_of(registry, path):
    """The blob's length, as the registry has it."""
    digest = path.rsplit(":", 1)[1]
    found = list((registry.directory / f"data-{registry.port}").glob(f"docker/registry/v2/blobs/sha256/*/{digest}/data"))
    return found[0].stat().st_size


def test_one_pull_for_twenty_tasks_at_once(longshore, registry, proxy, place):
    name = own_image(registry, place, "shared")
    proxy.faults = [Fault(is_blob, times=100, slow_s=0.3)]
    arn = longshore.register("shared", {"name": "app", "image": f"{proxy.host}/{name}", "command": ["true"], "memory": 16})
    arns = longshore.start(arn, 10) + longshore.start(arn, 10)
    for task in arns:
        assert longshore.wait(task, "STOPPED", 60)["containers"][0].get("exitCode") == 0
    paths = [request.path for request in proxy.of(is_blob)]
    assert len(paths) == len(set(paths)), paths


def test_layers_come_side_by_side(longshore, registry, proxy, place):
    runs(longshore, f"{registry.host}/team/pulled:1")
    layers = [images.busybox_layer()] + [images.layer({f"f{n}": (os.urandom(1000), 0o644)}) for n in range(2)]
    registry.push(images.save(place / "parallel.tar", "parallel:1", layers), "own/parallel:1")
    proxy.faults = [Fault(is_blob, times=100, slow_s=0.5)]
    runs(longshore, f"{proxy.host}/own/parallel:1")
    # The config, then what was not here: the first layer is another image's, too.
    _, first, second = proxy.of(is_blob)
    assert max(first.began, second.began) < min(first.ended, second.ended)


def test_a_busy_registry_is_asked_again_when_it_says(longshore, registry, proxy, place):
    name = own_image(registry, place, "busy")
    proxy.faults = [
        Fault(is_manifest, times=1, status=503, headers={"Retry-After": "1"}),
        Fault(is_blob, times=1, status=429, headers={"Retry-After": "2"}),
    ]
    runs(longshore, f"{proxy.host}/{name}", "grep", "-q", "busy", "/marker")
    for matches, pause in ((is_manifest, 1), (is_blob, 2)):
        refused = next(r for r in proxy.of(matches) if r.status >= 429)
        again = [r for r in proxy.of(matches) if r.path == refused.path and r.began > refused.began]
        assert again and again[0].began - refused.began >= pause


def test_a_registry_that_stays_busy_fails_the_task(longshore, registry, proxy):
    proxy.faults = [Fault(is_manifest, times=1000, status=429, headers={"Retry-After": "0"})]
    assert "toomanyrequests" in reason(longshore, f"{proxy.host}/team/pulled:busy")
    assert 1 < len(proxy.of(is_manifest)) <= 12


# -- contents -----------------------------------------------------------------------------------


def test_wrong_bytes_are_an_error_and_publish_nothing(longshore, registry, proxy, place):
    name = own_image(registry, place, "tampered")
    before = stored(longshore)
    for matches, what in (
        (lambda m, p: m == "GET" and is_manifest(m, p), "manifest"),
        (is_blob, "config"),
    ):
        proxy.faults = [Fault(matches, times=1000, corrupt=True)]
        text = reason(longshore, f"{proxy.host}/{name}")
        assert text.startswith("CannotPullContainerError: Error response from daemon: "), (what, text)
        assert stored(longshore) == before
    shown = registry.ask("HEAD", f"/v2/{name.replace(':', '/manifests/')}", b"", {"Accept": DOCKER_MANIFEST}).headers["Docker-Content-Digest"]
    proxy.faults = [Fault(lambda m, p: m == "GET" and is_manifest(m, p), times=1000, corrupt=True)]
    text = reason(longshore, f"{proxy.host}/{name.split(':')[0]}@{shown}")
    assert f"manifest verification failed for digest {shown}: got sha256:" in text, text
    assert stored(longshore) == before
    config = [r.path for r in proxy.of(is_blob)][0]
    proxy.faults = [Fault(lambda m, p: is_blob(m, p) and p != config, times=1000, corrupt=True)]
    text = reason(longshore, f"{proxy.host}/{name}")
    assert "verification failed for digest" in text or "failed to register layer" in text, text
    layers, unfinished, names = stored(longshore)
    assert not unfinished and names == before[2] and layers == before[0]
    proxy.faults = []
    runs(longshore, f"{proxy.host}/{name}", "grep", "-q", "tampered", "/marker")


def test_a_missing_blob_says_so(longshore, registry, proxy, place):
    name = own_image(registry, place, "missing")
    proxy.faults = [Fault(is_blob, times=1000, status=404)]
    text = reason(longshore, f"{proxy.host}/{name}")
    assert text.startswith("CannotPullContainerError: ") and "blob unknown to registry" in text, text


def manifest_of(registry, repository, layers, architecture="amd64"):
    """Pushes an image by hand; (uncompressed content, blob, media type) for each layer."""
    content = images.config([data for data, _, _ in layers], architecture)
    config = registry.push_blob(repository, content) | {"mediaType": "application/vnd.oci.image.config.v1+json"}
    return {
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config,
        "layers": [registry.push_blob(repository, blob) | {"mediaType": kind} for _, blob, kind in layers],
    }


def test_zstd_gzip_and_plain_layers(longshore, registry):
    base, second, third = images.busybox_layer(), images.layer({"zst": (b"zst", 0o644)}), images.layer({"plain": (b"plain", 0o644)})
    manifest = manifest_of(registry, "own/zstd", [
        (base, images.zstd(base), f"{LAYER}+zstd"), (second, gzip.compress(second), f"{LAYER}+gzip"), (third, third, LAYER)])
    registry.push_manifest("own/zstd", "1", manifest)
    runs(longshore, f"{registry.host}/own/zstd:1", "grep", "-q", "zst", "/zst")
    runs(longshore, f"{registry.host}/own/zstd:1", "grep", "-q", "plain", "/plain")


def test_of_an_index_the_entry_of_this_machine_is_pulled(longshore, registry):
    entries = []
    for architecture in ("arm64", "s390x", "amd64"):
        layers = [images.busybox_layer(), images.layer({"architecture": (architecture.encode(), 0o644)})]
        manifest = manifest_of(registry, "own/multi", [(data, gzip.compress(data), f"{LAYER}+gzip") for data in layers], architecture)
        entry = registry.push_manifest("own/multi", architecture, manifest)
        entries.append(entry | {"platform": {"os": "linux", "architecture": architecture}})
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries}
    shown = registry.push_manifest("own/multi", "all", index)
    task = runs(longshore, f"{registry.host}/own/multi:all", "grep", "-q", "amd64", "/architecture")
    assert task["containers"][0]["imageDigest"] == shown["digest"]
    registry.push_manifest("own/multi", "foreign", index | {"manifests": entries[:2]})
    assert "no matching manifest for linux/amd64 in the manifest list entries" in reason(longshore, f"{registry.host}/own/multi:foreign")
    assert reason(longshore, f"{registry.host}/own/multi:arm64").startswith("CannotPullContainerError: ")


# -- transport ----------------------------------------------------------------------------------


def test_https_with_a_private_authority(longshore, place, tls, archive):
    trusted = DockerRegistry(place, tls=tls[1])
    stranger = DockerRegistry(place, tls=registries.certificate(place, "stranger", "stranger"))
    try:
        for server in (trusted, stranger):
            server.push(archive, "tls/app:1")
        runs(longshore, f"0.0.0.0:{trusted.port}/tls/app:1", "cat", "/marker")
        text = reason(longshore, f"0.0.0.0:{stranger.port}/tls/app:1")
        assert text.startswith("CannotPullImageManifestError: Error response from daemon: "), text
        assert "certificate" in text, text
    finally:
        trusted.close()
        stranger.close()


def test_plain_http_is_spoken_on_loopback_only(longshore):
    listener = Listener()
    try:
        text = reason(longshore, f"{listener.host}/team/app:1")
        assert text.startswith("CannotPullImageManifestError: Error response from daemon: "), text
        assert listener.first_bytes and all(first[:1] == b"\x16" for first in listener.first_bytes), listener.first_bytes
    finally:
        listener.close()


@pytest.fixture
def of_the_lan(lan, tmp_path, archive):
    """Registries that a host of the LAN reaches: two of a private authority's, two of plain HTTP; and the authority."""
    ca, tls = registries.authority(tmp_path, lan.address)
    servers = [DockerRegistry(tmp_path, tls=tls if secure else None, address=lan.address) for secure in (True, True, False, False)]
    try:
        for server in servers:
            server.push(archive, "team/app:1")
        yield ca, servers
    finally:
        for server in servers:
            server.close()


def test_a_host_trusts_the_registries_of_its_settings_and_no_other(site, of_the_lan):
    """`[[registry]]` of longshore.toml, on a machine that joined."""
    ca, (vouched, stranger, plain, odd) = of_the_lan
    server, host = site.server(), site.host().join()
    image = lambda registry: f"{registry.host}/team/app:1"

    def refused(*registries):
        for registry in registries:
            text = reason(server, image(registry))
            assert text.startswith("CannotPullImageManifestError: Error response from daemon: "), text
            assert ("certificate" in text) == (registry in (vouched, stranger)), text

    refused(vouched, plain)
    host.kill()
    (host.data / "longshore.toml").write_text(
        f'[[registry]]\nhost = "{vouched.host}"\nca = "{ca}"\n\n[[registry]]\nhost = "{plain.host}"\ninsecure = true\n'
        '\n[[registry]]\nhost = "127.0.0.1:1"\nca = "/none/such.pem"\n')
    eventually(lambda: not host.connected(), "the host to be away")
    host.start()
    eventually(host.connected, "the host to be back")
    for registry in (vouched, plain):
        runs(server, image(registry), "cat", "/marker")
    refused(stranger, odd)
    assert "certificate authorities of /none/such.pem: " in reason(server, "127.0.0.1:1/team/app:1")


@pytest.mark.parametrize("table, why", [
    ('ca = "/none/such.pem"', "missing field `host`"),
    ('host = "a:1"\nmirror = "b"', "unknown field `mirror`"),
])
def test_a_registry_that_is_set_wrongly_ends_the_agent_and_says_so(site, table, why):
    site.server()
    host = site.host()
    host.data.mkdir()
    (host.data / "longshore.toml").write_text(f"[[registry]]\n{table}\n")
    host.start("--server", host.server.url, "--token", host.server.token())
    assert host.process.wait(timeout=30 * SLOWNESS) != 0
    assert why in host.log() and host.instances() == []
    (host.data / "longshore.toml").unlink()
