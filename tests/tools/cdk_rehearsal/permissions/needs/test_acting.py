"""Roles that services assume, and services that act as themselves."""

from typing import Any

import pytest

from cdk_rehearsal.permissions.needs.acting import (
    ACTING_RULES,
    ActingNeed,
    Actor,
    access_log_delivery_needs,
    alarm_action_needs,
    ecs_execution_role_needs,
    ecs_task_role_needs,
    endpoint_role_needs,
    event_source_mapping_needs,
    flow_log_role_needs,
    lambda_role_needs,
    log_group_key_needs,
    model_role_needs,
    processing_job_role_needs,
    rule_target_needs,
    schedule_target_needs,
    state_machine_role_needs,
    topic_delivery_needs,
    training_job_role_needs,
    transform_job_role_needs,
)
from tests.tools.cdk_rehearsal.permissions.needs import service_authorization
from tests.tools.cdk_rehearsal.permissions.needs.recorded_world import RecordedWorld

ACCOUNT = "123456789012"
HERE = f"eu-west-1:{ACCOUNT}"
KEY = f"arn:aws:kms:{HERE}:key/1234"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
IMAGE = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/review-server:2.1.0"
REPOSITORY = f"arn:aws:ecr:{HERE}:repository/review-server"
LOGS = f"arn:aws:logs:{HERE}:log-group"
TOPIC, QUEUE = f"arn:aws:sns:{HERE}:t", f"arn:aws:sqs:{HERE}:q"
FUNCTION, MACHINE = f"arn:aws:lambda:{HERE}:function:f", f"arn:aws:states:{HERE}:stateMachine:m"
RULE, ALARM = f"arn:aws:events:{HERE}:rule/r", f"arn:aws:cloudwatch:{HERE}:alarm:a"
SECRET, PARAMETER = f"arn:aws:secretsmanager:{HERE}:secret:s-AbCdEf", f"arn:aws:ssm:{HERE}:parameter/p"
TABLE = f"arn:aws:dynamodb:{HERE}:table/t"
MODEL = {
    "ModelName": "m",
    "ExecutionRoleArn": ROLE,
    "PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": "s3://data/models/1/model.tar.gz"},
}
WORLD = RecordedWorld(
    account=ACCOUNT,
    region="eu-west-1",
    keys={TOPIC: KEY, QUEUE: KEY, SECRET: KEY, PARAMETER: KEY, TABLE: KEY, "arn:aws:s3:::data": KEY},
    descriptions={
        ("sagemaker:model", "m"): MODEL,
        ("sagemaker:endpoint-config", "c"): {
            "ProductionVariants": [{"VariantName": "v", "ModelName": "m"}],
            "DataCaptureConfig": {"EnableCapture": True, "DestinationS3Uri": "s3://captured/x", "KmsKeyId": KEY},
        },
        ("lambda:function", "f"): {"FunctionName": "f", "Role": ROLE},
        ("lambda:function", FUNCTION): {"FunctionName": "f", "Role": ROLE},
    },
)
PULL = [
    ("ecr:GetAuthorizationToken", "*"),
    ("ecr:BatchCheckLayerAvailability", REPOSITORY),
    ("ecr:BatchGetImage", REPOSITORY),
    ("ecr:GetDownloadUrlForLayer", REPOSITORY),
]
TRAINING = {
    "TrainingJobName": "j",
    "RoleArn": ROLE,
    "AlgorithmSpecification": {"TrainingImage": IMAGE},
    "InputDataConfig": [{"DataSource": {"S3DataSource": {"S3Uri": "s3://data/runs/1/"}}}],
    "OutputDataConfig": {"S3OutputPath": "s3://data/models", "KmsKeyId": KEY},
    "VpcConfig": {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
}
PROCESSING = {
    "ProcessingJobName": "p",
    "RoleArn": ROLE,
    "AppSpecification": {"ImageUri": "public.ecr.aws/x/y:1"},
    "ProcessingInputs": [{"S3Input": {"S3Uri": "s3://in/a.json"}}],
    "ProcessingOutputConfig": {"Outputs": [{"S3Output": {"S3Uri": "s3://out/b/"}}]},
}
TRANSFORM = {
    "TransformJobName": "t",
    "ModelName": "m",
    "TransformInput": {"DataSource": {"S3DataSource": {"S3Uri": "s3://data/runs/1/texts/"}}},
    "TransformOutput": {"S3OutputPath": "s3://data/runs/1/current"},
}
UPDATE = {
    "EndpointName": "e",
    "EndpointConfigName": "c",
    "DeploymentConfig": {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "a"}]}},
}
LAMBDA = {
    "FunctionName": "f",
    "Role": ROLE,
    "LoggingConfig": {"LogGroup": "/own/f"},
    "TracingConfig": {"Mode": "Active"},
    "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
    "KMSKeyArn": KEY,
    "DeadLetterConfig": {"TargetArn": QUEUE},
}
TASK = {
    "executionRoleArn": ROLE,
    "taskRoleArn": ROLE,
    "containerDefinitions": [
        {
            "name": "api",
            "image": IMAGE,
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {"awslogs-group": "api", "awslogs-stream-prefix": "api"},
            },
            "secrets": [{"valueFrom": f"{SECRET}:user::"}, {"valueFrom": PARAMETER}],
        }
    ],
}
REDRIVE = f'{{"deadLetterTargetArn": "{QUEUE}"}}'

ALL: list[tuple[ActingNeed, ...]] = [
    training_job_role_needs(TRAINING, world=WORLD),
    processing_job_role_needs(PROCESSING, world=WORLD),
    transform_job_role_needs(TRANSFORM, world=WORLD),
    model_role_needs(MODEL, world=WORLD),
    endpoint_role_needs(UPDATE, world=WORLD),
    lambda_role_needs(LAMBDA, world=WORLD, destinations=(TOPIC, FUNCTION)),
    event_source_mapping_needs({"EventSourceArn": QUEUE, "FunctionArn": FUNCTION}, world=WORLD),
    event_source_mapping_needs({"EventSourceArn": f"{TABLE}/stream/1", "FunctionName": "f"}, world=WORLD),
    ecs_execution_role_needs(TASK, world=WORLD),
    ecs_task_role_needs(TASK, world=WORLD, execute_command=True),
    alarm_action_needs({"AlarmName": "a", "AlarmActions": [TOPIC], "OKActions": [FUNCTION]}, world=WORLD),
    topic_delivery_needs({"TopicArn": TOPIC, "Protocol": "sqs", "Endpoint": QUEUE}, world=WORLD),
    topic_delivery_needs(
        {"TopicArn": TOPIC, "Protocol": "lambda", "Endpoint": FUNCTION, "RedrivePolicy": REDRIVE}, world=WORLD
    ),
    rule_target_needs(RULE, {"Arn": MACHINE, "RoleArn": ROLE, "DeadLetterConfig": {"Arn": QUEUE}}, world=WORLD),
    rule_target_needs(RULE, {"Arn": TOPIC}, world=WORLD),
    rule_target_needs(RULE, {"Arn": QUEUE}, world=WORLD),
    rule_target_needs(RULE, {"Arn": FUNCTION}, world=WORLD),
    schedule_target_needs({"Target": {"Arn": TOPIC, "RoleArn": ROLE, "DeadLetterConfig": {"Arn": QUEUE}}}, world=WORLD),
    state_machine_role_needs(
        {
            "roleArn": ROLE,
            "loggingConfiguration": {"destinations": [{}]},
            "tracingConfiguration": {"enabled": True},
        },
        world=WORLD,
    ),
    log_group_key_needs("g", KEY, world=WORLD),
    flow_log_role_needs(ROLE, "flow", world=WORLD),
    access_log_delivery_needs("s3", "arn:aws:s3:::data", "logs", "s3/1", world=WORLD),
    access_log_delivery_needs(
        "elasticloadbalancing",
        f"arn:aws:elasticloadbalancing:{HERE}:loadbalancer/app/a/1",
        "logs",
        "alb/1",
        world=WORLD,
    ),
]
EVERY = [each for group in ALL for each in group]


def asked(found: tuple[ActingNeed, ...], prefix: str = "") -> list[tuple[str, str]]:
    return [(each.need.action, each.need.resource) for each in found if each.need.action.startswith(prefix)]


@pytest.mark.parametrize("each", EVERY, ids=lambda each: f"{each.need.action}-{each.actor.service}")
def test_the_reference_takes_every_need(each: ActingNeed) -> None:
    need = each.need
    assert service_authorization.faults_of(need.action, need.resource, tuple(need.context)) == []


@pytest.mark.parametrize("name", ACTING_RULES)
def test_every_rule_has_an_example(name: str) -> None:
    assert ACTING_RULES[name].sentence in {each.need.because for each in EVERY}


def test_a_training_job_pulls_reads_and_writes_in_its_role() -> None:
    found = training_job_role_needs(TRAINING, world=WORLD)
    assert {(each.actor.service, each.actor.role) for each in found} == {("sagemaker.amazonaws.com", ROLE)}
    assert asked(found, "ecr:") == PULL
    assert asked(found, "s3:") == [
        ("s3:ListBucket", "arn:aws:s3:::data"),
        ("s3:GetObject", "arn:aws:s3:::data/runs/1/object"),
        ("s3:PutObject", "arn:aws:s3:::data/models/j/output/model.tar.gz"),
    ]
    assert asked(found, "kms:") == [("kms:Decrypt", KEY), ("kms:GenerateDataKey", KEY), ("kms:Encrypt", KEY)]
    assert asked(found, "logs:") == [
        ("logs:CreateLogGroup", f"{LOGS}:/aws/sagemaker/TrainingJobs:log-stream:"),
        ("logs:DescribeLogStreams", f"{LOGS}:/aws/sagemaker/TrainingJobs:log-stream:"),
        ("logs:CreateLogStream", f"{LOGS}:/aws/sagemaker/TrainingJobs:log-stream:j/algo-1"),
        ("logs:PutLogEvents", f"{LOGS}:/aws/sagemaker/TrainingJobs:log-stream:j/algo-1"),
    ]
    (metrics,) = (each.need for each in found if each.need.action == "cloudwatch:PutMetricData")
    assert metrics.context == {"cloudwatch:namespace": "/aws/sagemaker/TrainingJobs"}
    for made in ("network-interface/eni-0", "subnet/subnet-1", "security-group/sg-1"):
        assert ("ec2:CreateNetworkInterface", f"arn:aws:ec2:{HERE}:{made}") in asked(found)
    without = training_job_role_needs({**TRAINING, "VpcConfig": None}, world=WORLD)
    assert asked(without, "ec2:") == []


def test_a_public_image_asks_nothing_of_a_role() -> None:
    assert asked(processing_job_role_needs(PROCESSING, world=WORLD), "ecr:") == []


def test_a_transform_job_works_in_its_model_s_role() -> None:
    found = transform_job_role_needs(TRANSFORM, world=WORLD)
    assert {each.actor.role for each in found} == {ROLE}
    assert ("s3:PutObject", "arn:aws:s3:::data/runs/1/current/input.out") in asked(found)
    assert ("s3:GetObject", "arn:aws:s3:::data/models/1/model.tar.gz") in asked(found)


def test_an_endpoint_looks_at_its_alarms_and_captures_in_the_model_s_role() -> None:
    found = endpoint_role_needs(UPDATE, world=WORLD)
    assert {each.actor.role for each in found} == {ROLE}
    assert ("cloudwatch:DescribeAlarms", ALARM) in asked(found)
    assert ("s3:PutObject", "arn:aws:s3:::captured/x/e/v/capture.jsonl") in asked(found)
    assert ("logs:CreateLogGroup", f"{LOGS}:/aws/sagemaker/Endpoints/e:log-stream:") in asked(found)


def test_a_function_logs_traces_and_sends_what_failed_in_its_role() -> None:
    found = lambda_role_needs(LAMBDA, world=WORLD)
    assert {each.actor for each in found} == {Actor(service="lambda.amazonaws.com", role=ROLE)}
    assert [action for action, _ in asked(found)] == [
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "xray:PutTelemetryRecords",
        "xray:PutTraceSegments",
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:CreateNetworkInterface",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
        "kms:Decrypt",
        "sqs:SendMessage",
        "kms:GenerateDataKey",
        "kms:Decrypt",
    ]
    assert asked(lambda_role_needs({"FunctionName": "f", "Role": ROLE}, world=WORLD)) == [
        ("logs:CreateLogStream", f"{LOGS}:/aws/lambda/f:log-stream:2026/01/01/[$LATEST]0"),
        ("logs:PutLogEvents", f"{LOGS}:/aws/lambda/f:log-stream:2026/01/01/[$LATEST]0"),
    ]


def test_lambda_polls_a_queue_in_the_function_s_role() -> None:
    found = event_source_mapping_needs({"EventSourceArn": QUEUE, "FunctionArn": FUNCTION}, world=WORLD)
    assert {each.actor.role for each in found} == {ROLE}
    assert asked(found) == [
        ("sqs:ReceiveMessage", QUEUE),
        ("sqs:DeleteMessage", QUEUE),
        ("sqs:GetQueueAttributes", QUEUE),
        ("kms:Decrypt", KEY),
    ]


def test_a_task_s_execution_role_pulls_logs_and_reads_secrets() -> None:
    found = ecs_execution_role_needs(TASK, world=WORLD)
    assert {(each.actor.service, each.actor.role) for each in found} == {("ecs-tasks.amazonaws.com", ROLE)}
    assert asked(found) == [
        *PULL,
        ("logs:CreateLogStream", f"{LOGS}:api:log-stream:api/api/task"),
        ("logs:PutLogEvents", f"{LOGS}:api:log-stream:api/api/task"),
        ("secretsmanager:GetSecretValue", SECRET),
        ("kms:Decrypt", KEY),
        ("ssm:GetParameters", PARAMETER),
        ("kms:Decrypt", KEY),
    ]


def test_only_a_task_that_lets_people_in_opens_channels() -> None:
    assert ecs_task_role_needs(TASK, world=WORLD, execute_command=False) == ()
    assert ("ssmmessages:OpenDataChannel", "*") in asked(ecs_task_role_needs(TASK, world=WORLD, execute_command=True))


def test_an_alarm_publishes_as_cloudwatch_and_names_itself() -> None:
    found = alarm_action_needs({"AlarmName": "a", "AlarmActions": [TOPIC]}, world=WORLD)
    assert asked(found) == [("sns:Publish", TOPIC), ("kms:GenerateDataKey", KEY), ("kms:Decrypt", KEY)]
    for each in found:
        assert each.actor == Actor(service="cloudwatch.amazonaws.com")
        assert each.need.context["aws:SourceArn"] == ALARM
        assert each.need.context["aws:SourceAccount"] == ACCOUNT
        assert "kms:ViaService" not in each.need.context
    # What the policy that SNS gives a new topic asks for.
    assert found[0].need.context["aws:SourceOwner"] == ACCOUNT


def test_a_rule_names_no_source_to_a_topic_or_its_key() -> None:
    found = rule_target_needs(RULE, {"Arn": TOPIC}, world=WORLD)
    assert asked(found) == [("sns:Publish", TOPIC), ("kms:GenerateDataKey", KEY), ("kms:Decrypt", KEY)]
    for each in found:
        assert each.actor == Actor(service="events.amazonaws.com")
        assert not [key for key in each.need.context if key.startswith("aws:Source")]


def test_a_rule_names_itself_to_queues_and_functions() -> None:
    for target in (QUEUE, FUNCTION):
        first, *_ = rule_target_needs(RULE, {"Arn": target}, world=WORLD)
        assert first.need.context["aws:SourceArn"] == RULE


def test_a_rule_starts_a_state_machine_in_the_target_s_role() -> None:
    start, dead_letter, *_ = rule_target_needs(
        RULE, {"Arn": MACHINE, "RoleArn": ROLE, "DeadLetterConfig": {"Arn": QUEUE}}, world=WORLD
    )
    assert start.actor == Actor(service="events.amazonaws.com", role=ROLE, source=RULE)
    assert (start.need.action, start.need.resource) == ("states:StartExecution", MACHINE)
    assert dead_letter.actor == Actor(service="events.amazonaws.com")
    assert (dead_letter.need.action, dead_letter.need.resource) == ("sqs:SendMessage", QUEUE)


def test_a_topic_delivers_by_the_policies_of_queue_and_key() -> None:
    found = topic_delivery_needs({"TopicArn": TOPIC, "Protocol": "sqs", "Endpoint": QUEUE}, world=WORLD)
    assert asked(found) == [("sqs:SendMessage", QUEUE), ("kms:GenerateDataKey", KEY), ("kms:Decrypt", KEY)]
    assert {each.actor for each in found} == {Actor(service="sns.amazonaws.com")}
    assert {each.need.context["aws:SourceArn"] for each in found} == {TOPIC}


def test_log_groups_are_encrypted_by_the_region_s_principal() -> None:
    found = log_group_key_needs("g", KEY, world=WORLD)
    assert {each.actor for each in found} == {Actor(service="logs.eu-west-1.amazonaws.com")}
    assert {each.need.context["kms:EncryptionContext:aws:logs:arn"] for each in found} == {f"{LOGS}:g"}
    china = RecordedWorld(partition="aws-cn", region="cn-north-1")
    assert log_group_key_needs("g", KEY, world=china)[0].actor.service == "logs.cn-north-1.amazonaws.com.cn"


@pytest.mark.parametrize(
    ("machine", "services"),
    [
        ({}, set()),
        ({"loggingConfiguration": {"destinations": [{}]}}, {"logs"}),
        ({"tracingConfiguration": {"enabled": True}}, {"xray"}),
    ],
)
def test_a_state_machine_asks_only_for_what_is_on(machine: dict[str, Any], services: set[str]) -> None:
    found = state_machine_role_needs({"roleArn": ROLE, **machine}, world=WORLD)
    assert {each.need.action.split(":")[0] for each in found} == services
