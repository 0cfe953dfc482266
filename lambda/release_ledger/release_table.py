"""The releases' table: reads and writes the entries of one endpoint."""

import datetime
import json
import os
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

LOCK = "lock"
CURRENT = "current"
NOT_ADOPTED = "not-adopted"
RELEASE_PREFIX = "release#"


class ReleaseTable:
    """One endpoint's entries in the releases' table."""

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._name = os.environ["RELEASES_TABLE"]
        self._endpoint = os.environ["ENDPOINT_NAME"]
        self._client = client("dynamodb")

    def entry(self, name: str) -> dict[str, Any] | None:
        answer = self._client.get_item(TableName=self._name, Key=self._key(name), ConsistentRead=True)
        return _plain(answer["Item"]) if "Item" in answer else None

    def releases(self) -> list[dict[str, Any]]:
        """Every release's record, oldest first."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            ConsistentRead=True,
            KeyConditionExpression="endpoint = :endpoint AND begins_with(entry, :prefix)",
            ExpressionAttributeValues={":endpoint": {"S": self._endpoint}, ":prefix": {"S": RELEASE_PREFIX}},
        )
        return [_plain(item) for page in pages for item in page["Items"]]

    def current(self) -> str | None:
        """The name of the release that serves."""
        entry = self.entry(CURRENT)
        return None if entry is None else str(entry["release"])

    def write(self, *changes: Any) -> bool:
        """Writes all changes or none; returns False if a condition does not hold or another transaction conflicts."""
        try:
            self._client.transact_write_items(TransactItems=changes)
        except self._client.exceptions.TransactionCanceledException as fault:
            reasons = {reason.get("Code") for reason in fault.response.get("CancellationReasons", [])}
            if not reasons <= {"None", None, "ConditionalCheckFailed", "TransactionConflict"}:
                raise
            return False
        except self._client.exceptions.TransactionInProgressException:
            return False
        return True

    def put(self, name: str, attributes: dict[str, Any], condition: str = "", **values: object) -> dict[str, Any]:
        item = self._key(name) | _typed({key: value for key, value in attributes.items() if value is not None})
        return {"Put": {"TableName": self._name, "Item": item} | _conditional(condition, values)}

    def set(self, name: str, attributes: dict[str, Any], condition: str, **values: object) -> dict[str, Any]:
        """Sets attributes of an entry and removes those given as None."""
        kept = {key: value for key, value in attributes.items() if value is not None}
        removed = [key for key, value in attributes.items() if value is None]
        update = "SET " + ", ".join(f"#{key} = :set_{key}" for key in kept)
        if removed:
            update += " REMOVE " + ", ".join(f"#{key}" for key in removed)
        return {
            "Update": {
                "TableName": self._name,
                "Key": self._key(name),
                "UpdateExpression": update,
                "ConditionExpression": condition,
                "ExpressionAttributeNames": {f"#{key}": key for key in attributes},
                "ExpressionAttributeValues": _typed(
                    {f":set_{key}": value for key, value in kept.items()}
                    | {f":{key}": value for key, value in values.items()}
                ),
            }
        }

    def delete(self, name: str, condition: str = "", **values: object) -> dict[str, Any]:
        return {"Delete": {"TableName": self._name, "Key": self._key(name)} | _conditional(condition, values)}

    def check(self, name: str, condition: str, **values: object) -> dict[str, Any]:
        return {"ConditionCheck": {"TableName": self._name, "Key": self._key(name)} | _conditional(condition, values)}

    def _key(self, name: str) -> dict[str, Any]:
        return {"endpoint": {"S": self._endpoint}, "entry": {"S": name}}


def taken(table: ReleaseTable, seen: dict[str, Any] | None, lock: dict[str, Any]) -> dict[str, Any]:
    """Takes the lock from the execution that was seen to hold it, and from no other."""
    if seen is None:
        return table.put(LOCK, lock, "attribute_not_exists(entry)")
    return table.put(LOCK, lock, "holder = :seen", seen=seen["holder"])


def current_is(table: ReleaseTable, release: str | None) -> dict[str, Any]:
    """The condition that `release` is still the current one."""
    if release is None:
        return table.check(CURRENT, "attribute_not_exists(entry)")
    return table.check(CURRENT, "#release = :release", release=release)


def moment(when: datetime.datetime) -> str:
    """A time as the records store it; it sorts as text."""
    return when.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _conditional(condition: str, values: dict[str, object]) -> dict[str, Any]:
    """A condition on attributes; `#release` stands for the attribute whose name is reserved in DynamoDB."""
    if not condition:
        return {}
    return (
        {"ConditionExpression": condition}
        | ({"ExpressionAttributeNames": {"#release": "release"}} if "#release" in condition else {})
        | ({"ExpressionAttributeValues": _typed({f":{key}": value for key, value in values.items()})} if values else {})
    )


def _typed(attributes: dict[str, Any]) -> dict[str, Any]:
    # DynamoDB's numbers are decimal: a float becomes the digits that JSON writes.
    exact: dict[str, Any] = json.loads(json.dumps(attributes), parse_float=Decimal)
    serializer = TypeSerializer()
    return {key: serializer.serialize(value) for key, value in exact.items()}


def _plain(item: dict[str, Any]) -> dict[str, Any]:
    deserializer = TypeDeserializer()
    return {key: _number(deserializer.deserialize(value)) for key, value in item.items()}


def _number(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {key: _number(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_number(item) for item in value]
    return value
