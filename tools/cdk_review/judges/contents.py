"""Flags changes in lists: containers, firewall rules, targets, lifecycle rules, and secrets in plain text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cdk_review.changes import Change, StackChange
from cdk_review.flag import Flag
from cdk_review.instance_size import is_smaller
from cdk_review.judges.flagged import flag, what
from cdk_review.judges.properties import value_at
from cdk_review.reference_text import as_list, number_of, shown, text_of

SECRET_NAME = re.compile(r"(?i)(password|passwd|secret|api_?key|access_?key|private_?key|token(?!i[sz])|credential)")
# Values that names with these words often have instead: the location of a secret.
NOT_A_SECRET = re.compile(
    r"(?i)(arn|name|id|url|ttl|seconds|days|parameter|path|length|file|header|type"
    r"|algorithm|bucket|endpoint|host|issuer|prefix|queue|region|role|table|topic)$"
)
# The properties that select the objects of a lifecycle rule.
LIFE_CYCLE_SCOPE = ("ObjectSizeGreaterThan", "ObjectSizeLessThan", "Prefix", "TagFilters")


def content_flags(stack: StackChange) -> Iterator[Flag]:
    """Flags for the lists of a resource."""
    for change in stack.changes:
        if change.after is None:
            continue
        yield from _secrets(change)
        if not change.both:
            continue
        if change.type == "AWS::ECS::TaskDefinition":
            yield from _containers(change)
        elif change.type in ("AWS::WAFv2::WebACL", "AWS::WAFv2::RuleGroup"):
            yield from _web_rules(change)
        elif change.type == "AWS::Events::Rule":
            yield from _targets(change)
        elif change.type == "AWS::S3::Bucket":
            yield from _life_cycle(change)
        elif change.type == "AWS::DynamoDB::Table":
            yield from _expiry(change)
        elif change.type in ("AWS::SageMaker::EndpointConfig", "AWS::SageMaker::Endpoint"):
            yield from _variants(change)
        elif change.type == "AWS::ElasticLoadBalancingV2::LoadBalancer":
            yield from _attributes(change, "LoadBalancerAttributes")
        elif change.type == "AWS::ElasticLoadBalancingV2::TargetGroup":
            yield from _draining(change)
        elif change.type == "AWS::ElasticLoadBalancingV2::Listener":
            yield from _forwarding(change)
        elif change.type == "AWS::CodePipeline::Pipeline":
            yield from _approvals(change)


def _named(value: Any, *names: str) -> dict[str, dict[str, Any]]:
    found = {}
    for number, item in enumerate(as_list(value)):
        if isinstance(item, dict):
            key = next((text_of(item[name]) for name in names if name in item), str(number))
            found[key] = item
    return found


def _containers(change: Change) -> Iterator[Flag]:
    was = _named(change.was.get("ContainerDefinitions"), "Name")
    now = _named(change.now.get("ContainerDefinitions"), "Name")
    subject = what(change)
    for name in sorted(was.keys() - now.keys()):
        yield flag(change, "removed", "high", f"{subject} loses the container {name}")
    for name in sorted(was.keys() & now.keys()):
        old, new = was[name], now[name]
        for path, good, kind, severity, says in (
            ("ReadonlyRootFilesystem", True, "loosened", "medium", "may write to its root file system"),
            ("Privileged", False, "widened", "critical", "is privileged"),
            ("Essential", True, "loosened", "high", "may end without ending the task"),
        ):
            default = {"Essential": True}.get(path, False)
            if old.get(path, default) == good and new.get(path, default) != good:
                yield flag(change, kind, severity, f"{subject}: the container {name} {says}")
        for path, kind, severity, says in (
            ("HealthCheck", "loosened", "high", "no longer has a health check"),
            ("LogConfiguration", "logging", "high", "no longer writes logs"),
            ("LinuxParameters.Capabilities.Drop", "widened", "medium", "no longer drops capabilities"),
        ):
            if value_at(old, path) and not value_at(new, path):
                yield flag(change, kind, severity, f"{subject}: the container {name} {says}")
        moving = [text_of(side.get("Image", "")).rpartition("/")[2].partition("@") for side in (old, new)]
        if _is_moving(moving[1]) and not _is_moving(moving[0]):
            yield flag(
                change,
                "loosened",
                "medium",
                f"{subject}: the image of {name} has a tag that moves: {shown(new['Image'])}",
            )
        if _is_root(new) and not _is_root(old):
            yield flag(change, "widened", "high", f"{subject}: the container {name} runs as root")
        added = sorted(
            set(map(text_of, as_list(value_at(new, "LinuxParameters.Capabilities.Add"))))
            - set(map(text_of, as_list(value_at(old, "LinuxParameters.Capabilities.Add"))))
        )
        if added:
            yield flag(change, "widened", "high", f"{subject}: the container {name} gains {', '.join(added)}")


def _is_moving(image: tuple[str, str, str]) -> bool:
    """Whether an image reference is mutable (a tag of a public name); values known only at deployment are not."""
    name, pinned, _ = image
    return not pinned and "${" not in name and name.partition(":")[2] in ("", "latest")


def _is_root(container: dict[str, Any]) -> bool:
    user = text_of(container.get("User", "root")).partition(":")[0]
    return user in ("root", "0")


def _secrets(change: Change) -> Iterator[Flag]:
    for name in sorted(set(_plain_secrets(change.now)) - set(_plain_secrets(change.was))):
        yield flag(change, "secret", "critical", f"{what(change)}: {name} stands in the template in plain text")


def _plain_secrets(value: Any) -> Iterator[str]:
    """The names of values at any depth that look like a secret in plain text."""
    if isinstance(value, list):
        for item in value:
            yield from _plain_secrets(item)
    elif isinstance(value, dict):
        pair = {"Name", "Value"} <= value.keys() and isinstance(value["Name"], str)
        items = {value["Name"]: value["Value"]} if pair else value
        for name, item in items.items():
            if isinstance(item, str):
                if _is_secret(str(name), item):
                    yield str(name)
            else:
                yield from _plain_secrets(item)


def _is_secret(name: str, value: str) -> bool:
    return (
        bool(SECRET_NAME.search(name))
        and not NOT_A_SECRET.search(name)
        and len(value) >= 6
        and not value.startswith(("{{resolve:", "arn:", "http", "/", "alias/"))
        and not re.fullmatch(r"[A-Z][A-Za-z]+|[A-Z_]+|true|false|\d+", value)
    )


def _web_rules(change: Change) -> Iterator[Flag]:
    subject = what(change)
    was, now = (_named(side.get("Rules"), "Name") for side in (change.was, change.now))
    for name in sorted(was.keys() - now.keys()):
        yield flag(change, "loosened", "high", f"{subject} loses the rule {name}")
    for name in sorted(was.keys() & now.keys()):
        old, new = was[name], now[name]
        before, after = (_action(rule) for rule in (old, new))
        if before != after and after in ("Count", "Allow") and before not in ("Count", "Allow"):
            yield flag(change, "loosened", "high", f"{subject}: the rule {name} only counts: {after}, was {before}")
        counted = sorted(_counted_rules(new) - _counted_rules(old))
        if counted:
            yield flag(
                change, "loosened", "medium", f"{subject}: {', '.join(counted[:4])} of the rule {name} only counts"
            )
        limits = [number_of(value_at(rule, "Statement.RateBasedStatement.Limit")) for rule in (old, new)]
        if limits[0] is not None and (limits[1] is None or limits[1] > limits[0]):
            yield flag(
                change,
                "loosened",
                "medium",
                f"{subject}: the rule {name} lets {shown(limits[1])} requests through instead of {shown(limits[0])}",
            )


def _counted_rules(rule: dict[str, Any]) -> set[str]:
    """The rules of a managed group that let requests through."""
    group = value_at(rule, "Statement.ManagedRuleGroupStatement")
    overrides = as_list(group.get("RuleActionOverrides")) if isinstance(group, dict) else []
    found = {
        text_of(each.get("Name"))
        for each in overrides
        if isinstance(each, dict) and {"Count", "Allow"} & (each.get("ActionToUse") or {}).keys()
    }
    excluded = as_list(group.get("ExcludedRules")) if isinstance(group, dict) else []
    return found | {text_of(each.get("Name")) for each in excluded if isinstance(each, dict)}


def _action(rule: dict[str, Any]) -> str:
    for key in ("Action", "OverrideAction"):
        action = rule.get(key)
        if isinstance(action, dict) and action:
            return str(next(iter(action)))
    return "None"


def _targets(change: Change) -> Iterator[Flag]:
    subject = what(change)
    was, now = (_named(side.get("Targets"), "Arn", "Id") for side in (change.was, change.now))
    for name in sorted(was.keys() - now.keys()):
        yield flag(change, "silenced", "high", f"{subject} no longer goes to {shown(name)}")
    for name in sorted(was.keys() & now.keys()):
        if was[name].get("DeadLetterConfig") and not now[name].get("DeadLetterConfig"):
            yield flag(change, "loosened", "medium", f"{subject}: its target {shown(name)} loses its dead-letter queue")
    old, new = (side.get("EventPattern") for side in (change.was, change.now))
    if isinstance(old, dict) and isinstance(new, dict):
        narrower = [key for key in new if key not in old]
        fewer = _fewer(old, new)
        if narrower or fewer:
            yield flag(
                change,
                "silenced",
                "medium",
                f"{subject} matches fewer events: {', '.join([*narrower, *fewer])}",
            )


def _fewer(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    found = []
    for key, value in old.items():
        other = new.get(key)
        if isinstance(value, list) and isinstance(other, list):
            lost = [item for item in value if item not in other]
            if lost and len(other) <= len(value):
                found.append(f"{key} without {', '.join(map(text_of, lost))}")
        elif isinstance(value, dict) and isinstance(other, dict):
            found += [f"{key}.{item}" for item in other if item not in value]
            found += [f"{key}.{item}" for item in _fewer(value, other)]
    return found


def _life_cycle(change: Change) -> Iterator[Flag]:
    def days(side: dict[str, Any]) -> dict[tuple[str, str], tuple[float, str]]:
        """Maps a rule's purpose and objects to the number of days and the rule's name."""
        rules = _named(value_at(side, "LifecycleConfiguration.Rules"), "Id", "Prefix")
        found: dict[tuple[str, str], tuple[float, str]] = {}
        for name, rule in rules.items():
            if rule.get("Status", "Enabled") != "Enabled":
                continue
            about = text_of({key: rule[key] for key in LIFE_CYCLE_SCOPE if rule.get(key)})
            for key in ("ExpirationInDays", "NoncurrentVersionExpirationInDays"):
                number = number_of(rule.get(key))
                if number is None and key.startswith("Noncurrent"):
                    number = number_of(value_at(rule, "NoncurrentVersionExpiration.NoncurrentDays"))
                if number is not None:
                    # If several rules apply to the same objects, the earliest one counts.
                    found[about, key] = min((number, name), found.get((about, key), (number, name)))
        return found

    was, now = days(change.was), days(change.now)
    for (about, key), (number, name) in sorted(now.items()):
        old, _ = was.get((about, key), (None, ""))
        current = key == "ExpirationInDays"
        if (old is None and current) or (old is not None and number < old):
            before = "for ever" if old is None else f"for {old:g} days"
            yield flag(
                change,
                "retention",
                "high" if current else "medium",
                f"{what(change)} keeps objects for {number:g} days, before {before} (rule {name})",
            )


def _expiry(change: Change) -> Iterator[Flag]:
    path = "TimeToLiveSpecification.Enabled"
    if value_at(change.now, path) is True and value_at(change.was, path) is not True:
        attribute = value_at(change.now, "TimeToLiveSpecification.AttributeName")
        yield flag(change, "retention", "medium", f"{what(change)} deletes items by their {shown(attribute)}")
    was, now = (
        {
            text_of(index.get("IndexName"))
            for index in as_list(side.get("GlobalSecondaryIndexes"))
            if isinstance(index, dict)
        }
        for side in (change.was, change.now)
    )
    for name in sorted(was - now):
        yield flag(change, "removed", "high", f"{what(change)} loses the index {name}")


def _variants(change: Change) -> Iterator[Flag]:
    was, now = (_named(side.get("ProductionVariants"), "VariantName") for side in (change.was, change.now))
    for name in sorted(was.keys() & now.keys()):
        instances = [text_of(side[name].get("InstanceType", "")) for side in (was, now)]
        if is_smaller(instances[1], instances[0]):
            sentence = f"{what(change)}: {name} runs on {instances[1]} instead of {instances[0]}"
            yield flag(change, "capacity", "medium", sentence)
        old, new = (number_of(side[name].get("InitialInstanceCount")) for side in (was, now))
        if old is not None and new is not None and new < old:
            yield flag(change, "capacity", "high", f"{what(change)}: {name} has {new:g} instances instead of {old:g}")
    for name in sorted(was.keys() - now.keys()):
        yield flag(change, "removed", "high", f"{what(change)} loses the variant {name}")


def _attributes(change: Change, key: str) -> Iterator[Flag]:
    def by_key(side: dict[str, Any]) -> dict[str, str]:
        return {name: text_of(item.get("Value")) for name, item in _named(side.get(key), "Key").items()}

    was, now = by_key(change.was), by_key(change.now)
    for name, kind, severity, says in (
        ("deletion_protection.enabled", "retention", "high", "deletion protection"),
        ("access_logs.s3.enabled", "logging", "high", "its access log"),
        ("routing.http.drop_invalid_header_fields.enabled", "loosened", "medium", "the drop of invalid headers"),
        ("waf.fail_open.enabled", "public", "medium", ""),
    ):
        if says and was.get(name) == "true" and now.get(name, "false") != "true":
            yield flag(change, kind, severity, f"{what(change)} loses {says}")
        elif not says and was.get(name, "false") != "true" and now.get(name) == "true":
            yield flag(change, kind, severity, f"{what(change)} lets requests through where its firewall fails")


def _draining(change: Change) -> Iterator[Flag]:
    name = "deregistration_delay.timeout_seconds"
    was, now = (
        number_of(_named(side.get("TargetGroupAttributes"), "Key").get(name, {}).get("Value", 300))
        for side in (change.was, change.now)
    )
    if was and now == 0:
        yield flag(change, "loosened", "medium", f"{what(change)} cuts off requests of targets that deregister")


def _forwarding(change: Change) -> Iterator[Flag]:
    def forwards(side: dict[str, Any]) -> bool:
        actions = [item for item in as_list(side.get("DefaultActions")) if isinstance(item, dict)]
        return any(item.get("Type") == "forward" for item in actions)

    if forwards(change.was) and not forwards(change.now):
        yield flag(
            change, "removed", "high", f"{what(change)} no longer forwards requests that none of its rules matches"
        )


def _approvals(change: Change) -> Iterator[Flag]:
    def approvals(side: dict[str, Any]) -> set[str]:
        return {
            f"{stage.get('Name')}/{action.get('Name')}"
            for stage in as_list(side.get("Stages"))
            for action in as_list(stage.get("Actions"))
            if value_at(action, "ActionTypeId.Category") == "Approval"
        }

    lost = sorted(approvals(change.was) - approvals(change.now))
    if lost:
        yield flag(change, "loosened", "high", f"{what(change)} no longer requires an approval ({', '.join(lost[:3])})")
