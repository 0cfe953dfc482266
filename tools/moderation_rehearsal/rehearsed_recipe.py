"""The training recipe of a rehearsal: `bert` and `student` start from a tiny encoder that is created for it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from cdk_rehearsal.rehearsal import Rehearsal
from cdk_rehearsal.step_failure import InvalidInputError, StepError

Recipe = Literal["linear", "bert", "student"]

_PYTHON = "BERT_PYTHON"
_PIN = "pretrained_model.json"
_MAKING_SECONDS = 120.0
_LAYERS: dict[Recipe, int] = {"bert": 2, "student": 6}
"""A student with four layers copies those of a teacher with four layers: so it is equally narrow, and trains fast."""
_MINIMUM_AUC = 0.5
"""For what a tiny encoder learns from some hundred posts; the value of the settings is for a real encoder."""


class RehearsedRecipe:
    """For every recipe except `linear` it creates the pretrained model and trains with the Python of the image's
    packages.

    Raises:
        InvalidInputError: no Python with the training image's packages is installed.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._python = None if recipe == "linear" else python_of(recipe)

    @property
    def is_tiny(self) -> bool:
        """Whether it starts from a tiny encoder, which shows only the path from posts to flags.

        Only the engine `process` can train it: an image identifies its pretrained model by file hashes.
        """
        return self._python is not None

    @property
    def context(self) -> tuple[str, ...]:
        recipe = f"model.recipe={self._recipe}"
        return (recipe, f"model.minimum_auc={_MINIMUM_AUC}") if self.is_tiny else (recipe,)

    def prepare(self, rehearsal: Rehearsal, *, bucket: str, texts: Iterable[str]) -> None:
        """Uploads a tiny encoder for the characters of `texts`, and reports it; does nothing for `linear`.

        Raises:
            StepError: it cannot be created.
        """
        if self._python is None:
            return
        work_folder = rehearsal.settings.work_folder
        folder = work_folder / "tiny-encoder"
        folder.mkdir(exist_ok=True)
        make_encoder(self._recipe, folder, texts, log=work_folder / "tiny-encoder.log")
        hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}
        # The training image's folder in the cloud assembly, from which the engine runs its program.
        for pin in (work_folder / "cdk.out").glob(f"asset.*/{_PIN}"):
            pinned = json.loads(pin.read_text())
            pin.write_text(json.dumps(pinned | {"files": hashes}))
            for name in hashes:
                key = f"pretrained/{pinned['revision']}/{name}"
                rehearsal.aws.client("s3").upload_file(str(folder / name), bucket, key)
        rehearsal.aws.use_python("train.py", self._python)
        rehearsal.display.note(
            f"recipe {self._recipe} starts from a tiny encoder that has learnt nothing; model.minimum_auc is "
            f"{_MINIMUM_AUC} here"
        )


def make_encoder(recipe: Recipe, folder: Path, texts: Iterable[str], *, log: Path) -> None:
    """Writes a tiny encoder for the characters of `texts` to `folder`.

    Raises:
        InvalidInputError: no Python for it is installed.
        StepError: its program fails.
    """
    python = python_of(recipe)
    characters = "".join(sorted({character for text in texts for character in text if not character.isspace()}))
    program = Path(__file__).with_name("tiny_encoder.py")
    with log.open("wb") as output:
        made = subprocess.run(
            [python, program, folder, str(_LAYERS[recipe]), characters],
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=_MAKING_SECONDS,
            check=False,
        )
    if made.returncode:
        raise StepError(f"{python} cannot make a tiny encoder", log=log)


def python_of(recipe: Recipe) -> Path:
    """The Python for training `recipe`.

    Raises:
        InvalidInputError: none is installed.
    """
    given = os.environ.get(_PYTHON, "")
    if not given or not os.access(given, os.X_OK):
        raise InvalidInputError(
            f"--recipe: got {recipe!r}, which needs {_PYTHON}, a Python with the packages of container/training, and "
            f"it is {given or 'not set'}: run `make bert-environment`, then `make rehearse ARGS='--recipe {recipe}'`"
        )
    return Path(given).absolute()
