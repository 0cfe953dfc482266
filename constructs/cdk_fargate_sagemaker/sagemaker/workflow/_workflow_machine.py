from typing import Any

import jsii
from aws_cdk import Duration, IResolvable, IStableAnyProducer, Lazy, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from ..._acknowledgment import Acknowledgment, acknowledge
from ..._allow import allow
from ..._construct_tree import once, stack_of
from ..._inline_policy import acknowledge_inline_policy
from ..._lives import VENDED_STATES, name_of_this_life
from ..._log_key import log_key

_MACHINE = "StateMachine"


def workflow_role(scope: Construct, description: str) -> iam.Role:
    """Makes a role for a state machine, without permissions."""
    role = iam.Role(scope, "Role", description=description, assumed_by=iam.ServicePrincipal("states.amazonaws.com"))
    acknowledge_inline_policy(role)
    acknowledge(
        role,
        Acknowledgment(
            id="AwsSolutions-IAM5[Resource::*]",
            reason="The CDK's actions for X-Ray and for log delivery support no resource-level permissions.",
        ),
    )
    return role


def workflow_logs(scope: Construct, key: kms.IKey, retention: logs.RetentionDays) -> logs.LogGroup:
    """Makes the log group of a state machine, encrypted with `key`."""
    return logs.LogGroup(
        scope,
        "Logs",
        log_group_name=name_of_this_life(scope, VENDED_STATES),
        retention=retention,
        encryption_key=log_key(scope, given=key, removal_policy=RemovalPolicy.DESTROY),
        removal_policy=RemovalPolicy.DESTROY,
    )


def workflow_machine(
    scope: Construct,
    *,
    name: str,
    comment: str,
    definition: sfn.IChainable,
    role: iam.IRole,
    log_group: logs.ILogGroup,
    timeout: Duration,
) -> sfn.StateMachine:
    """Makes a state machine with logs, traces and the time limit `timeout`."""
    return sfn.StateMachine(
        scope,
        _MACHINE,
        # Alerts name it, so it has a name that people recognise. It contains the endpoint's name, so it is as unique.
        state_machine_name=name,
        comment=comment,
        definition_body=sfn.DefinitionBody.from_chainable(definition),
        query_language=sfn.QueryLanguage.JSONATA,
        role=role,
        timeout=timeout,
        tracing_enabled=True,
        # The logs are without the execution's data: that has no posts, but would double the cost.
        logs=sfn.LogOptions(destination=log_group, level=sfn.LogLevel.ALL, include_execution_data=False),
    )


def machine_tags(scope: Construct) -> IResolvable:
    """The tags of the state machine of `scope`, in the format of SageMaker's requests; undefined if it has none.

    They are read at synthesis, because `Tags.of(app).add(…)` is an aspect and runs after all constructs were created.
    Resources that a state machine creates at run time are not part of the stack, so they do not get its tags.
    """
    return Lazy.any(_Tags(scope))


@jsii.implements(IStableAnyProducer)
class _Tags:
    def __init__(self, scope: Construct) -> None:
        self._scope = scope

    def produce(self) -> Any:
        values = _machine(self._scope).tags.tag_values()
        return [{"Key": key, "Value": value} for key, value in values.items()] or None


# Every state whose request has the tags needs it.
@once
def _machine(scope: Construct) -> sfn.CfnStateMachine:
    machine = scope.node.find_child(_MACHINE).node.default_child
    assert isinstance(machine, sfn.CfnStateMachine)
    return machine


def allow_waiting(role: iam.Role, rule: str) -> None:
    """Lets `role` wait with `.sync`, for which Step Functions has a rule of this name in every account."""
    allow(
        role,
        ["events:DescribeRule", "events:PutRule", "events:PutTargets"],
        stack_of(role).format_arn(service="events", resource="rule", resource_name=rule),
    )
