"""AWS's predictive scaling policies as declared in the templates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fargate_capacity.declared.declared_resource import DeclaredResource, LeftOutError, items
from fargate_capacity.declared.understood_properties import not_understood
from fargate_capacity.template import mapping

_CONFIGURATION = "PredictiveScalingPolicyConfiguration"
# Documented: seconds, less than a forecast's hour.
_DEFAULT_BUFFER_S = 300
_LONGEST_BUFFER_S = 3600
_MODES = ("ForecastOnly", "ForecastAndScale")


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictivePolicy:
    """One policy.

    Args:
        name: the policy's logical id.
        metric: AWS's name of the metric pair, such as ECSServiceCPUUtilization.
        target: the metric's target per task.
        scales: whether it raises the task count. If not, it only forecasts.
        buffer_s: seconds before the full hour at which it raises the count.
        may_raise_maximum: whether it may raise the maximum, too.
    """

    name: str
    metric: str
    target: float
    scales: bool
    buffer_s: int
    may_raise_maximum: bool

    def described(self) -> str:
        """A short description."""
        unit = " %" if self.metric.endswith("Utilization") else ""
        does = "scales" if self.scales else "only forecasts"
        return f"predictive scaling on {self.metric} for {self.target:g}{unit}, which {does}"


def predictive_policy(policy: DeclaredResource) -> tuple[PredictivePolicy, list[str]]:
    """The policy, and the unknown names in its configuration.

    Raises:
        LeftOutError: its metric is not known, or known only at deployment.
    """
    configuration = mapping(policy.properties.get(_CONFIGURATION))
    mode = policy.functions.text(configuration.get("Mode", _MODES[0]))
    if mode not in _MODES:
        raise LeftOutError(f"predictive scaling, Mode: got {mode}, allowed: {', '.join(_MODES)}")
    specifications = items(configuration.get("MetricSpecifications"))
    if len(specifications) != 1:
        raise LeftOutError(f"predictive scaling, MetricSpecifications: got {len(specifications)}, allowed: 1")
    specification = mapping(specifications[0])
    pair = mapping(specification.get("PredefinedMetricPairSpecification"))
    if not pair:
        raise LeftOutError("predictive scaling on metrics of one's own is not modelled")
    buffer_s = policy.number("SchedulingBufferTime", _DEFAULT_BUFFER_S, of=configuration)
    if not 0 <= buffer_s < _LONGEST_BUFFER_S:
        raise LeftOutError(f"SchedulingBufferTime: got {buffer_s:g}, allowed: 0 to below {_LONGEST_BUFFER_S}")
    found = PredictivePolicy(
        name=policy.resource.logical_id,
        metric=policy.functions.text(pair.get("PredefinedMetricType", "")),
        target=policy.number("TargetValue", of=specification),
        scales=mode == "ForecastAndScale",
        buffer_s=int(buffer_s),
        may_raise_maximum=_raises_maximum(policy, configuration),
    )
    return found, list(not_understood(_CONFIGURATION, configuration))


def _raises_maximum(policy: DeclaredResource, configuration: Mapping[str, Any]) -> bool:
    behavior = policy.functions.text(configuration.get("MaxCapacityBreachBehavior", "HonorMaxCapacity"))
    return behavior == "IncreaseMaxCapacity"
