"""The forecast floors of the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from fargate_capacity.floor_decisions import LookBack
from fargate_capacity.input_error import InputError
from fargate_capacity.plan.candidates import read_numbers
from fargate_capacity.plan.floor_backtest import Floor
from fargate_capacity.plan.floor_choice import look_backs
from fargate_capacity.plan.question import Question
from fargate_capacity.traffic.trace import DAY_MINUTES, Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorOptions:
    """The options as given; None or empty if not given.

    Args:
        utilizations: CPU, percent, that floors aim at.
        leads: lead times in minutes.
        look_back: the earlier days to use. None: all for which the history is long enough.
        time_zone: the time zone of the days.
        holidays: a file with one day per line.
    """

    utilizations: str | None
    leads: str | None = None
    look_back: LookBack | None = None
    time_zone: str = "UTC"
    holidays: Path | None = None

    def floors(self, question: Question, traffic: Trace, *, searched: float) -> list[Floor]:
        """Every combination, for traffic of which a share is searched; none if no utilization is given.

        Raises:
            InputError: an invalid option, or a service whose bounds already change by schedule.
        """
        if self.utilizations is None:
            return []
        if question.scenario.scheduled:
            raise InputError(
                f"--floor: got {self.utilizations}, allowed: none for {question.service.name}, whose scheduled actions "
                "set the minimum already; of two the later one wins"
            )
        days = searched * traffic.minutes / DAY_MINUTES
        try:
            found = [
                Floor(
                    utilization=utilization,
                    look_back=look_back,
                    lead_minutes=int(lead),
                    time_zone=self.time_zone,
                    holidays=read_holidays(self.holidays),
                )
                for utilization in read_numbers("--floor", self.utilizations)
                for lead in read_numbers("--floor-lead", self.leads or "30")
                for look_back in ([self.look_back] if self.look_back else look_backs(days))
            ]
            for each in found:
                each.settings(question.setting.bounds)
        except ValueError as error:
            raise InputError(f"--floor: {error}") from None
        return found

    def only(self, question: Question, traffic: Trace) -> Floor | None:
        """The only given floor; None if there is none.

        Raises:
            InputError: several floors, or an invalid one.
        """
        found = self.floors(question, traffic, searched=0.0)
        if len(found) > 1:
            raise InputError(f"--floor: got {self.utilizations}, allowed: one number; `recommend` tries several")
        return found[0] if found else None


def read_holidays(path: Path | None) -> frozenset[date]:
    """The days of a file with one a line, `2026-12-25`; any text after the day is a comment.

    Raises:
        InputError: the file or a line cannot be read.
    """
    if path is None:
        return frozenset()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(f"--holidays: got {path}, allowed: a file: {error.strerror}") from None
    days = [_day(path, number, line) for number, line in enumerate(lines, start=1) if line.strip() and line[0] != "#"]
    return frozenset(days)


def _day(path: Path, number: int, line: str) -> date:
    try:
        return date.fromisoformat(line.replace(",", " ").split()[0])
    except (ValueError, IndexError):
        raise InputError(
            f"--holidays: got {line.strip()!r} in line {number} of {path}, allowed: one day per line, as 2026-12-25"
        ) from None


def described_floors(floors: Sequence[Floor]) -> list[str]:
    """One line with the settings that all floors share; empty if there are none."""
    if not floors:
        return []
    first = floors[0]
    holidays = f", {len(first.holidays)} holidays" if first.holidays else ""
    return [
        f"floors: {len(floors)} beside each setting; days by {first.time_zone}{holidays}; each hour's by what was "
        "known at its beginning"
    ]
