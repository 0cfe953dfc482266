from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms

from ..._allow import allow
from ..machines._volume_key import allow_volumes


def allow_endpoint_updates(role: iam.Role, endpoint_name: str, *, volume_key: kms.IKey) -> None:
    """Lets `role` create this endpoint and update it to any configuration of its releases, and look at it.

    With a configuration that names a key the caller of CreateEndpoint needs a grant on it. AWS documents nothing for
    UpdateEndpoint, which starts instances with the same volumes. The key is the one of all releases: an older
    configuration may name it where the present one does not.
    """
    stack = Stack.of(role)
    endpoint = stack.format_arn(service="sagemaker", resource="endpoint", resource_name=endpoint_name)
    allow(
        role,
        ["sagemaker:CreateEndpoint", "sagemaker:UpdateEndpoint"],
        endpoint,
        stack.format_arn(service="sagemaker", resource="endpoint-config", resource_name=f"{endpoint_name}-*"),
        wildcard_reason="Named after the execution that makes it, with the endpoint's name in front.",
    )
    allow(role, ["sagemaker:DescribeEndpoint"], endpoint)
    allow_volumes(role, volume_key)
