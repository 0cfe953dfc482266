"""A user pool of Cognito as identity provider."""

from dataclasses import dataclass

from aws_cdk import aws_cognito as cognito


@dataclass(frozen=True, slots=True, kw_only=True)
class CognitoIdentity:
    """Who reviewers are, by a user pool: its own users, or those of the providers that it federates.

    Args:
        user_pool: the pool.
        user_pool_client: a client with a secret, the authorization code grant, and the scopes openid and email.
        user_pool_domain: the domain of the pool's sign-in page.
    """

    user_pool: cognito.IUserPool
    user_pool_client: cognito.IUserPoolClient
    user_pool_domain: cognito.IUserPoolDomain
