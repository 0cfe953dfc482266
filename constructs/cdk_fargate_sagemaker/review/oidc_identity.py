"""An identity provider that speaks OpenID Connect."""

from dataclasses import dataclass, fields

from aws_cdk import SecretValue, Token


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcIdentity:
    """Who reviewers are, by OpenID Connect. The four addresses are in the provider's discovery document.

    Args:
        issuer: as the provider writes it, an `https://` URL.
        authorization_endpoint: where a browser is sent to sign in.
        token_endpoint: where the load balancer changes a code for tokens.
        user_info_endpoint: where the load balancer asks who it is; `sub` and `email` reach the service.
        client_id: of the load balancer at the provider.
        client_secret: the same's secret; a reference, as `SecretValue.secrets_manager(…)`, which no template resolves.

    Raises:
        ValueError: an address that is not `https://`.
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    user_info_endpoint: str
    client_id: str
    client_secret: SecretValue

    def __post_init__(self) -> None:
        for field in fields(self)[:4]:
            url = getattr(self, field.name)
            if not Token.is_unresolved(url) and not url.startswith("https://"):
                raise ValueError(f"{field.name}: got {url!r}, allowed: an https:// URL; the discovery document has it")
