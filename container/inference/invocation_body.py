"""Reads and checks the body of `POST /invocations`."""

from __future__ import annotations

import json
from dataclasses import dataclass

from bounded_text import LONGEST_TEXT, counted

MOST_TEXTS = 64
"""The most texts in one request."""


class InvalidInvocationError(Exception):
    """The body is not a valid invocation; the message is one line that names the fault and quotes nothing of a post."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationLines:
    """JSON lines, as SageMaker Batch Transform reads them from its files: one post per line, one answer per line.

    An invalid line gets an error and the others a prediction: a job over years of posts must not end at one of them.
    """

    texts: list[str]
    """The texts of the valid lines, in order."""
    faults: list[str | None]
    """For every line, one line that says what is wrong with it, or None."""

    @classmethod
    def parse(cls, body: bytes) -> InvocationLines:
        """Read lines of `{"text": …}`.

        Raises:
            InvalidInvocationError: there are no lines.
        """
        lines = body.removesuffix(b"\n").split(b"\n")
        if lines == [b""]:
            raise InvalidInvocationError("body: empty; give one object with text per line")
        texts: list[str] = []
        faults: list[str | None] = []
        for line in lines:
            try:
                invocation = Invocation.parse(line)
                if not invocation.single:
                    raise InvalidInvocationError("line: got texts; give one object with text per line")
                texts.extend(invocation.texts)
                faults.append(None)
            except InvalidInvocationError as error:
                faults.append(str(error))
        return cls(texts=texts, faults=faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """The texts to predict; `single` if the client sent `text`, and so gets one prediction instead of a list."""

    texts: list[str]
    single: bool

    @classmethod
    def parse(cls, body: bytes) -> Invocation:
        """Read `{"text": …}` or `{"texts": […]}`.

        Raises:
            InvalidInvocationError: anything else.
        """
        try:
            given = json.loads(body.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise InvalidInvocationError(f"body: not UTF-8 at byte {error.start}") from None
        except json.JSONDecodeError as error:
            raise InvalidInvocationError(f"body: not JSON: {error.msg} at character {error.pos}") from None
        except (ValueError, RecursionError):  # a number with thousands of digits, or thousands of nested brackets
            raise InvalidInvocationError(
                "body: JSON with too many digits or levels; give an object with text or texts"
            ) from None
        if not isinstance(given, dict):
            raise InvalidInvocationError(f"body: got {_kind(given)}; give an object with text or texts")
        if len(given) != 1 or not given.keys() <= {"text", "texts"}:
            raise InvalidInvocationError(
                f"body: got {'both text and texts' if {'text', 'texts'} <= given.keys() else f'{len(given)} keys'}; "
                "give an object with exactly one of text and texts"
            )
        if "text" in given:
            return cls(texts=[_checked(given["text"], "text")], single=True)
        texts = given["texts"]
        if not isinstance(texts, list):
            raise InvalidInvocationError(f"texts: got {_kind(texts)}; give a list of strings")
        if not 1 <= len(texts) <= MOST_TEXTS:
            raise InvalidInvocationError(f"texts: got {len(texts)} of them; allowed are 1 to {MOST_TEXTS}")
        return cls(texts=[_checked(text, f"texts[{index}]") for index, text in enumerate(texts)], single=False)


def _checked(text: object, where: str) -> str:
    if not isinstance(text, str):
        raise InvalidInvocationError(f"{where}: got {_kind(text)}; give a string")
    if not text.strip():
        raise InvalidInvocationError(f"{where}: got an empty text; give at least one character that is not a space")
    if len(text) > LONGEST_TEXT:
        raise InvalidInvocationError(f"{where}: got {len(text)} characters; allowed are {LONGEST_TEXT}")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidInvocationError(f"{where}: half of a surrogate pair at character {error.start}") from None
    if (length := counted(text)) > LONGEST_TEXT:
        raise InvalidInvocationError(f"{where}: got {length} characters in NFKC; allowed are {LONGEST_TEXT}")
    return text


def _kind(value: object) -> str:
    """Return the JSON name of a value's type."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list"
        case _:
            return "an object"
