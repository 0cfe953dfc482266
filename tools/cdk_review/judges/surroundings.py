"""Flags what stands around a service and got worse: entrances, sign-in, schedules, runtimes, ways to the internet."""

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
# Sign-in in which the password itself, or nobody's, is sent.
WEAK_FLOWS = ("ALLOW_USER_PASSWORD_AUTH", "USER_PASSWORD_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH")
ADDRESS_LISTS = ("CallbackURLs", "LogoutURLs")


def surroundings_flags(stack: StackChange) -> Iterator[Flag]:
    """Flags of listeners, schedules, runtimes, routes and clients, and of what the stack exports and takes."""
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
    yield from _exports(stack)
    yield from _parameters(stack)
    yield from _conditions(stack)


def _sign_in(change: Change, name: str) -> Iterator[Flag]:
    was, now = ({text_of(item.get("Type")) for item in _objects(side.get(name))} for side in (change.was, change.now))
    lost = sorted(kind for kind in SIGN_IN if kind in was and not now & set(SIGN_IN))
    if lost:
        yield flag(change, "public", "critical", f"{what(change)} asks nobody to sign in any more ({', '.join(lost)})")


def _tls(change: Change) -> Iterator[Flag]:
    old, new = (text_of(side.get("SslPolicy", "")) for side in (change.was, change.now))
    if old and new and old != new and _tls_rank(new) < _tls_rank(old):
        yield flag(change, "encryption", "medium", f"{what(change)}: its TLS policy is {shown(new)}, was {shown(old)}")


def _tls_rank(policy: str) -> tuple[int, int]:
    """The least TLS that a policy of a load balancer takes, by its name, and its year."""
    found = re.search(r"TLS13-1-(\d)|TLS-?1-(\d)", policy)
    least = int(next(group for group in found.groups() if group)) if found else 0
    year = re.search(r"20\d\d", policy)
    return least, int(year[0]) if year else 0


def _schedule(change: Change) -> Iterator[Flag]:
    old, new = (text_of(side.get("ScheduleExpression", "")) for side in (change.was, change.now))
    if not old or old == new:
        return
    rates = [_rate(text) for text in (old, new)]
    rarer = rates[0] is not None and rates[1] is not None and rates[1] > rates[0]
    if not new or rarer or _days(new) < _days(old):
        sentence = f"{what(change)} runs less often: {shown(new or None)}, was {shown(old)}"
        yield flag(change, "silenced", "medium", sentence)


def _rate(expression: str) -> float | None:
    """Minutes between two runs of `rate(5 minutes)`."""
    found = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression.strip())
    return None if found is None else int(found[1]) * MINUTES[found[2]]


def _days(expression: str) -> float:
    """On how many of a week's days an expression may run; 7 where it cannot be said."""
    found = re.fullmatch(r"cron\((.+)\)", expression.strip())
    fields = found[1].split() if found else []
    if len(fields) != 6:
        return 7.0
    _, _, day, month, weekday, _ = fields
    days = 7.0
    if weekday not in ("*", "?"):
        days = 1.0 if "#" in weekday or "L" in weekday else float(sum(map(_span, weekday.split(","))))
    elif day not in ("*", "?"):
        days = 7 * len(day.split(",")) / 31
    return days if month == "*" else days * len(month.split(",")) / 12


def _span(part: str) -> int:
    names = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
    ends = [names.index(end) if end in names else int(end) - 1 if end.isdigit() else 0 for end in part.split("-")]
    return (ends[-1] - ends[0]) % 7 + 1


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
        """How much of the service is on capacity that is not taken back; None where no strategy says it."""
        strategy = _objects(side.get("CapacityProviderStrategy"))
        if not strategy:
            return None if side.get("LaunchType") is None else 1.0
        kept = [each for each in strategy if "SPOT" not in text_of(each.get("CapacityProvider")).upper()]
        return sum((number_of(each.get("Weight")) or 0) + (number_of(each.get("Base")) or 0) for each in kept)

    was, now = lasting(change.was), lasting(change.now)
    if was != 0 and now == 0:
        yield flag(change, "capacity", "high", f"{what(change)} runs on Spot alone: all its tasks may be taken back")


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
    """A condition that says something else may take away what is made on it."""
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
