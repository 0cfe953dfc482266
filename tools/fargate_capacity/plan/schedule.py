"""A readable schedule of minimums: a few lines, each with days, a time and a number of tasks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from fargate_capacity.scaling_decisions import ScheduledAction


class Days(StrEnum):
    """The days of a line, in the notation of AWS's cron expressions."""

    EVERY_DAY = "*"
    WEEKDAYS = "MON-FRI"
    WEEKEND = "SAT,SUN"

    @property
    def described(self) -> str:
        """In words."""
        return {Days.EVERY_DAY: "every day", Days.WEEKDAYS: "weekdays", Days.WEEKEND: "weekends"}[self]

    def have(self, weekday: int) -> bool:
        """Whether a weekday (Monday is 0) is included."""
        return self is Days.EVERY_DAY or (weekday < 5) is (self is Days.WEEKDAYS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleLine:
    """On these days, from `minute` of the day until the next line, at least this many tasks.

    Args:
        days: the days on which it applies.
        minute: of the day in the schedule's time zone, 0 to 1439.
        tasks: the minimum.
    """

    days: Days
    minute: int
    tasks: int

    @property
    def cron(self) -> str:
        """The cron expression for Application Auto Scaling: minute, hour, day of the month, month, weekday, year."""
        hour, minute = divmod(self.minute, 60)
        days = "* * ?" if self.days is Days.EVERY_DAY else f"? * {self.days}"
        return f"cron({minute} {hour} {days} *)"

    @property
    def clock(self) -> str:
        """`07:45`."""
        return f"{self.minute // 60:02}:{self.minute % 60:02}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Lines in one time zone; the latest line applies.

    Args:
        lines: the schedule's lines.
        time_zone: an IANA name: 8:00 stays 8:00 with daylight saving. A line in an hour that the clock skips does not
            run on that day; in a repeated hour it runs once.
    """

    lines: tuple[ScheduleLine, ...]
    time_zone: str = "UTC"

    def actions(self) -> tuple[ScheduledAction, ...]:
        """The lines as scheduled actions."""
        return tuple(
            ScheduledAction(schedule=line.cron, time_zone=self.time_zone, minimum=line.tasks) for line in self.lines
        )

    def described(self) -> str:
        """In a few words."""
        steps = ", ".join(f"{line.tasks} from {line.clock} {line.days.described}" for line in self.lines)
        return f"a schedule in {self.time_zone}: {steps}"

    def text(self) -> Iterator[str]:
        """Each line as readable text."""
        width = max((len(line.cron) for line in self.lines), default=0)
        for line in self.lines:
            yield f"{line.cron:{width}}  {self.time_zone}  at least {line.tasks} tasks"

    def code(self) -> Iterator[str]:
        """The lines as CDK code, for the result of `auto_scale_task_count`."""
        for line in self.lines:
            hour, minute = divmod(line.minute, 60)
            weekdays = "" if line.days is Days.EVERY_DAY else f', week_day="{line.days}"'
            name = f"{line.days.described.title().replace(' ', '')}{hour:02}{minute:02}"
            yield (
                f'task_count.scale_on_schedule("{name}", min_capacity={line.tasks}, '
                f'time_zone=cdk.TimeZone.of("{self.time_zone}"), '
                f'schedule=Schedule.cron(minute="{minute}", hour="{hour}"{weekdays}))'
            )
