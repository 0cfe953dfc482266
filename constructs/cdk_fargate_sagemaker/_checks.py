"""Checks of arguments. Each refuses with a one-line error of the same form: `name: got X, allowed: Y; what to do`.

A number or a `Duration` may be a token, whose value is known at deployment only. A token passes, and CloudFormation
checks the value. With `token=False` it is refused, because synthesis computes with the value.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Literal
from weakref import WeakKeyDictionary

from aws_cdk import Duration, Token

from ._number_token import is_token
from .errors import InvalidArgumentError

KNOWN_AT_DEPLOYMENT = "a token, known at deployment only"
_KNOWN_NOW = "known at synthesis"
_LONGEST_SHOWN = 80


def refusal(name: str, given: Any, allowed: str, remedy: str | None = None) -> InvalidArgumentError:
    """Returns the error to raise for an invalid argument.

    Args:
        name: the argument's name, as the caller wrote it.
        given: the argument, or a description of it wrapped in `plain`.
        allowed: what the argument may be.
        remedy: what to do. None where `allowed` says it already.
    """
    line = f"{name}: got {shown(given)}, allowed: {allowed}"
    return InvalidArgumentError(f"{line}; {remedy}" if remedy else line)


class plain(str):
    """A description of an argument, which an error shows without quotes: `refusal("cluster", plain("none"), …)`."""

    __slots__ = ()


def shown(given: Any) -> str:
    """An argument as one short line: text in quotes, numbers as written, other objects by their type."""
    if isinstance(given, plain):
        return str(given)
    if given is None:
        return "none"
    if isinstance(given, bool):
        return str(given)
    if isinstance(given, int | float):
        return KNOWN_AT_DEPLOYMENT if is_token(given) else str(given)
    if isinstance(given, Duration):
        return KNOWN_AT_DEPLOYMENT if given.is_unresolved() else given.to_human_string()
    if isinstance(given, str):
        text = repr(given)
        return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
    if isinstance(given, type):
        return f"the class {given.__name__}"
    if isinstance(given, list | tuple | dict | set) and not given:
        return f"an empty {type(given).__name__}"
    # jsii's proxies for interfaces have names such as `_ITopicProxy`; the caller knows the interface's name. An
    # imported construct has one proxy for all its interfaces; the last of them is the construct's own.
    stand_in = getattr(given, "_delegates", [given])[-1] if type(given).__name__ == "InterfaceDynamicProxy" else given
    kind = type(stand_in).__name__.removeprefix("_").removesuffix("Proxy")
    return f"{'an' if kind[:1] in 'AEIOUaeiou' else 'a'} {kind}"


def check_number(
    name: str,
    number: Any,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
    whole: bool = False,
    token: bool = True,
    remedy: str | None = None,
) -> None:
    """Refuses a value that is not a number, a number out of bounds, NaN, and with `whole` a fraction.

    Raises:
        InvalidArgumentError: see above; a token with `token=False`.
    """

    def allowed() -> str:
        kind = "a whole number" if whole else "a number"
        if at_least is not None and at_most is not None:
            return f"{kind}, {at_least:.12g} to {at_most:.12g}"
        words = {"at least": at_least, "above": above, "at most": at_most, "below": below}
        bounds = ", ".join(f"{word} {bound:.12g}" for word, bound in words.items() if bound is not None)
        return f"{kind}, {bounds}" if bounds else kind

    if isinstance(number, bool) or not isinstance(number, int | float):
        raise refusal(name, number, allowed(), remedy or ("leave the quotes out" if isinstance(number, str) else None))
    if is_token(number):
        if not token:
            raise refusal(name, number, f"{allowed()}, {_KNOWN_NOW}", remedy)
        return
    # Every comparison with NaN is false. In this form the condition refuses it.
    within = (
        (at_least is None or number >= at_least)
        and (above is None or number > above)
        and (at_most is None or number <= at_most)
        and (below is None or number < below)
        and abs(number) < float("inf")
    )
    if not within or (whole and number != int(number)):
        raise refusal(name, number, allowed(), remedy)


def check_percent(
    name: str, percent: Any, *, at_least: float | None = None, token: bool = True, remedy: str | None = None
) -> None:
    """Refuses a value that is not a percentage: a number above 0, or from `at_least`, up to 100.

    Give `at_least=1` where less than one percent makes no sense: then 0.5, given for a half, is refused.

    Raises:
        InvalidArgumentError: see above.
    """
    if at_least is not None and isinstance(percent, float) and 0 < percent < at_least and remedy is None:
        remedy = f"give {percent * 100:g} for {percent * 100:g} %"
    if at_least is None:
        check_number(name, percent, above=0, at_most=100, token=token, remedy=remedy)
    else:
        check_number(name, percent, at_least=at_least, at_most=100, token=token, remedy=remedy)


def check_duration(
    name: str,
    duration: Any,
    *,
    at_least: Duration | None = None,
    above_zero: bool = False,
    at_most: Duration | None = None,
    whole: Literal["seconds", "minutes", "hours", "days"] | None = None,
    token: bool = True,
    remedy: str | None = None,
) -> None:
    """Refuses a value that is not a `Duration`, a `Duration` out of bounds, and with `whole` a fraction of that unit.

    A token passes only in the unit `whole`, or in seconds without it, because synthesis cannot convert a token.

    Raises:
        InvalidArgumentError: see above; a token with `token=False`.
    """

    def allowed() -> str:
        kind = f"a Duration of whole {whole}" if whole else "a Duration"
        low = f"at least {at_least.to_human_string()}" if at_least is not None else "above 0" if above_zero else ""
        high = f"at most {at_most.to_human_string()}" if at_most is not None else ""
        bounds = (
            f"{at_least.to_human_string()} to {at_most.to_human_string()}"
            if at_least is not None and at_most is not None
            else ", ".join(filter(None, (low, high)))
        )
        return f"{kind}, {bounds}" if bounds else kind

    if not isinstance(duration, Duration):
        is_number = isinstance(duration, int | float) and not isinstance(duration, bool) and not is_token(duration)
        likely = f"give Duration.{whole or 'seconds'}({duration})" if is_number and duration > 0 else None
        raise refusal(name, duration, allowed(), remedy or likely)
    milliseconds = known_milliseconds(duration)
    if milliseconds is None:
        unit = whole or "seconds"
        if not token:
            raise refusal(name, duration, f"{allowed()}, {_KNOWN_NOW}", remedy)
        if duration.unit_label() != unit:
            raise refusal(name, duration, f"{allowed()}; a token in {unit} alone", f"give Duration.{unit}(…)")
        return
    size = {"seconds": 1_000, "minutes": 60_000, "hours": 3_600_000, "days": 86_400_000}
    if (
        (at_least is not None and milliseconds < (known_milliseconds(at_least) or 0))
        or (above_zero and milliseconds <= 0)
        or (at_most is not None and milliseconds > (known_milliseconds(at_most) or 0))
        or (whole is not None and milliseconds % size[whole] != 0)
    ):
        raise refusal(name, duration, allowed(), remedy)


# A Duration never changes, and each question about one is a call to the JavaScript process. So defaults are asked once.
_MILLISECONDS: WeakKeyDictionary[Duration, float] = WeakKeyDictionary()


def known_milliseconds(duration: Duration) -> float | None:
    """The length of `duration`; None for a token."""
    if (known := _MILLISECONDS.get(duration)) is not None:
        return known
    try:
        length = duration.to_milliseconds(integral=False)
    except RuntimeError:  # a token in any unit but milliseconds
        return None
    return None if is_token(length) else _MILLISECONDS.setdefault(duration, length)


def check_one_of(name: str, given: Any, allowed: Collection[Any], remedy: str | None = None) -> None:
    """Refuses a value that is not in `allowed`, unless it is a token.

    Raises:
        InvalidArgumentError: see above.
    """
    if isinstance(given, bool) or not isinstance(given, int | float | str) or given not in allowed:
        if isinstance(given, str) and Token.is_unresolved(given):
            return
        if isinstance(given, int | float) and not isinstance(given, bool) and is_token(given):
            return
        raise refusal(name, given, ", ".join(map(str, allowed)), remedy)


def check_kind(
    name: str, given: Any, kinds: type | tuple[type, ...], allowed: str | None = None, remedy: str | None = None
) -> None:
    """Refuses a value that is not an instance of one of `kinds`.

    Raises:
        InvalidArgumentError: see above.
    """
    if not isinstance(given, kinds):
        names = [kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,))]
        raise refusal(name, given, allowed or " or ".join(names), remedy)


def check_text(name: str, given: Any, allowed: str = "text", remedy: str | None = None) -> None:
    """Refuses a value that is not text, and text that is empty or blank.

    Raises:
        InvalidArgumentError: see above.
    """
    check_kind(name, given, str, allowed, remedy)
    if not given.strip():
        raise refusal(name, given, f"{allowed}, not empty", remedy)


def check_flags(**given: Any) -> None:
    """Refuses a value that is neither True nor False. The keywords are the arguments' names.

    Context values from the command line are text, and for Python the text "false" is true.

    Raises:
        InvalidArgumentError: see above.
    """
    for name, flag in given.items():
        check_kind(name, flag, bool, "True or False", "leave the quotes out" if isinstance(flag, str) else None)


def check_interface(name: str, given: Any, attribute: str, allowed: str, remedy: str | None = None) -> None:
    """Refuses an object without `attribute`, which identifies an interface of the CDK (a topic has `topic_arn`).

    `isinstance` does not work with jsii's interfaces, which are protocols.

    Raises:
        InvalidArgumentError: see above.
    """
    # The class is asked first: asking the object reads the attribute, which is a call to the JavaScript process. A
    # class given instead of an object has the attribute too, and would fail much later.
    if isinstance(given, type) or (not hasattr(type(given), attribute) and not hasattr(given, attribute)):
        raise refusal(name, given, allowed, remedy)


def check_sequence(name: str, given: Any, allowed: str, *, empty: bool = True) -> Sequence[Any]:
    """Returns `given` as a tuple. Refuses a single object instead of a list, and with `empty=False` an empty list.

    Raises:
        InvalidArgumentError: see above.
    """
    if isinstance(given, str | dict) or not isinstance(given, Iterable):
        raise refusal(name, given, allowed, "put it in a list")
    listed = tuple(given)
    if not listed and not empty:
        raise refusal(name, plain("an empty list"), allowed)
    return listed
