"""A request to run an image's program, and the command that runs it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

ON_LOOPBACK = {"BIND_HOST": "127.0.0.1", "HOST": "127.0.0.1"}
"""Makes a program that shares this machine's network listen only on loopback: in a container it listens on all
addresses.

The first is the inference image's name for it, the second the API's.
"""


class ImageError(Exception):
    """An image cannot be run; the message names it and the reason."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRequest:
    """An image's program; `entrypoint` replaces the image's entry point and its default arguments. Optional: `port` is
    a free loopback port on which the program must listen, passed by the variable `port_variable`; `base_folder`
    replaces /opt/ml.
    """

    image_uri: str
    entrypoint: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    base_folder: Path | None = None
    port: int | None = None
    port_variable: str = "SAGEMAKER_BIND_TO_PORT"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ContainerCommand:
    """Call `clean_up` after `command` has ended, whatever its exit status."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    cwd: Path | None = None
    clean_up: tuple[str, ...] = ()


class ContainerEngine(Protocol):
    def command(self, request: ContainerRequest) -> ContainerCommand:
        """Raises ImageError where the image is unknown or cannot be run."""
