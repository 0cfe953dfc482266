"""From texts to the token ids of a `tokenizer.json`, as transformers makes them.

The same file in the images of training and of inference: a model is served the tokens that it was trained with.
"""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Tokenizer


class FastTokenizer:
    """Cuts a text by what its `tokenizer.json` says: normalisation, words, tokens, truncation.

    A text is data: one that contains `</s>` or `[MASK]` must not steer the model. So it is cut as transformers does it
    with `split_special_tokens`, and what is a control token all the same, as `</s>` is in SentencePiece's vocabularies,
    is left out.
    """

    def __init__(self, tokenizer: Tokenizer, *, control_tokens: Sequence[int]) -> None:
        tokenizer.encode_special_tokens = True  # tokenizer.json does not keep it
        self._tokenizer = tokenizer
        self._control_tokens = frozenset(control_tokens)

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Each text at its true length, cut off where the tokenizer says; control tokens are those around it alone."""
        return [
            [
                token
                for token, around in zip(encoding.ids, encoding.special_tokens_mask, strict=True)
                if around or token not in self._control_tokens
            ]
            for encoding in self._tokenizer.encode_batch(texts)
        ]
