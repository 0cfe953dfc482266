from aws_cdk import Annotations, Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from ..._acknowledgment import Acknowledgment, acknowledge
from ..._allow import allow
from ..._checks import refusal
from ..._construct_tree import account_of, stack_of
from ..._inline_policy import acknowledge_inline_policy
from ..._managed_queue_key import explain_managed_key
from ..._readable_reference import readable_reference
from ..._resource_policy import is_of_other_account


def undelivered_queue(scope: Construct, id: str) -> sqs.Queue:
    """Keeps undelivered events for two weeks: only its rule reports an execution that ended without an alert."""
    queue = sqs.Queue(
        scope,
        id,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=Duration.days(14),
    )
    last_queue = "It is the dead-letter queue of rules; a person reads its messages."
    acknowledge(
        queue,
        Acknowledgment(id="AwsSolutions-SQS3", reason=last_queue),
        Acknowledgment(id="Serverless-SQSRedrivePolicy", reason=last_queue),
    )
    explain_managed_key(queue)
    return queue


def start_target(
    scope: Construct,
    id: str,
    machine: sfn.IStateMachine,
    *,
    given: events.RuleTargetInput,
    undelivered: sqs.IQueue,
) -> targets.SfnStateMachine:
    """Makes a rule's target that starts `machine`, with a role that may do nothing else."""
    role = iam.Role(
        scope,
        id,
        description="Lets a rule start a workflow",
        assumed_by=iam.ServicePrincipal("events.amazonaws.com"),
    )
    acknowledge_inline_policy(role)
    allow(role, ["states:StartExecution"], machine.state_machine_arn)
    # EventBridge would retry for a day; a rollback that starts a day late does not help.
    return targets.SfnStateMachine(
        machine, input=given, role=role, dead_letter_queue=undelivered, max_event_age=Duration.hours(1)
    )


def send_events(bucket: s3.IBucket) -> None:
    """Makes a bucket of this app send its events to EventBridge; for a bucket of another app, warns that its owner
    must.

    It does not use the bucket's own method, which creates a function that calls S3 for what the template can declare.
    """
    resource = bucket.node.default_child
    if isinstance(resource, s3.CfnBucket):
        resource.add_property_override("NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled", True)
        return
    if is_of_other_account(bucket, account_of(bucket)):
        raise refusal(
            "start_on_new_data",
            True,
            f"False for a data_bucket of the account {bucket.env.account}",
            "S3 sends events to the bus of its own account alone; give a schedule",
        )
    Annotations.of(bucket).add_warning_v2(
        "cdk-fargate-sagemaker:bucket-events",
        f"this app cannot change {readable_reference(stack_of(bucket).resolve(bucket.bucket_name))}: have its owner "
        "switch on its notifications to EventBridge, without which new posts start no release; then acknowledge this "
        "warning on the imported bucket",
    )


def new_objects(bucket: s3.IBucket, prefix: str) -> events.EventPattern:
    """Returns the event of an object that was put below `prefix`."""
    return events.EventPattern(
        source=["aws.s3"],
        detail_type=["Object Created"],
        detail={"bucket": {"name": [bucket.bucket_name]}, "object": {"key": [{"prefix": prefix}]}},
    )
