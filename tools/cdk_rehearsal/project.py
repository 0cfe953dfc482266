"""The rehearsal settings in a project's cdk.json: the story to run once the system is deployed.

    "rehearsal": {"story": "shop_rehearsal:Shop", "path": "tools"}

`story` is MODULE:CLASS, a subclass of `cdk_rehearsal.story.Story`. `path` is the folder from which the module is
imported, relative to the folder of cdk.json; by default that folder itself.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
import sys
from pathlib import Path
from typing import Any, Final, Self

from cdk_rehearsal.step_failure import InvalidInputError
from cdk_rehearsal.story import Story

_KEY: Final = "rehearsal"
_NAME: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_EXAMPLE: Final = '"rehearsal": {"story": "shop_rehearsal:Shop", "path": "tools"}'


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """`environment` is the context entry of that name in cdk.json, None if there is none."""

    story: type[Story]
    environment: str | None = None

    @classmethod
    def read(cls, app_folder: Path) -> Self:
        """Reads APP_FOLDER/cdk.json.

        Raises:
            InvalidInputError: the file is missing or its entry `rehearsal` is invalid; the message is one line.
        """
        path = app_folder / "cdk.json"
        settings = _read(path)
        context = settings.get("context")
        environment = context.get("environment") if isinstance(context, dict) else None
        return cls(
            story=_story(path, settings[_KEY]) if _KEY in settings else Story,
            environment=environment if isinstance(environment, str) else None,
        )


def _read(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidInputError(f"there is no {path}: give the folder of a CDK app's cdk.json with --app-dir") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{path} cannot be read: {error}") from None
    except json.JSONDecodeError as error:
        raise InvalidInputError(f"{path}, line {error.lineno}: is no JSON: {error.msg}") from None
    if not isinstance(settings, dict):
        raise InvalidInputError(f"{path} is no JSON object: it holds the settings of a CDK app")
    return settings


def _story(path: Path, entry: Any) -> type[Story]:
    if not isinstance(entry, dict):
        raise InvalidInputError(f'{path}: "{_KEY}" is {json.dumps(entry)}; it must be an object, as {_EXAMPLE}')
    if unknown := sorted(set(entry) - {"story", "path"}):
        raise InvalidInputError(f'{path}: "{_KEY}" has {", ".join(unknown)}; it knows story and path, as {_EXAMPLE}')
    named = entry.get("story")
    if not isinstance(named, str) or not _NAME.fullmatch(named):
        raise InvalidInputError(f'{path}: "{_KEY}.story" is {json.dumps(named)}; give MODULE:CLASS, as {_EXAMPLE}')
    folder = entry.get("path", ".")
    if not isinstance(folder, str) or not (path.parent / folder).is_dir():
        raise InvalidInputError(
            f'{path}: "{_KEY}.path" is {json.dumps(folder)}; give a folder relative to {path.parent}, as {_EXAMPLE}'
        )
    return _imported(named, path, (path.parent / folder).resolve())


def _imported(named: str, path: Path, folder: Path) -> type[Story]:
    module_name, _, class_name = named.partition(":")
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # of the project's own code, which may raise any exception
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise InvalidInputError(
            f'{path}: "{_KEY}.story": {module_name} cannot be imported from {folder}: {why}'
        ) from error
    story = getattr(module, class_name, None)
    if story is None:
        raise InvalidInputError(f'{path}: "{_KEY}.story": {module_name} has no {class_name}')
    if not (isinstance(story, type) and issubclass(story, Story)):
        raise InvalidInputError(f'{path}: "{_KEY}.story": {named} is no subclass of cdk_rehearsal.story.Story')
    return story
