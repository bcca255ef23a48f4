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
