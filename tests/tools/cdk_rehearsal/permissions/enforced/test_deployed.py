"""What a deployed resource lets AWS do later is judged though nothing does it here, and ECS may start tasks or not."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from cdk_rehearsal.embedded_aws import EmbeddedAws, EmbeddedAwsError
from tests.access import Statement, allow, make_queue, policy
from tests.denied_calls import DeniedCalls

REGION_AND_ACCOUNT = "us-east-1:123456789012"


@pytest.fixture(scope="module", autouse=True)
def these_services_are_denied(denied_calls: DeniedCalls) -> None:
    denied_calls.expect("logging.s3.amazonaws.com", "s3:PutObject", "arn:aws:s3:::enforced-*")
    denied_calls.expect("logdelivery.elasticloadbalancing.amazonaws.com", "s3:PutObject", "arn:aws:s3:::enforced-*")
    denied_calls.expect("logs.us-east-1.amazonaws.com", "kms:*")
    for service in ("cloudwatch", "events", "sns"):
        denied_calls.expect(f"{service}.amazonaws.com", "*", f"arn:aws:*:{REGION_AND_ACCOUNT}:enforced-*")


def verdicts(calls: list[dict[str, Any]], caller: str) -> list[bool]:
    return [call["allowed"] for call in calls if call["caller"] == caller]


def grants(service: str, action: str, on: str) -> Statement:
    return {"Effect": "Allow", "Principal": {"Service": service}, "Action": action, "Resource": on}


def test_flow_logs_are_delivered_in_their_role(
    deployed: Any, judged: Any, role_for: Callable[..., str], unique: str
) -> None:
    def flows(*statements: Statement) -> list[bool]:
        role = role_for("vpc-flow-logs", *statements)
        return verdicts(judged("logs:PutLogEvents", stream), role)

    stream = f"arn:aws:logs:{REGION_AND_ACCOUNT}:log-group:{unique}:log-stream:eni-all"
    role = role_for("vpc-flow-logs")
    deployed(
        Vpc=("AWS::EC2::VPC", {"CidrBlock": "10.0.0.0/16"}),
        Flows=(
            "AWS::EC2::FlowLog",
            {
                "ResourceId": {"Ref": "Vpc"},
                "ResourceType": "VPC",
                "TrafficType": "ALL",
                "LogGroupName": unique,
                "DeliverLogsPermissionArn": role,
            },
        ),
    )
    assert flows() == [False]
    assert flows(allow("logs:*")) == [False, True]


def test_a_log_groups_key_lets_the_regions_logs_in(deployed: Any, judged: Any, unique: str) -> None:
    def encrypted(principal: str) -> list[bool]:
        document = json.loads(policy(grants(principal, "kms:*", "*")))
        key = ("AWS::KMS::Key", {"KeyPolicy": document})
        group = {"LogGroupName": unique, "KmsKeyId": {"Fn::GetAtt": ["Key", "Arn"]}}
        made = deployed(Key=key, Group=("AWS::Logs::LogGroup", group))
        arn = f"arn:aws:kms:{REGION_AND_ACCOUNT}:key/{made['Key']}"
        return verdicts(judged("kms:GenerateDataKey", arn), "logs.us-east-1.amazonaws.com")

    assert encrypted("sns.amazonaws.com") == [False]
    assert encrypted("logs.us-east-1.amazonaws.com") == [False, True]


def test_a_bucket_lets_access_logs_in_by_policy_or_by_acl(deployed: Any, judged: Any, unique: str) -> None:
    logs, data = f"{unique}-logs", f"{unique}-data"
    source = ("AWS::S3::Bucket", {"BucketName": data, "LoggingConfiguration": {"DestinationBucketName": logs}})

    def delivered() -> list[bool]:
        return verdicts(judged("s3:PutObject", f"arn:aws:s3:::{logs}/log"), "logging.s3.amazonaws.com")

    deployed(Logs=("AWS::S3::Bucket", {"BucketName": logs}), Data=source)
    assert delivered() == [False]
    document = json.loads(policy(grants("logging.s3.amazonaws.com", "s3:PutObject", f"arn:aws:s3:::{logs}/*")))
    lets_in = ("AWS::S3::BucketPolicy", {"Bucket": logs, "PolicyDocument": document})
    deployed(Logs=("AWS::S3::Bucket", {"BucketName": logs}), Data=source, LetsIn=lets_in)
    assert delivered() == [False, True]


def test_a_bucket_that_takes_access_logs_by_acl_needs_no_policy(deployed: Any, judged: Any, unique: str) -> None:
    logs, data = f"{unique}-logs", f"{unique}-data"
    deployed(
        Logs=("AWS::S3::Bucket", {"BucketName": logs, "AccessControl": "LogDeliveryWrite"}),
        Data=("AWS::S3::Bucket", {"BucketName": data, "LoggingConfiguration": {"DestinationBucketName": logs}}),
    )
    assert judged("s3:PutObject", f"arn:aws:s3:::{logs}/log") == []


@pytest.mark.parametrize(
    ("principal", "allowed"),
    [
        ({"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}, [True]),
        # The account of the region's load balancers: nobody is asked any more.
        ({"AWS": "arn:aws:iam::127311923021:root"}, []),
        ({"AWS": "arn:aws:iam::127311923022:root"}, [False]),
    ],
)
def test_a_bucket_lets_a_load_balancers_logs_in(
    deployed: Any, judged: Any, unique: str, principal: dict[str, str], allowed: list[bool]
) -> None:
    logs = f"{unique}-logs"
    resource = f"arn:aws:s3:::{logs}/AWSLogs/123456789012/*"
    statement = {"Effect": "Allow", "Principal": principal, "Action": "s3:PutObject", "Resource": resource}
    # The load balancer writes at once: the bucket has to be there.
    attributes: dict[str, Any] = {"access_logs.s3.enabled": "true", "access_logs.s3.bucket": {"Ref": "Logs"}}
    deployed(
        Logs=("AWS::S3::Bucket", {"BucketName": logs}),
        LetsIn=("AWS::S3::BucketPolicy", {"Bucket": logs, "PolicyDocument": json.loads(policy(statement))}),
        Balancer=(
            "AWS::ElasticLoadBalancingV2::LoadBalancer",
            {
                "Name": unique,
                "LoadBalancerAttributes": [{"Key": key, "Value": value} for key, value in attributes.items()],
            },
        ),
    )
    written = judged("s3:PutObject", f"arn:aws:s3:::{logs}/AWSLogs/123456789012/log")
    assert [call["allowed"] for call in written] == allowed


def test_an_alarm_that_never_fires_is_found_to_be_silent(deployed: Any, judged: Any, unique: str) -> None:
    def publishes(*services: str) -> list[bool]:
        statements = [grants(service, "sns:Publish", topic) for service in services]
        alarm = {
            "AlarmName": unique,
            "Namespace": "Enforced",
            "MetricName": unique,
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 1,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "ignore",
            "OKActions": [topic],
        }
        whole = {"AlarmName": f"{unique}-whole", "AlarmRule": f'ALARM("{unique}")', "AlarmActions": [topic]}
        deployed(
            Topic=("AWS::SNS::Topic", {"TopicName": unique}),
            Policy=(
                "AWS::SNS::TopicPolicy",
                {"Topics": [{"Ref": "Topic"}], "PolicyDocument": json.loads(policy(*statements))},
            ),
            Alarm=("AWS::CloudWatch::Alarm", alarm),
            Whole=("AWS::CloudWatch::CompositeAlarm", whole),
        )
        return verdicts(judged("sns:Publish", topic), "cloudwatch.amazonaws.com")

    topic = f"arn:aws:sns:{REGION_AND_ACCOUNT}:{unique}"
    assert publishes("events.amazonaws.com") == [False, False]
    assert publishes("events.amazonaws.com", "cloudwatch.amazonaws.com") == [False, False, True, True]


def test_rules_schedules_and_subscriptions_are_judged_though_nothing_happens(
    embedded_aws: EmbeddedAws, deployed: Any, judged: Any, role_for: Callable[..., str], unique: str
) -> None:
    topic, machine = f"arn:aws:sns:{REGION_AND_ACCOUNT}:{unique}", f"arn:aws:states:{REGION_AND_ACCOUNT}:stateMachine:m"
    _, queue = make_queue(embedded_aws, unique)
    role = role_for("scheduler", allow("states:StartExecution", on=machine))
    never = {"source": [unique]}
    deployed(
        Topic=("AWS::SNS::Topic", {"TopicName": unique}),
        Heard=("AWS::SNS::Subscription", {"TopicArn": topic, "Protocol": "sqs", "Endpoint": queue}),
        Rule=("AWS::Events::Rule", {"EventPattern": never, "Targets": [{"Id": "topic", "Arn": topic}]}),
        Schedule=(
            "AWS::Scheduler::Schedule",
            {
                "ScheduleExpression": "rate(7 days)",
                "FlexibleTimeWindow": {"Mode": "OFF"},
                "Target": {"Arn": machine, "RoleArn": role},
            },
        ),
    )
    assert verdicts(judged("sqs:SendMessage", queue), "sns.amazonaws.com") == [False]
    assert verdicts(judged("sns:Publish", topic), "events.amazonaws.com") == [False]
    assert verdicts(judged("states:StartExecution", machine), role) == [True]


def test_a_functions_dead_letter_queue_is_judged_though_it_never_fails(
    embedded_aws: EmbeddedAws, deployed: Any, judged: Any, role_for: Callable[..., str], unique: str
) -> None:
    _, queue = make_queue(embedded_aws, unique)
    role = role_for("lambda")
    function = {
        "FunctionName": unique,
        "Code": {"ZipFile": "def handler(event, context):\n    pass\n"},
        "Handler": "index.handler",
        "Runtime": "python3.13",
        "Role": role,
        "DeadLetterConfig": {"TargetArn": queue},
    }
    deployed(Function=("AWS::Lambda::Function", function))
    assert verdicts(judged("sqs:SendMessage", queue), role) == [False]
    role_for("lambda", allow("sqs:SendMessage", on=queue))
    assert verdicts(judged("sqs:SendMessage", queue), role) == [False, True]


def test_a_functions_role_reads_the_queue_that_is_mapped_to_it(
    embedded_aws: EmbeddedAws, deployed: Any, judged: Any, role_for: Callable[..., str], unique: str
) -> None:
    _, arn = make_queue(embedded_aws, unique)
    role = role_for("lambda")
    function = {
        "FunctionName": unique,
        "Code": {"ZipFile": "def handler(event, context):\n    pass\n"},
        "Handler": "index.handler",
        "Runtime": "python3.13",
        "Role": role,
    }
    mapping = {"FunctionName": {"Ref": "Function"}, "EventSourceArn": arn}
    deployed(
        Function=("AWS::Lambda::Function", function),
        Mapping=("AWS::Lambda::EventSourceMapping", mapping),
    )
    assert verdicts(judged("sqs:ReceiveMessage", arn), role) == [False]
    role_for("lambda", allow("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", on=arn))
    assert verdicts(judged("sqs:ReceiveMessage", arn), role) == [False, True]


@pytest.mark.parametrize("lets_people_in", [True, False])
def test_a_service_that_lets_people_in_opens_channels_as_its_task_role(
    deployed: Any, judged: Any, role_for: Callable[..., str], unique: str, lets_people_in: bool
) -> None:
    role = role_for("ecs-tasks", allow("ssmmessages:OpenDataChannel"))
    container = {"Name": "web", "Image": "nginx", "Memory": 128}
    deployed(
        Cluster=("AWS::ECS::Cluster", {"ClusterName": unique}),
        Definition=(
            "AWS::ECS::TaskDefinition",
            {"Family": unique, "TaskRoleArn": role, "ContainerDefinitions": [container]},
        ),
        Service=(
            "AWS::ECS::Service",
            {
                "Cluster": {"Ref": "Cluster"},
                "ServiceName": unique,
                "TaskDefinition": {"Ref": "Definition"},
                "DesiredCount": 0,
                "EnableExecuteCommand": lets_people_in,
            },
        ),
    )
    assert verdicts(judged("ssmmessages:OpenDataChannel", "*"), role) == [True] * lets_people_in
    assert verdicts(judged("ssmmessages:CreateDataChannel", "*"), role) == [False] * lets_people_in


def test_ecs_starts_a_task_whose_roles_trust_it_and_may(
    embedded_aws: EmbeddedAws, role_for: Callable[..., str], unique: str
) -> None:
    secret = embedded_aws.client("secretsmanager").create_secret(Name=unique, SecretString="s")["ARN"]
    role = f"arn:aws:iam::123456789012:role/{unique}"
    definition = embedded_aws.client("ecs").register_task_definition(
        family=unique,
        taskRoleArn=role,
        executionRoleArn=role,
        containerDefinitions=[
            {"name": "web", "image": "nginx", "memory": 128, "secrets": [{"name": "S", "valueFrom": secret}]}
        ],
    )["taskDefinition"]["taskDefinitionArn"]
    read = allow("secretsmanager:GetSecretValue", on=secret)
    role_for("lambda", read)
    with pytest.raises(EmbeddedAwsError, match=r"ResourceInitializationError: .*sts:AssumeRole"):
        embedded_aws.task_credentials(definition)
    role_for("ecs-tasks")
    with pytest.raises(EmbeddedAwsError, match=r"ResourceInitializationError: .*secretsmanager:GetSecretValue"):
        embedded_aws.task_credentials(definition)
    role_for("ecs-tasks", read)
    assert embedded_aws.task_credentials(definition)["AWS_ACCESS_KEY_ID"].startswith("ASIA")
