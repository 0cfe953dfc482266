"""The variables of this machine's environment that functions and images' programs need to run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_KEPT: Final = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
_OF_DOCKERS_CLIENT: Final = (
    "DOCKER_CERT_PATH",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "DOCKER_HOST",
    "DOCKER_TLS_VERIFY",
    "HOME",
    "PATH",
    "XDG_RUNTIME_DIR",
)
_NO_PROXY: Final = "localhost,127.0.0.1,.localhost"


def minimal_environment(home: Path, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment of a program that is not the developer's own.

    On AWS a program has neither the developer's credentials nor home folder, and its code may come from a third-party
    package. `home`, which is created, replaces the home folder.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept = {name: environment[name] for name in _KEPT if name in environment}
    return {"PATH": os.defpath, **kept, "HOME": str(home), "NO_PROXY": _NO_PROXY, "no_proxy": _NO_PROXY}


def docker_client_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables that Docker's client needs to find the engine and the registries."""
    return {name: environment[name] for name in _OF_DOCKERS_CLIENT if name in environment}
