"""Writes botocore.json: requests signed by the real botocore, with fixed keys and a fixed clock.

    .venv/bin/python crates/aws-wire/tests/vectors/generate.py

Run it again after adding a case; `sigv4_vectors.rs` reads the file. What is written is what goes on
the wire (target, headers, body), and which key, region and service it was signed with.
"""

import base64
import datetime
import json
from pathlib import Path
from urllib.parse import quote, urlsplit

import botocore
import botocore.auth
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

NOW = datetime.datetime(2026, 2, 28, 23, 58, 59, tzinfo=datetime.timezone.utc)
KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "IQoJb3JpZ2luX2VjEOr//////////wEaCXVzLWVhc3QtMSJH+MEUCIQ/D=="
HOST = "http://127.0.0.1:4566"
ECS = {"X-Amz-Target": "AmazonEC2ContainerServiceV20141113.ListClusters",
       "Content-Type": "application/x-amz-json-1.1"}
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
ENCODED = "/%s/x%%2Fy/~_-./" % quote("a b/ü+$", safe="")

# name, method, target, headers, body, service, region, session token?, seconds a presigned URL is good for
CASES = [
    ("json", "POST", "/", ECS, b"{}", "ecs", "us-east-1", False, None),
    ("json, empty body", "POST", "/", ECS, b"", "ecs", "us-east-1", False, None),
    ("json, utf-8 body", "POST", "/", ECS, '{"cluster":"ü€𝄞"}'.encode(), "ecs", "us-east-1", False, None),
    ("json, another region", "POST", "/", ECS, b"{}", "ecs", "eu-central-1", False, None),
    ("json, session token", "POST", "/", ECS, b"{}", "ecs", "us-east-1", True, None),
    ("logs", "POST", "/", {"X-Amz-Target": "Logs_20140328.PutLogEvents"}, "\0\x7f\n".encode(), "logs", "us-east-1", False, None),
    ("form", "POST", "/", FORM, b"Action=GetCallerIdentity&Version=2011-06-15", "sts", "us-east-1", False, None),
    ("get with a query", "GET", "/?Version=2011-06-15&Action=GetCallerIdentity", {}, b"", "sts", "us-east-1", False, None),
    ("query, encoded", "GET", "/?k=a%20b%2F%C3%BC&A=%26%3D%3F%23&%C3%BC=1", {}, b"", "sts", "us-east-1", False, None),
    ("query, repeated names", "GET", "/?b=2&a=9&b=10&a=1&b=1", {}, b"", "sts", "us-east-1", False, None),
    ("query, empty values", "GET", "/?b=&a&c=", {}, b"", "sts", "us-east-1", False, None),
    ("query, plus signs", "GET", "/?a=1%2B2&b%2Bc=%2B", {}, b"", "sts", "us-east-1", False, None),
    ("query, names that sort by byte", "GET", "/?a-b=1&a=2&a.b=3&aB=4&ab=5&A=6", {}, b"", "sts", "us-east-1", False, None),
    ("path, encoded", "GET", ENCODED, {}, b"", "sts", "us-east-1", False, None),
    ("path, dots and slashes", "GET", "/a//b/./c/../d/", {}, b"", "sts", "us-east-1", False, None),
    ("path, unreserved and reserved", "GET", "/a:b@c;d=e,f!g*h'i(j)/$&+", {}, b"", "sts", "us-east-1", False, None),
    ("headers, inner spaces", "POST", "/", ECS | {"X-Amz-Meta": "a   b    c", "X-Other": "  padded  \t x "}, b"{}", "ecs", "us-east-1", False, None),
    ("headers, utf-8 and commas", "POST", "/", ECS | {"X-Amz-Meta": "a,b, c", "X-Empty": ""}, b"{}", "ecs", "us-east-1", False, None),
    ("header Date", "POST", "/", ECS | {"Date": "Sat, 28 Feb 2026 23:58:59 GMT"}, b"{}", "ecs", "us-east-1", False, None),
    ("presigned", "GET", "/?Action=GetCallerIdentity&Version=2011-06-15", {}, b"", "sts", "us-east-1", False, 60),
    ("presigned, session token", "GET", "/?Action=GetCallerIdentity&Version=2011-06-15", {}, b"", "sts", "us-east-1", True, 3600),
    ("presigned, a week", "GET", "/?Action=GetCallerIdentity&Version=2011-06-15", {}, b"", "sts", "us-east-1", False, 604800),
    ("presigned, encoded query", "GET", "/?k=a%20b%2F%C3%BC%2B&z=&%C3%BC=1", {}, b"", "sts", "us-east-1", False, 60),
    ("presigned, encoded path", "GET", ENCODED + "?a=b", {}, b"", "sts", "us-east-1", False, 60),
    ("presigned, more headers", "GET", "/?a=b", {"X-Amz-Meta": "a   b", "X-Other": "ü".encode().decode("latin-1")}, b"", "sts", "us-east-1", False, 60),
    ("presigned post of a form", "POST", "/", FORM, {"Action": "GetCallerIdentity", "Version": "2011-06-15"}, "sts", "us-east-1", False, 60),
]


def vector(name, method, target, headers, body, service, region, token, expires):
    request = AWSRequest(method, HOST + target, data=body, headers=dict(headers))
    credentials = Credentials(KEY, SECRET, TOKEN if token else None)
    signer = SigV4Auth(credentials, service, region) if expires is None else \
        SigV4QueryAuth(credentials, service, region, expires=expires)
    signer.add_auth(request)
    prepared = request.prepare()
    url = urlsplit(prepared.url)
    sent = {name.lower(): value.decode() if isinstance(value, bytes) else value for name, value in prepared.headers.items()}
    sent.setdefault("host", url.netloc)
    sent.pop("content-length", None)
    return {
        "name": name, "method": method, "path": url.path, "query": url.query,
        "headers": sorted(sent.items()),
        "body": base64.b64encode(prepared.body or b"").decode(),
        "service": service, "region": region, "token": TOKEN if token else None, "expires_s": expires,
    }


def main():
    botocore.auth.get_current_datetime = lambda *_, **__: NOW
    vectors = {
        "botocore": botocore.__version__, "now_ms": int(NOW.timestamp() * 1000),
        "access_key_id": KEY, "secret": SECRET, "requests": [vector(*case) for case in CASES],
    }
    file = Path(__file__).with_name("botocore.json")
    file.write_text(json.dumps(vectors, indent=1, ensure_ascii=False) + "\n")
    print(f"{len(CASES)} requests of botocore {botocore.__version__} in {file.name}")


if __name__ == "__main__":
    main()
