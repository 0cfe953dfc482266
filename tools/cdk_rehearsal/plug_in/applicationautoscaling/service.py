"""Application Auto Scaling's API and its reaction to alarms."""

from __future__ import annotations

import dataclasses
import math
import threading
import time
import uuid
from datetime import UTC, datetime
from typing import Any

from cdk_rehearsal.plug_in.applicationautoscaling import ecs_capacity, variant_capacity
from cdk_rehearsal.plug_in.applicationautoscaling.due_actions import due_actions
from cdk_rehearsal.plug_in.applicationautoscaling.predictive_policy import check_predictive
from cdk_rehearsal.plug_in.applicationautoscaling.step_adjustment import stepped_capacity
from cdk_rehearsal.plug_in.applicationautoscaling.target_tracking_alarms import delete_alarms, put_alarms
from cdk_rehearsal.plug_in.aws_error import AwsError, validation_error
from cdk_rehearsal.plug_in.json_service import JsonService

_Key = tuple[str, str, str]
_DEFAULT_COOLDOWN_SECONDS = 300.0
_CAPACITIES = {ecs_capacity.DIMENSION: ecs_capacity, variant_capacity.DIMENSION: variant_capacity}


@dataclasses.dataclass(slots=True)
class _Change:
    """A scaling activity, with which a later one during its cooldown is compared."""

    when: float
    before: int
    after: int
    cooldown_seconds: float

    @property
    def cooling(self) -> bool:
        return time.monotonic() - self.when < self.cooldown_seconds


class ApplicationAutoScaling:
    """Targets other than ECS services and endpoint variants are stored and described, but never scaled."""

    def __init__(self, *, account: str, region: str) -> None:
        self._account = account
        self._region = region
        self._targets: dict[_Key, dict[str, Any]] = {}
        self._policies: dict[str, dict[str, Any]] = {}
        self._scheduled: dict[tuple[_Key, str], dict[str, Any]] = {}
        self._activities: list[dict[str, Any]] = []
        self._changes: dict[_Key, _Change] = {}
        self._tags: dict[str, dict[str, str]] = {}
        self._lock = threading.RLock()
        self._scaling = threading.Lock()
        self._service = JsonService(
            "application-autoscaling",
            {
                "RegisterScalableTarget": self.register_scalable_target,
                "DeregisterScalableTarget": self.deregister_scalable_target,
                "DescribeScalableTargets": self.describe_scalable_targets,
                "PutScalingPolicy": self.put_scaling_policy,
                "DeleteScalingPolicy": self.delete_scaling_policy,
                "DescribeScalingPolicies": self.describe_scaling_policies,
                "DescribeScalingActivities": self.describe_scaling_activities,
                "GetPredictiveScalingForecast": self.get_predictive_scaling_forecast,
                "PutScheduledAction": self.put_scheduled_action,
                "DeleteScheduledAction": self.delete_scheduled_action,
                "DescribeScheduledActions": self.describe_scheduled_actions,
                "ListTagsForResource": lambda request: {"Tags": self._tags.get(request["ResourceARN"], {})},
            },
        )
        self.handle = self._service.handle
        self.call = self._service.call

    # Scalable targets

    def register_scalable_target(self, request: dict[str, Any]) -> dict[str, Any]:
        key = _key(request)
        with self._lock:
            known = self._targets.get(key)
            if known is None and not {"MinCapacity", "MaxCapacity"} <= request.keys():
                raise validation_error("Both MinCapacity and MaxCapacity are required to register a scalable target.")
            target = {**(known or {}), **{name: value for name, value in request.items() if name != "Tags"}}
            if int(target["MinCapacity"]) > int(target["MaxCapacity"]):
                raise validation_error("Minimum capacity cannot be greater than maximum capacity.")
            if key[2] in _CAPACITIES:
                _CAPACITIES[key[2]].desired_count(key[1])
            if known is None:
                target["CreationTime"] = time.time()
                target["ScalableTargetARN"] = self._arn("scalable-target", uuid.uuid4().hex[:20])
                target.setdefault("SuspendedState", _nothing_suspended())
                target.setdefault("RoleARN", self._service_role(key[0]))
            self._targets[key] = target
            if request.get("Tags"):
                self._tags[target["ScalableTargetARN"]] = request["Tags"]
        self._keep_within_bounds(key, target)
        return {"ScalableTargetARN": target["ScalableTargetARN"]}

    def deregister_scalable_target(self, request: dict[str, Any]) -> dict[str, Any]:
        key = _key(request)
        with self._lock:
            if self._targets.pop(key, None) is None:
                raise _not_found("scalable target", request)
            gone = [arn for arn, policy in self._policies.items() if _key(policy) == key]
            policies = [self._policies.pop(arn) for arn in gone]
            for scheduled in [item for item in self._scheduled if item[0] == key]:
                del self._scheduled[scheduled]
        for policy in policies:
            delete_alarms(policy)
        return {}

    def describe_scalable_targets(self, request: dict[str, Any]) -> dict[str, Any]:
        self._carry_out_due_actions()
        with self._lock:
            return {
                "ScalableTargets": [
                    target
                    for key, target in self._targets.items()
                    if _selected(key, request, ids=request.get("ResourceIds"))
                ]
            }

    def has_target(self, resource_id: str) -> bool:
        """Whether the resource has a scalable target. Takes no lock: callers hold their own."""
        return any(key[1] == resource_id for key in list(self._targets))

    # Scaling policies

    def put_scaling_policy(self, request: dict[str, Any]) -> dict[str, Any]:
        key = _key(request)
        with self._lock:
            if key not in self._targets:
                raise _not_found("scalable target", request)
            known = self._find_policy(key, request["PolicyName"])
            policy = {**(known or {}), **request}
            policy.setdefault("PolicyType", "StepScaling")
            _check_policy(policy)
            if known is None:
                service = key[0]
                identity = f"{uuid.uuid4()}:resource/{service}/{key[1]}:policyName/{request['PolicyName']}"
                policy["PolicyARN"] = f"arn:aws:autoscaling:{self._region}:{self._account}:scalingPolicy:{identity}"
                policy["CreationTime"] = time.time()
                policy["Alarms"] = []
        if policy["PolicyType"] == "TargetTrackingScaling" and _tracking(policy) != _tracking(known):
            policy["Alarms"] = put_alarms(policy)
        with self._lock:
            self._policies[policy["PolicyARN"]] = policy
        return {"PolicyARN": policy["PolicyARN"], "Alarms": policy["Alarms"]}

    def delete_scaling_policy(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            policy = self._find_policy(_key(request), request["PolicyName"])
            if policy is None:
                raise _not_found("scaling policy", request)
            del self._policies[policy["PolicyARN"]]
        delete_alarms(policy)
        return {}

    def describe_scaling_policies(self, request: dict[str, Any]) -> dict[str, Any]:
        names = request.get("PolicyNames")
        with self._lock:
            return {
                "ScalingPolicies": [
                    policy
                    for policy in self._policies.values()
                    if _selected(_key(policy), request) and (not names or policy["PolicyName"] in names)
                ]
            }

    def get_predictive_scaling_forecast(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            policy = self._find_policy(_key(request), request["PolicyName"])
        if policy is None:
            raise _not_found("scaling policy", request)
        raise validation_error("the embedded AWS keeps predictive scaling policies, but does not forecast")

    def describe_scaling_activities(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            found = [activity for activity in self._activities if _selected(_key(activity), request)]
        return {"ScalingActivities": found[::-1]}

    # Scheduled actions

    def put_scheduled_action(self, request: dict[str, Any]) -> dict[str, Any]:
        key = _key(request)
        with self._lock:
            if key not in self._targets:
                raise _not_found("scalable target", request)
            action = dict(request)
            action.setdefault("CreationTime", time.time())
            action["ScheduledActionARN"] = self._arn("scheduledAction", request["ScheduledActionName"])
            self._scheduled[key, request["ScheduledActionName"]] = action
        return {}

    def delete_scheduled_action(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            if self._scheduled.pop((_key(request), request["ScheduledActionName"]), None) is None:
                raise _not_found("scheduled action", request)
        return {}

    def describe_scheduled_actions(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            return {
                "ScheduledActions": [
                    {name: value for name, value in action.items() if name != "CarriedOut"}
                    for (key, _), action in self._scheduled.items()
                    if _selected(key, request)
                ]
            }

    def _carry_out_due_actions(self) -> None:
        """There is no timer: due actions run at the next request. An action with `at` runs once."""
        with self._lock:
            due = due_actions(
                (action for action in self._scheduled.values() if not action.get("CarriedOut")), datetime.now(UTC)
            )
            for action in due:
                action["CarriedOut"] = True
        for action in due:
            bounds = action.get("ScalableTargetAction", {})
            self.register_scalable_target(
                {name: action[name] for name in ("ServiceNamespace", "ResourceId", "ScalableDimension")} | bounds
            )

    # Scaling

    def act(self, policy_arn: str, alarm: dict[str, Any], value: float) -> None:
        """Scales the resource of an alarm's policy."""
        with self._lock:
            policy = self._policies.get(policy_arn)
            if policy is None:
                return
            key = _key(policy)
            target = self._targets[key]
        if key[2] not in _CAPACITIES:
            return
        with self._scaling:
            if policy["PolicyType"] == "StepScaling":
                self._step(key, target, policy, alarm, value)
            else:
                self._track(key, target, policy, alarm, value)

    def _step(
        self, key: _Key, target: dict[str, Any], policy: dict[str, Any], alarm: dict[str, Any], value: float
    ) -> None:
        configuration = policy["StepScalingPolicyConfiguration"]
        cooldown = float(configuration.get("Cooldown", _DEFAULT_COOLDOWN_SECONDS))
        current = _CAPACITIES[key[2]].desired_count(key[1])
        last = self._changes.get(key)
        cooling = last is not None and last.cooling
        # During a scale-out's cooldown, only tasks beyond those it added are added: the step counts from its initial
        # capacity.
        base = last.before if last is not None and cooling and last.after > last.before else current
        wanted = stepped_capacity(configuration, current=base, value=value, threshold=float(alarm.get("Threshold", 0)))
        if wanted > base:
            wanted = max(wanted, current)
        elif wanted < current and cooling:
            return
        self._scale(key, target, wanted, current, alarm, policy, cooldown_seconds=cooldown)

    def _track(
        self, key: _Key, target: dict[str, Any], policy: dict[str, Any], alarm: dict[str, Any], value: float
    ) -> None:
        configuration = policy["TargetTrackingScalingPolicyConfiguration"]
        current = _CAPACITIES[key[2]].desired_count(key[1])
        wanted = math.ceil(current * value / float(configuration["TargetValue"]))
        out = "-AlarmHigh-" in alarm["AlarmName"]
        if (wanted > current) is not out:
            return
        last = self._changes.get(key)
        if last is not None and last.cooling and not out:
            return
        name = "ScaleOutCooldown" if out else "ScaleInCooldown"
        cooldown = float(configuration.get(name, _DEFAULT_COOLDOWN_SECONDS))
        self._scale(key, target, wanted, current, alarm, policy, cooldown_seconds=cooldown)

    def _scale(
        self,
        key: _Key,
        target: dict[str, Any],
        wanted: int,
        current: int,
        alarm: dict[str, Any],
        policy: dict[str, Any],
        *,
        cooldown_seconds: float,
    ) -> None:
        wanted = max(int(target["MinCapacity"]), min(int(target["MaxCapacity"]), wanted))
        suspended = target["SuspendedState"]
        held = "DynamicScalingOutSuspended" if wanted > current else "DynamicScalingInSuspended"
        if wanted == current or suspended.get(held, False):
            return
        last = self._changes.get(key)
        before = last.before if last is not None and last.cooling and wanted > current > last.before else current
        self._changes[key] = _Change(time.monotonic(), before, wanted, cooldown_seconds)
        self._change(
            key,
            wanted,
            f"monitor alarm {alarm['AlarmName']} in state ALARM triggered policy {policy['PolicyName']}",
        )

    def _keep_within_bounds(self, key: _Key, target: dict[str, Any]) -> None:
        if key[2] not in _CAPACITIES:
            return
        current = _CAPACITIES[key[2]].desired_count(key[1])
        low, high = int(target["MinCapacity"]), int(target["MaxCapacity"])
        if current < low:
            self._change(key, low, f"minimum capacity was set to {low}")
        elif current > high:
            self._change(key, high, f"maximum capacity was set to {high}")

    def _change(self, key: _Key, count: int, cause: str) -> None:
        started = time.time()
        _CAPACITIES[key[2]].set_desired_count(key[1], count)
        with self._lock:
            self._activities.append(
                {
                    "ActivityId": str(uuid.uuid4()),
                    "ServiceNamespace": key[0],
                    "ResourceId": key[1],
                    "ScalableDimension": key[2],
                    "Description": f"Setting desired count to {count}.",
                    "Cause": cause,
                    "StartTime": started,
                    "EndTime": time.time(),
                    "StatusCode": "Successful",
                    "StatusMessage": f"Successfully set desired count to {count}. Change successfully fulfilled by "
                    f"{key[0]}.",
                }
            )

    def _find_policy(self, key: _Key, name: str) -> dict[str, Any] | None:
        found = (p for p in self._policies.values() if _key(p) == key and p["PolicyName"] == name)
        return next(found, None)

    def _arn(self, kind: str, name: str) -> str:
        return f"arn:aws:application-autoscaling:{self._region}:{self._account}:{kind}/{name}"

    def _service_role(self, namespace: str) -> str:
        kind = {"ecs": "ECSService", "sagemaker": "SageMakerEndpoint"}.get(namespace, namespace)
        return (
            f"arn:aws:iam::{self._account}:role/aws-service-role/{namespace}.application-autoscaling.amazonaws.com/"
            f"AWSServiceRoleForApplicationAutoScaling_{kind}"
        )


def _key(members: dict[str, Any]) -> _Key:
    return members["ServiceNamespace"], members["ResourceId"], members["ScalableDimension"]


def _selected(key: _Key, request: dict[str, Any], *, ids: list[str] | None = None) -> bool:
    namespace, resource, dimension = key
    return (
        namespace == request["ServiceNamespace"]
        and request.get("ResourceId", resource) == resource
        and request.get("ScalableDimension", dimension) == dimension
        and (not ids or resource in ids)
    )


def _check_policy(policy: dict[str, Any]) -> None:
    needed = {
        "StepScaling": "StepScalingPolicyConfiguration",
        "TargetTrackingScaling": "TargetTrackingScalingPolicyConfiguration",
        "PredictiveScaling": "PredictiveScalingPolicyConfiguration",
    }[policy["PolicyType"]]
    if needed not in policy:
        raise validation_error(f"A {needed} is required for policy type {policy['PolicyType']}.")
    if needed == "StepScalingPolicyConfiguration" and not policy[needed].get("StepAdjustments"):
        raise validation_error("At least one step adjustment is required.")
    if policy["PolicyType"] == "PredictiveScaling":
        check_predictive(policy)


def _tracking(policy: dict[str, Any] | None) -> Any:
    return policy and policy.get("TargetTrackingScalingPolicyConfiguration")


def _nothing_suspended() -> dict[str, bool]:
    return {
        "DynamicScalingInSuspended": False,
        "DynamicScalingOutSuspended": False,
        "ScheduledScalingSuspended": False,
    }


def _not_found(kind: str, request: dict[str, Any]) -> AwsError:
    return AwsError(
        "ObjectNotFoundException",
        f"No {kind} found for service namespace: {request['ServiceNamespace']}, resource ID: {request['ResourceId']}, "
        f"scalable dimension: {request['ScalableDimension']}",
    )
