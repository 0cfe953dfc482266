"""Parses CloudWatch metric math and finds the references of an expression.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass


class MetricMathError(ValueError):
    """An expression that is not metric math or uses something that cannot be drawn."""


@dataclass(frozen=True, slots=True)
class Number:
    """A literal number."""

    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """A literal in quotes."""

    value: str


@dataclass(frozen=True, slots=True)
class Reference:
    """The id of a metric or of another expression."""

    id: str


@dataclass(frozen=True, slots=True)
class Array:
    """Several series: `[m1, m2]`."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator between two operands."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Negation:
    """A minus in front."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Call:
    """A function and its arguments."""

    function: str
    arguments: tuple[Node, ...]


Node = Number | Text | Reference | Array | Operation | Negation | Call

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<text>"[^"]*"|'[^']*')
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<operator>&&|\|\||==|!=|<=|>=|[-+*/^<>(),\[\]]))""",
    re.VERBOSE,
)
_BINDING = {
    **dict.fromkeys(("||", "OR"), 1),
    **dict.fromkeys(("&&", "AND"), 2),
    **dict.fromkeys(("==", "!=", "<", ">", "<=", ">="), 3),
    **dict.fromkeys(("+", "-"), 4),
    **dict.fromkeys(("*", "/"), 5),
    "^": 7,
}
_NEGATION_BINDING = 6
_MOST_DEPTH = 60


def parse(expression: str) -> Node:
    """Parses an expression.

    Raises:
        MetricMathError: it is not metric math; the message names the place.
    """
    return _Parser(expression).whole()


class _Parser:
    def __init__(self, expression: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        position, text = 0, expression.rstrip()
        while position < len(text):
            found = _TOKEN.match(text, position)
            if not found or found.lastgroup is None:
                raise MetricMathError(f"got {text[position:].strip()[:20]!r} at character {position + 1}")
            self._tokens.append((found.lastgroup, found[found.lastgroup]))
            position = found.end()
        self._next = 0
        self._depth = 0

    def whole(self) -> Node:
        node = self._operand_and_operators(0)
        if self._next < len(self._tokens):
            raise MetricMathError(f"got {self._tokens[self._next][1]!r} after the end of the expression")
        return node

    def _peek(self) -> str:
        return self._tokens[self._next][1] if self._next < len(self._tokens) else ""

    def _expect(self, word: str) -> None:
        if self._peek() != word:
            raise MetricMathError(f"got {self._peek() or 'the end'!r}, allowed here: {word!r}")
        self._next += 1

    def _operand_and_operators(self, binding: int) -> Node:
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise MetricMathError(f"got more than {_MOST_DEPTH} levels of brackets")
        left = self._operand()
        while (own := _BINDING.get(self._peek(), 0)) > binding:
            operator = self._peek()
            self._next += 1
            # Powers are right-associative: 2 ^ 3 ^ 2 is 2 ^ 9.
            left = Operation(operator, left, self._operand_and_operators(own - 1 if operator == "^" else own))
        self._depth -= 1
        return left

    def _operand(self) -> Node:
        if self._next >= len(self._tokens):
            raise MetricMathError("got the end, allowed here: a metric, a number or a function")
        kind, word = self._tokens[self._next]
        self._next += 1
        if kind == "number":
            return Number(float(word))
        if kind == "text":
            return Text(word[1:-1])
        if word == "-":
            return Negation(self._operand_and_operators(_NEGATION_BINDING))
        if word == "+":
            return self._operand_and_operators(_NEGATION_BINDING)
        if word == "(":
            node = self._operand_and_operators(0)
            self._expect(")")
            return node
        if word == "[":
            return Array(self._list("]"))
        if kind == "name" and word not in _BINDING:
            if self._peek() == "(":
                self._next += 1
                return Call(word, self._list(")"))
            return Reference(word)
        raise MetricMathError(f"got {word!r}, allowed here: a metric, a number or a function")

    def _list(self, end: str) -> tuple[Node, ...]:
        items: list[Node] = []
        while self._peek() != end:
            if items:
                self._expect(",")
            items.append(self._operand_and_operators(0))
        self._next += 1
        return tuple(items)


def references(node: Node) -> set[str]:
    """The ids in an expression."""
    match node:
        case Reference(id):
            return {id}
        case Array(items) | Call(_, items):
            return set().union(*(references(item) for item in items))
        case Operation(_, left, right):
            return references(left) | references(right)
        case Negation(operand):
            return references(operand)
    return set()


def uses_all_metrics(node: Node) -> bool:
    """Whether it uses every metric of the widget, by `METRICS()`."""
    match node:
        case Array(items) | Call(_, items):
            return (isinstance(node, Call) and node.function == "METRICS") or any(map(uses_all_metrics, items))
        case Operation(_, left, right):
            return uses_all_metrics(left) or uses_all_metrics(right)
        case Negation(operand):
            return uses_all_metrics(operand)
    return False


# Only CloudWatch knows which metrics these find.
QUERIES = ("SEARCH", "INSIGHT_RULE_METRIC", "INSIGHT_RULE", "DB_PERF_INSIGHTS")


def queries(node: Node) -> list[Call]:
    """The calls in an expression that search for metrics."""
    match node:
        case Call(function, arguments):
            return [node] if function in QUERIES else [found for one in arguments for found in queries(one)]
        case Array(items):
            return [found for one in items for found in queries(one)]
        case Operation(_, left, right):
            return queries(left) + queries(right)
        case Negation(operand):
            return queries(operand)
    return []
