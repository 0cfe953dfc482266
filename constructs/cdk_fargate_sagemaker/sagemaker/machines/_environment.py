from collections.abc import Mapping
from typing import Any

from ..._checks import check_kind, check_text, refusal


def check_environment(name: str, environment: Any) -> None:
    """Refuses environment variables whose names or values are not strings: SageMaker accepts only strings.

    Raises:
        InvalidArgumentError: see above.
    """
    check_kind(name, environment, Mapping, "a mapping of texts")
    for variable, value in environment.items():
        check_text(f"{name}[{variable!r}]", variable, "text as a variable's name")
        if not isinstance(value, str):
            remedy = f"give '{value}'" if isinstance(value, int | float) and not isinstance(value, bool) else None
            raise refusal(f"{name}[{variable!r}]", value, "text", remedy)
