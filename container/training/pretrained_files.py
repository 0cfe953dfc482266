"""The pretrained model of a training: the files of the channel `pretrained`, or the one that hyperparameters name."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from hyperparameters import Hyperparameters
from refusal import RefusalError

CHANNEL = "pretrained"
PIN = Path(__file__).with_name("pretrained_model.json")
"""Contains the name, the commit and the SHA-256 of each file; `pretrained-model fetch` writes it."""


@dataclass(frozen=True, slots=True)
class Pretrained:
    """`name` is a folder or a name on the Hugging Face hub, `revision` the commit there."""

    name: str
    revision: str


def pretrained(channel: Path, hyperparameters: Hyperparameters) -> Pretrained:
    """Return the channel's folder if there is one, whose files must be exactly the pinned ones; else the named model.

    Raises:
        RefusalError: the files are not the pinned ones, both the channel and a hyperparameter give a model, or a name
            on the hub has no commit.
    """
    pin = json.loads(PIN.read_text(encoding="utf-8"))
    named = hyperparameters.pretrained_model
    if channel.is_dir():
        if named is not None:
            raise RefusalError(
                f"hyperparameter pretrained_model: got {named!r} beside the channel {CHANNEL}; leave one of them out"
            )
        _refuse_other_files(channel, pin)
        return Pretrained(str(channel), pin["revision"])
    if named is not None and Path(named).is_dir():
        return Pretrained(named, "main")  # unused: a folder has no commits
    revision = hyperparameters.pretrained_revision
    if named is None or (named == pin["name"] and revision is None):
        return Pretrained(pin["name"], revision or pin["revision"])
    if revision is None:
        raise RefusalError(
            f"hyperparameter pretrained_revision: missing; {named!r} is taken from the Hugging Face hub by its commit, "
            "40 hexadecimal digits, or give a folder in the container as pretrained_model"
        )
    return Pretrained(named, revision)


def _refuse_other_files(channel: Path, pin: dict[str, dict[str, str]]) -> None:
    """Refuse files that are not pinned: transformers chooses among the files present, so an extra one could be read."""
    if not pin["files"]:
        raise RefusalError(
            f"channel {CHANNEL}: {PIN.name} in this image has no hashes; "
            "run `pretrained-model fetch`, commit what it writes, and deploy"
        )
    found = {str(path.relative_to(channel)): path for path in channel.rglob("*") if path.is_file()}
    for name in sorted(found.keys() | pin["files"].keys()):
        if name not in found:
            what = "is missing"
        elif name not in pin["files"]:
            what = "is not pinned"
        else:
            with found[name].open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() == pin["files"][name]:
                    continue
            what = "has another SHA-256 than the pinned one"
        raise RefusalError(
            f"channel {CHANNEL}: {name} {what} (commit {pin['revision']}); upload it with `pretrained-model upload`"
        )
