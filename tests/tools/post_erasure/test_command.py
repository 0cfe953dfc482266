"""The command against the embedded AWS: a post in every place where one is stored."""

import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from post_key import post_key
from typer.testing import CliRunner, Result

from cdk_rehearsal.embedded_aws import EmbeddedAws
from post_erasure.cli import app, main

POST = "MARKED: my name is Hanako, call 03-1234-5678 ❤\ufe0f"
LIKE_IT = "ＭＡＲＫＥＤ: my name\u200b is  HANAKO, call 03-1234-5678 ❤"
OTHERS = ["おはよう", "free money"]


def line(text: str, label: int = 1) -> bytes:
    return json.dumps({"text": text, "label": label}, ensure_ascii=False).encode() + b"\n"


def archive(**files: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as written:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            written.addfile(member, io.BytesIO(content))
    return out.getvalue()


class Stored:
    """The places of a deployment, with posts in each."""

    def __init__(self, aws: EmbeddedAws) -> None:
        self.aws = aws
        unique = uuid.uuid4().hex[:8]
        self.s3, self.sqs, self.dynamodb = (aws.client(name) for name in ("s3", "sqs", "dynamodb"))
        self.bucket, self.table = f"erasure-{unique}", f"erasure-{unique}"
        self.s3.create_bucket(Bucket=self.bucket)
        self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})
        self.queues = [self.sqs.create_queue(QueueName=f"{name}-{unique}")["QueueUrl"] for name in ("unscored", "dead")]
        self.dynamodb.create_table(
            TableName=self.table,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "post", "KeyType": "HASH"}, {"AttributeName": "entry", "KeyType": "RANGE"}],
            AttributeDefinitions=[
                {"AttributeName": "post", "AttributeType": "S"},
                {"AttributeName": "entry", "AttributeType": "S"},
            ],
        )
        for queue in self.queues:
            for text in [POST, *OTHERS]:
                self.sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"version": 1, "text": text}))
        # Of an earlier version, whose key did not pass over what is not seen.
        self.store("e" * 64, LIKE_IT, decisions=2)
        self.store(post_key(POST), POST, decisions=1)
        self.store(post_key(OTHERS[0]), OTHERS[0], decisions=1)
        self.put_item("day#2026-11-23", "reviewer#hana", fine={"N": "4"})
        others = b"".join(map(line, OTHERS))
        exported = [
            {"post": {"S": post_key(POST)}, "entry": {"S": "decision#000001"}, "reason": {"S": "names Hanako"}},
            {"post": {"S": "e" * 64}, "entry": {"S": "decision#000001"}, "reason": {"S": "a number"}},
            {"post": {"S": "a" * 64}, "entry": {"S": "post"}, "text": {"S": OTHERS[0]}},
        ]
        export = b"".join(json.dumps({"Item": item}).encode() + b"\n" for item in exported)
        self.put("posts/base.csv", b"text,label\r\nok,0\r\n" + f'"{POST}",1\r\n'.encode())
        self.put("posts/base.csv", b"text,label\r\nok,0\r\n" + f'"{LIKE_IT}",1\r\n'.encode())
        self.put("posts/more.jsonl.gz", gzip.compress(line(POST) + others))
        self.put("posts/untouched.jsonl", others)
        self.put("runs/r1/reviews/AWSDynamoDB/1/data/a.json.gz", gzip.compress(export))
        self.put("runs/r1/train/posts.jsonl", others + line(POST))
        self.put("runs/r2/test/posts.jsonl", others)
        self.put("models/m1/output/output.tar.gz", archive(**{"golden_posts.jsonl": line(POST) + others}))
        self.put("models/m1/output/model.tar.gz", archive(**{"model.onnx": b"\x00\xff"}))
        self.put("sides/1.csv.gz", gzip.compress(f"post,side\n{post_key(POST)},train\n".encode()))

    def put(self, key: str, body: bytes) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType="text/x-posts", Metadata={"by": "hana"})

    def put_item(self, post: str, entry: str, **more: Any) -> None:
        self.dynamodb.put_item(TableName=self.table, Item={"post": {"S": post}, "entry": {"S": entry}, **more})

    def store(self, key: str, text: str, *, decisions: int) -> None:
        self.put_item(key, "post", text={"S": text})
        for number in range(decisions):
            self.put_item(key, f"decision#{number + 1:06}", reason={"S": f"about {text}"})

    def everything(self) -> list[bytes]:
        """All that can be read of any place, of every version of an object."""
        read = [json.dumps(item, ensure_ascii=False).encode() for item in self.items()]
        for version in self.s3.list_object_versions(Bucket=self.bucket)["Versions"]:
            got = self.s3.get_object(Bucket=self.bucket, Key=version["Key"], VersionId=version["VersionId"])
            body = got["Body"].read()
            if version["Key"].endswith(".tar.gz"):
                with tarfile.open(fileobj=io.BytesIO(body)) as opened:
                    read += [opened.extractfile(member).read() for member in opened]  # type: ignore[union-attr]
            else:
                read.append(gzip.decompress(body) if version["Key"].endswith(".gz") else body)
        return read + [message["Body"].encode() for queue in self.queues for message in self.messages(queue)]

    def items(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.dynamodb.scan(TableName=self.table, ConsistentRead=True)["Items"]
        return items

    def messages(self, queue: str) -> list[dict[str, Any]]:
        answer = self.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=0)
        return list(answer.get("Messages", []))

    def places(self) -> list[str]:
        queues = [part for queue in self.queues for part in ("--queue", queue)]
        return ["--table", self.table, "--bucket", self.bucket, *queues]


def run(aws: EmbeddedAws, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | aws.environment
    command = [sys.executable, "-m", "post_erasure", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, check=False)


@pytest.fixture
def here(embedded_aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs the command in this process, which takes less time."""
    for name, value in embedded_aws.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


@pytest.fixture
def stored(embedded_aws: EmbeddedAws) -> Stored:
    return Stored(embedded_aws)


@pytest.fixture
def posts(tmp_path: Path) -> Path:
    file = tmp_path / "posts.jsonl"
    file.write_bytes(line(POST))
    return file


def holding(content: list[bytes]) -> Iterator[bytes]:
    for part in content:
        if b"anako" in part.lower() or b"03-1234" in part:
            yield part


def test_nothing_is_changed_before_it_is_asked_for(stored: Stored, posts: Path, tmp_path: Path) -> None:
    before = sorted(stored.everything())
    done = run(stored.aws, "--posts", str(posts), *stored.places(), "--report", str(tmp_path / "report.json"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing was changed: give --erase to erase 1 posts" in done.stdout
    assert sorted(stored.everything()) == before
    report = json.loads((tmp_path / "report.json").read_text())
    counts = {place["place"].split(" (")[0]: (place["found"], place["erased"]) for place in report["places"]}
    assert counts == {
        "queue": (1, 0),
        "review table": (5, 0),
        "base data": (3, 0),
        "releases' data, exports of tables among them": (2, 0),
        "models": (1, 0),
        "sides of posts": (1, 0),
        "other objects": (0, 0),
    }


def test_a_post_is_erased_everywhere_and_what_remains_is_said(
    stored: Stored, posts: Path, tmp_path: Path, here: Callable[..., Result]
) -> None:
    assert len(list(holding(stored.everything()))) > 10
    done = here("--posts", str(posts), *stored.places(), "--erase")
    assert (done.exit_code, done.stderr) == (0, "")
    assert list(holding(stored.everything())) == []
    # The others are where they were.
    left = b"\n".join(stored.everything())
    assert left.count(b"free money") == 2 + 5
    assert sorted(item["entry"]["S"] for item in stored.items() if item["post"]["S"] == post_key(OTHERS[0])) == [
        "decision#000001",
        "post",
    ]
    head = stored.s3.head_object(Bucket=stored.bucket, Key="posts/base.csv")
    assert (head["ContentType"], head["Metadata"]) == ("text/x-posts", {"by": "hana"})
    remains = [text for text in done.stdout.splitlines() if text.startswith("remains: ")]
    assert [text.split(":")[1].strip().split(" ")[0] for text in remains] == ["backups", "models", "s3"]
    assert "in runs r1:" in done.stdout
    assert not list(holding([done.stdout.encode()]))
    (audit,) = [item for item in stored.items() if item["post"]["S"] == "erasures"]
    assert audit["keys"]["SS"] == [post_key(POST)]
    assert audit["outcome"]["S"] == "complete"
    assert audit["by"]["S"].startswith("arn:aws:")
    erased = {place.split(" (")[0]: counts["M"]["erased"]["N"] for place, counts in audit["places"]["M"].items()}
    assert (erased["review table"], erased["base data"], erased["models"]) == ("5", "3", "1")
    # What a restore brings back is erased by the keys of the audit.
    stored.put("posts/restored.csv", b"text,label\n" + f'"{LIKE_IT}",1\n'.encode())
    (tmp_path / "keys.txt").write_text("\n".join(audit["keys"]["SS"]))
    again = here("--keys", str(tmp_path / "keys.txt"), *stored.places()[:4], "--erase")
    assert again.exit_code == 0
    assert list(holding(stored.everything())) == []
    assert len([item for item in stored.items() if item["post"]["S"] == "erasures"]) == 2


def test_what_cannot_be_looked_at_is_said_and_makes_the_command_fail(
    stored: Stored, posts: Path, here: Callable[..., Result]
) -> None:
    stored.put("runs/r1/odd.jsonl", POST.encode())
    nowhere = ["--queue", f"{stored.queues[0]}-none"]
    done = here("--posts", str(posts), *stored.places()[:4], "--erase", *nowhere)
    assert done.exit_code == 1
    failed = [text for text in done.stdout.splitlines() if text.startswith("failed: ")]
    assert any("odd.jsonl: it is neither JSON nor CSV" in text for text in failed)
    assert any("NonExistentQueue" in text for text in failed)
    assert not list(holding([done.stdout.encode(), done.stderr.encode()]))
    (audit,) = [item for item in stored.items() if item["post"]["S"] == "erasures"]
    assert audit["outcome"]["S"] == "incomplete"


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        ({}, [], "there is no post to erase: give --posts or --keys with a file that holds at least one"),
        ({"a.jsonl": "\n"}, ["--posts", "a.jsonl"], "there is no post to erase"),
        ({"a.jsonl": '{"text": "SECRET"\n'}, ["--posts", "a.jsonl"], "a.jsonl, line 1: no post: each has a text"),
        ({"a.jsonl": '\n{"post": "SECRET"}\n'}, ["--posts", "a.jsonl"], "a.jsonl, line 2: no post"),
        ({"a.jsonl": '{"text": "\\ud800"}\n'}, ["--posts", "a.jsonl"], "a.jsonl, line 1: no post"),
        ({"a.csv": "post\nSECRET\n"}, ["--posts", "a.csv"], "a.csv, line 1: no column is named text"),
        ({"a.txt": "SECRET\n"}, ["--posts", "a.txt"], "a.txt is no .jsonl and no .csv"),
        ({"k": f"{'0' * 64}\nSECRET\n"}, ["--keys", "k"], "k, line 2: no key of a post"),
        ({}, ["--keys", "k"], "k cannot be read (FileNotFoundError)"),
        ({"k": "0" * 64}, ["--keys", "k"], "there is no place to look at: give --table, --bucket or --queue"),
        ({"k": "0" * 64}, ["--keys", "k", "--bucket", "b", "--erase"], "--erase needs --table"),
    ],
)
def test_refuses_in_one_line_that_shows_no_post(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: dict[str, str],
    arguments: list[str],
    message: str,
) -> None:
    for name, text in content.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["erase-posts", *arguments])
    with pytest.raises(SystemExit) as refused:
        main()
    said = str(refused.value.code)
    assert message in said
    assert "\n" not in said
    assert "SECRET" not in said
