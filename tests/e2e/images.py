"""Images made for the tests: busybox and a few files, as `docker save` archives."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

BUSYBOX = Path("/bin/busybox")
APPLETS = ["sh", "cat", "echo", "env", "grep", "head", "hostname", "id", "ip", "kill", "ls", "mkdir",
           "mount", "nc", "printf", "ps", "pwd", "seq", "sleep", "stat", "tail", "test", "touch", "trap",
           "true", "false", "uname", "wc", "whoami", "yes", "dd", "df", "rm", "awk", "date", "usleep"]


def layer(files: dict[str, tuple[bytes, int]], links: dict[str, str] | None = None) -> bytes:
    """A layer of files (content, mode) and symbolic links, with their directories."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        made: set[str] = set()

        def parents(name: str) -> None:
            parts = name.split("/")[:-1]
            for i in range(1, len(parts) + 1):
                directory = "/".join(parts[:i])
                if directory not in made:
                    made.add(directory)
                    info = tarfile.TarInfo(directory)
                    info.type, info.mode = tarfile.DIRTYPE, 0o755
                    tar.addfile(info)

        for name, (content, mode) in files.items():
            parents(name)
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), mode
            tar.addfile(info, io.BytesIO(content))
        for name, target in (links or {}).items():
            parents(name)
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
        info = tarfile.TarInfo("tmp")
        info.type, info.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(info)
    return buffer.getvalue()


def busybox_layer() -> bytes:
    return layer(
        {
            "bin/busybox": (BUSYBOX.read_bytes(), 0o755),
            "etc/passwd": (b"root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\n", 0o644),
            "etc/group": (b"root:x:0:\napp:x:1000:\nextra:x:2000:app\n", 0o644),
        },
        {f"bin/{name}": "busybox" for name in APPLETS},
    )


def save(path: Path, name: str, layers: list[bytes], config: dict | None = None, compress: bool = False) -> Path:
    """Writes a `docker save` archive of one image."""
    diff_ids = [f"sha256:{hashlib.sha256(data).hexdigest()}" for data in layers]
    image = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": config or {"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"]},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        }
    ).encode()
    config_name = f"{hashlib.sha256(image).hexdigest()}.json"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:

        def add(member: str, content: bytes) -> None:
            info = tarfile.TarInfo(member)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))

        names = []
        for diff_id, data in zip(diff_ids, layers):
            member = f"{diff_id[7:]}/layer.tar"
            if member not in names:
                add(member, data)
            names.append(member)
        add(config_name, image)
        add("manifest.json", json.dumps([{"Config": config_name, "RepoTags": [name], "Layers": names}]).encode())
    data = buffer.getvalue()
    path.write_bytes(gzip.compress(data) if compress else data)
    return path


def busybox(path: Path, name: str = "busybox:test") -> Path:
    return save(path, name, [busybox_layer()])


def _tar(path: Path, members: dict[str, bytes], compress: bool = False) -> Path:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    path.write_bytes(gzip.compress(buffer.getvalue()) if compress else buffer.getvalue())
    return path


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def config(layers: list[bytes], architecture: str = "amd64") -> bytes:
    """An image's config blob for uncompressed `layers`."""
    return json.dumps({
        "architecture": architecture, "os": "linux", "created": "2024-05-06T07:08:09.123Z",
        "config": {"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(data) for data in layers]},
    }).encode()


def blobs_of(name: str, layers: list[bytes]) -> dict[str, bytes]:
    """The members of what Docker 25 and newer save: an OCI layout that has a `manifest.json`, too."""
    image = config(layers)
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(image), "size": len(image)},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest(data), "size": len(data)}
                   for data in layers],
    }).encode()
    index = {"schemaVersion": 2, "manifests": [
        {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest(manifest), "size": len(manifest),
         "annotations": {"io.containerd.image.name": f"docker.io/library/{name}"}}]}
    place = "blobs/sha256/{}".format
    docker = [{"Config": place(digest(image)[7:]), "RepoTags": [name],
               "Layers": [place(digest(data)[7:]) for data in layers]}]
    members = {place(digest(content)[7:]): content for content in (*layers, image, manifest)}
    return members | {"index.json": json.dumps(index).encode(), "manifest.json": json.dumps(docker).encode(),
                      "oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}


def save_new(path: Path, name: str, layers: list[bytes]) -> Path:
    """Writes an archive as Docker 25 and newer do."""
    return _tar(path, blobs_of(name, layers))


def zstd(content: bytes) -> bytes:
    """A Zstandard frame of raw blocks. Rule: RFC 8878, 3.1.1."""
    blocks = [content[at : at + 0x20000] for at in range(0, len(content), 0x20000)] or [b""]
    out = b"\x28\xb5\x2f\xfd" + b"\xa0" + len(content).to_bytes(4, "little")
    for number, block in enumerate(blocks):
        last = number == len(blocks) - 1
        out += (len(block) << 3 | last).to_bytes(3, "little") + block
    return out
