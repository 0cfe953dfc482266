import hashlib

from aws_cdk import aws_stepfunctions as sfn

from ..configuration._endpoint_requests import (
    register_scalable_target_request,
    scalable_target,
    scaled_variants,
    scaling_policy_request,
)
from ..configuration.endpoint_configuration import EndpointConfiguration
from ._task_states import TaskStates

# https://states-language.net/spec.html#states-fields
_LONGEST_STATE_NAME = 80
_SDK = "aws-sdk:applicationautoscaling"


def scaling_lifted(
    tasks: TaskStates,
    endpoint_name: str,
    configuration: EndpointConfiguration,
    then: sfn.IChainable,
    *,
    name: str = "Scaling-Lifting-Step",
) -> sfn.IChainable:
    """Makes the states that take every variant's scaling away, and `then` after them; `then` itself without scaling.

    SageMaker refuses to change the instances of a variant that is registered.
    """
    scaled = scaled_variants(configuration)
    for variant, _ in reversed(scaled):
        state_name = _named(name, variant.name, len(scaled))
        lifting = tasks.uncaught(
            state_name, f"{_SDK}:deregisterScalableTarget", scalable_target(endpoint_name, variant)
        )
        # Not registered, or lifted by an attempt before: that is as it shall be.
        lifting.add_catch(then, errors=["ApplicationAutoScaling.ObjectNotFoundException"])
        tasks.catch(state_name, lifting)
        then = lifting.next(then)
    return then


def scaling_registered(
    tasks: TaskStates, endpoint_name: str, configuration: EndpointConfiguration, then: sfn.IChainable
) -> sfn.IChainable:
    """Makes the states that give every variant its scaling, and `then` after them; `then` itself without scaling."""
    scaled = scaled_variants(configuration)
    for variant, scaling in reversed(scaled):
        policy = tasks.task(
            _named("Scaling-Policy-Step", variant.name, len(scaled)),
            f"{_SDK}:putScalingPolicy",
            scaling_policy_request(endpoint_name, variant, scaling),
        )
        registering = tasks.task(
            _named("Scaling-Registering-Step", variant.name, len(scaled)),
            f"{_SDK}:registerScalableTarget",
            register_scalable_target_request(endpoint_name, variant, scaling),
        )
        policy.next(then)
        then = registering.next(policy)
    return then


def _named(name: str, variant: str, count: int) -> str:
    if count == 1:
        return name
    named = f"{name}-{variant}"
    if len(named) <= _LONGEST_STATE_NAME:
        return named
    # Of variants whose long names begin alike none may take another's.
    mark = hashlib.sha256(variant.encode()).hexdigest()[:8]
    return f"{named[: _LONGEST_STATE_NAME - 9]}-{mark}"
