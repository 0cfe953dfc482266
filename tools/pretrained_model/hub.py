"""One commit of a model on the Hugging Face hub: its files, and the hub's hashes of them.

The listing of a commit has for each file its git blob (SHA-1) or, of a large one, its SHA-256:
https://huggingface.co/docs/hub/api, GET /api/models/{name}/tree/{revision}.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pretrained_model.refusal import RefusalError

HUB = "https://huggingface.co"
_TIMEOUT_S = 60.0
_PIECE_BYTES = 1 << 20
_LARGEST_LISTING_BYTES = 1 << 24
# The files that training reads, if the model has them; of the weights only the first available.
_READ = (
    "config.json",
    "tokenizer_config.json",
    "vocab.txt",
    "tokenizer.json",
    "special_tokens_map.json",
    # For byte-pair models without tokenizer.json.
    "vocab.json",
    "merges.txt",
)
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A file in the hub's listing: `sha256` for a large file, `blob` (git's SHA-1) for others."""

    size: int
    blob: str
    sha256: str | None


class Commit:
    """The files of one commit.

    Args:
        hub: the hub's address.
        name: the model's name.
        revision: the commit, 40 hexadecimal digits.
    """

    def __init__(self, hub: str, *, name: str, revision: str) -> None:
        if urllib.parse.urlsplit(hub).scheme not in ("https", "http"):
            raise RefusalError(f"--hub is {hub!r}: give an address that begins with https://")
        self._hub, self._name, self._revision = hub.rstrip("/"), name, revision

    def listed(self) -> dict[str, Listed]:
        """The commit's files that training reads. Raises RefusalError."""
        with self._open(f"api/models/{self._name}/tree/{self._revision}") as answer:
            content = answer.read(_LARGEST_LISTING_BYTES)
        try:
            found = {item["path"]: _listed(item) for item in json.loads(content) if item["type"] == "file"}
        except (KeyError, TypeError, ValueError) as fault:
            raise RefusalError(f"{self._hub} lists {self._name} in an unknown form: {fault!r}") from None
        weights = [name for name in _WEIGHTS if name in found][:1]
        if not weights or "config.json" not in found:
            raise RefusalError(
                f"commit {self._revision} of {self._name} has no config.json with {' or '.join(_WEIGHTS)}: "
                f"it has {', '.join(sorted(found)) or 'nothing'}"
            )
        return {name: found[name] for name in (*_READ, *weights) if name in found}

    def fetch(self, file: str, listed: Listed, to: Path) -> str:
        """Writes one file and returns its SHA-256. Raises RefusalError if it differs from the hub's listing."""
        sha256 = hashlib.sha256()
        blob = hashlib.sha1(b"blob %d\0" % listed.size, usedforsecurity=False)
        part = to.with_name(f"{to.name}.part")
        size = 0
        with self._open(f"{self._name}/resolve/{self._revision}/{file}") as answer, part.open("wb") as out:
            for piece in _pieces(answer):
                size += len(piece)
                if size > listed.size:
                    break
                sha256.update(piece)
                blob.update(piece)
                out.write(piece)
        same = sha256.hexdigest() == listed.sha256 if listed.sha256 else blob.hexdigest() == listed.blob
        if size != listed.size or not same:
            part.unlink()
            raise RefusalError(f"{file} is not what {self._hub} lists for commit {self._revision}: fetch it again")
        part.replace(to)
        return sha256.hexdigest()

    def _open(self, path: str) -> Any:
        url = f"{self._hub}/{urllib.parse.quote(path)}"
        try:
            return urllib.request.urlopen(url, timeout=_TIMEOUT_S)  # nosec B310  # http or https
        except urllib.error.HTTPError as fault:
            fault.close()
            if fault.code == 404:
                raise RefusalError(
                    f"{self._hub} has no commit {self._revision} of {self._name}: give --name and --revision"
                ) from None
            raise RefusalError(f"{url} answers {fault.code}: {fault.reason}") from None
        except OSError as fault:
            raise RefusalError(f"{self._hub} cannot be reached: {getattr(fault, 'reason', fault)}") from None


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _listed(item: Mapping[str, Any]) -> Listed:
    large = item.get("lfs")
    return Listed(size=int(item["size"]), blob=str(item["oid"]), sha256=str(large["oid"]) if large else None)


def _pieces(answer: Any) -> Iterator[bytes]:
    while piece := answer.read(_PIECE_BYTES):
        yield piece
