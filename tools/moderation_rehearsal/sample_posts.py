"""Sample posts of a parenting community, labelled for moderation: 1 is a violation, 0 is not.

Every text is generated from the grammar in sample_posts.json, so that a rehearsal downloads nothing. Names, schools,
addresses, telephone numbers (all in 000-0000-XXXX) and domains (all example.com) are invented.

The classes share their words on purpose: parents ask how to turn down an invitation to sell, quote an insult that
they received, or recommend what they bought, while violations come politely, indirectly, or at the end of an
honest question.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

VIOLATION_SHARE: Final = 0.17
MISSED_VIOLATION_RATE: Final = 0.06
"""Share of violations with the label 0, because annotators overlook some."""
FALSE_ALARM_RATE: Final = 0.01
"""Share of harmless posts with the label 1, because annotators misread some."""
SHORTEST_TEXT: Final = 10
LONGEST_TEXT: Final = 400

_GRAMMAR: Final[Mapping[str, Any]] = json.loads(
    Path(__file__).with_name("sample_posts.json").read_text(encoding="utf-8")
)
"""`{slot}` is replaced by one of the slot's options, `[polite|casual]` by the side of the post's register."""
_SLOTS: Final[Mapping[str, Sequence[str]]] = _GRAMMAR["slots"]
_TOPICS: Final[Sequence[Mapping[str, Sequence[str]]]] = list(_GRAMMAR["topics"].values())
_HARMLESS_LOOKALIKES: Final[Sequence[str]] = [
    each for group in _GRAMMAR["harmless_lookalikes"].values() for each in group
]
_DIRECT_VIOLATIONS: Final[Sequence[Sequence[str]]] = list(_GRAMMAR["violations"]["direct"].values())
_INDIRECT_VIOLATIONS: Final[Sequence[Sequence[str]]] = list(_GRAMMAR["violations"]["indirect"].values())

_MARK: Final = re.compile(r"\{(\w+)\}|\[([^|\]]*)\|([^\]]*)\]")
_KANA: Final = re.compile(r"[ぁ-ん]{2}")
_FULL_WIDTH_DIGITS: Final = str.maketrans("0123456789", "０１２３４５６７８９")


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A post and its label: 1 for a violation, 0 otherwise."""

    text: str
    label: int

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise ValueError("text must not be empty")
        if self.label not in (0, 1):
            raise ValueError(f"label must be 0 or 1, got {self.label!r}")


def generate_posts(count: int = 4000, seed: int = 1998) -> list[Post]:
    """Return `count` posts with distinct texts of 10 to 400 characters; the same seed gives the same posts anywhere."""
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    writer = _Writer(seed)
    texts: set[str] = set()
    posts: list[Post] = []
    while len(posts) < count:
        violation = writer.chance(VIOLATION_SHARE)
        text = writer.violation() if violation else writer.harmless()
        mislabelled = writer.chance(MISSED_VIOLATION_RATE if violation else FALSE_ALARM_RATE)
        if text in texts or not SHORTEST_TEXT <= len(text) <= LONGEST_TEXT:
            continue
        texts.add(text)
        posts.append(Post(text=text, label=int(violation != mislabelled)))
    return posts


class _Writer:
    """Generates posts from the grammar."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # nosec B311  # seeded
        self._casual = False

    # Random.random() is the only method whose sequence Python guarantees between versions.
    def chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def _pick(self, options: Sequence[str]) -> str:
        return options[int(self._random.random() * len(options))]

    def harmless(self) -> str:
        self._casual = self.chance(0.35)
        kind = self._random.random()
        if kind < 0.56:
            return self._finish(self._question())
        if kind < 0.70:
            return self._finish(self._answer())
        lookalike = self._expand(self._pick(_HARMLESS_LOOKALIKES))
        if self.chance(0.55):
            return self._finish([lookalike, *self._ending()])
        return self._finish([*self._beginning(), lookalike, *self._ending()])

    def violation(self) -> str:
        self._casual = self.chance(0.35)
        indirect = self.chance(0.55)
        families = _INDIRECT_VIOLATIONS if indirect else _DIRECT_VIOLATIONS
        family = families[int(self._random.random() * len(families))]
        core = self._expand(self._pick(family))
        shape = self._random.random()
        if shape < 0.40:
            return self._finish([core, *self._ending()])
        if shape < 0.62:
            return self._finish([*self._answer(), core])
        if shape < 0.90:
            return self._finish([*self._question(), core])
        return self._finish([core, self._expand(self._pick(family))])

    def _question(self) -> list[str]:
        topic = _TOPICS[int(self._random.random() * len(_TOPICS))]
        long = self.chance(0.12)
        templates = [self._pick(topic["happens"]) for _ in range(3 if long else int(self.chance(0.9)))]
        for _ in range(int(self._random.random() ** 2 * 5) + (8 if long else 0)):
            templates.append(self._pick(topic["tried"] if self.chance(0.5) else _SLOTS["filler"]))
        templates.append(self._pick(topic["asked"]))
        return [*self._beginning(), *self._expand_distinct(templates), *self._ending()]

    def _answer(self) -> list[str]:
        templates = [self._pick(_GRAMMAR["answers"]) for _ in range(2 if self.chance(0.3) else 1)]
        if self.chance(0.4):
            templates.append(self._pick(_SLOTS["filler"]))
        return self._expand_distinct(templates)

    def _expand_distinct(self, templates: Sequence[str]) -> list[str]:
        return [self._expand(template) for template in dict.fromkeys(templates)]

    def _beginning(self) -> list[str]:
        return [self._expand(self._pick(_SLOTS["opening"]))] if self.chance(0.5) else []

    def _ending(self) -> list[str]:
        return [self._expand(self._pick(_SLOTS["closing"]))] if self.chance(0.35) else []

    def _expand(self, template: str) -> str:
        def replacement(mark: re.Match[str]) -> str:
            slot, polite, casual = mark.groups()
            if slot is not None:
                return self._expand(self._pick(_SLOTS[slot]))
            return self._expand(casual if self._casual else polite)

        return _MARK.sub(replacement, template)

    def _finish(self, sentences: list[str]) -> str:
        """Join sentences as people type them: line breaks, emoji, missing full stops, character widths, typos."""
        breaks = self._pick(("", "", "", "\n", "\n", "\n\n", " "))
        emoji_rate = self._random.random() * 0.4 if self.chance(0.4) else 0.0
        typed: list[str] = []
        for sentence in sentences:
            if sentence.endswith("。") and self.chance(0.12):
                sentence = sentence[:-1] + self._pick(("", "…", "！", "、", "💦"))
            if self.chance(emoji_rate):
                sentence += self._pick(_GRAMMAR["emoji"])
            typed.append(sentence)
        text = breaks.join(typed)
        if self.chance(0.12):
            text = text.translate(_FULL_WIDTH_DIGITS)
        if self.chance(0.08):
            text = text.replace("？", "?").replace("！", "!")
        if self.chance(0.12):
            text = self._mistype(text)
        return text

    def _mistype(self, text: str) -> str:
        slips = list(_KANA.finditer(text))
        if not slips:
            return text
        at = slips[int(self._random.random() * len(slips))].start()
        first, second = text[at], text[at + 1]
        slip = self._pick((second + first, first, first + first + second))
        return text[:at] + slip + text[at + 2 :]


def main(arguments: Sequence[str] | None = None) -> None:
    """Write generated posts to a CSV file with the columns text and label."""
    parser = argparse.ArgumentParser(prog="python -m moderation_rehearsal.sample_posts", description=main.__doc__)
    parser.add_argument("--count", type=int, default=4000, help="number of posts (default: 4000)")
    parser.add_argument("--seed", type=int, default=1998, help="the same seed gives the same posts (default: 1998)")
    parser.add_argument("--output", type=Path, required=True, help="CSV file to write")
    chosen = parser.parse_args(arguments)
    try:
        posts = generate_posts(chosen.count, chosen.seed)
        with chosen.output.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(("text", "label"))
            rows.writerows((post.text, post.label) for post in posts)
    except (OSError, ValueError) as fault:
        sys.exit(f"sample posts: {fault}")
    print(f"{len(posts)} posts, {sum(post.label for post in posts)} violations: {chosen.output}")


if __name__ == "__main__":
    main()
