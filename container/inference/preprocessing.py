"""From posts to a model's input, as the model's manifest describes it."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

Inputs = dict[str, npt.NDArray[np.int64]]

_WHITESPACE = re.compile(r"\s+")

NORMALISATION_STEPS: Mapping[str, Callable[[str], str]] = {
    "nfkc": lambda text: unicodedata.normalize("NFKC", text),
    "lower": str.lower,
    # 0 pads a batch of code points, and MeCab's C strings end at it.
    "strip_nul": lambda text: text.replace("\0", ""),
    "collapse_whitespace": lambda text: _WHITESPACE.sub(" ", text),
}


class UnknownPreprocessingError(Exception):
    """The manifest asks for something that this image cannot do; the message is one line."""


class Preprocessing(Protocol):
    """What every kind of preprocessing offers."""

    def encode(self, texts: Sequence[str]) -> Inputs:
        """The model's inputs for a batch of at least one text, padded to the longest."""
        ...


def from_manifest(description: Mapping[str, object], folder: Path) -> Preprocessing:
    """The preprocessing that a manifest's `preprocessing` describes; its files are in `folder`.

    Raises:
        UnknownPreprocessingError: the kind, a normalisation step or the dictionary is not one of this image's.
    """
    steps = description.get("normalisation")
    if not isinstance(steps, list) or not all(step in NORMALISATION_STEPS for step in steps):
        raise UnknownPreprocessingError(
            f"manifest.json: got normalisation {steps!r}; allowed are {', '.join(NORMALISATION_STEPS)}"
        )
    match description.get("kind"):
        case "code_points":
            return CodePoints(steps=steps)
        case "japanese_wordpiece":
            if description.get("dictionary") != "ipadic":
                raise UnknownPreprocessingError(
                    f"manifest.json: got dictionary {description.get('dictionary')!r}; allowed is 'ipadic'"
                )
            return JapaneseWordpiece(steps=steps, tokenizer=folder / str(description.get("tokenizer")))
        case kind:
            raise UnknownPreprocessingError(
                f"manifest.json: got preprocessing kind {kind!r}; allowed are 'code_points' and 'japanese_wordpiece'"
            )


class CodePoints:
    """Each character as its Unicode code point; the model itself holds the vocabulary."""

    def __init__(self, *, steps: Sequence[str]) -> None:
        self._steps = steps

    def encode(self, texts: Sequence[str]) -> Inputs:
        """One row a text, padded with 0."""
        normalised = [_normalise(text, self._steps) for text in texts]
        rows = np.zeros((len(texts), max(1, *map(len, normalised))), dtype=np.int64)
        for row, text in zip(rows, normalised, strict=True):
            row[: len(text)] = [ord(character) for character in text]
        return {"code_points": rows}


class JapaneseWordpiece:
    """MeCab cuts a text into words, WordPiece cuts the words into the tokens that the model knows."""

    def __init__(self, *, steps: Sequence[str], tokenizer: Path) -> None:
        # Here, because a model of code points needs neither and a second of starting time counts.
        import ipadic
        from fugashi import GenericTagger
        from tokenizers import Tokenizer

        if not tokenizer.is_file():
            raise UnknownPreprocessingError(f"{tokenizer.name}: not in the model folder")
        self._steps = steps
        self._tagger = GenericTagger(f"{ipadic.MECAB_ARGS} -Owakati")
        self._tagging = threading.Lock()  # a MeCab tagger keeps the sentence it works on
        self._tokenizer = Tokenizer.from_file(str(tokenizer))

    def encode(self, texts: Sequence[str]) -> Inputs:
        """Token ids and attention mask, one row a text, at the length of the longest."""
        with self._tagging:
            # Python's idea of whitespace is wider than the tokenizer's, and the model was trained with Python's.
            words = [" ".join(self._tagger.parse(_normalise(text, self._steps)).split()) for text in texts]
        encodings = self._tokenizer.encode_batch(words)
        return {
            "input_ids": np.array([encoding.ids for encoding in encodings], dtype=np.int64),
            "attention_mask": np.array([encoding.attention_mask for encoding in encodings], dtype=np.int64),
        }


def _normalise(text: str, steps: Sequence[str]) -> str:
    for step in steps:
        text = NORMALISATION_STEPS[step](text)
    return text
