"""The real API as a process of its own, and a local server that plays SageMaker's runtime."""

import base64
import importlib
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import aws_cdk as cdk
import jwt
import pytest
import requests
from aws_cdk.assertions import Template
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cdk_fargate_sagemaker.review import ReviewQueue
from cdk_rehearsal.processes.free_port import free_port

collect_ignore = [] if os.environ.get("API_IMAGE") else ["test_image.py"]

API_FOLDER = Path(__file__).resolve().parents[3] / "container" / "api"


class Runtime:
    """Plays POST /endpoints/NAME/invocations. Tests set how it answers; raw sockets, so that it can answer anything."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.connections = 0
        self.invocations: list[tuple[str, dict[str, object]]] = []
        self.headers: dict[str, str] = {}
        """Of the latest invocation, their names in lower case."""
        self.body = b""
        self.answers("0.93")
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        scheme, host = ("https", "localhost") if tls else ("http", "127.0.0.1")
        self.url = f"{scheme}://{host}:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def answers(self, predictions: object, *, model: str | None = "moderation-7", after_seconds: float = 0) -> None:
        headers = [] if model is None else [f"X-Amzn-SageMaker-Custom-Attributes: model={model}"]
        self.answers_body(
            json.dumps({"predictions": predictions}).encode(), headers=headers, after_seconds=after_seconds
        )

    def answers_body(
        self, body: bytes, *, status: str = "200 OK", headers: list[str] | None = None, after_seconds: float = 0
    ) -> None:
        lines = [
            f"HTTP/1.1 {status}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            *(headers or []),
        ]
        self.answers_bytes("\r\n".join(lines).encode() + b"\r\n\r\n" + body, after_seconds=after_seconds)

    def answers_bytes(self, answer: bytes, *, after_seconds: float = 0, close: bool = False) -> None:
        def reply(connection: socket.socket) -> bool:
            time.sleep(after_seconds)
            connection.sendall(answer)
            return not close

        self.reply: Callable[[socket.socket], bool] = reply

    def trickles(self, at_once: bytes, then: bytes, *, every_seconds: float) -> None:
        def reply(connection: socket.socket) -> bool:
            connection.sendall(at_once)
            for byte in then:
                time.sleep(every_seconds)
                connection.sendall(bytes([byte]))
            return False

        self.reply = reply

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        if self._tls:
            try:
                connection = self._tls.wrap_socket(connection, server_side=True)
            except OSError:  # the client does not trust us
                return
        with connection, connection.makefile("rb") as stream, suppress(OSError):
            while request_line := stream.readline():
                headers = {}
                while (header := stream.readline().strip()) != b"":
                    name, _, value = header.decode().partition(":")
                    headers[name.lower()] = value.strip()
                self.headers = headers
                self.body = stream.read(int(headers["content-length"]))
                self.invocations.append((request_line.decode().split()[1], json.loads(self.body)))
                if not self.reply(connection):
                    return


class Api:
    """The program of container/api, started as its image starts it."""

    def __init__(self, programs: Any, runtime_url: str, log: Path, **settings: str) -> None:
        self.port = int(settings.get("PORT") or free_port())
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = log
        self.program = programs.start(
            [],
            {
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_REGION": "us-east-1",
                "AWS_ENDPOINT_URL": runtime_url,
                "ENDPOINT_NAME": "moderation",
                "HOST": "127.0.0.1",
                "PORT": str(self.port),
                **settings,
            },
            mounts={Path(value): f"{value}:ro" for value in settings.values() if value.startswith("/")},
        )
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                self.program.command,
                cwd=self.program.cwd,
                env=self.program.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_up()
        except BaseException:
            self.kill()
            raise

    def _wait_until_up(self) -> None:
        give_up = time.monotonic() + 30
        while not self.is_up():
            assert self.process.poll() is None, self.log_text()
            assert time.monotonic() < give_up, self.log_text()
            time.sleep(0.05)

    @property
    def pid(self) -> int:
        """Of the program itself, which in a container is no child of this process."""
        return int(self.program.pid(self.process))

    def is_up(self) -> bool:
        try:
            return requests.get(f"{self.url}/health", timeout=2).status_code == 200
        except (requests.ConnectionError, requests.Timeout):
            return False

    def moderate(self, text: object = "夜泣きがつらいです。", **options: Any) -> requests.Response:
        return requests.post(f"{self.url}/v1/moderations", json={"text": text}, timeout=20, **options)

    def log_text(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def log_text_at_rest(self) -> str:
        """Whole, though Docker takes its time to copy what a container writes."""
        if self.program.container:
            size = -1
            while size != (size := self._log.stat().st_size):
                time.sleep(0.2)
        return self.log_text()

    def log_lines(self, request_id: str) -> list[dict[str, Any]]:
        """At least one of them, which comes at the latest a moment after the answer."""
        give_up = time.monotonic() + 10
        while True:
            lines = [json.loads(line) for line in self.log_text().splitlines(keepends=True) if line.endswith("\n")]
            found = [line for line in lines if line.get("request_id") == request_id]
            if found or time.monotonic() > give_up:
                return found
            time.sleep(0.02)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.program.remove()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        finally:
            self.process.kill()
            self.process.wait()
            self.program.remove()


@pytest.fixture
def tls_runtime(tmp_path: Path) -> Iterator[tuple[Runtime, Path]]:
    """A runtime behind TLS, and the certificate to trust; skips where there is no openssl to make one."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not on PATH")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(
        [openssl, *make, *names, "-keyout", key, "-out", certificate], check=True, capture_output=True, timeout=30
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    runtime = Runtime(context)
    yield runtime, certificate
    runtime.close()


@pytest.fixture(scope="module")
def shared_runtime() -> Iterator[Runtime]:
    runtime = Runtime()
    yield runtime
    runtime.close()


@pytest.fixture(scope="module")
def api(shared_runtime: Runtime, api_programs: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One API for the tests of a module: policy `flag`, threshold 0.6, deadline 800 ms, a breaker that never opens."""
    log = tmp_path_factory.mktemp("api") / "log"
    api = Api(api_programs, shared_runtime.url, log, THRESHOLD="0.6", DEADLINE_MS="800", BREAKER_FAILURES="1000000")
    yield api
    api.kill()


@pytest.fixture
def runtime(shared_runtime: Runtime) -> Runtime:
    """The runtime behind `api`, answering 0.93 until a test says otherwise."""
    shared_runtime.answers("0.93")
    shared_runtime.invocations.clear()
    return shared_runtime


@pytest.fixture
def start_api(api_programs: Any, tmp_path: Path) -> Iterator[Callable[..., Api]]:
    """Start an API with settings of the test's own: `start_api(runtime_url, THRESHOLD="0.5", …)`."""
    started: list[Api] = []

    def start(runtime_url: str, **settings: str) -> Api:
        started.append(Api(api_programs, runtime_url, tmp_path / f"log-{len(started)}", **settings))
        return started[-1]

    yield start
    for api in started:
        api.kill()


@pytest.fixture(scope="session")
def api_module() -> Callable[[str], ModuleType]:
    """Import a module of the API: `api_module("reviews.store")`."""
    if str(API_FOLDER) not in sys.path:
        sys.path.append(str(API_FOLDER))
    return importlib.import_module


@pytest.fixture(scope="session")
def review_table_properties() -> dict[str, Any]:
    """The table as `ReviewQueue` declares it: what these tests read and write is what is deployed."""
    stack = cdk.Stack(cdk.App(), "Stack")
    ReviewQueue(stack, "Reviews")
    (table,) = Template.from_stack(stack).find_resources("AWS::DynamoDB::Table").values()
    properties: dict[str, Any] = table["Properties"]
    return properties


@pytest.fixture
def review_table(embedded_aws: Any, review_table_properties: dict[str, Any]) -> str:
    """The name of a new, empty table."""
    name = f"reviews-{uuid.uuid4().hex}"
    declared = ("KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes", "BillingMode")
    embedded_aws.client("dynamodb").create_table(
        TableName=name, **{part: review_table_properties[part] for part in declared}
    )
    return name


@pytest.fixture
def review_store(
    api_module: Callable[[str], ModuleType], embedded_aws: Any, review_table: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """A store of its own connection to the test's table: `review_store(shards=2, clock=…)`."""
    for name, value in embedded_aws.environment.items():
        monkeypatch.setenv(name, value)

    def make(**options: Any) -> Any:
        chosen = {
            "shards": 1,
            "lease_seconds": 600,
            "ttl_days": None,
            "daily_quota": 100_000,
            "decisions_a_minute": 6000,
            **options,
        }
        return api_module("reviews.store").ReviewStore(table=review_table, region="us-east-1", **chosen)

    return make


@pytest.fixture
def review_post(api_module: Callable[[str], ModuleType]) -> Callable[..., Any]:
    """A post as the API stores it: `review_post("text", 0.9)`."""

    def make(text: str, probability: float | None = 0.9, **options: Any) -> Any:
        chosen = {
            "model": "moderation-7",
            "received": "2026-11-23T09:00:00.000+00:00",
            "flagged": True,
            "weight": 1.0,
            "priority": 1.0 if probability is None else probability,
            "second": False,
            **options,
        }
        return api_module("reviews.post").ReviewPost(text=text, probability=probability, **chosen)

    return make


@pytest.fixture
def stored_texts(embedded_aws: Any, review_table: str) -> Callable[[], list[str]]:
    """Of the posts in the reviewers' table."""

    def read() -> list[str]:
        items = embedded_aws.client("dynamodb").scan(TableName=review_table, ConsistentRead=True)["Items"]
        return [item["text"]["S"] for item in items if "text" in item]

    return read


class Balancer:
    """Plays the load balancer where it authenticates: signs headers as it does, and serves its public keys."""

    arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/moderation/0123456789abcdef"

    def __init__(self) -> None:
        self.key_id = str(uuid.uuid4())
        self.asked: list[str] = []
        self._key = ec.generate_private_key(ec.SECP256R1())
        public = self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                known = self.path == f"/{outer.key_id}"
                self.send_response(200 if known else 404)
                self.end_headers()
                self.wfile.write(public if known else b"no such key")

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.keys_url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def settings(self) -> dict[str, str]:
        return {"REVIEW_SIGNER": self.arn, "REVIEW_KEYS_URL": self.keys_url}

    def header(
        self, subject: str = "hana", *, key: Any = None, head: dict[str, object] | None = None, **claims: object
    ) -> str:
        """Signed, and with the padding that the load balancer leaves in, against the standard."""
        told = {"sub": subject, "email": f"{subject}@example.com", "exp": int(time.time()) + 120, **claims}
        heads = {"typ": "JWT", "alg": "ES256", "kid": self.key_id, "signer": self.arn, "client": "a", **(head or {})}
        parts = [
            base64.urlsafe_b64encode(
                json.dumps({name: value for name, value in part.items() if value is not None}).encode()
            )
            for part in (heads, told)
        ]
        message = b".".join(parts)
        signature = jwt.get_algorithm_by_name("ES256").sign(message, key or self._key)
        return (message + b"." + base64.urlsafe_b64encode(signature)).decode()


@pytest.fixture(scope="session")
def balancer() -> Iterator[Balancer]:
    balancer = Balancer()
    yield balancer
    balancer.close()


@pytest.fixture
def start_reviews(
    start_api: Callable[..., Api], embedded_aws: Any, review_table: str, balancer: Balancer
) -> Callable[..., Api]:
    """Start an API that stores posts in the test's table and has the page for reviewers."""

    def start(runtime_url: str, **settings: str) -> Api:
        chosen = {
            "AWS_ENDPOINT_URL_DYNAMODB": embedded_aws.endpoint_url,
            "REVIEW_TABLE": review_table,
            "REVIEW_DRAW_SECRET": "drawn by the tests alone, and by nobody else",
            "REVIEW_SECOND_PERCENT": "0",
            "REVIEW_DECISIONS_A_MINUTE": "6000",
            **balancer.settings,
        }
        return start_api(runtime_url, **{**chosen, **settings})

    return start
