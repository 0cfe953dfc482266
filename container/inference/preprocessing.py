"""Converts posts to a model's input, as the model's manifest describes."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt
from bounded_text import nfkc, with_breaks
from prediction_queue import Row

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Inputs = dict[str, npt.NDArray[np.int64]]

_WHITESPACE = re.compile(r"\s+")

NORMALISATION_STEPS: Mapping[str, Callable[[str], str]] = {
    "nfkc": nfkc,
    "lower": str.lower,
    # 0 is the padding of a batch of code points, and the end of MeCab's C strings.
    "strip_nul": lambda text: text.replace("\0", ""),
    "collapse_whitespace": lambda text: _WHITESPACE.sub(" ", text),
}


class UnknownPreprocessingError(Exception):
    """The manifest requires preprocessing that this image does not have; the message is one line."""


class Preprocessing(Protocol):
    """The interface of every kind of preprocessing."""

    def rows(self, texts: Sequence[str]) -> list[Row]:
        """Return a row per text, without padding."""
        ...

    def inputs(self, rows: Sequence[Row]) -> Inputs:
        """Return the model's inputs for a batch of at least one row, padded to the longest."""
        ...


def from_manifest(description: Mapping[str, object], folder: Path) -> Preprocessing:
    """Return the preprocessing that a manifest's `preprocessing` describes; its files are in `folder`.

    Raises:
        UnknownPreprocessingError: this image does not have the kind, a normalisation step or the dictionary.
    """
    steps = description.get("normalisation")
    if not isinstance(steps, list) or not all(step in NORMALISATION_STEPS for step in steps):
        raise UnknownPreprocessingError(
            f"manifest.json: got normalisation {steps!r}; allowed are {', '.join(NORMALISATION_STEPS)}"
        )
    match description.get("kind"):
        case "code_points":
            return CodePoints(steps=steps)
        case "fast_tokenizer":
            controls = description.get("control_tokens")
            if not isinstance(controls, list) or not all(isinstance(token, int) for token in controls):
                raise UnknownPreprocessingError(
                    f"manifest.json: got control_tokens {controls!r}; allowed is a list of token ids"
                )
            return TokenizerFile(
                steps=steps, tokenizer=folder / str(description.get("tokenizer")), control_tokens=controls
            )
        case "japanese_wordpiece":
            if description.get("dictionary") != "ipadic":
                raise UnknownPreprocessingError(
                    f"manifest.json: got dictionary {description.get('dictionary')!r}; allowed is 'ipadic'"
                )
            return JapaneseWordpiece(steps=steps, tokenizer=folder / str(description.get("tokenizer")))
        case kind:
            raise UnknownPreprocessingError(
                f"manifest.json: got preprocessing kind {kind!r}; "
                "allowed are 'code_points', 'fast_tokenizer' and 'japanese_wordpiece'"
            )


class CodePoints:
    """Converts each character to its Unicode code point; the model itself contains the vocabulary."""

    def __init__(self, *, steps: Sequence[str]) -> None:
        self._steps = steps

    def rows(self, texts: Sequence[str]) -> list[Row]:
        return [
            np.array([ord(character) for character in _normalise(text, self._steps)], dtype=np.int64) for text in texts
        ]

    def inputs(self, rows: Sequence[Row]) -> Inputs:
        """Return the rows padded with 0, which is in no n-gram of the vocabulary."""
        return {"code_points": _padded(rows, with_value=0)}


class _Tokens:
    """The model's inputs for rows of token ids."""

    def __init__(self, padding: int) -> None:
        self._padding = padding

    def inputs(self, rows: Sequence[Row]) -> Inputs:
        """Return token ids, and an attention mask that excludes the padding."""
        return {
            "input_ids": _padded(rows, with_value=self._padding),
            "attention_mask": _padded([np.ones_like(row) for row in rows], with_value=0),
        }


class TokenizerFile(_Tokens):
    """Converts texts with the model's own `tokenizer.json` alone."""

    def __init__(self, *, steps: Sequence[str], tokenizer: Path, control_tokens: Sequence[int]) -> None:
        # Imported here, because a model of code points needs no tokenizer.
        from fast_tokenizer import FastTokenizer

        self._steps = steps
        loaded, padding = _read_tokenizer(tokenizer)
        super().__init__(padding)
        self._tokenizer = FastTokenizer(loaded, control_tokens=control_tokens)

    def rows(self, texts: Sequence[str]) -> list[Row]:
        """The token ids of each text."""
        normalised = [_normalise(text, self._steps) for text in texts]
        return [np.array(tokens, dtype=np.int64) for tokens in self._tokenizer.token_ids(normalised)]


class JapaneseWordpiece(_Tokens):
    """Splits a text into words with MeCab, and the words into the model's tokens with WordPiece."""

    def __init__(self, *, steps: Sequence[str], tokenizer: Path) -> None:
        # Imported here, because a model of code points needs neither, and importing takes a second.
        import ipadic
        from fugashi import GenericTagger

        self._steps = steps
        self._tokenizer, padding = _read_tokenizer(tokenizer)
        super().__init__(padding)
        self._tagger = GenericTagger(f"{ipadic.MECAB_ARGS} -Owakati")
        self._tagging = threading.Lock()  # a MeCab tagger stores the sentence that it parses

    def rows(self, texts: Sequence[str]) -> list[Row]:
        """The token ids of each text."""
        with self._tagging:
            # Python treats more characters as white space than the tokenizer, and the model was trained with Python's.
            words = [" ".join(self._tagger.parse(with_breaks(_normalise(text, self._steps))).split()) for text in texts]
        return [np.array(encoding.ids, dtype=np.int64) for encoding in self._tokenizer.encode_batch(words)]


def _read_tokenizer(path: Path) -> tuple[Tokenizer, int]:
    """Read a tokenizer; return it with its padding switched off, and its padding token."""
    # Imported here, because a model of code points does not need it.
    from tokenizers import Tokenizer

    if not path.is_file():
        raise UnknownPreprocessingError(f"{path.name}: not in the model folder")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises no narrower error
        raise UnknownPreprocessingError(f"{path.name}: {' '.join(str(error).split())}") from None
    padding = int((tokenizer.padding or {}).get("pad_id", 0))
    tokenizer.no_padding()
    return tokenizer, padding


def _padded(rows: Sequence[Row], *, with_value: int) -> npt.NDArray[np.int64]:
    padded = np.full((len(rows), max(1, *map(len, rows))), with_value, dtype=np.int64)
    for target, row in zip(padded, rows, strict=True):
        target[: len(row)] = row
    return padded


def _normalise(text: str, steps: Sequence[str]) -> str:
    for step in steps:
        text = NORMALISATION_STEPS[step](text)
    return text
