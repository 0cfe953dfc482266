"""A project's own steps for its deployed system, between the first deployment and the second."""

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
    """A project's class, which `rehearsal.story` of its cdk.json names as MODULE:CLASS. It overrides the methods it
    needs.

    Each keyword argument of its `__init__` that is annotated with `typer.Option` is an option of `cdk-rehearse` in this
    project. `__init__` raises InvalidInputError, one line, for invalid options.

    Attributes:
        report_type: the report's class, if the story adds fields.
        order_of_steps: the names of all steps, including `GENERIC_STEPS`; None puts the story's own after `deploy`.
        rehearsal: gives access to the embedded AWS, the display and the report; set before the first step.
    """

    report_type: ClassVar[type[Report]] = Report
    order_of_steps: ClassVar[tuple[str, ...] | None] = None
    rehearsal: Rehearsal

    def steps(self) -> Mapping[str, Callable[[], None]]:
        """The story's steps by name, in order; a step with a generic step's name replaces it.

        A step raises StepError if the system does not behave as required.
        """
        return {}

    def context(self) -> tuple[str, ...]:
        """KEY=VALUE entries that are passed to the app as context; those of `--context` take precedence."""
        return ()

    def deployed(self) -> None:
        """Called at the end of `deploy`: the stacks are deployed, and `rehearsal.outputs` has their outputs."""

    def before_destroy(self) -> None:
        """Called before the stacks are deleted: ends programs that need them."""

    def kept_lines(self) -> list[str]:
        """The lines that the command prints about a system that `--keep` leaves running, besides the embedded AWS's
        address.
        """
        return []

    def while_kept(self) -> None:
        """Called twice a second while a kept system runs."""

    def complete_report(self) -> None:
        """Called before the report is written."""

    def stop(self) -> None:
        """Ends what the story has started. Called once in every case, before the embedded AWS ends."""


def step_order(story: Story) -> tuple[str, ...]:
    """Raises InvalidInputError if the story's order omits a step or contains an unknown one."""
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
