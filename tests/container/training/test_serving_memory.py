import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Load = Callable[[str], ModuleType]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says how much memory a process had at most")


def test_the_manifest_says_how_much_memory_serving_takes(job: Path, train: Callable[..., Any]) -> None:
    done = train(job, {"recipe": "linear"})
    assert done.returncode == 0, done.stderr
    serving = json.loads((job / "model" / "manifest.json").read_text())["serving"]
    assert json.loads((job / "output" / "data" / "evaluation.json").read_text())["serving"] == serving
    assert f"serving_mib={serving['mib']}\n" in done.stdout
    assert 40 < serving["worker_mib"] < 400
    assert serving["mib"] > serving["worker_mib"]


def test_both_stages_count(job: Path, train: Callable[..., Any], load: Load) -> None:
    assert train(job, {"recipe": "linear"}).returncode == 0
    model = job / "model"
    alone = load("serving_memory").serving_memory(model)
    content = (model / "model.onnx").read_bytes()
    manifest = json.loads((model / "manifest.json").read_text())
    first_stage = {"model": "first_stage.onnx", "preprocessing": manifest["preprocessing"]}
    (model / "manifest.json").write_text(json.dumps({**manifest, "cascade": {"first_stage": first_stage}}))
    # A file of its own, made larger by what no operator reads: it is loaded all the same.
    import numpy as np
    import onnx

    large = onnx.load_from_string(content)
    large.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(20_000_000, dtype=np.float32), "unused"))
    onnx.save(large, model / "first_stage.onnx")
    both = load("serving_memory").serving_memory(model)
    assert both["worker_mib"] > alone["worker_mib"] + 50
