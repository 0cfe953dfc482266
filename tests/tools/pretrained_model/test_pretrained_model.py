"""The command against a hub on loopback, which lists and serves one commit, and a bucket of the embedded AWS."""

import hashlib
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

from cdk_rehearsal.embedded_aws import EmbeddedAws
from pretrained_model.cli import app
from pretrained_model.refusal import RefusalError
from tests.web_server import Handler, serving

NAME, REVISION = "owner/bert", "0123456789abcdef" * 2 + "01234567"
FILES = {
    "config.json": b'{"model_type": "bert"}',
    "vocab.txt": b"[PAD]\n",
    "pytorch_model.bin": b"weights" * 1000,
    "tf_model.h5": b"of another framework",
    "README.md": b"read me",
}
READ = ("config.json", "vocab.txt", "pytorch_model.bin")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class Hub:
    url: str
    files: dict[str, bytes]
    listed: dict[str, bytes]
    asked: list[str] = field(default_factory=list)

    def listing(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = [{"type": "directory", "path": "onnx", "oid": "0" * 40, "size": 0}]
        for path, content in self.listed.items():
            blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            large = (
                {"lfs": {"oid": sha256(content), "size": len(content), "pointerSize": 134}} if "model" in path else {}
            )
            found.append({"type": "file", "path": path, "oid": blob, "size": len(content), **large})
        return found


@pytest.fixture
def hub() -> Iterator[Hub]:
    class Files(Handler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            listing, files = f"/api/models/{NAME}/tree/{REVISION}", f"/{NAME}/resolve/{REVISION}/"
            if self.path == listing:
                self.answer(200, json.dumps(served.listing()).encode())
            elif self.path.startswith(files) and (file := self.path.removeprefix(files)) in served.files:
                self.answer(200, served.files[file])
            else:
                self.answer(404, b"Repository not found")

    with serving(Files) as url:
        served = Hub(url=url, files=dict(FILES), listed=dict(FILES))
        yield served


@pytest.fixture
def pin(tmp_path: Path) -> Path:
    path = tmp_path / "pin.json"
    path.write_text(json.dumps({"name": NAME, "revision": REVISION, "files": {}}))
    return path


@dataclass
class Command:
    hub: Hub
    pin: Path
    folder: Path

    def run(self, *words: str) -> str:
        given = ["--pin", str(self.pin), "--folder", str(self.folder), "--hub", self.hub.url]
        result = CliRunner().invoke(app, [*words, *given])
        if result.exception is not None:
            raise result.exception
        return result.output

    def pinned(self) -> dict[str, str]:
        files: dict[str, str] = json.loads(self.pin.read_text())["files"]
        return files


@pytest.fixture
def command(hub: Hub, pin: Path, tmp_path: Path) -> Command:
    return Command(hub, pin, tmp_path / "kept")


def test_the_first_fetch_writes_the_hashes_down_and_the_next_asks_nobody(command: Command) -> None:
    command.run("fetch")
    assert command.pinned() == {name: sha256(FILES[name]) for name in READ}
    kept = command.folder / REVISION
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == {name: FILES[name] for name in READ}
    asked = list(command.hub.asked)
    assert "here" in command.run("fetch")
    assert command.hub.asked == asked
    # A file that was damaged here is fetched again.
    (kept / "vocab.txt").write_bytes(b"?")
    command.run("fetch")
    assert (kept / "vocab.txt").read_bytes() == FILES["vocab.txt"]


def test_safetensors_are_preferred(command: Command) -> None:
    command.hub.files["model.safetensors"] = command.hub.listed["model.safetensors"] = b"safe"
    command.run("fetch")
    assert set(command.pinned()) == {"config.json", "vocab.txt", "model.safetensors"}


@pytest.mark.parametrize("file", ["vocab.txt", "pytorch_model.bin"])
@pytest.mark.parametrize("content", [b"other", b"", None], ids=["shorter", "empty", "same length"])
def test_fails_when_a_file_is_not_what_the_commit_has(command: Command, file: str, content: bytes | None) -> None:
    command.hub.files[file] = bytes(len(FILES[file])) if content is None else content
    with pytest.raises(
        RefusalError, match=rf"^{file} is not what http://.* lists for commit {REVISION}: fetch it again$"
    ):
        command.run("fetch")
    assert command.pinned() == {}
    assert not (command.folder / REVISION / file).exists()


def test_fails_when_the_hub_lists_another_content_than_the_one_that_was_pinned(
    command: Command, tmp_path: Path
) -> None:
    command.run("fetch")
    command.hub.files["vocab.txt"] = command.hub.listed["vocab.txt"] = b"[EVIL]"
    command.folder = tmp_path / "another machine"
    with pytest.raises(RefusalError, match=r"^vocab.txt has the SHA-256 .*; .*pin.json says .*: it was changed$"):
        command.run("fetch")
    assert not (command.folder / REVISION / "vocab.txt").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "is not there: run this in the repository"),
        ("{", "is no pin"),
        ('{"name": "a"}', "is no pin"),
        (json.dumps({"name": "a", "revision": "main", "files": {}}), "revision is 'main': give a commit"),
        (json.dumps({"name": "../a/b", "revision": REVISION, "files": {}}), "name is '../a/b'"),
        (json.dumps({"name": "other/bert", "revision": REVISION, "files": {}}), "has no commit"),
    ],
)
def test_fails_when_nothing_usable_is_pinned(command: Command, content: str | None, said: str) -> None:
    if content is None:
        command.pin.unlink()
    else:
        command.pin.write_text(content)
    with pytest.raises(RefusalError, match=said) as refused:
        command.run("fetch")
    assert "\n" not in str(refused.value)


def test_another_model_is_pinned_by_name_and_commit(command: Command) -> None:
    command.pin.write_text(json.dumps({"name": "a/b", "revision": "f" * 40, "files": {"config.json": "0" * 64}}))
    command.run("fetch", "--name", NAME, "--revision", REVISION)
    found = json.loads(command.pin.read_text())
    assert (found["name"], found["revision"], set(found["files"])) == (NAME, REVISION, set(READ))
    with pytest.raises(RefusalError, match="give its commit with --revision"):
        command.run("fetch", "--name", NAME)


def test_fails_when_the_hub_cannot_be_reached(command: Command) -> None:
    command.hub.url = "http://127.0.0.1:1"
    with pytest.raises(RefusalError, match=r"^http://127.0.0.1:1 cannot be reached: "):
        command.run("fetch")
    command.hub.url = "file:///etc"
    with pytest.raises(RefusalError, match="give an address that begins with https://"):
        command.run("fetch")


def test_uploads_what_is_pinned_once_and_with_its_hash(
    command: Command, embedded_aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in embedded_aws.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    s3, bucket = embedded_aws.client("s3"), f"pretrained-{uuid.uuid4().hex[:8]}"
    with pytest.raises(
        RefusalError, match="has no hashes yet: run `pretrained-model fetch`, commit the file and deploy"
    ):
        command.run("upload", bucket)
    command.run("fetch")
    with pytest.raises(RefusalError, match=rf"^s3://{bucket}/pretrained/{REVISION}/: .*NoSuchBucket"):
        command.run("upload", bucket)
    s3.create_bucket(Bucket=bucket)
    assert command.run("upload", bucket).count("uploaded") == len(READ)
    for name in READ:
        found = s3.get_object(Bucket=bucket, Key=f"pretrained/{REVISION}/{name}", ChecksumMode="ENABLED")
        assert found["Body"].read() == FILES[name]
        assert found["ChecksumSHA256"]
    again = command.run("upload", bucket)
    assert (again.count("there "), again.count("uploaded")) == (len(READ), 0)
