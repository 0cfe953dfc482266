from collections.abc import Mapping
from typing import Any

from ..._checks import check_kind, check_text, refusal


def check_environment(name: str, environment: Any) -> None:
    """Refuses variables of a container that are no texts under texts: SageMaker takes a map of strings.

    Raises:
        InvalidArgumentError: see above.
    """
    check_kind(name, environment, Mapping, "a mapping of texts")
    for variable, value in environment.items():
        check_text(f"{name}[{variable!r}]", variable, "text as a variable's name")
        if not isinstance(value, str):
            remedy = f"give '{value}'" if isinstance(value, int | float) and not isinstance(value, bool) else None
            raise refusal(f"{name}[{variable!r}]", value, "text", remedy)
