"""What is to be run, and the command that runs it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

ON_LOOPBACK = {"BIND_HOST": "127.0.0.1", "HOST": "127.0.0.1"}
"""What keeps a program to loopback where it shares this machine's network: in a container it listens on all addresses.

The first is the inference image's name for it, the second the API's.
"""


class ImageError(Exception):
    """An image cannot be run; the message says which and why."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRequest:
    """An image's program; `entrypoint` takes the place of the image's own, and of its default arguments.

    `port` is a free port on loopback on which the program shall listen; `port_variable` passes it to the program.
    `base_folder` stands in for /opt/ml. Both are for the programs that have them.
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
    """`clean_up` is to be run once `command` has ended, however it ended."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    cwd: Path | None = None
    clean_up: tuple[str, ...] = ()


class ContainerEngine(Protocol):
    def command(self, request: ContainerRequest) -> ContainerCommand:
        """Raises ImageError where the image is unknown or cannot be run."""
