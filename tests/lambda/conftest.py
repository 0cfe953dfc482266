import importlib.util
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest

from cdk_rehearsal.embedded_aws import EmbeddedAws
from tests.access import allow, make_role
from tests.botocore_calls import judged_calls as judged_calls
from tests.web_server import Handler, serving

FUNCTIONS = Path(__file__).parents[2] / "lambda"


@pytest.fixture
def load_function(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """A function's module, freshly executed, as a new execution environment of Lambda's has it."""

    def load(name: str) -> ModuleType:
        monkeypatch.syspath_prepend(FUNCTIONS / name)
        spec = importlib.util.spec_from_file_location(name, FUNCTIONS / name / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@dataclass
class Answer:
    status: int
    body: bytes = b"ok"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class HttpServer:
    """A real HTTP server on loopback that gives its answers in turn, the last one for ever, and keeps what it got."""

    url: str
    answers: list[Answer] = field(default_factory=list)
    requests: list[tuple[str, bytes]] = field(default_factory=list)


@pytest.fixture
def http_server() -> Iterator[HttpServer]:
    class InTurn(Handler):
        def do_POST(self) -> None:
            server.requests.append((self.path, self.body()))
            answer = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
            self.answer(answer.status, answer.body, **answer.headers)

        do_PUT = do_POST  # as CloudFormation is answered

    with serving(InTurn) as url:
        server = HttpServer(url)
        yield server


@pytest.fixture
def answer() -> type[Answer]:
    return Answer


@pytest.fixture(scope="session")
def embedded_aws(embedded_aws: EmbeddedAws) -> EmbeddedAws:
    """With the role of the models, jobs and workflows that the functions find."""
    log = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents")
    make_role(
        embedded_aws,
        "release",
        allow("s3:GetObject", "s3:ListBucket", "s3:PutObject", on="arn:aws:s3:::*"),
        allow(*log, on="arn:aws:logs:*:*:log-group:/aws/sagemaker/*"),
        allow("cloudwatch:PutMetricData"),
        trusts=["sagemaker.amazonaws.com", "states.amazonaws.com"],
    )
    return embedded_aws


@pytest.fixture
def aws(embedded_aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> EmbeddedAws:
    """The embedded AWS, to which boto3 in this process leads."""
    for name, value in embedded_aws.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    return embedded_aws


@pytest.fixture
def bucket(aws: EmbeddedAws, request: pytest.FixtureRequest) -> str:
    name = "functions-" + "".join(c if c.isalnum() else "-" for c in request.node.name.lower()).strip("-")[:50].strip(
        "-"
    )
    aws.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def side_secret(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret by which extraction draws the sides of posts."""
    made = aws.client("secretsmanager").create_secret(Name=f"sides-{uuid.uuid4().hex}", SecretString="drawn by tests")
    monkeypatch.setenv("SIDE_SECRET_ARN", made["ARN"])


@pytest.fixture
def releases_table(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> str:
    """A releases' table of this test's own, which the functions find in their environment."""
    name = f"releases-{uuid.uuid4().hex[:12]}"
    aws.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[
            {"AttributeName": "endpoint", "KeyType": "HASH"},
            {"AttributeName": "entry", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "endpoint", "AttributeType": "S"},
            {"AttributeName": "entry", "AttributeType": "S"},
        ],
    )
    monkeypatch.setenv("RELEASES_TABLE", name)
    monkeypatch.setenv("ENDPOINT_NAME", "moderation")
    return name


class Extraction:
    """The function that makes training data, on posts and an export of the reviewers' table of this test's own."""

    def __init__(self, aws: EmbeddedAws, bucket: str, module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        self.s3 = aws.client("s3")
        self.bucket = bucket
        self.module = module
        self._secrets = aws.client("secretsmanager")
        self._monkeypatch = monkeypatch
        self.draws_by("drawn by the tests alone, and by nobody else")

    def draws_by(self, secret: str) -> None:
        """Another deployment's secret, from now on."""
        self.secret = secret.encode()
        made = self._secrets.create_secret(Name=f"sides-{uuid.uuid4().hex}", SecretString=secret)
        self._monkeypatch.setenv("SIDE_SECRET_ARN", made["ARN"])

    def run(
        self,
        posts: dict[str, int],
        items: list[dict[str, Any]] | None = None,
        *,
        known_sides: int | None = None,
        since: str | None = None,
        limits: dict[str, float] | None = None,
        run: str = "r",
    ) -> dict[str, Any]:
        """The function's result, with the labels of each side as `trained` and `tested`."""
        lines = "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in posts.items())
        self.s3.put_object(Bucket=self.bucket, Key="posts/a.jsonl", Body=lines.encode())
        event: dict[str, Any] = {"bucket": self.bucket, "posts_prefix": "posts/", "run_prefix": f"runs/{run}/"}
        event["known_sides"] = known_sides
        if items is not None:
            self._export(run, items)
            event["reviews"] = {"prefix": f"runs/{run}/reviews/", "since": since, "limits": limits or {}}
        result: dict[str, Any] = self.module.handler(event, None)
        for side in ("train", "test"):
            body = self.s3.get_object(Bucket=self.bucket, Key=f"runs/{run}/{side}/posts.jsonl")["Body"].read().decode()
            result[f"{side}ed"] = {post["text"]: post["label"] for post in map(json.loads, body.splitlines())}
        return result

    def register(self) -> list[str]:
        """The keys of the register's objects."""
        listed = self.s3.list_objects_v2(Bucket=self.bucket, Prefix="sides/")
        return [entry["Key"] for entry in listed.get("Contents", [])]

    def _export(self, run: str, items: list[dict[str, Any]]) -> None:
        folder = f"runs/{run}/reviews/AWSDynamoDB/01"
        summary = {"exportTime": "2026-11-26T12:00:00.000Z", "itemCount": len(items)}
        lines = "".join(json.dumps({"Item": item}) + "\n" for item in items)
        for name, body in (("manifest-summary.json", json.dumps(summary)), ("data/a.json", lines)):
            self.s3.put_object(Bucket=self.bucket, Key=f"{folder}/{name}", Body=body.encode())


@pytest.fixture
def extraction(
    aws: EmbeddedAws, bucket: str, load_function: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> Extraction:
    return Extraction(aws, bucket, load_function("training_data_extractor"), monkeypatch)
