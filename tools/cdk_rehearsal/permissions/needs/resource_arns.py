"""The resources that AWS checks for an action: the ARN patterns of its resource types, filled with the call's
parameters.

AWS checks an action on every resource type that the reference marks as required, and on each other type that the call
names:
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from cdk_rehearsal.permissions.needs.arns import (
    bucket_arn,
    function_arn,
    is_arn,
    key_arn,
    parameter_arn,
    queue_arn,
    secret_arn,
    table_arn,
)
from cdk_rehearsal.permissions.needs.authorization_data import Action, ResourceType
from cdk_rehearsal.permissions.needs.world import World

Values = Mapping[str, tuple[str, ...]]  # keys are names in lower case
# Ids that AWS assigns and no call contains: the id in a scalable target's ARN.
_ALLOTTED = "0ec50000000000000000000000000000"


def resource_arns(action: Action, service: str, parameters: Mapping[str, Any], world: World) -> tuple[str, ...]:
    """The ARNs, or ("*",) for an action that takes no resource or whose resources the call does not name."""
    values = _values(service, parameters, world)
    stated = [
        (kind, arn)
        for arn in dict.fromkeys(itertools.chain.from_iterable(values.values()))
        if is_arn(arn)
        for kind in action.resource_types
        if kind.fits(arn)
    ]
    named = {kind.name for kind, _ in stated}
    found = [arn for _, arn in stated]
    filled = {
        kind: tuple(_filled(kind, values, world, service=service, whole=not kind.required or bool(named)))
        for kind in action.resource_types
        if kind.name not in named
    }
    for kind, arns in filled.items():
        # A rule on a custom event bus differs from the rule of the same name on the default bus.
        narrower = (each for each in filled if filled[each] and set(each.variables) > set(kind.variables))
        if kind.required or not any(not each.required for each in narrower):
            found += arns
    if service == "logs":
        found = [_as_log_group_is_judged(arn, action) for arn in found]
    return tuple(dict.fromkeys(found)) or ("*",)


def _filled(kind: ResourceType, values: Values, world: World, *, service: str, whole: bool) -> Iterator[str]:
    """
    Args:
        kind: the resource type, with its pattern.
        values: the call's parameters.
        world: look-ups in the account's state.
        service: the service that is called.
        whole: return no ARN unless the call has a value for each of the pattern's variables. Otherwise "*" replaces a
            missing value.
    """
    fixed = {"Partition": world.partition, "Region": world.region, "Account": world.account}
    options = []
    for variable in kind.variables:
        given = _given(variable, kind, values)
        if not given:
            if whole:
                return
            given = ("*",)
        options.append([(variable, value) for value in given])
    for chosen in itertools.product(*options):
        filled = dict(chosen)
        if service.startswith("sagemaker"):  # the ARNs of this service are in lower case
            filled = {name: value.lower() for name, value in filled.items()}
        yield kind.filled(fixed | filled)


def _given(variable: str, kind: ResourceType, values: Values) -> tuple[str, ...]:
    """The parameter with the variable's name, or with a shorter form of it (`Name`, `Rule` for RuleName)."""
    base = variable.removesuffix("WithPath")
    short = re.sub(r"(Name|Id|Identifier)$", "", base)
    names = [base, f"{base}s", short, f"{short}Name", f"{short}Id", f"{short}Identifier", f"{short}s", f"{short}Names"]
    if kind.required and re.sub(r"\W", "", kind.name).lower() in (short.lower(), f"{short.lower()}s"):
        names += ["Name", "Id", "Identifier", "Names"]
    for name in names:
        given = tuple(value for value in values.get(name.lower(), ()) if not is_arn(value))
        if given:
            return given
    return ()


def _values(service: str, parameters: Mapping[str, Any], world: World) -> Values:
    found: dict[str, tuple[str, ...]] = {}
    for name, value in parameters.items():
        if isinstance(value, str):
            found[name.lower()] = (value,)
        elif isinstance(value, list | tuple) and value and all(isinstance(each, str) for each in value):
            found[name.lower()] = tuple(value)
    if translate := _TRANSLATIONS.get(service):
        translate(found, world)
    return found


def _first(values: Values, *names: str) -> str | None:
    return next((values[name][0] for name in names if name in values), None)


def _s3(values: dict[str, tuple[str, ...]], world: World) -> None:
    bucket = _first(values, "bucket")
    if bucket is None:
        return
    if key := _first(values, "key"):
        joint = "/object/" if is_arn(bucket) else "/"  # an access point's objects
        values["key"] = (f"{bucket_arn(world, bucket)}{joint}{key}",)
    values["bucket"] = (bucket_arn(world, bucket),)


def _queue(values: dict[str, tuple[str, ...]], world: World) -> None:
    if url := _first(values, "queueurl"):
        values["queueurl"] = (queue_arn(world, url),)


def _topic(values: dict[str, tuple[str, ...]], world: World) -> None:
    if name := _first(values, "name"):
        values["topicname"] = (name,)
    values.pop("endpoint", None)  # a subscription's: an ARN, but AWS checks the topic's


def _kms(values: dict[str, tuple[str, ...]], world: World) -> None:
    for name in ("keyid", "targetkeyid", "sourcekeyid", "destinationkeyid"):
        if key := _first(values, name):
            values[name] = (key_arn(world, key),)


def _function(values: dict[str, tuple[str, ...]], world: World) -> None:
    if name := _first(values, "functionname"):
        values["functionname"] = (function_arn(world, name, _first(values, "qualifier")),)
    values.pop("role", None)
    values.pop("eventsourcearn", None)


def _table(values: dict[str, tuple[str, ...]], world: World) -> None:
    if name := _first(values, "tablename", "tablearn"):
        table = table_arn(world, name)
        values["tablename"] = (table,)
        if index := _first(values, "indexname"):
            # AWS checks the index instead of its table:
            # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/using-identity-based-policies.html
            values["tablename"] = ()
            values["indexname"] = (f"{table}/index/{index}",)


def _secret(values: dict[str, tuple[str, ...]], world: World) -> None:
    if name := _first(values, "secretid", "name"):
        values["secretid"] = (secret_arn(world, name),)


def _parameter(values: dict[str, tuple[str, ...]], world: World) -> None:
    for key in ("name", "names"):
        if names := values.get(key):
            values["parameternamewithoutleadingslash"] = tuple(parameter_arn(world, name) for name in names)
    if path := _first(values, "path"):
        values["parameternamewithoutleadingslash"] = (parameter_arn(world, path),)


def _event_rule(values: dict[str, tuple[str, ...]], world: World) -> None:
    if name := _first(values, "rule", "name"):
        values["rulename"] = (name,)
    bus = _first(values, "eventbusname")
    if "rulename" in values and (bus is None or bus.rpartition("/")[2] == "default"):
        values.pop("eventbusname", None)
    elif bus and is_arn(bus) and "rulename" in values:
        values["eventbusname"] = (bus.rpartition("/")[2],)
    values.pop("rolearn", None)


def _work_group(values: dict[str, tuple[str, ...]], world: World) -> None:
    if query := _first(values, "queryexecutionid"):
        if known := world.arn_of("athena:query", query):
            values["workgroup"] = (known,)
    else:
        values.setdefault("workgroup", ("primary",))


def _state_machine(values: dict[str, tuple[str, ...]], world: World) -> None:
    values.pop("rolearn", None)
    if name := _first(values, "name"):
        values["name"] = (name,)


def _ecs(values: dict[str, tuple[str, ...]], world: World) -> None:
    cluster = (_first(values, "cluster") or "default").rpartition("/")[2]
    values["clustername"] = (cluster,)
    for plural, singular in (("services", "servicename"), ("service", "servicename"), ("tasks", "taskid")):
        names = values.pop(plural, None)
        if names:
            values[singular] = names
    definition = _first(values, "taskdefinition")
    if definition and not is_arn(definition):
        family, _, revision = definition.partition(":")
        values["taskdefinitionfamilyname"] = (family,)
        values["taskdefinitionrevisionnumber"] = (revision or "*",)


def _scalable_target(values: dict[str, tuple[str, ...]], world: World) -> None:
    values["resourceid"] = (_ALLOTTED,)
    values.pop("rolearn", None)


def _stack(values: dict[str, tuple[str, ...]], world: World) -> None:
    name = _first(values, "stackname")
    if name and (known := world.arn_of("cloudformation:stack", name)):
        values["stackname"] = (known,)
    values.pop("rolearn", None)


def _alarm(values: dict[str, tuple[str, ...]], world: World) -> None:
    for actions in ("alarmactions", "okactions", "insufficientdataactions"):
        values.pop(actions, None)


def _sagemaker(values: dict[str, tuple[str, ...]], world: World) -> None:
    for handed_on in ("rolearn", "executionrolearn"):
        values.pop(handed_on, None)


_TRANSLATIONS: Mapping[str, Callable[[dict[str, tuple[str, ...]], World], None]] = MappingProxyType(
    {
        "application-autoscaling": _scalable_target,
        "athena": _work_group,
        "cloudformation": _stack,
        "cloudwatch": _alarm,
        "dynamodb": _table,
        "ecs": _ecs,
        "events": _event_rule,
        "kms": _kms,
        "lambda": _function,
        "s3": _s3,
        "sagemaker": _sagemaker,
        "secretsmanager": _secret,
        "sns": _topic,
        "sqs": _queue,
        "ssm": _parameter,
        "stepfunctions": _state_machine,
    }
)
_TAGGING = frozenset({"logs:TagResource", "logs:UntagResource", "logs:ListTagsForResource"})


def _as_log_group_is_judged(arn: str, action: Action) -> str:
    """Except for tagging actions, AWS checks a log group's ARN with the suffix `:*`, so a policy must name `…:group:*`.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html
    """
    if ":log-group:" not in arn or ":log-stream:" in arn or action.name in _TAGGING:
        return arn
    return f"{arn.removesuffix(':*')}:log-stream:"
