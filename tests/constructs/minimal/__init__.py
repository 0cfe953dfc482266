"""The least that makes each public construct, one file for each package: `minimal/fargate.py` for `fargate`.

Each file holds a `MINIMAL`: what makes one in a stack, with what it is given besides, by the name of its class, or of
its class and method (`"ScaledFargateService.track_memory"`). A text stands for one whose numbers reach no template, and
says why.
"""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any


def minimal_constructs() -> dict[str, Callable[..., Any] | str]:
    """Those of all packages."""
    found: dict[str, Callable[..., Any] | str] = {}
    for file in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        found |= importlib.import_module(f"{__name__}.{file.stem}").MINIMAL
    return found
