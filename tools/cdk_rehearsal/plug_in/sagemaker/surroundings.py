"""What jobs and endpoints need from the emulator around them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from cdk_rehearsal.engines.container import ContainerEngine
from cdk_rehearsal.process_registry import ProcessRegistry


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """`aws_environment` is what an image's program finds in its environment to reach this AWS, `wait_scale` by what
    factor the waits of an endpoint's deployment are shortened.
    """

    engine: ContainerEngine
    registry: ProcessRegistry
    work_folder: Path
    account: str
    region: str
    aws_environment: dict[str, str]
    wait_scale: float

    def arn(self, kind: str, name: str) -> str:
        return f"arn:aws:sagemaker:{self.region}:{self.account}:{kind}/{name}"
