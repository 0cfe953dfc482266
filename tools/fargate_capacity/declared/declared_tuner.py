"""A target tuner as declared in the templates: its settings and its guardrail."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta

from fargate_capacity.cloud_assembly import CloudAssembly
from fargate_capacity.declared.declared_guardrail import DeclaredGuardrail, declared_guardrail
from fargate_capacity.declared.service_functions import service_functions
from fargate_capacity.input_error import InputError
from fargate_capacity.replay.service_model import ServiceModel
from fargate_capacity.scaling_decisions import ObservationPeriod, TunerSettings

_HANDLER = "target_tuner.handler"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredTuner:
    """The settings of a stack's tuner."""

    settings: TunerSettings
    guardrail: DeclaredGuardrail


def declared_tuner(assembly: CloudAssembly, stack: str, model: ServiceModel, *, service: str) -> DeclaredTuner | None:
    """The tuner of a service in a stack; `service` is `ScaledService`'s name. None if there is none.

    Raises:
        InputError: its settings are those of another version.
    """
    functions = list(service_functions(assembly, stack, handler=_HANDLER, service=service))
    if len(functions) != 1:
        return None
    template, function, variables = functions[0]
    try:
        given = json.loads(variables["SETTINGS"])
        settings = TunerSettings(
            ceiling=given["ceiling"],
            step=given["step"],
            observation=ObservationPeriod(given["observation"]),
            cool_off=timedelta(seconds=given["cool_off_seconds"]),
            final_margin=given["final_margin"],
            attempts=given["attempts"],
            max_latency_ratio=given["max_latency_ratio"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{function.logical_id}: got settings that cannot be read ({error}), allowed: a tuner of this "
            "version; synthesise the app again"
        ) from None
    return DeclaredTuner(settings=settings, guardrail=declared_guardrail(template, variables.get("GUARDRAILS"), model))
