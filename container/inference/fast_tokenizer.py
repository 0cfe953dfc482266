"""Converts texts to the token ids of a `tokenizer.json`, as transformers does.

The images of training and of inference hold the same file, so that a model is served with the tokens it was trained on.
"""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Tokenizer


class FastTokenizer:
    """Applies a `tokenizer.json` to texts: normalisation, words, tokens, truncation.

    A text is data: a text that contains `</s>` or `[MASK]` must not control the model. So texts are tokenised as
    transformers does with `split_special_tokens`. Control tokens that still result, such as `</s>` in SentencePiece's
    vocabularies, are removed.
    """

    def __init__(self, tokenizer: Tokenizer, *, control_tokens: Sequence[int]) -> None:
        tokenizer.encode_special_tokens = True  # tokenizer.json does not store this setting
        self._tokenizer = tokenizer
        self._control_tokens = frozenset(control_tokens)

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text, truncated but not padded; the only control tokens are those around a text."""
        return [
            [
                token
                for token, around in zip(encoding.ids, encoding.special_tokens_mask, strict=True)
                if around or token not in self._control_tokens
            ]
            for encoding in self._tokenizer.encode_batch(texts)
        ]
