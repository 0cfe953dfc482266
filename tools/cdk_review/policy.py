"""The rules for a nonzero exit status: `--fail-on replacement,alarm-loosened,cost>10%`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from cdk_review.flag import KINDS, SEVERITIES, Flag
from fargate_capacity.input_error import InputError

GROUPS = {
    "replacement": {"replaced", "removed"},
    "alarm-loosened": {"loosened", "silenced"},
    "permission-widened": {"widened", "public"},
}
COST = re.compile(r"cost>(\d+(?:\.\d+)?)%")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rules that fail a review.

    Args:
        kinds: kinds of flags that fail it.
        severities: severities of flags that fail it.
        cost_percent: the maximum rise of the fixed cost in percent, or None for any.
    """

    kinds: frozenset[str] = frozenset()
    severities: frozenset[str] = frozenset()
    cost_percent: float | None = None

    def failures(self, flags: Iterable[Flag], *, cost_rise_percent: float) -> list[str]:
        """One message per reason to fail; empty if the change may be merged."""
        counted: dict[str, int] = {}
        for flag in flags:
            if flag.kind in self.kinds or flag.severity in self.severities:
                counted[flag.kind] = counted.get(flag.kind, 0) + 1
        lines = [f"{kind}: {number} flag{'s' if number > 1 else ''}" for kind, number in counted.items()]
        if self.cost_percent is not None and cost_rise_percent > self.cost_percent:
            lines.append(f"cost: rises by {cost_rise_percent:.1f} %, allowed are {self.cost_percent:g} %")
        return lines


def parse_policy(text: str) -> Policy:
    """Parse `--fail-on`: groups, kinds and severities of flags, and a bound of the cost, separated by commas.

    Raises:
        InputError: an unknown word.
    """
    kinds: set[str] = set()
    severities: set[str] = set()
    cost: float | None = None
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        bound = COST.fullmatch(word.replace(" ", ""))
        if bound is not None:
            cost = float(bound[1])
        elif word in GROUPS:
            kinds.update(GROUPS[word])
        elif word in KINDS:
            kinds.add(word)
        elif word in SEVERITIES:
            severities.update(SEVERITIES[: SEVERITIES.index(word) + 1])
        else:
            allowed = ", ".join([*GROUPS, *KINDS, *SEVERITIES, "cost>N%"])
            raise InputError(f"fail-on: got {word[:40]}, allowed: {allowed}")
    return Policy(kinds=frozenset(kinds), severities=frozenset(severities), cost_percent=cost)
