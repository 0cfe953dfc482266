"""The hyperparameters of a training job, and their defaults."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from refusal import RefusalError

RECIPES = ("linear", "bert", "student")
SMALLEST_STUDENT_WIDTH, USUAL_STUDENT_WIDTH, LARGEST_STUDENT_WIDTH = 256, 320, 384
STUDENT_HEAD_WIDTH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Hyperparameters:
    """The checked hyperparameters of one job; `linear` ignores those of other recipes."""

    recipe: str = "linear"
    seed: int = 0
    pretrained_model: str | None = None
    """A folder in the container, or a name on the Hugging Face hub. Without the channel `pretrained`, the default is
    the pinned model of the hub."""
    pretrained_revision: str | None = None
    """The commit of a name on the hub; not needed for the pinned model."""
    epochs: int = 3
    """The most epochs; training stops after the first epoch that does not improve on the validation posts."""
    batch_size: int = 16
    learning_rate: float = 2e-5
    max_length: int = 256
    """The most tokens of a post, including `[CLS]` and `[SEP]`; longer posts are truncated."""
    precision: str = "auto"
    """`auto` exports int8 if it predicts the validation posts as well as fp32; `fp32` is fastest on a GPU."""
    mixed_precision: str = "auto"
    """In training: `auto` uses bf16 or fp16 on a GPU and fp32 on a CPU; `bf16` uses bf16 everywhere, `off` nowhere."""
    checkpoint_steps: int = 500
    """The batches between two checkpoints, if the job keeps checkpoints; each epoch also ends with one."""
    reduce_range: bool = True
    """Whether int8 weights have only 7 bits: with 8 bits, sums can overflow on CPUs without VNNI, which may serve."""
    cascade: str = "auto"
    """`auto` puts a linear model in front of the network if both predict as well as the network, in less time."""
    student_layers: int = 4
    student_width: int | None = None
    """The width of the hidden states. None: the teacher's width if that is at most `LARGEST_STUDENT_WIDTH`, otherwise
    `USUAL_STUDENT_WIDTH`."""
    student_epochs: int = 20
    """The most epochs; training stops after three epochs in a row without progress on the validation posts."""
    student_learning_rate: float = 2e-4


def _choice(*allowed: str) -> tuple[Callable[[str], str], str]:
    def parse(value: str) -> str:
        if value not in allowed:
            raise ValueError
        return value

    return parse, " or ".join(allowed)


def _text() -> tuple[Callable[[str], str], str]:
    def parse(value: str) -> str:
        if not value.strip():
            raise ValueError
        return value

    return parse, "a non-empty text"


def _commit() -> tuple[Callable[[str], str], str]:
    def parse(value: str) -> str:
        if not re.fullmatch(r"[0-9a-f]{40}", value):
            raise ValueError
        return value

    return parse, "a commit, 40 hexadecimal digits: a branch or a tag moves"


def _integer(low: int, high: int) -> tuple[Callable[[str], int], str]:
    def parse(value: str) -> int:
        if not low <= int(value) <= high:
            raise ValueError
        return int(value)

    return parse, f"a whole number from {low} to {high}"


def _multiple(of: int, low: int, high: int) -> tuple[Callable[[str], int], str]:
    def parse(value: str) -> int:
        if not low <= int(value) <= high or int(value) % of:
            raise ValueError
        return int(value)

    return parse, f"a multiple of {of} from {low} to {high}"


def _number(above: float, high: float) -> tuple[Callable[[str], float], str]:
    def parse(value: str) -> float:
        if not above < float(value) <= high:
            raise ValueError
        return float(value)

    return parse, f"a number above {above:g}, at most {high:g}"


def _flag() -> tuple[Callable[[str], bool], str]:
    return {"true": True, "false": False}.__getitem__, "true or false"


_COMMON: Mapping[str, tuple[Callable[[str], Any], str]] = {
    "recipe": _choice(*RECIPES),
    "seed": _integer(0, 2**32 - 1),
}
_BERT: Mapping[str, tuple[Callable[[str], Any], str]] = {
    "pretrained_model": _text(),
    "pretrained_revision": _commit(),
    "epochs": _integer(1, 100),
    "batch_size": _integer(1, 1024),
    "learning_rate": _number(0, 1),
    "max_length": _integer(8, 512),
    "precision": _choice("auto", "fp32"),
    "mixed_precision": _choice("auto", "bf16", "off"),
    "checkpoint_steps": _integer(1, 1_000_000),
    "reduce_range": _flag(),
    "cascade": _choice("auto", "off"),
}
_STUDENT: Mapping[str, tuple[Callable[[str], Any], str]] = {
    "student_layers": _integer(4, 6),
    "student_width": _multiple(STUDENT_HEAD_WIDTH, SMALLEST_STUDENT_WIDTH, LARGEST_STUDENT_WIDTH),
    "student_epochs": _integer(1, 1000),
    "student_learning_rate": _number(0, 1),
}
_OF_RECIPE = {"linear": _COMMON, "bert": {**_COMMON, **_BERT}, "student": {**_COMMON, **_BERT, **_STUDENT}}


def read_hyperparameters(path: Path) -> Hyperparameters:
    """Read SageMaker's hyperparameters.json, an object whose values are strings; a missing file means all defaults.

    Raises:
        RefusalError: the file is malformed, the recipe does not have a name, or a value is not allowed.
    """
    if not path.exists():
        return Hyperparameters()
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RefusalError(f"{path.name}: not JSON ({error}); give an object of strings") from None
    if not isinstance(given, dict):
        raise RefusalError(f"{path.name}: got {type(given).__name__}; give an object of strings")
    return parse_hyperparameters(given)


def parse_hyperparameters(given: Mapping[str, object]) -> Hyperparameters:
    """Check names and values.

    Raises:
        RefusalError: see `read_hyperparameters`.
    """
    recipe = given.get("recipe", Hyperparameters().recipe)
    allowed = _OF_RECIPE.get(str(recipe), _COMMON)
    checked: dict[str, Any] = {}
    for name, value in given.items():
        if name not in allowed:
            names = ", ".join(allowed)
            raise RefusalError(f"hyperparameter {name!r}: unknown to recipe {recipe!r}; allowed are {names}")
        parse, what = allowed[name]
        if not isinstance(value, str):
            raise RefusalError(
                f"hyperparameter {name}: got {value!r}; SageMaker passes strings: give {what}, in quotes"
            )
        try:
            checked[name] = parse(value)
        except (KeyError, ValueError):
            raise RefusalError(f"hyperparameter {name}: got {value!r}; allowed is {what}") from None
    return Hyperparameters(**checked)
