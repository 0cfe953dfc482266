import math
from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from ..._interfaces import AnyFunction
from ..configuration._endpoint_requests import retention_request
from ..configuration.endpoint_configuration import EndpointConfiguration
from ..workflow._alert_message import failure_alert, rollback_notice
from ..workflow._endpoint_states import UNCHECKED, EndpointStates
from ..workflow._task_states import ERROR_OUTPUT, LONGEST_CAUSE, TaskStates, assigned_failure

ROLLBACK_FAILED = "RollbackFailed"

_BUSY = "['Creating', 'Updating', 'SystemUpdating', 'RollingBack', 'Deleting']"
_UPDATABLE = "['InService', 'OutOfService', 'UpdateRollbackFailed']"
# If it fails in one of these states, another release may still be made to serve.
_OF_TARGET = (
    "['Archive-Checking-Step', 'Endpoint-Creating-Step', "
    "'Endpoint-Updating-Step', 'Endpoint-State', 'Endpoint-Missing']"
)
SERVING_AGAIN = (
    "($not($type({failed}) = 'object') ? 'nothing: the endpoint stays as it was' "
    ": $type({target}) = 'object' ? {target}.release & "
    f"({{checked}} = false ? '; {UNCHECKED}' : '') : 'nothing: no release served before')"
)
"""JSONata for a sentence that says which release serves again. A release may end before it changed anything, or after
it was recorded: then nothing is rolled back. `checked` is whether the archive that serves again was checked, or null if
the endpoint did not have to start it.
"""

_HAS_TARGET = "$type($target) = 'object'"
_HAS_FAILED = "$type($failed) = 'object'"

# The console suggests {"Comment": "Insert your JSON here"} as the input of an execution: it means {}. An execution's
# event arrives in EventBridge's own format, because EventBridge's transformations do not escape text.
_INPUT = (
    "$exists($states.input.stopped.executionArn) ? "
    "{'stopped': $merge([{'execution': $states.input.stopped.executionArn, 'status': $states.input.stopped.status}, "
    "$type($states.input.stopped.error) = 'string' ? {'error': $states.input.stopped.error} : {}, "
    "$type($states.input.stopped.cause) = 'string' ? {'cause': $states.input.stopped.cause} : {}])} "
    ": $type($states.input) = 'object' "
    "? $merge([{}, $sift($states.input, function($value, $key) { $key != 'Comment' })]) "
    ": {'something else': $states.input}"
)


_STOPPED = (
    "($exists($states.context.Execution.Input.stopped.executionArn) "
    "? $states.context.Execution.Input.stopped.executionArn : $states.context.Execution.Input.stopped.execution)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackPlan:
    """The values that the rollback's states refer to."""

    endpoint_name: str
    release_workflow_name: str
    alerts_topic: sns.ITopic
    ledger: AnyFunction
    cleaner: AnyFunction
    files: AnyFunction
    volume_key: kms.IKey
    configuration: EndpointConfiguration
    poll_interval: Duration
    settled_within: Duration


def rollback_definition(scope: Construct, role: iam.Role, plan: RollbackPlan) -> sfn.IChainable:
    """The states from `Begin` to `Rolled-Back`.

    Variables:

    - `mode`: who started the rollback (`by_hand`, `failed`, `stopped`).
    - `target`: the release that must serve, or null.
    - `failed`: the release to discard, or null.
    - `happened`: the reason.
    - `endpoint`: the last description of the endpoint.
    - `starting`: the call that gives the endpoint its target.
    - `archive_checked`: whether the target's archive was compared with its record; null if nothing had to be started.
    - `polls`, `updates`, `deletions`, `creations`: the numbers of these actions.
    - `failure`: what failed in this rollback.
    - `left_behind`: what the cleaner could not delete.
    """
    return _Rollback(scope, role, plan).linked()


class _Rollback:
    def __init__(self, scope: Construct, role: iam.Role, plan: RollbackPlan) -> None:
        self._scope = scope
        self._plan = plan
        self._tasks = TaskStates(scope, role)
        self._endpoint = EndpointStates(
            self._tasks,
            endpoint_name=plan.endpoint_name,
            configuration=plan.configuration,
            volume_key=plan.volume_key,
            files=plan.files,
        )
        self._rolled_back = sfn.Succeed.jsonata(
            scope,
            "Rolled-Back",
            outputs={
                "endpoint": plan.endpoint_name,
                "mode": "{% $mode %}",
                "failed": "{% $failed %}",
                "target": "{% $target %}",
                "archive_checked": "{% $archive_checked %}",
            },
        )
        self._failed = sfn.Fail.jsonata(
            scope,
            "Failed",
            error=ROLLBACK_FAILED,
            cause="{% $failure.state & ': ' & $failure.error & ': ' & $failure.cause %}",
        )
        self._notify = self._notify_slack_failure()
        self._failure = self._rollback_failure()
        self._tasks.fail_to(self._failure)

    def linked(self) -> sfn.IChainable:
        begin = self._begin()
        record = self._record()
        record.next(self._reporting())
        settled = self._settled(record)
        describing = self._describing()
        wait = sfn.Wait.jsonata(self._scope, "Wait", time=sfn.WaitTime.duration(self._plan.poll_interval))
        wait.next(describing)
        marking = self._endpoint.marked(wait)
        checking = self._archive_checking(marking)

        describing.add_catch(
            self._missing(checking, settled),
            errors=["States.TaskFailed"],
            assign={"description_error": ERROR_OUTPUT, "polls": "{% $polls + 1 %}"},
        )
        self._tasks.catch("Endpoint-Describing-Step", describing)
        describing.next(self._state(marking, checking, settled))

        begun = self._tasks.choice("Begun")
        # The release changed nothing yet, or was complete: the model that serves stays.
        begun.when(sfn.Condition.jsonata(f"{{% $mode != 'by_hand' and $not({_HAS_FAILED}) %}}"), record)
        begun.otherwise(describing)
        begin.next(begun)
        return begin

    def _begin(self) -> sfn.CustomState:
        return self._tasks.function(
            "Begin",
            self._plan.ledger,
            {
                "operation": "begin_rollback",
                "execution": "{% $states.context.Execution.Id %}",
                "input": f"{{% {_INPUT} %}}",
                # For models and configurations that the ledger recreates.
                "tags": self._tasks.tags,
            },
            assign={
                "mode": "{% $states.result.Payload.mode %}",
                "failed": "{% $states.result.Payload.failed %}",
                "target": "{% $states.result.Payload.target %}",
                "happened": "{% $states.result.Payload.failure %}",
                "note": "{% $states.result.Payload.note %}",
                "offer": "{% $states.result.Payload.offer %}",
                "reason": "{% null %}",
                "polls": 0,
                "updates": 0,
                "deletions": 0,
                "creations": 0,
                "archive_checked": "{% null %}",
            },
            repeatable=True,
        )

    def _describing(self) -> sfn.CustomState:
        return self._endpoint.described(
            "Endpoint-Describing-Step",
            {
                "endpoint": "{% $states.result %}",
                # SageMaker may report no configuration while an endpoint is created, or after its creation failed.
                "left": "{% $type($left) = 'string' ? $left "
                ": $exists($states.result.EndpointConfigName) ? $states.result.EndpointConfigName : null %}",
                # After a failed endpoint is deleted, this is the only record of the reason.
                "reason": "{% $exists($states.result.FailureReason) ? $states.result.FailureReason : $reason %}",
                "polls": "{% $polls + 1 %}",
            },
        )

    def _archive_checking(self, waiting: sfn.IChainable) -> sfn.CustomState:
        """The states that give the endpoint its target, after they compared its archive with the record."""
        # The update is all at once and without rollback alarms: these may be the reason for this rollback.
        target = "{% $target.endpoint_configuration %}"
        creating = self._endpoint.created(target, assign={"creations": "{% $creations + 1 %}"})
        updating = self._endpoint.updated(
            target, further=retention_request(self._plan.configuration), assign={"updates": "{% $updates + 1 %}"}
        )
        creating.next(waiting)
        updating.next(waiting)
        checked = self._tasks.choice("Archive-Checked")
        checked.when(sfn.Condition.jsonata("{% $starting = 'creation' %}"), creating)
        checked.otherwise(self._endpoint.scaling_lifted(updating))
        checking = self._endpoint.archive_checked(
            release="$target.release",
            model_data="$target.model_data",
            sha256="$target.archive_sha256",
        )
        checking.next(checked)
        return checking

    def _missing(self, checking: sfn.CustomState, settled: sfn.IChainable) -> sfn.Choice:
        """SageMaker has no error of its own for an endpoint that does not exist: only the message shows it."""
        missing = self._tasks.choice("Endpoint-Missing")
        missing.when(
            sfn.Condition.jsonata("{% $not($contains($description_error.cause, 'Could not find')) %}"),
            self._failure,
            assign={
                "failure": {
                    "state": "Endpoint-Describing-Step",
                    "error": "{% $description_error.error %}",
                    "cause": "{% $description_error.cause %}",
                }
            },
        )
        missing.when(sfn.Condition.jsonata(f"{{% $not({_HAS_TARGET}) %}}"), settled)
        missing.when(sfn.Condition.jsonata("{% $creations = 0 %}"), checking, assign={"starting": "creation"})
        missing.when(
            sfn.Condition.jsonata("{% true %}"),
            self._failure,
            assign=assigned_failure(
                "Endpoint-Missing",
                "EndpointNotRolledBack",
                "'the endpoint was created again' & ($type($reason) = 'string' "
                "? ', failed and was deleted: ' & $reason : ' and is gone')",
            ),
        )
        return missing

    def _state(self, waiting: sfn.IChainable, checking: sfn.CustomState, settled: sfn.IChainable) -> sfn.Choice:
        deleting = self._endpoint.deleted({"deletions": "{% $deletions + 1 %}"})
        deleting.next(waiting)
        removed = self._endpoint.scaling_lifted(deleting, name="Scaling-Removing-Step")
        registered = self._endpoint.scaling_registered(settled)
        polls = math.ceil(self._plan.settled_within.to_seconds() / self._plan.poll_interval.to_seconds())
        needed = (
            f"({_HAS_TARGET} ? ', needed InService with ' & $target.endpoint_configuration : ', needed no endpoint') & "
            "($exists($endpoint.FailureReason) ? ': ' & $endpoint.FailureReason : '')"
        )

        state = self._tasks.choice("Endpoint-State")
        state.when(
            sfn.Condition.jsonata(
                f"{{% {_HAS_TARGET} and $endpoint.EndpointStatus = 'InService' "
                "and $endpoint.EndpointConfigName = $target.endpoint_configuration %}"
            ),
            registered,
        )
        state.when(sfn.Condition.jsonata(f"{{% $endpoint.EndpointStatus in {_BUSY} and $polls < {polls} %}}"), waiting)
        state.when(
            sfn.Condition.jsonata(f"{{% $endpoint.EndpointStatus in {_BUSY} %}}"),
            self._failure,
            assign=assigned_failure(
                "Endpoint-State",
                "EndpointNotInTime",
                "'the endpoint is still ' & $endpoint.EndpointStatus & "
                f"' after {self._plan.settled_within.to_human_string()}' & {needed}",
            ),
        )
        state.when(
            sfn.Condition.jsonata(
                f"{{% {_HAS_TARGET} and $endpoint.EndpointStatus in {_UPDATABLE} and $updates = 0 %}}"
            ),
            checking,
            assign={"starting": "update"},
        )
        state.when(
            # An endpoint that an earlier stack left in service is not part of this release: it stays.
            sfn.Condition.jsonata(
                f"{{% $not({_HAS_TARGET}) and {_HAS_FAILED} and $endpoint.EndpointStatus = 'InService' "
                "and $endpoint.EndpointConfigName != $failed.release %}"
            ),
            settled,
        )
        state.when(
            # An endpoint in the status Failed can only be deleted.
            sfn.Condition.jsonata(
                f"{{% ($not({_HAS_TARGET}) or $endpoint.EndpointStatus = 'Failed') and $deletions = 0 %}}"
            ),
            removed,
        )
        # This rule always holds. It is not the default, because only a rule can assign what failed.
        state.when(
            sfn.Condition.jsonata("{% true %}"),
            self._failure,
            assign=assigned_failure(
                "Endpoint-State",
                "EndpointNotRolledBack",
                "'the endpoint is ' & $endpoint.EndpointStatus & ' with ' & "
                "($exists($endpoint.EndpointConfigName) ? 'the configuration ' & $endpoint.EndpointConfigName "
                f": 'no configuration') & {needed}",
            ),
        )
        return state

    def _settled(self, record: sfn.CustomState) -> sfn.Choice:
        discard = self._tasks.uncaught_function(
            "Discard",
            self._plan.cleaner,
            {"operation": "discard", "release": "{% $failed.release %}"},
            repeatable=True,
        )
        # The endpoint is in its intended state. This is recorded before the parts that were left behind are reported.
        discard.add_catch(record, errors=["States.ALL"], assign={"left_behind": {"state": "Discard", **ERROR_OUTPUT}})
        discard.next(record)
        settled = self._tasks.choice("Settled")
        settled.when(sfn.Condition.jsonata(f"{{% {_HAS_FAILED} %}}"), discard)
        settled.otherwise(record)
        return settled

    def _record(self) -> sfn.CustomState:
        return self._tasks.function(
            "Record",
            self._plan.ledger,
            {
                "operation": "finish_rollback",
                "execution": "{% $states.context.Execution.Id %}",
                "mode": "{% $mode %}",
                "failed": "{% $failed %}",
                "target": "{% $target %}",
                "failure": "{% $happened %}",
            },
            repeatable=True,
        )

    def _reporting(self) -> sfn.Choice:
        who = self._tasks.choice("Who-Tells")
        who.when(
            sfn.Condition.jsonata("{% $exists($left_behind) %}"),
            self._failure,
            assign={"failure": "{% $left_behind %}"},
        )
        who.when(sfn.Condition.jsonata("{% $mode = 'by_hand' %}"), self._notify_slack_rollback())
        serving_again = SERVING_AGAIN.format(failed="$failed", target="$target", checked="$archive_checked")
        who.when(
            sfn.Condition.jsonata("{% $mode = 'stopped' %}"),
            self._notify,
            assign={
                "alert": {
                    "workflow": self._plan.release_workflow_name,
                    "execution": f"{{% {_STOPPED} %}}",
                    "state": "{% $happened.state %}",
                    "error": "{% $happened.error %}",
                    "cause": f"{{% $substring($happened.cause, 0, {LONGEST_CAUSE}) %}}",
                    "further": f"{{% {{'rolled_back_to': {serving_again}}} %}}",
                }
            },
        )
        who.otherwise(self._rolled_back)
        return who

    def _rollback_failure(self) -> sfn.Choice:
        """The failure, which a release that waits for its rollback reports together with its own."""
        failure = self._tasks.choice("Rollback-Failure")
        failure.when(sfn.Condition.jsonata("{% $exists($states.context.Execution.Input.failed) %}"), self._failed)
        failure.when(
            sfn.Condition.jsonata("{% true %}"),
            self._notify,
            assign={
                "alert": {
                    "workflow": "{% $states.context.StateMachine.Name %}",
                    "execution": "{% $states.context.Execution.Id %}",
                    "state": "{% $failure.state %}",
                    "error": "{% $failure.error %}",
                    "cause": (
                        "{% ($exists($states.context.Execution.Input.stopped) "
                        f"? {_STOPPED} & ' ended as ' & $states.context.Execution.Input.stopped.status "
                        "& ' and could not be rolled back: ' : '') & $failure.cause "
                        f"& ($type($offer) = 'string' and $failure.state in {_OF_TARGET} ? '; ' & $offer : '') %}}"
                    ),
                    "further": {},
                }
            },
        )
        return failure

    def _notify_slack_failure(self) -> sfn.CustomState:
        """It has no Catch: if an alert cannot be published, the execution fails with that error, and the rule notifies
        of it.
        """
        notify = self._tasks.publish(
            "NotifySlackFailure",
            self._plan.alerts_topic,
            failure_alert(
                self._scope,
                workflow="$alert.workflow",
                execution="$alert.execution",
                state="$alert.state",
                error="$alert.error",
                cause="$alert.cause",
                further="$alert.further",
            ),
        )
        outcome = self._tasks.choice("Outcome")
        outcome.when(sfn.Condition.jsonata("{% $exists($failure) %}"), self._failed)
        outcome.otherwise(self._rolled_back)
        notify.next(outcome)
        return notify

    def _notify_slack_rollback(self) -> sfn.CustomState:
        """A rollback that a person started is also reported, to inform the others. If the report cannot be published,
        the execution fails, as with an alert.
        """
        notify = self._tasks.publish(
            "NotifySlackRollback",
            self._plan.alerts_topic,
            rollback_notice(
                self._scope,
                workflow="$states.context.StateMachine.Name",
                execution="$states.context.Execution.Id",
                left="($type($left) = 'string' ? $left : 'nothing')",
                target="$target.release",
                note=(
                    f"($notes := [$note, $archive_checked = false ? '{UNCHECKED}' : null][$type($) = 'string']; "
                    "$count($notes) > 0 ? $join($notes, '; ') : null)"
                ),
            ),
        )
        notify.next(self._rolled_back)
        return notify
