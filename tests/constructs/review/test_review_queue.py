from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Match, Template

from cdk_fargate_sagemaker.monitoring import ReviewDashboard
from cdk_fargate_sagemaker.review import IReviewQueue, ReviewQueue
from tests.policy_elements import listed


def test_one_query_finds_the_most_probable_post_that_waits(stack: cdk.Stack) -> None:
    ReviewQueue(stack, "Reviews")
    Template.from_stack(stack).has_resource_properties(
        "AWS::DynamoDB::Table",
        {
            "KeySchema": [
                {"AttributeName": "post", "KeyType": "HASH"},
                {"AttributeName": "entry", "KeyType": "RANGE"},
            ],
            "GlobalSecondaryIndexes": [
                {
                    "IndexName": "queue",
                    "KeySchema": [
                        {"AttributeName": "queue", "KeyType": "HASH"},
                        {"AttributeName": "priority", "KeyType": "RANGE"},
                    ],
                    "Projection": {
                        "ProjectionType": "INCLUDE",
                        "NonKeyAttributes": ["lease_until", "leased_by", "first_reviewer"],
                    },
                },
                {
                    "IndexName": "oldest",
                    "KeySchema": [
                        {"AttributeName": "queue", "KeyType": "HASH"},
                        {"AttributeName": "received", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                },
            ],
            "AttributeDefinitions": Match.array_with([{"AttributeName": "priority", "AttributeType": "N"}]),
        },
    )


def test_the_table_is_on_demand_encrypted_recoverable_and_forgets(stack: cdk.Stack) -> None:
    reviews = ReviewQueue(stack, "Reviews")
    Template.from_stack(stack).has_resource(
        "AWS::DynamoDB::Table",
        {
            "DeletionPolicy": "Retain",
            "Properties": {
                "BillingMode": "PAY_PER_REQUEST",
                "SSESpecification": {
                    "SSEEnabled": True,
                    "SSEType": "KMS",
                    "KMSMasterKeyId": stack.resolve(reviews.encryption_key.key_arn),
                },
                "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
                "TimeToLiveSpecification": {"AttributeName": "expires", "Enabled": True},
                "DeletionProtectionEnabled": True,
            },
        },
    )


def test_a_key_of_its_own_turns_and_one_that_is_given_is_used(stack: cdk.Stack) -> None:
    ReviewQueue(stack, "Reviews")
    template = Template.from_stack(stack)
    template.has_resource(
        "AWS::KMS::Key", {"DeletionPolicy": "RetainExceptOnCreate", "Properties": {"EnableKeyRotation": True}}
    )
    other = cdk.Stack(cdk.App(), "Other")
    ReviewQueue(other, "Reviews", encryption_key=kms.Key(other, "Mine"))
    Template.from_stack(other).resource_count_is("AWS::KMS::Key", 1)


def test_a_table_that_may_go_is_not_protected(stack: cdk.Stack) -> None:
    ReviewQueue(stack, "Reviews", removal_policy=RemovalPolicy.DESTROY)
    Template.from_stack(stack).has_resource(
        "AWS::DynamoDB::Table", {"DeletionPolicy": "Delete", "Properties": {"DeletionProtectionEnabled": False}}
    )


def test_the_service_is_told_the_settings(stack: cdk.Stack) -> None:
    reviews = ReviewQueue(
        stack,
        "Reviews",
        shards=4,
        sample_percent=0.5,
        second_percent=10,
        lease=Duration.minutes(5),
        ttl=Duration.days(30),
        daily_quota=2_000_000,
        decisions_a_minute=30,
    )
    assert stack.resolve(reviews.environment) == {
        "REVIEW_TABLE": stack.resolve(reviews.table.table_name),
        "REVIEW_SHARDS": "4",
        "REVIEW_SAMPLE_PERCENT": "0.5",
        "REVIEW_SECOND_PERCENT": "10",
        "REVIEW_LEASE_SECONDS": "300",
        "REVIEW_DAILY_QUOTA": "2000000",
        "REVIEW_DECISIONS_A_MINUTE": "30",
        "REVIEW_TTL_DAYS": "30",
    }
    assert "REVIEW_TTL_DAYS" not in ReviewQueue(stack, "Forever", ttl=None).environment


def test_what_is_stored_is_bounded_unless_something_else_is_said(stack: cdk.Stack) -> None:
    environment = ReviewQueue(stack, "Reviews").environment
    assert (environment["REVIEW_DAILY_QUOTA"], environment["REVIEW_TTL_DAYS"]) == ("100000", "90")


def test_a_secret_that_nobody_knows_draws(stack: cdk.Stack) -> None:
    reviews = ReviewQueue(stack, "Reviews")
    Template.from_stack(stack).has_resource(
        "AWS::SecretsManager::Secret",
        {
            "DeletionPolicy": "RetainExceptOnCreate",
            "Properties": {
                "GenerateSecretString": {"PasswordLength": 64, "ExcludePunctuation": True},
                "KmsKeyId": stack.resolve(reviews.encryption_key.key_arn),
                "SecretString": Match.absent(),
            },
        },
    )


@pytest.mark.parametrize("imported", [False, True])
def test_a_task_of_another_stack_is_started_with_the_secret_and_reads_no_other(imported: bool) -> None:
    app = cdk.App()
    before, after = (cdk.Stack(app, name, env=cdk.Environment(region="us-east-1")) for name in ("Before", "After"))
    reviews = ReviewQueue(before, "Reviews")
    secret: secretsmanager.ISecret = reviews.draw_secret
    used: IReviewQueue = reviews
    if imported:
        key = kms.Key.from_key_arn(after, "Key", "arn:aws:kms:us-east-1:111122223333:key/reviews")
        arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:draws-AbCdEf"
        secret = secretsmanager.Secret.from_secret_attributes(
            after, "Secret", secret_complete_arn=arn, encryption_key=key
        )
        table = dynamodb.Table.from_table_name(after, "Table", "reviews")
        used = ReviewQueue.from_review_queue_attributes(after, "Used", table=table, draw_secret=secret)
    task = ecs.FargateTaskDefinition(after, "Task")
    task.add_container("api", image=ecs.ContainerImage.from_registry("api"), secrets=used.secrets)
    template = Template.from_stack(after)
    # References to the stack before are known now.
    arn = after.resolve(secret.secret_arn)
    assert secret.encryption_key is not None
    template.has_resource_properties(
        "AWS::ECS::TaskDefinition",
        {"ContainerDefinitions": [Match.object_like({"Secrets": [{"Name": "REVIEW_DRAW_SECRET", "ValueFrom": arn}]})]},
    )
    assert statements_of(after, "TaskExecutionRole") == [
        {"Action": "secretsmanager:GetSecretValue", "Effect": "Allow", "Resource": arn},
        {
            "Action": "kms:Decrypt",
            "Effect": "Allow",
            "Resource": after.resolve(secret.encryption_key.key_arn),
            "Condition": {"StringLike": {"kms:ViaService": "secretsmanager.us-east-1.amazonaws.com*"}},
        },
    ]


def test_use_deletes_and_scans_nothing_and_is_of_this_table_and_key(stack: cdk.Stack) -> None:
    reviews = ReviewQueue(stack, "Reviews")
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"))
    reviews.grant_use(role)
    statements = statements_of(stack, "RoleDefaultPolicy")
    allowed: dict[str, set[str]] = {}
    for statement in statements:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        allowed.setdefault(str(statement["Resource"]), set()).update(actions)
    table, key = stack.resolve(reviews.table.table_arn), stack.resolve(reviews.encryption_key.key_arn)
    index = stack.resolve(f"{reviews.table.table_arn}/index/queue")
    assert set(allowed) == {str(table), str(index), str(key)}
    assert allowed[str(index)] == {"dynamodb:Query"}
    assert allowed[str(table)] == {
        "dynamodb:BatchGetItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
    }


def statements_of(stack: cdk.Stack, prefix: str) -> list[dict[str, Any]]:
    policies = Template.from_stack(stack).find_resources("AWS::IAM::Policy")
    (policy,) = (found for name, found in policies.items() if name.startswith(prefix))
    statements: list[dict[str, Any]] = policy["Properties"]["PolicyDocument"]["Statement"]
    return statements


def test_what_measures_reads_counts_and_never_a_post(stack: cdk.Stack) -> None:
    reviews = ReviewQueue(stack, "Reviews")
    table = stack.resolve(reviews.table.table_arn)
    index = stack.resolve(f"{reviews.table.table_arn}/index/oldest")
    everything = statements_of(stack, "ReviewsMeasures")
    queries = [statement for statement in everything if statement["Action"] == "dynamodb:Query"]
    assert queries == [
        {
            "Action": "dynamodb:Query",
            "Effect": "Allow",
            "Resource": table,
            "Condition": {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["day#*", "received#*"]}},
        },
        {"Action": "dynamodb:Query", "Effect": "Allow", "Resource": index},
    ]
    (put,) = [statement for statement in everything if statement["Action"] == "cloudwatch:PutMetricData"]
    assert put["Condition"] == {"StringEquals": {"cloudwatch:namespace": "Reviews"}}
    actions = {action for statement in everything for action in listed(statement["Action"])}
    assert {action for action in actions if action.startswith(("dynamodb:", "kms:", "cloudwatch:"))} == {
        "dynamodb:Query",
        "kms:Decrypt",
        "cloudwatch:PutMetricData",
    }


def test_it_is_measured_every_five_minutes(stack: cdk.Stack) -> None:
    ReviewQueue(stack, "Reviews", shards=4, measured_window=Duration.days(7))
    template = Template.from_stack(stack)
    template.has_resource_properties("AWS::Events::Rule", {"ScheduleExpression": "rate(5 minutes)"})
    template.has_resource_properties(
        "AWS::Lambda::Function",
        {
            "Handler": "review_measures.handler",
            "Environment": {
                "Variables": Match.object_like({"SHARDS": "4", "WINDOW_DAYS": "7", "METRIC_NAMESPACE": "Reviews"})
            },
        },
    )


def spread(name: str, metrics: Any) -> dict[str, Any]:
    return {f"{name}{part}": metric for part, metric in zip(("Median", "P90", "Most"), metrics, strict=True)}


def test_metrics_are_of_the_table_and_of_the_service(stack: cdk.Stack) -> None:
    reviews = ReviewQueue(stack, "Reviews")
    table = stack.resolve(reviews.table.table_name)
    metrics = {
        "Waiting": reviews.metric_waiting(),
        "OldestAge": reviews.metric_oldest_age(),
        "Decisions": reviews.metric_decisions_a_day(),
        "Precision": reviews.metric_precision(),
        "PrecisionLow": reviews.metric_precision_interval()[0],
        "PrecisionHigh": reviews.metric_precision_interval()[1],
        "Recall": reviews.metric_recall(),
        "RecallLow": reviews.metric_recall_interval()[0],
        "RecallHigh": reviews.metric_recall_interval()[1],
        "Agreement": reviews.metric_agreement(),
        "Reviewers": reviews.metric_reviewers(),
        **spread("ReviewerDecisions", reviews.metric_reviewer_decisions()),
        **spread("DecisionSeconds", reviews.metric_decision_seconds()),
        **spread("SeverePercent", reviews.metric_severe_percent()),
    }
    of_days = {"Decisions", "Reviewers", *spread("ReviewerDecisions", reviews.metric_reviewer_decisions())}
    for name, metric in metrics.items():
        assert (metric.namespace, metric.metric_name, metric.statistic) == ("Reviews", name, "Maximum")
        assert stack.resolve(metric.dimensions) == {"table": table}
        assert metric.period.to_minutes() == (1440 if name in of_days else 5)
    for name, metric in (
        ("PrecisionAtMost", reviews.metric_precision_at_most()),
        ("RecallAtMost", reviews.metric_recall_at_most()),
    ):
        assert (metric.metric_name, metric.statistic, metric.period.to_minutes()) == (name, "Minimum", 1440)
    decisions = reviews.metric_decisions(namespace="Moderation/Api", service_name="a")
    assert (decisions.namespace, decisions.metric_name) == ("Moderation/Api", "ReviewDecisions")
    assert decisions.dimensions == {"service": "a"}
    assert reviews.metric_stored(namespace="Moderation/Api", service_name="a").metric_name == "ReviewStored"
    metric_throttled = reviews.metric_throttled()
    assert isinstance(metric_throttled, cloudwatch.MathExpression)
    alarm = metric_throttled.create_alarm(stack, "Throttled", threshold=1, evaluation_periods=1)
    resource = alarm.node.default_child
    assert isinstance(resource, cloudwatch.CfnAlarm)
    throttled = stack.resolve(resource.metrics)
    assert {one["metricStat"]["metric"]["metricName"] for one in throttled if "metricStat" in one} == {
        "ThrottledRequests"
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shards": 0}, "shards: got 0, allowed: a whole number, 1 to 64"),
        ({"shards": 65}, "shards: got 65, allowed: a whole number, 1 to 64"),
        ({"sample_percent": 101}, "sample_percent: got 101, allowed: a number, 0 to 100"),
        ({"second_percent": -1}, "second_percent: got -1, allowed: a number, 0 to 100"),
        ({"lease": Duration.seconds(9)}, "lease: got 9 seconds, allowed: a Duration of whole seconds, 10 seconds"),
        ({"measured_window": Duration.hours(36)}, "measured_window: got 1 day 12 hours, allowed: a Duration of whole"),
        (
            {"measured_window": Duration.days(91)},
            "measured_window: got 91 days, allowed: a Duration of whole days, 1 day",
        ),
        ({"ttl": Duration.hours(23)}, "ttl: got 23 hours, allowed: a Duration of whole days, 1 day"),
    ],
)
def test_refuses_what_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ReviewQueue(cdk.Stack(cdk.App(), "Stack"), "Reviews", **options)


def test_what_is_measured_is_put_into_the_namespace_that_is_given(stack: cdk.Stack) -> None:
    reviews = ReviewQueue(stack, "Reviews", metric_namespace="Forum/Moderators")
    assert reviews.metric_waiting().namespace == "Forum/Moderators"
    (put,) = [s for s in statements_of(stack, "ReviewsMeasures") if s["Action"] == "cloudwatch:PutMetricData"]
    assert put["Condition"] == {"StringEquals": {"cloudwatch:namespace": "Forum/Moderators"}}
    Template.from_stack(stack).has_resource_properties(
        "AWS::Lambda::Function",
        {"Environment": {"Variables": Match.object_like({"METRIC_NAMESPACE": "Forum/Moderators"})}},
    )


@pytest.mark.parametrize("namespace", ["", "AWS/Reviews", "Reviews of posts", "r" * 256])
def test_refuses_a_namespace_that_cloudwatch_does_not_take(stack: cdk.Stack, namespace: str) -> None:
    with pytest.raises(ValueError, match="metric_namespace: got"):
        ReviewQueue(stack, "Reviews", metric_namespace=namespace)


def test_a_queue_of_another_app_is_used_and_drawn(stack: cdk.Stack) -> None:
    key = kms.Key.from_key_arn(stack, "Key", "arn:aws:kms:us-east-1:111122223333:key/reviews")
    table = dynamodb.Table.from_table_attributes(stack, "Table", table_name="reviews", encryption_key=key)
    reviews = ReviewQueue.from_review_queue_attributes(
        stack, "Reviews", table=table, shards=4, daily_quota=5000, metric_namespace="Forum/Reviews"
    )
    assert stack.resolve(reviews.environment) == {
        "REVIEW_TABLE": "reviews",
        "REVIEW_SHARDS": "4",
        "REVIEW_SAMPLE_PERCENT": "1",
        "REVIEW_SECOND_PERCENT": "5",
        "REVIEW_LEASE_SECONDS": "900",
        "REVIEW_DAILY_QUOTA": "5000",
        "REVIEW_DECISIONS_A_MINUTE": "60",
        "REVIEW_TTL_DAYS": "90",
    }
    assert reviews.metric_waiting().namespace == "Forum/Reviews"
    with pytest.raises(ValueError, match="measuring_function: got none, allowed: that of the queue"):
        reviews.metric_measuring_failed()
    with pytest.raises(ValueError, match="draw_secret: got none, allowed: that of the queue; import the queue with it"):
        _ = reviews.secrets
    ReviewDashboard(stack, "Monitor", reviews=reviews)
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"))
    reviews.grant_use(role)
    of_resource = {str(s["Resource"]): s["Action"] for s in statements_of(stack, "RoleDefaultPolicy")}
    assert of_resource[str(stack.resolve(f"{table.table_arn}/index/queue"))] == "dynamodb:Query"
    assert "kms:Decrypt" in of_resource[key.key_arn]
    assert "dynamodb:PutItem" in of_resource[str(stack.resolve(table.table_arn))]
    Template.from_stack(stack).resource_count_is("AWS::DynamoDB::Table", 0)


def test_an_imported_queue_without_a_key_and_with_its_function(stack: cdk.Stack) -> None:
    function = lambda_.Function.from_function_name(stack, "Measures", "measures")
    reviews = ReviewQueue.from_review_queue_attributes(
        stack,
        "Reviews",
        table=dynamodb.Table.from_table_name(stack, "Table", "reviews"),
        measuring_function=function,
    )
    assert reviews.metric_measuring_failed().dimensions == {"FunctionName": function.function_name}
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"))
    reviews.grant_use(role)
    assert not any("kms" in str(statement) for statement in statements_of(stack, "RoleDefaultPolicy"))
    with pytest.raises(ValueError, match="shards: got 65, allowed: a whole number, 1 to 64"):
        ReviewQueue.from_review_queue_attributes(stack, "Wrong", table=reviews.table, shards=65)
