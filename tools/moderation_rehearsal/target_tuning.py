"""Days of traffic for the deployed tuner: it raises the target, a guardrail triggers, it reverts the target."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cdk_rehearsal.display import Display
from cdk_rehearsal.step_failure import StepError
from moderation_rehearsal.deployed_service import DeployedService
from moderation_rehearsal.report import ModerationReport, TuningReport
from moderation_rehearsal.stack_outputs import StackOutputs

_STEPS = 2
_OBSERVATION = timedelta(days=2)
_HOUR = timedelta(hours=1)
_EXECUTION_SECONDS = 60.0
_REVERT_SECONDS = 60.0
_ALERT_SECONDS = 20.0
_REQUESTS_AN_HOUR = 40_000.0
_SERVICE_SECONDS = 0.04
_TASKS = 4
# The guardrail's latency is this many times its limit.
_TOO_SLOW = 3.0


@dataclasses.dataclass(frozen=True, slots=True)
class _Target:
    """The live target, percent, in the two places that must agree."""

    parameter: float
    policy: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TargetTuning:
    """Each step raises StepError if the tuner does not behave as required.

    The days are in the past: the tuner is started with the event of its hourly rule at those times. The guardrail
    triggers now, by its metric, and only the alarm's event starts the tuner then.

    Args:
        clients: creates a boto3 client for a service name.
        told: the alerts so far.
        alive: returns False once the embedded AWS has ended.
    """

    clients: Callable[[str], Any]
    outputs: StackOutputs
    service: DeployedService
    display: Display
    report: ModerationReport
    told: Callable[[], Sequence[str]]
    alive: Callable[[], bool]

    def walk(self) -> None:
        """Raises the target every two days, then one step is reverted."""
        alarm = self._latency_alarm()
        begin = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - _HOUR - _STEPS * _OBSERVATION
        start = self._target()
        self.report.tuning = report = TuningReport(targets=[start.policy])
        told = len(self.told())
        self._pass_traffic(alarm, begin - _OBSERVATION, begin, start.policy)
        self._look(begin)
        for step in range(1, _STEPS + 1):
            until = begin + step * _OBSERVATION
            before = self._target().policy
            self._pass_traffic(alarm, until - _OBSERVATION, until, before)
            decision = self._look(until)
            self._note(decision)
            after = self._agreed(decision["target"])
            report.targets.append(after)
            if after <= before:
                raise StepError(f"the target is {after:g} % and was {before:g} % two days before: {decision['why']}")
        report.guardrail = alarm["AlarmName"]
        report.seconds_to_revert = self._fire(alarm, back_to=report.targets[-2])
        report.targets.append(self._agreed(report.targets[-2]))
        self._require_traces(told)
        self.display.note(f"{report.guardrail} fired: {report.targets[-2]:g} → {report.targets[-1]:g} %")
        walked = " → ".join(f"{target:g}" for target in report.targets)
        self.display.result(
            f"target {walked} %, reverted {report.seconds_to_revert:.1f} s after the alarm; "
            f"{len(report.decisions)} changes recorded, drawn and notified"
        )

    def require_kept(self) -> None:
        """After a deployment the tuned target is unchanged, and the dashboard shows it."""
        report = self.report.tuning
        assert report is not None, "tuning comes before the deployment that is to leave it alone"
        found, wanted = self._target(), report.targets[-1]
        if (found.parameter, found.policy) != (wanted, wanted):
            raise StepError(
                f"the tuned target was {wanted:g} %; after the deploy the parameter has {found.parameter:g} and the "
                f"policy {found.policy:g} %"
            )
        # The embedded AWS sends no event at the end of a deployment, which would start the tuner.
        self._look(datetime.now(UTC))
        self._require_drawn()
        report.target_after_redeploy = wanted
        self.display.note(f"the tuned target stays {wanted:g} %")

    def _target(self) -> _Target:
        name = self.outputs.tuned_target_parameter_name
        value = self.clients("ssm").get_parameter(Name=name)["Parameter"]["Value"]
        policies = self.clients("application-autoscaling").describe_scaling_policies(
            ServiceNamespace="ecs", ResourceId=self.service.resource_id
        )["ScalingPolicies"]
        targets = [
            float(policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"])
            for policy in policies
            if policy["PolicyType"] == "TargetTrackingScaling"
        ]
        if len(targets) != 1:
            raise StepError(f"{self.service.resource_id} has {len(targets)} target tracking policies instead of one")
        return _Target(parameter=float(value), policy=targets[0])

    def _agreed(self, target: float) -> float:
        """The target; parameter and policy must agree."""
        found = self._target()
        if (found.parameter, found.policy) != (target, target):
            raise StepError(
                f"the tuner decided on {target:g} %; the parameter has {found.parameter:g} and the policy "
                f"{found.policy:g} %"
            )
        return target

    def _latency_alarm(self) -> dict[str, Any]:
        """The alarm on the load balancer's response time among those whose event starts the tuner."""
        cloudwatch = self.clients("cloudwatch")
        pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        kinds = [(page["MetricAlarms"], page["CompositeAlarms"]) for page in pages]
        metric = [alarm for alarms, _ in kinds for alarm in alarms]
        watched = self._watched_alarms()
        rules = [alarm["AlarmRule"] for _, alarms in kinds for alarm in alarms if alarm["AlarmArn"] in watched]
        for alarm in metric:
            arn, name = alarm["AlarmArn"], alarm["AlarmName"]
            in_rule = any(f'"{given}"' in rule for rule in rules for given in (arn, name))
            if alarm.get("MetricName") == "TargetResponseTime" and (arn in watched or in_rule):
                found: dict[str, Any] = alarm
                return found
        raise StepError(
            "no alarm on TargetResponseTime starts the tuner, by itself or as part of a composite one: no alarm on "
            "what users notice reverts a step"
        )

    def _watched_alarms(self) -> set[str]:
        events = self.clients("events")
        names = events.list_rule_names_by_target(TargetArn=self.outputs.tuner_workflow_arn)["RuleNames"]
        patterns = [json.loads(events.describe_rule(Name=name).get("EventPattern") or "{}") for name in names]
        return {arn for pattern in patterns for arn in pattern.get("resources", [])}

    def _pass_traffic(self, alarm: dict[str, Any], begin: datetime, end: datetime, target: float) -> None:
        """Puts hourly metrics as ECS and the load balancer do; the service follows the target and idles at night."""
        service = [
            {"Name": "ClusterName", "Value": self.service.cluster},
            {"Name": "ServiceName", "Value": self.service.service},
        ]
        balancer = alarm["Dimensions"]
        cpu, latency, requests = [], [], []
        for index in range(int((end - begin) / _HOUR)):
            hour = begin + index * _HOUR
            busy = 0.8 + 0.2 * math.sin(2 * math.pi * (hour.hour - 9) / 24)
            cpu.append((hour, target * busy, _TASKS * 60.0))
            latency.append((hour, _SERVICE_SECONDS / (1 - target * busy / 100), _REQUESTS_AN_HOUR * busy))
            requests.append((hour, _REQUESTS_AN_HOUR * busy, 1.0))
        for namespace, data in (
            ("AWS/ECS", _data("CPUUtilization", service, cpu)),
            (
                "AWS/ApplicationELB",
                [*_data("TargetResponseTime", balancer, latency), *_data("RequestCount", balancer, requests)],
            ),
        ):
            self.clients("cloudwatch").put_metric_data(Namespace=namespace, MetricData=data)

    def _look(self, at: datetime) -> dict[str, Any]:
        """Starts one execution by the event of its hourly rule; returns its decision."""
        event = {"source": "aws.events", "detail-type": "Scheduled Event", "time": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
        machines = self.clients("stepfunctions")
        arn = machines.start_execution(stateMachineArn=self.outputs.tuner_workflow_arn, input=json.dumps(event))[
            "executionArn"
        ]
        deadline = time.monotonic() + _EXECUTION_SECONDS
        while (execution := machines.describe_execution(executionArn=arn))["status"] == "RUNNING":
            if not self.alive() or time.monotonic() > deadline:
                raise StepError(f"the tuner's execution has not ended: {arn}")
            time.sleep(0.05)
        if execution["status"] != "SUCCEEDED":
            raise StepError(f"the tuner's execution ended {execution['status']}: {execution.get('cause', '')}")
        decision: dict[str, Any] = json.loads(execution["output"])
        return decision

    def _note(self, decision: dict[str, Any]) -> None:
        at = datetime.fromisoformat(decision["at"])
        self.display.note(f"{at:%Y-%m-%d %H:%M}  {decision['action']} to {decision['target']:g} %: {decision['why']}")

    def _fire(self, alarm: dict[str, Any], *, back_to: float) -> float:
        """Puts data points that trigger the guardrail; returns the seconds until the policy has the previous target."""
        slow = _TOO_SLOW * alarm["Threshold"]
        now = datetime.now(UTC)
        minutes = [now - index * timedelta(seconds=alarm["Period"]) for index in range(alarm["EvaluationPeriods"])]
        points = _data(alarm["MetricName"], alarm["Dimensions"], [(minute, slow, 10.0) for minute in minutes])
        began = time.monotonic()
        self.clients("cloudwatch").put_metric_data(Namespace=alarm["Namespace"], MetricData=points)
        (fired,) = self.clients("cloudwatch").describe_alarms(AlarmNames=[alarm["AlarmName"]])["MetricAlarms"]
        if fired["StateValue"] != "ALARM":
            raise StepError(f"{alarm['AlarmName']} is {fired['StateValue']} at {slow:g} s: {fired['StateReason']}")
        while self._target() != _Target(back_to, back_to):
            if not self.alive() or time.monotonic() - began > _REVERT_SECONDS:
                found = self._target()
                raise StepError(
                    f"{alarm['AlarmName']} fired, and {_REVERT_SECONDS:g} s later the parameter has "
                    f"{found.parameter:g} and the policy {found.policy:g} %, not {back_to:g} %"
                )
            time.sleep(0.05)
        return round(time.monotonic() - began, 2)

    def _require_traces(self, told: int) -> None:
        """Requires every change in the record with its figures, as a line on the dashboard, and in the alerts."""
        report = self.report.tuning
        assert report is not None
        records = self._records()
        report.decisions = [record["why"]["S"] for record in records]
        changes = [(float(record["origin"]["N"]), float(record["target"]["N"])) for record in records]
        wanted = list(zip(report.targets, report.targets[1:], strict=False))
        if changes != wanted or not all(json.loads(record["figures"]["S"]) for record in records):
            raise StepError(f"the tuner's table has the changes {changes}; made were {wanted}")
        deadline = time.monotonic() + _ALERT_SECONDS
        while missing := [why for why in report.decisions if not self._is_told(why, told)]:
            if not self.alive() or time.monotonic() > deadline:
                raise StepError(f"Slack got no alert of: {'; '.join(missing)}")
            time.sleep(0.05)
        self._require_drawn()

    def _is_told(self, why: str, told: int) -> bool:
        return any(why in message for message in self.told()[told:])

    def _records(self) -> list[dict[str, Any]]:
        answer = self.clients("dynamodb").query(
            TableName=self.outputs.tuner_table_name,
            KeyConditionExpression="tuner = :tuner AND begins_with(entry, :decisions)",
            ExpressionAttributeValues={
                ":tuner": {"S": self.service.resource_id},
                ":decisions": {"S": "decision#"},
            },
        )
        items: list[dict[str, Any]] = answer["Items"]
        return items

    def _require_drawn(self) -> None:
        report = self.report.tuning
        assert report is not None
        name = self.outputs.dashboard_name
        if name is None:
            return
        body = json.loads(self.clients("cloudwatch").get_dashboard(DashboardName=name)["DashboardBody"])
        lines = [
            line.get("label", "")
            for widget in body["widgets"]
            for line in widget.get("properties", {}).get("annotations", {}).get("vertical", [])
        ]
        for before, after in zip(report.targets, report.targets[1:], strict=False):
            if not any(f"{before:g} → {after:g} %" in label for label in lines):
                raise StepError(f"no vertical line of the dashboard {name} shows {before:g} → {after:g} %")


def _data(
    metric: str, dimensions: list[dict[str, str]], points: Iterable[tuple[datetime, float, float]]
) -> list[dict[str, Any]]:
    """Builds data points with time, value and sample count."""
    return [
        {"MetricName": metric, "Dimensions": dimensions, "Timestamp": when, "Values": [value], "Counts": [count]}
        for when, value, count in points
    ]
