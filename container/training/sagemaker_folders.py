"""The folders of a SageMaker training job's input and output."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class SageMakerFolders:
    """The folders of SageMaker's training contract, below one base folder (`/opt/ml` in a job)."""

    base: Path

    @classmethod
    def from_environment(cls) -> SageMakerFolders:
        """Return the folders below `SAGEMAKER_BASE_DIR`, by default `/opt/ml`."""
        return cls(base=Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml")))

    @property
    def hyperparameters(self) -> Path:
        return self.base / "input" / "config" / "hyperparameters.json"

    @property
    def instance_type(self) -> str | None:
        """The job's instance type, such as `ml.g5.xlarge`; None if it is unknown, as outside SageMaker."""
        try:
            resources = json.loads((self.base / "input" / "config" / "resourceconfig.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        named = resources.get("current_instance_type") if isinstance(resources, dict) else None
        return named if isinstance(named, str) else None

    @property
    def model(self) -> Path:
        """The folder that becomes model.tar.gz."""
        return self.base / "model"

    @property
    def output_data(self) -> Path:
        """The folder that becomes output.tar.gz."""
        return self.base / "output" / "data"

    @property
    def checkpoints(self) -> Path | None:
        """The folder that SageMaker copies to S3 while the job runs, and back when it continues; None without one."""
        folder = self.base / "checkpoints"
        return folder if folder.is_dir() else None

    @property
    def failure(self) -> Path:
        """The file whose first 1024 characters SageMaker shows as the job's FailureReason."""
        return self.base / "output" / "failure"

    def channel(self, name: str) -> Path:
        return self.base / "input" / "data" / name
