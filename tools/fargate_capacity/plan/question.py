"""The question of a plan: a declared service, its traffic, and the assumptions about both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from fargate_capacity.cloud_assembly import CloudAssembly
from fargate_capacity.declared.declared_floor import DeclaredFloor, UnreadFloor, declared_floors
from fargate_capacity.declared.scaled_service import ScaledService, find_service
from fargate_capacity.input_error import InputError
from fargate_capacity.observed.calibration import Calibration, calibrate
from fargate_capacity.observed.fit import fit
from fargate_capacity.observed.observations import read_observations
from fargate_capacity.plan.assumptions import model_of, read_assumptions
from fargate_capacity.plan.figures import Figures
from fargate_capacity.plan.floor_backtest import Floor
from fargate_capacity.plan.predictive_stand_in import StandIn, acting, stand_ins
from fargate_capacity.plan.priced_service import price_of
from fargate_capacity.plan.setting import Setting, described_schedule
from fargate_capacity.plan.simulation import Scenario, Simulation
from fargate_capacity.pricing.bill import Bill, bill_of
from fargate_capacity.pricing.fargate_prices import FREE_STORAGE_GIB, FargatePrice
from fargate_capacity.replay.compiled import is_numba_installed
from fargate_capacity.replay.guardrail import Guardrail
from fargate_capacity.replay.service_model import ServiceModel
from fargate_capacity.traffic.deployments import Deployments, read_deployments


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question without the traffic.

    Args:
        price: the price of the service's tasks. None: they have no price; `unpriced` is the reason.
        error: the model's error on the observations, in words. None without observations.
        calibration: the model's calibration. None without observations.
        predictive: the stand-ins for AWS's predictive scaling.
        floors: the floors that the templates declare for the service; an active one is part of the setting.
    """

    assembly: CloudAssembly
    service: ScaledService
    setting: Setting
    scenario: Scenario
    price: FargatePrice | None
    unpriced: str | None = None
    error: str | None = None
    calibration: Calibration | None = None
    predictive: tuple[StandIn, ...] = ()
    floors: tuple[DeclaredFloor | UnreadFloor, ...] = ()

    def bill(self, simulation: Simulation) -> Bill | None:
        """The cost of a simulation; None if its tasks have no price."""
        if self.price is None:
            return None
        return bill_of(
            simulation.totals,
            price=self.price,
            vcpus=self.service.vcpus,
            memory_mib=self.service.memory_mib,
            storage_gib=self.service.storage_gib,
        )

    def described_setting(self) -> str:
        """A short description of the declared setting, with its scheduled actions."""
        return "; ".join([self.setting.described(), *described_schedule(self.scenario.scheduled)])

    def left_out(self) -> list[str]:
        """One message per thing that the plan ignores."""
        lines = list(self.service.unmodelled)
        for each in self.predictive:
            lines += each.lines()
        if self.setting.floor is None or self.setting.floor.approximates:
            lines += [each.line() for each in self.floors]
        extra = self.service.storage_gib - FREE_STORAGE_GIB
        if self.price is not None and extra > 0 and self.price.storage_gb_hour is None:
            lines.append(
                f"{extra:g} GiB of ephemeral storage have no price in {self.price.region}, and cost nothing here"
            )
        if not self.setting.policies and self.setting.floor is None:
            lines.append("no policy is left to replay: tasks stay at the minimum, or where scheduled actions put them")
        return lines

    def figures(self, name: str, simulation: Simulation, *, other: Simulation | None = None) -> Figures:
        """The figures of a simulation with its bill, and those by the other reading of AWS's documentation."""
        return Figures(
            name=name,
            simulation=simulation,
            bill=self.bill(simulation),
            other=None if other is None else self.figures(name, other),
        )

    def as_json(self) -> dict[str, Any]:
        """How the figures were calculated, as JSON."""
        guardrail = self.scenario.guardrail
        return {
            "service": self.service.name,
            "stack": self.service.stack,
            "identity": self.service.identity,
            "task": {
                "vcpus": self.service.vcpus,
                "memory_mib": self.service.memory_mib,
                "architecture": self.service.architecture,
                "operating_system": self.service.operating_system,
                "storage_gib": self.service.storage_gib,
            },
            "scheduled": list(described_schedule(self.scenario.scheduled)),
            "not_modelled": self.left_out(),
            "error": self.error,
            "model": asdict(self.scenario.model),
            "guardrail": asdict(guardrail) if guardrail else None,
            "price": asdict(self.price) if self.price else None,
            "unpriced": self.unpriced,
            "loop": "compiled" if is_numba_installed() else "interpreted",
        }


def ask(
    folder: Path,
    *,
    service: str | None,
    assume: Sequence[str] = (),
    observed: Path | None = None,
    latency_limit_ms: float | None = None,
    latency_p95_limit_ms: float | None = None,
    region: str | None = None,
    prices: Path | None = None,
    deployments: Path | None = None,
) -> Question:
    """Reads everything that a question needs except traffic.

    Raises:
        InputError: the message says what is missing or invalid.
    """
    assembly = CloudAssembly(folder)
    declared = find_service(assembly, service)
    if not declared.declares_policies and not declared.scheduled:
        raise InputError(f"{declared.name}: got no policy and no scheduled action, allowed: one at least to replay")
    assumed = read_assumptions(assume)
    seen = read_observations(observed) if observed else None
    fitted = fit(seen, service=declared) if seen else None
    model = model_of(declared, fitted=fitted.model if fitted else None, assumed=assumed)
    scenario = Scenario(
        model=model,
        guardrail=_guardrail(model, latency_limit_ms, latency_p95_limit_ms),
        scheduled=declared.scheduled,
        deployments=read_deployments(deployments) if deployments else Deployments(),
    )
    floors = tuple(declared_floors(assembly, declared.stack_identity, service=declared.name))
    floor = _acting_floor(floors)
    predictive = stand_ins(declared.predictive, model, declared.scheduled, has_floor=floor is not None)
    setting = Setting(bounds=declared.bounds, policies=declared.policies, floor=floor or acting(predictive))
    found = calibrate(scenario, setting, seen, service=declared) if seen else None
    if seen and found and not math.isnan(found.believed_up_to_percent) and "trusted_utilization" not in assumed:
        # Minutes beyond the observed utilization count as low-confidence.
        believed = (found.believed_up_to_percent * model.skew) / 100
        model = replace(model, trusted_utilization=min(model.trusted_utilization, believed))
        scenario = replace(scenario, model=model)
    price, unpriced = price_of(declared, region, prices)
    return Question(
        assembly=assembly,
        service=declared,
        setting=setting,
        scenario=scenario,
        price=price,
        unpriced=unpriced,
        error=found.described() if found else None,
        calibration=found,
        predictive=tuple(predictive),
        floors=floors,
    )


def _acting_floor(floors: Sequence[DeclaredFloor | UnreadFloor]) -> Floor | None:
    """The floor that changes the minimum; a service has at most one."""
    for each in floors:
        if isinstance(each, DeclaredFloor) and not each.is_dry_run:
            return Floor(
                utilization=each.utilization,
                look_back=each.look_back,
                lead_minutes=each.lead_minutes,
                time_zone=each.time_zone,
                holidays=each.holidays,
            )
    return None


def _guardrail(model: ServiceModel, mean_ms: float | None, p95_ms: float | None) -> Guardrail | None:
    if mean_ms is not None and p95_ms is not None:
        raise InputError("got --latency-limit-ms and --latency-p95-limit-ms, allowed: one of them")
    option, limit_ms = ("--latency-limit-ms", mean_ms) if p95_ms is None else ("--latency-p95-limit-ms", p95_ms)
    if limit_ms is None:
        return None
    if not limit_ms > 0:
        raise InputError(f"{option}: got {limit_ms}, allowed: above 0")
    try:
        return Guardrail(latency_seconds=limit_ms / 1000 if p95_ms is None else model.mean_at_p95(limit_ms / 1000))
    except ValueError as error:
        raise InputError(f"{option}: {error}; elsewhere_ms is waited before that") from None
