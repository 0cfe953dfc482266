import aws_cdk as cdk
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_secretsmanager as secretsmanager

from cdk_fargate_sagemaker.review import CognitoIdentity, ReviewerAccess
from tests.constructs.minimal.fargate import scaled_fargate_service
from tests.constructs.minimal.review import imported_review_queue, oidc_identity, review_queue, reviewer_sign_in
from tests.constructs.wrong_inputs import WrongInput


def _cognito(stack: cdk.Stack) -> CognitoIdentity:
    pool = cognito.UserPool.from_user_pool_id(stack, "Pool", "us-east-1_1")
    client = cognito.UserPoolClient.from_user_pool_client_id(stack, "Client", "client")
    return CognitoIdentity(user_pool=pool, user_pool_client=client, user_pool_domain="sign-in.example.com")


WRONG = [
    WrongInput(
        "half-a-shard",
        lambda stack: review_queue(stack, shards=1.5),
        "shards: got 1.5, allowed: a whole number, 1 to 64",
    ),
    WrongInput(
        "text-for-shards",
        lambda stack: review_queue(stack, shards="4"),
        "shards: got '4', allowed: a whole number, 1 to 64; leave the quotes out",
    ),
    WrongInput(
        "text-for-a-sample",
        lambda stack: review_queue(stack, sample_percent="1"),
        "sample_percent: got '1', allowed: a number, 0 to 100; leave the quotes out",
    ),
    WrongInput(
        "seconds-for-a-lease",
        lambda stack: review_queue(stack, lease=900),
        "lease: got 900, allowed: a Duration of whole seconds, 10 seconds to 1 day; give Duration.seconds(900)",
    ),
    WrongInput(
        "no-decision-a-minute",
        lambda stack: review_queue(stack, decisions_a_minute=0),
        "decisions_a_minute: got 0, allowed: a whole number, 1 to 6000",
    ),
    WrongInput(
        "a-day-and-a-half-to-live",
        lambda stack: review_queue(stack, ttl=cdk.Duration.hours(36)),
        "ttl: got 1 day 12 hours, allowed: a Duration of whole days, 1 day to 3650 days",
    ),
    WrongInput(
        "a-quota-of-nothing",
        lambda stack: review_queue(stack, daily_quota=0),
        "daily_quota: got 0, allowed: a whole number, 1 to 100000000",
    ),
    WrongInput(
        "a-window-of-a-year",
        lambda stack: review_queue(stack, measured_window=cdk.Duration.days(365)),
        "measured_window: got 365 days, allowed: a Duration of whole days, 1 day to 90 days",
    ),
    WrongInput(
        "awss-own-namespace",
        lambda stack: review_queue(stack, metric_namespace="AWS/Reviews"),
        "metric_namespace: got 'AWS/Reviews', allowed: 1 to 255 letters",
    ),
    WrongInput(
        "a-keys-alias",
        lambda stack: review_queue(stack, encryption_key="alias/posts"),
        "encryption_key: got 'alias/posts', allowed: a kms.IKey; import it with kms.Key.from_key_arn",
    ),
    WrongInput(
        "a-tables-name",
        lambda stack: imported_review_queue(stack, table="posts"),
        "table: got 'posts', allowed: a dynamodb.ITable; import it with dynamodb.Table.from_table_attributes",
    ),
    WrongInput(
        "a-functions-name",
        lambda stack: imported_review_queue(stack, measuring_function="measure"),
        "measuring_function: got 'measure', allowed: a lambda_.IFunction; import it",
    ),
    WrongInput(
        "the-draws-secret-itself",
        lambda stack: imported_review_queue(stack, draw_secret="s3cret"),
        "draw_secret: got text, allowed: a secretsmanager.ISecret; import it with secretsmanager.Secret.from_secret",
    ),
    WrongInput(
        "a-namespace-with-a-blank-imported",
        lambda stack: imported_review_queue(stack, metric_namespace="My reviews"),
        "metric_namespace: got 'My reviews', allowed: 1 to 255 letters",
    ),
    WrongInput(
        "an-ecs-service-to-sign-in-to",
        lambda stack: reviewer_sign_in(stack, service=scaled_fargate_service(stack).service),
        "service: got a FargateService, allowed: ScaledFargateService; give the construct",
    ),
    WrongInput(
        "a-service-without-https",
        lambda stack: reviewer_sign_in(stack, service=scaled_fargate_service(stack)),
        "service: got one without a certificate, allowed: one that speaks HTTPS",
    ),
    WrongInput(
        "an-issuer-for-an-identity",
        lambda stack: reviewer_sign_in(stack, identity="https://sign-in.example.com"),
        "identity: got 'https://sign-in.example.com', allowed: OidcIdentity or CognitoIdentity",
    ),
    WrongInput(
        "a-claim-as-text",
        lambda stack: reviewer_sign_in(stack, access="moderators"),
        "access: got 'moderators', allowed: ReviewerAccess; give ReviewerAccess.by_claim(…), by_group",
    ),
    WrongInput(
        "a-group-without-a-pool",
        lambda stack: reviewer_sign_in(stack, access=ReviewerAccess.by_group("moderators")),
        "access: got the group 'moderators', allowed: by_claim or by_subjects with an OidcIdentity; groups of a user ",
    ),
    WrongInput(
        "a-scope-without-openid",
        lambda stack: reviewer_sign_in(stack, oauth_scope="email groups"),
        "oauth_scope: got 'email groups', allowed: text with openid in it; write 'openid email'",
    ),
    WrongInput(
        "one-subject-for-a-list",
        lambda stack: ReviewerAccess.by_subjects("hana"),
        "subjects: got 'hana', allowed: a list of subjects, each 1 to 128 letters, digits and signs",
    ),
    WrongInput(
        "nobody-for-subjects",
        lambda stack: ReviewerAccess.by_subjects([]),
        "subjects: got an empty list, allowed: a list of subjects",
    ),
    WrongInput(
        "two-subjects-in-one",
        lambda stack: ReviewerAccess.by_subjects(["hana ken"]),
        "subjects: got 'hana ken', allowed: a list of subjects, each 1 to 128 letters, digits and signs without blanks",
    ),
    WrongInput(
        "a-claim-of-no-value",
        lambda stack: ReviewerAccess.by_claim("groups", " "),
        "value: got ' ', allowed: text, not empty",
    ),
    WrongInput(
        "a-list-for-a-group",
        lambda stack: ReviewerAccess.by_group(["moderators"]),
        "group: got a list, allowed: text",
    ),
    WrongInput(
        "a-path-that-is-too-long",
        lambda stack: reviewer_sign_in(stack, page_paths=["/" + "a" * 128]),
        "page_paths: got '/aaaaa",
    ),
    WrongInput(
        "a-client-without-an-id",
        lambda stack: oidc_identity(client_id=""),
        "client_id: got '', allowed: text, not empty",
    ),
    WrongInput(
        "an-address-without-a-host",
        lambda stack: oidc_identity(issuer="https://"),
        "issuer: got 'https://', allowed: an https:// URL",
    ),
    WrongInput(
        "metrics-of-no-service",
        lambda stack: review_queue(stack).metric_stored(namespace="Moderation/Api", service_name=""),
        "service_name: got '', allowed: 1 to 255 characters of ASCII, not only spaces",
    ),
    WrongInput(
        "a-reader-by-name",
        lambda stack: review_queue(stack).grant_use("api"),
        "grantee: got 'api', allowed: an iam.IGrantable",
    ),
    WrongInput(
        "hours-for-a-session",
        lambda stack: reviewer_sign_in(stack, session_timeout=12),
        "session_timeout: got 12, allowed: a Duration of whole seconds, above 0, at most 7 days; give Duration.seconds",
    ),
    WrongInput(
        "one-path-for-a-list",
        lambda stack: reviewer_sign_in(stack, page_paths="/review"),
        "page_paths: got '/review', allowed: a list of 1 to 5 paths; put it in a list",
    ),
    WrongInput(
        "no-path",
        lambda stack: reviewer_sign_in(stack, api_paths=[]),
        "api_paths: got an empty list, allowed: a list of 1 to 5 paths",
    ),
    WrongInput(
        "a-path-without-a-slash",
        lambda stack: reviewer_sign_in(stack, page_paths=["review"]),
        "page_paths: got 'review', allowed: paths that begin with a slash; write '/review'",
    ),
    WrongInput(
        "half-a-priority",
        lambda stack: reviewer_sign_in(stack, priority=10.5),
        "priority: got 10.5, allowed: a whole number, 1 to 49999",
    ),
    WrongInput(
        "an-address-without-https",
        lambda stack: oidc_identity(token_endpoint="http://sign-in.example.com/token"),
        "token_endpoint: got 'http://sign-in.example.com/token', allowed: an https:// URL",
    ),
    WrongInput(
        "the-clients-secret-itself",
        lambda stack: oidc_identity(client_secret="s3cret"),
        "client_secret: got text, allowed: SecretValue; give SecretValue.secrets_manager(…)",
    ),
    WrongInput(
        "a-secret-for-its-value",
        lambda stack: oidc_identity(client_secret=secretsmanager.Secret(stack, "Client")),
        "client_secret: got a Secret, allowed: SecretValue; pass its secret_value",
    ),
    WrongInput(
        "a-domains-name",
        _cognito,
        "user_pool_domain: got 'sign-in.example.com', allowed: a domain of the user pool; import it with cognito.User",
    ),
]
