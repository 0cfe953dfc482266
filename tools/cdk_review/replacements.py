"""Asks npm's @aws-cdk/cloudformation-diff which resources a change replaces."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fargate_capacity.input_error import InputError

PACKAGE = "@aws-cdk/cloudformation-diff"
VERSION = "2.187.5"
SCRIPT = Path(__file__).with_name("resource_diff.mjs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """The reason why a resource is replaced.

    Args:
        certain: True if CloudFormation will replace it, False if that depends on values known only at deployment.
        properties: the changed properties that cause it.
    """

    certain: bool
    properties: tuple[str, ...]


def replacements(pairs: list[tuple[dict[str, Any], dict[str, Any]]]) -> list[dict[str, Replacement]]:
    """For each pair of templates, before and after, the resources that are replaced, by logical id.

    Raises:
        InputError: Node.js or the package is missing, or fails.
    """
    node = shutil.which("node")
    if node is None:
        raise InputError(
            "node: not on PATH; what a change replaces is asked of an npm package: install Node 20 or later"
        )
    started = subprocess.run(
        [node, str(SCRIPT), str(_package_root() / "any.js")],
        input=json.dumps(pairs),
        capture_output=True,
        text=True,
        check=False,
    )
    if started.returncode != 0:
        last = (started.stderr.strip().splitlines() or ["no message"])[-1]
        raise InputError(f"{PACKAGE}: ended with {started.returncode} ({last[:120]}); install {PACKAGE}@{VERSION}")
    return [
        {
            logical_id: Replacement(certain=found["impact"] == "will", properties=tuple(found["properties"]))
            for logical_id, found in answer.items()
        }
        for answer in json.loads(started.stdout)
    ]


def _package_root() -> Path:
    """The folder whose node_modules contains the package: a parent of the current folder or of this file."""
    for folder in _candidates():
        if (folder / "node_modules" / PACKAGE).is_dir():
            return folder
    raise InputError(f"{PACKAGE}: not in node_modules here or above; run `npm install --save-dev {PACKAGE}@{VERSION}`")


def _candidates() -> Iterator[Path]:
    for start in (Path.cwd(), Path(__file__).resolve().parent):
        yield from (start, *start.parents)
    npm = shutil.which("npm")
    if npm is None:
        return
    found = subprocess.run([npm, "root", "--global"], capture_output=True, text=True, check=False)
    if found.returncode == 0 and found.stdout.strip():
        yield Path(found.stdout.strip()).parent
