"""Registries for the tests: Debian's docker-registry, a proxy that fails as told, a token server."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import socket
import socketserver
import ssl
import subprocess
import threading
import time
import urllib.parse
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Callable

from harness import eventually, free_port

USER, PASSWORD = "tester", "s3cret:with colon"
# bcrypt of PASSWORD: the only kind that docker-registry reads.
HTPASSWD = "tester:$2b$04$bqJNGSjM2lAnCLjaXNPoY.3sYajyF8hAdUZBUyH3fh0108DMGijrq\n"


class DockerRegistry:
    """A docker-registry process; `extra` is YAML that goes into its configuration."""

    def __init__(self, directory: Path, extra: str = "", tls: tuple[Path, Path] | None = None, address: str = "127.0.0.1"):
        self.directory, self.address, self.port = directory, address, free_port()
        self.host = f"{address}:{self.port}"
        self.tls = tls
        http = f"http:\n  addr: {self.host}\n"
        if tls:
            http += f"  tls:\n    certificate: {tls[0]}\n    key: {tls[1]}\n"
        configuration = directory / f"registry-{self.port}.yml"
        configuration.write_text(
            f"version: 0.1\nlog:\n  level: warn\nstorage:\n  filesystem:\n    rootdirectory: {directory}/data-{self.port}\n{http}{extra}")
        self.log = (directory / f"registry-{self.port}.log").open("wb")
        self.process = subprocess.Popen(["docker-registry", "serve", str(configuration)], stdout=self.log, stderr=self.log)
        eventually(self._listens, f"docker-registry to listen; see {self.log.name}")

    def _listens(self) -> bool:
        assert self.process.poll() is None, Path(self.log.name).read_text()
        with socket.socket() as s:
            return s.connect_ex((self.address, self.port)) == 0

    def push(self, archive: Path, name: str, user: str | None = None) -> None:
        """Copies a `docker save` archive to `name` by skopeo."""
        policy = self.directory / "policy.json"
        policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
        credentials = ["--dest-creds", user] if user else []
        done = subprocess.run(
            ["skopeo", "--policy", str(policy), "copy", "--dest-tls-verify=false", *credentials,
             f"docker-archive:{archive}", f"docker://{self.host}/{name}"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr

    def ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(self.host, timeout=10)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer

    def push_blob(self, repository: str, content: bytes) -> dict:
        """Uploads a blob; its descriptor, without a media type."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        begun = self.ask("POST", f"/v2/{repository}/blobs/uploads/", b"", {})
        location = urllib.parse.urlsplit(begun.headers["Location"])
        target = f"{location.path}?{location.query}&digest={digest}"
        done = self.ask("PUT", target, content, {"Content-Type": "application/octet-stream"})
        assert done.status == 201, done.status
        return {"digest": digest, "size": len(content)}

    def push_manifest(self, repository: str, tag: str, manifest: dict) -> dict:
        """Uploads a manifest or index under a tag; its descriptor."""
        content = json.dumps(manifest).encode()
        done = self.ask("PUT", f"/v2/{repository}/manifests/{tag}", content, {"Content-Type": manifest["mediaType"]})
        assert done.status == 201, done.status
        return {"mediaType": manifest["mediaType"], "digest": f"sha256:{hashlib.sha256(content).hexdigest()}", "size": len(content)}

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=10)
        self.log.close()


@dataclass
class Request:
    method: str
    path: str
    range: str | None
    began: float
    ended: float = 0.0
    status: int = 0
    sent: int = 0


@dataclass
class Fault:
    """What happens to the first `times` requests that `matches`."""

    matches: Callable[[str, str], bool]
    times: int = 1
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    corrupt: bool = False
    slow_s: float = 0.0


def is_blob(method: str, path: str) -> bool:
    return method == "GET" and "/blobs/" in path


def is_manifest(method: str, path: str) -> bool:
    return "/manifests/" in path


class Proxy:
    """Stands in front of a docker-registry, keeps every request, and fails as told."""

    def __init__(self, upstream: DockerRegistry):
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self._lock = threading.Lock()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                proxy._answer(self, upstream)

            do_HEAD = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def _fault(self, method: str, path: str) -> Fault | None:
        with self._lock:
            for fault in self.faults:
                if fault.times > 0 and fault.matches(method, path):
                    fault.times -= 1
                    return fault
        return None

    def _answer(self, to: BaseHTTPRequestHandler, upstream: DockerRegistry) -> None:
        request = Request(to.command, to.path, to.headers.get("Range"), time.monotonic())
        with self._lock:
            self.requests.append(request)
        fault = self._fault(to.command, to.path)
        if fault and fault.status:
            request.status = fault.status
            to.send_response(fault.status)
            for name, value in ({"Content-Length": "0"} | fault.headers).items():
                to.send_header(name, value)
            to.end_headers()
            return
        connection = http.client.HTTPConnection(upstream.host, timeout=10)
        headers = {name: value for name, value in to.headers.items() if name.lower() != "host"}
        connection.request(to.command, to.path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        request.status = answer.status
        if fault and fault.corrupt:
            body = bytes([body[0] ^ 1]) + body[1:]
        to.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("date", "server", "transfer-encoding", "connection"):
                to.send_header(name, value)
        to.end_headers()
        if to.command == "HEAD":
            return
        if fault and fault.slow_s:
            time.sleep(fault.slow_s)
        whole = fault is None or fault.cut_after is None
        part = body if whole else body[: fault.cut_after]
        to.wfile.write(part)
        to.wfile.flush()
        request.sent, request.ended = len(part), time.monotonic()
        if not whole:
            to.close_connection = True
            to.connection.shutdown(socket.SHUT_RDWR)

    def of(self, matches: Callable[[str, str], bool]) -> list[Request]:
        with self._lock:
            return [request for request in self.requests if matches(request.method, request.path)]

    def reset(self) -> None:
        with self._lock:
            self.requests, self.faults = [], []

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def certificate(directory: Path, name: str, subject: str) -> tuple[Path, Path]:
    """A self-signed certificate, and its key."""
    pem, key = directory / f"{name}.pem", directory / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={subject}",
         "-addext", "subjectAltName=IP:0.0.0.0", "-keyout", str(key), "-out", str(pem)],
        check=True, capture_output=True)
    return pem, key


def authority(directory: Path, address: str = "0.0.0.0") -> tuple[Path, tuple[Path, Path]]:
    """A private certificate authority, and a certificate (with its key) that it signed for an address. 0.0.0.0 stands
    for a host that is no loopback address by its name, though nothing leaves the machine."""
    ca, ca_key = directory / "ca.pem", directory / "ca.key"
    pem, key, request = directory / "tls.pem", directory / "tls.key", directory / "tls.csr"
    names = directory / "tls.ext"
    names.write_text(f"subjectAltName=IP:{address}\nbasicConstraints=CA:FALSE\n")
    for command in (
        ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Test CA",
         "-keyout", str(ca_key), "-out", str(ca)],
        ["req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=registry", "-keyout", str(key), "-out", str(request)],
        ["x509", "-req", "-in", str(request), "-CA", str(ca), "-CAkey", str(ca_key), "-CAcreateserial", "-days", "2",
         "-extfile", str(names), "-out", str(pem)],
    ):
        subprocess.run(["openssl", *command], check=True, capture_output=True)
    return ca, (pem, key)


class TokenServer:
    """Gives tokens as Docker's token authentication has them: to USER for what is asked, to others none."""

    service, issuer = "registry of the tests", "issuer of the tests"

    def __init__(self, directory: Path):
        self.pem, self.key = certificate(directory, "token", self.issuer)
        self.scopes: list[str | None] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
                server.scopes += query.get("scope", [])
                given = self.headers.get("Authorization")
                wanted = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
                known = given == wanted and query.get("service") == [server.service]
                status = 401 if given and not known else 200
                access = [server._access(scope) for scope in query.get("scope", [])] if known else []
                body = json.dumps({"token": server._token(access), "expires_in": 300} if status == 200 else {}).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/token"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    @staticmethod
    def _access(scope: str) -> dict:
        kind, name, actions = scope.split(":")
        return {"type": kind, "name": name, "actions": actions.split(",")}

    def _token(self, access: list[dict]) -> str:
        def part(content: bytes) -> bytes:
            return base64.urlsafe_b64encode(content).rstrip(b"=")

        der = ssl.PEM_cert_to_DER_cert(self.pem.read_text())
        now = int(time.time())
        header = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
        claims = {"iss": self.issuer, "sub": USER, "aud": self.service, "exp": now + 300, "nbf": now - 10,
                  "iat": now, "jti": str(now), "access": access}
        signed = part(json.dumps(header).encode()) + b"." + part(json.dumps(claims).encode())
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", str(self.key)], input=signed,
                                   check=True, capture_output=True).stdout
        return (signed + b"." + part(signature)).decode()

    @property
    def configuration(self) -> str:
        return (f"auth:\n  token:\n    realm: {self.url}\n    service: {self.service}\n"
                f"    issuer: {self.issuer}\n    rootcertbundle: {self.pem}\n")

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()


class Listener:
    """Accepts connections, keeps the first bytes of each, and answers nothing."""

    def __init__(self) -> None:
        self.first_bytes: list[bytes] = []
        listener = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                listener.first_bytes.append(self.request.recv(16))

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        # By its name no loopback address; nothing leaves the machine all the same.
        self.host = f"0.0.0.0:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
