"""The states of a release before and after its stages."""

from collections.abc import Iterator
from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_sns as sns
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from ..endpoint._endpoint_name import LONGEST_NAME
from ..rollback._rollback_definition import SERVING_AGAIN
from ..rollback.rollback_workflow import RollbackWorkflow
from ..stages.release_binding import ReleaseBinding
from ..stages.release_stage import ReleaseStage
from ..workflow._alert_message import failure_alert
from ..workflow._later_names import EXECUTIONS_OF_LATER, execution_arn
from ..workflow._task_states import ERROR_OUTPUT, Allowed, TaskStates, assigned_failure
from ..workflow._workflow_machine import allow_waiting
from ..workflow.release_records import ReleaseRecords
from ._served_model import ServedModel

RELEASE_FAILED = "ReleaseFailed"
RELEASE_IN_PROGRESS = "ReleaseInProgressError"

# The execution's name is part of the resources' names, which SageMaker limits to LONGEST_NAME characters of
# [a-zA-Z0-9-]. A name that does not fit gets hyphens for other characters, is shortened, and gets a hash, so that two
# executions never share one.
_HASH_CHARACTERS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseStages:
    """The stages of a workflow; a stage that is None is left out."""

    source: ReleaseStage | None
    preprocess: tuple[ReleaseStage, ...]
    train: ReleaseStage | None
    evaluate: ReleaseStage | None
    check: tuple[ReleaseStage, ...]

    @property
    def need_posts(self) -> bool:
        """Whether a stage reads posts."""
        return bool(self.preprocess or self.train or self.evaluate or self.check)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasePlan:
    """The resources and settings that the states around the stages use."""

    endpoint_name: str
    stages: ReleaseStages
    served: ServedModel
    records: ReleaseRecords
    rollback: RollbackWorkflow
    alerts_topic: sns.ITopic
    keep_releases: int


class ReleaseDefinition:
    """The states from `Input` to `Released`; a failure leads through `Roll-Back` to `Failed`.

    Their variables:

    - `release` is the name of the jobs, the model and the endpoint configuration.
    - `started_by` is who or what started the release.
    - `current` is the release that serves, or null.
    - `posts`, `model_data`, `metrics` and `current_metrics` are the results of extraction (and preprocessing), training
      and evaluation. After the gate, `model_data` is the URI of the archive's copy, and `archive_sha256` its hash.
    - `held_out` is the URI of the test posts as they were extracted.
    - `current_scores` is the URI of the current model's scores for them, or null.
    - `endpoint` is the endpoint's last description, and `polls` the number of descriptions.
    - `failure` has the failed `state`, the `error` and the `cause`.

    Args:
        scope: the workflow.
        tasks: creates the task states.
        plan: the resources and settings that the states use.
    """

    def __init__(self, scope: Construct, tasks: TaskStates, plan: ReleasePlan) -> None:
        self._scope = scope
        self._plan = plan
        self._tasks = tasks
        self._ledger = plan.records.ledger.function
        self._notify = self._notify_slack_failure()
        self._roll_back = self._make_roll_back()
        self._tasks.fail_to(self._roll_back)

    def linked(self, binding: ReleaseBinding) -> sfn.IChainable:
        """Binds every stage, from the last to the first, and returns the first state.

        Args:
            binding: binds a stage to the workflow.
        """
        stages = self._plan.stages
        then = self._in_slot(binding, "check", stages.check, self._released())
        then = self._plan.served.states(self._scope, self._tasks, then)
        then = self._in_slot(binding, "evaluate", (stages.evaluate,), then)
        then = self._in_slot(binding, "train", (stages.train,), then)
        then = self._in_slot(binding, "preprocess", stages.preprocess, then)
        then = self._in_slot(binding, "source", (stages.source,), then)
        begin = self._begin()
        begin.next(self._begun(binding, then))
        return self._input(begin)

    @staticmethod
    def _in_slot(
        binding: ReleaseBinding, slot: str, stages: tuple[ReleaseStage | None, ...], then: sfn.IChainable
    ) -> sfn.IChainable:
        for stage in reversed(stages):
            if stage is not None:
                then = stage.bind(binding.in_slot(slot), then)
        return then

    def _input(self, begin: sfn.CustomState) -> sfn.Choice:
        """Refuses an input of the wrong shape before the release begins, so there is nothing to roll back."""
        hashed = f"$substring($hash($states.context.Execution.Name, 'SHA-256'), 0, {_HASH_CHARACTERS})"
        kept = LONGEST_NAME - _HASH_CHARACTERS - 1
        given = self._tasks.choice("Input")
        for refused, cause in self._refused_inputs():
            given.when(
                sfn.Condition.jsonata(f"{{% {refused} %}}"),
                self._notify,
                assign=assigned_failure("Input", "InvalidInput", cause),
            )
        assign: dict[str, object] = {
            "release": (
                f"{{% ($wanted := '{self._plan.endpoint_name}-' & $states.context.Execution.Name; "
                f"$contains($wanted, /^[a-zA-Z0-9](-*[a-zA-Z0-9])*$/) and $length($wanted) <= {LONGEST_NAME} "
                f"? $wanted : $substring($replace($wanted, /[^a-zA-Z0-9]+/, '-'), 0, {kept}) & '-' & {hashed}) %}}"
            ),
            "started_by": "{% $exists($states.input.started_by) ? $states.input.started_by : 'hand' %}",
            "metrics": {},
            # JSONata's null, because jsii leaves None out.
            "current_metrics": "{% null %}",
            "current_scores": "{% null %}",
            "comparison": {},
            "validation": {},
        }
        if self._plan.stages.source is None:
            assign["posts"] = "{% $exists($states.input.posts) ? $states.input.posts : {} %}"
            assign["held_out"] = "{% $exists($states.input.posts) ? $states.input.posts.test.uri : '' %}"
        if self._plan.stages.train is None:
            assign["model_data"] = "{% $states.input.model_data %}"
        # A rule that always holds instead of the default: only a rule can assign variables.
        given.when(sfn.Condition.jsonata("{% true %}"), begin, assign=assign)
        return given

    def _refused_inputs(self) -> Iterator[tuple[str, str]]:
        yield (
            "$type($states.input) != 'object'",
            "'the input is of type ' & $type($states.input) & ': it must be an object, such as {}'",
        )
        yield (
            "$exists($states.input.started_by) and $type($states.input.started_by) != 'string'",
            "'started_by is of type ' & $type($states.input.started_by) & ': it must be a string that says who or "
            "what'",
        )
        wanted = []
        if self._plan.stages.source is None and self._plan.stages.need_posts:
            wanted += [("posts.train.uri", "s3://…/"), ("posts.test.uri", "s3://…/")]
        if self._plan.stages.train is None:
            wanted.append(("model_data", "s3://…/model.tar.gz"))
        for path, shape in wanted:
            got = f"$states.input.{path}"
            ending = shape.removeprefix("s3://…")
            yield (
                f"$not($type({got}) = 'string') ? true : "
                f"$substring({got}, 0, 5) != 's3://' or $substring({got}, -{len(ending)}) != '{ending}'",
                f"'{path} is ' & ($type({got}) = 'string' ? {got} : 'missing') & ': this workflow needs it as {shape}'",
            )

    def _begin(self) -> sfn.CustomState:
        begin = self._tasks.uncaught_function(
            "Begin",
            self._ledger,
            {
                "operation": "begin_release",
                "release": "{% $release %}",
                "execution": "{% $states.context.Execution.Id %}",
                "started_by": "{% $started_by %}",
            },
            assign={"current": "{% $states.result.Payload.current %}"},
            repeatable=True,
        )
        # The execution that holds the endpoint continues undisturbed. Only the caller that started this one needs to
        # know.
        begin.add_catch(
            sfn.Fail.jsonata(self._scope, "Refused", error=RELEASE_IN_PROGRESS, cause="{% $refusal.cause %}"),
            errors=[RELEASE_IN_PROGRESS],
            assign={"refusal": ERROR_OUTPUT},
        )
        self._tasks.catch("Begin", begin)
        return begin

    def _begun(self, binding: ReleaseBinding, then: sfn.IChainable) -> sfn.IChainable:
        """First checks that the stages' inputs besides the posts exist: otherwise earlier steps would run in vain."""
        if not binding.inputs:
            return then
        finding = self._tasks.function(
            "Inputs-Finding-Step",
            self._plan.records.files.function,
            {"operation": "find", "inputs": [{"uri": uri, "remedy": remedy} for uri, remedy in binding.inputs]},
            repeatable=True,
        )
        finding.next(then)
        return finding

    # ---- the end ---------------------------------------------------------------------------------------------------

    def _released(self) -> sfn.IChainable:
        record = self._tasks.function(
            "Record",
            self._ledger,
            {
                "operation": "finish_release",
                "release": "{% $release %}",
                "execution": "{% $states.context.Execution.Id %}",
                "posts": "{% $exists($posts) ? $posts : {} %}",
                "metrics": "{% $metrics %}",
                "current_metrics": "{% $current_metrics %}",
                "comparison": "{% $comparison %}",
                "validation": "{% $validation %}",
                "model_data": "{% $model_data %}",
                "archive_sha256": "{% $archive_sha256 %}",
            },
            repeatable=True,
        )
        record.next(self._clean_up())
        return record

    def _clean_up(self) -> sfn.CustomState:
        released = sfn.Succeed.jsonata(
            self._scope,
            "Released",
            outputs={
                "endpoint": self._plan.endpoint_name,
                "release": "{% $release %}",
                "metrics": "{% $metrics %}",
                "current_metrics": "{% $current_metrics %}",
                "comparison": "{% $comparison %}",
                "posts": "{% $exists($posts) ? $posts : {} %}",
            },
        )
        clean_up = self._tasks.uncaught_function(
            "Clean-Up",
            self._plan.records.cleaner.function,
            {"operation": "clean_up", "keep": self._plan.keep_releases},
            repeatable=True,
        )
        clean_up.next(released)
        notify = self._publish(
            "NotifySlackCleanUp",
            "$failure.cause & '; the new model serves traffic, and the next release removes what is left'",
        )
        notify.next(released)
        clean_up.add_catch(notify, errors=["States.ALL"], assign={"failure": {"state": "Clean-Up", **ERROR_OUTPUT}})
        return clean_up

    def _make_roll_back(self) -> sfn.CustomState:
        output = "$states.result.Output"
        serving_again = SERVING_AGAIN.format(
            failed=f"{output}.failed", target=f"{output}.target", checked=f"{output}.archive_checked"
        )
        machine = self._plan.rollback.state_machine
        roll_back = self._tasks.uncaught(
            "Roll-Back",
            "states:startExecution.sync:2",
            {
                "StateMachineArn": machine.state_machine_arn,
                # If the answer is lost and the call repeated, Step Functions returns the same execution by its name.
                "Name": "{% $states.context.Execution.Name %}",
                "Input": {
                    "failed": {
                        "release": "{% $release %}",
                        "execution": "{% $states.context.Execution.Id %}",
                        "failure": "{% $failure %}",
                    }
                },
            },
            allowed=[
                Allowed(["states:StartExecution"], [machine.state_machine_arn]),
                Allowed(
                    ["states:DescribeExecution", "states:StopExecution"],
                    [execution_arn(self._scope, f"{self._plan.endpoint_name}-rollback:*")],
                    wildcard_reason=EXECUTIONS_OF_LATER,
                ),
            ],
            assign={
                "rolled_back_to": f"{{% {serving_again} %}}",
            },
            # Shorter than the rollback's own time limit: the rule for its time-out would send a second notification.
            within=self._plan.rollback.timeout.minus(Duration.minutes(5)),
        )
        allow_waiting(self._tasks.role, "StepFunctionsGetEventsForStepFunctionsExecutionRule")
        roll_back.add_catch(
            self._notify,
            errors=["States.ALL"],
            assign={
                "rollback_failure": (
                    f"{{% $states.errorOutput.Error & ': ' & {ERROR_OUTPUT['cause'][2:-2].strip()} %}}"
                )
            },
        )
        roll_back.next(self._notify)
        return roll_back

    def _notify_slack_failure(self) -> sfn.CustomState:
        """It has no Catch: an alert that cannot be published fails the execution with that error, and the rule for such
        executions reports it.
        """
        notify = self._publish("NotifySlackFailure", "$failure.cause")
        notify.next(
            sfn.Fail.jsonata(
                self._scope,
                "Failed",
                error=RELEASE_FAILED,
                cause=(
                    "{% $failure.state & ': ' & $failure.error & ': ' & $failure.cause & "
                    "($exists($rollback_failure) ? '; the rollback failed too: ' & $rollback_failure : '') %}"
                ),
            )
        )
        return notify

    def _publish(self, name: str, cause: str) -> sfn.CustomState:
        return self._tasks.publish(
            name,
            self._plan.alerts_topic,
            failure_alert(
                self._scope,
                workflow="$states.context.StateMachine.Name",
                execution="$states.context.Execution.Id",
                state="$failure.state",
                error="$failure.error",
                cause=cause,
                further="{'rolled_back_to': $rolled_back_to, 'rollback_failure': $rollback_failure}",
            ),
        )
