"""The states that make an endpoint serve the model that passed the evaluation."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from ..configuration._endpoint_requests import (
    deployment_request,
    endpoint_config_request,
    model_network_request,
    retention_request,
)
from ..configuration.endpoint_configuration import EndpointConfiguration
from ..configuration.traffic_shifting import TrafficShifting
from ..endpoint._rollback_alarms import RollbackAlarms
from ..workflow._endpoint_states import EndpointStates
from ..workflow._later_names import NAMED_BY_EXECUTION
from ..workflow._task_states import ERROR_OUTPUT, Allowed, TaskStates, assigned_failure, passing
from ..workflow.release_records import ReleaseRecords


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """The model that serves after a release, and the states that bring the endpoint to it."""

    endpoint_name: str
    image_uri: str
    environment: Mapping[str, str]
    endpoint_role: iam.IRole
    configuration: EndpointConfiguration
    traffic_shifting: TrafficShifting
    rollback_alarms: RollbackAlarms
    volume_key: kms.IKey
    records: ReleaseRecords
    poll_interval: Duration
    in_service_within: Duration

    def states(self, scope: Construct, tasks: TaskStates, then: sfn.IChainable) -> sfn.IChainable:
        """Makes the states that copy the archive and make the endpoint serve it, followed by `then`."""
        return _Serving(scope, tasks, self).linked(then)


class _Serving:
    def __init__(self, scope: Construct, tasks: TaskStates, plan: ServedModel) -> None:
        self._scope = scope
        self._tasks = tasks
        self._plan = plan
        self._endpoint = EndpointStates(
            tasks,
            endpoint_name=plan.endpoint_name,
            configuration=plan.configuration,
            volume_key=plan.volume_key,
            files=plan.records.files.function,
        )

    def linked(self, then: sfn.IChainable) -> sfn.IChainable:
        checking = self._endpoint.archive_checked(
            release="$release", model_data="$model_data", sha256="$archive_sha256"
        )
        checking.next(self._endpoint_describing(self._served(then)))
        configuring = self._endpoint_configuration()
        configuring.next(checking)
        model = self._model()
        model.next(configuring)
        copying = self._archive_copied()
        copying.next(model)
        return copying

    def _archive_copied(self) -> sfn.CustomState:
        """From this state on, the model is the copy; no job may write it."""
        return self._tasks.function(
            "Archive-Copying-Step",
            self._plan.records.files.function,
            {"operation": "keep", "release": "{% $release %}", "model_data": "{% $model_data %}"},
            assign={
                "model_data": "{% $states.result.Payload.model_data %}",
                "archive_sha256": "{% $states.result.Payload.sha256 %}",
            },
            repeatable=True,
        )

    def _model(self) -> sfn.CustomState:
        return self._tasks.task(
            "Model-Creating-Step",
            "aws-sdk:sagemaker:createModel",
            {
                "ModelName": "{% $release %}",
                "ExecutionRoleArn": self._plan.endpoint_role.role_arn,
                "PrimaryContainer": {
                    "Image": self._plan.image_uri,
                    "ModelDataUrl": "{% $model_data %}",
                    "Environment": {**self._plan.environment, "MODEL_NAME": "{% $release %}"},
                },
                **model_network_request(self._plan.configuration),
                "Tags": self._tasks.tags,
            },
            allowed=[self._creating("CreateModel", "model"), passing(self._plan.endpoint_role)],
        )

    def _endpoint_configuration(self) -> sfn.CustomState:
        return self._tasks.task(
            "EndpointConfig-Step",
            "aws-sdk:sagemaker:createEndpointConfig",
            {
                **endpoint_config_request(
                    self._plan.configuration,
                    name="{% $release %}",
                    model_name="{% $release %}",
                    volume_key_id=self._plan.volume_key.key_arn,
                ),
                "Tags": self._tasks.tags,
            },
            allowed=[self._creating("CreateEndpointConfig", "endpoint-config")],
        )

    def _creating(self, operation: str, resource: str) -> Allowed:
        return Allowed(
            # SageMaker requires the second action if a request has tags.
            [f"sagemaker:{operation}", "sagemaker:AddTags"],
            [self._tasks.sagemaker_arn(resource, f"{self._plan.endpoint_name}-*")],
            wildcard_reason=NAMED_BY_EXECUTION,
        )

    def _endpoint_describing(self, wait: sfn.IChainable) -> sfn.CustomState:
        plan = self._plan
        unpolled = {"polls": 0}
        creating = self._endpoint.created("{% $release %}", assign=unpolled)
        updating = self._endpoint.updated(
            "{% $release %}",
            further={
                "DeploymentConfig": {
                    **deployment_request(plan.traffic_shifting, plan.configuration),
                    "AutoRollbackConfiguration": plan.rollback_alarms.at_synthesis(),
                },
                **retention_request(plan.configuration),
            },
            assign=unpolled,
        )
        creating.next(wait)
        updating.next(wait)
        # One of its failures is an expected answer: the endpoint does not exist yet.
        describing = self._endpoint.described("Endpoint-Describing-Step")
        describing.add_catch(
            self._endpoint_missing(creating),
            errors=["States.TaskFailed"],
            assign={"description_error": ERROR_OUTPUT},
        )
        self._tasks.catch("Endpoint-Describing-Step", describing)
        describing.next(self._endpoint.scaling_lifted(updating))
        return describing

    def _endpoint_missing(self, creating: sfn.CustomState) -> sfn.Choice:
        """SageMaker has no error of its own for an endpoint that does not exist: only the message shows it."""
        missing = self._tasks.choice("Endpoint-Missing")
        missing.when(
            sfn.Condition.jsonata("{% $contains($description_error.cause, 'Could not find') %}"),
            creating,
        )
        # This rule always holds. It is not the default, because only a rule can assign what failed.
        missing.when(
            sfn.Condition.jsonata("{% true %}"),
            self._tasks.failed,
            assign={
                "failure": {
                    "state": "Endpoint-Describing-Step",
                    "error": "{% $description_error.error %}",
                    "cause": "{% $description_error.cause %}",
                }
            },
        )
        return missing

    def _served(self, then: sfn.IChainable) -> sfn.CustomState:
        """The states that wait until the endpoint serves the new configuration, followed by `then`."""
        plan = self._plan
        wait = sfn.Wait.jsonata(self._scope, "Wait", time=sfn.WaitTime.duration(plan.poll_interval))
        describe = self._endpoint.described(
            "Describe", {"endpoint": "{% $states.result %}", "polls": "{% $polls + 1 %}"}
        )
        self._tasks.catch("Describe", describe)
        in_service = self._tasks.choice("In-Service")
        wait.next(describe)
        describe.next(in_service)
        in_service.when(
            sfn.Condition.jsonata(
                "{% $endpoint.EndpointStatus = 'InService' and $endpoint.EndpointConfigName = $release %}"
            ),
            self._endpoint.scaling_registered(then),
        )
        self._refuse_endpoint(in_service)
        marking = self._endpoint.marked(wait)
        in_service.otherwise(marking)
        return marking

    def _refuse_endpoint(self, in_service: sfn.Choice) -> None:
        within = self._plan.in_service_within
        polls = math.ceil(within.to_seconds() / self._plan.poll_interval.to_seconds())
        refusals = {
            # Creating, Updating and SystemUpdating are in progress; InService with another configuration was rolled
            # back.
            "$not($endpoint.EndpointStatus in ['Creating', 'Updating', 'SystemUpdating'])": (
                "EndpointNotReleased",
                "'the endpoint is ' & $endpoint.EndpointStatus & ' with ' & "
                "($exists($endpoint.EndpointConfigName) ? 'the configuration ' & $endpoint.EndpointConfigName "
                ": 'no configuration') & "
                "', needed InService with ' & $release & "
                "($exists($endpoint.FailureReason) ? ': ' & $endpoint.FailureReason : '')",
            ),
            f"$polls >= {polls}": (
                "EndpointNotInTime",
                "'the endpoint is still ' & $endpoint.EndpointStatus & "
                f"' after {within.to_human_string()}, needed InService with ' & $release",
            ),
        }
        for condition, (error, cause) in refusals.items():
            in_service.when(
                sfn.Condition.jsonata(f"{{% {condition} %}}"),
                self._tasks.failed,
                assign=assigned_failure("In-Service", error, cause),
            )
