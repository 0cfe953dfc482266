"""The target in its two places: the scaling policy, and the parameter that a deployment reads."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError
from scaling_decisions.tuner_decision import SAME

from .surroundings import Clients, Surroundings

_CONFIGURATION = "TargetTrackingScalingPolicyConfiguration"


def is_same(one: float | None, other: float | None) -> bool:
    """Whether two targets are equal except for rounding."""
    return one is not None and other is not None and abs(one - other) <= SAME


class LiveTarget:
    """Reads and writes the target of one service."""

    def __init__(self, clients: Clients, surroundings: Surroundings) -> None:
        self._clients = clients
        self._surroundings = surroundings

    def policy(self) -> float | None:
        """The policy's target, percent; None if the policy does not exist."""
        described = self._describe()
        return None if described is None else float(described[_CONFIGURATION]["TargetValue"])

    def parameter(self) -> float | None:
        """The parameter's value, percent; None if it does not exist or is not a number."""
        try:
            answer = self._clients.parameters.get_parameter(Name=self._surroundings.parameter)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ParameterNotFound":
                raise
            return None
        try:
            return float(answer["Parameter"]["Value"])
        except ValueError:
            return None

    def put(self, target: float) -> None:
        """Writes both places, the parameter first: a deployment in between then reads the new target.

        All other settings of the policy stay unchanged.

        Raises:
            LookupError: the policy does not exist.
        """
        self.put_parameter(target)
        described = self._describe()
        if described is None:
            raise LookupError(f"the scaling policy {self._surroundings.policy} is gone")
        configuration = described[_CONFIGURATION]
        if is_same(float(configuration["TargetValue"]), target):
            return
        self._clients.scaling.put_scaling_policy(
            **self._surroundings.scaled_resource,
            PolicyName=self._surroundings.policy,
            PolicyType="TargetTrackingScaling",
            **{_CONFIGURATION: {**configuration, "TargetValue": target}},
        )

    def put_parameter(self, target: float) -> None:
        """Writes only the parameter, if its value differs."""
        if not is_same(self.parameter(), target):
            self._clients.parameters.put_parameter(
                Name=self._surroundings.parameter, Value=f"{target:g}", Type="String", Overwrite=True
            )

    def _describe(self) -> dict[str, Any] | None:
        answer = self._clients.scaling.describe_scaling_policies(
            **self._surroundings.scaled_resource, PolicyNames=[self._surroundings.policy]
        )
        policies: list[dict[str, Any]] = [each for each in answer["ScalingPolicies"] if _CONFIGURATION in each]
        return policies[0] if policies else None
