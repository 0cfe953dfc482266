"""An identity provider that speaks OpenID Connect."""

import re
from dataclasses import dataclass, fields

from aws_cdk import SecretValue, Token

from .._checks import check_kind, check_text, plain, refusal

HTTPS_URL = r"https://\S+"


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcIdentity:
    """Reviewers sign in with OpenID Connect. The four addresses are in the provider's discovery document.

    Args:
        issuer: as the provider writes it, an `https://` URL.
        authorization_endpoint: where a browser is sent to sign in.
        token_endpoint: where the load balancer exchanges a code for tokens.
        user_info_endpoint: where the load balancer asks who the user is; `sub` and `email` reach the service.
        client_id: the load balancer's client id at the provider.
        client_secret: the client's secret: a reference, as `SecretValue.secrets_manager(…)`, which no template
            resolves.

    Raises:
        InvalidArgumentError: an address that is not `https://`, or a secret that is not a reference.
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
            check_kind(field.name, url, str, "an https:// URL", "the discovery document has it")
            if not Token.is_unresolved(url) and not re.fullmatch(HTTPS_URL, url):
                raise refusal(field.name, url, "an https:// URL", "the discovery document has it")
        check_text("client_id", self.client_id)
        secret = self.client_secret
        remedy = "pass its secret_value" if hasattr(secret, "secret_value") else "give SecretValue.secrets_manager(…)"
        # The message does not show a text: it may be the secret itself.
        given = plain("text") if isinstance(secret, str) else secret
        check_kind("client_secret", given, SecretValue, remedy=remedy)
