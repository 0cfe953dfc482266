"""The settings that a recommendation compares."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from fargate_capacity.input_error import InputError
from fargate_capacity.plan.floor_backtest import Floor
from fargate_capacity.plan.setting import Setting
from fargate_capacity.scaling_decisions import Adjustment

_TARGETS = tuple(float(target) for target in range(30, 90, 5))


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The values to try for each part of a setting. Default: targets of 30 to 85 %, and neighbours of the declared
    spikes.

    The minimum is the declared one unless others are given; forecast floors are tried only if given.
    """

    targets: Sequence[float] = ()
    spike_thresholds: Sequence[float] = ()
    spike_tasks: Sequence[int] = ()
    minimums: Sequence[int] = ()
    scale_out_cooldowns_s: Sequence[int] = ()
    scale_in_cooldowns_s: Sequence[int] = ()
    high_resolutions: Sequence[bool] = ()
    floors: Sequence[Floor] = ()


def candidates(declared: Setting, grid: Grid) -> list[Setting]:
    """Every combination, the declared setting first, without duplicates."""
    targets = grid.targets or (() if declared.target is None else _TARGETS)
    spike = declared.spikes[0] if declared.spikes else None
    thresholds: Sequence[float] = grid.spike_thresholds
    tasks: Sequence[int] = grid.spike_tasks
    if spike is not None:
        thresholds = thresholds or tuple(
            dict.fromkeys((spike.threshold, max(spike.threshold - 10, 10), min(spike.threshold + 10, 95)))
        )
    # Steps by percentage or to an exact capacity have no number of tasks to vary.
    adding = next((each for each in declared.spikes if each.adjustment is Adjustment.CHANGE_IN_CAPACITY), None)
    if adding is not None:
        change = max(band.change for band in adding.bands)
        tasks = tasks or tuple(dict.fromkeys((change, 2 * change)))
    # A lower minimum than declared affects availability, not only load: only on request.
    minimums = grid.minimums or (declared.bounds.minimum,)
    axes: list[list[Callable[[Setting], Setting]]] = [
        [partial(Setting.with_target, target=value) for value in targets],
        [partial(Setting.with_spike_threshold, percent=value) for value in thresholds],
        [partial(Setting.with_spike_tasks, tasks=value) for value in tasks],
        [partial(Setting.with_minimum, minimum=value) for value in minimums],
        [partial(Setting.with_scale_out_cooldown, seconds=value) for value in grid.scale_out_cooldowns_s],
        [partial(Setting.with_scale_in_cooldown, seconds=value) for value in grid.scale_in_cooldowns_s],
        [partial(Setting.with_high_resolution, is_high=value) for value in grid.high_resolutions],
        # Each setting also without a floor, to find out whether a floor helps.
        [
            partial(Setting.with_floor, floor=value)
            for value in (dict.fromkeys((None, declared.floor, *grid.floors)) if grid.floors else ())
        ],
    ]
    found = [declared]
    try:
        for combination in itertools.product(*(axis for axis in axes if axis)):
            setting = declared
            for changed in combination:
                setting = changed(setting)
            found.append(setting)
    except ValueError as error:
        raise InputError(f"candidates: {error}") from None
    return list(dict.fromkeys(found))


def nothing_to_vary(declared: Setting, grid: Grid) -> list[str]:
    """One message per part of a grid that the declared setting lacks or already has at this value."""
    tracked = "no policy tracks its CPU"
    adds_tasks = any(each.adjustment is Adjustment.CHANGE_IN_CAPACITY for each in declared.spikes)
    options: list[tuple[str, bool, str | None, list[Setting]]] = [
        (
            "--target",
            bool(grid.targets),
            tracked if declared.target is None else None,
            [declared.with_target(each) for each in grid.targets],
        ),
        (
            "--spike-threshold",
            bool(grid.spike_thresholds),
            None if declared.spikes else "no step policy only adds tasks",
            [declared.with_spike_threshold(each) for each in grid.spike_thresholds],
        ),
        (
            "--spike-tasks",
            bool(grid.spike_tasks),
            None if adds_tasks else "no step policy adds a number of tasks",
            [declared.with_spike_tasks(each) for each in grid.spike_tasks],
        ),
        ("--minimum", bool(grid.minimums), None, [declared.with_minimum(each) for each in grid.minimums]),
        (
            "--scale-out-cooldown",
            bool(grid.scale_out_cooldowns_s),
            tracked if declared.target is None else None,
            [declared.with_scale_out_cooldown(each) for each in grid.scale_out_cooldowns_s],
        ),
        (
            "--scale-in-cooldown",
            bool(grid.scale_in_cooldowns_s),
            tracked if declared.target is None else None,
            [declared.with_scale_in_cooldown(each) for each in grid.scale_in_cooldowns_s],
        ),
        (
            "--high-resolution",
            bool(grid.high_resolutions),
            tracked if declared.target is None else None,
            [declared.with_high_resolution(each) for each in grid.high_resolutions],
        ),
    ]
    lines = []
    for option, is_given, missing, settings in options:
        if is_given and all(each == declared for each in settings):
            lines.append(f"{option}: nothing to vary: {missing or 'this is what is declared'}")
    return lines


def read_numbers(option: str, text: str | None) -> list[float]:
    """Parses `40,50,60` or `40:80:5`; no numbers for None.

    Raises:
        InputError: it has another format.
    """
    if text is None:
        return []
    try:
        if ":" not in text:
            return [float(part) for part in text.split(",")]
        first, last, step = (float(part) for part in text.split(":"))
        if step <= 0 or last < first:
            raise ValueError
        return [first + index * step for index in range(int((last - first) / step + 1e-9) + 1)]
    except ValueError:
        raise InputError(f"{option}: got {text!r}, allowed: numbers as 40,50,60 or FIRST:LAST:STEP") from None
