"""The REST protocols: method, path and query string name the operation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from urllib.parse import unquote

from cdk_rehearsal.permissions.api_request.service_models import input_shape, operation_names, service_model

_LABEL = re.compile(r"\{([^{}+]+)(\+?)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Method, path and query parameters of one operation."""

    operation: str
    path: re.Pattern[str]
    labels: tuple[str, ...]  # the names of the path's groups
    literals: int  # number of literal characters in the path
    constants: Mapping[str, str | None]  # required in the query string: `list-type=2`; `tagging` has no value
    query: frozenset[str]  # required members that are sent in the query string
    headers: frozenset[str]
    deprecated: bool

    def fits(self, query: Mapping[str, str], headers: Mapping[str, str]) -> bool:
        return (
            all(key in query and value in (None, query[key]) for key, value in self.constants.items())
            and self.query <= query.keys()
            and self.headers <= headers.keys()
        )

    @property
    def weight(self) -> tuple[int, int, int, bool]:
        """Of several matching routes the one with most requirements wins: UploadPart is PutObject with an upload id."""
        return len(self.constants), len(self.query) + len(self.headers), self.literals, not self.deprecated


def find_route(
    service: str, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]
) -> tuple[Route, dict[str, str]] | None:
    """The operation and the values of its path labels, or None."""
    for candidate in _routes(service).get(method, ()):
        found = candidate.path.fullmatch(path)
        if found and candidate.fits(query, headers):
            return candidate, dict(zip(candidate.labels, map(unquote, found.groups()), strict=True))
    return None


@cache
def _routes(service: str) -> Mapping[str, tuple[Route, ...]]:
    """The routes per method, those with most requirements first."""
    by_method: dict[str, list[Route]] = {}
    for operation in sorted(operation_names(service)):
        about = service_model(service).operation_model(operation)
        by_method.setdefault(about.http["method"], []).append(_route(service, operation))
    return {
        method: tuple(sorted(routes, key=lambda each: each.weight, reverse=True))
        for method, routes in by_method.items()
    }


def _route(service: str, operation: str) -> Route:
    about = service_model(service).operation_model(operation)
    path, _, constants = about.http["requestUri"].partition("?")
    shape = input_shape(service, operation)
    required = {name: shape.members[name].serialization for name in shape.required_members} if shape else {}
    wire = {
        place: frozenset(given["name"] for given in required.values() if given.get("location") == place)
        for place in ("querystring", "header")
    }
    stated = dict(each.partition("=")[::2] for each in constants.split("&") if each)
    return Route(
        operation=operation,
        path=re.compile(_pattern(path)),
        labels=tuple(label[1] for label in _LABEL.finditer(path)),
        literals=len(_LABEL.sub("", path)),
        constants={key: value or None for key, value in stated.items()},
        query=wire["querystring"] - stated.keys(),
        headers=frozenset(name.lower() for name in wire["header"]),
        deprecated=about.deprecated,
    )


def _pattern(path: str) -> str:
    """Labels become groups; a greedy label (`{Key+}`) matches slashes too. A trailing slash is ignored."""
    parts = []
    end = 0
    for label in _LABEL.finditer(path):
        parts.append(re.escape(path[end : label.start()]))
        parts.append(f"({'.+' if label[2] else '[^/]+'})")
        end = label.end()
    parts.append(re.escape(path[end:].rstrip("/")))
    greedy = path.endswith("+}")
    return "".join(parts) + ("" if greedy else "/?")
