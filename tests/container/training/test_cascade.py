from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

Load = Callable[[str], ModuleType]


def _drawn(count: int, *, noise: float) -> tuple[list[int], np.ndarray, np.ndarray]:
    """Labels, and what a linear model and a network say: the network is right more often."""
    chance = np.random.default_rng(7)
    labels = (chance.random(count) < 0.3).astype(int)
    depth = chance.normal(0, 1, count) + 6 * (labels - 0.5)
    network = 1 / (1 + np.exp(-2 * depth))
    linear = 1 / (1 + np.exp(-(depth + chance.normal(0, noise, count))))
    return labels.tolist(), linear, network


def test_leaves_to_the_network_what_the_first_stage_is_not_sure_of(load: Load) -> None:
    labels, linear, network = _drawn(4000, noise=0.8)
    stage, difference = load("cascade").choose(labels, linear, network, threshold=0.5)
    sure = stage.sure(linear)
    assert 0.3 < sure.mean() < 1
    together = stage.combined(linear, network)
    assert np.array_equal(together[~sure], network[~sure])
    # Each flag that the first stage gives is on its side of the threshold, with room for six digits.
    assert np.all(together[linear <= stage.low] <= 0.5 - 1e-6)
    assert np.all(together[linear >= stage.high] >= 0.5 + 1e-6)
    agreement = np.mean((together >= 0.5) == (network >= 0.5))
    assert agreement >= 0.995
    assert difference.agreement == agreement
    assert difference.drop_high <= 0.002
    # Never a lower answer for a higher score.
    assert np.all(np.diff(stage.answers) >= 0)
    assert np.all(np.diff(stage.scores) > 0)


def test_leaves_less_to_the_network_where_the_first_stage_is_better(load: Load) -> None:
    shares = []
    for noise in (0.2, 0.8):
        labels, linear, network = _drawn(4000, noise=noise)
        stage, _ = load("cascade").choose(labels, linear, network, threshold=0.5)
        shares.append(stage.sure(linear).mean())
    assert shares[0] > shares[1]


def test_says_why_there_is_no_first_stage(load: Load) -> None:
    labels, _, network = _drawn(100, noise=1)
    # One that has it the wrong way round flips a flag with each post that it answers.
    said = load("cascade").choose(labels, 1 - network, network, threshold=0.5)
    assert said == "flags agree on less than 99.5% of 100 posts, however few it answers"


class _Model:
    """Answers what it is told, and takes as long for it as the cascade's clock says."""

    def __init__(self, answers: dict[str, float]) -> None:
        self.answers = answers
        self.threshold = 0.5
        self.asked: list[str] = []

    def probabilities(self, texts: list[str]) -> np.ndarray:
        self.asked += texts
        return np.array([self.answers[text] for text in texts])


def test_asks_the_network_about_the_rest_alone(load: Load) -> None:
    cascade = load("cascade")
    first, second = _Model({"a": 0.1, "b": 0.5, "c": 0.9}), _Model({"b": 0.7})
    stage = cascade.FirstStage(low=0.1, high=0.9, scores=[0.0, 1.0], answers=[0.2, 0.6])
    model = cascade.CascadeModel(second=second, first=first, stage=stage, cascade={}, threshold=0.5)
    assert model.probabilities(["a", "b", "c", "a"]).tolist() == pytest.approx([0.24, 0.7, 0.56, 0.24])
    assert model.by_first_stage(["a", "b", "c", "a"]) == [True, False, True, True]
    assert second.asked == ["b"]


@pytest.mark.parametrize(("of_first", "serves"), [(0.01, "cascade"), (0.9, "network")])
def test_serves_only_where_it_pays(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, of_first: float, serves: str
) -> None:
    cascade, posts = load("cascade"), load("posts")
    labels, linear, network = _drawn(2000, noise=0.9)
    texts = [str(number) for number in range(2000)]
    first, second = _Model(dict(zip(texts, linear, strict=True))), _Model(dict(zip(texts, network, strict=True)))
    monkeypatch.setattr(cascade, "replace", lambda model, **changes: (model, changes))

    def train(_posts: object, _validation: object, _hyperparameters: object, folder: Path) -> _Model:
        (folder / "model.onnx").write_text("linear")
        first.preprocessing = {"kind": "code_points"}  # type: ignore[attr-defined]
        return first

    monkeypatch.setattr(cascade.linear_recipe, "train", train)
    monkeypatch.setattr(cascade, "_seconds_a_post", lambda model, _texts: of_first if model is first else 1.0)
    validation = [posts.Post(text=text, label=label) for text, label in zip(texts, labels, strict=True)]
    given = load("hyperparameters").Hyperparameters(recipe="bert")
    found = cascade.with_first_stage(second, [], validation, given, tmp_path)
    said = found.cascade if serves == "cascade" else found[1]["cascade"]
    assert said["serves"] == serves
    assert [path.name for path in tmp_path.iterdir()] == (["first_stage.onnx"] if serves == "cascade" else [])
    if serves == "cascade":
        assert said["first_stage"]["model"] == "first_stage.onnx"
        assert 0.2 < said["share"] < 1
        assert said["time"] == pytest.approx(0.01 + 1 - said["share"], abs=1e-3)
    else:
        assert "of the network's time; allowed is 80% or less" in said["reason"]
