"""The workflow that rolls an endpoint back."""

from typing import Unpack

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from ..._checks import check_duration, check_kind, check_text
from ..._interfaces import AnyKey, AnyTopic, check_key, check_topic, checked_grantee
from ..._log_checks import check_log_retention
from ..._metric_options import MetricOptions, given_options
from ..._readable_help import CallSignature
from ..._topic_publishers import rule_target
from ..configuration.endpoint_configuration import EndpointConfiguration
from ..endpoint._endpoint_name import check_endpoint_name
from ..workflow._starts import start_target, undelivered_queue
from ..workflow._workflow_machine import workflow_logs, workflow_machine, workflow_role
from ..workflow.release_records import ReleaseRecords
from ._rollback_definition import ROLLBACK_FAILED, RollbackPlan, rollback_definition

POLL_INTERVAL = Duration.seconds(30)
"""The default time between two checks of the endpoint."""

# Each check marks the endpoint as being changed, and `EndpointAlarms` evaluates the last five minutes.
_SHORTEST_POLL_INTERVAL = Duration.seconds(1)
_LONGEST_POLL_INTERVAL = Duration.minutes(4)
# Time for the functions, in addition to the wait for the endpoint. The cleaner may wait for jobs, three times 15
# minutes.
_REST = Duration.hours(1)


class RollbackWorkflow(Construct):
    """Rolls an endpoint back to an earlier good release, in one update, and deletes what a failed release left behind.

    The same workflow does so for every start. Its input:

    - `{}`: a person, from the console. Back to the last good release before the current one. If no endpoint serves, the
      current one is restored, and no release is marked as bad.
    - `{"release": "<name>"}`: a person. To that release, which must have served before.
    - `{"failed": {"release", "execution", "failure"}}`: a release workflow that waits for it, and reports.
    - `{"stopped": {"execution", "status", "error", "cause"}}`: EventBridge, when an execution of the release workflow
      was stopped, timed out, or failed with an error that is not its own. This workflow then reports it.

    An endpoint that already serves its target is not changed. An endpoint that failed, or that has no good release to
    serve, is deleted; if there is a target, it is then created again. Before an endpoint is updated or created, the
    archive of its target's model is compared with the SHA-256 in the record: a changed archive is refused. A release
    that was recorded before hashes were introduced serves again, and the alert says that its archive was not checked.

    The workflow looks for other deleted parts before it changes anything. It recreates a missing model or endpoint
    configuration from the release's record, and a missing record of the current release from what serves. Where it
    cannot, the rollback ends with one line that says what is missing and which release can serve.

    `ModelReleaseWorkflow` creates one as its `rollback`.

    Args:
        endpoint_name: the endpoint's name. The state machine's is `<endpoint_name>-rollback`.
        release_workflow_name: the name of the release workflow, for the alert about an execution that was stopped.
        records: the records of releases, with their outcomes.
        alerts_topic: is notified of rollbacks, and of releases that could not notify themselves.
        configuration: what the endpoint runs: which variants scale.
        encryption_key: encrypts the logs, and the volumes of the endpoint that it creates or updates.
        poll_interval: how often the workflow checks whether the endpoint serves the target, 1 second to 4 minutes.
            Default: 30 seconds.
        settled_within: time limit for the endpoint to serve its target, after which the rollback fails. It must be
            enough for an update in progress and one more. Default: 2 hours.
        log_retention: how long the state machine's logs are kept. Default: one year.

    Raises:
        InvalidArgumentError: an invalid argument, a `poll_interval` at which the endpoint's alarm would notify of an
            update, too, or a time that is known at deployment only.
    """

    __signature__ = CallSignature()

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        endpoint_name: str,
        release_workflow_name: str,
        records: ReleaseRecords,
        alerts_topic: AnyTopic,
        configuration: EndpointConfiguration,
        encryption_key: AnyKey,
        poll_interval: Duration | None = None,
        settled_within: Duration | None = None,
        log_retention: logs.RetentionDays = logs.RetentionDays.ONE_YEAR,
    ) -> None:
        super().__init__(scope, id)
        poll_interval = poll_interval or POLL_INTERVAL
        settled_within = settled_within or Duration.hours(2)
        check_text("release_workflow_name", release_workflow_name)
        _check(endpoint_name, records, alerts_topic, configuration, encryption_key, poll_interval, settled_within)
        check_log_retention(log_retention)
        self._timeout = settled_within.plus(_REST)
        self._role = workflow_role(self, f"The rollback workflow of {endpoint_name}")
        self._log_group = workflow_logs(self, encryption_key, log_retention)
        definition = rollback_definition(
            self,
            self._role,
            RollbackPlan(
                endpoint_name=endpoint_name,
                release_workflow_name=release_workflow_name,
                alerts_topic=alerts_topic,
                ledger=records.ledger.function,
                cleaner=records.cleaner.function,
                files=records.files.function,
                volume_key=encryption_key,
                configuration=configuration,
                poll_interval=poll_interval,
                settled_within=settled_within,
            ),
        )
        self._state_machine = workflow_machine(
            self,
            name=f"{endpoint_name}-rollback",
            comment=f"Rolls {endpoint_name} back to an earlier good release",
            definition=definition,
            role=self._role,
            log_group=self._log_group,
            timeout=self._timeout,
        )
        self._undelivered_events = undelivered_queue(self, "UndeliveredEvents")
        self._unfinished_rule = events.Rule(
            self,
            "UnfinishedExecutions",
            description=f"Rollbacks of {endpoint_name} that ended without sending their own alert",
            # A release that waits for the rollback reports it; when a release is stopped, Step Functions stops the
            # rollback that it waits for too.
            event_pattern=_ended(
                self._state_machine,
                [ROLLBACK_FAILED],
                input=[{"anything-but": {"prefix": '{"failed"'}}],
            ),
            targets=[
                rule_target(self, "UnfinishedExecutionsRole", alerts_topic, dead_letter_queue=self._undelivered_events)
            ],
        )

    @property
    def timeout(self) -> Duration:
        """The time limit of an execution."""
        return self._timeout

    @property
    def role(self) -> iam.Role:
        """The role of the state machine."""
        return self._role

    @property
    def log_group(self) -> logs.LogGroup:
        """The log group of the state machine."""
        return self._log_group

    @property
    def state_machine(self) -> sfn.StateMachine:
        """The state machine that rolls back."""
        return self._state_machine

    @property
    def undelivered_events(self) -> sqs.Queue:
        """The dead-letter queue of events that could not be delivered, kept for two weeks."""
        return self._undelivered_events

    @property
    def unfinished_rule(self) -> events.Rule:
        """The rule that notifies of rollbacks that could not do so themselves."""
        return self._unfinished_rule

    def after_stopped(
        self, scope: Construct, id: str, *, state_machine: sfn.IStateMachine, own_errors: list[str]
    ) -> events.Rule:
        """Rolls back each execution of the release workflow that was stopped, timed out, or failed with an error other
        than `own_errors`.

        Args:
            scope: where the rule is made.
            id: the rule's id there.
            state_machine: the release workflow.
            own_errors: the errors after which a release has rolled the endpoint back itself.
        """
        return events.Rule(
            scope,
            id,
            description="Releases that ended without rolling the endpoint back themselves",
            event_pattern=_ended(state_machine, own_errors),
            targets=[
                start_target(
                    self,
                    "StarterRole",
                    self._state_machine,
                    # It gets the whole event, because EventBridge does not escape a text that it puts into an input.
                    given=events.RuleTargetInput.from_object({"stopped": events.EventField.from_path("$.detail")}),
                    undelivered=self._undelivered_events,
                )
            ],
        )

    def grant_start(self, grantee: iam.IGrantable) -> iam.Grant:
        """Lets `grantee` start a rollback.

        Args:
            grantee: who is allowed.
        """
        return self._state_machine.grant_start_execution(checked_grantee(grantee))

    def metric_failed(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """Counts rollbacks that failed (sum over 5 minutes).

        Args:
            options: those of the CDK's metrics.
        """
        return self._state_machine.metric_failed(**given_options(options))

    def metric_succeeded(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """Counts rollbacks that succeeded (sum over 5 minutes).

        Args:
            options: those of the CDK's metrics.
        """
        return self._state_machine.metric_succeeded(**given_options(options))


def _ended(state_machine: sfn.IStateMachine, own_errors: list[str], **further: list[object]) -> events.EventPattern:
    return events.EventPattern(
        source=["aws.states"],
        detail_type=["Step Functions Execution Status Change"],
        detail={
            "stateMachineArn": [state_machine.state_machine_arn],
            "$or": [
                {"status": ["TIMED_OUT", "ABORTED"]},
                {"status": ["FAILED"], "error": [{"anything-but": own_errors}]},
            ],
            **further,
        },
    )


def _check(
    endpoint_name: str,
    records: ReleaseRecords,
    alerts_topic: sns.ITopic,
    configuration: EndpointConfiguration,
    encryption_key: kms.IKey,
    poll_interval: Duration,
    settled_within: Duration,
) -> None:
    check_endpoint_name(endpoint_name)
    check_kind("records", records, ReleaseRecords)
    check_topic("alerts_topic", alerts_topic)
    check_kind("configuration", configuration, EndpointConfiguration)
    check_key("encryption_key", encryption_key)
    check_poll_interval(poll_interval)
    # The maximum number of checks and the time limit of an execution are computed from it.
    check_duration("settled_within", settled_within, above_zero=True, whole="seconds", token=False)


def check_poll_interval(poll_interval: Duration) -> None:
    """Refuses a time between two checks that is known at deployment only, because the maximum number of checks is
    computed from it, and a time at which the endpoint's alarm would notify of an update.

    Raises:
        InvalidArgumentError: see above.
    """
    check_duration(
        "poll_interval",
        poll_interval,
        at_least=_SHORTEST_POLL_INTERVAL,
        at_most=_LONGEST_POLL_INTERVAL,
        whole="seconds",
        token=False,
        remedy="each look keeps the endpoint's alarm quiet for five minutes",
    )
