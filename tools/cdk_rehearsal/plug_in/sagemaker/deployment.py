"""How an update moves an endpoint's traffic from its old fleet to the new one."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from cdk_rehearsal.plug_in.aws_clients import own_client
from cdk_rehearsal.plug_in.cloudwatch.alarm_history import watched_alarms

_LOOK_SECONDS = 0.1


class DeploymentStoppedError(Exception):
    """The new fleet must not take over; the message is the endpoint's FailureReason."""


class Deployment:
    """Args:
    configuration: UpdateEndpoint's DeploymentConfig.
    instances: the number of instances of the new fleet; a step may be a number of instances.
    wait_scale: factor by which the waits are multiplied.
    before_each_look: called before each look at the alarms, to publish pending metrics.
    """

    def __init__(
        self,
        configuration: dict[str, Any],
        *,
        instances: int,
        wait_scale: float,
        before_each_look: Callable[[], None],
    ) -> None:
        self._blue_green: dict[str, Any] = configuration.get("BlueGreenUpdatePolicy", {})
        self._rolling: dict[str, Any] = configuration.get("RollingUpdatePolicy", {})
        alarms = configuration.get("AutoRollbackConfiguration", {}).get("Alarms", [])
        self._alarms = [alarm["AlarmName"] for alarm in alarms]
        self._instances = max(1, instances)
        self._wait_scale = wait_scale
        self._before_each_look = before_each_look
        self._started = time.monotonic()

    def run(self, shift: Callable[[float], None]) -> None:
        """Calls `shift` with the share of traffic after each step; returns when the old fleet can be stopped.

        Raises DeploymentStoppedError.
        """
        routing = self._blue_green.get("TrafficRoutingConfiguration", self._rolling)
        with watched_alarms(self._alarms) as raised:
            for part in self._steps():
                self._look(raised)
                shift(part)
                self._bake(routing.get("WaitIntervalInSeconds", 0) * self._wait_scale, raised)
            # Until the old fleet is stopped, an alarm rolls the update back.
            self._bake(self._blue_green.get("TerminationWaitInSeconds", 0) * self._wait_scale, raised)

    def _steps(self) -> list[float]:
        routing = self._blue_green.get("TrafficRoutingConfiguration", {})
        match routing.get("Type", "ALL_AT_ONCE"):
            case "CANARY":
                return [self._part(routing["CanarySize"]), 1.0]
            case "LINEAR":
                return self._evenly(self._part(routing["LinearStepSize"]))
        if self._rolling:
            return self._evenly(self._part(self._rolling["MaximumBatchSize"]))
        return [1.0]

    def _evenly(self, step: float) -> list[float]:
        count = math.ceil(1 / step - 1e-9)
        return [min(1.0, step * (index + 1)) for index in range(count - 1)] + [1.0]

    def _part(self, size: dict[str, Any]) -> float:
        of = 100 if size["Type"] == "CAPACITY_PERCENT" else self._instances
        return min(1.0, float(size["Value"]) / of)

    def _bake(self, seconds: float, raised: set[str]) -> None:
        until = time.monotonic() + seconds
        while True:
            self._look(raised)
            left = until - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, _LOOK_SECONDS))

    def _look(self, raised: set[str]) -> None:
        limit = self._blue_green.get("MaximumExecutionTimeoutInSeconds") or self._rolling.get(
            "MaximumExecutionTimeoutInSeconds"
        )
        if limit is not None and time.monotonic() - self._started > limit:
            raise DeploymentStoppedError(f"The deployment did not complete within {limit} seconds.")
        if not self._alarms:
            return
        self._before_each_look()
        found = own_client("cloudwatch").describe_alarms(
            AlarmNames=self._alarms, StateValue="ALARM", AlarmTypes=["MetricAlarm", "CompositeAlarm"]
        )
        tripped = raised | {alarm["AlarmName"] for alarm in found["MetricAlarms"] + found["CompositeAlarms"]}
        if tripped:
            raise DeploymentStoppedError(
                f"One or more alarms configured for auto rollback are in ALARM state: {', '.join(sorted(tripped))}. "
                "The deployment was rolled back."
            )
