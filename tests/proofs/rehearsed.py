"""A rehearsal of the reference system for a proof: its output goes into a file of the case's folder."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from cdk_rehearsal.display import Display
from cdk_rehearsal.rehearsal import Rehearsal, RehearsalSettings
from tests.proofs.proof import PROJECT

Made = TypeVar("Made", bound=Rehearsal)


@contextlib.contextmanager
def rehearsed(folder: Path, make: Callable[[RehearsalSettings, Display], Made], *context: str) -> Iterator[Made]:
    """What `make` makes, of the environment dev with these entries of context; it is stopped in the end."""
    settings = RehearsalSettings(
        app_folder=PROJECT, environment="dev", engine="process", work_folder=folder, context=context
    )
    with (folder / "output.txt").open("w", encoding="utf-8") as output:
        rehearsal = make(settings, Display(Console(file=output, highlight=False)))
        try:
            yield rehearsal
        finally:
            rehearsal.stop()
