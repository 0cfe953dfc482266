"""Attacks on identity, requests of other pages, smuggled requests, scripts and log lines: a table of each, all held.

What one client can do to the service's time is in test_hostile_clients.py, what a post's text does to the page in
test_review_page.py, and what an alert's words do to Slack in tests/lambda/test_slack_notifier.py.
"""

import base64
import hashlib
import hmac
import http.client
import json
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec

from tests.container.api.conftest import Balancer

from .conftest import Api

OIDC = "x-amzn-oidc-data"


@pytest.fixture(scope="module")
def reviewed(
    api_programs: Any,
    shared_runtime: Any,
    embedded_aws: Any,
    review_table_properties: dict[str, Any],
    balancer: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Any]:
    """One API with the page for reviewers, for all of these attacks."""
    name = f"attacked-{uuid.uuid4().hex}"
    declared = ("KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes", "BillingMode")
    embedded_aws.client("dynamodb").create_table(
        TableName=name, **{part: review_table_properties[part] for part in declared}
    )
    settings = {
        "AWS_ENDPOINT_URL_DYNAMODB": embedded_aws.endpoint_url,
        "REVIEW_TABLE": name,
        "REVIEW_DRAW_SECRET": "drawn by the tests alone, and by nobody else",
        **balancer.settings,
    }
    log = tmp_path_factory.mktemp("attacked") / "log"
    api = Api(api_programs, shared_runtime.url, log, DEADLINE_MS="20000", **settings)
    yield api
    api.kill()


def token(head: dict[str, Any], claims: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()) for part in (head, claims)]
    return (b".".join(parts) + b"." + base64.urlsafe_b64encode(sign(b".".join(parts)))).decode()


OWN_KEY = ec.generate_private_key(ec.SECP256R1())
ES256 = jwt.get_algorithm_by_name("ES256")


def own(balancer: Any, **head: object) -> str:
    """A header that the attacker has signed."""
    heads = {"typ": "JWT", "alg": "ES256", "kid": balancer.key_id, "signer": balancer.arn, **head}
    claims = {"sub": "hana", "exp": int(time.time()) + 60}
    return token(heads, claims, lambda message: ES256.sign(message, OWN_KEY))


def swapped(balancer: Any) -> str:
    """Another's claims under a signature that is right for one's own."""
    head, _, signature = balancer.header("mallory").split(".")
    return ".".join((head, balancer.header("hana").split(".")[1], signature))


def by_the_public_key(balancer: Any) -> str:
    """The balancer's public key, which everybody may fetch, as the secret of HMAC."""
    public = requests.get(f"{balancer.keys_url}/{balancer.key_id}", timeout=5).content
    head = {"alg": "HS256", "kid": balancer.key_id, "signer": balancer.arn}
    claims = {"sub": "hana", "exp": int(time.time()) + 60}
    return token(head, claims, lambda message: hmac.digest(public, message, hashlib.sha256))


JWK = {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}
# Who says that it is Hana, and how.
IDENTITY: dict[str, Callable[[Any], list[tuple[str, str]]]] = {
    "nobody": lambda balancer: [],
    "her name alone": lambda balancer: [("x-amzn-oidc-identity", "hana")],
    "an access token alone": lambda balancer: [("x-amzn-oidc-accesstoken", balancer.header("hana"))],
    "as a bearer": lambda balancer: [("Authorization", f"Bearer {balancer.header('hana')}")],
    "as a cookie": lambda balancer: [("Cookie", f"AWSELBAuthSessionCookie-0={balancer.header('hana')}")],
    "a key of one's own": lambda balancer: [(OIDC, own(balancer))],
    "a key of one's own, given along": lambda balancer: [(OIDC, own(balancer, jwk=JWK))],
    "a key that is elsewhere": lambda balancer: [(OIDC, own(balancer, jku="http://attacker.example/keys"))],
    "a key by its path": lambda balancer: [(OIDC, own(balancer, kid="../../attacker"))],
    "a key by its address": lambda balancer: [(OIDC, own(balancer, kid="http://attacker.example/key"))],
    "a list of keys": lambda balancer: [(OIDC, own(balancer, kid=[balancer.key_id]))],
    "no signature": lambda balancer: [(OIDC, token({"alg": "none"}, {"sub": "hana"}, lambda _: b""))],
    "an algorithm in other letters": lambda balancer: [(OIDC, own(balancer, alg="es256"))],
    "HMAC by the public key": lambda balancer: [(OIDC, by_the_public_key(balancer))],
    "another's claims": lambda balancer: [(OIDC, swapped(balancer))],
    "another balancer": lambda balancer: [(OIDC, balancer.header("hana", head={"signer": balancer.arn + "x"}))],
    "of yesterday": lambda balancer: [(OIDC, balancer.header("hana", exp=int(time.time()) - 86_400))],
    "of no time": lambda balancer: [(OIDC, balancer.header("hana", exp=None))],
    "not yet": lambda balancer: [(OIDC, balancer.header("hana", nbf=int(time.time()) + 3600))],
    "two people": lambda balancer: [(OIDC, f"{balancer.header('hana')},{balancer.header('mallory')}")],
    "twice, the forged one first": lambda balancer: [(OIDC, own(balancer)), (OIDC, balancer.header("hana"))],
    "twice, the forged one last": lambda balancer: [(OIDC, balancer.header("hana")), (OIDC, own(balancer))],
    "with an underscore": lambda balancer: [(OIDC.replace("-", "_"), balancer.header("hana"))],
    "a line of the log": lambda balancer: [(OIDC, balancer.header("hana\n{}"))],
    "no text": lambda balancer: [(OIDC, balancer.header("hana", sub=["hana"]))],
}


def answered(api: Any, method: str, path: str, headers: list[tuple[str, str]], body: bytes = b"") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=20)
    try:
        connection.putrequest(method, path)
        for name, value in [*headers, ("Content-Length", str(len(body)))]:
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("attack", IDENTITY)
def test_nobody_else_is_a_reviewer(reviewed: Any, balancer: Balancer, attack: Any) -> None:
    headers = IDENTITY[attack](balancer)
    for path in ("/review", "/review/docs", "/v1/reviews", "/v1/reviews/statistics", f"/v1/reviews?{OIDC}=hana"):
        status, body = answered(reviewed, "GET", path, headers)
        assert (status, b"posts" in body, b"<html" in body) == (401, False, False)
    origin = [("Origin", reviewed.url), ("Content-Type", "application/json")]
    assert answered(reviewed, "POST", "/v1/reviews/take", [*headers, *origin], b"{}")[0] == 401


# What another page can have the browser of a reviewer send; `{url}` and `{port}` are the service's own.
OTHER_PAGES = {
    "without an origin": [("Content-Type", "application/json")],
    "another origin": [("Content-Type", "application/json"), ("Origin", "https://attacker.example")],
    "a sandboxed frame": [("Content-Type", "application/json"), ("Origin", "null")],
    "another port": [("Content-Type", "application/json"), ("Origin", "http://127.0.0.1:1")],
    "a name that begins alike": [("Content-Type", "application/json"), ("Origin", "{url}.attacker.example")],
    "a name that ends alike": [("Content-Type", "application/json"), ("Origin", "http://x.127.0.0.1:{port}")],
    "a user of that name": [
        ("Content-Type", "application/json"),
        ("Origin", "http://127.0.0.1:{port}@attacker.example"),
    ],
    "an empty origin": [("Content-Type", "application/json"), ("Origin", "")],
    "a form": [("Content-Type", "application/x-www-form-urlencoded"), ("Origin", "{url}")],
    "a form of parts": [("Content-Type", "multipart/form-data; boundary=a"), ("Origin", "{url}")],
    "plain text": [("Content-Type", "text/plain"), ("Origin", "{url}")],
    "JSON as plain text": [("Content-Type", "text/plain; application/json"), ("Origin", "{url}")],
    "another site": [("Content-Type", "application/json"), ("Origin", "{url}"), ("Sec-Fetch-Site", "cross-site")],
    "a neighbouring site": [("Content-Type", "application/json"), ("Origin", "{url}"), ("Sec-Fetch-Site", "same-site")],
}


@pytest.mark.parametrize("attack", OTHER_PAGES)
def test_another_page_writes_nothing(reviewed: Any, balancer: Balancer, attack: Any) -> None:
    given = [(name, value.format(url=reviewed.url, port=reviewed.port)) for name, value in OTHER_PAGES[attack]]
    status, _ = answered(reviewed, "POST", "/v1/reviews/take", [(OIDC, balancer.header()), *given], b'{"count": 1}')
    assert status in (403, 415)


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-Method-Override", "_method"])
def test_what_reads_does_not_write_and_other_pages_are_not_let_in(
    reviewed: Any, balancer: Balancer, header: str
) -> None:
    signed = [(OIDC, balancer.header()), ("Origin", reviewed.url), ("Content-Type", "application/json")]
    for method in ("GET", "HEAD", "PUT"):
        status, _ = answered(reviewed, method, "/v1/reviews/take?_method=POST", [*signed, (header, "POST")])
        assert status in (404, 405)
    # A browser that asks first is told of no page that may.
    asked = {"Origin": "https://attacker.example", "Access-Control-Request-Method": "POST"}
    answer = requests.options(f"{reviewed.url}/v1/reviews/take", headers=asked, timeout=20)
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


SMUGGLED = b"GET /health HTTP/1.1\r\nHost: smuggled\r\n\r\n"
POST = b"POST /v1/moderations HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
CHUNKS = b"0\r\n\r\n" + SMUGGLED
# What a proxy in front may read as one request, and a server behind it as two.
TWO_IN_ONE = {
    "CL.TE": POST + b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n" % len(CHUNKS) + CHUNKS,
    "TE.CL": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n" + CHUNKS,
    "TE.TE, twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + CHUNKS,
    "TE.TE, a list": POST + b"Transfer-Encoding: identity, chunked\r\n\r\n" + CHUNKS,
    "TE.TE, a like word": POST + b"Transfer-Encoding: xchunked\r\n\r\n" + CHUNKS,
    "TE.TE, a quoted word": POST + b'Transfer-Encoding: "chunked"\r\n\r\n' + CHUNKS,
    "TE.TE, a vertical tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + CHUNKS,
    "TE.TE, a space in front of the colon": POST + b"Transfer-Encoding : chunked\r\n\r\n" + CHUNKS,
    "TE.TE, a space in front of the name": POST + b" Transfer-Encoding: chunked\r\n\r\n" + CHUNKS,
    "TE.TE, a folded line": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + CHUNKS,
    "TE.0, HTTP/1.0": POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS,
    "CL.CL, two lengths": POST + b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED,
    "CL.CL, a list": POST + b"Content-Length: 0, 0\r\n\r\n" + SMUGGLED,
    "CL, a sign": POST + b"Content-Length: +0\r\n\r\n" + SMUGGLED,
    "CL, below zero": POST + b"Content-Length: -1\r\n\r\n" + SMUGGLED,
    "CL, in hexadecimal": POST + b"Content-Length: 0x0\r\n\r\n" + SMUGGLED,
    "CL, with an underscore": POST + b"Content-Length: 0_0\r\n\r\n" + SMUGGLED,
    "CL, of another script": POST + "Content-Length: ٠\r\n\r\n".encode() + SMUGGLED,
    "chunks, a sign": POST + b"Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n" + SMUGGLED,
    "chunks, in hexadecimal": POST + b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n" + SMUGGLED,
    "chunks, ended by LF": POST + b"Transfer-Encoding: chunked\r\n\r\n0\n\n" + SMUGGLED,
    "headers, a NUL": POST + b"Content-Length: 0\x00\r\n\r\n" + SMUGGLED,
    "headers, ended by CR": POST + b"A: b\rContent-Length: 0\r\n\r\n" + SMUGGLED,
}


@pytest.mark.parametrize("attack", TWO_IN_ONE)
def test_no_request_is_two(reviewed: Any, attack: Any) -> None:
    with socket.create_connection(("127.0.0.1", reviewed.port), timeout=20) as client:
        client.sendall(TWO_IN_ONE[attack])
        client.shutdown(socket.SHUT_WR)
        received = b""
        with suppress(ConnectionResetError):
            while part := client.recv(65_536):
                received += part
    assert received.startswith(b"HTTP/1.1 400 ")
    assert received.count(b"HTTP/1.1 ") == 1
    assert b'"status": "up"' not in received


SCRIPT = "<script>alert(1)</script>"
ENCODED = "%3Cscript%3Ealert(1)%3C/script%3E"
# What comes back to a browser, and how it was sent.
SCRIPTS: dict[str, tuple[str, str, dict[str, str], str]] = {
    "a path": ("GET", f"/{ENCODED}", {}, ""),
    "a path below the page": ("GET", f"/review/{ENCODED}", {}, ""),
    "a query of the docs": ("GET", f"/docs?{ENCODED}", {}, ""),
    "a query of the page": ("GET", f"/review?{ENCODED}", {}, ""),
    "a host": ("GET", "/docs", {"Host": SCRIPT}, ""),
    "an id": ("GET", "/health", {"X-Request-Id": SCRIPT}, ""),
    "a trace": ("GET", "/health", {"X-Amzn-Trace-Id": SCRIPT}, ""),
    "a forwarded host": ("GET", "/docs", {"X-Forwarded-Host": SCRIPT, "X-Forwarded-Proto": SCRIPT}, ""),
    "a post": ("POST", "/v1/moderations", {"Content-Type": "application/json"}, json.dumps({"text": [SCRIPT]})),
    "a member": ("POST", "/v1/moderations", {"Content-Type": "application/json"}, json.dumps({SCRIPT: 1})),
    "a verdict": ("POST", f"/v1/reviews/{'0' * 64}/decide", {}, json.dumps({"lease": "a", "verdict": SCRIPT})),
    "a count": ("GET", f"/v1/reviews?count={ENCODED}", {}, ""),
    "a post's key": ("POST", f"/v1/reviews/{ENCODED}/undo", {}, '{"decision": 1}'),
    "a reviewer's name": ("GET", "/v1/reviews/statistics", {}, ""),
}


@pytest.mark.parametrize("attack", SCRIPTS)
def test_nothing_that_is_sent_comes_back_as_a_script(reviewed: Any, balancer: Balancer, attack: Any) -> None:
    method, path, headers, body = SCRIPTS[attack]
    own = {OIDC: balancer.header("mallory", email=SCRIPT), "Origin": reviewed.url, "Content-Type": "application/json"}
    answer = requests.request(method, f"{reviewed.url}{path}", headers=own | headers, data=body, timeout=20)
    assert answer.status_code < 500
    assert SCRIPT not in str(answer.headers)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    if answer.headers["Content-Type"].startswith("text/html"):
        assert SCRIPT not in answer.text
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    else:
        # A reviewer reads the own name there, as JSON.
        assert answer.headers["Content-Type"] == "application/json"
        assert SCRIPT not in answer.text or attack == "a reviewer's name"


FORGED = '"}\n{"level": "error", "message": "forged"}'
QUOTED = "%22%7D%0a%7B%22level%22:%22error%22,%22message%22:%22forged%22%7D"
# What is written into the log, and how it was sent.
LOGGED: dict[str, tuple[str, str, list[tuple[bytes, bytes]], str]] = {
    "a path": ("GET", f"/{QUOTED}", [], ""),
    "a query": ("GET", f"/health?{QUOTED}", [], ""),
    "an id": ("GET", "/health", [(b"X-Request-Id", b'a"}{"message": "forged')], ""),
    "an id with escapes": ("GET", "/health", [(b"X-Request-Id", b"\x1b[2Jforged")], ""),
    "a trace": ("GET", "/health", [(b"X-Amzn-Trace-Id", b"Root=1\x85forged")], ""),
    "a client": ("GET", "/health", [(b"User-Agent", b'"}{"message": "forged"}')], ""),
    "an address": ("GET", "/health", [(b"X-Forwarded-For", b'"}{"message": "forged"}')], ""),
    "a post": ("POST", "/v1/moderations", [(b"Content-Type", b"application/json")], json.dumps({"text": FORGED})),
    "a faulty post": ("POST", "/v1/moderations", [(b"Content-Type", b"application/json")], FORGED),
    "a content type": ("POST", "/v1/moderations", [(b"Content-Type", b'forged"}')], "{}"),
    "a reason": ("POST", f"/v1/reviews/{'0' * 64}/decide", [], json.dumps({"lease": FORGED, "verdict": FORGED})),
    "a method": ("FORGED", "/health", [], ""),
    "a header that folds": ("GET", "/health", [(b"A", b"b\r\n forged")], ""),
}


@pytest.mark.parametrize("attack", LOGGED)
def test_nobody_writes_lines_of_the_log(reviewed: Any, balancer: Balancer, attack: Any) -> None:
    method, path, headers, body = LOGGED[attack]
    before = len(reviewed.log_text_at_rest())
    own = [(OIDC.encode(), balancer.header().encode()), (b"Origin", reviewed.url.encode())]
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in [*own, *headers])
    sent = body.encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{reviewed.port}\r\nContent-Length: {len(sent)}\r\n".encode()
    with socket.create_connection(("127.0.0.1", reviewed.port), timeout=20) as client:
        client.sendall(head + lines + b"Connection: close\r\n\r\n" + sent)
        with suppress(ConnectionResetError):
            while client.recv(65_536):
                pass
    give_up = time.monotonic() + 10
    written: list[str] = []
    while not any('"request"' in line for line in written) and time.monotonic() < give_up:
        time.sleep(0.02)
        written = reviewed.log_text()[before:].splitlines()
    assert written
    for line in written:
        assert json.loads(line)["level"] in ("info", "warning")
        assert "forged" not in line.lower()
