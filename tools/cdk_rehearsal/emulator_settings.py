"""The settings that `EmbeddedAws` passes to the emulator's process."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Literal, Self

Engine = Literal["process", "docker"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorSettings:
    """`cloud_assembly` is the `cdk.out` folder in which image assets are looked up; it need not exist yet.
    `sparse_answers` omits response members that AWS may omit. Only Docker's client gets `docker_environment`, no
    program that the emulator starts.
    """

    engine: Engine = "process"
    cloud_assembly: str | None = None
    wait_scale: float = 0.05
    sparse_answers: bool = False
    docker_environment: dict[str, str] = dataclasses.field(default_factory=dict)
    account: str = "123456789012"
    region: str = "us-east-1"

    def __post_init__(self) -> None:
        if self.engine not in ("process", "docker"):
            raise ValueError(f'engine is "{self.engine}"; give "process" or "docker"')
        if not 0 < self.wait_scale <= 1:
            raise ValueError(f"wait_scale is {self.wait_scale}; give a number above 0, at most 1")

    def write(self, work_folder: Path) -> None:
        (work_folder / "settings.json").write_text(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def read(cls, work_folder: Path) -> Self:
        return cls(**json.loads((work_folder / "settings.json").read_text()))
