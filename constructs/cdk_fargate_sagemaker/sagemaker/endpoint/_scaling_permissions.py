from aws_cdk import ArnFormat
from aws_cdk import aws_iam as iam

from ..._allow import allow
from ..._construct_tree import stack_of
from ..configuration._endpoint_requests import SCALABLE_DIMENSION, scaled_variants
from ..configuration.endpoint_configuration import EndpointConfiguration

_SERVICE_ROLE = "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"


def allow_scaling(role: iam.Role, endpoint_name: str, configuration: EndpointConfiguration) -> None:
    """Allows `role` to register and deregister the endpoint's variants that scale, and to set their policies."""
    if not scaled_variants(configuration):
        return
    stack = stack_of(role)
    allow(
        role,
        [
            "application-autoscaling:DeregisterScalableTarget",
            "application-autoscaling:PutScalingPolicy",
            "application-autoscaling:RegisterScalableTarget",
        ],
        stack.format_arn(service="application-autoscaling", resource="scalable-target", resource_name="*"),
        conditions={
            "StringEquals": {
                "application-autoscaling:service-namespace": "sagemaker",
                "application-autoscaling:scalable-dimension": SCALABLE_DIMENSION,
            }
        },
        wildcard_reason="Application Auto Scaling gives a target an id of its own; a condition limits them.",
    )
    # Application Auto Scaling makes these calls, and describes the endpoint, with the caller's permissions.
    allow(
        role,
        ["sagemaker:UpdateEndpointWeightsAndCapacities"],
        stack.format_arn(service="sagemaker", resource="endpoint", resource_name=endpoint_name),
    )
    allow(
        role,
        ["cloudwatch:DeleteAlarms", "cloudwatch:DescribeAlarms", "cloudwatch:PutMetricAlarm"],
        stack.format_arn(
            service="cloudwatch",
            resource="alarm",
            resource_name=f"TargetTracking-endpoint/{endpoint_name}/*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        ),
        wildcard_reason="Application Auto Scaling names its alarms after the variant, with an id of its own.",
    )
    allow(
        role,
        ["iam:CreateServiceLinkedRole"],
        stack.format_arn(
            service="iam",
            region="",
            resource="role",
            resource_name=f"aws-service-role/sagemaker.application-autoscaling.amazonaws.com/{_SERVICE_ROLE}",
        ),
        conditions={"StringLike": {"iam:AWSServiceName": "sagemaker.application-autoscaling.amazonaws.com"}},
    )
