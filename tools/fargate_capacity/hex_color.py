"""The colors of a dashboard body."""

from __future__ import annotations

import re
from typing import Any

_HEX = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")


def hex_color(value: Any) -> str | None:
    """The color, or `None` if CloudWatch would not accept it; then the default is drawn."""
    return value.lower() if isinstance(value, str) and _HEX.fullmatch(value) else None
