"""A dashboard of the releases to an endpoint: their results, durations and failures."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from cdk_fargate_sagemaker.sagemaker import ModelReleaseWorkflow

from .. import _statistics as statistics
from .._checks import check_kind
from .._console import console_url
from .._construct_tree import region_of, resources_below
from .._readable_help import CallSignature
from ..sagemaker.release._endpoint_end import EndpointEnd
from ._board import board

_SCREEN = 24
_HEIGHT = 7
_HOUR = Duration.hours(1)
_FROM_ZERO = cloudwatch.YAxisProps(min=0, show_units=False)
_USUAL_INTERVAL = Duration.days(28)

_ENDED = (
    "fields fromMillis(event_timestamp) as ended, type as how, execution_arn as execution",
    'filter type in ["ExecutionSucceeded", "ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut"]',
    "sort event_timestamp desc",
    "limit 20",
)
_FAILED = (
    "fields fromMillis(event_timestamp) as failed, details.resourceType as service, details.resource as action, "
    "details.error as error, execution_arn as execution",
    'filter type in ["TaskFailed", "TaskTimedOut", "TaskSubmitFailed", "TaskStartFailed"]',
    "sort event_timestamp desc",
    "limit 20",
)


class WorkflowDashboard(Construct):
    """Draws releases and rollbacks by result, their durations, the functions' errors, and the last failures.

    The top shows where the current release is recorded. Two tables are queried from the workflows' logs when the
    dashboard is opened: the results of executions, and the calls that failed.

    Releases, rollbacks and errors are few: their graphs show totals per period, as their titles say: an hour for four
    weeks, five minutes for a day.

    Example:
        ```python
        WorkflowDashboard(self, "ReleaseMonitor", workflow=workflow)
        ```

    Args:
        workflow: the release workflow.
        dashboard: a dashboard that gets the widgets, below those that it has and under this construct's id. Default:
            one of its own.
        dashboard_name: its name in CloudWatch. Default: CloudFormation makes one.
        default_interval: the time that the dashboard shows when it is opened. Default: four weeks.

    Raises:
        InvalidArgumentError: a value that is not a release workflow, or a name or interval beside `dashboard`.
    """

    __signature__ = CallSignature()

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        workflow: ModelReleaseWorkflow,
        dashboard: cloudwatch.Dashboard | None = None,
        dashboard_name: str | None = None,
        default_interval: Duration | None = None,
    ) -> None:
        super().__init__(scope, id)
        check_kind("workflow", workflow, ModelReleaseWorkflow)
        self._dashboard = board(
            self,
            [
                [cloudwatch.TextWidget(markdown=_where_to_look(workflow), width=_SCREEN, height=4)],
                [
                    _outcomes("Releases, total in each period", workflow.state_machine),
                    _outcomes("Rollbacks, total in each period", workflow.rollback.state_machine),
                ],
                [_durations(workflow), _function_errors(workflow)],
                [
                    _table("Ended, newest first", workflow, _ENDED),
                    _table("Calls that failed, newest first", workflow, _FAILED),
                ],
            ],
            dashboard=dashboard,
            dashboard_name=dashboard_name,
            default_interval=default_interval,
            usual_interval=_USUAL_INTERVAL,
        )

    @property
    def dashboard(self) -> cloudwatch.Dashboard:
        """The dashboard, to which further widgets can be added."""
        return self._dashboard


def _where_to_look(workflow: ModelReleaseWorkflow) -> str:
    region = region_of(workflow)
    console = console_url(workflow)
    parameter, table = workflow.records.current_parameter_name, workflow.records.table.table_name
    machines = {
        "releases": workflow.state_machine.state_machine_arn,
        "rollbacks": workflow.rollback.state_machine.state_machine_arn,
    }
    links = " · ".join(
        f"[{name}]({console}/states/home?region={region}#/statemachines/view/{arn})" for name, arn in machines.items()
    )
    return (
        f"# {workflow.endpoint_name}\n"
        f"**Current release**: [`{parameter}`]({console}/systems-manager/parameters{parameter}/description) · "
        f"**every release**: [table]({console}/dynamodbv2/home?region={region}#table?name={table}) · {links}\n\n"
        "To roll back start the rollbacks' state machine with an empty input, `{}`."
    )


def _outcomes(title: str, machine: sfn.IStateMachine) -> cloudwatch.GraphWidget:
    outcomes = (
        ("started", machine.metric_started, cloudwatch.Color.GREY),
        ("succeeded", machine.metric_succeeded, cloudwatch.Color.GREEN),
        ("failed", machine.metric_failed, cloudwatch.Color.RED),
        ("timed out", machine.metric_timed_out, cloudwatch.Color.ORANGE),
        ("aborted", machine.metric_aborted, cloudwatch.Color.BROWN),
    )
    return cloudwatch.GraphWidget(
        title=title,
        left=[
            metric(statistic=statistics.SUM, period=_HOUR, label=label, color=color)
            for label, metric, color in outcomes
        ],
        left_y_axis=_FROM_ZERO,
        period=_HOUR,
        width=_SCREEN // 2,
        height=_HEIGHT,
    )


def _durations(workflow: ModelReleaseWorkflow) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title="Duration, minutes",
        left=[
            cloudwatch.MathExpression(
                expression=f"{name} / 60000",
                using_metrics={name: machine.metric_time(statistic=statistics.MAXIMUM, period=_HOUR)},
                period=_HOUR,
                label=name,
            )
            for name, machine in (("release", workflow.state_machine), ("rollback", workflow.rollback.state_machine))
        ],
        left_y_axis=_FROM_ZERO,
        period=_HOUR,
        width=_SCREEN // 2,
        height=_HEIGHT,
    )


def _function_errors(workflow: ModelReleaseWorkflow) -> cloudwatch.GraphWidget:
    # The function that deletes the endpoint is left out: it runs only when the stack is deleted, with this dashboard.
    functions = [
        function
        for resource in resources_below(workflow, lambda_.CfnFunction)
        if isinstance(function := resource.node.scope, lambda_.Function)
        and not any(isinstance(scope, EndpointEnd) for scope in function.node.scopes)
    ]
    # Stages are bound from the last to the first. They run from the first to the last, and are listed in that order.
    labels = [function.node.scope.node.id if function.node.scope else None for function in functions]
    ordered = sorted(zip(functions, labels, strict=True), key=lambda entry: _place(entry[1]))
    return cloudwatch.GraphWidget(
        title="Errors of the steps' functions, total in each period",
        left=[function.metric_errors(period=_HOUR, label=label) for function, label in ordered],
        left_y_axis=_FROM_ZERO,
        period=_HOUR,
        width=_SCREEN // 2,
        height=_HEIGHT,
    )


def _place(label: str | None) -> int:
    stages = ("Extractor", "Evaluator", "Checker")
    return stages.index(label) if label in stages else -1 if label in ("Ledger", "Cleaner", "Files") else len(stages)


def _table(title: str, workflow: ModelReleaseWorkflow, query: tuple[str, ...]) -> cloudwatch.LogQueryWidget:
    groups = (workflow.log_group, workflow.rollback.log_group)
    return cloudwatch.LogQueryWidget(
        title=title,
        log_group_names=[group.log_group_name for group in groups],
        query_lines=list(query),
        view=cloudwatch.LogQueryVisualizationType.TABLE,
        width=_SCREEN // 2,
        height=_HEIGHT,
    )
