"""The progress of a training, kept in /opt/ml/checkpoints, from where a job continues after a spot interruption."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

_FILE = "training.pt"


class Checkpoint:
    """One file in the folder, replaced atomically; without a folder nothing is kept.

    It belongs to one training: `of` identifies its posts and hyperparameters. Other trainings' checkpoints are ignored.
    """

    def __init__(self, folder: Path | None, *, of: str) -> None:
        self._path = folder / _FILE if folder else None
        self._of = of

    def read(self) -> dict[str, Any] | None:
        """Return what `write` stored last; None to start from the beginning. If there is a file, print why it is
        ignored.
        """
        if self._path is None or not self._path.exists():
            return None
        try:
            # Tensors, numbers and lists only: a file from a bucket must not run code.
            kept = torch.load(self._path, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged file can raise any error
            print(
                f"warning: {_FILE} cannot be read ({type(error).__name__}): the training starts again from the "
                "beginning",
                flush=True,
            )
            return None
        if not isinstance(kept, dict) or kept.get("of") != self._of:
            print(
                f"warning: {_FILE} has other posts or hyperparameters: the training starts again from the beginning",
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
        os.replace(incoming, self._path)  # atomic, because SageMaker copies the folder at any time
