from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_certificatemanager as certificatemanager
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_

from cdk_fargate_sagemaker.review import IReviewQueue, OidcIdentity, ReviewerSignIn, ReviewQueue
from tests.constructs.minimal.fargate import scaled_fargate_service


def review_queue(stack: cdk.Stack, **given: Any) -> ReviewQueue:
    queue = ReviewQueue(stack, "Reviews", **given)
    _reader(stack, queue)
    return queue


def imported_review_queue(stack: cdk.Stack, **given: Any) -> IReviewQueue:
    table = dynamodb.Table.from_table_name(stack, "Table", "posts")
    queue = ReviewQueue.from_review_queue_attributes(stack, "Reviews", **{"table": table, **given})
    _reader(stack, queue)
    return queue


def _reader(stack: cdk.Stack, queue: IReviewQueue) -> None:
    """What the queue gives a service in its environment, which is in no template by itself."""
    lambda_.Function(
        stack,
        "Reader",
        code=lambda_.Code.from_inline("…"),
        handler="index.handler",
        runtime=lambda_.Runtime.PYTHON_3_13,
        environment=queue.environment,
    )


def oidc_identity(**given: Any) -> OidcIdentity:
    return OidcIdentity(
        **{
            "issuer": "https://sign-in.example.com",
            "authorization_endpoint": "https://sign-in.example.com/authorize",
            "token_endpoint": "https://sign-in.example.com/token",
            "user_info_endpoint": "https://sign-in.example.com/user",
            "client_id": "reviews",
            "client_secret": cdk.SecretValue.secrets_manager("client"),
            **given,
        }
    )


def reviewer_sign_in(stack: cdk.Stack, **given: Any) -> ReviewerSignIn:
    certificate = certificatemanager.Certificate.from_certificate_arn(
        stack, "Certificate", "arn:aws:acm:us-east-1:123456789012:certificate/1"
    )
    service = given.pop("service", None) or scaled_fargate_service(stack, certificate=certificate)
    return ReviewerSignIn(stack, "SignIn", **{"service": service, "identity": oidc_identity(), **given})


MINIMAL = {
    "ReviewQueue": review_queue,
    "ReviewQueue.from_review_queue_attributes": imported_review_queue,
    "ReviewerSignIn": reviewer_sign_in,
}
