"""Adds modules shared with functions to the tools' wheel. An editable install reads them in place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WheelContents(BuildHookInterface[Any]):
    """hatchling's own `force-include` would also copy them into an editable install, where they would be outdated."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it builds; `version` is `editable` or `standard`."""
        if version == "standard":
            functions = Path(self.root).parent / "lambda"
            for package in (
                "training_data_extractor/bounded_text.py",
                "training_data_extractor/labelled_posts.py",
                "training_data_extractor/post_key.py",
            ):
                build_data["force_include"][str(functions / package)] = Path(package).name
