"""Distinguishes numbers from tokens, which represent numbers known at deployment only, and writes both as text."""

import struct

from aws_cdk import Tokenization

# The CDK represents such a number as a double of about -1.9e+289, whose first 16 bits are these.
# https://github.com/aws/aws-cdk/blob/v2.275.0/packages/aws-cdk-lib/core/lib/private/encoding.ts, createTokenDouble
_MARKER = b"\xfb\xff"
_BETWEEN = (-1e290, -1e289)


def is_token(number: float) -> bool:
    """Whether `number` is a token. Its bits show that; `Token.is_unresolved` is a call to the JavaScript process."""
    return _BETWEEN[0] < number < _BETWEEN[1] and struct.pack(">d", number).startswith(_MARKER)


def number_text(number: float) -> str:
    """`number` as text; for a token, text that gets its value at deployment."""
    if is_token(number):
        return Tokenization.stringify_number(number)
    return str(int(number)) if number == int(number) else f"{number:g}"
