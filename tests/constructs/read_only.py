from typing import Any


def public_attributes(construct: Any) -> list[str]:
    """The names that a construct holds as plain attributes, which anybody could overwrite; properties are none."""
    return [name for name in vars(construct) if not name.startswith("_")]
