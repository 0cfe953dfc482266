"""The scaling of an endpoint that CloudFormation updates."""

from aws_cdk import CustomResource, Duration
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from ..._allow import allow
from ..._construct_tree import stack_of
from ..._packaged_function import PackagedFunction
from ..configuration._endpoint_requests import register_scalable_target_request, scaled_variants, scaling_policy_request
from ..configuration.endpoint_configuration import EndpointConfiguration
from ._scaling_permissions import allow_scaling


class ScalingAroundUpdate(Construct):
    """Registers variants for scaling once the endpoint serves, and deregisters them before their instances change.

    `AWS::ApplicationAutoScaling::ScalableTarget` cannot do this: CloudFormation deletes a resource only after it has
    updated the resources that it depends on, and SageMaker refuses to update a registered variant (aws/aws-cdk#29626).
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        endpoint: sagemaker.CfnEndpoint,
        endpoint_name: str,
        configuration: EndpointConfiguration,
        log_encryption_key: kms.IKey,
    ) -> None:
        super().__init__(scope, id)
        packaged = PackagedFunction(
            self,
            "Function",
            name="endpoint_scaling",
            description=f"Lifts and registers the scaling of {endpoint_name} around an update",
            timeout=Duration.minutes(1),
            log_encryption_key=log_encryption_key,
        )
        allow_scaling(packaged.role, endpoint_name, configuration)
        # The function reads what the endpoint runs, and Application Auto Scaling describes the endpoint with the
        # function's role.
        allow(
            packaged.role,
            ["sagemaker:DescribeEndpoint"],
            stack_of(self).format_arn(service="sagemaker", resource="endpoint", resource_name=endpoint_name),
        )
        allow(
            packaged.role,
            ["sagemaker:DescribeEndpointConfig"],
            stack_of(self).format_arn(service="sagemaker", resource="endpoint-config", resource_name="*"),
            wildcard_reason="CloudFormation gives each configuration a new name; they are only read.",
        )
        variants = [
            {
                "name": variant.name,
                "instance_type": variant.instance_type,
                "target": register_scalable_target_request(endpoint_name, variant, scaling),
                "policy": scaling_policy_request(endpoint_name, variant, scaling),
            }
            for variant, scaling in scaled_variants(configuration)
        ]

        def step(name: str) -> CustomResource:
            resource = CustomResource(
                self,
                name.capitalize(),
                resource_type="Custom::EndpointScaling",
                service_token=packaged.function.function_arn,
                properties={
                    "Step": name,
                    "EndpointName": endpoint_name,
                    "Variants": stack_of(self).to_json_string(variants),
                },
                service_timeout=Duration.minutes(5),
            )
            # The dependency includes the role's policy, without which the function can do nothing.
            resource.node.add_dependency(packaged)
            return resource

        endpoint.node.add_dependency(step("lift"))
        step("register").node.add_dependency(endpoint)
