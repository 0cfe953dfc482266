"""Wrong inputs and the line that refuses each, one file for each package: `wrong_inputs/fargate.py` for `fargate`.

Each file holds a `WRONG`: the line's beginning, by what is done in a stack.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import aws_cdk as cdk


@dataclass(frozen=True)
class WrongInput:
    """Something that a user may write, and how the line begins that refuses it, up to what is allowed."""

    id: str
    write: Callable[[cdk.Stack], object]
    refused: str


def wrong_inputs() -> list[WrongInput]:
    """Those of all packages."""
    found: list[WrongInput] = []
    for file in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        found += importlib.import_module(f"{__name__}.{file.stem}").WRONG
    return found
