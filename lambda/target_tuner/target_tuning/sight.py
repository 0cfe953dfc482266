"""The data that the tuner decides on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from scaling_decisions import (
    CostChange,
    GuardrailStatus,
    HourlyLatency,
    Seen,
    ServiceHour,
    TunerState,
    cost_change,
    hottest_ratio,
    latency_ratio,
    saved_task_hours,
    whole_hours,
)

from .hot_starts import fires_for_cpu_alone
from .live_target import LiveTarget, is_same
from .surroundings import Clients, Surroundings

_HOUR = timedelta(hours=1)
# CloudWatch keeps hours for 455 days, minutes for 15.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
_COMPARED_WITH = timedelta(days=7)
_LONGEST_LOOK_BACK = timedelta(days=60)
_WATCHED_BY_MINUTE = timedelta(days=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """Why the tuner runs: the schedule, or an alarm that fired.

    Args:
        at: time of the event; the decision is as of this time, however often it is repeated.
        alarm: name of the guardrail alarm that fired. None: the schedule, a deployment, or a person.
        alarming_since: time at which it fired.
    """

    at: datetime
    alarm: str | None = None
    alarming_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """The inputs of the decision, and the figures that are recorded with it."""

    seen: Seen
    figures: Mapping[str, Any]


def look(
    clients: Clients, surroundings: Surroundings, state: TunerState, trigger: Trigger, *, former: Collection[float]
) -> Sight:
    """Reads the current data.

    Args:
        clients: clients of AWS.
        surroundings: the tuner's surroundings.
        state: the tuner's state.
        trigger: why the tuner runs.
        former: earlier targets of the policy.
    """
    live = LiveTarget(clients, surroundings)
    policy, parameter = live.policy(), live.parameter()
    alarms = _alarms(clients, surroundings)
    if trigger.alarm is not None:
        # It may be OK again by now; it fired all the same.
        alarms[trigger.alarm] = (GuardrailStatus.ALARM, trigger.alarming_since or trigger.at)
    fired = [since for status, since in alarms.values() if status is GuardrailStatus.ALARM]
    watched_since = max(state.changed_at, trigger.at - surroundings.settings.observation.length)
    hours = _hours(clients, surroundings, state, trigger.at)
    missing = hours.missing(watched_since, trigger.at)
    hottest = _hottest_ratio(clients, surroundings, state, trigger.at)
    span = {"since": max(state.changed_at, trigger.at - _LONGEST_LOOK_BACK), "until": trigger.at}
    step_cost = cost_change(hours.costs.get, before=state.changed_at, **span)
    total_cost, saved = None, 0.0
    if state.first_step_at is not None and state.live > state.initial:
        total_cost = cost_change(hours.costs.get, before=state.first_step_at, **span)
        saved = saved_task_hours(hours.costs.get, before=state.first_step_at, **span)
    ratio = latency_ratio(
        hours.latencies.get,
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
        # The target is not the cause. If it is, the alarm is still in ALARM after the deployment.
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
        hottest_ratio=hottest,
        step_cost=step_cost,
        total_cost=total_cost,
        saved=saved,
        is_overwritten=_is_overwritten(clients, surroundings, state, policy, former),
    )
    price = surroundings.task_hour_price
    figures = {
        "policy_target": policy,
        "parameter_target": parameter,
        "alarms": {name: str(status) for name, (status, _) in alarms.items()},
        "deploying": deploying,
        "hot_start": is_hot_start,
        "hours_without_data": missing,
        "requests": sum(count for hour, (_, count) in hours.latencies.items() if hour >= state.changed_at),
        "latency_ratio": ratio,
        "hottest_ratio": hottest,
        "step_cost": _as_json(step_cost),
        "total_cost": _as_json(total_cost),
        "saved_task_hours": round(state.saved + saved, 2),
        "saved_money": None if price is None else round((state.saved + saved) * price, 2),
        "currency": surroundings.currency,
    }
    return Sight(seen=seen, figures=figures)


def _as_json(cost: CostChange | None) -> Mapping[str, float] | None:
    return None if cost is None else {name: round(value, 4) for name, value in asdict(cost).items()}


def _alarms(clients: Clients, surroundings: Surroundings) -> dict[str, tuple[GuardrailStatus, datetime | None]]:
    """Each guardrail alarm's status, and since when it is in ALARM."""
    answer = clients.metrics.describe_alarms(
        AlarmNames=list(surroundings.guardrails), AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    )
    known = {
        "OK": GuardrailStatus.OK,
        "ALARM": GuardrailStatus.ALARM,
    }
    found: dict[str, tuple[GuardrailStatus, datetime | None]] = {
        # A deleted alarm guards nothing.
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
    """Whether a deployment of the service is in progress."""
    answer = clients.services.describe_services(cluster=surroundings.cluster, services=[surroundings.service])
    deployments = [each for service in answer["services"] for each in service.get("deployments", [])]
    return len(deployments) > 1 or any(each.get("rolloutState") == "IN_PROGRESS" for each in deployments)


def _is_stack_deployed(clients: Clients, surroundings: Surroundings) -> bool:
    """Whether a deployment of the stack that declares the policy is in progress."""
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
    # The newest event has the end of the deployment; the stack itself has only its begin.
    events = clients.stacks.describe_stack_events(StackName=surroundings.stack)["StackEvents"]
    return bool(events) and events[0]["Timestamp"] > state.changed_at


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hours:
    """A service's hourly data."""

    latencies: Mapping[datetime, HourlyLatency]
    costs: Mapping[datetime, ServiceHour]

    def missing(self, since: datetime, until: datetime) -> int:
        """Number of whole hours without CPU data: a running service reports it every minute."""
        first, end = whole_hours(since, until)
        hours = max(round((end - first) / _HOUR), 0)
        return hours - sum(first <= hour < end for hour in self.costs)


def _hours(clients: Clients, surroundings: Surroundings, state: TunerState, until: datetime) -> _Hours:
    """Hours since the latest change, in the week before it, and in the week before the first step."""
    latencies: dict[datetime, HourlyLatency] = {}
    costs: dict[datetime, ServiceHour] = {}
    spans = [(max(state.changed_at, until - _LONGEST_LOOK_BACK) - _COMPARED_WITH, until)]
    if state.first_step_at is not None and state.first_step_at < spans[0][0] + _COMPARED_WITH:
        spans.append((state.first_step_at - _COMPARED_WITH, state.first_step_at))
    service = {"ClusterName": surroundings.cluster, "ServiceName": surroundings.service}
    queries = [
        _query("reports", "AWS/ECS", "CPUUtilization", "SampleCount", service),
        _query("cpu", "AWS/ECS", "CPUUtilization", "Sum", service),
    ]
    if surroundings.load_balancer is not None:
        balancer = {"LoadBalancer": surroundings.load_balancer}
        queries += [
            _query(statistic.lower(), "AWS/ApplicationELB", "TargetResponseTime", statistic, balancer)
            for statistic in ("Sum", "SampleCount")
        ]
    # Number of reports of one task in an hour.
    of_a_task = 60 * surroundings.cpu_reports
    for since, end in spans:
        reports, busy, *responses = _values(clients, queries, *whole_hours(since, end))
        if responses:
            sums, counts = responses
            latencies |= {hour: (sums[hour], count) for hour, count in counts.items() if hour in sums}
            work = counts
        else:
            # Percent of a task, per report.
            work = {hour: percent / 100 / of_a_task for hour, percent in busy.items()}
        costs |= {
            hour: ServiceHour(task_hours=count / of_a_task, work=work.get(hour, 0.0)) for hour, count in reports.items()
        }
    return _Hours(latencies=latencies, costs=costs)


def _hottest_ratio(clients: Clients, surroundings: Surroundings, state: TunerState, until: datetime) -> float | None:
    """Ratio of the hottest task's CPU to the average, over the minutes of the latest days with the live target."""
    if surroundings.settings.spike_threshold is None:
        return None
    since = max(state.changed_at, until - _WATCHED_BY_MINUTE)
    if until <= since:
        return None
    service = {"ClusterName": surroundings.cluster, "ServiceName": surroundings.service}
    queries = [
        _query(statistic.lower(), "AWS/ECS", "CPUUtilization", statistic, service, period_s=60)
        for statistic in ("Average", "Maximum")
    ]
    averages, maxima = _values(clients, queries, since, until)
    pairs = [(average, maxima[minute]) for minute, average in averages.items() if minute in maxima]
    return hottest_ratio(pairs, target=state.live)


def _query(
    id: str, namespace: str, name: str, statistic: str, dimensions: Mapping[str, str], *, period_s: int = 3600
) -> dict[str, Any]:
    return {
        "Id": id,
        "MetricStat": {
            "Metric": {
                "Namespace": namespace,
                "MetricName": name,
                "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
            },
            "Period": period_s,
            "Stat": statistic,
        },
    }


def _values(
    clients: Clients, queries: list[dict[str, Any]], since: datetime, until: datetime
) -> list[dict[datetime, float]]:
    """The values of each query by the begin of their period; reads all pages."""
    found: dict[str, dict[datetime, float]] = {query["Id"]: {} for query in queries}
    pages = clients.metrics.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries, StartTime=since, EndTime=until
    )
    for page in pages:
        for result in page["MetricDataResults"]:
            found[result["Id"]].update(zip(result["Timestamps"], result["Values"], strict=True))
    return [found[query["Id"]] for query in queries]
