from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms

from ..._key_use import allow_key


def allow_volumes(role: iam.Role, key: kms.IKey) -> None:
    """Allows what SageMaker requires of the creator of an encrypted volume: a grant on the key, for an AWS service
    alone.

    For a job, it is enough that the caller or the job's role has the permission. For an endpoint, the caller needs it:
    https://docs.aws.amazon.com/sagemaker/latest/dg/api-permissions-reference.html. Deleting an endpoint does not need
    it, because SageMaker retires the endpoint's grants:
    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DeleteEndpoint.html
    """
    allow_key(role, key, ["kms:DescribeKey"])
    allow_key(role, key, ["kms:CreateGrant"], conditions={"Bool": {"kms:GrantIsForAWSResource": "true"}})
