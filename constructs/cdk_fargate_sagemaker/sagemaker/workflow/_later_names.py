"""The ARNs of resources that executions create, and the reasons why policies name them with a wildcard."""

from aws_cdk import ArnFormat
from constructs import Construct

from ..._construct_tree import stack_of

NAMED_BY_EXECUTION = "It is named after the execution that creates it, with the endpoint's name as prefix."
OBJECTS_OF_LATER = "Later executions of the workflow create the objects below this prefix."
EXECUTIONS_OF_LATER = "An execution's name is not known before it is started."


def sagemaker_arn(scope: Construct, resource: str, name: str) -> str:
    """Returns the ARN of a SageMaker resource in the account and region of `scope`."""
    return stack_of(scope).format_arn(service="sagemaker", resource=resource, resource_name=name)


def execution_arn(scope: Construct, execution: str) -> str:
    """Returns the ARN of an execution of Step Functions, `<state machine>:<name>`, of the account and region."""
    return stack_of(scope).format_arn(
        service="states",
        resource="execution",
        resource_name=execution,
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )
