"""A dated log of changes to a service's settings, kept as a file beside the code."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import yaml

from .._checks import check_kind, check_sequence, plain, refusal
from ..errors import InvalidArgumentError

_KEYS = ("date", "label", "author")
_DATE = "a date and time with its zone, as 2026-11-01T09:00:00+09:00"
_LABEL = "what changed, as 'target 50 → 51 %'"
_READ_DATE = "give datetime.fromisoformat(…)"


class ChangeLogError(InvalidArgumentError):
    """A change log is invalid. The message is one line: the file, the entry, what was given, what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of a setting: a vertical line on a dashboard.

    Args:
        date: when it took effect, with a time zone.
        label: what changed, such as `target 50 → 51 %`.
        author: who changed it. Default: no name is shown.

    Raises:
        InvalidArgumentError: a date without a time zone, an empty label, or an argument of the wrong type.
    """

    date: datetime
    label: str
    author: str | None = None

    def __post_init__(self) -> None:
        check_kind("date", self.date, datetime, _DATE, _READ_DATE)
        if self.date.tzinfo is None:
            raise refusal("date", plain(f"{self.date.isoformat()} without a zone"), _DATE)
        check_kind("label", self.label, str, _LABEL)
        if not self.label.strip():
            raise refusal("label", plain("an empty one"), _LABEL)
        if self.author is not None:
            check_kind("author", self.author, str, "a name")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeLog:
    """Holds changes in the order of their dates.

    Args:
        changes: the changes in any order, without duplicates. Default: none.

    Raises:
        InvalidArgumentError: the same change twice, or a value that is not a list of changes.
    """

    changes: tuple[Change, ...] = ()

    def __post_init__(self) -> None:
        seen: dict[tuple[datetime, str], int] = {}
        for number, change in enumerate(check_sequence("changes", self.changes, "a list of Change"), start=1):
            check_kind("changes", change, Change, "a list of Change")
            first = seen.setdefault((change.date, change.label), number)
            if first != number:
                again = plain(f"the date and label of entry {first} again")
                raise refusal(f"entry {number}", again, "each change once; remove one")
        object.__setattr__(self, "changes", tuple(sorted(self.changes, key=lambda change: change.date)))

    @classmethod
    def from_file(cls, path: Path | str) -> Self:
        """Reads a YAML file, or a JSON file (`.json`): a list of entries with `date`, `label` and optionally `author`.

        An empty file, or an empty list, is a log without changes.

        Args:
            path: the file's path. A relative path starts at the folder in which the CDK runs.

        Raises:
            ChangeLogError: the file cannot be read, or an entry is invalid.
        """
        path = Path(path)
        name = str(path) if str(path).isprintable() else repr(str(path))
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise ChangeLogError(f"{name}: cannot be read: {reason}; allowed: a YAML or JSON file of changes") from None
        try:
            return cls(changes=tuple(_changes(_parse(text, is_json=path.suffix == ".json"))))
        except ValueError as error:
            raise ChangeLogError(f"{name}: {error}") from None


def _parse(text: str, *, is_json: bool) -> Any:
    """Parses every value as text, so that a message can quote it and a label may be a number."""
    try:
        if is_json:
            return json.loads(
                text or "[]", object_pairs_hook=_unique_keys, parse_int=str, parse_float=str, parse_constant=str
            )
        return yaml.load(text, Loader=_TextLoader)  # nosec B506  # makes texts, no objects
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}: got invalid JSON ({error.msg}), allowed: a list of entries") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ValueError(f"line {line}: got invalid YAML ({error.problem}), allowed: a list of entries") from None


def _unique_keys(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    for key, value in pairs:
        if key in entry:
            raise ValueError(f"got the key {key} twice in one entry, allowed: each once; remove one")
        entry[key] = value
    return entry


class _TextLoader(yaml.BaseLoader):
    """Constructs only text, lists and mappings, and refuses duplicate keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        return _unique_keys(
            (str(self.construct_object(key)), self.construct_object(value)) for key, value in node.value
        )


def _changes(entries: Any) -> Iterable[Change]:
    if entries in (None, ""):
        return
    if not isinstance(entries, list):
        raise ValueError(f"got {_shown(entries)}, allowed: a list of entries, each with date and label")
    for number, entry in enumerate(entries, start=1):
        try:
            yield _change(entry)
        except ValueError as error:
            raise ValueError(f"entry {number}: {error}") from None


def _change(entry: Any) -> Change:
    if not isinstance(entry, Mapping):
        raise ValueError(f"got {_shown(entry)}, allowed: a mapping with {', '.join(_KEYS)}")
    for key, value in entry.items():
        if key not in _KEYS:
            raise ValueError(f"got the key {key}, allowed: {', '.join(_KEYS)}")
        if not isinstance(value, str):
            raise ValueError(f"{key}: got {_shown(value)}, allowed: text")
    for key in ("date", "label"):
        if key not in entry:
            raise ValueError(f"got no {key}, allowed: an entry with date and label; add it")
    try:
        date = datetime.fromisoformat(entry["date"])
    except ValueError:
        raise refusal("date", plain(_shown(entry["date"])), _DATE) from None
    return Change(date=date, label=entry["label"], author=entry.get("author") or None)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:79]}…"


def in_utc(date: datetime) -> str:
    """Formats a date for CloudWatch: UTC, to the second."""
    return date.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
