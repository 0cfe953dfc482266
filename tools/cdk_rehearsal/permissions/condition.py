"""One entry of a statement's Condition element.

Sources, below https://docs.aws.amazon.com/IAM/latest/UserGuide/:
- operators: reference_policies_elements_condition_operators.html
- several values: reference_policies_condition-logic-multiple-context-keys-or-values.html
- `ForAllValues`, `ForAnyValue`: reference_policies_condition-single-vs-multi-valued-context-keys.html
"""

from __future__ import annotations

import base64
import binascii
import datetime
import functools
import ipaddress
import operator
import re
from collections.abc import Callable, Iterable
from typing import Any

from cdk_rehearsal.permissions.pattern import ArnPattern, Pattern
from cdk_rehearsal.permissions.request_context import Context

Test = Callable[[str, Context], bool]
"""Whether a value of the request matches one value of the policy."""

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "equals": operator.eq,
    "lessthan": operator.lt,
    "lessthanequals": operator.le,
    "greaterthan": operator.gt,
    "greaterthanequals": operator.ge,
}
_OPERATOR = re.compile(
    r"(?:(?P<each>forallvalues|foranyvalue):)?(?P<kind>string|numeric|date|bool|binary|ipaddress|notipaddress|arn|null)"
    r"(?P<negated>not)?(?P<comparison>equals|equalsignorecase|like|(?:less|greater)than(?:equals)?)?(?P<ifexists>ifexists)?",
    re.IGNORECASE,
)
_COMPARISONS_OF = {
    "string": {"equals", "equalsignorecase", "like"},
    "numeric": set(_COMPARISONS),
    "date": set(_COMPARISONS),
    "arn": {"equals", "like"},
    "binary": {"equals"},
}


class Condition:
    """Compares one condition key of the request with the policy's values.

    Several values are combined by OR, with a negated operator by NOR. "If the key that you specify in a policy
    condition is not present in the request context, the values do not match", and so a negated operator is true.
    Without `ForAllValues` or `ForAnyValue` an operator compares single-valued keys only; it is false for a multivalued
    key.

    Args:
        operation: the operator as written in the policy, `ForAnyValue:StringLikeIfExists`.
        key: the condition key.
        values: the policy's values.
        variables: whether the policy's Version supports policy variables.

    Raises:
        ValueError: AWS has no such operator.
    """

    __slots__ = ("_each", "_if_exists", "_key", "_negated", "_null", "_tests", "text")

    def __init__(self, *, operation: str, key: str, values: Iterable[object], variables: bool) -> None:
        found = _OPERATOR.fullmatch(operation)
        kind = found["kind"].lower() if found else ""
        comparison = ((found["comparison"] if found else None) or "").lower()
        negated = bool(found and found["negated"])
        if (
            found is None
            or (comparison not in _COMPARISONS_OF[kind] if kind in _COMPARISONS_OF else comparison or negated)
            or (negated and (kind == "binary" or "than" in comparison))
            or (kind == "null" and (found["ifexists"] or found["each"]))
        ):
            raise ValueError(f'the operator of a condition is "{operation}": allowed those of AWS; correct the policy')
        texts = [_text(value, operation, key) for value in values]
        self.text = f"{operation} {key}"
        self._key = key.lower()
        self._each = (found["each"] or "").lower()
        self._if_exists = bool(found["ifexists"])
        self._negated = negated or kind == "notipaddress"
        self._null = {text.lower() == "true" for text in texts} if kind == "null" else None
        self._tests = () if kind == "null" else tuple(_test(kind, comparison, text, variables) for text in texts)

    def holds(self, context: Context) -> bool:
        """Whether the request satisfies this entry."""
        actual = context.get(self._key)
        if self._null is not None:
            return (actual is None) in self._null
        if actual is None:
            return self._if_exists or self._each == "forallvalues" or (self._negated and not self._each)
        if self._each:
            values = (actual,) if isinstance(actual, str) else actual
            fits = (self._fits(value, context) for value in values)
            return all(fits) if self._each == "forallvalues" else any(fits)
        return isinstance(actual, str) and self._fits(actual, context)

    def _fits(self, value: str, context: Context) -> bool:
        return any(test(value, context) for test in self._tests) != self._negated


def _text(value: object, operation: str, key: str) -> str:
    if not isinstance(value, str | bool | int | float):
        raise ValueError(f"{operation} {key} is {value!r}: allowed a text; resolve the template's functions first")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _test(kind: str, comparison: str, text: str, variables: bool) -> Test:
    # Strings and ARNs may contain variables: "You can't use a policy variable with other operators, such as Numeric,
    # Date, Boolean, Binary, IP Address, or Null operators."
    match kind:
        case "string":
            return Pattern(
                text,
                wildcards=comparison == "like",
                variables=variables,
                ignore_case=comparison == "equalsignorecase",
            ).matches
        case "arn":
            return ArnPattern(text, variables=variables).matches
        case "numeric":
            return _typed(_number, _COMPARISONS[comparison], text)
        case "date":
            return _typed(_date, _COMPARISONS[comparison], text)
        case "bool":
            return _typed(_truth, operator.eq, text)
        case "binary":
            return _typed(_bytes, operator.eq, text)
        case _:
            return _typed(
                _network, lambda actual, network: actual.version == network.version and actual.subnet_of(network), text
            )


def _typed(parse: Callable[[str], Any], compare: Callable[[Any, Any], bool], text: str) -> Test:
    """Convert both texts and compare the values; a text that cannot be converted matches nothing."""
    expected = parse(text)

    def test(value: str, context: Context) -> bool:
        actual = parse(value)
        return actual is not None and expected is not None and compare(actual, expected)

    return test


@functools.lru_cache(maxsize=4096)
def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


@functools.lru_cache(maxsize=4096)
def _date(text: str) -> datetime.datetime | None:
    """Read a date in W3C's profile of ISO 8601 (https://www.w3.org/TR/NOTE-datetime), or in seconds since 1970."""
    try:
        if re.fullmatch(r"\d{5,}(\.\d+)?", text):
            return datetime.datetime.fromtimestamp(float(text), datetime.UTC)
        # The day, or month and day, may be omitted.
        missing = {4: "-01-01", 7: "-01"}.get(len(text), "")
        date = datetime.datetime.fromisoformat(text + missing)
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=datetime.UTC)


def _truth(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text.lower())


def _bytes(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return None


@functools.lru_cache(maxsize=4096)
def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
