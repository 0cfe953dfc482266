"""The settings of a target tuner as the templates declare it."""

from __future__ import annotations

import json
from datetime import timedelta

from scaling_decisions import ObservationPeriod, TunerSettings

from fargate_capacity.cloud_assembly import CloudAssembly
from fargate_capacity.input_error import InputError

_HANDLER = "target_tuner.handler"


def declared_tuner(assembly: CloudAssembly, stack: str) -> TunerSettings | None:
    """The settings of the one tuner in a stack, which goes by its identity; None where there is none, or several.

    Raises:
        InputError: its settings are those of another version.
    """
    functions = [
        resource
        for template in assembly.templates
        if template.identity == stack
        for resource in template.of_type("AWS::Lambda::Function")
        if resource.properties.get("Handler") == _HANDLER
    ]
    if len(functions) != 1:
        return None
    variables = functions[0].properties.get("Environment", {}).get("Variables", {})
    try:
        given = json.loads(variables["SETTINGS"])
        return TunerSettings(
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
            f"{functions[0].logical_id}: got settings that cannot be read ({error}), allowed: a tuner of this "
            "version; synthesise the app again"
        ) from None
