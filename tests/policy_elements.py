"""Elements of a policy's statement, which may hold one value or several."""

from typing import Any


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
