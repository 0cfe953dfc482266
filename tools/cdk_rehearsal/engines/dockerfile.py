"""Reads the program that the last stage of a Dockerfile runs."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
from pathlib import Path

from cdk_rehearsal.engines.container import ImageError

_CONTINUED = re.compile(r"\\[ \t]*\n")
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::?-([^}]*))?\}|(\w+))")


@dataclasses.dataclass(slots=True, kw_only=True)
class Program:
    """What an image runs: the entry point, its default arguments, and the environment that the Dockerfile sets."""

    entrypoint: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = dataclasses.field(default_factory=dict)


def read_dockerfile(path: Path) -> Program:
    """The last stage's program, including settings inherited from the stages it is built from. Raises ImageError."""
    if not path.is_file():
        raise ImageError(f"there is no Dockerfile {path}")
    stages: dict[str, Program] = {}
    program = Program()
    for line in _instructions(path.read_text()):
        instruction, _, rest = line.partition(" ")
        rest = rest.strip()
        match instruction.upper():
            case "FROM":
                words = [word for word in rest.split() if not word.startswith("--")]
                base = stages.get(words[0].lower(), Program())
                program = Program(
                    entrypoint=base.entrypoint, arguments=base.arguments, environment=dict(base.environment)
                )
                if len(words) == 3 and words[1].upper() == "AS":
                    stages[words[2].lower()] = program
            case "ENTRYPOINT":
                program.entrypoint = _exec_form(path, line, rest)
                program.arguments = ()
            case "CMD":
                program.arguments = _exec_form(path, line, rest)
            case "ENV":
                program.environment |= _environment(rest, program.environment)
    return program


def _instructions(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = _CONTINUED.sub(" ", "\n".join(lines))
    return [line.strip() for line in joined.splitlines() if line.strip()]


def _exec_form(path: Path, line: str, rest: str) -> tuple[str, ...]:
    try:
        words = json.loads(rest)
    except json.JSONDecodeError:
        words = None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ImageError(f'{path}: "{line}" is in shell form; write it in exec form, as ["program", "argument"]')
    return tuple(words)


def _environment(rest: str, known: dict[str, str]) -> dict[str, str]:
    words = shlex.split(rest)
    if words and "=" not in words[0]:  # ENV NAME VALUE: the value is the rest of the line
        return {words[0]: _expanded(rest.partition(" ")[2].strip(), known)}
    pairs = (word.partition("=") for word in words)
    return {name: _expanded(value, known) for name, _, value in pairs}


def _expanded(value: str, known: dict[str, str]) -> str:
    return _VARIABLE.sub(lambda found: known.get(found[1] or found[3], found[2] or ""), value)
