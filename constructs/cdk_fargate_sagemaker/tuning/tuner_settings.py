"""The allowed settings of a tuner, for the construct and for apps that read them from a file."""

import math
from collections.abc import Sequence

from aws_cdk import Duration

from .._checks import check_duration, check_number, check_one_of, check_percent, plain, refusal
from .._number_token import is_token
from ..scaling_decisions import TunerSettings
from ..scaling_decisions.hottest_task import MARGIN, highest_target
from ..scaling_decisions.tuner_settings import LARGEST_STEP
from .observation import Observation

STATED_SKEW = 1.15
"""The default ratio of the hottest task's CPU to the average: that of random routing."""

DEFAULTS = TunerSettings(ceiling=65)
"""The default settings of the tuner, which the deployed function and the replay use."""

# The cool-off is at least as long as an incident: a later alarm within it reverts further, and restarts it.
_SHORTEST_COOL_OFF = Duration.seconds(DEFAULTS.incident.total_seconds())


def check_settings(
    *,
    ceiling_percent: float,
    step_percent: float,
    observation: Observation,
    cool_off: Duration,
    final_margin_percent: float,
    attempts: int,
    max_latency_ratio: float | None,
    skew: float,
) -> None:
    """Refuses a setting out of its range, or a token, because the function gets all settings as one JSON text.

    Raises:
        InvalidArgumentError: see above.
    """
    check_percent("ceiling_percent", ceiling_percent, at_least=1, token=False)
    check_number("skew", skew, at_least=1, below=100, token=False)
    check_number("step_percent", step_percent, above=0, at_most=LARGEST_STEP, token=False)
    check_one_of("observation", observation, list(Observation), "choose one of Observation")
    check_duration("cool_off", cool_off, at_least=_SHORTEST_COOL_OFF, whole="seconds", token=False)
    check_number("final_margin_percent", final_margin_percent, at_least=0, below=100, token=False)
    check_number("attempts", attempts, at_least=1, whole=True, token=False)
    if max_latency_ratio is not None:
        remedy = "give None to leave latency to the guardrail alarms"
        check_number("max_latency_ratio", max_latency_ratio, above=1, token=False, remedy=remedy)


def check_ceiling(
    name: str, ceiling: float, *, target: float, spike_thresholds: Sequence[float], skew: float = STATED_SKEW
) -> None:
    """Refuses a ceiling below the declared target, or so high that spike scaling would act in normal operation.

    Args:
        name: the name of the argument or setting for the ceiling.
        ceiling: the ceiling, percent.
        target: the target at the start of tuning, percent.
        spike_thresholds: the thresholds of spike scaling on the CPU maximum, percent; a token is not compared.
        skew: the assumed ratio of the hottest task's CPU to the average; the tuner observes the real one.

    Raises:
        InvalidArgumentError: see above.
    """
    if ceiling < target:
        allowed = f"at least the target that is declared, {target:g} %"
        raise refusal(name, plain(f"{ceiling:g}"), allowed, "raise it or lower target_percent")
    known = [threshold for threshold in spike_thresholds if not is_token(threshold)]
    highest = highest_target(min(known, default=math.inf), skew)
    if ceiling > highest:
        allowed = (
            f"at most {math.floor(10 * highest) / 10:g} %, {MARGIN:.0%} of the {min(known):g} % from where the hottest "
            f"task's CPU adds tasks / the {skew:g} times that it is the average"
        )
        raise refusal(name, plain(f"{ceiling:g}"), allowed, "lower it")
