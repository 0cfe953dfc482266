import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import Duration
from aws_cdk import aws_certificatemanager as certificatemanager
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk.assertions import Annotations, Match, Template

from cdk_fargate_sagemaker.fargate import ScaledFargateService
from cdk_fargate_sagemaker.review import CognitoIdentity, OidcIdentity, ReviewerAccess, ReviewerSignIn

CERTIFICATE = "arn:aws:acm:us-east-1:111122223333:certificate/00000000-0000-0000-0000-000000000000"
OIDC = {
    "issuer": "https://id.example",
    "authorization_endpoint": "https://id.example/authorize",
    "token_endpoint": "https://id.example/token",
    "user_info_endpoint": "https://id.example/userinfo",
    "client_id": "reviews",
}


@pytest.fixture
def certificate(stack: cdk.Stack) -> certificatemanager.ICertificate:
    return certificatemanager.Certificate.from_certificate_arn(stack, "Certificate", CERTIFICATE)


@pytest.fixture
def service(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage, certificate: certificatemanager.ICertificate
) -> ScaledFargateService:
    return ScaledFargateService(stack, "Api", vpc=vpc, image=image, certificate=certificate)


@pytest.fixture
def oidc() -> OidcIdentity:
    return OidcIdentity(client_secret=cdk.SecretValue.secrets_manager("reviewers"), **OIDC)


def rules_of(stack: cdk.Stack) -> list[Any]:
    rules = Template.from_stack(stack).find_resources("AWS::ElasticLoadBalancingV2::ListenerRule").values()
    return sorted((rule["Properties"] for rule in rules), key=lambda rule: rule["Priority"])


def test_the_page_signs_people_in_and_its_calls_do_not(
    stack: cdk.Stack, service: ScaledFargateService, oidc: OidcIdentity
) -> None:
    ReviewerSignIn(stack, "SignIn", service=service, identity=oidc)
    page, calls = rules_of(stack)
    assert (page["Priority"], calls["Priority"]) == (10, 11)
    for rule, paths, otherwise in (
        (page, ["/review", "/review/*"], "authenticate"),
        (calls, ["/v1/reviews", "/v1/reviews/*"], "deny"),
    ):
        assert rule["ListenerArn"] == stack.resolve(service.listener.listener_arn)
        assert rule["Conditions"] == [{"Field": "path-pattern", "PathPatternConfig": {"Values": paths}}]
        authenticate, forward = rule["Actions"]
        assert (authenticate["Type"], authenticate["Order"]) == ("authenticate-oidc", 1)
        assert authenticate["AuthenticateOidcConfig"] == {
            "Issuer": OIDC["issuer"],
            "AuthorizationEndpoint": OIDC["authorization_endpoint"],
            "TokenEndpoint": OIDC["token_endpoint"],
            "UserInfoEndpoint": OIDC["user_info_endpoint"],
            "ClientId": "reviews",
            "ClientSecret": "{{resolve:secretsmanager:reviewers:SecretString:::}}",
            "Scope": "openid email",
            "SessionTimeout": 43200,
            "OnUnauthenticatedRequest": otherwise,
        }
        assert (forward["Type"], forward["Order"]) == ("forward", 2)
        assert forward["TargetGroupArn"] == stack.resolve(service.target_group.target_group_arn)


def test_the_service_is_told_whose_header_to_believe(
    stack: cdk.Stack, service: ScaledFargateService, oidc: OidcIdentity
) -> None:
    ReviewerSignIn(stack, "SignIn", service=service, identity=oidc)
    signer = {"Name": "REVIEW_SIGNER", "Value": stack.resolve(service.load_balancer.load_balancer_arn)}
    Template.from_stack(stack).has_resource_properties(
        "AWS::ECS::TaskDefinition",
        {"ContainerDefinitions": [Match.object_like({"Environment": Match.array_with([signer])})]},
    )


def test_the_load_balancer_reaches_the_provider_over_https(
    stack: cdk.Stack, service: ScaledFargateService, oidc: OidcIdentity
) -> None:
    ReviewerSignIn(stack, "SignIn", service=service, identity=oidc)
    Template.from_stack(stack).has_resource_properties(
        "AWS::EC2::SecurityGroup",
        {
            "GroupDescription": Match.string_like_regexp("Load balancer"),
            "SecurityGroupEgress": Match.array_with(
                [Match.object_like({"CidrIp": "0.0.0.0/0", "FromPort": 443, "ToPort": 443, "IpProtocol": "tcp"})]
            ),
        },
    )


def test_a_user_pool_of_cognito_signs_people_in(stack: cdk.Stack, service: ScaledFargateService) -> None:
    pool = cognito.UserPool.from_user_pool_id(stack, "Pool", "us-east-1_example")
    identity = CognitoIdentity(
        user_pool=pool,
        user_pool_client=cognito.UserPoolClient.from_user_pool_client_id(stack, "Client", "client"),
        user_pool_domain=cognito.UserPoolDomain.from_domain_name(stack, "Domain", "reviewers-example"),
    )
    ReviewerSignIn(stack, "SignIn", service=service, identity=identity, session_timeout=Duration.hours(1), priority=30)
    page, calls = rules_of(stack)
    assert (page["Priority"], calls["Priority"]) == (30, 31)
    for rule, otherwise in ((page, "authenticate"), (calls, "deny")):
        assert rule["Actions"][0]["AuthenticateCognitoConfig"] == {
            "UserPoolArn": stack.resolve(pool.user_pool_arn),
            "UserPoolClientId": "client",
            "UserPoolDomain": "reviewers-example",
            "Scope": "openid email",
            "SessionTimeout": 3600,
            "OnUnauthenticatedRequest": otherwise,
        }


def test_nobody_signs_in_in_the_clear(
    stack: cdk.Stack, vpc: ec2.IVpc, image: ecs.ContainerImage, oidc: OidcIdentity
) -> None:
    service = ScaledFargateService(stack, "Api", vpc=vpc, image=image)
    with pytest.raises(ValueError, match="service: got one without a certificate, allowed: one that speaks HTTPS"):
        ReviewerSignIn(stack, "SignIn", service=service, identity=oidc)


def test_refuses_a_service_whose_target_groups_take_turns(
    stack: cdk.Stack,
    vpc: ec2.IVpc,
    image: ecs.ContainerImage,
    certificate: certificatemanager.ICertificate,
    oidc: OidcIdentity,
) -> None:
    service = ScaledFargateService(
        stack,
        "Api",
        vpc=vpc,
        image=image,
        certificate=certificate,
        deployment_strategy=ecs.DeploymentStrategy.BLUE_GREEN,
    )
    with pytest.raises(ValueError, match="service: got one with BLUE_GREEN deployments, allowed: one with ROLLING"):
        ReviewerSignIn(stack, "SignIn", service=service, identity=oidc)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"session_timeout": Duration.days(8)},
            "session_timeout: got 8 days, allowed: a Duration of whole seconds, above 0, at most 7",
        ),
        ({"priority": 0}, "priority: got 0, allowed: a whole number, 1 to 49999"),
        ({"priority": 50_000}, "priority: got 50000, allowed: a whole number, 1 to 49999"),
    ],
)
def test_refuses_what_cannot_be(
    stack: cdk.Stack, service: ScaledFargateService, oidc: OidcIdentity, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ReviewerSignIn(stack, "SignIn", service=service, identity=oidc, **options)


@pytest.mark.parametrize("name", ["issuer", "authorization_endpoint", "token_endpoint", "user_info_endpoint"])
def test_an_address_in_the_clear_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: got 'http://id.example', allowed: an https:// URL"):
        OidcIdentity(client_secret=cdk.SecretValue.secrets_manager("a"), **{**OIDC, name: "http://id.example"})


def test_the_secret_is_in_no_template(stack: cdk.Stack, service: ScaledFargateService, oidc: OidcIdentity) -> None:
    ReviewerSignIn(stack, "SignIn", service=service, identity=oidc)
    assert "{{resolve:secretsmanager:reviewers" in json.dumps(Template.from_stack(stack).to_json())


def test_other_paths_can_be_signed_in_to(stack: cdk.Stack, service: ScaledFargateService, oidc: OidcIdentity) -> None:
    ReviewerSignIn(stack, "SignIn", service=service, identity=oidc, page_paths=["/desk"], api_paths=["/api/desk/*"])
    page, calls = rules_of(stack)
    for rule, path, otherwise in ((page, "/desk", "authenticate"), (calls, "/api/desk/*", "deny")):
        assert rule["Conditions"] == [{"Field": "path-pattern", "PathPatternConfig": {"Values": [path]}}]
        assert rule["Actions"][0]["AuthenticateOidcConfig"]["OnUnauthenticatedRequest"] == otherwise


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ("/desk", "page_paths: got '/desk', allowed: a list of 1 to 5 paths; put it in a list"),
        ([], "page_paths: got an empty list, allowed: a list of 1 to 5 paths"),
        (["/a"] * 6, "page_paths: got 6 paths, allowed: a list of 1 to 5 paths; join some"),
        (["desk"], "page_paths: got 'desk', allowed: paths that begin with a slash; write '/desk'"),
    ],
)
def test_refuses_paths_that_a_rule_does_not_take(
    stack: cdk.Stack, service: ScaledFargateService, oidc: OidcIdentity, paths: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ReviewerSignIn(stack, "SignIn", service=service, identity=oidc, page_paths=paths)


def environment_of(stack: cdk.Stack) -> dict[str, object]:
    (task,) = Template.from_stack(stack).find_resources("AWS::ECS::TaskDefinition").values()
    return {one["Name"]: one["Value"] for one in task["Properties"]["ContainerDefinitions"][0]["Environment"]}


@pytest.mark.parametrize(
    ("access", "variables"),
    [
        (
            ReviewerAccess.by_claim("https://forum.example/roles", "moderator"),
            {"REVIEW_CLAIM": "https://forum.example/roles", "REVIEW_CLAIM_VALUE": "moderator"},
        ),
        (ReviewerAccess.by_subjects(["auth0|1", "auth0|2"]), {"REVIEW_SUBJECTS": "auth0|1 auth0|2"}),
    ],
)
def test_the_service_is_told_who_is_a_reviewer(
    stack: cdk.Stack, service: ScaledFargateService, oidc: OidcIdentity, access: Any, variables: dict[str, Any]
) -> None:
    ReviewerSignIn(stack, "SignIn", service=service, identity=oidc, access=access, oauth_scope="openid email groups")
    told = environment_of(stack)
    assert {name: told[name] for name in told if name.startswith("REVIEW_") and name != "REVIEW_SIGNER"} == variables
    assert [rule["Actions"][0]["AuthenticateOidcConfig"]["Scope"] for rule in rules_of(stack)] == [
        "openid email groups"
    ] * 2
    Annotations.from_stack(stack).has_no_warning("*", Match.string_like_regexp("is a reviewer"))


def test_a_group_of_a_pool_is_read_in_its_tokens_for_the_load_balancer(
    stack: cdk.Stack, service: ScaledFargateService
) -> None:
    pool = cognito.UserPool.from_user_pool_arn(
        stack, "Pool", "arn:aws:cognito-idp:us-east-1:111122223333:userpool/us-east-1_example"
    )
    identity = CognitoIdentity(
        user_pool=pool,
        user_pool_client=cognito.UserPoolClient.from_user_pool_client_id(stack, "Client", "balancer"),
        user_pool_domain=cognito.UserPoolDomain.from_domain_name(stack, "Domain", "forum"),
    )
    ReviewerSignIn(stack, "SignIn", service=service, identity=identity, access=ReviewerAccess.by_group("moderators"))
    told = environment_of(stack)
    assert (told["REVIEW_GROUP"], told["REVIEW_POOL_CLIENT"]) == ("moderators", "balancer")
    suffix = {"Ref": "AWS::URLSuffix"}
    assert told["REVIEW_POOL"] == {"Fn::Join": ["", ["https://cognito-idp.us-east-1.", suffix, "/us-east-1_example"]]}


def test_the_app_warns_where_everybody_is_a_reviewer(
    stack: cdk.Stack, service: ScaledFargateService, oidc: OidcIdentity
) -> None:
    ReviewerSignIn(stack, "SignIn", service=service, identity=oidc)
    Annotations.from_stack(stack).has_warning(
        "/Stack/SignIn", Match.string_like_regexp("whoever the identity provider knows is a reviewer, and labels train")
    )
