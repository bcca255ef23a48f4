"""Requests by hand: signed by the real botocore, sent over raw sockets."""

from __future__ import annotations

import json
import re
import socket
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any, Callable

from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from harness import Longshore

ECS = "AmazonEC2ContainerServiceV20141113"
REQUEST_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Type of a JSON error; the request id is checked on the way."""
        assert REQUEST_ID.fullmatch(self.headers["x-amzn-requestid"]), self.headers
        kind = self.json["__type"]
        assert self.headers["x-amzn-errortype"] == kind
        return kind

    @property
    def xml_code(self) -> str:
        text = self.body.decode()
        assert f"<RequestId>{self.headers['x-amzn-requestid']}</RequestId>" in text, text
        return re.search("<Code>(.*?)</Code>", text)[1]

    @property
    def xml_message(self) -> str:
        return re.search("<Message>(.*?)</Message>", self.body.decode(), re.S)[1]


def root(longshore: Longshore, **changes: str) -> Credentials:
    stored = json.loads((longshore.data / "keys" / "root.json").read_text())
    return Credentials(changes.get("key", stored["access_key_id"]), changes.get("secret", stored["secret_access_key"]), changes.get("token"))


def ecs_request(longshore: Longshore, operation: str, body: bytes = b"{}", **headers: str) -> AWSRequest:
    return AWSRequest("POST", longshore.url + "/", data=body, headers={
        "X-Amz-Target": f"{ECS}.{operation}", "Content-Type": "application/x-amz-json-1.1"} | headers)


def signed(longshore: Longshore, request: AWSRequest, service: str = "ecs", region: str = "us-east-1",
           expires: int | None = None, **changes: str) -> AWSRequest:
    """The same request, signed in its headers, or presigned where it shall expire."""
    credentials = root(longshore, **changes)
    signer = SigV4Auth(credentials, service, region) if expires is None else SigV4QueryAuth(credentials, service, region, expires)
    signer.add_auth(request)
    return request


def send(request: AWSRequest, tamper: Callable[[urllib.request.Request], None] | None = None) -> Answer:
    prepared = request.prepare()
    http = urllib.request.Request(prepared.url, data=prepared.body or None, headers=dict(prepared.headers), method=prepared.method)
    if tamper:
        tamper(http)
    try:
        with urllib.request.urlopen(http, timeout=60) as answer:
            return Answer(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, {k.lower(): v for k, v in error.headers.items()}, error.read())


def head_and_body(longshore: Longshore, request: AWSRequest, *drop: str, **more: str) -> tuple[bytes, bytes]:
    """The bytes of a request as they go over a socket."""
    prepared = request.prepare()
    target = prepared.url[len(longshore.url):] or "/"
    headers = {"Host": f"127.0.0.1:{longshore.port}"} | {
        k: v.decode() if isinstance(v, bytes) else v for k, v in prepared.headers.items() if k.lower() not in drop} | more
    lines = [f"{prepared.method} {target} HTTP/1.1"] + [f"{k}: {v}" for k, v in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"), prepared.body or b""


def connect(longshore: Longshore, timeout_s: float = 60) -> socket.socket:
    return socket.create_connection(("127.0.0.1", longshore.port), timeout=timeout_s)


def read_answer(stream: Any) -> Answer:
    """One HTTP/1.1 answer of a stated length, from a file over a socket."""
    status_line = stream.readline()
    assert status_line.startswith(b"HTTP/1.1 "), status_line
    headers = {}
    while (line := stream.readline()) not in (b"\r\n", b""):
        name, value = line.decode().split(":", 1)
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", 0)))
    return Answer(int(status_line.split()[1]), headers, body)


def exchange(longshore: Longshore, raw: bytes) -> Answer:
    """Sends bytes as they are; the first answer."""
    with connect(longshore) as connection:
        connection.sendall(raw)
        return read_answer(connection.makefile("rb"))


def alive(longshore: Longshore) -> Answer:
    answer = send(signed(longshore, ecs_request(longshore, "ListClusters")))
    assert answer.status == 200, answer
    return answer
