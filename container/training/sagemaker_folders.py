"""Where SageMaker puts a training job's input and looks for its output."""

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
        """The base folder is `SAGEMAKER_BASE_DIR`, or `/opt/ml` where that is not set."""
        return cls(base=Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml")))

    @property
    def hyperparameters(self) -> Path:
        return self.base / "input" / "config" / "hyperparameters.json"

    @property
    def instance_type(self) -> str | None:
        """What SageMaker trains on, as `ml.g5.xlarge`; None where it does not say, as outside SageMaker."""
        try:
            resources = json.loads((self.base / "input" / "config" / "resourceconfig.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        named = resources.get("current_instance_type") if isinstance(resources, dict) else None
        return named if isinstance(named, str) else None

    @property
    def model(self) -> Path:
        """Becomes model.tar.gz."""
        return self.base / "model"

    @property
    def output_data(self) -> Path:
        """Becomes output.tar.gz."""
        return self.base / "output" / "data"

    @property
    def checkpoints(self) -> Path | None:
        """Copied to S3 while the job runs, and back when it goes on; None if the job is not set to keep any."""
        folder = self.base / "checkpoints"
        return folder if folder.is_dir() else None

    @property
    def failure(self) -> Path:
        """SageMaker shows this file's first 1024 characters as the job's FailureReason."""
        return self.base / "output" / "failure"

    def channel(self, name: str) -> Path:
        return self.base / "input" / "data" / name
