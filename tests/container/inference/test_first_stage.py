"""A linear model in front of another one, in one model folder."""

import json
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

CONTAINER = Path(__file__).resolve().parents[3] / "container"

FINE, VIOLATION = "夜泣きで悩んでいます。3ヶ月です", "副業で3万円、LINEを追加して"
UNSURE = "おむつの話"
LOW, HIGH = 0.3, 0.7


@pytest.fixture
def cascade(trained: Path, tmp_path: Path) -> Path:
    """A job's folder: the first stage answers a tenth of its score, or nine tenths and a tenth of it."""
    shutil.copytree(trained / "model", tmp_path / "model")
    shutil.copy(tmp_path / "model" / "model.onnx", tmp_path / "model" / "first_stage.onnx")
    _edit(tmp_path)
    return tmp_path


def _edit(job: Path, **changes: object) -> None:
    path = job / "model" / "manifest.json"
    manifest = json.loads(path.read_text())
    first_stage = {
        "model": "first_stage.onnx",
        "preprocessing": manifest["preprocessing"],
        "low": LOW,
        "high": HIGH,
        "scores": [0.0, LOW, HIGH, 1.0],
        "answers": [0.01, 0.03, 0.97, 0.99],
        **changes,
    }
    cascade = {"serves": "cascade", "first_stage": first_stage, "share": 0.7}
    path.write_text(json.dumps({**manifest, "cascade": cascade}))


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], Any]]:
    known = set(sys.modules)
    monkeypatch.syspath_prepend(CONTAINER / "inference")
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "1")
    from inference import Model

    yield lambda folder: Model.load(folder, threads=1, batch_size=1)
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(CONTAINER)):
            del sys.modules[name]


def test_answers_what_it_is_sure_of_and_leaves_the_rest(
    cascade: Path, trained: Path, load: Callable[[Path], Any]
) -> None:
    texts = [FINE, UNSURE, VIOLATION, FINE * 20]
    network = np.array(load(trained / "model").predict(texts).probabilities)
    assert network[0] < LOW < network[1] < HIGH < network[2]
    expected = np.where(
        (network <= LOW) | (network >= HIGH),
        np.interp(network, [0.0, LOW, HIGH, 1.0], [0.01, 0.03, 0.97, 0.99]),
        network,
    )
    both = load(cascade / "model")
    assert both.predict(texts).by_first_stage == [True, False, True, bool(network[3] <= LOW or network[3] >= HIGH)]
    assert load(trained / "model").predict(texts).by_first_stage == []
    assert both.predict(texts).probabilities == pytest.approx(expected, abs=1e-6)
    assert both.predict([UNSURE]).probabilities == pytest.approx([network[1]], abs=1e-6)
    assert both.predict([FINE]).probabilities == pytest.approx([expected[0]], abs=1e-6)


def test_the_log_says_how_much_it_answers(
    cascade: Path, load: Callable[[Path], Any], caplog: pytest.LogCaptureFixture
) -> None:
    model = load(cascade / "model")
    with caplog.at_level(logging.INFO, logger="gunicorn.error"):
        model.predict([FINE] * 600 + [UNSURE] * 399)
        assert caplog.messages == []
        model.predict([VIOLATION])
    assert caplog.messages == ["first stage answered 601 of 1000 posts (60.1 %); of the validation posts 70.0 %"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"low": 0.8}, "manifest.json: cascade: ValueError: low is not below high"),
        (
            {"scores": [1.0, 0.0, 0.5, 0.6]},
            "manifest.json: cascade: ValueError: scores and answers are not a rising line",
        ),
        ({"answers": []}, "manifest.json: cascade: ValueError: scores and answers are not a rising line"),
        ({"model": "../gone.onnx"}, "model.onnx: [ONNXRuntimeError] : 3 : NO_SUCHFILE"),
        ({"preprocessing": {"kind": "words", "normalisation": []}}, "manifest.json: got preprocessing kind 'words'"),
    ],
)
def test_fails_when_the_first_stage_is_unusable(
    cascade: Path, load: Callable[[Path], Any], changes: dict[str, object], said: str
) -> None:
    _edit(cascade, **changes)
    with pytest.raises(Exception, match=r"manifest\.json|model\.onnx") as refused:
        load(cascade / "model")
    assert type(refused.value).__name__ == "ModelUnusableError"
    assert str(refused.value).startswith(said)


def test_keeps_the_contract_over_http(
    cascade: Path, serving: Callable[..., AbstractContextManager[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    os.chmod(cascade, 0o755)
    with serving(cascade, MODEL_NAME="moderation-1", MODEL_SERVER_WORKERS="1") as server:
        server.answer_of_ping(200)
        single = [server.invoke({"text": text}).json()["predictions"] for text in (FINE, UNSURE, VIOLATION)]
        assert all(isinstance(prediction, str) for prediction in single)
        assert float(single[0]) < 0.03 < LOW < float(single[1]) < HIGH < 0.97 < float(single[2])
        together = server.invoke({"texts": [UNSURE, FINE, VIOLATION, UNSURE]}).json()["predictions"]
        assert together == [single[1], single[0], single[2], single[1]]
        asked = {"X-Amzn-SageMaker-Custom-Attributes": "patience-ms=60000,with=first-stage"}
        said = server.invoke({"texts": [UNSURE, FINE, VIOLATION]}, headers=asked).headers
        assert said["X-Amzn-SageMaker-Custom-Attributes"] == "model=moderation-1,first-stage=0/1/1"
        lines = b'{"text": "%s"}\n{"text": 3}\n{"text": "%s"}\n' % (FINE.encode(), UNSURE.encode())
        answered = [json.loads(line) for line in server.invoke(lines, "application/jsonlines").text.splitlines()]
        assert [line.get("predictions") for line in answered] == [single[0], None, single[1]]
        hostile = server.invoke({"texts": ["\0", "a" * 10_000, "゙" * 9_000, "🙂" * 5_000, "[SEP]"]})
        assert hostile.status_code == 200, hostile.text
