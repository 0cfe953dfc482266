"""The kind of a metric, recognised by its name: its unit on an axis, and the shape of its sample series."""

from __future__ import annotations

import re
from enum import Enum

from fargate_capacity.dashboard_body import Metric


class MetricKind(Enum):
    """The kinds that look different."""

    CPU = "cpu"
    MEMORY = "memory"
    PERCENT = "percent"
    TASKS = "tasks"
    ABSENT = "absent"
    REQUESTS = "requests"
    REQUESTS_PER_TASK = "requests per task"
    ERRORS = "errors"
    CLIENT_ERRORS = "client errors"
    LATENCY = "latency"
    BYTES = "bytes"
    OTHER = "other"


# The first matching pattern decides: AWS's exact names come before patterns of similar names.
_PATTERNS = [
    (re.compile(pattern), kind)
    for pattern, kind in (
        (r"^CPUUtilization|^ECSServiceAverageCPU|^CpuUtilized$", MetricKind.CPU),
        (r"^Memory(Utilization|Utilized)$", MetricKind.MEMORY),
        (r"^(RunningTaskCount|DesiredTaskCount|HealthyHostCount|TaskCount|ConcurrentExecutions)$", MetricKind.TASKS),
        (
            r"^(PendingTaskCount|UnHealthyHostCount|UnhealthyHostCount|ThrottledRequests|Errors|BreakerOpen)$",
            MetricKind.ABSENT,
        ),
        (r"^(RequestCountPerTarget|InvocationsPerInstance)$", MetricKind.REQUESTS_PER_TASK),
        (r"4XX|4xx", MetricKind.CLIENT_ERRORS),
        (
            r"5XX|5xx|[Ee]rror|[Ff]ault|Fail|[Tt]hrottl|Reject|Dropped|TimedOut|Aborted|DeadLetter|Fallback",
            MetricKind.ERRORS,
        ),
        (r"Latency|Duration|ResponseTime|OverheadTime|Age|ExecutionTime", MetricKind.LATENCY),
        (r"Utilization|Percent", MetricKind.PERCENT),
        (r"Bytes|^Network(In|Out)$|^Free(able)?(Memory|StorageSpace)$|^SwapUsage$|Size$", MetricKind.BYTES),
        (r"Request|Invocation|Count$|Started|Succeeded|Messages|Connections|^Decisions$", MetricKind.REQUESTS),
    )
]
_LATENCY_UNITS = {
    "AWS/ApplicationELB": ("Seconds", 1.0),
    "AWS/ELB": ("Seconds", 1.0),
    "AWS/SQS": ("Seconds", 1.0),
    "AWS/RDS": ("Seconds", 1.0),
    "AWS/SageMaker": ("Microseconds", 1e6),
}


# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html: trimmed ones too.
_TOTAL = re.compile(r"sum|samplecount|n|t[cs][\d(].*", flags=re.IGNORECASE)


def is_total(stat: str) -> bool:
    """Whether a statistic sums or counts, and so grows with the period."""
    return _TOTAL.fullmatch(stat) is not None


def kind_of(metric: Metric) -> MetricKind:
    """The kind of a metric; `OTHER` if its name is not known."""
    return next((kind for pattern, kind in _PATTERNS if pattern.search(metric.name)), MetricKind.OTHER)


def latency_unit(metric: Metric) -> tuple[str, float]:
    """The unit in which the namespace reports times, and the number of units per second."""
    return _LATENCY_UNITS.get(metric.namespace, ("Milliseconds", 1e3))


def unit_of(metric: Metric) -> str:
    """The unit as CloudWatch writes it on an axis."""
    if metric.stat == "SampleCount":
        return "Count"
    match kind_of(metric):
        case MetricKind.CPU | MetricKind.MEMORY | MetricKind.PERCENT:
            return "Percent"
        case MetricKind.LATENCY:
            return latency_unit(metric)[0]
        case MetricKind.BYTES:
            return "Bytes"
        case MetricKind.OTHER:
            return "No unit"
    return "Count"
