"""One minute's scaling decision, from all policies and the minute's metrics."""

from __future__ import annotations

from collections.abc import Sequence

from .alarm_window import Comparison, MissingData, is_in_alarm, observed
from .metrics import MISSING, Metric, Trigger
from .policy_rows import BandRow, StepRow, TargetRow, TrackingRow
from .step_scaling import change_of_capacity, is_in_band
from .target_tracking import CountReading, tracked_capacity

_GREATER = int(Comparison.GREATER)
_LESS = int(Comparison.LESS)
_TREATED_AS_MISSING = int(MissingData.MISSING)
_MAXIMUM = int(Metric.CPU_MAXIMUM)
_HIGH_RESOLUTION = int(Metric.CPU_AVERAGE_HIGH_RESOLUTION)
_WHEN_IT_ACTS = int(CountReading.WHEN_IT_ACTS)
_BY_BOUNDS = int(Trigger.BOUNDS)
_BY_MINUTE_METRIC = int(Trigger.MINUTE_METRIC)
_BY_HIGH_RESOLUTION_METRIC = int(Trigger.HIGH_RESOLUTION_METRIC)
# Lower than any capacity that a step can set.
_NONE = -(1 << 40)


def decided_capacity(
    target: TargetRow,
    tracking: Sequence[TrackingRow],
    steps: Sequence[StepRow],
    bands: Sequence[BandRow],
    values: Sequence[float],
    counts: Sequence[float],
    now_s: int,
    running: int,
) -> int:
    """Returns the desired count after this minute and updates all rows; the caller sets `target.desired` to it.

    Documented: actions fire again every minute while in ALARM; of several policies the largest capacity wins; a
    scale-in by target tracking needs all tracking policies that scale in; within a scale-out cooldown a further
    scale-out counts net of what was added; a scale-in cooldown blocks scale-ins and ends with any scale-out;
    deployments suspend scale-in.
    https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html
    Modelled: a scale-out cooldown blocks scale-ins too, and restarts with a larger scale-out. A datapoint times the
    tasks of its own minute is the load itself, regardless of tasks added since. If it is multiplied by the tasks that
    run now, the tasks that the cooldown's scale-out added are subtracted.

    Args:
        target: the bounds and the current count.
        tracking: the target tracking policies.
        steps: the step policies.
        bands: the bands of the step policies.
        values: one value per `Metric`; NaN if there is no datapoint, on which no policy acts.
        counts: the number of tasks that each `Metric`'s datapoint was measured with.
        now_s: the end of the minute, in seconds since any fixed time, a multiple of 60.
        running: the tasks that run now.
    """
    bounded = min(max(target.desired, target.minimum), target.maximum)
    largest_out = bounded
    out_tracking = -1
    out_step = -1
    largest_in = _NONE
    in_cooldown_s = 0
    is_blocked = target.is_scale_in_suspended != 0 or now_s < target.in_until_s
    is_agreed = True
    counts_now = target.reading == _WHEN_IT_ACTS
    target.trigger = _BY_BOUNDS

    for place in range(len(tracking)):
        policy = tracking[place]
        value = values[policy.metric]
        policy.high, policy.high_absent = observed(
            policy.high,
            policy.high_absent,
            value,
            policy.target,
            _GREATER,
            policy.high_periods,
            _TREATED_AS_MISSING,
        )
        in_cooldown = now_s < policy.out_until_s
        is_blocked = is_blocked or in_cooldown
        is_low = False
        if policy.scales_in:
            policy.low, policy.low_absent = observed(
                policy.low,
                policy.low_absent,
                value,
                policy.low_threshold,
                _LESS,
                policy.low_periods,
                _TREATED_AS_MISSING,
            )
            is_low = value == value and is_in_alarm(policy.low, policy.low_periods, policy.low_periods)
            is_agreed = is_agreed and is_low
        if value == value and is_in_alarm(policy.high, policy.high_periods, policy.high_periods):
            wanted = tracked_capacity(float(running) if counts_now else counts[policy.metric], value, policy.target)
            if counts_now and in_cooldown:
                wanted += policy.base - running
            if wanted > largest_out:
                largest_out = wanted
                out_tracking = place
        elif is_low:
            wanted = tracked_capacity(float(running) if counts_now else counts[policy.metric], value, policy.target)
            if wanted > largest_in:
                largest_in = wanted
                in_cooldown_s = policy.in_cooldown_s
    if not is_agreed:
        largest_in = _NONE

    for place in range(len(steps)):
        step = steps[place]
        value = values[step.metric]
        has_datapoint = step.period_minutes == 1 or now_s // 60 % step.period_minutes == 0
        if step.period_minutes > 1:
            if value == value:
                if step.metric != _MAXIMUM:
                    step.gathered += value
                elif step.gathered_minutes == 0 or value > step.gathered:
                    step.gathered = value
                step.gathered_minutes += 1
            if has_datapoint:
                step.latest = MISSING
                if step.gathered_minutes:
                    step.latest = step.gathered / (1 if step.metric == _MAXIMUM else step.gathered_minutes)
                step.gathered = 0.0
                step.gathered_minutes = 0
            # Between two datapoints the alarm keeps its state, and an alarm in ALARM fires again.
            value = step.latest
        if has_datapoint:
            step.window, step.absent = observed(
                step.window,
                step.absent,
                value,
                step.threshold,
                step.comparison,
                step.periods,
                step.missing_data,
            )
        in_cooldown = now_s < step.out_until_s
        is_blocked = is_blocked or in_cooldown
        if value != value or not is_in_alarm(step.window, step.periods, step.datapoints):
            continue
        beyond = value - step.threshold
        for number in range(step.first_band, step.end_band):
            band = bands[number]
            if is_in_band(beyond, band.lower, band.upper):
                start = step.base if in_cooldown else bounded
                change = change_of_capacity(step.adjustment, band.change, start, step.minimum_magnitude)
                wanted = start + change
                if wanted > largest_out:
                    largest_out = wanted
                    out_step = place
                elif change < 0 and largest_in < wanted < bounded:
                    largest_in = wanted
                    in_cooldown_s = step.cooldown_s

    if out_step >= 0 or out_tracking >= 0:
        largest_out = min(largest_out, target.maximum)
        if largest_out == bounded:
            return bounded
        if out_step >= 0:
            # The loop above started with the largest capacity of the tracking policies, so the step's is larger.
            step = steps[out_step]
            target.trigger = _BY_MINUTE_METRIC
            if now_s >= step.out_until_s:
                step.base = bounded
            step.out_until_s = now_s + step.cooldown_s
        else:
            policy = tracking[out_tracking]
            is_quick = policy.metric == _HIGH_RESOLUTION
            target.trigger = _BY_HIGH_RESOLUTION_METRIC if is_quick else _BY_MINUTE_METRIC
            if now_s >= policy.out_until_s:
                policy.base = running
            policy.out_until_s = now_s + policy.out_cooldown_s
        target.in_until_s = now_s
        return largest_out

    if is_blocked or largest_in == _NONE:
        return bounded
    largest_in = max(largest_in, target.minimum)
    if largest_in >= bounded:
        return bounded
    target.in_until_s = now_s + in_cooldown_s
    return largest_in
