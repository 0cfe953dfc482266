import json
from collections.abc import Callable, Iterator
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Match, Template

from cdk_fargate_sagemaker.sagemaker import ModelImage, ModelReleaseWorkflow


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements_of(template: Template, role_id: str) -> Iterator[dict[str, Any]]:
    """What a role of the workflow may do, found by the start of its logical id."""
    for policy in template.find_resources("AWS::IAM::Policy").values():
        roles = [role["Ref"] for role in policy["Properties"]["Roles"]]
        if any(role.startswith(role_id) for role in roles):
            yield from policy["Properties"]["PolicyDocument"]["Statement"]


def allowing(template: Template, role_id: str, action: str) -> list[dict[str, Any]]:
    return [s for s in statements_of(template, role_id) if action in as_list(s["Action"])]


def shown(resource: Any) -> str:
    return json.dumps(resource)


ROLES = ("ReleaseRole", "ReleaseSageMakerRole", "ReleaseExtractorRole", "ReleaseEvaluatorRole", "ReleaseCheckerRole")


def test_the_workflow_passes_one_role_and_that_to_sagemaker(template: Template) -> None:
    passing = [s for s in statements_of(template, "ReleaseRole") if any("PassRole" in a for a in as_list(s["Action"]))]
    (statement,) = passing
    ((role, attribute),) = [r["Fn::GetAtt"] for r in as_list(statement["Resource"])]
    assert role.startswith("ReleaseSageMakerRole")
    assert attribute == "Arn"
    assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    for other in ROLES[1:]:
        assert not allowing(template, other, "iam:PassRole")


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_a_wildcard_only_for_actions_that_take_no_resource(template: Template, role: str) -> None:
    found = list(statements_of(template, role))
    assert found
    unlimited = {action for s in found if "*" in as_list(s["Resource"]) for action in as_list(s["Action"])}
    # What X-Ray, the delivery of logs, metrics and ECR's log-in take no resource for.
    assert unlimited <= {
        "cloudwatch:PutMetricData",
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
    assert not [action for s in found for action in as_list(s["Action"]) if "*" in action]
    assert not template.find_resources("AWS::IAM::Role", {"Properties": {"ManagedPolicyArns": Match.any_value()}})


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
        ("events:PutRule", ["rule/StepFunctionsGetEventsForSageMakerTrainingJobsRule"]),
    ],
)
def test_the_workflow_touches_what_it_makes(template: Template, action: str, resources: list[str]) -> None:
    (statement,) = allowing(template, "ReleaseRole", action)
    arns = [resource["Fn::Join"][1] for resource in as_list(statement["Resource"])]
    assert [arn[-1].removeprefix(":") for arn in arns] == resources


def test_the_workflow_invokes_its_three_functions_and_no_version_of_them(template: Template) -> None:
    statements = allowing(template, "ReleaseRole", "lambda:InvokeFunction")
    functions = sorted(r["Fn::GetAtt"][0] for s in statements for r in as_list(s["Resource"]))
    assert [name[: len("ReleaseExtractor")] for name in functions] == [
        "ReleaseCheckerFu",
        "ReleaseEvaluator",
        "ReleaseExtractor",
    ]


def test_the_models_role_reads_runs_and_writes_models(template: Template) -> None:
    (read,) = allowing(template, "ReleaseSageMakerRole", "s3:GetObject")
    (write,) = allowing(template, "ReleaseSageMakerRole", "s3:PutObject")
    assert [resource["Fn::Join"][1][-1] for resource in read["Resource"]] == ["/runs/*", "/models/*"]
    assert write["Resource"]["Fn::Join"][1][-1] == "/models/*"
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


def test_the_extractor_reads_posts_and_writes_runs(template: Template) -> None:
    (read,) = allowing(template, "ReleaseExtractorRole", "s3:GetObject")
    (write,) = allowing(template, "ReleaseExtractorRole", "s3:PutObject")
    assert read["Resource"]["Fn::Join"][1][-1] == "/posts/*"
    assert write["Resource"]["Fn::Join"][1][-1] == "/runs/*"


def test_the_checker_may_invoke_this_endpoint_alone(template: Template) -> None:
    (statement,) = allowing(template, "ReleaseCheckerRole", "sagemaker:InvokeEndpoint")
    assert statement["Resource"]["Fn::Join"][1][-1] == ":endpoint/moderation-dev"


def test_the_workflow_may_encrypt_what_it_publishes(template: Template) -> None:
    assert allowing(template, "ReleaseRole", "sns:Publish")
    (statement,) = allowing(template, "ReleaseRole", "kms:GenerateDataKey")
    assert statement["Resource"]["Fn::GetAtt"][0].startswith("AlertsKey")


def test_volumes_are_encrypted_by_grants_for_services_alone(template: Template) -> None:
    for role in ("ReleaseRole", "ReleaseSageMakerRole"):
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
    assert definition["TimeoutSeconds"] == (4 + 1) * 3600 + 45 * 60


def test_executions_that_cannot_tell_it_themselves_are_told(template: Template) -> None:
    (machine,) = template.find_resources("AWS::StepFunctions::StateMachine")
    (topic,) = template.find_resources("AWS::SNS::Topic")
    template.has_resource_properties(
        "AWS::Events::Rule",
        {
            "EventPattern": {
                "source": ["aws.states"],
                "detail-type": ["Step Functions Execution Status Change"],
                "detail": {
                    "stateMachineArn": [{"Ref": machine}],
                    "$or": [
                        {"status": ["TIMED_OUT", "ABORTED"]},
                        {"status": ["FAILED"], "error": [{"anything-but": "ReleaseFailed"}]},
                    ],
                },
            },
            "Targets": [Match.object_like({"Arn": {"Ref": topic}})],
        },
    )


def test_an_alert_that_a_rule_cannot_deliver_is_kept(template: Template) -> None:
    (queue,) = template.find_resources("AWS::SQS::Queue", {"Properties": {"MessageRetentionPeriod": 14 * 24 * 3600}})
    arn = {"Fn::GetAtt": [queue, "Arn"]}
    template.has_resource_properties(
        "AWS::Events::Rule", {"Targets": [Match.object_like({"DeadLetterConfig": {"Arn": arn}})]}
    )
    template.has_resource_properties("AWS::SQS::Queue", {"SqsManagedSseEnabled": True})


def test_every_log_is_encrypted_with_the_workflows_key(template: Template) -> None:
    (key,) = template.find_resources(
        "AWS::KMS::Key", {"Properties": {"Description": "Encrypts volumes and logs of moderation-dev"}}
    )
    groups = template.find_resources("AWS::Logs::LogGroup")
    assert len(groups) == 4
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
    (statement,) = allowing(template, "ReleaseSageMakerRole", "kms:Encrypt")
    assert statement["Resource"] == "arn:aws:kms:eu-west-1:123456789012:key/1"


def test_grants_are_of_this_workflow_and_this_endpoint(make_workflow: Callable[..., ModelReleaseWorkflow]) -> None:
    workflow = make_workflow()
    stack = cdk.Stack.of(workflow)
    caller = iam.Role(stack, "Caller", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"))
    workflow.grant_start(caller)
    workflow.grant_invoke(caller)
    template = Template.from_stack(stack)
    (start,) = allowing(template, "Caller", "states:StartExecution")
    (invoke,) = allowing(template, "Caller", "sagemaker:InvokeEndpoint")
    assert start["Resource"]["Ref"].startswith("ReleaseStateMachine")
    assert shown(invoke["Resource"]).endswith(':endpoint/moderation-dev"]]}')


def test_its_executions_can_be_counted(make_workflow: Callable[..., ModelReleaseWorkflow]) -> None:
    workflow = make_workflow()
    assert workflow.metric_failed().metric_name == "ExecutionsFailed"
    assert workflow.metric_succeeded().metric_name == "ExecutionsSucceeded"


def test_a_bucket_and_a_topic_of_other_stacks_do(image: ModelImage) -> None:
    app = cdk.App()
    data = cdk.Stack(app, "DataStack")
    bucket = s3.Bucket(data, "Data", encryption_key=kms.Key(data, "DataKey"))
    stack = cdk.Stack(app, "ModelStack")
    ModelReleaseWorkflow(
        stack,
        "Release",
        endpoint_name="moderation-dev",
        training_image=image,
        inference_image=image,
        data_bucket=bucket,
        alerts_topic=sns.Topic.from_topic_arn(stack, "Topic", "arn:aws:sns:eu-west-1:123456789012:alerts"),
    )
    template = Template.from_stack(stack)
    for role in ROLES[1:]:
        assert allowing(template, role, "kms:Decrypt"), role


@pytest.mark.parametrize(
    "name", ["", "Moderation", "moderation_dev", "-moderation", "moderation-", "m" * 41, "moderation dev"]
)
def test_fails_when_the_endpoints_name_is_not_sagemakers(
    make_workflow: Callable[..., ModelReleaseWorkflow], name: str
) -> None:
    with pytest.raises(ValueError, match=f"endpoint_name is '{name}': use lower-case letters"):
        make_workflow(endpoint_name=name)


@pytest.mark.parametrize("prefix", ["posts", "/posts/", "runs/", "models/posts/", ""])
def test_fails_when_the_posts_lie_where_the_workflow_writes(
    make_workflow: Callable[..., ModelReleaseWorkflow], prefix: str
) -> None:
    with pytest.raises(ValueError, match=f"posts_prefix is '{prefix}': it ends with a slash"):
        make_workflow(posts_prefix=prefix)
