"""Keeps the records of an endpoint's releases, which one is current, and a lock for changes of the endpoint.

The table holds for each endpoint an entry `lock` (the execution that changes the endpoint), an entry `current` (the
release that serves), one entry per release, and possibly an entry `not-adopted` (an endpoint configuration that serves
and does not count as a release). Step Functions may call an operation again for the same execution if an answer was
lost: the operation then finds its own work and gives the same answer.
"""

import datetime
import functools
import json
import logging
import os
import random
import time
from typing import Any

import boto3
from release_resources import NotMadeAgainError, ReleaseResources
from release_resources import UnknownEndpointError as UnknownEndpointError
from release_table import CURRENT, LOCK, NOT_ADOPTED, RELEASE_PREFIX, ReleaseTable, current_is, moment, taken
from rollback_decision import Decision, Found, RefusedError, current_release, decide
from rollback_plans import LockLostError, failed_plan, plan_by_hand, record_of, served, stopped_plan

LOGGER = logging.getLogger(__name__)
LOGGER.setLevel(logging.INFO)


# Errors with which the release workflow ends after it has restored the endpoint, or before it has changed it.
SETTLED_ERRORS = frozenset({"ReleaseFailed", "ReleaseInProgressError"})
# A rule starts the rollback of a release that was stopped. Until then no other execution may begin. If the rollback
# never starts, the endpoint is blocked no longer than this.
ROLLBACK_STARTS_WITHIN = datetime.timedelta(minutes=10)

ATTEMPTS = 8
LONGEST_PAUSE_S = 0.4


class ReleaseInProgressError(Exception):
    """Another release or rollback is changing the endpoint; the message says which one, since when, and what to do."""


class InvalidRollbackError(Exception):
    """No rollback is possible, or not to the requested release; the message says what is possible."""


class UnknownOperationError(Exception):
    """The function does not have the requested operation."""


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Carries out `operation`, one of the functions below, with the event's other keys. Numbers are JSON numbers."""
    operations = {
        "begin_release": begin_release,
        "finish_release": finish_release,
        "begin_rollback": begin_rollback,
        "finish_rollback": finish_rollback,
    }
    operation = event.get("operation")
    if operation not in operations:
        raise UnknownOperationError(f"operation is {operation!r}: it must be one of {', '.join(operations)}")
    result = operations[operation](ReleaseTable(client), event)
    LOGGER.info("%s: %s", operation, json.dumps(result))
    return result


@functools.cache
def client(service: Any) -> Any:
    """One client per service and execution environment: making one takes longer than a call."""
    return boto3.client(service)


def begin_release(table: ReleaseTable, event: dict[str, Any]) -> dict[str, Any]:
    """Locks the endpoint for `execution`, which makes `release`, and opens the release's record.

    Returns the `current` release, with which the new one is compared, or null. If the endpoint serves a configuration
    without a record, and its model's role and artefact exist, it gets a record first, so that a rollback to it is
    possible. An endpoint of an earlier stack lacks them: it serves until the release replaces it, and one alert says
    so. A current release whose record is gone also gets a new one, from its configuration if there is no endpoint.
    Raises ReleaseInProgressError and UnknownEndpointError.
    """
    release, execution, resources = event["release"], event["execution"], ReleaseResources(client)
    for attempt in range(ATTEMPTS):
        _pause(attempt)
        lock = table.entry(LOCK)
        records = table.releases()
        if _holder(lock) == execution:
            (own,) = (record for record in records if record["execution"] == execution)
            return {"current": _served_if_recorded(records, own.get("previous"))}
        _refuse_in_progress(lock, execution)
        pointer = table.current()
        current = pointer if any(record["release"] == pointer for record in records) else None
        if current is None and (found := _found(resources, pointer)) is not None:
            if any(record["release"] == found["release"] and _has_served(record) for record in records):
                _heal(table, records, None, found["release"], pointer)
                continue
            models = resources.models_of(found["endpoint_configuration"]) or [found["model"]]
            missing = next((lack for model in models if (lack := resources.missing_of(model)) is not None), None)
            if missing is None:
                _heal(table, records, found, found["release"], pointer)
                continue
            if resources.serves():
                _notify_not_adopted(table, found, missing)
        now = _now()
        if table.write(
            taken(table, lock, {"holder": execution, "since": now, "release": release}),
            table.put(
                f"{RELEASE_PREFIX}{now}#{release}",
                {
                    "release": release,
                    "execution": execution,
                    "started": now,
                    "started_by": event["started_by"],
                    "outcome": "running",
                    "previous": current,
                },
                "attribute_not_exists(entry)",
            ),
            current_is(table, pointer),
        ):
            _close_abandoned(table, records)
            return {"current": served(records, current)}
    raise _contended()


def finish_release(table: ReleaseTable, event: dict[str, Any]) -> dict[str, Any]:
    """Makes `release` the current one and releases the lock. Raises LockLostError."""
    release, execution = event["release"], event["execution"]
    posts = event.get("posts") or {}
    labels = posts.get("reviews") or {}
    for attempt in range(ATTEMPTS):
        _pause(attempt)
        record = record_of(table.releases(), release=release, execution=execution)
        if record["outcome"] == "released" and table.current() == release:
            _tell_parameter(release)
            return {"release": release}
        if record["outcome"] != "running" or _holder(table.entry(LOCK)) != execution:
            raise LockLostError(f"release {release} is recorded as {record['outcome']} and does not hold the endpoint")
        # First, because it cannot be part of the transaction: if that fails, the rollback restores the value.
        _tell_parameter(release)
        if table.write(
            table.set(
                record["entry"],
                {
                    "outcome": "released",
                    "ended": _now(),
                    "posts": event.get("posts"),
                    "data_fingerprint": posts.get("fingerprint"),
                    "new_labels": labels.get("new"),
                    "labels_as_of": labels.get("as_of"),
                    "sides": (posts.get("sides") or {}).get("known"),
                    "metrics": event.get("metrics"),
                    "current_metrics": event.get("current_metrics"),
                    "comparison": event.get("comparison"),
                    # Served posts are compared with it later.
                    "validation": event.get("validation") or None,
                    "model_data": event.get("model_data"),
                    "archive_sha256": event.get("archive_sha256"),
                    "model": release,
                    "endpoint_configuration": release,
                    # The requests that make both again if somebody deletes them.
                    "definitions": ReleaseResources(client).definitions(release, release),
                },
                "outcome = :running",
                running="running",
            ),
            table.put(CURRENT, {"release": release}),
            table.delete(LOCK, "holder = :holder", holder=execution),
        ):
            return {"release": release}
    raise _contended()


def begin_rollback(table: ReleaseTable, event: dict[str, Any]) -> dict[str, Any]:
    """Locks the endpoint for the rollback `execution`, and returns what its `input` asks for.

    `mode` says who asks: `by_hand` (a person: `{}` or `{"release": name}`), `failed` (a release that reports afterwards
    and keeps the lock) or `stopped` (a release that can no longer report). `failed` is the release to discard, or null
    if a release had not begun or had already ended: then nothing is restored and the endpoint is not locked. `target`
    is the release that has to serve, `failure` what happened. For a rollback by hand, `note` is what people have to
    know about it, and `offer` what they can do if it fails. Before the endpoint is changed, missing records of the
    current release and missing models and configurations of the target are made again. Raises ReleaseInProgressError,
    InvalidRollbackError, UnknownEndpointError and NotMadeAgainError.
    """
    execution, given = event["execution"], event["input"]
    ended = healed = None
    if "stopped" in given:
        ended = given["stopped"]["execution"]
        if _state(ended) == "RUNNING":
            raise InvalidRollbackError(f"{ended} still runs: stop it first")
    resources = ReleaseResources(client, event.get("tags"))
    for attempt in range(ATTEMPTS):
        _pause(attempt)
        lock, records, current = table.entry(LOCK), table.releases(), table.current()
        if "failed" in given or "stopped" in given:
            of = given.get("failed") or given["stopped"]
            if (lost := _lost(records, of["execution"], current)) is not None:
                _heal(table, records, _record_again(resources, lost), lost, current, points=False)
                continue
        if "failed" in given:
            plan, holder = failed_plan(given["failed"], records, current), given["failed"]["execution"]
        elif "stopped" in given:
            plan, holder = stopped_plan(given["stopped"], records, current), execution
        else:
            # First of all: while a release is running, the current release is about to change.
            _refuse_in_progress(lock, execution)
            decision = _decided(resources, given, records, current)
            if decision.heals is not None:
                known = any(record["release"] == decision.heals for record in records)
                found = None if known else _record_again(resources, decision.heals)
                _heal(table, records, found, decision.heals, current)
                healed = decision.note or healed
                continue
            plan, holder = plan_by_hand(records, decision), execution
            # An earlier repair is no longer visible.
            plan["note"] = healed or plan["note"]
        failed, target = plan["failed"], plan["target"]
        if plan["mode"] != "by_hand" and failed is None:
            return plan
        if _holder(lock) == holder:
            return _made_ready(resources, records, plan)
        if _holder(lock) != ended:
            _refuse_in_progress(lock, execution)
        if table.write(
            taken(
                table,
                lock,
                {
                    "holder": holder,
                    "since": _now(),
                    "rolls_back" if holder == execution else "release": failed and failed["release"],
                },
            ),
            current_is(table, current),
            # A clean-up at the same time deletes only resources that no lock protects.
            *(
                [table.check(record_of(records, release=target["release"])["entry"], "attribute_not_exists(cleaning)")]
                if target
                else []
            ),
        ):
            return _made_ready(resources, records, plan)
    raise _contended()


def finish_rollback(table: ReleaseTable, event: dict[str, Any]) -> dict[str, Any]:
    """Records the plan of begin_rollback as done and releases the lock. Raises LockLostError."""
    execution, mode, failed, target = event["execution"], event["mode"], event.get("failed"), event.get("target")
    to = None if target is None else target["release"]
    if mode != "by_hand" and failed is None:
        return {"release": to}
    holder = execution if failed is None or mode != "failed" else failed["execution"]
    for attempt in range(ATTEMPTS):
        _pause(attempt)
        records, current = table.releases(), table.current()
        if _holder(table.entry(LOCK)) != holder:
            left = None if failed is None else record_of(records, **failed)
            if current == to and (left is None or left.get("rolled_back_by") == execution):
                return {"release": to}
            raise LockLostError(f"rollback {execution} does not hold the endpoint any more")
        _tell_parameter(to)
        if table.write(
            *_outcomes(table, event, records, current),
            table.delete(CURRENT) if to is None else table.put(CURRENT, {"release": to}),
            table.delete(LOCK, "holder = :holder", holder=holder),
        ):
            return {"release": to}
    raise _contended()


def _decided(
    resources: ReleaseResources, given: dict[str, Any], records: list[dict[str, Any]], pointer: str | None
) -> Decision:
    """The decision for a person's rollback. Raises InvalidRollbackError."""
    unknown = sorted(set(given) - {"release"})
    if unknown:
        raise InvalidRollbackError(f'the input has {", ".join(unknown)}: it must be {{}} or {{"release": "<name>"}}')
    serves, parameter = resources.serves(), resources.parameter()
    releases = [resources.of(record) for record in records]
    current = current_release(serves=serves, pointer=pointer, parameter=parameter, releases=releases)
    lost = current is not None and resources.may_be_release(current)
    lost = lost and all(release.name != current for release in releases)
    found = Found(
        serves=serves,
        pointer=pointer,
        parameter=parameter,
        releases=releases,
        unrecorded=resources.unrecorded(current) if lost and current is not None else None,
    )
    try:
        return decide(found, given.get("release"))
    except RefusedError as refusal:
        raise InvalidRollbackError(str(refusal)) from None


def _made_ready(resources: ReleaseResources, records: list[dict[str, Any]], plan: dict[str, Any]) -> dict[str, Any]:
    """The plan, after missing resources of the target are made again. Raises NotMadeAgainError if a person asked."""
    if plan["target"] is not None:
        try:
            made = resources.make_missing(record_of(records, release=plan["target"]["release"]))
        except NotMadeAgainError as fault:
            if plan["mode"] == "by_hand":
                raise
            # An endpoint that still serves the target needs nothing; otherwise the workflow reports what is missing.
            made = []
            LOGGER.warning("%s", fault)
        if made:
            LOGGER.info("made again: %s", ", ".join(made))
    return plan


def _found(resources: ReleaseResources, pointer: str | None) -> dict[str, Any] | None:
    """The record of the serving release, or of the current one if nothing serves; None if both are unknown."""
    if (found := resources.found_serving()) is not None or pointer is None:
        return found
    return resources.record_of(pointer) if resources.unrecorded(pointer).configuration else None


def _has_served(record: dict[str, Any]) -> bool:
    return record["outcome"] in ("released", "rolled_back") and "cleaning" not in record


def _lost(records: list[dict[str, Any]], execution: str, pointer: str | None) -> str | None:
    """The target of an execution's rollback, if its record is gone."""
    own = next((record for record in records if record["execution"] == execution), None)
    needed = pointer if own is None or own["outcome"] != "running" else own.get("previous")
    return None if needed is None or any(record["release"] == needed for record in records) else str(needed)


def _record_again(resources: ReleaseResources, release: str) -> dict[str, Any]:
    """A new record for a release whose record is gone. Raises InvalidRollbackError."""
    if not resources.unrecorded(release).configuration and resources.serves() != release:
        raise InvalidRollbackError(
            f"the record of release {release} is gone, and so is its endpoint configuration: name another release, "
            '{"release": "<name>"}, or release again'
        )
    return resources.record_of(release)


def _heal(
    table: ReleaseTable,
    records: list[dict[str, Any]],
    found: dict[str, Any] | None,
    release: str,
    pointer: str | None,
    *,
    points: bool = True,
) -> None:
    """Makes `release` the table's current release; its record exists or was `found` again."""
    changes = []
    if found is not None:
        # Without its configuration its time is unknown: it counts as the last one.
        made = moment(found.pop("made", None) or datetime.datetime.now(datetime.UTC))
        record = found | {"started": made, "ended": made}
        changes.append(table.put(f"{RELEASE_PREFIX}{made}#{release}", record, "attribute_not_exists(entry)"))
    if points and release != pointer:
        is_seen = ("#release = :seen", {"seen": pointer}) if pointer else ("attribute_not_exists(entry)", {})
        changes.append(table.put(CURRENT, {"release": release}, is_seen[0], **is_seen[1]))
    if changes:
        LOGGER.warning("release %s is recorded as the current one again, with %d other records", release, len(records))
        table.write(*changes)


def _outcomes(
    table: ReleaseTable, event: dict[str, Any], records: list[dict[str, Any]], current: str | None
) -> list[dict[str, Any]]:
    """The changes that a rollback makes to the releases' records."""
    mode, failed, target = event["mode"], event.get("failed"), event.get("target")
    by = {"rolled_back_by": event["execution"]}
    changes = []
    if failed is not None:
        ended = by | {"outcome": mode, "ended": _now(), "failure": event.get("failure")}
        record = record_of(records, **failed)
        changes.append(table.set(record["entry"], ended, "execution = :execution", execution=failed["execution"]))
    if mode == "by_hand" and target is not None and current != target["release"]:
        # A current release without any trace has no record to mark.
        if any(record["release"] == current for record in records):
            left = record_of(records, release=current)
            changes.append(table.set(left["entry"], by | {"outcome": "rolled_back"}, "attribute_exists(entry)"))
        named = record_of(records, release=target["release"])
        # A release that a person named serves again: a later rollback may choose it.
        again = {"outcome": "released", "rolled_back_by": None}
        changes.append(table.set(named["entry"], again, "attribute_exists(entry)"))
    return changes


def _notify_not_adopted(table: ReleaseTable, found: dict[str, Any], missing: str) -> None:
    """Publishes one alert per endpoint configuration, however many releases find it."""
    configuration = found["endpoint_configuration"]
    noted = {"configuration": configuration, "missing": missing, "noted": _now()}
    # The alert first: if publishing fails, the release begins again and publishes it.
    if (table.entry(NOT_ADOPTED) or {}).get("configuration") == configuration:
        return
    endpoint = os.environ["ENDPOINT_NAME"]
    text = (
        f"The endpoint {endpoint} serves {configuration}, which has no record, and {missing}. So there is no current "
        "release: the release that starts now is compared with none, and replaces what serves. Until then the endpoint "
        "keeps serving, also if the release fails before it is in service. If it fails later, as in the endpoint's "
        "check, the endpoint is deleted: there is nothing to roll back to."
    )
    LOGGER.warning("%s", text)
    client("sns").publish(
        TopicArn=os.environ["ALERTS_TOPIC"], Subject=f"{endpoint}: what serves has no record"[:99], Message=text
    )
    table.write(table.put(NOT_ADOPTED, noted))


def _close_abandoned(table: ReleaseTable, records: list[dict[str, Any]]) -> None:
    """Closes records that are still `running`: with the lock held, their executions ended without closing them."""
    for record in records:
        if record["outcome"] == "running":
            described = _describe(record["execution"]) or {"status": "ABORTED"}
            status = described["status"]
            ended = {
                "outcome": "failed" if status == "FAILED" else "stopped",
                "ended": _now(),
                "failure": {
                    "state": status,
                    "error": described.get("error") or status,
                    "cause": described.get("cause") or "the execution ended and was not rolled back",
                },
            }
            table.write(table.set(record["entry"], ended, "outcome = :running", running="running"))


def _refuse_in_progress(lock: dict[str, Any] | None, execution: str) -> None:
    """Raises ReleaseInProgressError unless the endpoint is unlocked or the execution with the lock has ended."""
    if lock is None or lock["holder"] == execution:
        return
    who = (
        f"release {lock['release']}" if "release" in lock else f"a rollback of {lock.get('rolls_back', 'the endpoint')}"
    )
    state = _state(lock["holder"])
    if state == "RUNNING":
        raise ReleaseInProgressError(
            f"{who} has been running since {lock['since']}: wait for it, or stop it: {lock['holder']}"
        )
    # A stopped rollback is not followed by another rollback.
    if state == "AWAITING_ROLLBACK" and "release" in lock:
        raise ReleaseInProgressError(f"{who} was stopped and is about to be rolled back: start again in a few minutes")


def _state(execution: str) -> str:
    """RUNNING, AWAITING_ROLLBACK (stopped a moment ago; its rollback has not started yet) or ENDED."""
    described = _describe(execution)
    if described is None:
        return "ENDED"
    if described["status"] in ("RUNNING", "PENDING_REDRIVE"):
        return "RUNNING"
    settled = described["status"] == "SUCCEEDED" or described.get("error") in SETTLED_ERRORS
    # Step Functions' API model does not guarantee a stop time.
    stopped = described.get("stopDate", described["startDate"])
    recent = datetime.datetime.now(datetime.UTC) - stopped < ROLLBACK_STARTS_WITHIN
    return "AWAITING_ROLLBACK" if recent and not settled else "ENDED"


def _describe(execution: str) -> dict[str, Any] | None:
    """The execution; None if Step Functions, which keeps executions for 90 days, no longer has it."""
    states = client("stepfunctions")
    try:
        described: dict[str, Any] = states.describe_execution(executionArn=execution)
    except states.exceptions.ExecutionDoesNotExist:
        return None
    return described


def _tell_parameter(release: str | None) -> None:
    """Sets the SSM parameter, which others read, to the current release; deletes it if nothing serves."""
    ssm = client("ssm")
    name = os.environ["CURRENT_PARAMETER"]
    if release is not None:
        ssm.put_parameter(Name=name, Value=release, Type="String", Overwrite=True)
        return
    try:
        ssm.delete_parameter(Name=name)
    except ssm.exceptions.ParameterNotFound:
        return


def _served_if_recorded(records: list[dict[str, Any]], release: str | None) -> dict[str, Any] | None:
    return served(records, release if any(record["release"] == release for record in records) else None)


def _holder(lock: dict[str, Any] | None) -> str | None:
    return None if lock is None else str(lock["holder"])


def _now() -> str:
    return moment(datetime.datetime.now(datetime.UTC))


def _pause(attempt: int) -> None:
    if attempt:
        time.sleep(random.uniform(0, LONGEST_PAUSE_S))  # nosec B311  # a pause


def _contended() -> Exception:
    return ReleaseInProgressError(f"other executions changed the endpoint's record {ATTEMPTS} times: start again")
