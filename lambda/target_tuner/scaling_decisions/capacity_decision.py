"""One minute's decision: what all policies together make of the minute's metrics."""

from __future__ import annotations

from collections.abc import Sequence

from .alarm_window import Comparison, MissingData, is_in_alarm, observed
from .metrics import MISSING, Metric
from .policy_tables import PolicyMemory, PolicyTables
from .step_scaling import change_of_capacity, is_in_band
from .target_tracking import tracked_capacity

_GREATER = int(Comparison.GREATER)
_LESS = int(Comparison.LESS)
_TREATED_AS_MISSING = int(MissingData.MISSING)
_MAXIMUM = int(Metric.CPU_MAXIMUM)


def decided_capacity(
    tables: PolicyTables,
    memory: PolicyMemory,
    values: Sequence[float],
    now_s: int,
    running: int,
    desired: int,
    minimum: int,
    maximum: int,
    scale_in_suspended: bool,
) -> int:
    """The desired count after this minute. `memory` is brought up to date.

    Documented: actions fire again every minute while in ALARM; of several policies the largest capacity wins; a
    scale-in by target tracking needs all tracking policies that scale in; within a scale-out cooldown a further
    scale-out counts net of what was added; a scale-in cooldown blocks scale-ins and ends with any scale-out;
    deployments suspend scale-in.
    https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html
    Modelled: a scale-out cooldown, too, blocks scale-ins, and starts anew with a larger scale-out.

    Args:
        values: one of each `Metric`; NaN where there is no datapoint, and no policy acts on what is missing.
        now_s: seconds since any fixed moment, a multiple of 60, at which the minute ended.
        running: tasks that ran, which the proportional change is made on.
        desired: tasks that were wanted until now.
        scale_in_suspended: a deployment is under way.
    """
    tracking = len(tables.tracking_metric)
    bounded = min(max(desired, minimum), maximum)
    largest_out = bounded
    out_policy = -1
    largest_in = -1
    in_cooldown_s = 0
    voters = 0
    votes = 0

    for policy in range(tracking):
        value = values[tables.tracking_metric[policy]]
        target = tables.tracking_target[policy]
        high_periods = tables.tracking_high_periods[policy]
        high, high_absent = observed(
            memory.high[policy],
            memory.high_absent[policy],
            value,
            target,
            _GREATER,
            high_periods,
            _TREATED_AS_MISSING,
        )
        memory.high[policy] = high
        memory.high_absent[policy] = high_absent
        scales_in = tables.tracking_scales_in[policy] != 0
        is_low = False
        if scales_in:
            voters += 1
            low_periods = tables.tracking_low_periods[policy]
            low, low_absent = observed(
                memory.low[policy],
                memory.low_absent[policy],
                value,
                tables.tracking_low[policy],
                _LESS,
                low_periods,
                _TREATED_AS_MISSING,
            )
            memory.low[policy] = low
            memory.low_absent[policy] = low_absent
            is_low = is_in_alarm(low, low_periods, low_periods)
        if value != value:
            continue
        if is_in_alarm(high, high_periods, high_periods):
            wanted = tracked_capacity(running, value, target)
            if now_s < memory.out_until_s[policy]:
                wanted = memory.base[policy] + wanted - running
            if wanted > largest_out:
                largest_out = wanted
                out_policy = policy
        elif is_low:
            votes += 1
            wanted = tracked_capacity(running, value, target)
            if wanted > largest_in:
                largest_in = wanted
                in_cooldown_s = tables.tracking_in_cooldown_s[policy]

    if votes < voters:
        largest_in = -1

    for step in range(len(tables.step_metric)):
        value = values[tables.step_metric[step]]
        period = tables.step_period_minutes[step]
        periods = tables.step_periods[step]
        if period > 1:
            if value == value:
                if tables.step_metric[step] == _MAXIMUM:
                    if memory.step_count[step] == 0 or value > memory.step_gathered[step]:
                        memory.step_gathered[step] = value
                else:
                    memory.step_gathered[step] += value
                memory.step_count[step] += 1
            if now_s // 60 % period == 0:
                count = memory.step_count[step]
                value = memory.step_gathered[step] / (1 if tables.step_metric[step] == _MAXIMUM else max(count, 1))
                if count == 0:
                    value = MISSING
                memory.step_gathered[step] = 0.0
                memory.step_count[step] = 0
                memory.step_value[step] = value
            else:
                # Between two datapoints the alarm stays as it is, and fires again.
                value = memory.step_value[step]
        if period == 1 or now_s // 60 % period == 0:
            window, absent = observed(
                memory.step[step],
                memory.step_absent[step],
                value,
                tables.step_threshold[step],
                tables.step_comparison[step],
                periods,
                tables.step_missing_data[step],
            )
            memory.step[step] = window
            memory.step_absent[step] = absent
        if value != value or not is_in_alarm(memory.step[step], periods, tables.step_datapoints[step]):
            continue
        beyond = value - tables.step_threshold[step]
        place = tracking + step
        for band in range(tables.step_first_band[step], tables.step_first_band[step + 1]):
            if is_in_band(beyond, tables.band_lower[band], tables.band_upper[band]):
                start = memory.base[place] if now_s < memory.out_until_s[place] else bounded
                wanted = start + change_of_capacity(
                    tables.step_adjustment[step],
                    tables.band_change[band],
                    start,
                    tables.step_minimum_magnitude[step],
                )
                if wanted > largest_out:
                    largest_out = wanted
                    out_policy = place
                elif wanted < start and wanted < bounded and wanted > largest_in:
                    largest_in = wanted
                    in_cooldown_s = tables.step_cooldown_s[step]
                break

    if out_policy >= 0:
        largest_out = min(largest_out, maximum)
        if largest_out > bounded:
            if now_s >= memory.out_until_s[out_policy]:
                memory.base[out_policy] = running if out_policy < tracking else bounded
            cooldown_s = (
                tables.tracking_out_cooldown_s[out_policy]
                if out_policy < tracking
                else tables.step_cooldown_s[out_policy - tracking]
            )
            memory.out_until_s[out_policy] = now_s + cooldown_s
            memory.in_until_s[0] = now_s
            return largest_out
        return bounded

    if largest_in < 0 or largest_in >= bounded or scale_in_suspended or now_s < memory.in_until_s[0]:
        return bounded
    for policy in range(len(memory.out_until_s)):
        if now_s < memory.out_until_s[policy]:
            return bounded
    largest_in = max(largest_in, minimum)
    if largest_in < bounded:
        memory.in_until_s[0] = now_s + in_cooldown_s
    return largest_in
