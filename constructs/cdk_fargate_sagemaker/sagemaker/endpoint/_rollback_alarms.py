from collections.abc import Callable, Sequence
from typing import Any, Protocol

import jsii
from aws_cdk import IResolvable, IStableAnyProducer, Lazy
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam

from ..._allow import allow
from ..._checks import check_interface, refusal
from ..configuration.traffic_shifting import check_number_of_alarms


class HasGuardrail(Protocol):
    """Has alarms that roll an update back: `EndpointAlarms`."""

    @property
    def guardrail_alarms(self) -> Sequence[cloudwatch.IAlarm]:
        """The alarms."""


class RollbackAlarms:
    """Holds the alarms that take an update of one endpoint back: gathered while constructs are made, read at synthesis.

    Args:
        role: the model's, as which SageMaker looks at the alarms.
        alarms: those that `role` may describe already.
    """

    def __init__(self, role: iam.Role, alarms: Sequence[cloudwatch.IAlarm]) -> None:
        self._role = role
        self._alarms = list(alarms)

    def add(self, alarms: Sequence[cloudwatch.IAlarm] | HasGuardrail) -> None:
        """Adds those that are not there yet.

        Raises:
            InvalidArgumentError: something else than several alarms, or more than SageMaker takes.
        """
        known = {alarm.alarm_arn for alarm in self._alarms}
        further = {alarm.alarm_arn: alarm for alarm in _listed(alarms) if alarm.alarm_arn not in known}
        if not further:
            return
        check_number_of_alarms("alarms", len(known) + len(further))
        self._alarms += further.values()
        allow(self._role, ["cloudwatch:DescribeAlarms"], *further)

    def at_synthesis(self, form: Callable[[Any], Any] = lambda request: request) -> IResolvable:
        """The `AutoRollbackConfiguration` of `updateEndpoint`, in the `form` that its place takes; nothing without
        alarms.
        """
        return Lazy.any(_Configuration(self._alarms, form))


@jsii.implements(IStableAnyProducer)
class _Configuration:
    def __init__(self, alarms: Sequence[cloudwatch.IAlarm], form: Callable[[Any], Any]) -> None:
        self._alarms = alarms
        self._form = form

    def produce(self) -> Any:
        if not self._alarms:
            return None
        return self._form({"Alarms": [{"AlarmName": alarm.alarm_name} for alarm in self._alarms]})


def _listed(alarms: Sequence[cloudwatch.IAlarm] | HasGuardrail) -> Sequence[cloudwatch.IAlarm]:
    allowed, remedy = "EndpointAlarms, or a list of alarms", "put one in a list"
    listed: object = getattr(alarms, "guardrail_alarms", alarms)
    if not isinstance(listed, list | tuple):
        raise refusal("alarms", alarms, allowed, remedy)
    for alarm in listed:
        check_interface("alarms", alarm, "alarm_arn", allowed, "import one with Alarm.from_alarm_arn(…)")
    return listed
