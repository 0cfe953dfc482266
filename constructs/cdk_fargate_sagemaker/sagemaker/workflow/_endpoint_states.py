"""The states that change an endpoint, for the release workflow and the rollback workflow."""

import hashlib
from collections.abc import Mapping

from aws_cdk import aws_kms as kms
from aws_cdk import aws_stepfunctions as sfn

from ..._interfaces import AnyFunction
from ..configuration._endpoint_requests import (
    register_scalable_target_request,
    scalable_target,
    scaled_variants,
    scaling_policy_request,
)
from ..configuration.endpoint_configuration import EndpointConfiguration
from ..endpoint._scaling_permissions import allow_scaling
from ..endpoint._update_mark import MARKS_METRIC, MARKS_NAMESPACE
from ..machines._volume_key import allow_volumes
from ._later_names import NAMED_BY_EXECUTION
from ._task_states import Allowed, TaskStates

UNCHECKED = "its archive was not checked: the release was recorded before hashes were introduced"
"""The note in an alert on a release that serves again, if its record has no hash to compare the archive with."""

# https://states-language.net/spec.html#states-fields
_LONGEST_STATE_NAME = 80
_SCALING = "aws-sdk:applicationautoscaling"


class EndpointStates:
    """Makes the states that describe and change one endpoint. Each grants the workflow's role its call.

    Args:
        tasks: makes the workflow's tasks.
        endpoint_name: the endpoint's name.
        configuration: what the endpoint runs: which variants scale.
        volume_key: encrypts the endpoint's volumes. All releases use it: an older configuration may name it even if the
            current one does not.
        files: the function that checks the archives of models.
    """

    def __init__(
        self,
        tasks: TaskStates,
        *,
        endpoint_name: str,
        configuration: EndpointConfiguration,
        volume_key: kms.IKey,
        files: AnyFunction,
    ) -> None:
        self._tasks = tasks
        self._endpoint_name = endpoint_name
        self._configuration = configuration
        self._volume_key = volume_key
        self._files = files
        self._may_scale = False
        self._arn = tasks.sagemaker_arn("endpoint", endpoint_name)

    def described(self, name: str, assign: Mapping[str, object] | None = None) -> sfn.CustomState:
        """Makes the state that describes the endpoint. The caller handles its failures: one of them is an expected
        answer.
        """
        return self._tasks.uncaught(
            name,
            "aws-sdk:sagemaker:describeEndpoint",
            {"EndpointName": self._endpoint_name},
            allowed=[Allowed(["sagemaker:DescribeEndpoint"], [self._arn])],
            assign=assign,
        )

    def created(self, configuration_name: str, *, assign: Mapping[str, object]) -> sfn.CustomState:
        """Makes the state that creates the endpoint with this configuration."""
        return self._to(
            "Endpoint-Creating-Step",
            "CreateEndpoint",
            configuration_name,
            {"Tags": self._tasks.tags},
            assign,
            # SageMaker requires this action if a request has tags.
            Allowed(["sagemaker:AddTags"], [self._arn]),
        )

    def updated(
        self, configuration_name: str, *, further: Mapping[str, object], assign: Mapping[str, object]
    ) -> sfn.CustomState:
        """Makes the state that updates the endpoint to this configuration."""
        return self._to("Endpoint-Updating-Step", "UpdateEndpoint", configuration_name, further, assign)

    def deleted(self, assign: Mapping[str, object]) -> sfn.CustomState:
        """Makes the state that deletes the endpoint."""
        return self._tasks.task(
            "Endpoint-Deleting-Step",
            "aws-sdk:sagemaker:deleteEndpoint",
            {"EndpointName": self._endpoint_name},
            allowed=[Allowed(["sagemaker:DeleteEndpoint"], [self._arn])],
            assign=assign,
        )

    def scaling_lifted(self, then: sfn.IChainable, *, name: str = "Scaling-Lifting-Step") -> sfn.IChainable:
        """Makes the states that remove the scaling of every variant, followed by `then`; only `then` without scaling.

        SageMaker refuses to change the instances of a variant that is registered.
        """
        scaled = scaled_variants(self._configuration)
        for variant, _ in reversed(scaled):
            state_name = _named(name, variant.name, len(scaled))
            lifting = self._tasks.uncaught(
                state_name,
                f"{_SCALING}:deregisterScalableTarget",
                scalable_target(self._endpoint_name, variant),
                allowed=self._scaling_allowed(),
            )
            # It was not registered, or an earlier attempt removed it: both are the wanted state.
            lifting.add_catch(then, errors=["ApplicationAutoScaling.ObjectNotFoundException"])
            self._tasks.catch(state_name, lifting)
            then = lifting.next(then)
        return then

    def scaling_registered(self, then: sfn.IChainable) -> sfn.IChainable:
        """Makes the states that register every variant's scaling, followed by `then`; only `then` without scaling."""
        scaled = scaled_variants(self._configuration)
        for variant, scaling in reversed(scaled):
            policy = self._tasks.task(
                _named("Scaling-Policy-Step", variant.name, len(scaled)),
                f"{_SCALING}:putScalingPolicy",
                scaling_policy_request(self._endpoint_name, variant, scaling),
                allowed=self._scaling_allowed(),
            )
            registering = self._tasks.task(
                _named("Scaling-Registering-Step", variant.name, len(scaled)),
                f"{_SCALING}:registerScalableTarget",
                register_scalable_target_request(self._endpoint_name, variant, scaling),
                allowed=self._scaling_allowed(),
            )
            policy.next(then)
            then = registering.next(policy)
        return then

    def marked(self, then: sfn.IChainable) -> sfn.CustomState:
        """Makes the state that marks the endpoint as being changed, followed by `then` even if that fails.

        An additional notification is better than an endpoint that is left half changed.
        """
        marking = self._tasks.uncaught(
            "Update-Marking-Step",
            "aws-sdk:cloudwatch:putMetricData",
            {
                "Namespace": MARKS_NAMESPACE,
                "MetricData": [
                    {
                        "MetricName": MARKS_METRIC,
                        "Dimensions": [{"Name": "EndpointName", "Value": self._endpoint_name}],
                        "Value": 1,
                    }
                ],
            },
            allowed=[
                Allowed(
                    ["cloudwatch:PutMetricData"],
                    ["*"],
                    conditions={"StringEquals": {"cloudwatch:namespace": MARKS_NAMESPACE}},
                    wildcard_reason="PutMetricData supports no resource-level permissions; a condition limits it to "
                    "the namespace.",
                )
            ],
        )
        marking.add_catch(then, errors=["States.ALL"])
        marking.next(then)
        return marking

    def archive_checked(self, *, release: str, model_data: str, sha256: str) -> sfn.CustomState:
        """Makes the state that compares an archive with its record before an endpoint gets it; a difference fails it.

        `release`, `model_data` and `sha256` are JSONata expressions. It assigns `archive_checked`: false if the record
        has no hash.
        """
        return self._tasks.function(
            "Archive-Checking-Step",
            self._files,
            {
                "operation": "check",
                "release": f"{{% {release} %}}",
                "model_data": f"{{% {_or_null(model_data)} %}}",
                "sha256": f"{{% {_or_null(sha256)} %}}",
            },
            assign={"archive_checked": "{% $states.result.Payload.checked %}"},
            repeatable=True,
        )

    def _scaling_allowed(self) -> list[Allowed]:
        """The permissions for all calls of scaling; the first call is granted them."""
        if not self._may_scale:
            allow_scaling(self._tasks.role, self._endpoint_name, self._configuration)
            self._may_scale = True
        return []

    def _to(
        self,
        name: str,
        operation: str,
        configuration_name: str,
        further: Mapping[str, object],
        assign: Mapping[str, object],
        *allowed: Allowed,
    ) -> sfn.CustomState:
        configurations = self._tasks.sagemaker_arn("endpoint-config", f"{self._endpoint_name}-*")
        state = self._tasks.task(
            name,
            f"aws-sdk:sagemaker:{operation[0].lower()}{operation[1:]}",
            {"EndpointName": self._endpoint_name, "EndpointConfigName": configuration_name, **further},
            allowed=[
                Allowed([f"sagemaker:{operation}"], [self._arn, configurations], wildcard_reason=NAMED_BY_EXECUTION),
                *allowed,
            ],
            assign=assign,
        )
        # If a configuration names a key, the caller of CreateEndpoint needs a grant on it. AWS documents nothing for
        # UpdateEndpoint, which starts instances with the same volumes.
        allow_volumes(self._tasks.role, self._volume_key)
        return state


def _or_null(expression: str) -> str:
    # An undefined value fails the state.
    return f"$exists({expression}) ? {expression} : null"


def _named(name: str, variant: str, count: int) -> str:
    if count == 1:
        return name
    named = f"{name}-{variant}"
    if len(named) <= _LONGEST_STATE_NAME:
        return named
    # Variants whose long names begin with the same letters need different names here.
    mark = hashlib.sha256(variant.encode()).hexdigest()[:8]
    return f"{named[: _LONGEST_STATE_NAME - 9]}-{mark}"
