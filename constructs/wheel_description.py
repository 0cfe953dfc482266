"""Makes README the wheel's description, with links that lead to the repository: the package index has no other page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)#:][^):]*)\)")


class WheelDescription(MetadataHookInterface):
    """Named in `pyproject.toml`; hatchling calls it for each build and each editable install."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Sets the description."""
        repository = metadata["urls"]["Source"]
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        text = _LINK.sub(lambda link: _leading_to(repository, link), text)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


def _leading_to(repository: str, link: re.Match[str]) -> str:
    kind = "raw" if link["image"] else "blob"
    return f"{link['image']}[{link['text']}]({repository}/{kind}/main/{link['target']})"
