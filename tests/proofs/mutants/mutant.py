"""The mutants of a file: each is the file with one small fault in it, made by mutmut's operators."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import libcst
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators, operator_assignment, operator_string

PROJECT = Path(__file__).parents[3]

# Tests judge what code does: what a type says, how an error is worded and what is imported is judged elsewhere.
_UNCHANGED = (libcst.Annotation, libcst.Decorator, libcst.Raise, libcst.Import, libcst.ImportFrom)
# Of texts the same holds; None for a value is what mypy finds.
_LEFT_OUT = (operator_string, operator_assignment)
# A check refuses by what it is given to say; what it lets pass is tested where it is written.
_UNCHANGED_CALLS = ("isinstance", "len", "check_")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """`before` and `after` are the lines that differ, joined to one: they name the mutant, wherever the line moves."""

    file: str
    line: int
    before: str
    after: str
    source: str

    @property
    def name(self) -> tuple[str, str, str]:
        """What stays the same as long as the line does."""
        return self.file, self.before, self.after

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: `{self.before}` → `{self.after}`"


def mutants_of(file: str) -> list[Mutant]:
    """Every mutant of a file, in the order of its lines, without those that differ in text only."""
    source = (PROJECT / file).read_text(encoding="utf-8")
    wrapper = MetadataWrapper(libcst.parse_module(source))
    positions = wrapper.resolve(PositionProvider)
    places = _Places()
    wrapper.module.visit(places)
    mutants = {}
    for node in places.found:
        where = positions[node]
        for replacement in _replacements(node):
            if isinstance(node, libcst.Match):  # its lines are indented, which the code of a node alone is not
                mutated = libcst.ensure_type(wrapper.module.deep_replace(node, replacement), libcst.Module).code
            else:
                mutated = _replaced(source, where, wrapper.module.code_for_node(replacement))
            before, after = _changed_lines(source.splitlines(), mutated.splitlines())
            line = where.start.line
            mutants[line, before, after] = Mutant(file=file, line=line, before=before, after=after, source=mutated)
    return [mutants[key] for key in sorted(mutants)]


class _Places(libcst.CSTVisitor):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[libcst.CSTNode] = []

    def on_visit(self, node: libcst.CSTNode) -> bool:
        if isinstance(node, _UNCHANGED) or (
            isinstance(node, libcst.Call)
            and isinstance(node.func, libcst.Name)
            and node.func.value.startswith(_UNCHANGED_CALLS)
        ):
            return False
        self.found.append(node)
        return True


def _replacements(node: libcst.CSTNode) -> Iterator[libcst.CSTNode]:
    for kind, operator in mutation_operators:
        if isinstance(node, kind) and operator not in _LEFT_OUT:
            yield from operator(node)


def _replaced(source: str, where: CodeRange, code: str) -> str:
    lines = source.splitlines(keepends=True)
    head = "".join(lines[: where.start.line - 1]) + lines[where.start.line - 1][: where.start.column]
    tail = lines[where.end.line - 1][where.end.column :] + "".join(lines[where.end.line :])
    # A comparison begins with the space before its operator; a place may begin after it.
    return head + (code.lstrip() if head[-1:].isspace() else code) + tail


def _changed_lines(source: list[str], mutated: list[str]) -> tuple[str, str]:
    common = min(len(source), len(mutated))
    head = next((place for place in range(common) if source[place] != mutated[place]), common)
    tail = next((place for place in range(common - head) if source[-1 - place] != mutated[-1 - place]), common - head)
    before, after = (" ".join(map(str.strip, lines[head : len(lines) - tail])) for lines in (source, mutated))
    return before, after
