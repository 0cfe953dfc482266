"""What the app says of imported keys, buckets, secrets, queues and repositories, whose policies it cannot change."""

import json
import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Annotations, Match, Template

from cdk_fargate_sagemaker.fargate import RetryQueue, ScaledFargateService, ServiceVpc
from cdk_fargate_sagemaker.notifications import AlertsTopic, SlackNotifier
from cdk_fargate_sagemaker.review import ReviewQueue
from cdk_fargate_sagemaker.sagemaker import (
    DataCapture,
    DynamoDbExport,
    EndpointConfiguration,
    InferenceEndpoint,
    ModelImage,
    ModelReleaseWorkflow,
    TrainingJob,
)
from tests.constructs.policies import ACCOUNT, REGION, missing_statements

OTHER_ACCOUNT = "444455556666"
ROOT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
JSON = re.compile(r"\{.*\}")


def key_arn(account: str, partition: str = "aws", region: str = REGION) -> str:
    return f"arn:{partition}:kms:{region}:{account}:key/00000000-0000-0000-0000-000000000000"


def stack_in(account: str | None = ACCOUNT, region: str | None = REGION, app: cdk.App | None = None) -> cdk.Stack:
    return cdk.Stack(app or cdk.App(), "Stack", env=cdk.Environment(account=account, region=region))


def statement_of(warning: str) -> dict[str, Any]:
    found = JSON.search(warning)
    assert found is not None
    statement: dict[str, Any] = json.loads(found[0])
    return statement


def release(stack: cdk.Stack, *, bucket: s3.IBucket, key: kms.IKey | None = None, **further: Any) -> None:
    images = ecr.Repository.from_repository_arn(
        stack, "Images", f"arn:aws:ecr:{REGION}:{further.pop('images_of', ACCOUNT)}:repository/models"
    )
    image = ModelImage.from_ecr_repository(images, "1")
    ModelReleaseWorkflow(
        stack,
        "Release",
        endpoint_name="moderation",
        train=TrainingJob(image=image),
        inference_image=image,
        data_bucket=bucket,
        alerts_topic=AlertsTopic(stack, "Alerts"),
        encryption_key=key,
        **further,
    )


def posts(stack: cdk.Stack, account: str, *, with_key: bool = False) -> s3.IBucket:
    return s3.Bucket.from_bucket_attributes(
        stack,
        "Posts",
        bucket_name="posts",
        account=account,
        encryption_key=kms.Key.from_key_arn(stack, "PostsKey", key_arn(account)) if with_key else None,
    )


def test_an_imported_log_key_is_warned_about_once_with_the_statement_to_paste() -> None:
    stack = stack_in()
    key = kms.Key.from_key_arn(stack, "Key", key_arn(ACCOUNT))
    release(stack, bucket=posts(stack, ACCOUNT), key=key)
    ServiceVpc(stack, "Vpc", log_encryption_key=key)
    ((path, (warning,)),) = missing_statements(stack).items()
    assert path == "/Stack/Key"
    assert warning.startswith(f"this app cannot change the policy of {key_arn(ACCOUNT)}: have its owner add {{")
    assert statement_of(warning) == {
        "Action": ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"],
        "Condition": {
            "ArnLike": {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:*"}
        },
        "Effect": "Allow",
        "Principal": {"Service": f"logs.{REGION}.amazonaws.com"},
        "Resource": "*",
    }


def test_a_key_that_stacks_import_each_for_itself_is_warned_about_once() -> None:
    app = cdk.App()
    stacks = [cdk.Stack(app, name, env=cdk.Environment(account=ACCOUNT, region=REGION)) for name in ("First", "Second")]
    for stack in stacks:
        key = kms.Key.from_key_arn(stack, "Key", key_arn(OTHER_ACCOUNT))
        ServiceVpc(stack, "Vpc", log_encryption_key=key)
    assert sorted(missing_statements(stacks[0]) | missing_statements(stacks[1])) == ["/First/Key"]


def test_a_key_of_this_app_is_not_warned_about() -> None:
    stack = stack_in()
    release(stack, bucket=s3.Bucket(stack, "Posts", encryption_key=kms.Key(stack, "Key")), key=kms.Key(stack, "Logs"))
    assert missing_statements(stack) == {}


def test_what_is_acknowledged_is_not_warned_about() -> None:
    stack = stack_in()
    key = kms.Key.from_key_arn(stack, "Key", key_arn(ACCOUNT))
    ServiceVpc(stack, "Vpc", log_encryption_key=key)
    cdk.Annotations.of(key).acknowledge_warning("cdk-fargate-sagemaker:missing-statement:logs")
    assert missing_statements(stack) == {}


def test_what_only_the_deployment_knows_is_named() -> None:
    stack = cdk.Stack(cdk.App(), "Stack")
    ServiceVpc(stack, "Vpc", log_encryption_key=kms.Key.from_key_arn(stack, "Key", key_arn(ACCOUNT)))
    ((warning,),) = missing_statements(stack).values()
    statement = statement_of(warning)
    assert statement["Principal"] == {"Service": "logs.<AWS::Region>.<AWS::URLSuffix>"}
    assert statement["Condition"] == {
        "ArnLike": {
            "kms:EncryptionContext:aws:logs:arn": (
                "arn:<AWS::Partition>:logs:<AWS::Region>:<AWS::AccountId>:log-group:*"
            )
        }
    }


def test_in_china_the_logs_service_has_the_partitions_suffix() -> None:
    stack = stack_in(region="cn-north-1")
    ServiceVpc(stack, "Own")
    Template.from_stack(stack).has_resource_properties(
        "AWS::KMS::Key",
        {
            "KeyPolicy": {
                "Statement": Match.array_with(
                    [
                        Match.object_like(
                            {
                                "Principal": {
                                    "Service": {"Fn::Join": ["", ["logs.cn-north-1.", {"Ref": "AWS::URLSuffix"}]]}
                                }
                            }
                        )
                    ]
                )
            }
        },
    )
    stack = stack_in(region="cn-north-1")
    key = kms.Key.from_key_arn(stack, "Key", key_arn(ACCOUNT, "aws-cn", "cn-north-1"))
    ServiceVpc(stack, "Imported", log_encryption_key=key)
    ((warning,),) = missing_statements(stack).values()
    statement = statement_of(warning)
    assert statement["Principal"] == {"Service": "logs.cn-north-1.amazonaws.com.cn"}
    assert f"arn:aws-cn:logs:cn-north-1:{ACCOUNT}:log-group:*" in warning


def test_the_roles_of_another_account_need_one_statement_of_its_key() -> None:
    stack = stack_in()
    release(stack, bucket=posts(stack, ACCOUNT), key=kms.Key.from_key_arn(stack, "Key", key_arn(OTHER_ACCOUNT)))
    ((path, (of_logs, of_roles)),) = missing_statements(stack).items()
    assert path == "/Stack/Key"
    assert statement_of(of_logs)["Principal"] == {"Service": f"logs.{REGION}.amazonaws.com"}
    statement = statement_of(of_roles)
    assert (statement["Principal"], statement["Resource"]) == (ROOT, "*")
    assert {"kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt"} <= set(statement["Action"])
    # It opens the key to an account, whose own policies say to whom: no more than this library's roles have.
    assert not any("*" in action for action in statement["Action"])


def test_the_roles_of_this_account_need_no_statement_of_its_bucket_and_key() -> None:
    stack = stack_in()
    release(stack, bucket=posts(stack, ACCOUNT, with_key=True))
    assert missing_statements(stack) == {}


def test_the_bucket_and_its_key_of_another_account_have_to_let_this_one() -> None:
    stack = stack_in()
    release(stack, bucket=posts(stack, OTHER_ACCOUNT, with_key=True))
    found = missing_statements(stack)
    assert sorted(found) == ["/Stack/Posts", "/Stack/PostsKey"]
    ((of_bucket,), (of_key,)) = found["/Stack/Posts"], found["/Stack/PostsKey"]
    objects, bucket = (json.loads(text) for text in re.findall(r"\{.*?\}\}?, \"Resource\": \"[^\"]*\"\}", of_bucket))
    assert (objects["Principal"], objects["Resource"]) == (ROOT, "arn:aws:s3:::posts/*")
    assert {"s3:GetObject", "s3:PutObject"} <= set(objects["Action"])
    assert (bucket["Principal"], bucket["Resource"]) == (ROOT, "arn:aws:s3:::posts")
    assert "s3:ListBucket" in bucket["Action"]
    assert statement_of(of_key)["Action"] == ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"]


def test_a_bucket_of_an_unknown_account_is_taken_for_one_of_this() -> None:
    stack = stack_in()
    release(stack, bucket=s3.Bucket.from_bucket_name(stack, "Posts", "posts"))
    assert missing_statements(stack) == {}


def test_an_image_of_another_account_needs_its_repositorys_policy() -> None:
    stack = stack_in()
    release(stack, bucket=posts(stack, ACCOUNT), images_of=OTHER_ACCOUNT)
    ((path, (warning,)),) = missing_statements(stack).items()
    assert path == "/Stack/Images"
    assert statement_of(warning) == {
        "Action": ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        "Effect": "Allow",
        "Principal": ROOT,
    }


def test_an_imported_bucket_has_to_send_its_events_itself() -> None:
    stack = stack_in()
    release(stack, bucket=posts(stack, ACCOUNT), start_on_new_data=True)
    Annotations.from_stack(stack).has_warning(
        "/Stack/Posts",
        "this app cannot change posts: have its owner switch on its notifications to EventBridge, without which new "
        "posts start no release; then acknowledge this warning on the imported bucket "
        "[ack: cdk-fargate-sagemaker:bucket-events]",
    )


def test_fails_when_a_bucket_of_another_account_is_to_start_releases() -> None:
    stack = stack_in()
    with pytest.raises(
        ValueError,
        match=f"^start_on_new_data: got True, allowed: False for a data_bucket of the account {OTHER_ACCOUNT}; S3 "
        "sends events to the bus of its own account alone; give a schedule$",
    ):
        release(stack, bucket=posts(stack, OTHER_ACCOUNT), start_on_new_data=True)


def capture(stack: cdk.Stack) -> None:
    bucket = s3.Bucket.from_bucket_attributes(stack, "Captures", bucket_name="captures", account=OTHER_ACCOUNT)
    key = kms.Key.from_key_arn(stack, "Key", key_arn(OTHER_ACCOUNT))
    InferenceEndpoint(
        stack,
        "Endpoint",
        image=ModelImage.from_ecr_repository(ecr.Repository.from_repository_name(stack, "Images", "models"), "1"),
        model_bucket=s3.Bucket.from_bucket_attributes(
            stack, "Models", bucket_name="models", account=OTHER_ACCOUNT, encryption_key=key
        ),
        model_key="models/1/model.tar.gz",
        configuration=EndpointConfiguration(data_capture=DataCapture(bucket=bucket)),
    )


def slack(stack: cdk.Stack) -> None:
    secret = secretsmanager.Secret.from_secret_attributes(
        stack,
        "Captures",
        secret_complete_arn=f"arn:aws:secretsmanager:{REGION}:{OTHER_ACCOUNT}:secret:slack-abcdef",
        encryption_key=kms.Key.from_key_arn(stack, "Key", key_arn(OTHER_ACCOUNT)),
    )
    topic = sns.Topic.from_topic_arn(stack, "Models", f"arn:aws:sns:{REGION}:{OTHER_ACCOUNT}:alerts")
    SlackNotifier(stack, "Slack", topic=topic, webhook_secret=secret)


@pytest.mark.parametrize(
    ("add", "actions"),
    [
        (capture, {"Captures": ["s3:PutObject"], "Models": ["s3:GetObject"], "Key": ["kms:Decrypt"]}),
        (
            slack,
            {
                "Captures": ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"],
                "Models": ["sns:Subscribe"],
                "Key": ["kms:Decrypt"],
            },
        ),
    ],
)
def test_what_is_of_another_account_has_to_let_this_one(
    add: Callable[[cdk.Stack], None], actions: dict[str, list[str]]
) -> None:
    stack = stack_in()
    add(stack)
    found = {path.removeprefix("/Stack/"): statement_of(text) for path, (text,) in missing_statements(stack).items()}
    assert {path: statement["Action"] for path, statement in found.items()} == actions
    assert all(statement["Principal"] == ROOT for statement in found.values())


def test_the_key_of_a_queue_and_of_reviews_has_to_let_another_account() -> None:
    stack = stack_in()
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"))
    queue_key = kms.Key.from_key_arn(stack, "Q", key_arn(OTHER_ACCOUNT)[:-1] + "1")
    review_key = kms.Key.from_key_arn(stack, "R", key_arn(OTHER_ACCOUNT)[:-1] + "2")
    RetryQueue(stack, "Queue", encryption_key=queue_key).grant_use(role)
    ReviewQueue(stack, "Reviews", encryption_key=review_key).grant_use(role).assert_success()
    found = missing_statements(stack)
    (of_queue,), of_reviews = found["/Stack/Q"], found["/Stack/R"]
    assert statement_of(of_queue)["Action"] == [
        "kms:Decrypt",
        "kms:Encrypt",
        "kms:GenerateDataKey*",
        "kms:ReEncrypt*",
    ]
    (of_roles,) = (text for text in of_reviews if '"AWS"' in text)
    assert "kms:CreateGrant" in statement_of(of_roles)["Action"]


def test_an_exported_tables_key_of_another_account_has_to_let_this_one() -> None:
    stack = stack_in()
    table = dynamodb.Table.from_table_attributes(
        stack,
        "Table",
        table_name="posts",
        encryption_key=kms.Key.from_key_arn(stack, "Key", key_arn(OTHER_ACCOUNT)),
    )
    release(stack, bucket=posts(stack, ACCOUNT), source=DynamoDbExport(table=table))
    ((path, (warning,)),) = missing_statements(stack).items()
    assert path == "/Stack/Key"
    assert statement_of(warning)["Action"] == ["kms:Decrypt", "kms:DescribeKey"]


def test_a_service_that_runs_commands_uses_the_key_of_another_account() -> None:
    stack = stack_in()
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-11111111",
        vpc_cidr_block="10.0.0.0/16",
        availability_zones=["eu-central-1a", "eu-central-1b"],
        public_subnet_ids=["subnet-cccccccc", "subnet-dddddddd"],
        private_subnet_ids=["subnet-aaaaaaaa", "subnet-bbbbbbbb"],
    )
    ScaledFargateService(
        stack,
        "Shop",
        vpc=vpc,
        image=ecs.ContainerImage.from_registry("nginx:1.29"),
        enable_execute_command=True,
        access_logs_bucket=s3.Bucket.from_bucket_name(stack, "AccessLogs", "access-logs"),
        log_encryption_key=kms.Key.from_key_arn(stack, "Key", key_arn(OTHER_ACCOUNT)),
    )
    found = missing_statements(stack)
    (of_roles,) = (text for text in found["/Stack/Key"] if '"AWS"' in text)
    assert statement_of(of_roles)["Action"] == ["kms:Decrypt"]
    (of_bucket,) = found["/Stack/AccessLogs"]
    assert statement_of(of_bucket) == {
        "Action": ["s3:PutObject"],
        "Effect": "Allow",
        "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
        "Resource": f"arn:aws:s3:::access-logs/AWSLogs/{ACCOUNT}/*",
    }


def test_who_publishes_alerts_uses_the_topics_key_of_another_account() -> None:
    stack = stack_in()
    alerts = AlertsTopic(stack, "Alerts", master_key=kms.Key.from_key_arn(stack, "Key", key_arn(OTHER_ACCOUNT)))
    alerts.grant_publish(iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("states.amazonaws.com")))
    (of_role,) = (text for text in missing_statements(stack)["/Stack/Key"] if '"AWS"' in text)
    assert statement_of(of_role)["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]


def test_in_china_dynamodb_and_secrets_manager_may_use_the_key_by_either_name() -> None:
    stack = stack_in(region="cn-north-1")
    release(stack, bucket=s3.Bucket.from_bucket_name(stack, "Posts", "posts"))
    conditions = [
        statement["Condition"]["StringLike"]["kms:ViaService"]
        for policy in Template.from_stack(stack).find_resources("AWS::IAM::Policy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if "kms:ViaService" in str(statement)
    ]
    for service in ("dynamodb", "secretsmanager"):
        of_service = [condition for condition in conditions if condition.startswith(service)]
        assert of_service
        for name in (f"{service}.cn-north-1.amazonaws.com", f"{service}.cn-north-1.amazonaws.com.cn"):
            assert all(fnmatchcase(name, condition) for condition in of_service)
