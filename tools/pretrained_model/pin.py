"""The pinned pretrained model for training: its name on the hub, its commit, and the SHA-256 of each file.

The training image contains this file, and the stack derives the files' prefix in the data bucket from it.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pretrained_model.refusal import RefusalError

_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)
_REVISION = re.compile(r"[0-9a-f]{40}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One commit of one model. `files` is empty until the files have been fetched for the first time."""

    name: str
    revision: str
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise RefusalError(f"name is {self.name!r}: give the model's name on the hub, as owner/model")
        if not _REVISION.fullmatch(self.revision):
            raise RefusalError(
                f"revision is {self.revision!r}: give a commit, 40 hexadecimal digits; a branch or a tag moves"
            )

    @classmethod
    def read(cls, path: Path) -> Self:
        """Reads a pin's file. Raises RefusalError."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return cls(name=content["name"], revision=content["revision"], files=dict(content["files"]))
        except FileNotFoundError:
            raise RefusalError(f"{path} is not there: run this in the repository, or name it with --pin") from None
        except (KeyError, TypeError, ValueError) as fault:
            raise RefusalError(f"{path} is no pin ({fault!r}): it has name, revision and files") from None

    def write(self, path: Path) -> None:
        part = path.with_suffix(".part")
        part.write_text(json.dumps(dataclasses.asdict(self), indent=2) + "\n", encoding="utf-8")
        part.replace(path)

    @property
    def prefix(self) -> str:
        """The prefix of the files in the data bucket; the stack uses the same."""
        return f"pretrained/{self.revision}/"
