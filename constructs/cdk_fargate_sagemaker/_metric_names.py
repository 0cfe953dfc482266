"""Namespaces and dimension values that CloudWatch accepts."""

import re
from typing import Any, Final

from aws_cdk import Token

from ._checks import check_kind, refusal

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
_NAMESPACE: Final = re.compile(r"(?!AWS/)[0-9a-zA-Z.\-_/#]{1,255}")
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Dimension.html; the CDK accepts 255 characters.
_DIMENSION_VALUE: Final = re.compile(r"(?=.*[^ ])[ -~]{1,255}")


def check_namespace(name: str, namespace: Any, what: str | None = None) -> None:
    """Refuses a namespace that CloudWatch does not accept. `what` describes the argument in the error.

    Raises:
        InvalidArgumentError: see above.
    """
    _check(name, namespace, _NAMESPACE, what, "1 to 255 letters, digits and . - _ / #, and no AWS/ in front")


def check_dimension_value(name: str, value: Any, what: str | None = None) -> None:
    """Refuses a value that CloudWatch does not accept for a dimension. `what` describes the argument in the error.

    Raises:
        InvalidArgumentError: see above.
    """
    _check(name, value, _DIMENSION_VALUE, what, "1 to 255 characters of ASCII, not only spaces")


def _check(name: str, given: Any, form: re.Pattern[str], what: str | None, characters: str) -> None:
    allowed = ", ".join(filter(None, (what, characters)))
    check_kind(name, given, str, allowed)
    if not Token.is_unresolved(given) and not form.fullmatch(given):
        raise refusal(name, given, allowed)
