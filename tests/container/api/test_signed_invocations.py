import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from tests.container.api.conftest import Api, Runtime


def signature(secret: str, headers: dict[str, str], body: bytes) -> str:
    """Signature version 4 as AWS would compute it from what it received."""
    signed = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0]
    canonical = "\n".join(
        [
            "POST",
            "/endpoints/moderation/invocations",
            "",
            *(f"{name}:{headers[name]}" for name in signed.split(";")),
            "",
            signed,
            hashlib.sha256(body).hexdigest(),
        ]
    )
    moment = headers["x-amz-date"]
    scope = f"{moment[:8]}/us-east-1/sagemaker/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{secret}".encode()
    for part in [*scope.split("/"), text]:
        key = hmac.digest(key, part.encode(), "sha256")
    return key.hex()


def test_what_is_sent_is_what_is_signed(api: Api, runtime: Runtime) -> None:
    api.moderate("署名")
    headers = runtime.headers
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=test/")
    assert headers["authorization"].endswith(f"Signature={signature('test', headers, runtime.body)}")
    assert {"host", "content-type", "x-amz-date"} <= set(
        headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    )
    sent = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) - sent) < timedelta(minutes=1)


@pytest.mark.parametrize("token", [None, "a/session+token=="])
@pytest.mark.parametrize("path", ["/endpoints/moderation/invocations", "/base//a b/../~c/endpoints/m-1/invocations"])
@pytest.mark.parametrize("host", ["runtime.sagemaker.us-east-1.amazonaws.com", "localhost:4566"])
def test_signs_as_botocore_does(
    api_module: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, host: str, path: str, token: str | None
) -> None:
    moment = [1_795_737_598.9]
    signer = api_module("endpoint.signature").InvocationSigner(
        host=host, path=path, region="eu-west-1", clock=lambda: moment[0]
    )
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: datetime.fromtimestamp(moment[0], UTC))
    body, attributes = '{"text": "署名"}'.encode(), "patience-ms=795"
    # The first one on the day before, too.
    for secret in ["first", "first", "second", "second", "first"]:
        moment[0] += 1
        credentials = ReadOnlyCredentials("AKIDEXAMPLE", secret, token)
        request = AWSRequest(
            method="POST",
            url=f"http://{host}{path}",
            data=body,
            headers={
                "Content-Type": "application/json",
                "Accept": "application/json",
                "X-Amzn-SageMaker-Custom-Attributes": attributes,
            },
        )
        SigV4Auth(credentials, "sagemaker", "eu-west-1").add_auth(request)
        signed = signer.headers(body, attributes=attributes, credentials=credentials)
        assert signed == "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())


class TaskRole(ThreadingHTTPServer):
    """Plays the address that gives an ECS task its role's credentials."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked = 0
        self.hangs = False
        self.lasts = timedelta(hours=1)
        super().__init__(("127.0.0.1", 0), TaskRoleHandler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/role"


class TaskRoleHandler(BaseHTTPRequestHandler):
    server: TaskRole

    def do_GET(self) -> None:
        if self.server.hangs:
            time.sleep(5)
            return
        self.server.asked += 1
        content = {
            "AccessKeyId": "ROLEKEY",
            "SecretAccessKey": "rolesecret",
            "Token": "roletoken",
            "Expiration": (datetime.now(UTC) + self.server.lasts).isoformat(),
        }
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def task_role() -> Iterator[TaskRole]:
    server = TaskRole()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def with_role(task_role: TaskRole) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": "",
        "AWS_SECRET_ACCESS_KEY": "",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": task_role.url,
    }


def test_signs_with_the_credentials_of_the_task(
    start_api: Callable[..., Api], runtime: Runtime, task_role: TaskRole
) -> None:
    api = start_api(runtime.url, **with_role(task_role))
    assert api.moderate().json()["probability"] == 0.93
    assert "Credential=ROLEKEY/" in runtime.headers["authorization"]
    assert runtime.headers["x-amz-security-token"] == "roletoken"
    assert runtime.headers["authorization"].endswith(signature("rolesecret", runtime.headers, runtime.body))


def test_answers_in_time_while_credentials_are_not_to_be_had(
    start_api: Callable[..., Api], runtime: Runtime, task_role: TaskRole
) -> None:
    task_role.hangs = True
    api = start_api(runtime.url, DEADLINE_MS="500", **with_role(task_role))
    started = time.monotonic()
    assert api.moderate().json()["fallback"] == "deadline"
    assert time.monotonic() - started < 1.5
    assert runtime.invocations == []


def test_credentials_that_have_ended_are_asked_for_again(
    start_api: Callable[..., Api], runtime: Runtime, task_role: TaskRole
) -> None:
    task_role.lasts = timedelta(hours=-1)
    api = start_api(runtime.url, DEADLINE_MS="300", BREAKER_FAILURES="1000", **with_role(task_role))
    assert api.moderate().json()["probability"] is None
    task_role.lasts = timedelta(hours=1)
    give_up = time.monotonic() + 20
    while api.moderate().json()["probability"] is None:
        assert time.monotonic() < give_up


def test_a_connection_that_the_endpoint_closed_is_replaced(api: Api, runtime: Runtime) -> None:
    body = b'{"predictions": "0.93"}'
    runtime.answers_bytes(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body), close=True)
    for _ in range(6):
        assert api.moderate().json()["probability"] == 0.93


@pytest.mark.image
def test_speaks_tls_over_connections_that_are_kept(
    start_api: Callable[..., Api], tls_runtime: tuple[Runtime, Path]
) -> None:
    runtime, certificate = tls_runtime
    api = start_api(runtime.url, AWS_CA_BUNDLE=str(certificate), BREAKER_FAILURES="1000")
    for _ in range(20):
        assert api.moderate().json()["probability"] == 0.93
    assert runtime.connections <= 4
    answer = b'HTTP/1.1 200 OK\r\nContent-Length: 23\r\n\r\n{"predictions": "0.93"}'
    runtime.answers_bytes(answer, close=True)
    for _ in range(6):
        assert api.moderate().json()["probability"] == 0.93
    runtime.trickles(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a" * 20, every_seconds=0.2)
    started = time.monotonic()
    assert api.moderate().json()["fallback"] == "deadline"
    assert time.monotonic() - started < 1.8
    runtime.answers("0.5")
    assert api.moderate().json()["probability"] == 0.5


def test_refuses_a_certificate_that_it_does_not_trust(
    start_api: Callable[..., Api], tls_runtime: tuple[Runtime, Path]
) -> None:
    runtime, _ = tls_runtime
    api = start_api(runtime.url)
    assert api.moderate().json()["fallback"] in ("unreachable", "deadline")
    assert runtime.invocations == []
