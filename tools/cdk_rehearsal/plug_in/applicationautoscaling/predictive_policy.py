"""Validates a predictive scaling policy beyond botocore's model, as AWS does. Its forecast is not emulated."""

from __future__ import annotations

from typing import Any

from cdk_rehearsal.plug_in.applicationautoscaling import ecs_capacity
from cdk_rehearsal.plug_in.aws_error import validation_error

# https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PredictiveScalingPolicyConfiguration.html
_FORECAST_SECONDS = 3600
_PAIR = "PredefinedMetricPairSpecification"
_SINGLE = ("PredefinedScalingMetricSpecification", "CustomizedScalingMetricSpecification")
_LOAD = ("PredefinedLoadMetricSpecification", "CustomizedLoadMetricSpecification")


def check_predictive(policy: dict[str, Any]) -> None:
    """Raises ValidationException."""
    if policy["ScalableDimension"] != ecs_capacity.DIMENSION:
        raise validation_error(f"Predictive scaling is not supported for {policy['ScalableDimension']}.")
    configuration = policy["PredictiveScalingPolicyConfiguration"]
    specifications = configuration["MetricSpecifications"]
    if len(specifications) != 1:
        raise validation_error(f"Exactly one metric specification is supported, got {len(specifications)}.")
    _check_metrics(specifications[0])
    if configuration.get("SchedulingBufferTime", 0) >= _FORECAST_SECONDS:
        raise validation_error(f"SchedulingBufferTime must be less than {_FORECAST_SECONDS}.")
    raises_maximum = configuration.get("MaxCapacityBreachBehavior") == "IncreaseMaxCapacity"
    if raises_maximum and "MaxCapacityBuffer" not in configuration:
        raise validation_error("MaxCapacityBuffer is required with IncreaseMaxCapacity.")
    if not raises_maximum and "MaxCapacityBuffer" in configuration:
        raise validation_error("MaxCapacityBuffer cannot be used without IncreaseMaxCapacity.")


def _check_metrics(specification: dict[str, Any]) -> None:
    has_pair = _PAIR in specification
    singles = [sum(name in specification for name in names) for names in (_SINGLE, _LOAD)]
    if (has_pair and any(singles)) or (not has_pair and singles != [1, 1]):
        raise validation_error("Either a metric pair, or one load metric and one scaling metric must be specified.")
    for name in (_PAIR, _SINGLE[0], _LOAD[0]):
        predefined = specification.get(name)
        if predefined and "ALBRequestCount" in predefined["PredefinedMetricType"] and "ResourceLabel" not in predefined:
            raise validation_error(f"A ResourceLabel is required for {predefined['PredefinedMetricType']}.")
