"""The assumptions on the command line: `--assume name=value` sets one number of the service model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fargate_capacity.declared.scaled_service import ScaledService
from fargate_capacity.input_error import InputError
from fargate_capacity.replay.service_model import Queueing, ServiceModel


@dataclass(frozen=True, slots=True)
class _Assumption:
    field: str
    scale: float
    meaning: str


ASSUMPTIONS: Mapping[str, _Assumption] = {
    "cpu_ms": _Assumption("cpu_seconds", 1e-3, "CPU time of a request, ms of one vCPU"),
    "elsewhere_ms": _Assumption("elsewhere_seconds", 1e-3, "what a request waits for others, ms"),
    "skew": _Assumption("skew", 1, "CPU of the hottest task / the average"),
    "idle_percent": _Assumption("idle_percent", 1, "CPU of a task without requests"),
    "image_mib": _Assumption("image_mib", 1, "size of the image"),
    "boot_seconds": _Assumption("boot_seconds", 1, "from the program's start until it is healthy"),
    "hot_start_minutes": _Assumption("hot_start_minutes", 1, "a new task's CPU is busy with itself"),
    "boot_cpu_percent": _Assumption("boot_cpu_percent", 1, "CPU of a task during boot_seconds"),
    "health_check_seconds": _Assumption("health_check_seconds", 1, "until one check has passed"),
    "drain_seconds": _Assumption("drain_seconds", 1, "a removed task is still billed"),
    "metric_delay_seconds": _Assumption("metric_delay_seconds", 1, "until alarms act on a minute's datapoint"),
    "metric_delay_minutes": _Assumption("metric_delay_seconds", 60, "the same in minutes"),
    "high_resolution_delay_seconds": _Assumption(
        "high_resolution_delay_seconds", 1, "the same for the CPU of every 20 seconds"
    ),
    "give_up_seconds": _Assumption("give_up_seconds", 1, "a request that waits longer has failed"),
    "queueing": _Assumption("queueing", 1, "shared (threads) or fifo (synchronous workers)"),
    "burstiness": _Assumption("burstiness", 1, "a traffic period's busiest minute / its mean minute"),
    "trusted_utilization": _Assumption("trusted_utilization", 1, "of the hottest task; beyond, confidence is low"),
    "p95_ratio": _Assumption("p95_ratio", 1, "p95 of the time at a task / its mean"),
}


def read_assumptions(given: Sequence[str]) -> dict[str, float | Queueing]:
    """Fields of the service model from `name=value` texts.

    Raises:
        InputError: an unknown name or an invalid value.
    """
    fields: dict[str, float | Queueing] = {}
    for text in given:
        name, equals, value = text.partition("=")
        assumption = ASSUMPTIONS.get(name.strip())
        if assumption is None or not equals:
            raise InputError(f"--assume: got {text!r}, allowed: NAME=VALUE with one of {', '.join(ASSUMPTIONS)}")
        if assumption.field == "queueing":
            if value.strip() not in list(Queueing):
                raise InputError(f"--assume queueing: got {value!r}, allowed: {', '.join(Queueing)}")
            fields[assumption.field] = Queueing(value.strip())
            continue
        try:
            fields[assumption.field] = float(value) * assumption.scale
        except ValueError:
            raise InputError(f"--assume {name}: got {value!r}, allowed: a number") from None
    return fields


def model_of(
    service: ScaledService, *, fitted: ServiceModel | None, assumed: Mapping[str, float | Queueing]
) -> ServiceModel:
    """The model of a declared service: the fitted values, overridden by the assumptions.

    Raises:
        InputError: the CPU time per request is unknown, or an assumption is invalid.
    """
    fields = dict(assumed)
    if "hot_start_minutes" in fields:
        fields["hot_start_minutes"] = int(fields["hot_start_minutes"])
    if fitted is None and "cpu_seconds" not in fields:
        raise InputError(
            "got nothing that says what a request costs, allowed: --observed FILE with CPU as CloudWatch saw it, "
            "or --assume cpu_ms=…"
        )
    try:
        base = fitted or ServiceModel(
            vcpus=service.vcpus,
            cpu_seconds=float(fields["cpu_seconds"]),
            health_check_seconds=service.health_check_seconds,
            drain_seconds=service.drain_seconds,
        )
        return replace(base, **fields)  # type: ignore[arg-type]
    except ValueError as error:
        raise InputError(f"--assume {error}") from None
