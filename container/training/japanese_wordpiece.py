"""Converts Japanese posts to a BERT's token ids without transformers, which the inference image does not have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ipadic
import numpy as np
import numpy.typing as npt
from bounded_text import with_breaks
from fugashi import GenericTagger
from text_normalisation import normalise
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing

# The steps of BertJapaneseTokenizer, with which checkpoints were trained; a NUL would end MeCab's C strings.
NORMALISATION = ("nfkc", "strip_nul")
DICTIONARY = "ipadic"
PADDING, CLASSIFY, SEPARATE, UNKNOWN, MASK = "[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"


def build_tokenizer(vocabulary: Mapping[str, int], *, max_length: int) -> Tokenizer:
    """Return a WordPiece tokenizer for words that MeCab has split, in the form of tokenizer.json.

    A post is data: a post that contains `[SEP]` or `[MASK]` must not control the model. So control tokens are only
    added around a text, and never recognised in it.
    """
    words = {token: number for token, number in vocabulary.items() if token not in (PADDING, CLASSIFY, SEPARATE, MASK)}
    tokenizer = Tokenizer(WordPiece(words, unk_token=UNKNOWN, max_input_chars_per_word=100))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.post_processor = TemplateProcessing(
        single=f"{CLASSIFY} $A {SEPARATE}",
        special_tokens=[(token, vocabulary[token]) for token in (CLASSIFY, SEPARATE)],
    )
    tokenizer.enable_truncation(max_length)
    tokenizer.enable_padding(pad_id=vocabulary[PADDING], pad_token=PADDING)
    return tokenizer


class JapaneseWordpiece:
    """Splits a text into words with MeCab and ipadic, and the words into tokens with the tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tagger = GenericTagger(f"{ipadic.MECAB_ARGS} -Owakati")
        self._tokenizer = tokenizer

    def encode(self, texts: Sequence[str]) -> dict[str, npt.NDArray[np.int64]]:
        """Return token ids and attention mask, one row per text, padded to the longest."""
        # Python treats more characters as white space than the tokenizer, and BertJapaneseTokenizer uses Python's.
        words = [" ".join(self._tagger.parse(with_breaks(normalise(text, NORMALISATION))).split()) for text in texts]
        encodings = self._tokenizer.encode_batch(words)
        return {
            "input_ids": np.array([encoding.ids for encoding in encodings], dtype=np.int64),
            "attention_mask": np.array([encoding.attention_mask for encoding in encodings], dtype=np.int64),
        }
