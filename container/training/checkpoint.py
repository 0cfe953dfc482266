"""Where a training stands, kept in /opt/ml/checkpoints: a job on spot instances goes on there when it comes back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

_FILE = "training.pt"


class Checkpoint:
    """One file in the folder, replaced whole; without a folder nothing is kept.

    It belongs to one training: `of` names its posts and hyperparameters, and another's checkpoint is not taken.
    """

    def __init__(self, folder: Path | None, *, of: str) -> None:
        self._path = folder / _FILE if folder else None
        self._of = of

    def read(self) -> dict[str, Any] | None:
        """What `write` was given last; None to start from the beginning, with a line that says why if there is a
        file.
        """
        if self._path is None or not self._path.exists():
            return None
        try:
            # Tensors, numbers and lists alone: a file that comes from a bucket must not run anything.
            kept = torch.load(self._path, map_location="cpu", weights_only=True)
        except Exception as error:  # what a damaged file raises depends on where it is damaged
            print(
                f"warning: {_FILE} cannot be read ({type(error).__name__}): the training starts again from the "
                "beginning",
                flush=True,
            )
            return None
        if not isinstance(kept, dict) or kept.get("of") != self._of:
            print(
                f"warning: {_FILE} is of other posts or hyperparameters: the training starts again from the beginning",
                flush=True,
            )
            return None
        state: dict[str, Any] = kept["state"]
        return state

    def write(self, state: dict[str, Any]) -> None:
        if self._path is None:
            return
        incoming = self._path.with_suffix(".incoming")
        torch.save({"of": self._of, "state": state}, incoming)
        os.replace(incoming, self._path)  # SageMaker copies the folder whenever it likes: never half a file
