"""The tuner's state and all its decisions, in DynamoDB.

A lease keeps two executions from changing the same target at the same time. It is longer than the function's time
limit, so an invocation that lost it is no longer running.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError
from scaling_decisions import Decision, TunerState

from .surroundings import Clients, Surroundings

# The function's time limit is 60 seconds.
LEASE_S = 75.0

_STATE = "state"
_LATEST = "latest"
_DECISIONS = "decision#"
_RECENT = 50


class BusyError(Exception):
    """Another execution has the lease; try again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A recorded decision."""

    entry: str
    at: datetime
    action: str
    origin: float
    target: float
    why: str
    figures: Mapping[str, Any]
    is_dry_run: bool
    is_told: bool


class TunerTable:
    """The items of one tuner: `state`, `latest` (the latest look) and `decision#<when>#<action>`."""

    def __init__(self, clients: Clients, surroundings: Surroundings, *, owner: str) -> None:
        self._client = clients.table
        self._name = surroundings.table
        self._tuner = surroundings.scaled_resource["ResourceId"]
        self._owner = owner

    @contextmanager
    def leased(self) -> Iterator[TunerState | None]:
        """Holds the lease for the block. Yields the state; None before the first one.

        Raises:
            BusyError: another execution has the lease.
        """
        now = time.time()
        try:
            answer = self._client.update_item(
                TableName=self._name,
                Key=self._key(_STATE),
                UpdateExpression="SET lease_owner = :me, lease_until = :until",
                ConditionExpression="attribute_not_exists(lease_owner) OR lease_until < :now",
                ExpressionAttributeValues={
                    ":me": {"S": self._owner},
                    ":now": {"N": f"{now:.3f}"},
                    ":until": {"N": f"{now + LEASE_S:.3f}"},
                },
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            raise _busy(error, "ConditionalCheckFailedException") from None
        stored = answer["Attributes"].get("state")
        yield TunerState.from_json(json.loads(stored["S"])) if stored else None
        # Without a finally: after a failure the outcome is unknown, and the lease expires by itself.
        self._client.update_item(
            TableName=self._name,
            Key=self._key(_STATE),
            UpdateExpression="REMOVE lease_owner, lease_until",
            ConditionExpression="lease_owner = :me",
            ExpressionAttributeValues={":me": {"S": self._owner}},
        )

    def save(
        self,
        state: TunerState,
        *,
        decision: Decision | None = None,
        figures: Mapping[str, Any] | None = None,
        is_dry_run: bool = False,
    ) -> None:
        """Stores the state and the decision that led to it, in one transaction.

        Raises:
            BusyError: the lease was lost.
        """
        writes: list[dict[str, Any]] = [
            {
                "Update": {
                    "TableName": self._name,
                    "Key": self._key(_STATE),
                    "UpdateExpression": "SET #state = :state",
                    "ConditionExpression": "lease_owner = :me",
                    "ExpressionAttributeNames": {"#state": "state"},
                    "ExpressionAttributeValues": {
                        ":state": {"S": json.dumps(state.to_json())},
                        ":me": {"S": self._owner},
                    },
                }
            }
        ]
        if decision is not None:
            # Writing the same decision again replaces it.
            item = self._item(f"{_DECISIONS}{decision.at.isoformat()}#{decision.action}", decision, figures or {})
            item |= {"untold": {"BOOL": True}, "dry_run": {"BOOL": is_dry_run}}
            writes.append({"Put": {"TableName": self._name, "Item": item}})
        try:
            self._client.transact_write_items(TransactItems=writes)
        except ClientError as error:
            raise _busy(error, "TransactionCanceledException") from None

    def note_look(self, decision: Decision, figures: Mapping[str, Any]) -> None:
        """Stores the latest look, so that a person can see why nothing happens."""
        self._client.put_item(TableName=self._name, Item=self._item(_LATEST, decision, figures))

    def recent(self) -> list[Record]:
        """The latest decisions, oldest first."""
        answer = self._client.query(
            TableName=self._name,
            KeyConditionExpression="tuner = :tuner AND begins_with(entry, :decisions)",
            ExpressionAttributeValues={":tuner": {"S": self._tuner}, ":decisions": {"S": _DECISIONS}},
            ScanIndexForward=False,
            Limit=_RECENT,
            ConsistentRead=True,
        )
        return [_record(item) for item in reversed(answer["Items"])]

    def mark_told(self, record: Record) -> None:
        """Marks a decision as reported."""
        self._client.update_item(TableName=self._name, Key=self._key(record.entry), UpdateExpression="REMOVE untold")

    def _key(self, entry: str) -> dict[str, Any]:
        return {"tuner": {"S": self._tuner}, "entry": {"S": entry}}

    def _item(self, entry: str, decision: Decision, figures: Mapping[str, Any]) -> dict[str, Any]:
        return {
            **self._key(entry),
            "at": {"S": decision.at.isoformat()},
            "action": {"S": str(decision.action)},
            "origin": {"N": f"{decision.origin:g}"},
            "target": {"N": f"{decision.target:g}"},
            "why": {"S": decision.why},
            "figures": {"S": json.dumps(dict(figures))},
        }


def _record(item: Mapping[str, Any]) -> Record:
    return Record(
        entry=item["entry"]["S"],
        at=datetime.fromisoformat(item["at"]["S"]),
        action=item["action"]["S"],
        origin=float(item["origin"]["N"]),
        target=float(item["target"]["N"]),
        why=item["why"]["S"],
        figures=json.loads(item["figures"]["S"]),
        is_dry_run=item["dry_run"]["BOOL"],
        is_told="untold" not in item,
    )


def _busy(error: ClientError, code: str) -> Exception:
    if error.response["Error"]["Code"] != code:
        return error
    return BusyError("another execution changes this target; try again")
