"""The decision on posts, without a server and without HTTP."""

import ast
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.container.api.conftest import API_FOLDER

Modules = Callable[[str], ModuleType]
# Each package may import those before it.
LAYERS = ["observability", "aws", "endpoint", "unscored", "reviews", "identity", "moderation", "web"]


class Endpoint:
    """Gives each text the probability that it says, and fails for want of one."""

    def __init__(self, client: ModuleType) -> None:
        self._client = client

    def score(self, text: str, *, until: float) -> Any:
        if not text:
            raise self._client.NoProbabilityError(self._client.Reason.UNREACHABLE, "nobody there")
        return self._client.Score(probability=float(text), model=f"until-{until:g}")

    def score_all(self, texts: list[str], *, until: float) -> list[Any]:
        return [self.score(text, until=until) for text in texts]


@pytest.fixture
def moderator(api_module: Modules) -> Callable[[str], Any]:
    def make(policy: str) -> Any:
        return api_module("moderation.decision").Moderator(
            endpoint=Endpoint(api_module("endpoint.client")),
            threshold=0.6,
            policy=api_module("api_settings").FallbackPolicy(policy),
        )

    return make


def test_posts_at_or_above_the_threshold_are_flagged(moderator: Callable[[str], Any]) -> None:
    decisions = moderator("flag").decide(["0", "0.59999", "0.6", "1"], 7.0)
    assert [decision.flag for decision in decisions] == [0, 0, 1, 1]
    assert [decision.probability for decision in decisions] == [0, 0.59999, 0.6, 1]
    assert {(decision.model, decision.fallback) for decision in decisions} == {("until-7", None)}


def test_one_text_is_decided_on_as_several_are(moderator: Callable[[str], Any]) -> None:
    assert moderator("flag").decide("0.6", 7.0) == moderator("flag").decide(["0.6"], 7.0)


def test_without_a_probability_the_policy_decides_or_nothing_does(
    moderator: Callable[[str], Any], api_module: Modules
) -> None:
    client = api_module("endpoint.client")
    with pytest.raises(client.NoProbabilityError) as raised:
        moderator("flag").decide(["0.9", ""], 7.0)
    flagged, passed = (moderator(policy).by_policy(raised.value.reason) for policy in ("flag", "pass"))
    assert (flagged.flag, flagged.probability, flagged.model, flagged.fallback) == (1, None, None, "unreachable")
    assert (passed.flag, passed.fallback) == (0, "unreachable")
    assert moderator("error").by_policy(raised.value.reason) is None


@pytest.mark.parametrize("package", LAYERS)
def test_packages_import_one_way(package: str) -> None:
    known = {path.name for path in API_FOLDER.iterdir() if (path / "__init__.py").exists()}
    assert known == set(LAYERS)
    later = set(LAYERS[LAYERS.index(package) + 1 :])
    for path in (API_FOLDER / package).glob("*.py"):
        imported = _imported(path)
        assert not imported & later, f"{path.name} imports {imported & later}"
        if package != "web":
            assert not imported & {"flask", "gunicorn", "werkzeug"}, f"{path.name} knows of HTTP's server"


def _imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
        elif isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
    return names
