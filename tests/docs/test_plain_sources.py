"""Docstrings, comments and messages of the sources avoid words that the docs avoid, as far as they are free of them.

Add a word of test_plain_words.py to `WORDS` once all sources are free of it, and a folder to `FREE_OF_ALL` once it is
free of all words. The docstrings and comments of `COMMENTED` are free of all words, and of those of `TURNS`.
"""

import ast
import re
import tokenize
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.docs.test_plain_words import BETTER, PROJECT

WORDS = (
    r"tells?|told",
    r"mend|mends|mended",
    r"anew",
    r"(?:is|are|was|were) taken back|takes? (?:it|an update|a step) back",
    r"is no (?:point|figure|picture)",
    r"the house",
)
FREE_OF_ALL = ("container", "lambda")
RIDDLES = {
    r"otherwise than": "differently from; its predictions differ",
    r"(?:is|are) none of (?:it|the|these|those|them)": "is not from, is not one of",
    r"(?<!there )(?:is|are) no (?:decision|line|list|number|object|post|probability|string)s?": "is not a …",
    r"as (?:it|they|the \w+|[A-Z]\w+) (?:has|have) (?:it|them)": "in the format of, as … writes it",
    r"as it stands|what (?:stands|stood) (?:there|now)": "the current state, the original value",
    r"what (?:becomes|became) of": "the decision on, the state of",
    r"whatever (?:becomes|became|comes)": "name what happens",
    r"(?:do|does|did|has|have|waits?|calculated) (?:\w+ )?for nobody|nobody waits": "no request waits; unused",
    r"(?:come|comes|came) whole|not whole": "arrives completely, incomplete",
    r"(?:one|a) (?:\w+ )?(?:answer|line|post|request|row|text|write) a (?:day|line|post|request|text)": "per",
    r"a good part": "a considerable part, or the figure",
}
"""Further words to avoid in the sources of `FREE_OF_ALL`, with what to write instead."""
COMMENTED = ("tools", "benchmarks", "constructs", "stacks")
TURNS = {
    r"somebody|nobody but": "name the person or the program",
    r"in whatever (?:case|direction|place)": "case-insensitive, in any direction",
    r"is what (?:it|they) (?:is|are) (?:for|of)": "say what it does",
    r"has to be had|where it has none|where there is none of": "if it has none",
    r"by (?:what|how much) factor": "factor by which",
    r"a (?:line|file|row|post) an? \w+": "one line per …",
    r"an? \w+ the (?:second|minute|hour|day)": "per second",
    r"(?:requests|posts|calls|times|rows) an? (?:second|minute|hour|day|week|month)": "per minute",
    r"in (?:its|their) own words": "with the message of …",
    r"comes to the same": "gives the same result",
    r"what (?:a|the) \w+ came to": "the result of …",
    r"of whatever": "of any",
    r"however it ended|however it ends": "whatever its exit status",
    r"save for|but for": "except",
    r"is to be had|are to be had": "is available",
    r"the one that says": "the one with …",
    r"in the place of": "instead of, replaces",
}
# A name in code, a variable of JSONata, or an argument that a docstring describes is no prose.
_NO_PROSE = re.compile(r"`[^`\n]*`|\$\w+|^ *\w+:", re.MULTILINE)


def sentences(path: Path) -> Iterator[str]:
    """The docstrings, comments and other texts of a program; a text without a space is a name or a key."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value.strip():
            yield _NO_PROSE.sub(" ", node.value)
    yield from comments(path)


def comments(path: Path) -> Iterator[str]:
    with tokenize.open(path) as source:
        for token in tokenize.generate_tokens(source.readline):
            if token.type == tokenize.COMMENT:
                yield _NO_PROSE.sub(" ", token.string)


def docstrings_and_comments(path: Path) -> Iterator[str]:
    """What a program's readers find beside its code, without the strings that its users see."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield _NO_PROSE.sub(" ", node.value.value)
    yield from comments(path)


@pytest.mark.parametrize("folder", COMMENTED)
def test_docstrings_and_comments_are_in_plain_words(folder: str) -> None:
    assert found_in(folder, docstrings_and_comments, (*BETTER, *RIDDLES, *TURNS)) == []


@pytest.mark.parametrize("folder", ["constructs", "lambda", "container", "stacks", "tools", "examples"])
def test_a_program_speaks_in_plain_words(folder: str) -> None:
    assert found_in(folder, sentences, (*BETTER, *RIDDLES) if folder in FREE_OF_ALL else WORDS) == []


def found_in(folder: str, texts_of: Callable[[Path], Iterator[str]], words: Sequence[str]) -> list[str]:
    """The words that the texts of a folder's programs should not have, each with what to write instead."""
    avoided = re.compile(rf"\b(?:{'|'.join(words)})\b", re.IGNORECASE)
    return [
        f"{path.relative_to(PROJECT)}: {match.group()}: {better(match.group())}"
        for path in sorted((PROJECT / folder).rglob("*.py"))
        # A line break may split a phrase.
        for text in map(" ".join, map(str.split, texts_of(path)))
        for match in avoided.finditer(text)
    ]


def better(word: str) -> str:
    """What to write instead of a word that was found."""
    return next(
        instead for avoided, instead in (BETTER | RIDDLES | TURNS).items() if re.fullmatch(avoided, word, re.IGNORECASE)
    )
