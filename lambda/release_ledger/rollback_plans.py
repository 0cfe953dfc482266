"""Plans of rollbacks, from the records."""

import json
from typing import Any

from rollback_decision import Decision


class LockLostError(Exception):
    """Another execution holds the lock now; nothing was recorded."""


def failed_plan(failed: dict[str, Any], records: list[dict[str, Any]], current: str | None) -> dict[str, Any]:
    """The plan for a failed release, which waits for the rollback."""
    plan = _plan("failed", target_of(records, current), failed["failure"])
    record = next((record for record in records if record["execution"] == failed["execution"]), None)
    if record is None:
        return plan
    own = {"release": record["release"], "execution": record["execution"]}
    return plan | {"failed": own, "target": target_of(records, record.get("previous"))}


def stopped_plan(stopped: dict[str, Any], records: list[dict[str, Any]], current: str | None) -> dict[str, Any]:
    """The plan for a stopped release, which can no longer notify."""
    status = stopped["status"]
    failure = {
        "state": status,
        "error": stopped.get("error") or status,
        "cause": stopped.get("cause") or f"the execution ended as {status}",
    }
    plan = _plan("stopped", target_of(records, current), failure)
    record = next((record for record in records if record["execution"] == stopped["execution"]), None)
    if record is not None and "failure" in record:
        # Its rollback was already done, and it was stopped before it could notify.
        first = record["failure"]
        cause = f"{first['cause']}; then {failure['state']}: {failure['error']}: {failure['cause']}"
        return plan | {"failure": first | {"cause": cause}}
    if record is None or record["outcome"] != "running":
        return plan
    own = {"release": record["release"], "execution": record["execution"]}
    return plan | {"failed": own, "target": target_of(records, record.get("previous"))}


def plan_by_hand(records: list[dict[str, Any]], decision: Decision) -> dict[str, Any]:
    """The plan for a person's rollback."""
    plan = _plan("by_hand", target_of(records, decision.target), None)
    return plan | {"note": decision.note, "offer": decision.offer}


def _plan(mode: str, target: dict[str, Any] | None, failure: dict[str, Any] | None) -> dict[str, Any]:
    return {"mode": mode, "failed": None, "target": target, "failure": failure, "note": None, "offer": None}


def served(records: list[dict[str, Any]], release: str | None) -> dict[str, Any] | None:
    """The reported values of a release that serves."""
    if release is None:
        return None
    record = record_of(records, release=release)
    told = (
        "release",
        "endpoint_configuration",
        "model",
        "model_data",
        "archive_sha256",
        "metrics",
        "labels_as_of",
        "sides",
    )
    return {key: record.get(key) for key in told}


def target_of(records: list[dict[str, Any]], release: str | None) -> dict[str, Any] | None:
    """The values of a release that a rollback needs; `archive_sha256` is null in records from before hashes."""
    found = served(records, release)
    told = ("release", "endpoint_configuration", "model", "model_data", "archive_sha256")
    return None if found is None else {key: found[key] for key in told}


def record_of(records: list[dict[str, Any]], **wanted: Any) -> dict[str, Any]:
    """The latest record with these attributes. Raises LockLostError."""
    for record in records[::-1]:
        if all(record.get(name) == value for name, value in wanted.items()):
            return record
    raise LockLostError(f"the table holds no record with {json.dumps(wanted)}")
