"""Reviews many changes of one template at once: each case is a stack of one app."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cdk_review.assembly import read_assembly
from cdk_review.flag import Flag
from cdk_review.review import review
from tests.tools.cdk_review.shop import write_assembly


def flags_of(
    mutations: Mapping[str, Callable[[dict[str, Any]], object]], template: Callable[[], dict[str, Any]], folder: Path
) -> dict[str, list[Flag]]:
    """The flags of each case, whose mutation changes a template of its own; a change is looked up once for all."""
    names = {case: f"case-{number}" for number, case in enumerate(mutations)}
    after = {}
    for case, mutation in mutations.items():
        after[names[case]] = changed = template()
        mutation(changed)
    base = write_assembly(folder / "base", dict.fromkeys(names.values(), template()))
    found = review(read_assembly(base), read_assembly(write_assembly(folder / "head", after)))
    return {case: [flag for flag in found.flags if flag.stack == name] for case, name in names.items()}
