"""What a project does with its system once it is deployed: the steps between its first deployment and its second."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from typing import ClassVar

from cdk_rehearsal.report import Report
from cdk_rehearsal.step_failure import InvalidInputError

if typing.TYPE_CHECKING:
    from cdk_rehearsal.rehearsal import Rehearsal

GENERIC_STEPS = ("start", "bootstrap", "deploy", "permissions", "redeploy", "destroy")


class Story:
    """A project's class, which `rehearsal.story` of its cdk.json names as MODULE:CLASS. It overrides what it needs.

    Each keyword argument of its `__init__` that is annotated with `typer.Option` is an option of `cdk-rehearse` in this
    project. `__init__` raises InvalidInputError, one line, for what the user must not give.

    Attributes:
        report_type: the report, where the story has more to report.
        order_of_steps: the names of all steps, `GENERIC_STEPS` among them; None puts the story's own after `deploy`.
        rehearsal: the embedded AWS, the display and the report, from the first step on.
    """

    report_type: ClassVar[type[Report]] = Report
    order_of_steps: ClassVar[tuple[str, ...] | None] = None
    rehearsal: Rehearsal

    def steps(self) -> Mapping[str, Callable[[], None]]:
        """Its own steps by name, in order; one that is named as a generic step takes its place.

        A step raises StepError where the system does not do what it is there for.
        """
        return {}

    def context(self) -> tuple[str, ...]:
        """KEY=VALUE entries that the app is given as context; those of `--context` win."""
        return ()

    def deployed(self) -> None:
        """Called at the end of `deploy`: the stacks are there, and `rehearsal.outputs` has their outputs."""

    def before_destroy(self) -> None:
        """Called before the stacks are deleted: ends what would miss them."""

    def kept_lines(self) -> list[str]:
        """What the command prints about a system that `--keep` leaves running, beside the embedded AWS's address."""
        return []

    def while_kept(self) -> None:
        """Called twice a second while a kept system runs."""

    def complete_report(self) -> None:
        """Called before the report is written."""

    def stop(self) -> None:
        """Ends what the story has started. Called once, whatever happened, before the embedded AWS ends."""


def step_order(story: Story) -> tuple[str, ...]:
    """Raises InvalidInputError where the story's order leaves a step out or has one that is not there."""
    own = [name for name in story.steps() if name not in GENERIC_STEPS]
    if story.order_of_steps is None:
        at = GENERIC_STEPS.index("deploy") + 1
        return (*GENERIC_STEPS[:at], *own, *GENERIC_STEPS[at:])
    if sorted(story.order_of_steps) != sorted([*GENERIC_STEPS, *own]):
        raise InvalidInputError(
            f"the order of {type(story).__name__} is {', '.join(story.order_of_steps)}; it has to name each of "
            f"{', '.join([*GENERIC_STEPS, *own])} once"
        )
    return story.order_of_steps
