"""Tells numbers from the tokens that stand for numbers known at deployment only."""

import math

from aws_cdk import Token


def is_token(number: float) -> bool:
    """Whether `number` is a token; the JavaScript side, which knows, cannot be asked about infinities and NaN."""
    return math.isfinite(number) and Token.is_unresolved(number)
