"""What was found, erased and left in a place."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class PlaceReport:
    """place: the readable name of the place.

    searched: number of searched messages, items or object versions.
    found, erased: number of those with a wanted post.
    remains: reasons why something is left, one line each.
    failed: what could not be searched or erased, one line each; run the command again.
    """

    place: str
    searched: int = 0
    found: int = 0
    erased: int = 0
    remains: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Return the numbers, which reveal no post."""
        return {"searched": self.searched, "found": self.found, "erased": self.erased, "failed": len(self.failed)}
