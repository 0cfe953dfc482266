"""Converts between Python's values and DynamoDB's attribute values, such as `{"S": "text"}`."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

SMALLEST_NUMBER: Final = 1e-127
_SERIALIZER: Final = TypeSerializer()
_DESERIALIZER: Final = TypeDeserializer()


def attribute_values(values: Mapping[str, object]) -> dict[str, Any]:
    """Return DynamoDB's attribute values, with the same names."""
    return {
        name: _SERIALIZER.serialize(_decimal(value) if isinstance(value, float) else value)
        for name, value in values.items()
    }


def python_values(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return Python's values of an item; numbers are Decimal."""
    return {name: _DESERIALIZER.deserialize(value) for name, value in item.items()}


def _decimal(value: float) -> Decimal:
    """Return a number in its shortest form; a number too close to 0 for DynamoDB's exponents becomes 0."""
    return Decimal(repr(value)).normalize() if abs(value) >= SMALLEST_NUMBER else Decimal(0)
