"""A visit of a state of a Step Functions execution, as a story follows it."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(slots=True, kw_only=True)
class StateRun:
    """One visit of one state. `seconds` is None while it runs."""

    name: str
    seconds: float | None = None
    error: str | None = None
