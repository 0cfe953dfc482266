"""A user pool of Cognito as identity provider."""

from dataclasses import dataclass

from aws_cdk import aws_cognito as cognito

from .._checks import check_interface


@dataclass(frozen=True, slots=True, kw_only=True)
class CognitoIdentity:
    """Reviewers sign in with a Cognito user pool: its own users, or those of the providers that it federates.

    Args:
        user_pool: the pool.
        user_pool_client: a client with a secret, the authorization code grant, and the scopes openid and email.
        user_pool_domain: the domain of the pool's sign-in page.

    Raises:
        InvalidArgumentError: an id or a name instead of one of these.
    """

    user_pool: cognito.IUserPool
    user_pool_client: cognito.IUserPoolClient
    user_pool_domain: cognito.IUserPoolDomain

    def __post_init__(self) -> None:
        for name, given, attribute, allowed, remedy in (
            ("user_pool", self.user_pool, "user_pool_arn", "a user pool", "UserPool.from_user_pool_id"),
            (
                "user_pool_client",
                self.user_pool_client,
                "user_pool_client_id",
                "a client of the user pool",
                "UserPoolClient.from_user_pool_client_id",
            ),
            (
                "user_pool_domain",
                self.user_pool_domain,
                "domain_name",
                "a domain of the user pool",
                "UserPoolDomain.from_domain_name",
            ),
        ):
            check_interface(name, given, attribute, allowed, f"import it with cognito.{remedy}")
