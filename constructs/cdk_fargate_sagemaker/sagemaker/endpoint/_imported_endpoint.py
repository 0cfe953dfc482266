import jsii
from aws_cdk import ArnFormat, Resource, Token
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sagemaker as sagemaker
from aws_cdk.interfaces.aws_sagemaker import EndpointReference
from constructs import Construct

from ..._checks import check_kind, refusal
from ..._construct_tree import stack_of
from ..._interfaces import checked_grantee


@jsii.implements(sagemaker.IEndpoint)
class ImportedEndpoint(Resource):
    """Represents an endpoint that was created outside this app.

    Args:
        endpoint_arn: its ARN.
        endpoint_name: its name. Default: the name in the ARN.

    Raises:
        InvalidArgumentError: an ARN that is not an endpoint's.
    """

    def __init__(self, scope: Construct, id: str, *, endpoint_arn: str, endpoint_name: str | None = None) -> None:
        check_kind("endpoint_arn", endpoint_arn, str, "text")
        if not Token.is_unresolved(endpoint_arn) and ":endpoint/" not in endpoint_arn:
            raise refusal(
                "endpoint_arn",
                endpoint_arn,
                "an endpoint's ARN, arn:<partition>:sagemaker:<region>:<account>:endpoint/<name>",
            )
        super().__init__(scope, id, environment_from_arn=endpoint_arn)
        self._endpoint_arn = endpoint_arn
        name = endpoint_name or stack_of(self).split_arn(endpoint_arn, ArnFormat.SLASH_RESOURCE_NAME).resource_name
        assert name is not None
        self._endpoint_name = name

    @property
    def endpoint_arn(self) -> str:
        """The endpoint's ARN."""
        return self._endpoint_arn

    @property
    def endpoint_name(self) -> str:
        """The endpoint's name."""
        return self._endpoint_name

    @property
    def endpoint_ref(self) -> EndpointReference:
        """The reference to the endpoint that the CDK's L1 constructs accept."""
        return EndpointReference(endpoint_arn=self._endpoint_arn)

    def grant_invoke(self, grantee: iam.IGrantable) -> iam.Grant:
        """Lets `grantee` invoke this endpoint, and no other.

        Args:
            grantee: the principal that may invoke it.
        """
        return invoke_grant(grantee, self._endpoint_arn)


def invoke_grant(grantee: iam.IGrantable, endpoint_arn: str) -> iam.Grant:
    """Lets `grantee` invoke this endpoint, and no other."""
    return iam.Grant.add_to_principal(
        grantee=checked_grantee(grantee), actions=["sagemaker:InvokeEndpoint"], resource_arns=[endpoint_arn]
    )
