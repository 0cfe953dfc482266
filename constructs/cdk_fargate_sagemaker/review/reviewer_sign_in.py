"""The sign-in of reviewers, at the load balancer of the service."""

from collections.abc import Sequence

from aws_cdk import Annotations, Duration, Token
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_elasticloadbalancingv2_actions as actions
from constructs import Construct

from cdk_fargate_sagemaker.fargate import ScaledFargateService

from .._checks import check_duration, check_kind, check_number, check_sequence, plain, refusal
from .._readable_help import CallSignature, readable
from .cognito_identity import CognitoIdentity
from .oidc_identity import OidcIdentity
from .reviewer_access import ReviewerAccess

_PAGE = ("/review", "/review/*")
_CALLS = ("/v1/reviews", "/v1/reviews/*")
# "up to five per rule": https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-rules.html
_MOST_PATHS = 5
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html
_LONGEST_PATH = 128
_SCOPE = "openid email"
_EVERYBODY = "cdk-fargate-sagemaker:everybody-reviews"
_SESSION = readable(Duration.hours(12))
_LAST_PRIORITY = 50_000


class ReviewerSignIn(Construct):
    """Opens the reviewers' page to the users of an identity provider who have `access`, and to nobody else.

    The load balancer sends a browser that asks for the page to the provider, and lets it through with a signed header
    that says who it is; the service checks signature and signer itself. After the session has ended, the page's calls
    are answered 401, because a call cannot sign in. A user who is signed in but has no access is answered 403. All
    other paths stay as they are.

    The provider has to know `https://<the name that reviewers use>/oauth2/idpresponse` as a callback. The load balancer
    calls the provider, over HTTPS and IPv4: one that does not face the internet needs a NAT gateway for that.

    Example:
        ```python
        ReviewerSignIn(
            self,
            "SignIn",
            service=web,
            identity=OidcIdentity(
                issuer="https://id.example.com",
                authorization_endpoint="https://id.example.com/authorize",
                token_endpoint="https://id.example.com/token",
                user_info_endpoint="https://id.example.com/userinfo",
                client_id="reviews",
                client_secret=cdk.SecretValue.secrets_manager("reviews-client"),
            ),
            access=ReviewerAccess.by_claim("groups", "moderators"),
            session_timeout=cdk.Duration.hours(8),
        )
        ```

    Args:
        service: the ML API, with a certificate, and in its environment the variables of the `ReviewQueue`.
        identity: the provider.
        access: who of its users is a reviewer. Default: all of them, and the app warns: anybody may have an account at
            a webmail provider, or in a pool in which people register themselves.
        oauth_scope: what the load balancer asks the provider for, with `openid` in it. Some give a claim such as
            `groups` only with a scope of that name. Default: `openid email`.
        session_timeout: the time after which a reviewer signs in again, up to 7 days. Default: 12 hours.
        page_paths: where the pages for reviewers are, up to 5 patterns of paths; a browser without a session is sent to
            the provider. Default: `/review` and all below it.
        api_paths: what the pages call, up to 5 patterns of paths; a call without a session is answered 401. Default:
            `/v1/reviews` and all below it.
        priority: of the first of the two rules at the listener, 1 to 49,999; the second has the next one. Default: 10.

    Raises:
        InvalidArgumentError: a service without a certificate or with blue/green deployments, a group without Cognito,
            or an invalid number, scope or path.
    """

    __signature__ = CallSignature()

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        service: ScaledFargateService,
        identity: OidcIdentity | CognitoIdentity,
        access: ReviewerAccess | None = None,
        oauth_scope: str = _SCOPE,
        session_timeout: Duration = _SESSION,
        page_paths: Sequence[str] = _PAGE,
        api_paths: Sequence[str] = _CALLS,
        priority: int = 10,
    ) -> None:
        super().__init__(scope, id)
        check_kind("service", service, ScaledFargateService, remedy="give the construct, not its service or listener")
        check_kind("identity", identity, (OidcIdentity, CognitoIdentity))
        if access is not None:
            check_kind(
                "access", access, ReviewerAccess, remedy="give ReviewerAccess.by_claim(…), by_group or by_subjects"
            )
        check_kind("oauth_scope", oauth_scope, str, "text with openid in it")
        if not Token.is_unresolved(oauth_scope) and "openid" not in oauth_scope.split():
            raise refusal("oauth_scope", oauth_scope, "text with openid in it", "write 'openid email'")
        # Both are used in computations: the seconds become text, and the second rule's priority is one more.
        longest = Duration.days(7)
        check_duration(
            "session_timeout", session_timeout, above_zero=True, at_most=longest, whole="seconds", token=False
        )
        check_number("priority", priority, at_least=1, at_most=_LAST_PRIORITY - 1, whole=True, token=False)
        page_paths, api_paths = _paths("page_paths", page_paths), _paths("api_paths", api_paths)
        listener = service.listener.node.default_child
        assert isinstance(listener, elbv2.CfnListener)
        if listener.protocol != "HTTPS":
            raise refusal("service", plain("one without a certificate"), "one that speaks HTTPS", "give it one")
        if service.alternate_target_group is not None:
            raise refusal(
                "service",
                plain("one with BLUE_GREEN deployments"),
                "one with ROLLING",
                "the two target groups take turns, and ECS turns one rule of the listener alone",
            )
        forward = elbv2.ListenerAction.forward([service.target_group])
        for place, (name, paths, otherwise) in enumerate(
            (
                ("Page", page_paths, elbv2.UnauthenticatedAction.AUTHENTICATE),
                ("Calls", api_paths, elbv2.UnauthenticatedAction.DENY),
            )
        ):
            elbv2.ApplicationListenerRule(
                self,
                name,
                listener=service.listener,
                priority=priority + place,
                conditions=[elbv2.ListenerCondition.path_patterns(list(paths))],
                action=_authenticated(identity, forward, otherwise, session_timeout, oauth_scope),
            )
        service.load_balancer_security_group.add_egress_rule(
            ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "The reviewers' identity provider"
        )
        container = service.task_definition.default_container
        assert container is not None
        container.add_environment("REVIEW_SIGNER", service.load_balancer.load_balancer_arn)
        if access is None:
            Annotations.of(self).add_warning_v2(
                _EVERYBODY,
                "whoever the identity provider knows is a reviewer, and labels train the model: give "
                "access=ReviewerAccess.by_claim(…), by_group or by_subjects",
            )
            return
        for name, value in access.environment(identity).items():
            container.add_environment(name, value)


def _paths(name: str, paths: Sequence[str]) -> Sequence[str]:
    allowed = f"a list of 1 to {_MOST_PATHS} paths"
    listed = check_sequence(name, paths, allowed, empty=False)
    if len(listed) > _MOST_PATHS:
        raise refusal(name, plain(f"{len(listed)} paths"), allowed, "join some by *")
    for path in listed:
        check_kind(name, path, str, "paths that begin with a slash")
        if not Token.is_unresolved(path) and not path.startswith("/"):
            raise refusal(name, path, "paths that begin with a slash", f"write '/{path}'")
        if not Token.is_unresolved(path) and len(path) > _LONGEST_PATH:
            raise refusal(name, path, f"paths of at most {_LONGEST_PATH} characters", "shorten it with *")
    return listed


def _authenticated(
    identity: OidcIdentity | CognitoIdentity,
    forward: elbv2.ListenerAction,
    otherwise: elbv2.UnauthenticatedAction,
    session_timeout: Duration,
    oauth_scope: str,
) -> elbv2.ListenerAction:
    if isinstance(identity, CognitoIdentity):
        return actions.AuthenticateCognitoAction(
            user_pool=identity.user_pool,
            user_pool_client=identity.user_pool_client,
            user_pool_domain=identity.user_pool_domain,
            scope=oauth_scope,
            session_timeout=session_timeout,
            on_unauthenticated_request=otherwise,
            allow_https_outbound=False,
            next=forward,
        )
    return elbv2.ListenerAction.authenticate_oidc(
        issuer=identity.issuer,
        authorization_endpoint=identity.authorization_endpoint,
        token_endpoint=identity.token_endpoint,
        user_info_endpoint=identity.user_info_endpoint,
        client_id=identity.client_id,
        client_secret=identity.client_secret,
        scope=oauth_scope,
        session_timeout=session_timeout,
        on_unauthenticated_request=otherwise,
        allow_https_outbound=False,
        next=forward,
    )
