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
    """A construct with alarms that roll an update back, such as `EndpointAlarms`."""

    @property
    def guardrail_alarms(self) -> Sequence[cloudwatch.IAlarm]:
        """The alarms."""


class RollbackAlarms:
    """Holds the alarms that roll an update of one endpoint back: constructs add them, and synthesis reads them.

    Args:
        role: the model's role, with which SageMaker describes the alarms.
        alarms: the alarms that `role` may already describe.
    """

    def __init__(self, role: iam.Role, alarms: Sequence[cloudwatch.IAlarm]) -> None:
        self._role = role
        self._alarms = list(alarms)

    def add(self, alarms: Sequence[cloudwatch.IAlarm] | HasGuardrail) -> None:
        """Adds the alarms that were not added before.

        Raises:
            InvalidArgumentError: neither `EndpointAlarms` nor a list of alarms, or more alarms than SageMaker accepts.
        """
        known = {alarm.alarm_arn for alarm in self._alarms}
        further = {alarm.alarm_arn: alarm for alarm in _listed(alarms) if alarm.alarm_arn not in known}
        if not further:
            return
        check_number_of_alarms("alarms", len(known) + len(further))
        self._alarms += further.values()
        allow(self._role, ["cloudwatch:DescribeAlarms"], *further)

    def at_synthesis(self, form: Callable[[Any], Any] = lambda request: request) -> IResolvable:
        """Returns the `AutoRollbackConfiguration` of `updateEndpoint`, converted by `form`.

        Synthesis resolves it with all alarms, and omits it if there are none.
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
