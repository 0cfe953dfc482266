"""A text of a policy that may contain wildcards and policy variables.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

from cdk_rehearsal.permissions.request_context import Context

_TOKEN = re.compile(r"\$\{(?P<escaped>[*?$])\}|\$\{(?P<variable>[^}]*)\}|(?P<wild>[*?])")
# "separate the variable text and the default value with a comma and space"
_DEFAULT = re.compile(r"(?P<key>[^,]*), '(?P<default>.*)'")
_COLON_OUTSIDE_VARIABLES = re.compile(r":(?![^{}]*\})")


class _Variable(NamedTuple):
    key: str
    default: str | None
    within: str
    """A regular expression for one character of the value."""


class Pattern:
    """Compares values with one text of a policy.

    A variable is replaced by the value of a single-valued key, otherwise by its default. Without either it is null, and
    the pattern matches nothing ("There is no equal or like value"). A wildcard in a variable's value is an ordinary
    character.

    Args:
        text: the text as written in the policy.
        wildcards: whether `*` and `?` match anything; `${*}`, `${?}` and `${$}` never do.
        variables: whether the policy's Version supports variables: "variables like ${aws:username} are treated as
            literal strings" before 2012-10-17.
        ignore_case: whether to compare case-insensitively.
    """

    __slots__ = ("_flags", "_parts", "_regex")

    def __init__(self, text: str, *, wildcards: bool, variables: bool, ignore_case: bool = False) -> None:
        self._set(_parts(text, wildcards=wildcards, variables=variables, within="."), ignore_case=ignore_case)

    def _set(self, parts: list[str | _Variable], *, ignore_case: bool = False) -> None:
        self._flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
        self._parts = parts
        texts = [part for part in parts if isinstance(part, str)]
        self._regex = _compiled("".join(texts), self._flags) if len(texts) == len(parts) else None

    def matches(self, value: str, context: Context) -> bool:
        """Whether a value of the request matches."""
        regex = self._regex
        if regex is None:
            resolved = self._resolve(context)
            if resolved is None:
                return False
            regex = _compiled(resolved, self._flags)
        return regex.fullmatch(value) is not None

    def _resolve(self, context: Context) -> str | None:
        resolved = []
        for part in self._parts:
            if isinstance(part, str):
                resolved.append(part)
                continue
            value = context.get(part.key, part.default)
            # "You can't use a multivalued condition key as a variable."
            if not isinstance(value, str) or not re.fullmatch(f"{part.within}*", value, re.DOTALL):
                return None
            resolved.append(re.escape(value))
        return "".join(resolved)


class ArnPattern(Pattern):
    """Compares ARNs component by component: a wildcard does not match a colon, except in the last component.

    "Each of the six colon-delimited components of the ARN is checked separately":
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_ARN

    Args:
        text: the text as written in the policy.
        variables: whether the policy's Version supports variables.
        completed: whether missing components are `*`, as in the Resource of an identity policy.
        leading_variables: whether variables are replaced in the first five components too: in a Resource "You can't use
            a variable to replace parts of the ARN before the fifth colon".
    """

    __slots__ = ()

    def __init__(self, text: str, *, variables: bool, completed: bool = False, leading_variables: bool = True) -> None:
        components = _COLON_OUTSIDE_VARIABLES.split(text, maxsplit=5)
        if completed:
            components += ["*"] * (6 - len(components))
        parts: list[str | _Variable] = []
        for index, component in enumerate(components):
            last = index == 5
            parts += [":"] if index else []
            parts += _parts(
                component,
                wildcards=True,
                variables=variables and (last or leading_variables),
                within="." if last else "[^:]",
            )
        # A value that is not an ARN matches no ARN pattern.
        self._set(parts if len(components) == 6 else ["(?!)"])


def _parts(text: str, *, wildcards: bool, variables: bool, within: str) -> list[str | _Variable]:
    parts: list[str | _Variable] = []
    end = 0
    for token in _TOKEN.finditer(text):
        if not (wildcards if token["wild"] else variables):
            continue
        parts.append(re.escape(text[end : token.start()]))
        end = token.end()
        if token["wild"]:
            parts.append(f"{within}*" if token["wild"] == "*" else within)
        elif token["escaped"]:
            parts.append(re.escape(token["escaped"]))
        else:
            default = _DEFAULT.fullmatch(token["variable"])
            key = default["key"] if default else token["variable"]
            parts.append(_Variable(key.strip().lower(), default["default"] if default else None, within))
    return [*parts, re.escape(text[end:])]


@functools.lru_cache(maxsize=16384)
def _compiled(regex: str, flags: int) -> re.Pattern[str]:
    return re.compile(regex, flags)
