"""A pretrained encoder of transformers with a classification head, and its tokenizer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from exported_model import Encode
from fast_tokenizer import FastTokenizer
from japanese_wordpiece import DICTIONARY, NORMALISATION, JapaneseWordpiece, build_tokenizer
from pretrained_files import Pretrained
from refusal import RefusalError
from tokenizers import Tokenizer
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertJapaneseTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.models.auto.tokenization_auto import get_tokenizer_config

TOKENIZER_FILE = "tokenizer.json"

TAKEN = (
    "albert",
    "bert",
    "camembert",
    "deberta",
    "deberta-v2",
    "distilbert",
    "electra",
    "modernbert",
    "mpnet",
    "roberta",
    "xlm-roberta",
)
"""The transformers model types whose exports predict as the networks do: test_encoders.py compares each of them."""

_POSITIONS_BEHIND_PADDING = ("camembert", "mpnet", "roberta", "xlm-roberta")
"""These number positions from the padding's index plus one, so a post can have that many fewer tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """The network to fine-tune, and its tokenizer."""

    network: PreTrainedModel
    encode: Encode
    tokenizer: Tokenizer
    """The tokenizer to save, with truncation and the padding token."""
    preprocessing: Mapping[str, object]
    """The manifest's `preprocessing`."""


def load_encoder(start: Pretrained, *, max_length: int) -> Encoder:
    """Load the network, with an untrained classification head if the checkpoint has none for two labels.

    Raises:
        RefusalError: it is missing, its type is not in `TAKEN`, it lacks a part of its weights, or its tokenizer cannot
            be served.
    """
    name, revision = start.name, start.revision
    foreign = {"trust_remote_code": False}  # otherwise transformers would ask a question that nobody can answer
    try:
        config = AutoConfig.from_pretrained(name, revision=revision, **foreign)
        if config.model_type not in TAKEN:
            raise RefusalError(
                f"hyperparameter pretrained_model: {name!r} is a {config.model_type}; allowed are {', '.join(TAKEN)}"
            )
        _refuse_too_long(config, name, max_length=max_length)
        settings = get_tokenizer_config(name, revision=revision)
        if _is_japanese(settings, config):
            parts = _japanese(settings, start, max_length=max_length)
        else:
            theirs = AutoTokenizer.from_pretrained(name, revision=revision, **foreign)
            parts = _fast(theirs, config, name, max_length=max_length)
        network, found = AutoModelForSequenceClassification.from_pretrained(
            name,
            revision=revision,
            num_labels=2,
            # The only attention whose export ONNX Runtime can fuse.
            attn_implementation="eager",
            # A head for three labels is replaced with one for two; other mismatches are refused below.
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            **foreign,
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise RefusalError(
            f"hyperparameter pretrained_model: {name!r} cannot be loaded ({' '.join(str(error).split())[:300]}); "
            "give the channel pretrained, a folder in the container, or a name on the Hugging Face hub"
        ) from None
    _refuse_lost_weights(network, found, name)
    return Encoder(network=network, **parts)


def _refuse_too_long(config: PreTrainedConfig, name: str, *, max_length: int) -> None:
    allowed = config.max_position_embeddings
    if config.model_type in _POSITIONS_BEHIND_PADDING:
        allowed -= (config.pad_token_id or 0) + 1
    if max_length > allowed:
        raise RefusalError(f"hyperparameter max_length: got {max_length}; {name!r} allows {allowed} at most")


def _refuse_lost_weights(network: PreTrainedModel, found: Mapping[str, Any], name: str) -> None:
    """Refuse a checkpoint without this network's weights; transformers only warns and leaves random weights."""
    new = {*found["missing_keys"], *(key for key, *_ in found["mismatched_keys"])}
    inner = f"{network.base_model_prefix}."
    # Checkpoints of masked language models have no pooler, which belongs to the classification head.
    lost = sorted(key for key in new if key.startswith(inner) and not key.startswith(f"{inner}pooler."))
    if lost:
        raise RefusalError(
            f"hyperparameter pretrained_model: {name!r} lacks {len(lost)} weights of its {network.config.model_type}, "
            f"or has them in another shape, such as {lost[0]}; give a complete checkpoint"
        )
    print(f"new_weights={','.join(sorted(new)) or 'none'}", flush=True)


def _is_japanese(settings: Mapping[str, Any], config: PreTrainedConfig) -> bool:
    named = settings.get("tokenizer_class") or getattr(config, "tokenizer_class", None)
    return named == "BertJapaneseTokenizer" or "word_tokenizer_type" in settings


def _japanese(settings: Mapping[str, Any], start: Pretrained, *, max_length: int) -> dict[str, Any]:
    _refuse_other_japanese(settings, start.name)
    # The published checkpoints do not name a dictionary, and the default differs from the one of their training.
    theirs = BertJapaneseTokenizer.from_pretrained(
        start.name, revision=start.revision, mecab_kwargs={"mecab_dic": DICTIONARY}
    )
    return japanese_parts(build_tokenizer(theirs.vocab, max_length=max_length), max_length=max_length)


def japanese_parts(tokenizer: Tokenizer, *, max_length: int) -> dict[str, Any]:
    """Return an encoder's parts except the network, for a tokenizer of words that MeCab has split."""
    return {
        "tokenizer": tokenizer,
        "encode": JapaneseWordpiece(tokenizer).encode,
        "preprocessing": {
            "kind": "japanese_wordpiece",
            "normalisation": list(NORMALISATION),
            "tokenizer": TOKENIZER_FILE,
            "dictionary": DICTIONARY,
            "max_length": max_length,
        },
    }


def _refuse_other_japanese(given: Mapping[str, Any], name: str) -> None:
    """Refuse other ways to split words, because a model predicts only with the one of its training."""
    mecab = given.get("mecab_kwargs") or {}
    for setting, value, allowed in (
        ("word_tokenizer_type", given.get("word_tokenizer_type"), "mecab"),
        ("subword_tokenizer_type", given.get("subword_tokenizer_type", "wordpiece"), "wordpiece"),
        ("do_lower_case", given.get("do_lower_case", False), False),
        ("mecab_dic", mecab.get("mecab_dic", DICTIONARY), DICTIONARY),
        ("mecab_option", mecab.get("mecab_option"), None),
    ):
        if value != allowed:
            raise RefusalError(
                f"hyperparameter pretrained_model: the tokenizer of {name!r} has {setting} {value!r}; "
                f"allowed is {allowed!r}"
            )


def _fast(theirs: Any, config: PreTrainedConfig, name: str, *, max_length: int) -> dict[str, Any]:
    """Return an encoder's parts except the network, if the checkpoint's tokenizer is from the library `tokenizers`."""

    def refuse(what: str) -> RefusalError:
        return RefusalError(f"hyperparameter pretrained_model: the tokenizer of {name!r} {what}")

    if not theirs.is_fast:
        raise refuse(f"is a {type(theirs).__name__} in Python; allowed are those with a {TOKENIZER_FILE}, and MeCab's")
    if theirs.pad_token_id is None or config.pad_token_id not in (None, theirs.pad_token_id):
        raise refuse(f"pads with {theirs.pad_token_id}, and config.json has {config.pad_token_id}; correct one of them")
    if len(theirs) > config.vocab_size:
        raise refuse(f"has {len(theirs)} tokens and the network {config.vocab_size}; give those that belong together")
    # A copy, because transformers changes its own tokenizer at each call.
    tokenizer = Tokenizer.from_str(theirs.backend_tokenizer.to_str())
    tokenizer.enable_truncation(max_length, direction=theirs.truncation_side)
    tokenizer.enable_padding(pad_id=theirs.pad_token_id, pad_token=theirs.pad_token)
    return fast_parts(
        tokenizer,
        control_tokens=sorted(set(theirs.all_special_ids) - {theirs.unk_token_id}),
        max_length=max_length,
    )


def padding_of(tokenizer: Tokenizer) -> int:
    """Return a tokenizer's padding token."""
    filled: Mapping[str, Any] = tokenizer.padding or {}
    return int(filled["pad_id"])


def fast_parts(tokenizer: Tokenizer, *, control_tokens: Sequence[int], max_length: int) -> dict[str, Any]:
    """Return an encoder's parts except the network, for a tokenizer that has padding set."""
    padding = padding_of(tokenizer)
    # Another copy, because the saved one keeps the padding.
    reading = Tokenizer.from_str(tokenizer.to_str())
    reading.no_padding()
    cut = FastTokenizer(reading, control_tokens=control_tokens)

    def encode(texts: Sequence[str]) -> dict[str, npt.NDArray[np.int64]]:
        rows = cut.token_ids(texts)
        shape = len(rows), max(map(len, rows))
        inputs = {
            "input_ids": np.full(shape, padding, dtype=np.int64),
            "attention_mask": np.zeros(shape, dtype=np.int64),
        }
        for number, row in enumerate(rows):
            inputs["input_ids"][number, : len(row)] = row
            inputs["attention_mask"][number, : len(row)] = 1
        return inputs

    return {
        "tokenizer": tokenizer,
        "encode": encode,
        "preprocessing": {
            "kind": "fast_tokenizer",
            "normalisation": [],  # the tokenizer has its own normalisation
            "tokenizer": TOKENIZER_FILE,
            "control_tokens": list(control_tokens),
            "max_length": max_length,
        },
    }
