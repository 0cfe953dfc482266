"""Puts the decision engine into the tools' wheel. An editable install reads it where it lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WheelContents(BuildHookInterface[Any]):
    """hatchling's own `force-include` would also copy the engine into an editable install, where it grows stale."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it builds; `version` is `editable` or `standard`."""
        if version == "standard":
            engine = Path(self.root).parent / "lambda" / "target_tuner" / "scaling_decisions"
            build_data["force_include"][str(engine)] = "scaling_decisions"
