"""Flags worse settings around a service: entry points, sign-in, schedules, runtimes, routes to the internet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cdk_review.changes import Change, StackChange
from cdk_review.flag import Flag
from cdk_review.judges.flagged import flag, what
from cdk_review.reference_text import as_list, number_of, shown, text_of

LISTENERS = {
    "AWS::ElasticLoadBalancingV2::Listener": "DefaultActions",
    "AWS::ElasticLoadBalancingV2::ListenerRule": "Actions",
}
SIGN_IN = ("authenticate-oidc", "authenticate-cognito", "jwt-validation")
SCHEDULES = {"AWS::Events::Rule", "AWS::Scheduler::Schedule"}
MINUTES = {"minute": 1, "hour": 60, "day": 1440}
WEEK_MINUTES = 7 * 1440
# Month and day names of cron expressions, with their numbers.
NAMED = {
    7: ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"),
    12: ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"),
}
# The default addresses that may reach a cluster's API.
ANYWHERE = {"0.0.0.0/0", "::/0"}
# Sign-in flows that send the password itself, or none.
WEAK_FLOWS = ("ALLOW_USER_PASSWORD_AUTH", "USER_PASSWORD_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH")
ADDRESS_LISTS = ("CallbackURLs", "LogoutURLs")


def surroundings_flags(stack: StackChange) -> Iterator[Flag]:
    """Flags of listeners, schedules, runtimes, routes and clients, and of the stack's exports and parameters."""
    for change in stack.changes:
        if not change.both:
            continue
        if change.type in LISTENERS:
            yield from _sign_in(change, LISTENERS[change.type])
            yield from _tls(change)
        elif change.type in SCHEDULES:
            yield from _schedule(change)
        elif change.type == "AWS::ElasticLoadBalancingV2::TargetGroup":
            yield from _healthy_codes(change)
        elif change.type == "AWS::ECS::Service":
            yield from _spot(change)
        elif change.type == "AWS::Lambda::Function":
            yield from _runtime(change)
        elif change.type == "AWS::EC2::Route":
            yield from _route(change)
        elif change.type == "AWS::Cognito::UserPoolClient":
            yield from _client(change)
        elif change.type == "AWS::EKS::Cluster":
            yield from _cluster(change)
    yield from _exports(stack)
    yield from _parameters(stack)
    yield from _conditions(stack)


def _sign_in(change: Change, name: str) -> Iterator[Flag]:
    was, now = ({text_of(item.get("Type")) for item in _objects(side.get(name))} for side in (change.was, change.now))
    lost = sorted(kind for kind in SIGN_IN if kind in was and not now & set(SIGN_IN))
    if lost:
        yield flag(change, "public", "critical", f"{what(change)} no longer requires a sign-in ({', '.join(lost)})")


def _tls(change: Change) -> Iterator[Flag]:
    old, new = (text_of(side.get("SslPolicy", "")) for side in (change.was, change.now))
    if old and new and old != new and _tls_rank(new) < _tls_rank(old):
        yield flag(change, "encryption", "medium", f"{what(change)}: its TLS policy is {shown(new)}, was {shown(old)}")


def _tls_rank(policy: str) -> tuple[int, int]:
    """The minimum TLS version of a load balancer's security policy and its year, by its name."""
    found = re.search(r"TLS13-1-(\d)|TLS-?1-(\d)", policy)
    least = int(next(group for group in found.groups() if group)) if found else 0
    year = re.search(r"20\d\d", policy)
    return least, int(year[0]) if year else 0


def _schedule(change: Change) -> Iterator[Flag]:
    old, new = (text_of(side.get("ScheduleExpression", "")) for side in (change.was, change.now))
    if not old or old == new:
        return
    before, after = (_runs_a_week(text) for text in (old, new))
    # Half a percent: months are counted by their mean length.
    if not new or (before is not None and after is not None and after < 0.995 * before):
        sentence = f"{what(change)} runs less often: {shown(new or None)}, was {shown(old)}"
        yield flag(change, "silenced", "medium", sentence)


def _runs_a_week(expression: str) -> float | None:
    """How often `rate(5 minutes)` or a cron expression runs per week; None if unknown."""
    rate = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression.strip())
    if rate is not None:
        return WEEK_MINUTES / (max(int(rate[1]), 1) * MINUTES[rate[2]])
    cron = re.fullmatch(r"cron\((.+)\)", expression.strip())
    fields = cron[1].split() if cron else []
    if len(fields) != 6:
        return None
    minute, hour, day, month, weekday, _ = fields
    counts = [_values(minute, 0, 59), _values(hour, 0, 23), _days_a_week(day, weekday), _values(month, 1, 12)]
    minutes, hours, days, months = counts
    if minutes is None or hours is None or days is None or months is None:
        return None
    return minutes * hours * days * months / 12


def _days_a_week(day: str, weekday: str) -> float | None:
    if weekday not in ("*", "?"):
        return 1.0 if "#" in weekday or "L" in weekday else _values(weekday, 1, 7)
    if day in ("*", "?"):
        return 7.0
    number = 1.0 if set(day) & set("LW") else _values(day, 1, 31)
    return None if number is None else 7 * number / 30.4


def _values(field: str, least: int, most: int) -> float | None:
    """The number of values of a cron field; None for another notation."""
    found = 0
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span == "*":
            ends = [least, most]
        else:
            numbers = [_number(end, most) for end in ((first, last) if dash else (first,))]
            if None in numbers:
                return None
            ends = [number for number in numbers if number is not None]
            # A step runs from its first value to the end.
            ends = [ends[0], most] if step and not dash else [ends[0], ends[-1]]
        if step and not (step.isdigit() and int(step)):
            return None
        found += (ends[1] - ends[0]) % (most - least + 1) // int(step or 1) + 1
    return float(found)


def _number(text: str, most: int) -> int | None:
    names = NAMED.get(most, ())
    if text.upper() in names:
        return names.index(text.upper()) + 1
    return int(text) if text.isdigit() else None


def _healthy_codes(change: Change) -> Iterator[Flag]:
    def codes(side: dict[str, Any]) -> set[int]:
        matcher = side.get("Matcher")
        text = text_of(matcher.get("HttpCode", matcher.get("GrpcCode", ""))) if isinstance(matcher, dict) else "200"
        found: set[int] = set()
        for part in text.split(","):
            ends = [int(end) for end in part.split("-") if end.strip().isdigit()]
            found |= set(range(ends[0], ends[-1] + 1)) if ends else set()
        return found

    was, now = codes(change.was), codes(change.now)
    more = now - was
    if was and more:
        yield flag(
            change,
            "loosened",
            "medium",
            f"{what(change)} takes {len(more)} more status codes for healthy, from {min(more)} to {max(more)}",
        )


def _spot(change: Change) -> Iterator[Flag]:
    def lasting(side: dict[str, Any]) -> float | None:
        """The share of the service on capacity that AWS does not interrupt; None without a strategy."""
        strategy = _objects(side.get("CapacityProviderStrategy"))
        if not strategy:
            return None if side.get("LaunchType") is None else 1.0
        kept = [each for each in strategy if "SPOT" not in text_of(each.get("CapacityProvider")).upper()]
        return sum((number_of(each.get("Weight")) or 0) + (number_of(each.get("Base")) or 0) for each in kept)

    was, now = lasting(change.was), lasting(change.now)
    if was != 0 and now == 0:
        yield flag(change, "capacity", "high", f"{what(change)} runs on Spot alone: all its tasks may be interrupted")


def _runtime(change: Change) -> Iterator[Flag]:
    old, new = (text_of(side.get("Runtime", "")) for side in (change.was, change.now))
    first, second = (re.fullmatch(r"([a-z]+)(\d+(?:\.\d+)*)(?:\.x)?", runtime) for runtime in (old, new))
    if first and second and first[1] == second[1]:
        versions = [tuple(map(int, found[2].split("."))) for found in (first, second)]
        if versions[1] < versions[0]:
            yield flag(change, "loosened", "medium", f"{what(change)} runs on {new}, older than {old}")


def _route(change: Change) -> Iterator[Flag]:
    if change.now.get("GatewayId") is not None and change.was.get("GatewayId") is None:
        to = shown(change.now.get("DestinationCidrBlock") or change.now.get("DestinationIpv6CidrBlock"))
        gateway = shown(change.now["GatewayId"])
        yield flag(change, "public", "high", f"{what(change)}: the subnet reaches {to} by {gateway}, not by NAT")


def _client(change: Change) -> Iterator[Flag]:
    for name in ADDRESS_LISTS:
        new = [text_of(item) for item in as_list(change.now.get(name)) if item not in as_list(change.was.get(name))]
        if new and change.was.get(name):
            yield flag(change, "widened", "medium", f"{what(change)}: {name} has {', '.join(map(shown, new[:4]))} too")
    weak = [
        text_of(flow)
        for flow in as_list(change.now.get("ExplicitAuthFlows"))
        if flow in WEAK_FLOWS and flow not in as_list(change.was.get("ExplicitAuthFlows"))
    ]
    if weak:
        yield flag(change, "loosened", "high", f"{what(change)} lets people sign in by {', '.join(weak)}")


def _cluster(change: Change) -> Iterator[Flag]:
    """By default a cluster's API endpoint is public."""

    def callers(side: dict[str, Any]) -> set[str]:
        config = side.get("ResourcesVpcConfig")
        config = config if isinstance(config, dict) else {}
        if text_of(config.get("EndpointPublicAccess", True)).lower() == "false":
            return set()
        return set(map(text_of, as_list(config.get("PublicAccessCidrs")))) or {"0.0.0.0/0"}

    was, now = callers(change.was), callers(change.now)
    anywhere = bool((now - was) & ANYWHERE)
    if anywhere or (now and not was):
        listed = "the internet" if anywhere else ", ".join(map(shown, sorted(now)[:4]))
        yield flag(
            change,
            "public",
            "critical" if anywhere else "high",
            f"{what(change)}: its API can be reached from {listed}",
        )


def _exports(stack: StackChange) -> Iterator[Flag]:
    if stack.stack_before is None or stack.stack_after is None:
        return
    was, now = (_exported(side.template) for side in (stack.stack_before, stack.stack_after))
    for export in sorted(was.keys() - now.keys()):
        yield Flag(
            kind="removed",
            severity="medium",
            stack=stack.path,
            logical_id=was[export],
            sentence=f"The export {shown(export)} is gone: the deployment fails while another stack imports it",
        )


def _exported(template: dict[str, Any]) -> dict[str, str]:
    outputs = template.get("Outputs")
    return {
        text_of(output["Export"].get("Name")): name
        for name, output in (outputs.items() if isinstance(outputs, dict) else ())
        if isinstance(output, dict) and isinstance(output.get("Export"), dict)
    }


def _parameters(stack: StackChange) -> Iterator[Flag]:
    if stack.stack_before is None or stack.stack_after is None:
        return
    was, now = (side.template.get("Parameters") or {} for side in (stack.stack_before, stack.stack_after))
    for name in sorted(was.keys() & now.keys()):
        hidden = [
            str(side[name].get("NoEcho")).lower() == "true" for side in (was, now) if isinstance(side[name], dict)
        ]
        if hidden == [True, False]:
            yield Flag(
                kind="secret",
                severity="high",
                stack=stack.path,
                logical_id=name,
                sentence=f"The parameter {name} is shown in plain text: it loses NoEcho",
            )


def _conditions(stack: StackChange) -> Iterator[Flag]:
    """A changed condition may remove the resources that depend on it."""
    if stack.stack_before is None or stack.stack_after is None:
        return
    was, now = (side.template.get("Conditions") or {} for side in (stack.stack_before, stack.stack_after))
    for name in sorted(was.keys() & now.keys()):
        kept = stack.before.keys() & stack.after.keys()
        made = sorted(each for each in kept if stack.after[each].get("Condition") == name)
        if was[name] != now[name] and made:
            shown_ones = f"{', '.join(made[:4])}{' and others' if len(made) > 4 else ''}"
            yield Flag(
                kind="removed",
                severity="medium",
                stack=stack.path,
                logical_id=name,
                sentence=f"The condition {name} is another: where it is no longer met, {shown_ones} is removed",
            )


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in as_list(value) if isinstance(item, dict)]
