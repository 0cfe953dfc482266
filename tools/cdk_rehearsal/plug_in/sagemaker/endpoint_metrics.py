"""The metrics that SageMaker publishes to CloudWatch for each variant of an endpoint."""

from __future__ import annotations

import collections
import dataclasses
import threading
from typing import Any

from cdk_rehearsal.plug_in.aws_clients import own_client

_FLUSH_SECONDS = 1.0
_MOST_VALUES = 150
_MOST_DATA = 500


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """`status` is the HTTP status of the model's response; times are in microseconds."""

    endpoint: str
    configuration: str
    variant: str
    status: int
    model_us: float
    overhead_us: float


class EndpointMetrics:
    """Publishes the metrics once a second and on `flush`; requests do not wait for it."""

    def __init__(self) -> None:
        self._pending: list[Invocation] = []
        self._lock = threading.Lock()
        self._putting = threading.Lock()
        self._thread: threading.Thread | None = None

    def record(self, invocation: Invocation) -> None:
        with self._lock:
            self._pending.append(invocation)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="endpoint metrics", daemon=True)
                self._thread.start()

    def flush(self) -> None:
        """Returns after all recorded data are in CloudWatch and alarms have been evaluated."""
        with self._putting:
            with self._lock:
                pending, self._pending = self._pending, []
            by_variant: dict[tuple[str, str, str], list[Invocation]] = collections.defaultdict(list)
            for invocation in pending:
                by_variant[invocation.endpoint, invocation.variant, invocation.configuration].append(invocation)
            data = [datum for invocations in by_variant.values() for datum in _data(invocations)]
            for start in range(0, len(data), _MOST_DATA):
                own_client("cloudwatch").put_metric_data(
                    Namespace="AWS/SageMaker", MetricData=data[start : start + _MOST_DATA]
                )

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(_FLUSH_SECONDS)
            self.flush()


def _data(invocations: list[Invocation]) -> list[dict[str, Any]]:
    """One variant's data, with two sets of dimensions: endpoint and variant, and these and the configuration."""
    first = invocations[0]
    of_variant = [{"Name": "EndpointName", "Value": first.endpoint}, {"Name": "VariantName", "Value": first.variant}]
    of_fleet = [*of_variant, {"Name": "EndpointConfigName", "Value": first.configuration}]
    counts = {
        "Invocations": [1.0] * len(invocations),
        "InvocationsPerInstance": [1.0] * len(invocations),
        "Invocation4XXErrors": [float(400 <= each.status < 500) for each in invocations],
        "Invocation5XXErrors": [float(each.status >= 500) for each in invocations],
        "InvocationModelErrors": [float(each.status >= 400) for each in invocations],
    }
    times = {
        "ModelLatency": [each.model_us for each in invocations],
        "OverheadLatency": [each.overhead_us for each in invocations],
    }
    data: list[dict[str, Any]] = []
    for dimensions in (of_variant, of_fleet):
        for name, values in counts.items():
            statistics = {
                "SampleCount": len(values),
                "Sum": sum(values),
                "Minimum": min(values),
                "Maximum": max(values),
            }
            data.append({"MetricName": name, "Dimensions": dimensions, "StatisticValues": statistics, "Unit": "None"})
        for name, values in times.items():
            for start in range(0, len(values), _MOST_VALUES):
                part = values[start : start + _MOST_VALUES]
                data.append({"MetricName": name, "Dimensions": dimensions, "Values": part, "Unit": "Microseconds"})
    return data
