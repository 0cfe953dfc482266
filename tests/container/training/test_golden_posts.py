import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

INFERENCE = Path(__file__).resolve().parents[3] / "container" / "inference"
Train = Callable[..., subprocess.CompletedProcess[str]]

# In a process of its own: both images have modules of the same names.
SERVE = """
import json, sys
from pathlib import Path
from inference import Model
model = Model.load(Path(sys.argv[1]), threads=1, batch_size=1)
print(json.dumps([model.probabilities([text])[0] for text in json.load(sys.stdin)]))
"""


def golden(job: Path) -> list[dict[str, object]]:
    lines = (job / "output" / "data" / "golden_posts.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_the_inference_image_says_of_them_what_the_training_wrote(job: Path, train: Train) -> None:
    assert train(job).returncode == 0
    posts = golden(job)
    assert len(posts) == 64
    done = subprocess.run(
        [sys.executable, "-c", SERVE, job / "model"],
        input=json.dumps([post["text"] for post in posts]),
        env={"PYTHONPATH": str(INFERENCE)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == pytest.approx([post["probability"] for post in posts], abs=1e-6)


def test_they_are_held_out_and_spread_over_the_probabilities(job: Path, train: Train) -> None:
    assert train(job).returncode == 0
    lines = (job / "input" / "data" / "test" / "posts.jsonl").read_text(encoding="utf-8").splitlines()
    held_out = {json.loads(line)["text"] for line in lines}
    posts = golden(job)
    assert {post["text"] for post in posts} <= held_out
    probabilities = [post["probability"] for post in posts]
    assert probabilities == sorted(probabilities)
    assert probabilities[0] < 0.2 < 0.8 < probabilities[-1]


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 1000])
def test_there_are_as_many_as_there_can_be(load: Callable[[str], ModuleType], tmp_path: Path, count: int) -> None:
    module, post = load("golden_posts"), load("posts").Post
    posts = [post(text=f"post {number}", label=0) for number in range(count)]
    too_long = post(text="x" * (module.LONGEST_TEXT + 1), label=1)
    probabilities = np.linspace(0, 1, num=count + 1)
    module.write_golden_posts(tmp_path, [*posts, too_long], probabilities)
    written = [json.loads(line) for line in (tmp_path / module.FILE).read_text().splitlines()]
    assert len(written) == len({post["text"] for post in written}) == min(count, 64)
    assert {"post 0", f"post {count - 1}"} <= {post["text"] for post in written}
    assert all(post["probability"] == probabilities[int(post["text"].split()[1])] for post in written)
