"""Metrics in CloudWatch's embedded metric format: log lines from which CloudWatch Logs extracts metrics.

The format: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Final

NAMESPACE: Final = "Moderation/Api"
# The names that SageMaker allows for models. Any other name does not become a dimension: each value of a dimension is a
# metric of its own, which costs money.
MODEL_NAME: Final = re.compile(r"[a-zA-Z0-9](?:-*[a-zA-Z0-9]){0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """The decisions on the posts of one request.

    posts: the number of posts with a decision, by their probability or by policy.
    flags: how many of these were flagged.
    fallbacks: the number of posts without a probability, with or without a decision.
    model: the model that predicted the probabilities, None without any.
    late: whether the decisions came after their request had been answered by policy.
    """

    posts: int
    flags: int
    fallbacks: int
    model: str | None
    late: bool = False


def metric_line(decisions: Decisions, *, service: str, milliseconds: float, breaker_closed: bool) -> dict[str, object]:
    """Return the fields of a log line with one data point per metric, by service, and by service and model."""
    prefix = "Late" if decisions.late else ""
    values: dict[str, tuple[str, float]] = {
        f"{prefix}Decisions": ("Count", decisions.posts),
        f"{prefix}Flags": ("Count", decisions.flags),
        f"{prefix}Fallbacks": ("Count", decisions.fallbacks),
        f"{prefix}Latency": ("Milliseconds", round(milliseconds, 1)),
        "BreakerOpen": ("None", 0 if breaker_closed else 1),
    }
    dimensions = {"service": service}
    sets = [["service"]]
    if decisions.model is not None and MODEL_NAME.fullmatch(decisions.model):
        dimensions["model"] = decisions.model
        sets.append(["service", "model"])
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": sets,
        "Metrics": [{"Name": name, "Unit": unit} for name, (unit, _) in values.items()],
    }
    return {
        "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]},
        **dimensions,
        **{name: value for name, (_, value) in values.items()},
    }


def count_line(name: str, count: int, *, service: str) -> dict[str, object]:
    """Return the fields of a log line with one data point of the metric `name`, by service."""
    directive = {"Namespace": NAMESPACE, "Dimensions": [["service"]], "Metrics": [{"Name": name, "Unit": "Count"}]}
    return {
        "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]},
        "service": service,
        name: count,
    }
