"""What starts releases: a schedule, new data, new labels, an alarm."""

from aws_cdk import Duration, Tokenization
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from ..._allow import allow
from ..._checks import check_interface, refusal
from ..._key_use import through_dynamodb
from ..._packaged_function import PackagedFunction
from ..._resource_policy import open_to_account
from ..sources.review_decisions import ReviewDecisions
from ..workflow._later_names import EXECUTIONS_OF_LATER, execution_arn
from ..workflow._starts import new_objects, send_events, start_target, undelivered_queue
from ..workflow.release_records import ReleaseRecords
from ._endpoint_end import EndpointEnd


class ReleaseStarts:
    """Makes the rules that start a release workflow, below the workflow's own construct."""

    def __init__(
        self,
        scope: Construct,
        *,
        endpoint_name: str,
        state_machine: sfn.StateMachine,
        records: ReleaseRecords,
        reviews: ReviewDecisions | None,
        encryption_key: kms.IKey,
        undelivered: sqs.Queue,
        end: EndpointEnd,
    ) -> None:
        self._scope = scope
        self._endpoint_name = endpoint_name
        self._state_machine = state_machine
        self._records = records
        self._reviews = reviews
        self._encryption_key = encryption_key
        self._undelivered = undelivered
        self._end = end
        self._starter: lambda_.Function | None = None

    def on_schedule(self, schedule: events.Schedule) -> None:
        """Starts a release at each time of `schedule`."""
        self._start_by("schedule", "Schedule", schedule=schedule)

    def on_new_data(self, bucket: s3.IBucket, prefix: str) -> None:
        """Starts a release for each object that is put below `prefix`."""
        send_events(bucket)
        self._start_by("new posts", "NewPosts", event_pattern=new_objects(bucket, prefix))

    def on_new_labels(self, new_labels: int) -> None:
        """Starts a release once reviewers have given this many labels since the release that serves."""
        starter = self._starter_function()
        starter.add_environment("NEW_LABELS", Tokenization.stringify_number(new_labels))
        rule = events.Rule(
            self._scope,
            "NewLabels",
            description=f"Checks whether there are enough new labels for a release to {self._endpoint_name}",
            schedule=events.Schedule.rate(Duration.hours(1)),
            targets=[
                targets.LambdaFunction(
                    starter,
                    dead_letter_queue=self._undelivered,
                    max_event_age=Duration.hours(1),
                )
            ],
        )
        rule.node.add_dependency(self._end)

    def on_alarm(self, alarm: cloudwatch.IAlarm) -> None:
        """Starts a release when `alarm` fires.

        Raises:
            InvalidArgumentError: a value that is not an alarm, or a source without reviews.
        """
        check_interface("alarm", alarm, "alarm_arn", "an alarm", "import one with Alarm.from_alarm_arn(…)")
        if not isinstance(alarm, Construct):
            raise refusal("alarm", alarm, "an alarm in the tree of an app", "import it with Alarm.from_alarm_arn(…)")
        if self._reviews is None:
            raise refusal(
                "reviews",
                None,
                "ReviewDecisions of the source with start_on",
                "a release would train on the same posts",
            )
        rule = events.Rule(
            alarm,
            "StartsRelease",
            description=f"Starts a release to {self._endpoint_name} when {alarm.node.path} fires",
            event_pattern=events.EventPattern(
                source=["aws.cloudwatch"],
                detail_type=["CloudWatch Alarm State Change"],
                resources=[alarm.alarm_arn],
                detail={"state": {"value": ["ALARM"]}},
            ),
            targets=[
                targets.LambdaFunction(
                    self._starter_function(),
                    # It belongs to the alarm's stack: the policy of the workflow's own queue would name a rule of a
                    # later stack.
                    dead_letter_queue=undelivered_queue(alarm, "Undelivered"),
                    max_event_age=Duration.hours(1),
                )
            ],
        )
        rule.node.add_dependency(self._end)

    def _start_by(
        self,
        started_by: str,
        id: str,
        *,
        schedule: events.Schedule | None = None,
        event_pattern: events.EventPattern | None = None,
    ) -> None:
        target = start_target(
            self._scope,
            f"{id}Role",
            self._state_machine,
            given=events.RuleTargetInput.from_object({"started_by": started_by}),
            undelivered=self._undelivered,
        )
        rule = events.Rule(
            self._scope,
            id,
            description=f"Releases to {self._endpoint_name} by {started_by}",
            schedule=schedule,
            event_pattern=event_pattern,
            targets=[target],
        )
        rule.node.add_dependency(self._end)

    def _starter_function(self) -> lambda_.Function:
        if self._starter is None:
            # The callers have checked that there are reviews.
            assert self._reviews is not None
            self._starter = self._made_starter(self._reviews.table)
        return self._starter

    def _made_starter(self, reviews: dynamodb.ITable) -> lambda_.Function:
        starter = PackagedFunction(
            self._scope,
            "Starter",
            name="release_starter",
            description=f"Starts a release to {self._endpoint_name} once there are enough new labels",
            timeout=Duration.minutes(1),
            log_encryption_key=self._encryption_key,
            dead_letter_queue=self._undelivered,
            environment={
                "ENDPOINT_NAME": self._endpoint_name,
                "RELEASES_TABLE": self._records.table.table_name,
                "RELEASE_WORKFLOW": self._state_machine.state_machine_arn,
                "REVIEW_TABLE": reviews.table_name,
            },
        )
        allow(starter.role, ["dynamodb:GetItem", "dynamodb:Query"], self._records.table.table_arn)
        # It reads only the reviewers' counters, no post.
        allow(
            starter.role,
            ["dynamodb:Query"],
            reviews.table_arn,
            conditions={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["day#*"]}},
        )
        keys = [self._encryption_key, *([reviews.encryption_key] if reviews.encryption_key else [])]
        allow(
            starter.role,
            ["kms:Decrypt", "kms:DescribeKey"],
            *(key.key_arn for key in keys),
            conditions=through_dynamodb(self._scope),
        )
        for key in keys:
            open_to_account(key, key.key_arn, starter.role, ["kms:Decrypt", "kms:DescribeKey"], "*")
        allow(starter.role, ["states:StartExecution"], self._state_machine.state_machine_arn)
        for workflow in ("release", "rollback"):
            allow(
                starter.role,
                ["states:DescribeExecution"],
                execution_arn(self._scope, f"{self._endpoint_name}-{workflow}:*"),
                wildcard_reason=EXECUTIONS_OF_LATER,
            )
        return starter.function
