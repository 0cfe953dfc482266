"""What the tuner sees when it looks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from scaling_decisions import GuardrailStatus, HourlyLatency, Seen, TunerState, latency_ratio, whole_hours

from .hot_starts import fires_for_cpu_alone
from .live_target import LiveTarget, is_same
from .surroundings import Clients, Surroundings

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """What made it look: the clock, or an alarm that fired.

    Args:
        at: when; what is decided is decided as of then, however often the look is repeated.
        alarm: name of the guardrail alarm that fired. None: the clock, a deployment, or a person.
        alarming_since: when it fired.
    """

    at: datetime
    alarm: str | None = None
    alarming_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What the decision needs, and the figures that it is recorded with."""

    seen: Seen
    figures: Mapping[str, Any]


def look(
    clients: Clients, surroundings: Surroundings, state: TunerState, trigger: Trigger, *, former: Collection[float]
) -> Sight:
    """Everything as it is now.

    Args:
        clients: of AWS.
        surroundings: of the tuner.
        state: what the tuner remembers.
        trigger: why it looks.
        former: targets that the policy once had.
    """
    live = LiveTarget(clients, surroundings)
    policy, parameter = live.policy(), live.parameter()
    alarms = _alarms(clients, surroundings)
    if trigger.alarm is not None:
        # Perhaps over by now; it fired none the less.
        alarms[trigger.alarm] = (GuardrailStatus.ALARM, trigger.alarming_since or trigger.at)
    fired = [since for status, since in alarms.values() if status is GuardrailStatus.ALARM]
    watched_since = max(state.changed_at, trigger.at - surroundings.settings.observation.length)
    missing = _missing_hours(clients, surroundings, watched_since, trigger.at)
    latencies = _latencies(clients, surroundings, state.changed_at, trigger.at)
    ratio = latency_ratio(
        latencies.get,
        changed_at=state.changed_at,
        now=trigger.at,
        back=surroundings.settings.observation.compared_with,
    )
    is_service_deployed = _is_service_deployed(clients, surroundings)
    deploying = is_service_deployed or _is_stack_deployed(clients, surroundings)
    guardrail = _worst({status for status, _ in alarms.values()})
    fired_names = [name for name, (status, _) in alarms.items() if status is GuardrailStatus.ALARM]
    is_hot_start = bool(fired_names) and is_service_deployed and fires_for_cpu_alone(clients, surroundings, fired_names)
    if is_hot_start:
        # The target is not the cause of it. Where it is, the alarm is still on when the deployment is over.
        guardrail = GuardrailStatus.UNKNOWN
    seen = Seen(
        now=trigger.at,
        policy_target=policy,
        parameter_target=parameter,
        guardrail=guardrail,
        alarming_since=max((since for since in fired if since is not None), default=None),
        is_deploying=deploying,
        is_missing_data=missing > 0,
        latency_ratio=ratio,
        is_overwritten=_is_overwritten(clients, surroundings, state, policy, former),
    )
    figures = {
        "policy_target": policy,
        "parameter_target": parameter,
        "alarms": {name: str(status) for name, (status, _) in alarms.items()},
        "deploying": deploying,
        "hot_start": is_hot_start,
        "hours_without_data": missing,
        "requests": sum(count for hour, (_, count) in latencies.items() if hour >= state.changed_at),
        "latency_ratio": ratio,
    }
    return Sight(seen=seen, figures=figures)


def _alarms(clients: Clients, surroundings: Surroundings) -> dict[str, tuple[GuardrailStatus, datetime | None]]:
    """Each guardrail alarm's status and, where it fires, since when."""
    answer = clients.metrics.describe_alarms(
        AlarmNames=list(surroundings.guardrails), AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    )
    known = {
        "OK": GuardrailStatus.OK,
        "ALARM": GuardrailStatus.ALARM,
    }
    found: dict[str, tuple[GuardrailStatus, datetime | None]] = {
        # An alarm that somebody deleted guards nothing.
        name: (GuardrailStatus.UNKNOWN, None)
        for name in surroundings.guardrails
    }
    for alarm in [*answer.get("MetricAlarms", []), *answer.get("CompositeAlarms", [])]:
        status = known.get(alarm["StateValue"], GuardrailStatus.UNKNOWN)
        since = alarm.get("StateTransitionedTimestamp") or alarm.get("StateUpdatedTimestamp")
        found[alarm["AlarmName"]] = (status, since if status is GuardrailStatus.ALARM else None)
    return found


def _worst(statuses: Collection[GuardrailStatus]) -> GuardrailStatus:
    for status in (GuardrailStatus.ALARM, GuardrailStatus.UNKNOWN):
        if status in statuses:
            return status
    return GuardrailStatus.OK


def _is_service_deployed(clients: Clients, surroundings: Surroundings) -> bool:
    """Whether the service is being deployed right now."""
    answer = clients.services.describe_services(cluster=surroundings.cluster, services=[surroundings.service])
    deployments = [each for service in answer["services"] for each in service.get("deployments", [])]
    return len(deployments) > 1 or any(each.get("rolloutState") == "IN_PROGRESS" for each in deployments)


def _is_stack_deployed(clients: Clients, surroundings: Surroundings) -> bool:
    """Whether the stack that declares the policy is being deployed right now."""
    (stack,) = clients.stacks.describe_stacks(StackName=surroundings.stack)["Stacks"]
    return str(stack["StackStatus"]).endswith("_IN_PROGRESS")


def _is_overwritten(
    clients: Clients,
    surroundings: Surroundings,
    state: TunerState,
    policy: float | None,
    former: Collection[float],
) -> bool:
    if is_same(policy, state.live) or not any(is_same(policy, each) for each in former):
        return False
    # The newest event: when the deployment ended. The stack itself tells only when it began.
    events = clients.stacks.describe_stack_events(StackName=surroundings.stack)["StackEvents"]
    return bool(events) and events[0]["Timestamp"] > state.changed_at


def _missing_hours(clients: Clients, surroundings: Surroundings, since: datetime, until: datetime) -> int:
    """How many whole hours have no CPU of any task: a service that runs reports it every minute."""
    first, end = whole_hours(since, until)
    hours = round((end - first) / _HOUR)
    if hours <= 0:
        return 0
    dimensions = {"ClusterName": surroundings.cluster, "ServiceName": surroundings.service}
    (reports,) = _hourly(
        clients, [_query("reports", "AWS/ECS", "CPUUtilization", "SampleCount", dimensions)], first, end
    )
    return hours - len(reports)


def _latencies(
    clients: Clients, surroundings: Surroundings, since: datetime, until: datetime
) -> dict[datetime, HourlyLatency]:
    """Of the whole hours since, and of the same hours before."""
    first, end = whole_hours(since, until)
    if surroundings.load_balancer is None or end <= first:
        return {}
    dimensions = {"LoadBalancer": surroundings.load_balancer}
    queries = [
        _query(statistic.lower(), "AWS/ApplicationELB", "TargetResponseTime", statistic, dimensions)
        for statistic in ("Sum", "SampleCount")
    ]
    sums, counts = _hourly(clients, queries, first - surroundings.settings.observation.compared_with, end)
    return {hour: (sums[hour], count) for hour, count in counts.items() if hour in sums}


def _query(id: str, namespace: str, name: str, statistic: str, dimensions: Mapping[str, str]) -> dict[str, Any]:
    return {
        "Id": id,
        "MetricStat": {
            "Metric": {
                "Namespace": namespace,
                "MetricName": name,
                "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
            },
            "Period": 3600,
            "Stat": statistic,
        },
    }


def _hourly(
    clients: Clients, queries: list[dict[str, Any]], since: datetime, until: datetime
) -> list[dict[datetime, float]]:
    """The values of each query by their hour, which may come on several pages."""
    found: dict[str, dict[datetime, float]] = {query["Id"]: {} for query in queries}
    pages = clients.metrics.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries, StartTime=since, EndTime=until
    )
    for page in pages:
        for result in page["MetricDataResults"]:
            found[result["Id"]].update(zip(result["Timestamps"], result["Values"], strict=True))
    return [found[query["Id"]] for query in queries]
