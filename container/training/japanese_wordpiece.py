"""From Japanese posts to the token ids of a BERT, without transformers: serving has to do the same."""

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

# As BertJapaneseTokenizer does, which is what a checkpoint was trained with; MeCab's C strings would end at a NUL.
NORMALISATION = ("nfkc", "strip_nul")
DICTIONARY = "ipadic"
PADDING, CLASSIFY, SEPARATE, UNKNOWN, MASK = "[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"


def build_tokenizer(vocabulary: Mapping[str, int], *, max_length: int) -> Tokenizer:
    """WordPiece over words that MeCab has cut, as tokenizer.json describes it.

    A post is data: one that contains `[SEP]` or `[MASK]` must not steer the model. So the control tokens are added
    around a text and cannot be found in it.
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
    """MeCab with ipadic cuts a text into words, the tokenizer cuts the words into tokens."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tagger = GenericTagger(f"{ipadic.MECAB_ARGS} -Owakati")
        self._tokenizer = tokenizer

    def encode(self, texts: Sequence[str]) -> dict[str, npt.NDArray[np.int64]]:
        """Token ids and attention mask, one row a text, at the length of the longest."""
        # Python's idea of whitespace is wider than the tokenizer's, and BertJapaneseTokenizer has Python's.
        words = [" ".join(self._tagger.parse(with_breaks(normalise(text, NORMALISATION))).split()) for text in texts]
        encodings = self._tokenizer.encode_batch(words)
        return {
            "input_ids": np.array([encoding.ids for encoding in encodings], dtype=np.int64),
            "attention_mask": np.array([encoding.attention_mask for encoding in encodings], dtype=np.int64),
        }
