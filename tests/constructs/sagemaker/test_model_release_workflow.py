import json
from collections.abc import Callable, Iterator
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Match, Template

from cdk_fargate_sagemaker.sagemaker import (
    DynamoDbExport,
    EndpointConfiguration,
    EndpointVariant,
    LabelledData,
    ModelImage,
    ModelReleaseWorkflow,
    ReviewDecisions,
    TrafficShifting,
    TrainingJob,
)
from tests.constructs.read_only import public_attributes
from tests.policy_elements import listed


def statements_of(template: Template, role_id: str) -> Iterator[dict[str, Any]]:
    """What a role of the workflow may do, found by the start of its logical id."""
    kinds = ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
    # The CDK puts what is too long for a role's inline policies into a managed one.
    for policy in (policy for kind in kinds for policy in template.find_resources(kind).values()):
        roles = [role["Ref"] for role in policy["Properties"]["Roles"]]
        if any(role.startswith(role_id) for role in roles):
            yield from policy["Properties"]["PolicyDocument"]["Statement"]


def allowing(template: Template, role_id: str, action: str) -> list[dict[str, Any]]:
    return [s for s in statements_of(template, role_id) if action in listed(s["Action"])]


def shown(resource: Any) -> str:
    return json.dumps(resource)


ROLES = (
    "ReleaseRole",
    "ReleaseRollbackRole",
    "ReleaseSageMakerRole",
    "ReleaseTrainingRole",
    "ReleaseExtractorRole",
    "ReleaseEvaluatorRole",
    "ReleaseCheckerRole",
    "ReleaseRecordsLedgerRole",
    "ReleaseRecordsCleanerRole",
    "ReleaseRecordsFilesRole",
)
ROLES_OF_EVERYTHING = (
    *ROLES,
    "ReleaseEndRemoverRole",
    "ReleaseProcessingRole",
    "ReleaseRollbackStarterRole",
    "ReleaseScheduleRole",
    "ReleaseStarterRole",
)


@pytest.fixture(scope="module")
def whole(make_workflow: Callable[..., ModelReleaseWorkflow], everything: Any) -> Template:
    """The template of a workflow that has everything."""
    stack = cdk.Stack(cdk.App(), "Stack")
    return Template.from_stack(cdk.Stack.of(make_workflow(stack=stack, **everything(stack))))


def passed_roles(template: Template, by: str = "ReleaseRole") -> set[str]:
    # One for each call that passes a role; an app that minimises policies has them in one.
    found = set()
    for statement in allowing(template, by, "iam:PassRole"):
        assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
        resources = listed(statement["Resource"])
        found |= {resource["Fn::GetAtt"][0].rstrip("0123456789ABCDEF") for resource in resources}
    return found


def test_workflow_and_ledger_pass_exactly_the_roles_of_jobs_and_endpoint(template: Template, whole: Template) -> None:
    jobs = {"ReleaseTrainingRole", "ReleaseSageMakerRole"}
    assert passed_roles(template) == jobs
    assert passed_roles(whole) == jobs | {"ReleaseProcessingRole"}
    # It makes a model again that somebody deleted.
    ledger = "ReleaseRecordsLedgerRole"
    assert passed_roles(whole, ledger) == {"ReleaseSageMakerRole"}
    for other in set(ROLES_OF_EVERYTHING[1:]) - {ledger}:
        assert not allowing(whole, other, "iam:PassRole")


@pytest.mark.parametrize("role", ROLES_OF_EVERYTHING)
def test_a_role_has_a_wildcard_only_for_actions_that_take_no_resource(whole: Template, role: str) -> None:
    found = list(statements_of(whole, role))
    assert found
    unlimited = {action for s in found if "*" in listed(s["Resource"]) for action in listed(s["Action"])}
    # What X-Ray, the delivery of logs, metrics, networks and ECR's log-in take no resource for.
    assert unlimited <= {
        "cloudwatch:PutMetricData",
        "ec2:DescribeDhcpOptions",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
        "ecr:GetAuthorizationToken",
        "logs:CreateLogDelivery",
        "logs:DeleteLogDelivery",
        "logs:DescribeLogGroups",
        "logs:DescribeResourcePolicies",
        "logs:GetLogDelivery",
        "logs:ListLogDeliveries",
        "logs:PutResourcePolicy",
        "logs:UpdateLogDelivery",
        "xray:GetSamplingRules",
        "xray:GetSamplingTargets",
        "xray:PutTelemetryRecords",
        "xray:PutTraceSegments",
    }
    assert not [action for s in found for action in listed(s["Action"]) if "*" in action]
    assert not whole.find_resources("AWS::IAM::Role", {"Properties": {"ManagedPolicyArns": Match.any_value()}})


def test_no_role_is_without_a_test_of_its_wildcards(whole: Template) -> None:
    ours = {name for name in whole.find_resources("AWS::IAM::Role") if name.startswith("Release")}
    assert {name.rstrip("0123456789ABCDEF") for name in ours} == set(ROLES_OF_EVERYTHING)


@pytest.mark.parametrize(
    ("action", "resources"),
    [
        ("sagemaker:CreateTrainingJob", ["training-job/moderation-dev-*"]),
        ("sagemaker:StopTrainingJob", ["training-job/moderation-dev-*"]),
        ("sagemaker:CreateModel", ["model/moderation-dev-*"]),
        ("sagemaker:CreateEndpointConfig", ["endpoint-config/moderation-dev-*"]),
        ("sagemaker:CreateEndpoint", ["endpoint/moderation-dev", "endpoint-config/moderation-dev-*"]),
        ("sagemaker:UpdateEndpoint", ["endpoint/moderation-dev", "endpoint-config/moderation-dev-*"]),
        ("sagemaker:DescribeEndpoint", ["endpoint/moderation-dev"]),
        ("sagemaker:StopProcessingJob", ["processing-job/moderation-dev-*"]),
        ("sagemaker:StopTransformJob", ["transform-job/moderation-dev-*"]),
        ("states:StopExecution", ["execution:moderation-dev-rollback:*"]),
        (
            "events:PutRule",
            [
                f"rule/StepFunctionsGetEventsFor{kind}Rule"
                for kind in (
                    "SageMakerTrainingJobs",
                    "SageMakerProcessingJobs",
                    "SageMakerTransformJobs",
                    "StepFunctionsExecution",
                )
            ],
        ),
    ],
)
def test_the_workflow_touches_what_it_makes(whole: Template, action: str, resources: list[str]) -> None:
    statements = allowing(whole, "ReleaseRole", action)
    arns = [resource["Fn::Join"][1] for s in statements for resource in listed(s["Resource"])]
    # In the order of the calls, from the last state to the first.
    assert sorted(arn[-1].removeprefix(":") for arn in arns) == sorted(resources)


@pytest.mark.parametrize("action", ["sagemaker:DeleteModel", "sagemaker:DeleteEndpointConfig"])
def test_the_cleaner_alone_deletes_and_only_what_releases_made(template: Template, action: str) -> None:
    (statement,) = allowing(template, "ReleaseRecordsCleanerRole", action)
    assert shown(statement["Resource"]).endswith('/moderation-dev-*"]]}')
    for role in set(ROLES) - {"ReleaseRecordsCleanerRole"}:
        assert not allowing(template, role, action)


def test_the_rollback_alone_deletes_the_endpoint(template: Template) -> None:
    (statement,) = allowing(template, "ReleaseRollbackRole", "sagemaker:DeleteEndpoint")
    assert shown(statement["Resource"]).endswith(':endpoint/moderation-dev"]]}')
    for role in set(ROLES) - {"ReleaseRollbackRole"}:
        assert not allowing(template, role, "sagemaker:DeleteEndpoint")


def test_the_workflow_starts_its_rollback_and_nothing_else(template: Template) -> None:
    (statement,) = allowing(template, "ReleaseRole", "states:StartExecution")
    assert statement["Resource"]["Ref"].startswith("ReleaseRollbackStateMachine")


def test_scaling_is_allowed_for_variants_alone(template: Template, whole: Template) -> None:
    for role in ("ReleaseRole", "ReleaseRollbackRole"):
        (statement,) = allowing(whole, role, "application-autoscaling:RegisterScalableTarget")
        assert statement["Condition"]["StringEquals"]["application-autoscaling:service-namespace"] == "sagemaker"
        assert not allowing(template, role, "application-autoscaling:RegisterScalableTarget")


def test_athena_is_asked_about_the_named_tables(whole: Template) -> None:
    (glue,) = allowing(whole, "ReleaseRole", "glue:GetTable")
    arns = [resource["Fn::Join"][1][-1] for resource in glue["Resource"]]
    assert [arn.removeprefix(":") for arn in arns] == ["catalog", "database/moderation", "table/moderation/posts"]
    reads = [shown(s["Resource"]) for s in allowing(whole, "ReleaseRole", "s3:GetObject")]
    assert any("warehouse/posts/*" in read for read in reads)


def test_athena_may_look_at_the_default_database_and_at_nothing_in_it(whole: Template) -> None:
    def ends(statement: dict[str, Any]) -> list[str]:
        return [resource["Fn::Join"][1][-1].removeprefix(":") for resource in listed(statement["Resource"])]

    (default,) = [s for s in allowing(whole, "ReleaseRole", "glue:GetDatabase") if "database/default" in ends(s)]
    assert default["Action"] == "glue:GetDatabase"
    assert ends(default) == ["catalog", "database/default"]


def test_an_export_is_allowed_of_the_table(
    make_workflow: Callable[..., ModelReleaseWorkflow],
) -> None:
    stack = cdk.Stack(cdk.App(), "Stack")
    table = dynamodb.Table.from_table_name(stack, "Posts", "posts")
    template = Template.from_stack(cdk.Stack.of(make_workflow(stack=stack, source=DynamoDbExport(table=table))))
    (export,) = allowing(template, "ReleaseRole", "dynamodb:ExportTableToPointInTime")
    assert shown(export["Resource"]).endswith(':table/posts"]]}')
    (describe,) = allowing(template, "ReleaseRole", "dynamodb:DescribeExport")
    assert shown(describe["Resource"]).endswith(':table/posts/export/*"]]}')
    assert extractors_objects(template, "s3:GetObject") == ["/runs/*", "/sides/*"]


def extractors_objects(template: Template, action: str) -> list[str]:
    return [
        arn["Fn::Join"][1][-1]
        for statement in allowing(template, "ReleaseExtractorRole", action)
        for arn in listed(statement["Resource"])
    ]


def test_of_the_reviewers_table_the_release_gets_an_export_and_the_starter_counters(whole: Template) -> None:
    (export,) = allowing(whole, "ReleaseRole", "dynamodb:ExportTableToPointInTime")
    assert shown(export["Resource"]).endswith(':table/reviewed"]]}')
    assert extractors_objects(whole, "s3:GetObject") == ["/runs/*", "/sides/*"]
    key = "arn:aws:kms:us-east-1:123456789012:key/reviewed"
    for role in ("ReleaseRole", "ReleaseStarterRole"):
        (decrypt,) = [s for s in allowing(whole, role, "kms:Decrypt") if key in listed(s["Resource"])]
        assert sorted(decrypt["Action"]) == ["kms:Decrypt", "kms:DescribeKey"]
        assert "dynamodb." in shown(decrypt["Condition"]["StringLike"]["kms:ViaService"])
    (counters,) = [s for s in allowing(whole, "ReleaseStarterRole", "dynamodb:Query") if "reviewed" in shown(s)]
    assert counters["Action"] == "dynamodb:Query"
    assert counters["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["day#*"]}}
    for action in ("dynamodb:Scan", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"):
        assert not allowing(whole, "ReleaseStarterRole", action)


def test_reviews_beside_posts_in_the_bucket_are_read_and_nothing_else_of_a_run(
    make_workflow: Callable[..., ModelReleaseWorkflow],
) -> None:
    stack = cdk.Stack(cdk.App(), "Stack")
    table = dynamodb.Table.from_table_name(stack, "Reviews", "reviews")
    template = Template.from_stack(
        cdk.Stack.of(make_workflow(stack=stack, source=LabelledData(reviews=ReviewDecisions(table=table))))
    )
    assert extractors_objects(template, "s3:GetObject") == ["/posts/*", "/runs/*/reviews/*", "/sides/*"]
    assert not allowing(template, "ReleaseStarterRole", "states:StartExecution")


def test_enough_new_labels_are_looked_for_every_hour(whole: Template) -> None:
    (function,) = [
        f for f in whole.find_resources("AWS::Lambda::Function").values()
        if f["Properties"]["Handler"] == "release_starter.handler"
    ]  # fmt: skip
    assert function["Properties"]["Environment"]["Variables"]["NEW_LABELS"] == "500"
    (rule,) = [
        r["Properties"] for r in whole.find_resources("AWS::Events::Rule").values()
        if r["Properties"].get("ScheduleExpression") == "rate(1 hour)"
    ]  # fmt: skip
    (target,) = rule["Targets"]
    undelivered = function["Properties"]["DeadLetterConfig"]["TargetArn"]
    assert target["DeadLetterConfig"]["Arn"] == undelivered
    assert "UndeliveredEvents" in shown(undelivered)


def test_the_workflow_invokes_its_functions_and_no_version_of_them(template: Template) -> None:
    def invoked(role: str) -> set[str]:
        statements = allowing(template, role, "lambda:InvokeFunction")
        arns = [r["Fn::GetAtt"][0] for s in statements for r in listed(s["Resource"])]
        return {name.rstrip("0123456789ABCDEF").removesuffix("Function") for name in arns}

    records = {"ReleaseRecordsLedger", "ReleaseRecordsCleaner", "ReleaseRecordsFiles"}
    assert invoked("ReleaseRollbackRole") == records
    assert invoked("ReleaseRole") == records | {"ReleaseExtractor", "ReleaseEvaluator", "ReleaseChecker"}


@pytest.mark.parametrize(
    ("role", "reads", "writes"),
    [
        # Nowhere that a model is served from, and not where the posts lie that it is tested with.
        ("ReleaseTrainingRole", ["/pretrained/1/*", "/runs/*"], ["/runs/*/checkpoints/*", "/runs/*/trained/*"]),
        ("ReleaseProcessingRole", ["/runs/*"], ["/runs/*/preprocessed/*"]),
        # A transform job of the current model acts as the role of that model.
        ("ReleaseSageMakerRole", ["/models/*", "/runs/*/texts/*"], ["/runs/*/current/*"]),
        ("ReleaseEvaluatorRole", ["/runs/*"], []),
        ("ReleaseRecordsFilesRole", ["/models/*", "/runs/*/trained/*"], ["/models/*"]),
        ("ReleaseCheckerRole", ["/models/*", "/runs/*"], []),
    ],
)
def test_each_role_reads_and_writes_where_its_step_does(
    whole: Template, role: str, reads: list[str], writes: list[str]
) -> None:
    def below(action: str) -> list[str]:
        found = [r for s in allowing(whole, role, action) for r in listed(s["Resource"])]
        return [r["Fn::Join"][1][-1] for r in found if "warehouse" not in shown(r)]

    assert sorted(below("s3:GetObject")) == reads
    assert sorted(below("s3:PutObject")) == writes


def test_sagemaker_alone_takes_the_roles_of_jobs(template: Template) -> None:
    template.has_resource_properties(
        "AWS::IAM::Role",
        {
            "AssumeRolePolicyDocument": {
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Action": "sts:AssumeRole",
                        "Principal": {"Service": "sagemaker.amazonaws.com"},
                        "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
                    }
                ]
            }
        },
    )


def test_the_extractor_reads_posts_and_writes_runs_and_sides(template: Template) -> None:
    assert extractors_objects(template, "s3:GetObject") == ["/posts/*", "/sides/*"]
    assert extractors_objects(template, "s3:PutObject") == ["/runs/*", "/sides/*"]
    assert not allowing(template, "ReleaseExtractorRole", "s3:DeleteObject")


def test_the_extractor_alone_reads_the_secret_that_draws_sides(template: Template) -> None:
    (secret,) = template.find_resources("AWS::SecretsManager::Secret")
    (function,) = [
        one["Properties"]
        for one in template.find_resources("AWS::Lambda::Function").values()
        if one["Properties"]["Handler"] == "training_data_extractor.handler"
    ]
    assert function["Environment"]["Variables"] == {"SIDE_SECRET_ARN": {"Ref": secret}}
    holders = [
        name
        for name, policy in template.find_resources("AWS::IAM::Policy").items()
        if "secretsmanager:GetSecretValue" in shown(policy)
    ]
    assert [name.startswith("ReleaseExtractorRole") for name in holders] == [True]
    (read,) = allowing(template, "ReleaseExtractorRole", "secretsmanager:GetSecretValue")
    assert read["Resource"] == {"Ref": secret}
    conditions = [
        statement["Condition"]["StringLike"]["kms:ViaService"]
        for statement in allowing(template, "ReleaseExtractorRole", "kms:Decrypt")
        if "Condition" in statement
    ]
    assert "secretsmanager." in shown(conditions)


def test_the_checker_may_invoke_this_endpoint_alone(template: Template) -> None:
    (statement,) = allowing(template, "ReleaseCheckerRole", "sagemaker:InvokeEndpoint")
    assert statement["Resource"]["Fn::Join"][1][-1] == ":endpoint/moderation-dev"


def test_the_workflow_may_encrypt_what_it_publishes(template: Template) -> None:
    assert allowing(template, "ReleaseRole", "sns:Publish")
    (statement,) = allowing(template, "ReleaseRole", "kms:GenerateDataKey")
    assert statement["Resource"]["Fn::GetAtt"][0].startswith("AlertsKey")


def test_volumes_are_encrypted_by_grants_for_services_alone(template: Template) -> None:
    for role in ("ReleaseRole", "ReleaseSageMakerRole", "ReleaseTrainingRole"):
        (statement,) = allowing(template, role, "kms:CreateGrant")
        assert statement["Condition"] == {"Bool": {"kms:GrantIsForAWSResource": "true"}}


def test_the_state_machine_is_logged_traced_and_ends(template: Template) -> None:
    template.has_resource_properties(
        "AWS::StepFunctions::StateMachine",
        {
            "StateMachineName": "moderation-dev-release",
            "LoggingConfiguration": {"Level": "ALL", "IncludeExecutionData": False},
            "TracingConfiguration": {"Enabled": True},
        },
    )


def test_it_has_time_for_what_each_part_may_take(definition: dict[str, Any]) -> None:
    in_service = 45 * 60 + 10 * 60
    rollback = 2 * in_service + 60 * 60
    # Training and its hour, the transform job and its hour, the endpoint, the rollback, and the rest.
    assert definition["TimeoutSeconds"] == (4 + 1 + 2 + 1 + 2) * 3600 + in_service + rollback
    assert definition["States"]["Roll-Back"]["TimeoutSeconds"] == rollback - 5 * 60


def test_it_has_time_for_each_step_of_instances(
    make_workflow: Callable[..., ModelReleaseWorkflow], definition_of: Callable[..., dict[str, Any]]
) -> None:
    workflow = make_workflow(
        configuration=EndpointConfiguration(variants=[EndpointVariant(count=8)]),
        traffic_shifting=TrafficShifting.linear(instances=1, wait=cdk.Duration.minutes(30)),
    )
    states = definition_of(Template.from_stack(cdk.Stack.of(workflow)), "-release")["States"]
    # 45 minutes for the instances, seven waits between eight steps, ten minutes for the old ones; two looks a minute.
    polls = (45 + 7 * 30 + 10) * 2
    assert any(f"$polls >= {polls}" in choice["Condition"] for choice in states["In-Service"]["Choices"])


def ended(machine: str, own_errors: list[str], **further: object) -> dict[str, Any]:
    return {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {
            "stateMachineArn": [{"Ref": machine}],
            "$or": [
                {"status": ["TIMED_OUT", "ABORTED"]},
                {"status": ["FAILED"], "error": [{"anything-but": own_errors}]},
            ],
            **further,
        },
    }


def machine_named(template: Template, name: str) -> str:
    (found,) = template.find_resources("AWS::StepFunctions::StateMachine", {"Properties": {"StateMachineName": name}})
    return found


def test_a_release_that_cannot_roll_back_itself_is_rolled_back(template: Template) -> None:
    template.has_resource_properties(
        "AWS::Events::Rule",
        {
            "EventPattern": ended(
                machine_named(template, "moderation-dev-release"), ["ReleaseFailed", "ReleaseInProgressError"]
            ),
            "Targets": [
                Match.object_like(
                    {
                        "Arn": {"Ref": machine_named(template, "moderation-dev-rollback")},
                        # Whole, since what is put into a text is not escaped.
                        "InputTransformer": {
                            "InputPathsMap": {"detail": "$.detail"},
                            "InputTemplate": '{"stopped":<detail>}',
                        },
                    }
                )
            ],
        },
    )


def test_a_rollback_that_cannot_tell_it_itself_is_told(template: Template) -> None:
    (topic,) = template.find_resources("AWS::SNS::Topic")
    template.has_resource_properties(
        "AWS::Events::Rule",
        {
            "EventPattern": ended(
                machine_named(template, "moderation-dev-rollback"),
                ["RollbackFailed"],
                # A release that waits for its rollback tells of it itself.
                input=[{"anything-but": {"prefix": '{"failed"'}}],
            ),
            "Targets": [Match.object_like({"Arn": {"Ref": topic}})],
        },
    )


def test_what_a_rule_cannot_deliver_is_kept(whole: Template) -> None:
    (queue,) = whole.find_resources("AWS::SQS::Queue", {"Properties": {"MessageRetentionPeriod": 14 * 24 * 3600}})
    arn = {"Fn::GetAtt": [queue, "Arn"]}
    rules = whole.find_resources("AWS::Events::Rule")
    assert len(rules) == 4
    for rule in rules.values():
        (target,) = rule["Properties"]["Targets"]
        assert target["DeadLetterConfig"] == {"Arn": arn}
    whole.has_resource_properties("AWS::SQS::Queue", {"SqsManagedSseEnabled": True})


def test_a_schedule_starts_releases(whole: Template) -> None:
    whole.has_resource_properties(
        "AWS::Events::Rule",
        {
            "ScheduleExpression": "cron(0 3 ? * MON *)",
            "Targets": [
                Match.object_like(
                    {
                        "Arn": {"Ref": machine_named(whole, "moderation-dev-release")},
                        "Input": '{"started_by":"schedule"}',
                    }
                )
            ],
        },
    )
    (start,) = allowing(whole, "ReleaseScheduleRole", "states:StartExecution")
    assert start["Resource"]["Ref"].startswith("ReleaseStateMachine")


def test_new_posts_start_releases(make_workflow: Callable[..., ModelReleaseWorkflow]) -> None:
    template = Template.from_stack(
        cdk.Stack.of(make_workflow(start_on_new_data=True, source=LabelledData("reviewed/")))
    )
    (bucket,) = template.find_resources("AWS::S3::Bucket")
    template.has_resource_properties(
        "AWS::Events::Rule",
        {
            "EventPattern": {
                "source": ["aws.s3"],
                "detail-type": ["Object Created"],
                "detail": {"bucket": {"name": [{"Ref": bucket}]}, "object": {"key": [{"prefix": "reviewed/"}]}},
            },
            "Targets": [Match.object_like({"Input": '{"started_by":"new posts"}'})],
        },
    )
    template.has_resource_properties(
        "AWS::S3::Bucket", {"NotificationConfiguration": {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}}
    )
    # Said in the template, not by a function that the CDK would add for it.
    assert not template.find_resources("Custom::S3BucketNotifications")


def test_nothing_but_people_starts_a_release_unless_asked_to(template: Template) -> None:
    assert not template.find_resources("AWS::Events::Rule", {"Properties": {"ScheduleExpression": Match.any_value()}})
    assert len(template.find_resources("AWS::Events::Rule")) == 2


def test_releases_are_recorded_in_a_table_that_is_kept(template: Template) -> None:
    template.has_resource(
        "AWS::DynamoDB::Table",
        {
            "DeletionPolicy": "Retain",
            "Properties": {
                "BillingMode": "PAY_PER_REQUEST",
                "DeletionProtectionEnabled": True,
                "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
                "SSESpecification": {
                    "SSEEnabled": True,
                    "SSEType": "KMS",
                    "KMSMasterKeyId": {"Fn::GetAtt": [Match.string_like_regexp("ReleaseKey.*"), "Arn"]},
                },
                "KeySchema": [
                    {"AttributeName": "endpoint", "KeyType": "HASH"},
                    {"AttributeName": "entry", "KeyType": "RANGE"},
                ],
            },
        },
    )


def test_the_table_goes_with_a_stack_that_is_made_to_be_destroyed(
    make_workflow: Callable[..., ModelReleaseWorkflow],
) -> None:
    template = Template.from_stack(cdk.Stack.of(make_workflow(removal_policy=cdk.RemovalPolicy.DESTROY)))
    template.has_resource(
        "AWS::DynamoDB::Table", {"DeletionPolicy": "Delete", "Properties": {"DeletionProtectionEnabled": False}}
    )


def test_a_deployment_leaves_the_current_releases_name_alone(template: Template) -> None:
    assert not template.find_resources("AWS::SSM::Parameter")
    (statement,) = allowing(template, "ReleaseRecordsLedgerRole", "ssm:PutParameter")
    assert shown(statement["Resource"]).endswith(':parameter/sagemaker/moderation-dev/current-release"]]}')
    template.has_resource_properties(
        "AWS::Lambda::Function",
        {"Environment": {"Variables": {"CURRENT_PARAMETER": "/sagemaker/moderation-dev/current-release"}}},
    )


def test_the_table_is_the_two_functions_alone(template: Template) -> None:
    for role in ROLES:
        writers = {"ReleaseRecordsLedgerRole", "ReleaseRecordsCleanerRole"}
        assert bool(allowing(template, role, "dynamodb:PutItem")) == (role in writers)


def test_the_ledger_asks_about_executions_of_these_two_workflows(template: Template) -> None:
    statements = allowing(template, "ReleaseRecordsLedgerRole", "states:DescribeExecution")
    arns = [r["Fn::Join"][1][-1] for s in statements for r in listed(s["Resource"])]
    assert arns == [":execution:moderation-dev-release:*", ":execution:moderation-dev-rollback:*"]


def test_every_log_is_encrypted_with_the_workflows_key(template: Template) -> None:
    (key,) = template.find_resources(
        "AWS::KMS::Key", {"Properties": {"Description": "Encrypts volumes, records and logs of moderation-dev"}}
    )
    groups = template.find_resources("AWS::Logs::LogGroup")
    assert len(groups) == 9
    for group in groups.values():
        assert group["Properties"]["KmsKeyId"] == {"Fn::GetAtt": [key, "Arn"]}


def test_what_training_writes_is_encrypted_with_the_buckets_key(
    make_workflow: Callable[..., ModelReleaseWorkflow],
    definition: dict[str, Any],
    definition_of: Callable[[Template], dict[str, Any]],
) -> None:
    assert "KmsKeyId" not in definition["States"]["Train"]["Arguments"]["OutputDataConfig"]
    data = cdk.Stack(cdk.App(), "DataStack")
    key = kms.Key.from_key_arn(data, "Key", "arn:aws:kms:eu-west-1:123456789012:key/1")
    bucket = s3.Bucket.from_bucket_attributes(data, "Data", bucket_name="posts", encryption_key=key)
    template = Template.from_stack(cdk.Stack.of(make_workflow(data_bucket=bucket)))
    output = definition_of(template)["States"]["Train"]["Arguments"]["OutputDataConfig"]
    assert output["KmsKeyId"] == "arn:aws:kms:eu-west-1:123456789012:key/1"
    (statement,) = allowing(template, "ReleaseTrainingRole", "kms:Encrypt")
    assert statement["Resource"] == "arn:aws:kms:eu-west-1:123456789012:key/1"


def test_grants_are_of_this_workflow_and_this_endpoint(make_workflow: Callable[..., ModelReleaseWorkflow]) -> None:
    workflow = make_workflow()
    stack = cdk.Stack.of(workflow)
    caller = iam.Role(stack, "Caller", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"))
    workflow.grant_start(caller)
    workflow.rollback.grant_start(iam.Role(stack, "OnCall", assumed_by=iam.AccountRootPrincipal()))
    workflow.grant_invoke(caller)
    template = Template.from_stack(stack)
    (start,) = allowing(template, "Caller", "states:StartExecution")
    (invoke,) = allowing(template, "Caller", "sagemaker:InvokeEndpoint")
    assert start["Resource"]["Ref"].startswith("ReleaseStateMachine")
    (back,) = allowing(template, "OnCall", "states:StartExecution")
    assert back["Resource"]["Ref"].startswith("ReleaseRollbackStateMachine")
    assert shown(invoke["Resource"]).endswith(':endpoint/moderation-dev"]]}')


def test_its_executions_can_be_counted(make_workflow: Callable[..., ModelReleaseWorkflow]) -> None:
    workflow = make_workflow()
    assert workflow.metric_failed().metric_name == "ExecutionsFailed"
    assert workflow.metric_succeeded().metric_name == "ExecutionsSucceeded"
    assert workflow.rollback.metric_failed().metric_name == "ExecutionsFailed"
    assert workflow.rollback.metric_succeeded().metric_name == "ExecutionsSucceeded"


def test_a_bucket_and_a_topic_of_other_stacks_do(image: ModelImage) -> None:
    app = cdk.App()
    data = cdk.Stack(app, "DataStack")
    bucket = s3.Bucket(data, "Data", encryption_key=kms.Key(data, "DataKey"))
    stack = cdk.Stack(app, "ModelStack")
    ModelReleaseWorkflow(
        stack,
        "Release",
        endpoint_name="moderation-dev",
        train=TrainingJob(image=image),
        inference_image=image,
        data_bucket=bucket,
        alerts_topic=sns.Topic.from_topic_arn(stack, "Topic", "arn:aws:sns:eu-west-1:123456789012:alerts"),
    )
    template = Template.from_stack(stack)
    for role in ("SageMaker", "Training", "Extractor", "Evaluator", "Checker"):
        assert allowing(template, f"Release{role}Role", "kms:Decrypt"), role


@pytest.mark.parametrize(
    "name", ["", "Moderation", "moderation_dev", "-moderation", "moderation-", "m" * 41, "moderation dev"]
)
def test_fails_when_the_endpoints_name_is_not_sagemakers(
    make_workflow: Callable[..., ModelReleaseWorkflow], name: str
) -> None:
    with pytest.raises(ValueError, match=f"endpoint_name: got '{name}', allowed: lower-case letters"):
        make_workflow(endpoint_name=name)


@pytest.mark.parametrize("prefix", ["posts", "/posts/", "runs/", "models/posts/", ""])
def test_fails_when_the_posts_lie_where_the_workflow_writes(
    prefix: str,
) -> None:
    with pytest.raises(ValueError, match=f"prefix: got '{prefix}', allowed: a prefix that ends with a slash"):
        LabelledData(prefix)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"keep_releases": 1}, "keep_releases: got 1, allowed: a whole number, at least 2"),
        ({"source": None, "start_on_new_data": True}, "start_on_new_data: got True, allowed: none without source"),
        ({"train": None, "schedule": "a schedule"}, "schedule: got a Schedule, allowed: none without train"),
        (
            {"start_on_new_labels": 9},
            "start_on_new_labels: got 9, allowed: none without reviews of the source; there are no labels to count",
        ),
        (
            {"source": "reviewed", "start_on_new_labels": 0},
            "start_on_new_labels: got 0, allowed: a whole number, at least 1",
        ),
    ],
)
def test_fails_when_parts_exclude_each_other(
    make_workflow: Callable[..., ModelReleaseWorkflow], given: dict[str, Any], reason: str
) -> None:
    if "schedule" in given:
        given = given | {"schedule": events.Schedule.rate(cdk.Duration.days(7))}
    if given.get("source") == "reviewed":
        table = dynamodb.Table.from_table_name(cdk.Stack(), "Reviews", "reviews")
        given = given | {"source": LabelledData(reviews=ReviewDecisions(table=table))}
    with pytest.raises(ValueError, match=reason):
        make_workflow(**given)


@pytest.mark.parametrize("interval", [cdk.Duration.millis(500), cdk.Duration.minutes(5)])
def test_fails_when_the_endpoints_alarm_would_tell_of_an_update(
    make_workflow: Callable[..., ModelReleaseWorkflow], interval: cdk.Duration
) -> None:
    with pytest.raises(
        ValueError, match=r"poll_interval: got .*, allowed: a Duration of whole seconds, 1 second to 4 minutes"
    ):
        make_workflow(poll_interval=interval)


def test_fails_when_new_posts_would_lie_in_a_table(make_workflow: Callable[..., ModelReleaseWorkflow]) -> None:
    stack = cdk.Stack(cdk.App(), "Stack")
    export = DynamoDbExport(table=dynamodb.Table.from_table_name(stack, "Posts", "posts"))
    with pytest.raises(ValueError, match="start_on_new_data: got True, allowed: False with DynamoDbExport"):
        make_workflow(stack=stack, source=export, start_on_new_data=True)


def test_no_attribute_of_workflow_rollback_and_records_can_be_overwritten(
    make_workflow: Callable[..., ModelReleaseWorkflow],
) -> None:
    workflow = make_workflow()
    records = workflow.records
    for construct in (workflow, workflow.rollback, records, records.ledger):
        assert public_attributes(construct) == []
    for construct, name in ((workflow, "state_machine"), (workflow.rollback, "role"), (records, "table")):
        with pytest.raises(AttributeError):
            setattr(construct, name, None)


@pytest.mark.parametrize("deep", [False, True])
def test_refuses_a_second_workflow_for_one_endpoint(
    make_workflow: Callable[..., ModelReleaseWorkflow], deep: bool
) -> None:
    app = cdk.App()
    first, second = cdk.Stack(app, "First"), cdk.Stack(app, "Second")
    make_workflow(stack=first, endpoint_name="reviews")
    with pytest.raises(
        ValueError,
        match=r"^endpoint_name: got 'reviews', allowed: a name that nothing else releases to, as First/Release does",
    ):
        make_workflow(stack=cdk.Stack(second, "Nested") if deep else second, endpoint_name="reviews")


def test_endpoints_of_other_places_may_have_the_same_name(make_workflow: Callable[..., ModelReleaseWorkflow]) -> None:
    app = cdk.App()
    for region in ("eu-west-1", "us-east-1"):
        env = cdk.Environment(account="111122223333", region=region)
        make_workflow(stack=cdk.Stack(app, region, env=env), endpoint_name="reviews")
    for stage in ("dev", "prod"):
        make_workflow(stack=cdk.Stack(cdk.Stage(app, stage), "Stack"), endpoint_name="reviews")
