"""What was found in a place, what of it was erased, and what remains there."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class PlaceReport:
    """place: its name, as a person reads it.

    searched: messages, items or versions of objects that were looked at.
    found, erased: of them those with a wanted post.
    remains: why something is still there, a line each.
    failed: what could not be looked at or erased, a line each; the command has to be run again.
    """

    place: str
    searched: int = 0
    found: int = 0
    erased: int = 0
    remains: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Return the numbers, which say nothing of a post."""
        return {"searched": self.searched, "found": self.found, "erased": self.erased, "failed": len(self.failed)}
