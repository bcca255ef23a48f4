"""The wire under good and bad clients: signatures of the real botocore, bodies of every kind, and
sockets that do what no SDK does. The server is the real binary."""

from __future__ import annotations

import datetime
import json
import resource
import socket
import struct
import subprocess
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import botocore.auth
import pytest
import wire
from botocore.awsrequest import AWSRequest
from harness import eventually
from wire import ECS, alive, connect, ecs_request, exchange, head_and_body, read_answer, send, signed

MISMATCH = ("The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
            "and signing method. Consult the service documentation for details.")
WHO = "Action=GetCallerIdentity&Version=2011-06-15"


# -- signatures ----------------------------------------------------------------------------------


def test_urls_that_boto3_presigns_answer(longshore):
    # The model's own method is POST, which is what is signed unless one is named.
    for method, options in [("GET", {"HttpMethod": "GET"}), ("POST", {})]:
        url = longshore.client("sts").generate_presigned_url("get_caller_identity", ExpiresIn=60, **options)
        for _ in range(2):
            with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=30) as answer:
                assert b"<Arn>arn:aws:iam::000000000000:root</Arn>" in answer.read()
    post = signed(longshore, AWSRequest("POST", longshore.url + "/", data={"Action": "GetCallerIdentity", "Version": "2011-06-15"},
                                        headers=wire.FORM), service="sts", expires=60)
    answer = send(post)
    assert answer.status == 200 and b"GetCallerIdentityResult" in answer.body
    assert answer.headers["content-type"] == "text/xml"


@pytest.mark.parametrize("change", [
    lambda url: url.replace("GetCallerIdentity", "GetSessionToken"),
    lambda url: url.replace("X-Amz-Expires=60", "X-Amz-Expires=6000"),
    lambda url: url + "&DurationSeconds=900",
    lambda url: url[:-1] + ("0" if url[-1] != "0" else "1"),
    lambda url: url.replace("/?", "/path?"),
])
def test_a_presigned_url_that_was_changed_is_refused(longshore, change):
    request = signed(longshore, AWSRequest("GET", f"{longshore.url}/?{WHO}"), service="sts", expires=60)
    request.url = change(request.url)
    answer = send(request)
    assert (answer.status, answer.xml_code) in [(403, "SignatureDoesNotMatch"), (400, "InvalidAction")], answer
    if answer.xml_code == "SignatureDoesNotMatch":
        assert answer.xml_message == MISMATCH


def test_a_presigned_url_makes_no_other_operation(longshore):
    request = signed(longshore, AWSRequest("POST", f"{longshore.url}/"), service="ecs", expires=60)
    request.headers["X-Amz-Target"] = f"{ECS}.CreateCluster"
    answer = send(request)
    assert answer.code == "InvalidSignatureException"
    assert answer.json["message"] == "'x-amz-target' must be a 'SignedHeader' in the AWS Authorization."


def at(monkeypatch, offset_s):
    real = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=offset_s)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: real)


@pytest.mark.parametrize("offset_s, words", [(-302, "Signature expired: "), (330, "Signature not yet current: ")])
def test_a_clock_that_is_more_than_five_minutes_off_is_refused(longshore, monkeypatch, offset_s, words):
    at(monkeypatch, offset_s)
    answer = send(signed(longshore, ecs_request(longshore, "ListClusters")))
    assert (answer.status, answer.code) == (400, "InvalidSignatureException")
    assert answer.json["message"].startswith(words) and answer.json["message"].endswith("5 min.)")
    answer = send(signed(longshore, AWSRequest("POST", longshore.url + "/", data=WHO.encode(), headers=wire.FORM), service="sts"))
    assert (answer.status, answer.xml_code) == (403, "SignatureDoesNotMatch")
    assert answer.xml_message.startswith(words)


def test_a_clock_that_is_less_than_five_minutes_off_is_not(longshore, monkeypatch):
    for offset_s in (-270, 270):
        at(monkeypatch, offset_s)
        alive(longshore)


def test_a_presigned_url_is_good_for_its_time(longshore, monkeypatch):
    at(monkeypatch, -61)
    answer = send(signed(longshore, AWSRequest("GET", f"{longshore.url}/?{WHO}"), service="sts", expires=60))
    assert (answer.status, answer.xml_code) == (403, "SignatureDoesNotMatch")
    assert answer.xml_message.startswith("Signature expired: ") and answer.xml_message.endswith(" - 1 min.)")
    answer = send(signed(longshore, AWSRequest("GET", f"{longshore.url}/?{WHO}"), service="sts", expires=600))
    assert answer.status == 200


@pytest.mark.parametrize("changes, status, code, message", [
    (dict(secret="wrong" * 8), 403, "SignatureDoesNotMatch", MISMATCH),
    (dict(key="AKIAUNKNOWNUNKNOWN00"), 403, "InvalidClientTokenId", "The security token included in the request is invalid."),
    (dict(token="of-nobody"), 403, "InvalidClientTokenId", "The security token included in the request is invalid."),
    (dict(region="eu-west-9"), 403, "SignatureDoesNotMatch", "Credential should be scoped to a valid region."),
])
@pytest.mark.parametrize("expires", [None, 60])
def test_query_requests_are_refused_in_xml(longshore, changes, status, code, message, expires):
    request = AWSRequest("GET", f"{longshore.url}/?{WHO}")
    answer = send(signed(longshore, request, service="sts", expires=expires, **changes))
    assert (answer.status, answer.xml_code, answer.xml_message.replace("&quot;", '"')) == (status, code, message)


@pytest.mark.parametrize("changes, code, message", [
    (dict(secret="wrong" * 8), "InvalidSignatureException", MISMATCH),
    (dict(key="AKIAUNKNOWNUNKNOWN00"), "UnrecognizedClientException", "The security token included in the request is invalid."),
    (dict(token="of-nobody"), "UnrecognizedClientException", "The security token included in the request is invalid."),
    (dict(region="eu-west-9"), "InvalidSignatureException", "Credential should be scoped to a valid region."),
    (dict(service="logs"), "InvalidSignatureException", "Credential should be scoped to correct service: 'ecs'."),
])
def test_json_requests_are_refused_in_json(longshore, changes, code, message):
    answer = send(signed(longshore, ecs_request(longshore, "ListClusters"), **changes))
    assert (answer.status, answer.code, answer.json["message"]) == (400, code, message)


@pytest.mark.parametrize("tamper", [
    lambda http: setattr(http, "data", b'{"maxResults":1}'),
    lambda http: http.add_header("X-amz-target", f"{ECS}.ListTasks"),
    lambda http: http.add_header("X-amz-meta", "b"),
    lambda http: setattr(http, "full_url", http.full_url + "?a=b"),
    lambda http: setattr(http, "full_url", http.full_url + "path"),
])
def test_a_request_changed_on_its_way_is_refused(longshore, tamper):
    request = signed(longshore, ecs_request(longshore, "ListClusters", **{"X-Amz-Meta": "a"}))
    assert send(request).status == 200
    answer = send(request, tamper)
    assert (answer.status, answer.code, answer.json["message"]) == (400, "InvalidSignatureException", MISMATCH)


def test_who_does_not_sign_is_told_so_in_the_protocols_own_form(longshore):
    answer = send(ecs_request(longshore, "ListClusters"))
    assert (answer.status, answer.code, answer.json["message"]) == (400, "MissingAuthenticationTokenException", "Missing Authentication Token")
    answer = send(AWSRequest("GET", f"{longshore.url}/?{WHO}"))
    assert (answer.status, answer.xml_code, answer.xml_message) == (403, "MissingAuthenticationToken", "Request is missing Authentication Token")
    request = signed(longshore, ecs_request(longshore, "ListClusters"))
    del request.headers["X-Amz-Date"]
    answer = send(request)
    assert answer.code == "IncompleteSignatureException"
    assert "existence of either a 'X-Amz-Date' or a 'Date' header" in answer.json["message"]


def test_utf_8_reaches_the_service_whole(longshore):
    answer = send(signed(longshore, ecs_request(longshore, "DescribeClusters", '{"clusters":["ü€𝄞"]}'.encode())))
    assert answer.status == 200
    assert answer.json["failures"] == [{"arn": "arn:aws:ecs:us-east-1:000000000000:cluster/ü€𝄞", "reason": "MISSING"}]


# -- bodies --------------------------------------------------------------------------------------


@pytest.mark.parametrize("body, message", [
    (b"{", None), (b"[]", None), (b"nonsense", None), (b'{"clusters": [}', None), (b'{"a":1}}', None), (b"{} {}", None),
    (b'{"clusters": ["\xff\xfe"]}', None), (b'{"clusters":["a\nb"]}', None),
    (b'{"clusters": "a"}', "STRING_VALUE can not be converted to a list"),
    (b'{"clusters": [1]}', "NUMBER_VALUE can not be converted to a String"),
    (b'{"clusters": {"a": 1}}', "START_OBJECT can not be converted to a list"),
    (b'{"clusters": [true]}', "TRUE_VALUE can not be converted to a String"),
    (b"[" * 100_000, None), (b'{"a":' * 100_000, None),
])
def test_a_body_that_is_not_of_the_shape_is_a_serialization_exception(longshore, body, message):
    answer = send(signed(longshore, ecs_request(longshore, "DescribeClusters", body)))
    assert (answer.status, answer.code) == (400, "SerializationException"), answer
    if message:
        assert answer.json["message"] == message


@pytest.mark.parametrize("value", [b"99999999999", b"1e400", b"-1e400", b"1.5", b'"1"', b"1e", b"--1", b"0x10", b"NaN", b"1" * 400, b"01", b"1."])
def test_numbers_out_of_range_or_form_are_serialization_exceptions(longshore, value):
    answer = send(signed(longshore, ecs_request(longshore, "ListClusters", b'{"maxResults": ' + value + b"}")))
    assert (answer.status, answer.code) == (400, "SerializationException"), answer


@pytest.mark.parametrize("body", [
    b'{"future": {"a": [1, {"b": null}]}, "maxResults": 5}', b"", b"  \n", b'{"maxResults": null}', b'{"maxResults": 5.0}',
    b'{"maxResults": 500, "maxResults": 5}',
])
def test_what_is_unknown_null_or_repeated_is_no_error(longshore, body):
    assert send(signed(longshore, ecs_request(longshore, "ListClusters", body))).status == 200


def test_a_lone_surrogate_does_not_get_through(longshore):
    answer = send(signed(longshore, ecs_request(longshore, "DescribeClusters", b'{"clusters": ["\\ud800"]}')))
    assert answer.status == 200 and answer.json["failures"][0]["arn"].endswith("cluster/\N{REPLACEMENT CHARACTER}")


# -- sockets -------------------------------------------------------------------------------------


def test_bodies_come_in_chunks_on_demand_and_in_a_row(longshore):
    request = signed(longshore, ecs_request(longshore, "ListClusters", b'{"maxResults": 1}'))
    head, body = head_and_body(longshore, request, "content-length", **{"Transfer-Encoding": "chunked"})
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    assert exchange(longshore, head + chunks).status == 200
    broken = exchange(longshore, head + b"zz\r\nnonsense")
    assert (broken.status, broken.code) == (400, "MalformedHttpRequestException")
    # Expect: 100-continue: nothing is sent before the server asks for it.
    head, body = head_and_body(longshore, request, Expect="100-continue")
    with connect(longshore) as connection:
        stream = connection.makefile("rb")
        connection.sendall(head)
        assert stream.readline() == b"HTTP/1.1 100 Continue\r\n" and stream.readline() == b"\r\n"
        connection.sendall(body)
        assert read_answer(stream).status == 200
        # Three at once on the same connection; answers in order, each with an id of its own.
        head, body = head_and_body(longshore, request)
        unsigned, empty = head_and_body(longshore, ecs_request(longshore, "ListClusters", b""))
        connection.sendall(head + body + unsigned + empty + head + body)
        answers = [read_answer(stream) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 400, 200]
    assert len({answer.headers["x-amzn-requestid"] for answer in answers}) == 3


def test_a_body_that_is_too_long_is_refused_in_the_protocols_own_form(longshore):
    long = b'{"a":"' + b"x" * (9 << 20) + b'"}'
    answer = send(signed(longshore, ecs_request(longshore, "ListClusters", long)))
    assert (answer.status, answer.code) == (413, "RequestEntityTooLargeException")
    answer = send(signed(longshore, AWSRequest("POST", longshore.url + "/", data=long, headers=wire.FORM), service="sts"))
    assert (answer.status, answer.xml_code) == (413, "RequestEntityTooLargeException")
    # Who asks first is told before it sends.
    head, _ = head_and_body(longshore, ecs_request(longshore, "ListClusters"), "content-length",
                            **{"Expect": "100-continue", "Content-Length": str(1 << 40)})
    assert exchange(longshore, head).code == "RequestEntityTooLargeException"


def test_a_body_without_an_end_ends(longshore):
    head, _ = head_and_body(longshore, ecs_request(longshore, "ListClusters"), "content-length", **{"Transfer-Encoding": "chunked"})
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    sent = 0
    with connect(longshore) as connection:
        connection.sendall(head)
        try:
            while sent < 1 << 30:
                connection.sendall(chunk)
                sent += len(chunk)
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert 8 << 20 < sent < 100 << 20, f"{sent} bytes were taken"
    alive(longshore)


def test_slow_clients_are_given_up(longshore):
    """All at once, since each waits for its own deadline: (what is sent, what comes back)."""
    request = signed(longshore, ecs_request(longshore, "ListClusters", b"{}"))
    head, body = head_and_body(longshore, request)

    def silent() -> bytes:
        with connect(longshore) as connection:
            return connection.recv(1000)

    def slow_head() -> bytes:
        with connect(longshore) as connection:
            connection.sendall(head[:30])
            return connection.recv(1000)

    def slow_preface() -> bytes:
        with connect(longshore) as connection:
            connection.sendall(b"PRI * HT")
            return connection.recv(1000)

    def between_requests() -> bytes:
        with connect(longshore) as connection:
            stream = connection.makefile("rb")
            connection.sendall(head + body)
            assert read_answer(stream).status == 200
            return stream.read()

    def slow_body() -> str:
        with connect(longshore) as connection:
            connection.sendall(head + body[:1])
            answer = read_answer(connection.makefile("rb"))
            assert answer.status == 408
            return answer.code

    with ThreadPoolExecutor(5) as pool:
        closed = [pool.submit(client) for client in (silent, slow_head, slow_preface, between_requests)]
        late = pool.submit(slow_body)
        assert [client.result() for client in closed] == [b""] * 4
        assert late.result() == "RequestTimeoutException"
    alive(longshore)


def test_who_has_ended_his_side_still_gets_an_answer(longshore):
    head, body = head_and_body(longshore, signed(longshore, ecs_request(longshore, "ListClusters")))
    with connect(longshore) as connection:
        connection.sendall(head + body)
        connection.shutdown(socket.SHUT_WR)
        stream = connection.makefile("rb")
        assert read_answer(stream).status == 200
        assert stream.read() == b""


def test_who_leaves_halfway_harms_nobody(longshore):
    head, body = head_and_body(longshore, signed(longshore, ecs_request(longshore, "ListClusters")))
    for sent in (head[:10], head, head + body[:1], head + body):
        connection = connect(longshore)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sendall(sent)
        connection.close()
    alive(longshore)


@pytest.mark.parametrize("raw, status", [
    (b"\x00\x01\x02\x03" * 20 + b"\r\n\r\n", 400),
    (b"GET nonsense\r\n\r\n" + b" " * 30, 400),
    (b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nbroken header\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(b"h%d: v\r\n" % n for n in range(200)) + b"\r\n", 431),
    (b"GET / HTTP/1.1\r\nHost: a\r\nbomb: " + b"x" * 100_000 + b"\r\n\r\n", 431),
    (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX-Amz-Target: \xff\xfe\r\n\r\n", 400),
    (b"GET /healthz/no HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
])
def test_garbage_is_refused_with_a_request_id(longshore, raw, status):
    answer = exchange(longshore, raw)
    assert answer.status in (status, 431) if status == 414 else answer.status == status, answer
    assert answer.code and answer.json["message"]
    alive(longshore)


def test_every_answer_has_a_request_id(longshore):
    for path, status in [("/healthz", 200), ("/longshore/state", 403), ("/longshore/nothing", 403), ("/ws", 400), ("/", 400)]:
        answer = exchange(longshore, f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert answer.status == status, path
        assert wire.REQUEST_ID.fullmatch(answer.headers["x-amzn-requestid"]), path


def test_http_2_by_prior_knowledge(longshore):
    """curl signs by itself: a second signer, and HTTP/2 says `:authority` where HTTP/1.1 says Host."""
    stored = json.loads((longshore.data / "keys" / "root.json").read_text())
    command = ["curl", "-sS", "-i", "--aws-sigv4", "aws:amz:us-east-1:ecs", "--user", f"{stored['access_key_id']}:{stored['secret_access_key']}",
               "-H", f"X-Amz-Target: {ECS}.ListClusters", "-H", "Content-Type: application/x-amz-json-1.1", "-d", "{}", longshore.url + "/"]
    for version, line in [("--http2-prior-knowledge", "HTTP/2 200"), ("--http1.1", "HTTP/1.1 200 OK")]:
        done = subprocess.run([*command, version], capture_output=True, text=True, timeout=60)
        assert done.stdout.startswith(line), done
        assert "x-amzn-requestid: " in done.stdout and "clusterArns" in done.stdout
    broken = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 64
    with connect(longshore) as connection:
        connection.sendall(broken)
        while connection.recv(1000):
            pass
    alive(longshore)


def test_five_thousand_connections_at_once(longshore):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    server = longshore.pid("server")

    def descriptors() -> int:
        return len(list(Path(f"/proc/{server}/fd").iterdir()))

    before = descriptors()
    crowd = []
    try:
        for _ in range(5000):
            connection = socket.socket()
            connection.setblocking(False)
            connection.connect_ex(("127.0.0.1", longshore.port))
            crowd.append(connection)
        eventually(lambda: descriptors() > before + 500, "the server to take the crowd in")
        assert descriptors() <= before + 4200, "the server takes in more than it should"
        # The crowd says nothing and is given up; whoever comes later is served.
        alive(longshore)
        assert longshore.pid("server") == server
    finally:
        for connection in crowd:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    alive(longshore)
    eventually(lambda: descriptors() < before + 100, "the server to let the crowd go")


def test_sixty_four_clients_at_once(longshore):
    def client(_: int) -> int:
        head, body = head_and_body(longshore, signed(longshore, ecs_request(longshore, "ListClusters")))
        with connect(longshore) as connection:
            stream = connection.makefile("rb")
            for _ in range(20):
                connection.sendall(head + body)
                assert read_answer(stream).status == 200
        return 20

    with ThreadPoolExecutor(64) as pool:
        assert sum(pool.map(client, range(64))) == 64 * 20
