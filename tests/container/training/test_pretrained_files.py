import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Load = Callable[[str], ModuleType]
REVISION = "a" * 40
FILES = {"config.json": b"{}", "vocab.txt": b"[PAD]\n", "pytorch_model.bin": b"weights"}


@pytest.fixture
def start(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """What a training with these hyperparameters starts from, with a pin of `FILES`."""
    module, hyperparameters = load("pretrained_files"), load("hyperparameters")
    pin = tmp_path / "pretrained_model.json"
    pins = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    pin.write_text(json.dumps({"name": "owner/bert", "revision": REVISION, "files": pins}))
    monkeypatch.setattr(module, "PIN", pin)

    def begin(**given: str) -> tuple[str, str]:
        found = module.pretrained(
            tmp_path / "channel", hyperparameters.parse_hyperparameters({"recipe": "bert", **given})
        )
        return found.name, found.revision

    return begin


@pytest.fixture
def channel(tmp_path: Path) -> Path:
    folder = tmp_path / "channel"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    return folder


def test_the_channel_is_taken_where_its_files_are_the_pinned_ones(start: Callable[..., Any], channel: Path) -> None:
    assert start() == (str(channel), REVISION)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("vocab.txt", b"[EVIL]\n", "vocab.txt has another SHA-256 than the pinned one"),
        ("vocab.txt", None, "vocab.txt is missing"),
        # transformers would prefer these weights.
        ("model.safetensors", b"others", "model.safetensors is not pinned"),
        ("code/model.py", b"import os", "code/model.py is not pinned"),
    ],
)
def test_fails_when_the_channel_has_other_files(
    start: Callable[..., Any], channel: Path, load: Load, file: str, content: bytes | None, said: str
) -> None:
    if content is None:
        (channel / file).unlink()
    else:
        (channel / file).parent.mkdir(exist_ok=True)
        (channel / file).write_bytes(content)
    with pytest.raises(load("refusal").RefusalError) as refused:
        start()
    assert str(refused.value) == (
        f"channel pretrained: {said} (commit {REVISION}); upload it with `pretrained-model upload`"
    )


def test_fails_when_nothing_is_pinned(start: Callable[..., Any], channel: Path, load: Load, tmp_path: Path) -> None:
    (tmp_path / "pretrained_model.json").write_text(
        json.dumps({"name": "owner/bert", "revision": REVISION, "files": {}})
    )
    with pytest.raises(load("refusal").RefusalError, match="has no hashes; run `pretrained-model fetch`, commit"):
        start()


def test_fails_when_two_things_say_what_to_start_from(start: Callable[..., Any], channel: Path, load: Load) -> None:
    with pytest.raises(load("refusal").RefusalError, match="got 'owner/bert' beside the channel pretrained; leave one"):
        start(pretrained_model="owner/bert")


def test_a_hub_is_asked_for_one_commit(start: Callable[..., Any], load: Load, tmp_path: Path) -> None:
    assert start() == ("owner/bert", REVISION)
    assert start(pretrained_model="owner/bert") == ("owner/bert", REVISION)
    assert start(pretrained_model="other/bert", pretrained_revision="b" * 40) == ("other/bert", "b" * 40)
    with pytest.raises(load("refusal").RefusalError, match="pretrained_revision: missing; 'other/bert' is taken"):
        start(pretrained_model="other/bert")
    with pytest.raises(load("refusal").RefusalError, match="pretrained_revision: got 'main'; allowed is a commit"):
        start(pretrained_model="other/bert", pretrained_revision="main")
    assert start(pretrained_model=str(tmp_path))[0] == str(tmp_path)


def test_what_is_pinned_is_named_by_a_commit(load: Load) -> None:
    pin = json.loads(load("pretrained_files").PIN.read_text())
    assert len(bytes.fromhex(pin["revision"])) == 20
    assert all(len(bytes.fromhex(sha256)) == 32 for sha256 in pin["files"].values())
