"""A pretrained encoder of transformers with a classifier on top, and the tokens that it reads."""

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
"""transformers' model types whose export answers as they do: test_encoders.py compares each of them."""

_POSITIONS_BEHIND_PADDING = ("camembert", "mpnet", "roberta", "xlm-roberta")
"""These count positions from behind that of the padding: as many fewer tokens have one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """What is fine-tuned, and how it reads posts."""

    network: PreTrainedModel
    encode: Encode
    tokenizer: Tokenizer
    """As it is saved: it cuts off what is too long, and says what fills rows up."""
    preprocessing: Mapping[str, object]
    """The manifest's part of that name."""


def load_encoder(start: Pretrained, *, max_length: int) -> Encoder:
    """Loads the network, with a classifier that has learnt nothing where the checkpoint has none for two labels.

    Raises:
        RefusalError: it is not there, not of a type in `TAKEN`, without a part of its weights, or its tokenizer is none
            that can be served.
    """
    name, revision = start.name, start.revision
    foreign = {"trust_remote_code": False}  # or somebody is asked, and nobody is there
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
            # The only one whose export ONNX Runtime can fuse.
            attn_implementation="eager",
            # A classifier of three labels makes way for one of two; what else does not fit is refused below.
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
    """A checkpoint of another network leaves this one as it was drawn, and transformers only warns."""
    new = {*found["missing_keys"], *(key for key, *_ in found["mismatched_keys"])}
    inner = f"{network.base_model_prefix}."
    # Those that were trained to guess words have no pooler: it belongs to the classifier.
    lost = sorted(key for key in new if key.startswith(inner) and not key.startswith(f"{inner}pooler."))
    if lost:
        raise RefusalError(
            f"hyperparameter pretrained_model: {name!r} lacks {len(lost)} weights of its {network.config.model_type}, "
            f"or has them in another shape, such as {lost[0]}; give a whole checkpoint"
        )
    print(f"new_weights={','.join(sorted(new)) or 'none'}", flush=True)


def _is_japanese(settings: Mapping[str, Any], config: PreTrainedConfig) -> bool:
    named = settings.get("tokenizer_class") or getattr(config, "tokenizer_class", None)
    return named == "BertJapaneseTokenizer" or "word_tokenizer_type" in settings


def _japanese(settings: Mapping[str, Any], start: Pretrained, *, max_length: int) -> dict[str, Any]:
    _refuse_other_japanese(settings, start.name)
    # The published checkpoints name no dictionary, and the default is not the one they were trained with.
    theirs = BertJapaneseTokenizer.from_pretrained(
        start.name, revision=start.revision, mecab_kwargs={"mecab_dic": DICTIONARY}
    )
    return japanese_parts(build_tokenizer(theirs.vocab, max_length=max_length), max_length=max_length)


def japanese_parts(tokenizer: Tokenizer, *, max_length: int) -> dict[str, Any]:
    """An encoder's parts but the network, by a tokenizer of words that MeCab has cut."""
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
    """A model sees garbage when its words are cut otherwise than it was trained with."""
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
    """The tokenizer that transformers has for the checkpoint, where it is one of the library `tokenizers`."""

    def refuse(what: str) -> RefusalError:
        return RefusalError(f"hyperparameter pretrained_model: the tokenizer of {name!r} {what}")

    if not theirs.is_fast:
        raise refuse(f"is a {type(theirs).__name__} in Python; allowed are those with a {TOKENIZER_FILE}, and MeCab's")
    if theirs.pad_token_id is None or config.pad_token_id not in (None, theirs.pad_token_id):
        raise refuse(f"pads with {theirs.pad_token_id}, and config.json has {config.pad_token_id}; correct one of them")
    if len(theirs) > config.vocab_size:
        raise refuse(f"has {len(theirs)} tokens and the network {config.vocab_size}; give those that belong together")
    # A copy, since transformers changes its own at each call.
    tokenizer = Tokenizer.from_str(theirs.backend_tokenizer.to_str())
    tokenizer.enable_truncation(max_length, direction=theirs.truncation_side)
    tokenizer.enable_padding(pad_id=theirs.pad_token_id, pad_token=theirs.pad_token)
    return fast_parts(
        tokenizer,
        control_tokens=sorted(set(theirs.all_special_ids) - {theirs.unk_token_id}),
        max_length=max_length,
    )


def padding_of(tokenizer: Tokenizer) -> int:
    """The token with which a tokenizer fills rows up."""
    filled: Mapping[str, Any] = tokenizer.padding or {}
    return int(filled["pad_id"])


def fast_parts(tokenizer: Tokenizer, *, control_tokens: Sequence[int], max_length: int) -> dict[str, Any]:
    """An encoder's parts but the network, by a tokenizer that says how it fills rows up."""
    padding = padding_of(tokenizer)
    # Another copy, since the saved one says what fills rows up.
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
            "normalisation": [],  # the tokenizer does its own
            "tokenizer": TOKENIZER_FILE,
            "control_tokens": list(control_tokens),
            "max_length": max_length,
        },
    }
