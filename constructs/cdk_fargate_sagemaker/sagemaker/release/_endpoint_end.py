"""What happens to an endpoint when the stack of the workflow that made it is deleted."""

from collections.abc import Sequence

from aws_cdk import ArnFormat, CustomResource, Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from ..._allow import allow
from ..._construct_tree import stack_of
from ..._inline_policy import acknowledge_inline_policy
from ..._key_use import allow_key, through_dynamodb
from ..._packaged_function import PackagedFunction
from ..._topic_publishers import allow_publishing
from ..configuration._endpoint_requests import scaled_variants
from ..configuration.endpoint_configuration import EndpointConfiguration
from ..endpoint._scaling_permissions import allow_scaling
from ..workflow._later_names import EXECUTIONS_OF_LATER, NAMED_BY_EXECUTION, execution_arn, sagemaker_arn
from ..workflow.release_records import ReleaseRecords


class EndpointEnd(Construct):
    """Deletes the endpoint, its configurations and models when the stack is deleted, or reports what is kept.

    With RemovalPolicy.DESTROY they are deleted before the resources of the stack that they need. With any other policy
    they are kept, and a failure to report them does not block the deletion of the stack. Running executions are stopped
    in both cases, and the cleaner discards their releases.

    A resource that starts executions must depend on this construct (`rule.node.add_dependency(…)`), so that it is
    deleted first.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        endpoint_name: str,
        configuration: EndpointConfiguration,
        records: ReleaseRecords,
        workflows: Sequence[sfn.StateMachine],
        endpoint_role: iam.Role,
        alerts_topic: sns.ITopic,
        encryption_key: kms.IKey,
        removal_policy: RemovalPolicy,
    ) -> None:
        super().__init__(scope, id)
        stack = stack_of(self)
        keep = removal_policy is not RemovalPolicy.DESTROY
        scaled = [variant.name for variant, _ in scaled_variants(configuration)]
        packaged = PackagedFunction(
            self,
            "Remover",
            name="endpoint_remover",
            description=f"Deletes {endpoint_name} with its stack, or reports what is kept",
            timeout=Duration.minutes(15),
            log_encryption_key=encryption_key,
            environment={
                "ENDPOINT_NAME": endpoint_name,
                "RELEASES_TABLE": records.table.table_name,
                "WORKFLOWS": stack.to_json_string([workflow.state_machine_arn for workflow in workflows]),
                "CURRENT_PARAMETER": records.current_parameter_name,
                "SCALED_VARIANTS": stack.to_json_string(scaled),
                "CLEANER": records.cleaner.function.function_name,
                "ALERTS_TOPIC": alerts_topic.topic_arn,
            },
        )
        role = packaged.role
        allow(role, ["dynamodb:Query"], records.table.table_arn)
        allow_key(role, encryption_key, ["kms:Decrypt", "kms:DescribeKey"], conditions=through_dynamodb(self))
        self._allow_stopping(role, workflows)
        endpoint, releases = sagemaker_arn(self, "endpoint", endpoint_name), f"{endpoint_name}-*"
        allow(role, ["sagemaker:DescribeEndpoint"], endpoint)
        configurations = sagemaker_arn(self, "endpoint-config", releases)
        allow(role, ["sagemaker:DescribeEndpointConfig"], configurations, wildcard_reason=NAMED_BY_EXECUTION)
        if keep:
            allow_publishing(role, alerts_topic)
        else:
            allow(role, ["sagemaker:DeleteEndpoint"], endpoint)
            allow(role, ["sagemaker:DeleteEndpointConfig"], configurations, wildcard_reason=NAMED_BY_EXECUTION)
            for kind, action in {
                "model": "DeleteModel",
                "training-job": "StopTrainingJob",
                "processing-job": "StopProcessingJob",
                "transform-job": "StopTransformJob",
            }.items():
                allow(
                    role,
                    [f"sagemaker:{action}"],
                    sagemaker_arn(self, kind, releases),
                    wildcard_reason=NAMED_BY_EXECUTION,
                )
            allow_scaling(role, endpoint_name, configuration)
            parameter = records.current_parameter_name.removeprefix("/")
            allow(
                role,
                ["ssm:DeleteParameter"],
                stack.format_arn(service="ssm", resource="parameter", resource_name=parameter),
            )
            logs = f"/aws/sagemaker/Endpoints/{endpoint_name}"
            allow(
                role,
                ["logs:DeleteLogGroup"],
                stack.format_arn(
                    service="logs",
                    resource="log-group",
                    resource_name=f"{logs}:*",
                    arn_format=ArnFormat.COLON_RESOURCE_NAME,
                ),
                wildcard_reason="The ARN of a log group ends with this wildcard.",
            )
        resource = CustomResource(
            self,
            "Resource",
            resource_type="Custom::EndpointEnd",
            service_token=packaged.function.function_arn,
            properties={"EndpointName": endpoint_name, "Keep": "true" if keep else "false"},
            service_timeout=Duration.hours(1),
        )
        # The dependency makes CloudFormation delete the resource before all of these.
        resource.node.add_dependency(
            packaged, self._calls(packaged, records.cleaner), records, *workflows, endpoint_role, alerts_topic
        )

    def _allow_stopping(self, role: iam.Role, workflows: Sequence[sfn.StateMachine]) -> None:
        allow(role, ["states:ListExecutions"], *(workflow.state_machine_arn for workflow in workflows))
        for workflow in workflows:
            allow(
                role,
                ["states:StopExecution"],
                execution_arn(self, f"{workflow.state_machine_name}:*"),
                wildcard_reason=EXECUTIONS_OF_LATER,
            )

    def _calls(self, packaged: PackagedFunction, cleaner: PackagedFunction) -> iam.Policy:
        """Allows the function to invoke itself and the cleaner, in a separate policy.

        The function depends on the other policies of its role, so these cannot refer to the function.
        """
        policy = iam.Policy(
            self,
            "GoesOn",
            roles=[packaged.role],
            statements=[
                iam.PolicyStatement(
                    actions=["lambda:InvokeFunction"],
                    resources=[packaged.function.function_arn, cleaner.function.function_arn],
                )
            ],
        )
        acknowledge_inline_policy(policy)
        return policy
