from aws_cdk import Aws, CfnMapping, Token
from aws_cdk.region_info import RegionInfo
from constructs import Construct

from ._construct_tree import stack_of

# The hosts of AWS's sign-in pages have the same domains; botocore's data of the service signin lists them per
# partition.
_HOSTS = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-eusc": "console.amazonaws-eusc.eu",
    "aws-iso": "console.c2shome.ic.gov",
    "aws-iso-b": "console.sc2shome.sgov.gov",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}
_MAPPING = "ConsoleHosts"


def console_url(scope: Construct) -> str:
    """The address of the AWS console in the region of `scope`, without a slash at the end.

    If the region is known at deployment only, the deployment looks the host up in a mapping of the template.
    """
    stack = stack_of(scope)
    if not Token.is_unresolved(stack.region):
        partition = RegionInfo.get(stack.region).partition or "aws"
        return f"https://{stack.region}.{_HOSTS.get(partition, _HOSTS['aws'])}"
    mapping = stack.node.try_find_child(_MAPPING)
    if not isinstance(mapping, CfnMapping):
        hosts = {partition: {"host": host} for partition, host in _HOSTS.items()}
        mapping = CfnMapping(stack, _MAPPING, mapping=hosts)
    return f"https://{stack.region}.{mapping.find_in_map(Aws.PARTITION, 'host')}"
