"""Removes the tokens that no post contains from a tokenizer, because each token takes a row of the embeddings."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from tokenizers import Tokenizer


def prune(tokenizer: Tokenizer, used: Collection[int]) -> tuple[Tokenizer, list[int]]:
    """Return a tokenizer that splits posts with the tokens `used` as before, and the former number of each token.

    It keeps single characters, so that other posts' words can be split into smaller pieces, and all tokens that the
    tokenizer adds by itself. It returns a tokenizer of an unsupported kind unchanged.
    """
    content = json.loads(tokenizer.to_str())
    model = content["model"]
    numbers = _numbers(model)
    # Including unused numbers, because an unchanged tokenizer keeps its numbers.
    everything = list(range(max(*numbers.values(), *_control_numbers(content)) + 1))
    finds = {"WordPiece": _word_pieces, "BPE": _byte_pairs, "Unigram": _unigrams}.get(model.get("type", ""))
    if finds is None or model.get("byte_fallback") or (model["type"] == "BPE" and not _plain_pairs(model)):
        return tokenizer, everything
    kept = finds(model, numbers, set(used)) | _control_numbers(content)
    if isinstance(unknown := model.get("unk_token"), str) and unknown in numbers:
        kept.add(numbers[unknown])
    former = [number for number in everything if number in kept]
    new = {number: place for place, number in enumerate(former)}
    _renumber(content, new)
    pruned = Tokenizer.from_str(json.dumps(content))
    # If a version of the library numbers added tokens differently, keep the tokenizer unchanged.
    same = all(pruned.token_to_id(token) == new[number] for token, number in numbers.items() if number in new)
    return (pruned, former) if same else (tokenizer, everything)


def _numbers(model: Mapping[str, Any]) -> dict[str, int]:
    vocabulary = model["vocab"]
    if isinstance(vocabulary, dict):
        return dict(vocabulary)
    return {piece: number for number, (piece, _) in enumerate(vocabulary)}


def _word_pieces(model: Mapping[str, Any], numbers: Mapping[str, int], used: set[int]) -> set[int]:
    prefix = model["continuing_subword_prefix"]
    return used | {number for token, number in numbers.items() if len(token.removeprefix(prefix)) == 1}


def _unigrams(model: Mapping[str, Any], numbers: Mapping[str, int], used: set[int]) -> set[int]:
    characters = {number for token, number in numbers.items() if len(token) == 1}
    return used | characters | ({model["unk_id"]} if model.get("unk_id") is not None else set())


def _plain_pairs(model: Mapping[str, Any]) -> bool:
    return not (model.get("continuing_subword_prefix") or model.get("end_of_word_suffix") or model.get("ignore_merges"))


def _byte_pairs(model: Mapping[str, Any], numbers: Mapping[str, int], used: set[int]) -> set[int]:
    """Return the tokens to keep: those used, and recursively the tokens from which they are merged."""
    parts: dict[int, set[int]] = {}
    for first, second in map(_pair, model["merges"]):
        parts.setdefault(numbers[first + second], set()).update((numbers[first], numbers[second]))
    kept = used | {number for token, number in numbers.items() if len(token) == 1}
    waiting = list(kept)
    while waiting:
        missing = parts.get(waiting.pop(), set()) - kept
        kept |= missing
        waiting.extend(missing)
    return kept


def _pair(merge: Any) -> tuple[str, str]:
    first, second = merge.split(" ", 1) if isinstance(merge, str) else merge
    return first, second


def _control_numbers(content: Mapping[str, Any]) -> set[int]:
    """Return the numbers of tokens that the tokenizer adds: around a text, and for padding."""
    found = {token["id"] for token in content.get("added_tokens") or []}
    if content.get("padding"):
        found.add(content["padding"]["pad_id"])
    for _, number, _ in _named_in(content.get("post_processor")):
        found.add(number)
    return found


def _named_in(processor: Any) -> Iterator[tuple[Any, int, Callable[[int], None]]]:
    """Yield each token number in a post-processor: its container, the number, and a function that changes it."""
    if not isinstance(processor, dict):
        return
    for inner in processor.get("processors") or []:
        yield from _named_in(inner)
    for token in (processor.get("special_tokens") or {}).values():
        for place, number in enumerate(token["ids"]):
            yield token, number, lambda new, ids=token["ids"], at=place: ids.__setitem__(at, new)  # type: ignore[misc]
    for name in ("sep", "cls"):
        if isinstance(pair := processor.get(name), list):
            yield pair, pair[1], lambda new, pair=pair: pair.__setitem__(1, new)  # type: ignore[misc]


def _renumber(content: dict[str, Any], new: Mapping[int, int]) -> None:
    model = content["model"]
    if isinstance(model["vocab"], dict):
        kept = {token: new[number] for token, number in model["vocab"].items() if number in new}
        if "merges" in model:
            model["merges"] = [merge for merge in model["merges"] if "".join(_pair(merge)) in kept]
        model["vocab"] = kept
    else:
        model["vocab"] = [entry for number, entry in enumerate(model["vocab"]) if number in new]
        if model.get("unk_id") is not None:
            model["unk_id"] = new[model["unk_id"]]
    for token in content.get("added_tokens") or []:
        token["id"] = new[token["id"]]
    if content.get("padding"):
        content["padding"]["pad_id"] = new[content["padding"]["pad_id"]]
    for _, number, change in list(_named_in(content.get("post_processor"))):
        change(new[number])
